//! The inputs and results of a job's future, for containers and plain processes, and how it reports
//! output.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::ffi::OsString;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::rc::Rc;
use std::time::Duration;

use super::container::{ContainerHandle, ContainerPool};
use super::output::{JobOutput, JobOutputReader};
use super::timer::JobControl;
use maelstrom_model::backend::{BackendEvent, BackendLost, JobId};
use maelstrom_model::event::OutputStream;
use maelstrom_model::event::untrusted_text::clean;
use maelstrom_model::ids::WorkerId;
use maelstrom_model::job::TestVariableSet;
use maelstrom_model::job::{Job, OutputPipes};

/// The only worker of this backend.
pub(super) const WORKER: WorkerId = WorkerId(0);

/// The queue of events to return, shared with the jobs.
pub(super) type SharedEventQueue = Rc<RefCell<VecDeque<BackendEvent>>>;

/// Everything that a job's future needs.
pub(super) struct JobTask {
    pub id: JobId,
    pub job: Job,
    /// The slot in which the job runs.
    pub slot: u32,
    /// Where the job runs.
    pub means: ExecutionTarget,
    /// The standard streams of the job.
    pub streams: Rc<JobStdio>,
    /// The time between SIGTERM and SIGKILL.
    pub grace: Duration,
    /// The job's stop and suspend requests.
    pub control: Rc<JobControl>,
    pub events: SharedEventQueue,
}

/// The standard streams of a backend's jobs.
pub(super) enum JobStdio {
    /// Standard input is empty; output is reported.
    NoInput,
    /// Standard input is this descriptor; output is reported.
    Input(OwnedFd),
    /// All streams are this terminal. For one job at a time.
    Terminal(OwnedFd),
}

impl JobStdio {
    /// Returns the descriptor for standard input, unless the input is empty.
    pub(super) fn input(&self) -> Option<BorrowedFd<'_>> {
        match self {
            JobStdio::NoInput => None,
            JobStdio::Input(input) => Some(input.as_fd()),
            JobStdio::Terminal(terminal) => Some(terminal.as_fd()),
        }
    }
}

/// Where a job runs.
pub(super) enum ExecutionTarget {
    Container {
        /// An idle container that matches the job.
        idle: Option<ContainerHandle>,
        /// The pool, for starting another container.
        containers: ContainerPool,
    },
    /// A plain process on this machine.
    Process,
}

/// The result of a job's future.
pub(super) struct JobCompletion {
    pub job: JobId,
    /// The slot, which is now free.
    pub slot: u32,
    /// The container, if it can be reused.
    pub container: Option<ContainerHandle>,
    /// Set if no further job can run.
    pub lost: Option<BackendLost>,
}

impl JobTask {
    /// Returns the variables of the job alone.
    pub(super) fn own_variables(&self) -> Vec<(OsString, OsString)> {
        let additions = &self.job.additions;
        let mut own = additions.own_variables.clone();
        if additions.tells_slot {
            let slot = self.slot.to_string();
            own.push(("MAELSTROM_TEST_SLOT".into(), slot.clone().into()));
            match additions.test_variables {
                TestVariableSet::WithNextest => {
                    own.push(("NEXTEST_TEST_GLOBAL_SLOT".into(), slot.into()));
                }
                TestVariableSet::None | TestVariableSet::Own => {}
            }
        }
        own
    }

    /// Queues an event.
    pub(super) fn emit(&self, event: BackendEvent) {
        self.events.borrow_mut().push_back(event);
    }

    /// Reports what the job's threads do, in its output.
    pub(super) fn emit_threads(&self, text: &str) {
        let lines: Vec<String> = text.lines().map(|line| clean(line).into_owned()).collect();
        let text = format!(
            "\nmaelstrom: the test has exceeded its timeout; its threads:\n{}\n",
            lines.join("\n")
        );
        self.emit(BackendEvent::Output {
            job: self.id,
            stream: match self.job.output {
                OutputPipes::Joined => OutputStream::Joined,
                OutputPipes::Separate => OutputStream::Stderr,
            },
            bytes: text.into_bytes(),
        });
    }

    /// Reports the output read so far, and yields to the consumer of events before more is read.
    pub(super) async fn pass_on(&self, outputs: &mut JobOutput) {
        for output in outputs.each() {
            self.pass_on_one(output).await;
        }
    }

    /// Reports the rest of the output once all writers are gone.
    pub(super) async fn pass_on_rest(&self, outputs: &mut JobOutput) {
        for output in outputs.each() {
            while output.take_rest() {
                self.pass_on_one(output).await;
            }
        }
    }

    async fn pass_on_one(&self, output: &mut JobOutputReader) {
        if !output.buffer.is_empty() {
            let bytes = std::mem::take(&mut output.buffer);
            self.emit(BackendEvent::Output {
                job: self.id,
                stream: output.stream,
                bytes,
            });
            tokio::task::yield_now().await;
        }
    }
}
