//! Runs one job, passes its output through, and exits like it.

use std::ffi::OsStr;
use std::io::{self, IsTerminal, Write};
use std::os::fd::{AsFd, OwnedFd};

use tokio::sync::mpsc::UnboundedReceiver;

use super::ending::{JobExitReason, ending};
use super::job_events::JobEvents;
use super::messages::print_notices;
use super::output_forwarder::output_pipes;
use crate::program::failure::ProgramFailure;
use maelstrom_engine::local::LocalBackend;
use maelstrom_engine::run::signals::TerminationSignal;
use maelstrom_model::backend::{Backend, BackendEvent, JobId, JobPriority, StopMode};
use maelstrom_model::event::OutputStream;
use maelstrom_model::job::Job;
use maelstrom_runners::run::framework::job_name;

/// Returns standard input, or `None` if it is a terminal: a job gets a terminal only with `--tty`.
pub(super) fn standard_input() -> io::Result<Option<OwnedFd>> {
    let stdin = io::stdin();
    if stdin.is_terminal() {
        return Ok(None);
    }
    stdin.as_fd().try_clone_to_owned().map(Some)
}

/// Runs the job to its end.
pub(super) async fn run(
    mut backend: LocalBackend,
    job: Job,
    interrupts: &mut UnboundedReceiver<TerminationSignal>,
    reports: &mut JobEvents,
) -> Result<JobExitReason, ProgramFailure> {
    const JOB: JobId = JobId(0);
    let arguments = job.process.arguments.iter().map(AsRef::as_ref);
    let command = std::iter::once(&*job.process.program).chain(arguments);
    let words: Vec<_> = command.map(OsStr::to_string_lossy).collect();
    let words: Vec<&str> = words.iter().map(AsRef::as_ref).collect();
    let (key, title) = job_name(1, &words);
    reports.found(&key, &title, job.timeout);
    let output = output_pipes();
    backend.submit(JOB, Job { output, ..job }, JobPriority::default());
    let mut stop = StopMode::Terminate;
    let mut unheard = None;
    let ending = loop {
        let event = tokio::select! {
            event = backend.next() => event,
            Some(_) = interrupts.recv() => {
                backend.stop(JOB, stop);
                // A second interrupt doesn't wait for the grace period.
                stop = StopMode::Kill;
                continue;
            }
        };
        reports.observe(&event, |job| job.0);
        reports.ready().await;
        match event {
            BackendEvent::Output { stream, bytes, .. } => {
                if let Err(error) = pass_on(stream, &bytes)
                    && unheard.is_none()
                {
                    // Like a process that gets SIGPIPE, the job ends once its output has no reader.
                    unheard = Some(error);
                    backend.stop(JOB, StopMode::Kill);
                }
            }
            BackendEvent::Finished { result, .. } => break ending(result.end),
            BackendEvent::Lost(lost) => return Err(lost.into()),
            // The output so far has been passed on, and the job writes it again.
            BackendEvent::Restarted { job: _, reason } => {
                tracing::warn!(reason, "the job begins again");
            }
            BackendEvent::Notice(notice) => print_notices(&[notice])?,
            BackendEvent::Started { .. }
            | BackendEvent::Discarded { .. }
            | BackendEvent::Worker(_)
            | BackendEvent::Cluster(_) => {}
        }
    };
    backend.close().await;
    match unheard {
        Some(error) => Err(ProgramFailure::writing(&error)),
        None => Ok(ending),
    }
}

fn pass_on(stream: OutputStream, bytes: &[u8]) -> io::Result<()> {
    fn write(mut to: impl Write, bytes: &[u8]) -> io::Result<()> {
        to.write_all(bytes)?;
        to.flush()
    }
    match stream {
        OutputStream::Stdout | OutputStream::Joined => write(io::stdout().lock(), bytes),
        OutputStream::Stderr => write(io::stderr().lock(), bytes),
    }
}
