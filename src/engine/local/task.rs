//! The inputs and results of a job's future, and how it emits output; the same for a container and
//! for a plain process.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::rc::Rc;
use std::time::Duration;

use super::container::{ContainerHandle, ContainerPool};
use super::output::{JobOutput, JobOutputReader};
use super::timer::JobControl;
use maelstrom_model::backend::{BackendEvent, BackendLost, JobId};
use maelstrom_model::ids::WorkerId;
use maelstrom_model::job::Job;

/// This machine's only worker.
pub(super) const WORKER: WorkerId = WorkerId(0);

/// Events that wait to be taken; shared with the jobs.
pub(super) type SharedEventQueue = Rc<RefCell<VecDeque<BackendEvent>>>;

/// Everything a job's future needs.
pub(super) struct JobTask {
    pub id: JobId,
    pub job: Job,
    /// The slot it has.
    pub slot: u32,
    /// What it runs in.
    pub means: ExecutionTarget,
    /// Where it reads, and whether it writes there as well.
    pub streams: Rc<JobStdio>,
    /// How long it may go on after SIGTERM.
    pub grace: Duration,
    /// Its stop and suspend requests.
    pub control: Rc<JobControl>,
    pub events: SharedEventQueue,
}

/// What the jobs of a backend read from and write to.
pub(super) enum JobStdio {
    /// There is nothing to read; what they write is told.
    NoInput,
    /// They read from this; what they write is told.
    Input(OwnedFd),
    /// They do both on this terminal. For one job at a time.
    Terminal(OwnedFd),
}

impl JobStdio {
    /// What they read from, unless there is nothing.
    pub(super) fn input(&self) -> Option<BorrowedFd<'_>> {
        match self {
            JobStdio::NoInput => None,
            JobStdio::Input(input) => Some(input.as_fd()),
            JobStdio::Terminal(terminal) => Some(terminal.as_fd()),
        }
    }
}

/// What a job runs in.
pub(super) enum ExecutionTarget {
    Container {
        /// One left from an earlier job like this one.
        idle: Option<ContainerHandle>,
        /// Where to get another.
        containers: ContainerPool,
    },
    /// A process like any other of this machine.
    Process,
}

/// What a job's future leaves behind.
pub(super) struct JobCompletion {
    pub job: JobId,
    /// Its slot, free again.
    pub slot: u32,
    /// The container, if it can be used again.
    pub container: Option<ContainerHandle>,
    /// Why no further job can run, if none can.
    pub lost: Option<BackendLost>,
}

impl JobTask {
    /// Emits an event.
    pub(super) fn emit(&self, event: BackendEvent) {
        self.events.borrow_mut().push_back(event);
    }

    /// Emits what was read, and yields to the consumer of events before more is read.
    pub(super) async fn pass_on(&self, outputs: &mut JobOutput) {
        for output in outputs.each() {
            self.pass_on_one(output).await;
        }
    }

    /// Emits the rest of the output once all writers are gone.
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
