//! What is known of a job: how far it has come, what it wrote, and how much of that its client was
//! told.

use crate::broker::scheduler::FencingToken;
use crate::output_log::{OutputCursor, OutputLog};
use maelstrom_model::ids::WorkerId;
use maelstrom_wire::v1;

/// A job that is not over, or whose client doesn't know it.
pub(super) struct JobState {
    pub(super) description: Box<[u8]>,
    pub(super) phase: JobPhase,
    pub(super) output: Option<Box<OutputRelay>>,
    /// Whether it is among those that wait for room.
    pub(super) is_lagging: bool,
}

/// How far a job has come.
pub(super) enum JobPhase {
    /// On its way into the journal.
    Journalling,
    Queued,
    Leased(JobAttempt),
    Finished(Box<v1::JobResult>),
}

/// One try of a worker.
#[derive(Clone, Copy)]
pub(super) struct JobAttempt {
    pub(super) worker: WorkerId,
    pub(super) fence: FencingToken,
}

/// What is told of a job that began.
pub(super) struct OutputRelay {
    pub(super) started: v1::Started,
    pub(super) log: OutputLog,
    /// How far it was sent on this connection.
    pub(super) sent: OutputCursor,
    pub(super) told: ReportedPhase,
}

/// How much of a job was told on this connection, its output aside.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum ReportedPhase {
    Nothing,
    Started,
    Finished,
}

/// What became of a chunk of output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ChunkOutcome {
    Now,
    Before,
    /// Chunks before it are missing.
    Gap,
    /// It is longer than workers make them.
    TooLong,
}

pub(super) fn infrastructure(message: String) -> v1::JobResult {
    v1::JobResult {
        end: Some(v1::job_result::End::Infrastructure(message)),
        ..v1::JobResult::default()
    }
}

pub(super) fn cancelled() -> v1::JobResult {
    v1::JobResult {
        end: Some(v1::job_result::End::Cancelled(v1::Empty {})),
        ..v1::JobResult::default()
    }
}
