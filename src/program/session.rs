//! One run with its backend, user interface, signals and recording.
//!
//! ```text
//!  main thread                                screen thread        recording thread (if wanted)
//!  signals, backend, framework ─▶ driver ──events──▶ screen   or   ──▶ file ──▶ screen
//!                                    ◀──commands──────┘
//! ```
//!
//! The user interface starts first, so that something is visible while helper processes start; if
//! that fails, it is closed before the error is reported.

use std::path::PathBuf;
use std::time::{SystemTime, UNIX_EPOCH};

use tokio::runtime::Runtime;
use tokio::sync::mpsc::unbounded_channel;

use super::descriptors;
use super::failure::ProgramFailure;
use super::partition::partition;
use super::report_files::{ReportFiles, github_context};
use super::session_options::{InvocationPurpose, ProgramContext, SessionOptions};
use super::ui_choice::run_ui;
pub use super::ui_thread::wait_for;
use super::ui_thread::{ListContent, RunUi};
use crate::program::backend::AnyBackend;
use maelstrom_cluster::backend::{BrokerBackend, BrokerBackendOptions as ClusterBackendOptions};
use maelstrom_container::private;
use maelstrom_engine::local::LocalBackend;
use maelstrom_engine::log::ProgramLog;
use maelstrom_engine::run::driver::{RunSetup, drive};
use maelstrom_engine::run::event_sink::EventSink;
use maelstrom_engine::run::message::{HistoryFilter, RunMode, RunOptions};
use maelstrom_engine::run::partition::TestPartition;
use maelstrom_engine::run::signals::{self, TerminationSignal};
use maelstrom_engine::run::watch::WatchMode;
use maelstrom_model::backend::GRACE_DEFAULT;
use maelstrom_model::event::channel::channel;
use maelstrom_model::event::{BackendInfo, IsolationMode, RunStarted, SCHEMA_VERSION, UserNotice};
use maelstrom_model::forwarding::EnvironmentForwarding;
use maelstrom_model::framework::Framework;
use maelstrom_model::ids::{RunId, random_name};
use maelstrom_runners::options::{EventStreamFormat, ListFormatOption, NoTestsOption, RunSettings};
use maelstrom_runners::run;
use maelstrom_runners::sandbox::cluster::{MachineOptions, RunnerClusterOptions};
use maelstrom_runners::sandbox::invocation::{ColorMode, Invocation};
use maelstrom_spec::config::Address;
use maelstrom_ui::dashboard::EventSource;
use maelstrom_ui::export::list::TestListFormat;
use maelstrom_ui::terminal;
use maelstrom_wire::connection::connect;
use maelstrom_wire::session::prepare::PreparationMode;

/// A run that has not started, with its settings and user interface.
#[derive(Debug)]
pub struct RunSession<'a, F> {
    program: &'static str,
    /// The command line, for people.
    command: Vec<String>,
    /// Finds the tests.
    framework: &'a F,
    /// The number of slots, the backend, the isolation mode and the options of the report.
    settings: &'a RunSettings,
    /// The run mode, repetition, and when to stop.
    wishes: RunOptions,
    /// The part of the tests to run, if not all.
    partition: Option<TestPartition>,
    /// Whether changed files start a new round.
    watching: WatchMode,
    /// Warnings to show at the start.
    notices: Vec<UserNotice>,
    /// The user interface.
    screen: RunUi,
    /// The program's log.
    log: ProgramLog,
    /// The files that the run writes.
    reports: ReportFiles,
}

/// Creates the single-threaded runtime that programs use.
pub fn runtime() -> Result<Runtime, ProgramFailure> {
    descriptors::ensure(descriptors::RUNTIME)?;
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| ProgramFailure::infrastructure(&error))
}

impl<'a, F: Framework> RunSession<'a, F> {
    /// Creates the run that these settings describe.
    pub fn new(
        program: &'static str,
        framework: &'a F,
        outline: &SessionOptions<'a>,
        begun: ProgramContext,
    ) -> Result<RunSession<'a, F>, ProgramFailure> {
        let SessionOptions {
            purpose,
            run: settings,
        } = *outline;
        let (errand, screen, reports) = match purpose {
            InvocationPurpose::Run => {
                let reports = ReportFiles::check(settings)?;
                let screen = run_ui(settings, begun.color, EventSource::Live)?;
                (RunMode::Run, screen, reports)
            }
            InvocationPurpose::List => {
                let listing = ListContent::Tests(list_format(settings.list_format));
                let screen = match settings.stream {
                    Some(format @ (EventStreamFormat::Test2Json | EventStreamFormat::GoList)) => {
                        RunUi::ListStream(format)
                    }
                    // Formats of runs only.
                    Some(EventStreamFormat::LibtestJson | EventStreamFormat::LibtestJsonPlus)
                    | None => RunUi::List(listing),
                };
                (RunMode::List, screen, ReportFiles::of_list(settings)?)
            }
            InvocationPurpose::Other => {
                let listing = ListContent::Nothing;
                let reports = ReportFiles::of_list(settings)?;
                (RunMode::List, RunUi::List(listing), reports)
            }
        };
        let watching = screen.watching(&settings.report);
        let mut notices = begun.notices;
        let partition = partition(&settings.partition, &mut notices)?;
        Ok(RunSession {
            program,
            command: begun.command,
            framework,
            settings,
            wishes: RunOptions {
                errand,
                history: match settings.failed_only {
                    true => HistoryFilter::Failed,
                    false => HistoryFilter::All,
                },
                repeat: settings.repeat,
                retry_placement: settings.retry_placement,
                seed: RunId::of(&random_name()).0,
                stop_after: settings.stop_after,
                at_end: screen.at_end(watching),
                no_tests: settings.no_tests.map(NoTestsOption::severity),
                failure_code: framework.failure_code(),
                grace: GRACE_DEFAULT,
            },
            partition,
            watching,
            notices,
            screen,
            log: begun.log,
            reports,
        })
    }

    /// Runs it, and returns the program's exit code.
    pub fn run(self) -> Result<u8, ProgramFailure> {
        let runtime = runtime()?;
        let (sender, events) = channel();
        let outlet = EventSink::new(sender);
        let (events, reports) = self.reports.tee(events)?;
        let github = github_context(self.settings.report.github)?;
        let (command, commands) = unbounded_channel();
        let shown = self
            .screen
            .start(events, command, &self.log, github)
            .map_err(|error| ProgramFailure::infrastructure(&*error))?;
        let driven: Result<u8, ProgramFailure> = runtime.block_on(async {
            // From here on, signals end the run, not the process.
            let interrupts = signals::listen(concerns_us)
                .map_err(|error| ProgramFailure::infrastructure(&error))?;
            let name = random_name();
            let backend = backend(self.settings, name).await?;
            let run = RunId::of(&name);
            let isolation = self.settings.isolation();
            let cluster = &self.settings.cluster;
            Ok(drive(RunSetup {
                run: run_started(run, self.program, self.command, isolation, cluster),
                wishes: self.wishes,
                partition: self.partition,
                notices: self.notices,
                framework: self.framework,
                backend: backend.with_grace(self.wishes.grace),
                outlet,
                log: &self.log,
                shell: shell(isolation),
                commands,
                interrupts,
                watching: self.watching,
                limit: self.settings.run_limit,
                tells_run: self.settings.tells_run,
            })
            .await)
        });
        // The driver's end of the channel is closed, so the user interface ends and restores the
        // terminal before an error is printed.
        let seen = wait_for(shown);
        let exit_code = reports.settle(driven)?;
        seen.map(|()| exit_code)
    }
}

fn list_format(option: Option<ListFormatOption>) -> TestListFormat {
    match option {
        None | Some(ListFormatOption::Plain) => TestListFormat::Plain,
        Some(ListFormatOption::Oneline) => TestListFormat::Oneline,
        Some(ListFormatOption::Json) => TestListFormat::Json,
    }
}

/// Returns whether a signal ends the run. While an editor has the terminal, interrupts from the
/// keyboard are meant for the editor, although the whole process group receives them.
fn concerns_us(interrupt: TerminationSignal) -> bool {
    match interrupt {
        TerminationSignal::Interrupt => !terminal::is_handed_off(),
        TerminationSignal::Terminate | TerminationSignal::Hangup => true,
    }
}

/// Starts the backend that the settings select. `run` identifies the run to a broker.
pub async fn backend(settings: &RunSettings, run: [u8; 16]) -> Result<AnyBackend, ProgramFailure> {
    let cluster = &settings.cluster;
    let slots = match &cluster.broker.broker {
        None => settings.slots,
        Some(_) => settings.slots.max(cluster.local_slots),
    };
    let local = local_backend(settings.chosen_isolation, slots, &cluster.machine)?;
    match &cluster.broker.broker {
        None => Ok(AnyBackend::Local(Box::new(local))),
        Some(broker) => {
            let backend = cluster_backend(broker, cluster, local, run).await?;
            Ok(AnyBackend::Broker(Box::new(backend)))
        }
    }
}

/// Starts a backend of this machine.
pub fn local_backend(
    isolation: Option<IsolationMode>,
    slots: u32,
    machine: &MachineOptions,
) -> Result<LocalBackend, ProgramFailure> {
    let backend = match isolation.unwrap_or_default() {
        IsolationMode::Container => {
            let executable =
                std::env::current_exe().map_err(|error| ProgramFailure::infrastructure(&error))?;
            LocalBackend::start(&executable, slots)
        }
        IsolationMode::Process => LocalBackend::without_containers(slots),
    }
    .map_err(|forbidden| {
        let mut help = forbidden.help.clone();
        // Only programs with `--isolation` get this hint.
        if isolation.is_some() {
            help.push_str("\nOr give up containers for this run by choice: --isolation=process.");
        }
        ProgramFailure::infrastructure_with_help(&forbidden, help)
    })?;
    Ok(backend
        .with_scratch_memory(machine.scratch_memory.unwrap_or_default())
        .with_memory_budget(machine.memory_budget))
}

async fn cluster_backend(
    broker: &Address,
    cluster: &RunnerClusterOptions,
    local: LocalBackend,
    run: [u8; 16],
) -> Result<BrokerBackend, ProgramFailure> {
    let connection = connect(broker, &cluster.broker.security()).await?;
    let invocation = Invocation::of_this_process(ColorMode::Unwanted)
        .map_err(|error| ProgramFailure::infrastructure(&error))?;
    let cache = invocation
        .cache_home()
        .unwrap_or_else(std::env::temp_dir)
        .join("maelstrom");
    // Without the directory, files are hashed again in every run.
    drop(private::directory(&cache));
    let options = ClusterBackendOptions {
        connection,
        address: broker.to_string(),
        run,
        name: own_name(),
        digests: cache.join("digests"),
        forwarding: EnvironmentForwarding::of_this_process(&cluster.forward_environment),
        grace: GRACE_DEFAULT,
        local_slots: cluster.local_slots,
        preparing: PreparationMode::default(),
    };
    Ok(BrokerBackend::new(options, local))
}

/// Returns `USER@HOST` of this process.
fn own_name() -> String {
    let user = std::env::var("USER").unwrap_or_else(|_| "somebody".to_owned());
    let host = nix::unistd::gethostname().unwrap_or_default();
    format!("{user}@{}", host.to_string_lossy())
}

/// Returns the program that opens a shell in a container: the one next to this executable, else the
/// one on `PATH`. `None` for jobs that are processes without containers.
fn shell(isolation: IsolationMode) -> Option<PathBuf> {
    match isolation {
        IsolationMode::Container => {}
        IsolationMode::Process => return None,
    }
    let name = run::options::PROGRAM.name;
    let path = std::env::var_os("PATH").unwrap_or_default();
    let on_path = std::env::split_paths(&path)
        .map(|directory| directory.join(name))
        .find(|program| program.is_file());
    let beside = std::env::current_exe()
        .ok()
        .map(|own| own.with_file_name(name));
    match (on_path, beside.filter(|program| program.is_file())) {
        // The bare name would start another version.
        (Some(on_path), Some(beside)) if on_path != beside => Some(beside),
        (Some(_), _) => Some(name.into()),
        (None, beside) => beside,
    }
}

/// Returns the first event of a run.
pub fn run_started(
    run: RunId,
    program: &str,
    command: Vec<String>,
    isolation: IsolationMode,
    cluster: &RunnerClusterOptions,
) -> RunStarted {
    let directory = std::env::current_dir().unwrap_or_default();
    #[expect(clippy::disallowed_methods, reason = "people read it")]
    let since_1970 = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    RunStarted {
        schema: SCHEMA_VERSION,
        run,
        program: program.to_owned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        command,
        directory: directory.display().to_string(),
        started_unix_ms: u64::try_from(since_1970.as_millis()).unwrap_or(u64::MAX),
        backend: match &cluster.broker.broker {
            None => BackendInfo::Local,
            Some(broker) => BackendInfo::Broker {
                address: broker.to_string(),
            },
        },
        isolation,
    }
}
