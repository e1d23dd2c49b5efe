//! `maelstrom-run`, from its command line to its exit code.
//!
//! - [`one`]: one job whose output is passed through. [`terminal`]: one job on this terminal.
//! - [`stream`]: all jobs of an input, whose output goes through [`output_forwarder`]. In a terminal
//!   they are rows of the dashboard instead.
//! - [`alone`]: one job of another program.
//! - [`ending`]: describes how a job ended, and exits accordingly.
//! - [`messages`]: the program's own messages. [`job_events`]: feeds reports in files.

mod alone;
mod ending;
mod job_events;
mod messages;
mod one;
mod output_forwarder;
mod stream;
mod terminal;

use std::ffi::OsString;
use std::io::{self, IsTerminal, Write};
use std::path::Path;
use std::sync::Arc;

use miette::Diagnostic;
use tokio::sync::mpsc::UnboundedReceiver;

pub(super) use self::alone::{has_terminal, run_alone};
use self::ending::JobExitReason;
use self::job_events::JobEvents;
use self::messages::{end, print_notices};
use super::failure::ProgramFailure;
use super::help;
use super::report_files::ReportFiles;
use super::session::{RunSession, backend, local_backend, run_started, runtime};
use super::startup::{
    InvocationPurpose, SessionOptions, StartedProgram, StartupResult, as_typed, open,
};
use super::ui_choice::user_interface;
use maelstrom_engine::job_file;
use maelstrom_engine::local::LocalBackend;
use maelstrom_engine::run::signals::{self, TerminationSignal};
use maelstrom_model::backend::GRACE_DEFAULT;
use maelstrom_model::error::ProgramError;
use maelstrom_model::event::untrusted_text::clean;
use maelstrom_model::exit_code;
use maelstrom_model::ids::{RunId, random_name};
use maelstrom_model::job::{Job, ProcessSpec};
use maelstrom_runners::options::RunSettings;
use maelstrom_runners::run::default_container::DefaultJobContainer;
use maelstrom_runners::run::framework::JobsFramework;
use maelstrom_runners::run::input;
use maelstrom_runners::run::job_builder::{FetchCallback, JobBuilder};
use maelstrom_runners::run::options::{JobCommand, JobInput, PROGRAM, SingleJob, StandardInput};
use maelstrom_runners::run::{
    RunCommandMode, RunCommandOptions, RunCommandOptionsError, RunCommandSettings,
};
use maelstrom_runners::sandbox::cluster::MachineOptions;
use maelstrom_spec::config::ThisProcess;
use maelstrom_spec::job::JobFileEntry;
use maelstrom_ui::ui_choice::UiKind;

/// The exit code of `--tty` without a terminal.
const NO_TERMINAL: u8 = 1;

/// Runs the program with this command line and returns its exit code.
pub fn main(arguments: Vec<OsString>) -> u8 {
    if let Some(code) = help::run_if_asked(&help::manual::RUN, &arguments) {
        return code;
    }
    match run(arguments) {
        Ok(code) => code,
        Err(failure) => failure.report(),
    }
}

fn run(arguments: Vec<OsString>) -> Result<u8, ProgramFailure> {
    let opening = open(
        PROGRAM.name,
        as_typed(&arguments),
        RunCommandOptions::resolved(&arguments, &ThisProcess),
        |options, cpus| {
            let directory = std::env::current_dir().map_err(|error| infrastructure(&error))?;
            Ok(options.resolve(cpus, stdin(), &directory)?)
        },
        |settings| outline(&settings.common),
    )?;
    let StartedProgram {
        settings,
        invocation,
        begun,
    } = match opening {
        StartupResult::Done(code) => return Ok(code),
        StartupResult::Going(opened) => opened,
    };
    let surroundings = DefaultJobContainer::make(&invocation)?;
    let project = invocation.directory.clone();
    let tell: FetchCallback = if io::stderr().is_terminal() {
        // Printed first: the job's output or the dashboard follows.
        Arc::new(|uri| drop(writeln!(io::stderr().lock(), "fetching {}", clean(uri))))
    } else {
        Arc::new(|_| {})
    };
    let RunCommandSettings {
        mode,
        caches,
        common,
    } = settings;
    let sources = caches.sources(&invocation);
    let own = sources.cache.clone();
    let mut workshop = JobBuilder::new(&invocation, surroundings, sources, tell);
    match mode {
        RunCommandMode::Nothing => Err(RunCommandOptionsError::Nothing.into()),
        RunCommandMode::Stream(input) => {
            match user_interface(&common.report)? {
                UiKind::Dashboard => {
                    begun.log.keep_in(&own);
                    let framework = JobsFramework::new(input, project, workshop);
                    let outline = outline(&common);
                    return RunSession::new(PROGRAM.name, &framework, &outline, begun)?.run();
                }
                UiKind::Plain | UiKind::Quiet => {}
            }
            begun.log.to_stderr();
            print_notices(&begun.notices)?;
            let reports = job_events(&common, begun.command)?;
            let entries = input::read(&input, &project).map_err(|error| infrastructure(&error))?;
            let code = interruptible(async |interrupts| {
                let backend = backend(&common, random_name()).await?;
                stream::StreamRun::new(backend, interrupts, reports)?
                    .follow(&mut workshop, entries)
                    .await
            })?;
            print_notices(workshop.notice().as_slice())?;
            Ok(code)
        }
        RunCommandMode::One(one) => {
            begun.log.to_stderr();
            print_notices(&begun.notices)?;
            let mut reports = job_events(&common, begun.command)?;
            let given = one::standard_input().map_err(|error| infrastructure(&error))?;
            // Standard input is not passed to the job if the job's description was read from it.
            let given = given.filter(|_| !reads_standard_input(&one));
            let ending = single(&common.cluster.machine, async |backend, interrupts| {
                let Some(job) = prepared(&one, &project, &mut workshop, interrupts).await? else {
                    return Ok(JobExitReason::Cancelled);
                };
                let backend = match given {
                    Some(input) => backend.with_input(input),
                    None => backend,
                };
                one::run(backend, job, interrupts, &mut reports).await
            });
            let ending = match ending {
                Ok(ending) => ending,
                Err(failure) => return reports.finish(Err(failure)),
            };
            // Before the exit, because this process may end by the job's signal.
            let code = ending.failure_code().unwrap_or(exit_code::SUCCESS);
            let reported = reports.finish(Ok(code))?;
            print_notices(workshop.notice().as_slice())?;
            match end(&ending)? {
                exit_code::SUCCESS => Ok(reported),
                code => Ok(code),
            }
        }
        RunCommandMode::Terminal(one, escape) => {
            print_notices(&begun.notices)?;
            if stdin() == StandardInput::Other || !io::stdout().is_terminal() {
                return Err(TtyTerminalError.into());
            }
            // Log lines would mix with the job's output on the terminal.
            begun.log.keep_in(&own);
            let ending = single(&common.cluster.machine, async |backend, interrupts| {
                let Some(job) = prepared(&one, &project, &mut workshop, interrupts).await? else {
                    return Ok(JobExitReason::Cancelled);
                };
                let (master, slave) = terminal::open().map_err(|error| infrastructure(&error))?;
                let backend = backend.on_terminal(slave);
                terminal::run(backend, job, master, escape, interrupts).await
            })?;
            print_notices(workshop.notice().as_slice())?;
            end(&ending)
        }
    }
}

fn stdin() -> StandardInput {
    if io::stdin().is_terminal() {
        StandardInput::Terminal
    } else {
        StandardInput::Other
    }
}

/// The error of `--tty` without a terminal.
#[derive(Debug, Diagnostic, thiserror::Error)]
#[error("`--tty` needs standard input and standard output to be a terminal")]
#[diagnostic(help("without `--tty` a job reads standard input and writes standard output"))]
struct TtyTerminalError;

impl ProgramError for TtyTerminalError {
    fn exit_code(&self) -> u8 {
        NO_TERMINAL
    }
}

/// The error of `--one` or `--tty` with an input that contains no job.
#[derive(Debug, Diagnostic, thiserror::Error)]
#[error("there is no job in the input")]
struct NoJob;

impl ProgramError for NoJob {
    fn exit_code(&self) -> u8 {
        exit_code::USAGE
    }
}

fn infrastructure(error: &dyn std::error::Error) -> ProgramFailure {
    ProgramFailure::infrastructure(error)
}

fn reads_standard_input(one: &SingleJob) -> bool {
    match one {
        SingleJob::Named(_) | SingleJob::Kept { .. } => false,
        SingleJob::First { input, .. } => *input == JobInput::Standard,
    }
}

/// Calls `what` with a backend of this machine, while signals arrive as messages.
fn single<T>(
    machine: &MachineOptions,
    what: impl AsyncFnOnce(
        LocalBackend,
        &mut UnboundedReceiver<TerminationSignal>,
    ) -> Result<T, ProgramFailure>,
) -> Result<T, ProgramFailure> {
    interruptible(async |interrupts| {
        let backend = local_backend(None, 1, machine)?;
        what(backend.with_grace(GRACE_DEFAULT), interrupts).await
    })
}

/// Calls `what` while signals arrive as messages.
fn interruptible<T>(
    what: impl AsyncFnOnce(&mut UnboundedReceiver<TerminationSignal>) -> Result<T, ProgramFailure>,
) -> Result<T, ProgramFailure> {
    runtime()?.block_on(async {
        let mut interrupts = signals::listen(|_| true).map_err(|error| infrastructure(&error))?;
        what(&mut interrupts).await
    })
}

/// Returns the one job to run, or `None` if a signal arrives first: reading the input may block,
/// and fetching an image may take long.
async fn prepared(
    one: &SingleJob,
    project: &Path,
    workshop: &mut JobBuilder,
    interrupts: &mut UnboundedReceiver<TerminationSignal>,
) -> Result<Option<Job>, ProgramFailure> {
    tokio::select! {
        job = job(one, project, workshop) => job.map(Some),
        Some(_) = interrupts.recv() => Ok(None),
    }
}

async fn job(
    one: &SingleJob,
    project: &Path,
    workshop: &mut JobBuilder,
) -> Result<Job, ProgramFailure> {
    let (input, command) = match one {
        SingleJob::Named(job) => return Ok(workshop.named(job).await?),
        SingleJob::Kept { file, command } => {
            let kept = job_file::load(file)?;
            return Ok(match command {
                Some(command) => with_command(kept, command),
                None => kept,
            });
        }
        SingleJob::First { input, command } => (input, command),
    };
    let mut entries = input::read(input, project).map_err(|error| infrastructure(&error))?;
    while let Some(entry) = entries.recv().await {
        match entry? {
            JobFileEntry::Containers(containers) => workshop.define(containers),
            JobFileEntry::Job(job) => {
                return Ok(workshop.job(&job, command.as_ref()).await?);
            }
        }
    }
    Err(NoJob.into())
}

/// Returns the job with another command. It gets no timeout, because a user is watching it.
fn with_command(job: Job, command: &JobCommand) -> Job {
    Job {
        process: Arc::new(ProcessSpec {
            program: command.program.as_os_str().into(),
            arguments: command.arguments.clone(),
            ..(*job.process).clone()
        }),
        timeout: None,
        ..job
    }
}

/// Starts the reports of jobs that run without a user interface.
fn job_events(common: &RunSettings, command: Vec<String>) -> Result<JobEvents, ProgramFailure> {
    let files = ReportFiles::check(common)?;
    let run = RunId::of(&random_name());
    let (isolation, cluster) = (common.isolation(), &common.cluster);
    let started = run_started(run, PROGRAM.name, command, isolation, cluster);
    JobEvents::start(files, started)
}

fn outline(run: &RunSettings) -> SessionOptions<'_> {
    SessionOptions {
        purpose: InvocationPurpose::Run,
        run,
    }
}
