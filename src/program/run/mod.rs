//! `maelstrom-run`, from its command line to its exit code.
//!
//! - [`one`]: one job whose output passes through. - [`terminal`]: one job on this terminal.
//! - [`stream`]: all jobs of an input, whose output goes through [`passing`]. On a terminal they are
//!   rows of the dashboard instead.
//! - [`ending`]: how a job ended, and the program after it.

mod ending;
mod one;
mod passing;
mod stream;
mod terminal;

use std::ffi::OsString;
use std::io::{self, IsTerminal, Write};
use std::num::NonZeroU32;
use std::path::Path;
use std::sync::Arc;

use tokio::sync::mpsc::UnboundedReceiver;

use self::ending::Ending;
use super::failure::Failure;
use super::opening::{Opened, Opening, Outline, Purpose, as_typed, open};
use super::session::{Session, backend, local_backend, runtime};
use super::showing::user_interface;
use maelstrom_engine::job_file;
use maelstrom_engine::local::LocalBackend;
use maelstrom_engine::run::signals::{self, Interrupt};
use maelstrom_model::backend::GRACE_DEFAULT;
use maelstrom_model::event::Notice;
use maelstrom_model::event::foreign::clean;
use maelstrom_model::ids::random_name;
use maelstrom_model::job::{Job, ProcessSpec};
use maelstrom_runners::cargo::options::{PassingOutput, ReportOptions};
use maelstrom_runners::jobs::framework::JobsFramework;
use maelstrom_runners::jobs::input::{self, InputError};
use maelstrom_runners::jobs::options::{Command, Input, One, PROGRAM, StandardInput};
use maelstrom_runners::jobs::surroundings::Surroundings;
use maelstrom_runners::jobs::workshop::{Tell, Workshop, WorkshopError};
use maelstrom_runners::jobs::{Mode, Options, OptionsError, Settings};
use maelstrom_runners::sandbox::cluster::{ClusterOptions, MachineOptions};
use maelstrom_spec::config::ThisProcess;
use maelstrom_spec::job::Entry;
use maelstrom_ui::choose::Ui;
use maelstrom_ui::diagnostic::Diagnostic;
use maelstrom_ui::style::Colour;

/// Runs the program with this command line.
pub fn main(arguments: Vec<OsString>) -> u8 {
    match run(arguments) {
        Ok(code) => code,
        Err(failure) => failure.tell(),
    }
}

fn run(arguments: Vec<OsString>) -> Result<u8, Failure> {
    let opening = open(
        as_typed(&arguments),
        Options::settled(&arguments, &ThisProcess),
        |options, cpus| {
            let directory = std::env::current_dir().map_err(|error| infrastructure(&error))?;
            let settings = options.settle(cpus, stdin(), &directory);
            settings.map_err(|error| Failure::usage(&error, error.help()))
        },
        |settings| outline(&settings.report, settings.slots, &settings.cluster),
    )?;
    let Opened {
        settings,
        invocation,
        begun,
    } = match opening {
        Opening::Done(code) => return Ok(code),
        Opening::Going(opened) => opened,
    };
    let surroundings = Surroundings::make(&invocation)
        .map_err(|error| Failure::infrastructure(&error, error.help()))?;
    let project = invocation.directory.clone();
    let tell: Tell = if io::stderr().is_terminal() {
        // The job's own output, or the dashboard, comes after it.
        Arc::new(|uri| drop(writeln!(io::stderr().lock(), "fetching {}", clean(uri))))
    } else {
        Arc::new(|_| {})
    };
    let Settings {
        mode,
        slots,
        caches,
        report,
        cluster,
    } = settings;
    let sources = caches.sources(&invocation);
    let own = sources.cache.clone();
    let mut workshop = Workshop::new(&invocation, surroundings, sources, tell);
    match mode {
        Mode::Nothing => {
            let error = OptionsError::Nothing;
            Err(Failure::usage(&error, error.help()))
        }
        Mode::Stream(input) => {
            match user_interface(&report)? {
                Ui::Dashboard => {
                    begun.log.keep_in(&own);
                    let framework = JobsFramework::new(input, project, workshop);
                    let outline = outline(&report, slots, &cluster);
                    return Session::new(PROGRAM.name, &framework, &outline, begun)?.run();
                }
                Ui::Plain | Ui::Quiet => {}
            }
            begun.log.to_stderr();
            tell_all(&begun.notices)?;
            let entries = input::read(&input, &project).map_err(|error| infrastructure(&error))?;
            let code = interruptible(async |interrupts| {
                let backend = backend(None, slots, &cluster, random_name()).await?;
                stream::Run::new(backend, interrupts)?
                    .follow(&mut workshop, entries)
                    .await
            })?;
            tell_all(workshop.notice().as_slice())?;
            Ok(code)
        }
        Mode::One(one) => {
            begun.log.to_stderr();
            tell_all(&begun.notices)?;
            let given = one::standard_input().map_err(|error| infrastructure(&error))?;
            let given = given.filter(|_| !reads_standard_input(&one));
            let ending = single(&cluster.machine, async |backend, interrupts| {
                let Some(job) = prepared(&one, &project, &mut workshop, interrupts).await? else {
                    return Ok(Ending::Cancelled);
                };
                let backend = match given {
                    Some(input) => backend.with_input(input),
                    None => backend,
                };
                one::run(backend, job, interrupts).await
            })?;
            tell_all(workshop.notice().as_slice())?;
            end(&ending)
        }
        Mode::Terminal(one, escape) => {
            tell_all(&begun.notices)?;
            if stdin() == StandardInput::Other || !io::stdout().is_terminal() {
                let error = NoTerminal;
                let help = "without `--tty` a job reads standard input and writes standard output";
                return Err(Failure::with_code(&error, Some(help.to_owned()), 1));
            }
            begun.log.keep_in(&own);
            let ending = single(&cluster.machine, async |backend, interrupts| {
                let Some(job) = prepared(&one, &project, &mut workshop, interrupts).await? else {
                    return Ok(Ending::Cancelled);
                };
                let (master, slave) = terminal::open().map_err(|error| infrastructure(&error))?;
                let backend = backend.on_terminal(slave);
                terminal::run(backend, job, master, escape, interrupts).await
            })?;
            tell_all(workshop.notice().as_slice())?;
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

/// `--tty` without a terminal.
#[derive(Debug, thiserror::Error)]
#[error("`--tty` needs standard input and standard output to be a terminal")]
struct NoTerminal;

/// `--one` or `--tty` with an input in which there is none.
#[derive(Debug, thiserror::Error)]
#[error("there is no job in the input")]
struct NoJob;

fn infrastructure(error: &dyn std::error::Error) -> Failure {
    Failure::infrastructure(error, None)
}

fn reads_standard_input(one: &One) -> bool {
    match one {
        One::Named(_) | One::Kept { .. } => false,
        One::First { input, .. } => *input == Input::Standard,
    }
}

/// Warnings, where nobody else would tell them.
fn tell_all(notices: &[Notice]) -> Result<(), Failure> {
    let mut stderr = io::stderr().lock();
    let colour = Colour::for_stream(&stderr);
    for notice in notices {
        maelstrom_ui::report::write_notice(&mut stderr, colour, notice)
            .map_err(|error| Failure::writing(&error))?;
    }
    Ok(())
}

/// Does something with a backend of this machine, while signals are messages.
fn single<T>(
    machine: &MachineOptions,
    what: impl AsyncFnOnce(LocalBackend, &mut UnboundedReceiver<Interrupt>) -> Result<T, Failure>,
) -> Result<T, Failure> {
    interruptible(async |interrupts| {
        let backend = local_backend(None, 1, machine)?;
        what(backend.with_grace(GRACE_DEFAULT), interrupts).await
    })
}

/// Does something while signals are messages.
fn interruptible<T>(
    what: impl AsyncFnOnce(&mut UnboundedReceiver<Interrupt>) -> Result<T, Failure>,
) -> Result<T, Failure> {
    runtime()?.block_on(async {
        let mut interrupts = signals::listen(|_| true).map_err(|error| infrastructure(&error))?;
        what(&mut interrupts).await
    })
}

/// The one job that is to be run, unless somebody stops it before it is at hand: an input may be
/// waited for, and an image may come slowly.
async fn prepared(
    one: &One,
    project: &Path,
    workshop: &mut Workshop,
    interrupts: &mut UnboundedReceiver<Interrupt>,
) -> Result<Option<Job>, Failure> {
    tokio::select! {
        job = job(one, project, workshop) => job.map(Some),
        Some(_) = interrupts.recv() => Ok(None),
    }
}

async fn job(one: &One, project: &Path, workshop: &mut Workshop) -> Result<Job, Failure> {
    let no_container = |error: WorkshopError| {
        let help = error.help();
        Failure::with_code(&error, help, error.exit_code())
    };
    let (input, command) = match one {
        One::Named(job) => return workshop.named(job).await.map_err(no_container),
        One::Kept { file, command } => {
            let kept =
                job_file::load(file).map_err(|error| Failure::usage(&error, Some(error.help())))?;
            return Ok(match command {
                Some(command) => with_command(kept, command),
                None => kept,
            });
        }
        One::First { input, command } => (input, command),
    };
    let mut entries = input::read(input, project).map_err(|error| infrastructure(&error))?;
    while let Some(entry) = entries.recv().await {
        let invalid = |error: InputError| {
            let help = error.help();
            Failure::usage(&error, help)
        };
        match entry.map_err(invalid)? {
            Entry::Containers(containers) => workshop.define(containers),
            Entry::Job(job) => {
                let job = workshop.job(&job, command.as_ref()).await;
                return job.map_err(no_container);
            }
        }
    }
    Err(Failure::usage(&NoJob, None))
}

/// The job with another program. It may take as long as it likes: a person looks on.
fn with_command(job: Job, command: &Command) -> Job {
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

/// Ends as the job ended.
fn end(ending: &Ending) -> Result<u8, Failure> {
    match ending {
        Ending::Code(_) | Ending::Signal { .. } => {}
        Ending::TimedOut | Ending::Cancelled | Ending::Error(_) => {
            let mut stderr = io::stderr().lock();
            let colour = Colour::for_stream(&stderr);
            Diagnostic::new(&Ended(ending.to_string()))
                .write(&mut stderr, colour)
                .and_then(|()| stderr.flush())
                .map_err(|error| infrastructure(&error))?;
        }
    }
    Ok(ending.follow())
}

/// What became of the job.
#[derive(Debug, thiserror::Error)]
#[error("the job {0}")]
struct Ended(String);

fn outline<'a>(report: &'a ReportOptions, slots: u32, cluster: &'a ClusterOptions) -> Outline<'a> {
    Outline {
        purpose: Purpose::Run,
        isolation: None,
        slots,
        cluster,
        repeat: NonZeroU32::MIN,
        stop_after: None,
        passing_output: PassingOutput::Hidden,
        report,
    }
}
