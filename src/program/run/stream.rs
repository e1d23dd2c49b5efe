//! All jobs of an input, as many at a time as there are slots; each one's output in one piece when
//! it ends.
//!
//! Jobs wait in the backend, which starts those of higher priority first, but only so many are
//! taken from the input ahead of their turn: a stream has no end to wait for.

use std::collections::BTreeMap;
use std::io::{self, Read, Seek, Write};

use tempfile::SpooledTempFile;
use tokio::sync::mpsc::{Receiver, UnboundedReceiver};

use super::ending::{Ending, ending};
use crate::engine::backend::any::AnyBackend;
use crate::engine::backend::{Backend, BackendEvent, JobId, Rank, Stop};
use crate::engine::error::with_causes;
use crate::engine::event::EventKind;
use crate::engine::event::Stream;
use crate::engine::exit_code;
use crate::engine::run::signals::Interrupt;
use crate::engine::spec::job::Entry;
use crate::program::failure::Failure;
use crate::runners::jobs::input::InputError;
use crate::runners::jobs::workshop::Workshop;

/// How many jobs are taken from the input before there is a slot for them.
const AHEAD: usize = 1024;

/// How much of a job's output is kept in memory; more goes to a file.
const SPOOLED_BYTES: usize = 256 * 1024;

/// What a job has written so far.
struct Output {
    stdout: SpooledTempFile,
    stderr: SpooledTempFile,
}

impl Output {
    fn new() -> Output {
        Output {
            stdout: SpooledTempFile::new(SPOOLED_BYTES),
            stderr: SpooledTempFile::new(SPOOLED_BYTES),
        }
    }
}

/// Runs the jobs of one input.
pub struct Run<'a> {
    backend: AnyBackend,
    interrupts: &'a mut UnboundedReceiver<Interrupt>,
    /// Of the jobs that have not ended; those that have written nothing have none.
    outputs: BTreeMap<JobId, Option<Output>>,
    /// How many jobs there were.
    jobs: u64,
    first_failure: Option<u8>,
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Reading,
    /// There is no further job.
    Read,
    /// Somebody wants it to end.
    Stopping,
}

impl<'a> Run<'a> {
    /// A run that has not begun.
    pub fn new(backend: AnyBackend, interrupts: &'a mut UnboundedReceiver<Interrupt>) -> Run<'a> {
        Run {
            backend,
            interrupts,
            outputs: BTreeMap::new(),
            jobs: 0,
            first_failure: None,
            state: State::Reading,
        }
    }

    /// Runs all jobs, made in this workshop; returns the program's exit code.
    pub async fn follow(
        mut self,
        workshop: &mut Workshop,
        mut entries: Receiver<Result<Entry, InputError>>,
    ) -> Result<u8, Failure> {
        let mut failure = None;
        loop {
            let is_done = match self.state {
                State::Reading => false,
                State::Read | State::Stopping => self.outputs.is_empty(),
            };
            if is_done {
                break;
            }
            let wants_more = self.state == State::Reading && self.outputs.len() < AHEAD;
            tokio::select! {
                event = self.backend.next() => self.hear(event)?,
                entry = entries.recv(), if wants_more => match entry {
                    None => self.state = State::Read,
                    Some(Ok(entry)) => self.take(workshop, entry).await?,
                    Some(Err(error)) => {
                        // What runs already runs on.
                        self.state = State::Read;
                        let help = error.help();
                        failure = Some(Failure::usage(&error, help));
                    }
                },
                Some(_) = self.interrupts.recv() => self.stop(),
            }
        }
        self.backend.close().await;
        match (failure, self.state) {
            (Some(failure), _) => Err(failure),
            (None, State::Stopping) => Ok(exit_code::INTERRUPTED),
            (None, State::Reading | State::Read) => {
                Ok(self.first_failure.unwrap_or(exit_code::SUCCESS))
            }
        }
    }

    /// Takes an object. While its container is being made, which may take long where an image has to
    /// be fetched, jobs go on, and somebody may stop them all.
    async fn take(&mut self, workshop: &mut Workshop, entry: Entry) -> Result<(), Failure> {
        let job = match entry {
            Entry::Containers(containers) => {
                workshop.define(containers);
                return Ok(());
            }
            Entry::Job(job) => job,
        };
        self.jobs += 1;
        let id = JobId(self.jobs);
        let rank = Rank {
            priority: job.priority,
            estimate: None,
        };
        let mut making = std::pin::pin!(workshop.job(&job, None));
        let made = loop {
            tokio::select! {
                made = &mut making => break made,
                event = self.backend.next() => self.hear(event)?,
                Some(_) = self.interrupts.recv() => {
                    self.stop();
                    return Ok(());
                }
            }
        };
        match made {
            Ok(job) => {
                self.outputs.insert(id, None);
                self.backend.submit(id, job, rank);
                Ok(())
            }
            Err(error) => {
                let help = error.help();
                let help = help.map_or(String::new(), |help| format!("\n  help: {help}"));
                let message = format!("{}{help}", with_causes(&error));
                self.failed(id, &Ending::Error(message))
            }
        }
    }

    fn stop(&mut self) {
        let how = match self.state {
            State::Reading | State::Read => Stop::Terminate,
            State::Stopping => Stop::Kill,
        };
        self.state = State::Stopping;
        let running: Vec<JobId> = self.outputs.keys().copied().collect();
        for job in running {
            self.backend.stop(job, how);
        }
    }

    fn hear(&mut self, event: BackendEvent) -> Result<(), Failure> {
        let infrastructure = |error: io::Error| Failure::infrastructure(&error, None);
        match event {
            BackendEvent::Output { job, stream, bytes } => {
                let output = self.outputs.entry(job).or_default();
                let output = output.get_or_insert_with(Output::new);
                let stream = match stream {
                    Stream::Stdout => &mut output.stdout,
                    Stream::Stderr => &mut output.stderr,
                };
                stream.write_all(&bytes).map_err(infrastructure)
            }
            BackendEvent::Restarted { job, reason: _ } => {
                // Nothing of it was passed on.
                if let Some(output) = self.outputs.get_mut(&job) {
                    *output = None;
                }
                Ok(())
            }
            BackendEvent::Finished { job, result } => {
                if let Some(Some(output)) = self.outputs.remove(&job) {
                    pass_on(output.stdout, io::stdout().lock()).map_err(infrastructure)?;
                    pass_on(output.stderr, io::stderr().lock()).map_err(infrastructure)?;
                }
                self.failed(job, &ending(result.end))
            }
            BackendEvent::Lost(lost) => {
                let help = lost.help.clone();
                Err(Failure::infrastructure(&lost, help))
            }
            BackendEvent::Fact(EventKind::Notice(notice)) => super::tell_all(&[notice]),
            BackendEvent::Started { .. }
            | BackendEvent::Discarded { .. }
            | BackendEvent::Fact(_) => Ok(()),
        }
    }

    /// Tells of a job that did not succeed, and lets the first of them decide the exit code.
    fn failed(&mut self, id: JobId, ending: &Ending) -> Result<(), Failure> {
        let Some(code) = ending.failure_code() else {
            return Ok(());
        };
        self.first_failure.get_or_insert(code);
        writeln!(io::stderr().lock(), "job {}: {ending}", id.0)
            .map_err(|error| Failure::infrastructure(&error, None))
    }
}

fn pass_on(mut from: SpooledTempFile, mut to: impl Write) -> io::Result<()> {
    from.rewind()?;
    let mut chunk = vec![0; 64 * 1024];
    loop {
        let length = from.read(&mut chunk)?;
        if length == 0 {
            return to.flush();
        }
        to.write_all(chunk.get(..length).unwrap_or_default())?;
    }
}
