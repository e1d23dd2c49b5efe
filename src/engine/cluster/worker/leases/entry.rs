//! The state of one lease: its stage, and how it ends.

use crate::output_log::{OutputCursor, OutputLog};
use maelstrom_container::message::DiscardedFiles;
use maelstrom_engine::schedule::room::RoomShare;
use maelstrom_model::job::{JobOutcome, JobResult};
use maelstrom_model::policy::DeviceNeed;
use maelstrom_wire::limits::TEXT_BYTES_MAX;

/// Identifies a job in the whole cluster.
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
    /// The discarded files of its job.
    pub(super) discarded: DiscardedFiles,
    pub(super) told: ReportProgress,
    pub(super) line: ReportQueueState,
}

#[derive(Debug)]
pub(super) enum LeaseStage<T> {
    Waiting {
        share: RoomShare,
        devices: Vec<DeviceNeed>,
        payload: T,
    },
    /// The backend has the job. Its slot is set once it is known.
    Running {
        slot: Option<u32>,
        share: RoomShare,
        devices: Vec<DeviceNeed>,
        wish: EndDisposition,
        _inputs: T,
    },
    Over {
        slot: Option<u32>,
        end: LeaseEnd,
    },
}

/// How to handle the end of a job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum EndDisposition {
    Tell,
    /// The job is returned to the broker, unless it ended by itself.
    HandBack,
    /// The broker does not want a report.
    Forget,
    /// The job is reported as this failure.
    Fail(String),
}

#[derive(Debug)]
pub(super) enum LeaseEnd {
    Finished(JobResult),
    Returned,
}

/// The last event of a lease that was reported on this connection.
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

/// Truncates a text to the limit of a message.
pub fn shortened(text: &str) -> String {
    text[..text.floor_char_boundary(TEXT_BYTES_MAX)].to_owned()
}
