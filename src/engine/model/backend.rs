//! The trait of what executes jobs: this machine or a cluster.
//!
//! A backend owns the queue, the slots, the timers and the containers. A run's driver submits every
//! job as soon as it is known and then only listens; the backend decides which job is next, by the
//! [`priority`](super::priority) of each.
//!
//! Every backend guarantees:
//! - Each submitted job has exactly one [`BackendEvent::Finished`], unless [`BackendEvent::Lost`]
//!   comes first. A job that ran has exactly one [`BackendEvent::Started`] before it; all of its
//!   output comes in between.
//! - An infrastructure failure is never reported as the job's own: what the backend could not do is
//!   [`JobOutcome::Error`](super::job::JobOutcome::Error).
//! - The backend enforces timeouts and grace periods: SIGTERM, the grace period, then SIGKILL to
//!   the whole container.
//! - Buffers are bounded: a backend whose events are not taken stops reading its jobs' output.
//!
//! A backend knows jobs only: no tests, attempts, repeats or history.

use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use miette::Diagnostic;

use super::error::ProgramError;
use super::event::{ClusterEvent, OutputStream, UserNotice, WorkerStatusEvent};
use super::ids::WorkerId;
use super::job::{Job, JobResult};
use maelstrom_container::message::DiscardedFiles;

pub use super::priority::JobPriority;

/// A job of this run. The driver counts them from 0 and never uses a number twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct JobId(pub u64);

/// In hexadecimal digits, in which one sees what the driver makes it of.
impl fmt::Display for JobId {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{:x}", self.0)
    }
}

/// How long a job may go on after SIGTERM before it is killed, when nobody says otherwise.
pub const GRACE_DEFAULT: Duration = Duration::from_secs(5);

/// How to stop a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StopMode {
    /// SIGTERM now, SIGKILL when the grace period is over.
    Terminate,
    Kill,
}

/// An event of a backend.
#[derive(Debug)]
pub enum BackendEvent {
    /// A job took a slot and is being started.
    Started {
        job: JobId,
        worker: WorkerId,
        /// The worker's slot, from 0. No other job has it until this one is finished.
        slot: u32,
    },
    /// A running job wrote something.
    Output {
        job: JobId,
        stream: OutputStream,
        /// The bytes as they came. Never empty.
        bytes: Vec<u8>,
    },
    /// The machine that a job ran on was lost, and the job begins again elsewhere. What it wrote so
    /// far is void. There is no second [`BackendEvent::Started`].
    Restarted { job: JobId, reason: String },
    /// A running job has written over files of the host's, and they are discarded. Comes before its
    /// end.
    Discarded { job: JobId, files: DiscardedFiles },
    /// A job is over, after all of its output.
    Finished { job: JobId, result: JobResult },
    /// A worker joins, leaves or reports.
    Worker(WorkerStatusEvent),
    /// Something of the cluster as a whole: its load, or a transfer.
    Cluster(ClusterEvent),
    /// A message for those who watch. Nothing that is about a test.
    Notice(UserNotice),
    /// Nothing runs any more and nothing ever will. Always the last event; every unfinished job is
    /// lost with it.
    Lost(BackendLost),
}

/// Why a backend gave up.
#[derive(Debug, Diagnostic, thiserror::Error)]
#[error("{message}")]
pub struct BackendLost {
    /// What went wrong, naming the thing.
    pub message: String,
    /// What to do about it, if anything is known to help.
    #[help]
    pub help: Option<String>,
    #[source]
    pub source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

impl ProgramError for BackendLost {}

/// Executes jobs.
///
/// The calls that are no futures return at once; whatever they bring about arrives through
/// [`Backend::next`].
pub trait Backend {
    /// How many jobs run at a time.
    fn slots(&self) -> u32;

    /// Hands over a job. It starts when it is first in the queue and a slot is free.
    fn submit(&mut self, id: JobId, job: Job, rank: JobPriority);

    /// Stops a job. One that waits ends at once, without having been started, as
    /// [`JobOutcome::Cancelled`](super::job::JobOutcome::Cancelled); one that runs ends so unless
    /// it was over already. One that is finished or unknown is left alone. Stopping twice is fine,
    /// and [`StopMode::Kill`] after [`StopMode::Terminate`] cuts the grace period short.
    fn stop(&mut self, id: JobId, how: StopMode);

    /// Files that jobs see may have changed since the last job was submitted (something was built,
    /// a round begins): no job from here on may see them as they were. A backend that looks them up
    /// again for each job has nothing to do.
    fn files_changed(&mut self) {}

    /// Starts no further jobs until [`Backend::release`]; those that run go on.
    fn hold(&mut self);

    /// Starts jobs again.
    fn release(&mut self);

    /// Stops the processes and the clocks of everything that runs (SIGSTOP), and starts nothing.
    fn suspend(&mut self);

    /// Lets them go on where they were.
    fn resume(&mut self);

    /// The next event. Dropping the future loses nothing. Waits forever if there is none.
    fn next(&mut self) -> impl Future<Output = BackendEvent>;

    /// Kills whatever still runs and returns when no container, process or mount of this backend is
    /// left.
    fn close(self) -> impl Future<Output = ()>;
}

/// Of which group a test is, and how its part of the output is called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TestGroupMember {
    /// The group: the same job for all of its parts.
    pub group: Arc<str>,
    /// The part's name: no control characters, not empty, and not with a `=` at its beginning.
    pub name: String,
}
