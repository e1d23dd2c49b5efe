//! The state of one lease: its stage, and how it ends.

use crate::output_log::{OutputCursor, OutputLog};
use maelstrom_container::message::DiscardedFiles;
use maelstrom_model::job::{JobOutcome, JobResult};
use maelstrom_wire::limits::TEXT_BYTES_MAX;

/// A job in the whole cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RunJobId {
    pub run: [u8; 16],
    pub job: u64,
}

#[derive(Debug)]
pub(super) struct LeaseEntry<T> {
    pub(super) name: RunJobId,
    pub(super) stage: LeaseStage<T>,
    pub(super) output: OutputLog,
    /// Its job's discarded writes.
    pub(super) discarded: DiscardedFiles,
    pub(super) told: ReportProgress,
    pub(super) line: ReportQueueState,
}

#[derive(Debug)]
pub(super) enum LeaseStage<T> {
    Waiting(T),
    /// The backend has it; with its slot once that is known.
    Running {
        slot: Option<u32>,
        wish: EndDisposition,
        _inputs: T,
    },
    Over {
        slot: Option<u32>,
        end: LeaseEnd,
    },
}

/// What to do with the end of a job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum EndDisposition {
    Tell,
    /// Unless it ended by itself, the job is returned to the broker.
    HandBack,
    /// The broker does not want a report.
    Forget,
    /// It is reported as this failure.
    Fail(String),
}

#[derive(Debug)]
pub(super) enum LeaseEnd {
    Finished(JobResult),
    Returned,
}

/// What was reported of a lease on this connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ReportProgress {
    Nothing,
    Started(OutputCursor),
    End,
}

/// Whether a lease is in the queue of pending reports.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ReportQueueState {
    Yes,
    No,
}

pub(super) fn failure(reason: &str) -> LeaseEnd {
    LeaseEnd::Finished(JobResult::not_run(JobOutcome::Error(shortened(reason))))
}

/// A text, truncated to the limit of a message.
pub fn shortened(text: &str) -> String {
    text[..text.floor_char_boundary(TEXT_BYTES_MAX)].to_owned()
}
