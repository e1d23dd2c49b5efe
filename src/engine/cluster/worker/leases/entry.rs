//! What is known of one lease: how far it has come, and how it ends.

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
    /// What its job wrote over its inputs.
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
        _kept: T,
    },
    Over {
        slot: Option<u32>,
        end: LeaseEnd,
    },
}

/// What is to become of a job's end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum EndDisposition {
    Tell,
    /// If it did not end by itself, the job goes back to the broker.
    HandBack,
    /// Nobody wants to know.
    Forget,
    /// It is this failure.
    Fail(String),
}

#[derive(Debug)]
pub(super) enum LeaseEnd {
    Finished(JobResult),
    Returned,
}

/// What the broker has been told of a lease on this connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ReportProgress {
    Nothing,
    Started(OutputCursor),
    End,
}

/// Whether a lease is among those of which there is something to tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ReportQueueState {
    Yes,
    No,
}

pub(super) fn failure(reason: &str) -> LeaseEnd {
    LeaseEnd::Finished(JobResult::not_run(JobOutcome::Error(shortened(reason))))
}

/// As much of a text as a message may have.
pub fn shortened(text: &str) -> String {
    text[..text.floor_char_boundary(TEXT_BYTES_MAX)].to_owned()
}
