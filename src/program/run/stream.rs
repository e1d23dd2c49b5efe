//! Runs all jobs of an input, as many at a time as there are slots, and prints each one's output in
//! one piece when it ends.
//!
//! Jobs wait in the backend, which starts those of higher priority first, but only [`AHEAD`] jobs
//! are read from the input in advance: a stream may be endless.
//!
//! Separate threads forward the output of jobs ([`super::output_forwarder`]): a pager that waits
//! for a key must not block the connection to the broker.

use std::collections::BTreeMap;
use std::io::{self, Write};

use tempfile::SpooledTempFile;
use tokio::sync::mpsc::{Receiver, UnboundedReceiver};

use super::ending::{JobExitReason, ending};
use super::job_events::JobEvents;
use super::output_forwarder::{OutputForwarder, ReaderPresence, output_pipes};
use crate::program::backend::AnyBackend;
use crate::program::failure::ProgramFailure;
use maelstrom_engine::run::signals::TerminationSignal;
use maelstrom_model::backend::{Backend, BackendEvent, JobId, JobPriority, StopMode};
use maelstrom_model::error::{help_of, with_causes};
use maelstrom_model::event::OutputStream;
use maelstrom_model::exit_code;
use maelstrom_model::job::Job;
use maelstrom_runners::run::framework::job_name;
use maelstrom_runners::run::input::JobInputError;
use maelstrom_runners::run::job_builder::JobBuilder;
use maelstrom_spec::job::JobFileEntry;

/// The number of unfinished jobs up to which more are read from the input.
const AHEAD: usize = 1024;

/// The number of bytes of each output stream of a job that are kept in memory; more goes to a file.
const SPOOLED_BYTES: usize = 256 * 1024;

/// The output of a job so far.
struct SpooledOutput {
    stdout: SpooledTempFile,
    stderr: SpooledTempFile,
}

impl SpooledOutput {
    fn new() -> SpooledOutput {
        SpooledOutput {
            stdout: SpooledTempFile::new(SPOOLED_BYTES),
            stderr: SpooledTempFile::new(SPOOLED_BYTES),
        }
    }
}

/// A run of all jobs of one input.
pub(super) struct StreamRun<'a> {
    backend: AnyBackend,
    interrupts: &'a mut UnboundedReceiver<TerminationSignal>,
    /// Forwards the output of finished jobs.
    passing: OutputForwarder,
    /// The unfinished jobs and their output; `None` for those that have written nothing.
    outputs: BTreeMap<JobId, Option<SpooledOutput>>,
    /// The number of jobs read so far.
    jobs: u64,
    first_failure: Option<u8>,
    state: StreamRunState,
    /// Feeds the reports in files.
    reports: JobEvents,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum StreamRunState {
    Reading,
    /// The input has ended.
    Read,
    /// The user has asked to stop.
    Stopping,
}

impl<'a> StreamRun<'a> {
    /// Creates a run that has not begun.
    pub(super) fn new(
        backend: AnyBackend,
        interrupts: &'a mut UnboundedReceiver<TerminationSignal>,
        reports: JobEvents,
    ) -> Result<StreamRun<'a>, ProgramFailure> {
        Ok(StreamRun {
            backend,
            interrupts,
            passing: OutputForwarder::start()?,
            outputs: BTreeMap::new(),
            jobs: 0,
            first_failure: None,
            state: StreamRunState::Reading,
            reports,
        })
    }

    /// Runs all jobs of the input, and returns the program's exit code.
    pub(super) async fn follow(
        mut self,
        workshop: &mut JobBuilder,
        entries: Receiver<Result<JobFileEntry, JobInputError>>,
    ) -> Result<u8, ProgramFailure> {
        let followed = self.follow_to_the_end(workshop, entries).await;
        // Closed before the output is waited for: running jobs would add to it.
        self.backend.close().await;
        // A reader may take long, so a signal ends the wait.
        let passed = tokio::select! {
            passed = self.passing.finish() => Some(passed),
            Some(_) = self.interrupts.recv() => None,
        };
        let code = match self.state {
            StreamRunState::Stopping => exit_code::INTERRUPTED,
            StreamRunState::Reading | StreamRunState::Read => {
                self.first_failure.unwrap_or(exit_code::SUCCESS)
            }
        };
        self.reports.finish(ended(passed, followed, code))
    }

    /// Runs all jobs. Returns the error of the input, if it has one.
    async fn follow_to_the_end(
        &mut self,
        workshop: &mut JobBuilder,
        mut entries: Receiver<Result<JobFileEntry, JobInputError>>,
    ) -> Result<Option<ProgramFailure>, ProgramFailure> {
        let mut failure = None;
        loop {
            let is_done = match self.state {
                StreamRunState::Reading => false,
                StreamRunState::Read | StreamRunState::Stopping => self.outputs.is_empty(),
            };
            if is_done {
                return Ok(failure);
            }
            let wants_more = self.state == StreamRunState::Reading && self.outputs.len() < AHEAD;
            tokio::select! {
                event = self.backend.next() => {
                    self.on_backend_event(event)?;
                    self.reports.ready().await;
                }
                entry = entries.recv(), if wants_more => match entry {
                    None => self.state = StreamRunState::Read,
                    Some(Ok(entry)) => self.take(workshop, entry).await?,
                    Some(Err(error)) => {
                        // Jobs that are already running continue.
                        self.state = StreamRunState::Read;
                        failure = Some(error.into());
                    }
                },
                () = self.passing.gone() => self.stop_at_once(),
                Some(_) = self.interrupts.recv() => self.stop(),
            }
        }
    }

    /// Takes one entry of the input. Building a job's container may take long if an image has to be
    /// fetched; meanwhile other jobs continue, and signals are handled.
    async fn take(
        &mut self,
        workshop: &mut JobBuilder,
        entry: JobFileEntry,
    ) -> Result<(), ProgramFailure> {
        let job = match entry {
            JobFileEntry::Containers(containers) => {
                workshop.define(containers);
                return Ok(());
            }
            JobFileEntry::Job(job) => job,
        };
        // Counted even if its container cannot be built: the number is the job's position in the
        // input.
        self.jobs += 1;
        let id = JobId(self.jobs);
        let words = std::iter::once(&job.program).chain(&job.arguments);
        let words: Vec<&str> = words.map(String::as_str).collect();
        let (key, title) = job_name(self.jobs, &words);
        let rank = JobPriority {
            priority: job.priority,
            estimate: None,
        };
        let mut making = std::pin::pin!(workshop.job(&job, None));
        let made = loop {
            tokio::select! {
                made = &mut making => break made,
                event = self.backend.next() => self.on_backend_event(event)?,
                () = self.passing.gone() => {
                    self.stop_at_once();
                    return Ok(());
                }
                Some(_) = self.interrupts.recv() => {
                    self.stop();
                    return Ok(());
                }
            }
        };
        match made {
            Ok(job) => {
                self.reports.found(&key, &title, job.timeout);
                self.outputs.insert(id, None);
                let output = output_pipes();
                self.backend.submit(id, Job { output, ..job }, rank);
                Ok(())
            }
            Err(error) => {
                self.reports.found(&key, &title, None);
                self.reports.broken(&with_causes(&error));
                let help = help_of(&error);
                let help = help.map_or(String::new(), |help| format!("\n  help: {help}"));
                let message = format!("{}{help}", with_causes(&error));
                self.failed(id, &JobExitReason::Error(message));
                Ok(())
            }
        }
    }

    fn stop(&mut self) {
        let how = match self.state {
            StreamRunState::Reading | StreamRunState::Read => StopMode::Terminate,
            StreamRunState::Stopping => StopMode::Kill,
        };
        self.stop_all(how);
    }

    /// Kills all jobs: like a process that gets SIGPIPE, they end once their output has no reader.
    fn stop_at_once(&mut self) {
        self.stop_all(StopMode::Kill);
    }

    fn stop_all(&mut self, how: StopMode) {
        self.state = StreamRunState::Stopping;
        let running: Vec<JobId> = self.outputs.keys().copied().collect();
        for job in running {
            self.backend.stop(job, how);
        }
    }

    fn on_backend_event(&mut self, event: BackendEvent) -> Result<(), ProgramFailure> {
        let infrastructure = |error: io::Error| ProgramFailure::infrastructure(&error);
        self.reports.observe(&event, |job| job.0.saturating_sub(1));
        match event {
            BackendEvent::Output { job, stream, bytes } => {
                let output = self.outputs.entry(job).or_default();
                let output = output.get_or_insert_with(SpooledOutput::new);
                let stream = match stream {
                    OutputStream::Stdout | OutputStream::Joined => &mut output.stdout,
                    OutputStream::Stderr => &mut output.stderr,
                };
                stream.write_all(&bytes).map_err(infrastructure)
            }
            BackendEvent::Restarted { job, reason: _ } => {
                // None of the job's output has been forwarded yet.
                if let Some(output) = self.outputs.get_mut(&job) {
                    *output = None;
                }
                Ok(())
            }
            BackendEvent::Finished { job, result } => {
                if let Some(Some(output)) = self.outputs.remove(&job) {
                    let passed = self.passing.pass(output.stdout, output.stderr);
                    passed.map_err(infrastructure)?;
                }
                self.failed(job, &ending(result.end));
                Ok(())
            }
            BackendEvent::Lost(lost) => Err(lost.into()),
            BackendEvent::Notice(notice) => {
                self.passing.notice(&notice);
                Ok(())
            }
            BackendEvent::Started { .. }
            | BackendEvent::Discarded { .. }
            | BackendEvent::Worker(_)
            | BackendEvent::Cluster(_) => Ok(()),
        }
    }

    /// Reports a job that did not succeed. The first such job determines the exit code.
    fn failed(&mut self, id: JobId, ending: &JobExitReason) {
        if let Some(code) = ending.failure_code() {
            self.first_failure.get_or_insert(code);
            self.passing.line(&ending.line(id.0));
        }
    }
}

/// Returns the result of a run that would exit with `code`; `passed` is what became of forwarding the
/// output, unless a signal came first.
fn ended(
    passed: Option<Result<ReaderPresence, ProgramFailure>>,
    followed: Result<Option<ProgramFailure>, ProgramFailure>,
    code: u8,
) -> Result<u8, ProgramFailure> {
    match passed {
        None => return Ok(exit_code::INTERRUPTED),
        Some(passed) => match passed? {
            ReaderPresence::Gone => {
                return Err(ProgramFailure::writing(&io::ErrorKind::BrokenPipe.into()));
            }
            ReaderPresence::There => {}
        },
    }
    match followed? {
        Some(failure) => Err(failure),
        None => Ok(code),
    }
}
