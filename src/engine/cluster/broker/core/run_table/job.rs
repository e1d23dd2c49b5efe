//! The state of a job: its phase, its output, and how much of both its client has been sent.

use crate::broker::scheduler::FencingToken;
use crate::output_log::{OutputCursor, OutputLog};
use maelstrom_model::ids::WorkerId;
use maelstrom_wire::v1;

/// A job that is not over, or whose end the client has not acknowledged.
pub(super) struct JobState {
    pub(super) description: Box<[u8]>,
    pub(super) phase: JobPhase,
    pub(super) output: Option<Box<OutputRelay>>,
    /// Whether its output waits for room in the outbox.
    pub(super) is_lagging: bool,
}

/// The phase of a job.
pub(super) enum JobPhase {
    /// Being written to the journal.
    Journalling,
    Queued,
    Leased(JobAttempt),
    Finished(Box<v1::JobResult>),
}

/// One attempt by a worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct JobAttempt {
    pub worker: WorkerId,
    pub fence: FencingToken,
}

/// What the client is sent of a job that has started.
pub(super) struct OutputRelay {
    pub(super) started: v1::Started,
    pub(super) log: OutputLog,
    /// How much was sent on this connection.
    pub(super) sent: OutputCursor,
    pub(super) told: ReportedPhase,
}

/// What was reported of a job on this connection, apart from its output.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum ReportedPhase {
    Nothing,
    Started,
    Finished,
}

/// What happened to a chunk of output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChunkOutcome {
    Now,
    Before,
    /// Earlier chunks are missing.
    Gap,
    /// It exceeds the maximum length.
    TooLong,
}

/// The result of a job that could not be run.
pub fn infrastructure(message: String) -> v1::JobResult {
    v1::JobResult {
        end: Some(v1::job_result::End::Infrastructure(message)),
        ..v1::JobResult::default()
    }
}

/// The result of a job that was cancelled.
pub fn cancelled() -> v1::JobResult {
    v1::JobResult {
        end: Some(v1::job_result::End::Cancelled(v1::Empty {})),
        ..v1::JobResult::default()
    }
}
