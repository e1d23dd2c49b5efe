//! One run with everything around it.
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
use maelstrom_engine::run::message::{RunMode, RunOptions};
use maelstrom_engine::run::signals::{self, TerminationSignal};
use maelstrom_engine::run::watch::WatchMode;
use maelstrom_model::backend::GRACE_DEFAULT;
use maelstrom_model::event::channel::channel;
use maelstrom_model::event::{BackendInfo, IsolationMode, RunStarted, SCHEMA_VERSION, UserNotice};
use maelstrom_model::forwarding::EnvironmentForwarding;
use maelstrom_model::framework::Framework;
use maelstrom_model::ids::{RunId, random_name};
use maelstrom_runners::options::RunSettings;
use maelstrom_runners::run;
use maelstrom_runners::sandbox::cluster::{MachineOptions, RunnerClusterOptions};
use maelstrom_runners::sandbox::invocation::{ColorMode, Invocation};
use maelstrom_spec::config::Address;
use maelstrom_ui::dashboard::EventSource;
use maelstrom_ui::{record, terminal};
use maelstrom_wire::connection::connect;
use maelstrom_wire::session::prepare::PreparationMode;

/// What is to be run, and shown on what.
#[derive(Debug)]
pub struct RunSession<'a, F> {
    program: &'static str,
    /// How it was called.
    command: Vec<String>,
    /// What finds the tests.
    framework: &'a F,
    /// How many run at a time, where, and what keeps them apart.
    settings: &'a RunSettings,
    /// What the user wants of the run.
    wishes: RunOptions,
    /// Whether changed files begin rounds.
    watching: WatchMode,
    /// What the user should know from the start.
    notices: Vec<UserNotice>,
    /// Where it is shown.
    screen: RunUi,
    /// What is logged on the way.
    log: ProgramLog,
    /// Where it is recorded, if anywhere.
    record: Option<PathBuf>,
}

/// A runtime for one thread, as every program has it.
pub fn runtime() -> Result<Runtime, ProgramFailure> {
    descriptors::ensure(descriptors::RUNTIME)?;
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| ProgramFailure::infrastructure(&error))
}

impl<'a, F: Framework> RunSession<'a, F> {
    /// What these settings ask for.
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
        let (errand, screen) = match purpose {
            InvocationPurpose::Run => {
                let screen = run_ui(settings, begun.color, EventSource::Live)?;
                (RunMode::Run, screen)
            }
            InvocationPurpose::List => (RunMode::List, RunUi::List(ListContent::Tests)),
            InvocationPurpose::Other => (RunMode::List, RunUi::List(ListContent::Nothing)),
        };
        let watching = screen.watching(&settings.report);
        Ok(RunSession {
            program,
            command: begun.command,
            framework,
            settings,
            wishes: RunOptions {
                errand,
                repeat: settings.repeat,
                stop_after: settings.stop_after,
                at_end: screen.at_end(watching),
                grace: GRACE_DEFAULT,
            },
            watching,
            notices: begun.notices,
            screen,
            log: begun.log,
            record: settings.report.record.clone(),
        })
    }

    /// Runs it, and returns the program's exit code.
    pub fn run(self) -> Result<u8, ProgramFailure> {
        let runtime = runtime()?;
        let (sender, events) = channel();
        let outlet = EventSink::new(sender);
        let (events, recording) = match &self.record {
            Some(path) => {
                let (events, thread) = record::record(path, events)
                    .map_err(|error| ProgramFailure::infrastructure(&error))?;
                (events, Some(thread))
            }
            None => (events, None),
        };
        let (command, commands) = unbounded_channel();
        let shown = self
            .screen
            .start(events, command, &self.log)
            .map_err(|error| ProgramFailure::infrastructure(&*error))?;
        let driven: Result<u8, ProgramFailure> = runtime.block_on(async {
            // Signals that come from now on end the run, not the process.
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
                notices: self.notices,
                framework: self.framework,
                backend: backend.with_grace(self.wishes.grace),
                outlet,
                log: &self.log,
                shell: shell(isolation),
                commands,
                interrupts,
                watching: self.watching,
            })
            .await)
        });
        // The run's end of the channel is gone, so the screen ends and gives the terminal back
        // before an error is told there.
        let seen = wait_for(shown);
        if let Some(recording) = recording {
            // It has told of its own failures, and a panic of it is told by the panic.
            drop(recording.join());
        }
        let exit_code = driven?;
        seen.map(|()| exit_code)
    }
}

/// An editor that has the terminal gets the keyboard's interrupts, although all of us receive them.
fn concerns_us(interrupt: TerminationSignal) -> bool {
    match interrupt {
        TerminationSignal::Interrupt => !terminal::is_handed_off(),
        TerminationSignal::Terminate | TerminationSignal::Hangup => true,
    }
}

/// The backend that was chosen, for the run of this name.
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

/// A backend of this machine.
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
        // Not every program has the option.
        if isolation.is_some() {
            help.push_str("\nOr give up containers for this run by choice: --isolation=process.");
        }
        ProgramFailure::infrastructure_with_help(&forbidden, help)
    })?;
    Ok(backend.with_scratch_memory(machine.scratch_memory.unwrap_or_default()))
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
    // Without it files are only hashed again.
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

/// Who runs this: user and host.
fn own_name() -> String {
    let user = std::env::var("USER").unwrap_or_else(|_| "somebody".to_owned());
    let host = nix::unistd::gethostname().unwrap_or_default();
    format!("{user}@{}", host.to_string_lossy())
}

/// The program that opens a shell in a container: beside this one, else on `PATH`. Processes that
/// share this machine need none.
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
        // By its name alone another version would be started.
        (Some(on_path), Some(beside)) if on_path != beside => Some(beside),
        (Some(_), _) => Some(name.into()),
        (None, beside) => beside,
    }
}

fn run_started(
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
