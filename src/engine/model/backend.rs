//! The trait that executes jobs, on this machine or on a cluster.
//!
//! A backend owns the queue, the slots, the timers and the containers. A run's driver submits every
//! job as soon as it is known and then only listens; the backend decides which job is next, by the
//! [`priority`](super::priority) of each.
//!
//! Every backend guarantees:
//! - Each submitted job has exactly one [`BackendEvent::Finished`], unless [`BackendEvent::Lost`]
//!   comes first. A job that ran has exactly one [`BackendEvent::Started`] before it; all of its
//!   output comes in between.
//! - An infrastructure failure is never reported as the job's own: it is
//!   [`JobOutcome::Error`](super::job::JobOutcome::Error).
//! - The backend enforces timeouts and grace periods: SIGTERM, the grace period, then SIGKILL to
//!   the whole container.
//! - Buffers are bounded: while its events are not taken, a backend stops reading its jobs' output.
//!
//! A backend knows only jobs: no tests, attempts, repeats or history.

use std::fmt;
use std::future::Future;
use std::time::Duration;

use miette::Diagnostic;

use super::error::ProgramError;
use super::event::{ClusterEvent, OutputStream, UserNotice, WorkerStatusEvent};
use super::ids::WorkerId;
use super::job::{Job, JobResult};
use maelstrom_container::message::DiscardedFiles;

pub use super::priority::JobPriority;

/// The id of a job in its run. Ids are never reused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct JobId(pub u64);

/// Hexadecimal, which shows the parts of a run driver's ids: the test in the upper 32 bits, the
/// attempt in the lower 32 bits.
impl fmt::Display for JobId {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{:x}", self.0)
    }
}

/// How long a job may continue after SIGTERM before it is killed, unless configured otherwise.
pub const GRACE_DEFAULT: Duration = Duration::from_secs(5);

/// How to stop a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StopMode {
    /// SIGTERM now, and SIGKILL when the grace period is over.
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
    /// A running job wrote output.
    Output {
        job: JobId,
        stream: OutputStream,
        /// The bytes as they were read. Never empty.
        bytes: Vec<u8>,
    },
    /// The machine that ran the job was lost, and the job starts over elsewhere. Its output so far
    /// is void. There is no second [`BackendEvent::Started`].
    Restarted { job: JobId, reason: String },
    /// A running job has overwritten files of the host in its container; the changes are discarded.
    /// Comes before the job's [`BackendEvent::Finished`].
    Discarded { job: JobId, files: DiscardedFiles },
    /// A job is over; all of its output came before.
    Finished { job: JobId, result: JobResult },
    /// A worker joins, leaves or reports.
    Worker(WorkerStatusEvent),
    /// The load of the cluster, or the progress of a transfer.
    Cluster(ClusterEvent),
    /// A message for the user that is not about a test.
    Notice(UserNotice),
    /// The backend has failed for good. Always the last event; every unfinished job is lost.
    Lost(BackendLost),
}

/// Why a backend gave up.
#[derive(Debug, Diagnostic, thiserror::Error)]
#[error("{message}")]
pub struct BackendLost {
    /// What went wrong, and with which file, address or program.
    pub message: String,
    /// What the user can do about it, if known.
    #[help]
    pub help: Option<String>,
    #[source]
    pub source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

impl ProgramError for BackendLost {}

/// Executes the jobs of a run.
///
/// Methods that are not futures return at once; their effects arrive through [`Backend::next`].
pub trait Backend {
    /// Returns the number of jobs that run at a time.
    fn slots(&self) -> u32;

    /// Submits a job. It starts when it is first in the queue and a slot is free.
    fn submit(&mut self, id: JobId, job: Job, rank: JobPriority);

    /// Stops a job. A waiting job ends at once, without having started, as
    /// [`JobOutcome::Cancelled`](super::job::JobOutcome::Cancelled); a running job ends with the
    /// same outcome unless it is already over. A finished or unknown job is ignored. Stopping twice
    /// is fine, and [`StopMode::Kill`] after [`StopMode::Terminate`] cuts the grace period short.
    fn stop(&mut self, id: JobId, how: StopMode);

    /// Announces that files that jobs see may have changed since the last job was submitted (a
    /// build, a new round). Jobs submitted from here on must not see the old contents. The default
    /// does nothing, for backends that look up files again for each job.
    fn files_changed(&mut self) {}

    /// Starts no further jobs until [`Backend::release`]; running jobs continue.
    fn hold(&mut self);

    /// Starts jobs again after [`Backend::hold`].
    fn release(&mut self);

    /// Stops the processes and timers of all running jobs (SIGSTOP), and starts no jobs.
    fn suspend(&mut self);

    /// Continues the jobs that [`Backend::suspend`] stopped.
    fn resume(&mut self);

    /// Returns the next event; waits forever if there is none. Dropping the future loses nothing.
    fn next(&mut self) -> impl Future<Output = BackendEvent>;

    /// Kills the running jobs, and returns when no container, process or mount of this backend is
    /// left.
    fn close(self) -> impl Future<Output = ()>;
}
