//! The state of a job: its phase, its output, and which part of both its client has been sent.

use crate::broker::scheduler::FencingToken;
use crate::output_log::{OutputCursor, OutputLog};
use maelstrom_model::ids::WorkerId;
use maelstrom_wire::v1;

/// A job that is unfinished, or whose outcome the client has not acknowledged.
pub(super) struct JobState {
    pub(super) description: Box<[u8]>,
    pub(super) phase: JobPhase,
    pub(super) output: Option<Box<OutputRelay>>,
    /// Whether its output waits for room in the outbox.
    pub(super) is_lagging: bool,
}

/// The phase of a job.
pub(super) enum JobPhase {
    /// The job is being written to the journal.
    Journalling,
    Queued,
    Leased(JobAttempt),
    Finished(Box<v1::JobResult>),
}

/// One attempt by a worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct JobAttempt {
    pub worker: WorkerId,
    pub fence: FencingToken,
}

/// The output of a job that has started, and which part of it the client has been sent.
pub(super) struct OutputRelay {
    pub(super) started: v1::Started,
    pub(super) log: OutputLog,
    /// The end of the output that was sent on this connection.
    pub(super) sent: OutputCursor,
    pub(super) told: ReportedPhase,
}

/// The last event of a job that was sent on this connection, apart from output.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum ReportedPhase {
    Nothing,
    Started,
    Finished,
}

/// The result of receiving a chunk of output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ChunkOutcome {
    Now,
    Before,
    /// Earlier chunks are missing.
    Gap,
    /// The chunk exceeds the maximum length.
    TooLong,
}

/// Creates the result of a job that could not be run.
pub(crate) fn infrastructure(message: String) -> v1::JobResult {
    v1::JobResult {
        end: Some(v1::job_result::End::Infrastructure(message)),
        ..v1::JobResult::default()
    }
}

/// Creates the result of a job that was cancelled.
pub(crate) fn cancelled() -> v1::JobResult {
    v1::JobResult {
        end: Some(v1::job_result::End::Cancelled(v1::Empty {})),
        ..v1::JobResult::default()
    }
}
