//! The state of a client and of its jobs.

use std::collections::{BTreeMap, BTreeSet};

use super::{BrokerInstant, FencingToken, SchedulingClass, WorkerNeeds};
use maelstrom_model::backend::JobId;
use maelstrom_model::ids::WorkerId;
use maelstrom_model::priority::QueueKey;

#[derive(Debug)]
pub(super) struct ScheduledClient {
    pub(super) presence: ClientPresence,
    pub(super) jobs: BTreeMap<JobId, ScheduledJob>,
    /// The numbers of jobs that are over.
    pub(super) over: BTreeSet<JobId>,
}

/// Whether a client is present.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ClientPresence {
    Here,
    /// The client has left; some of its leases have not ended yet.
    Left,
}

/// A submitted job. There may be a million of these, so it has no more fields than necessary. Its
/// lease and its retry state determine its phase; a job with neither is queued.
#[derive(Clone, Copy, Debug)]
pub(super) struct ScheduledJob {
    pub(super) turn: QueueKey,
    pub(super) since: BrokerInstant,
    pub(super) kind: SchedulingClass,
}

/// The needs of a job that needs more than any worker with a free slot. Most jobs have none.
#[derive(Clone, Copy, Debug)]
pub(super) struct SpecialNeeds {
    pub(super) needs: WorkerNeeds,
    /// How long the job waits for another worker than the one that it avoids.
    pub(super) patience_ms: u64,
}

/// The failed attempts of a job. Most jobs have none.
#[derive(Debug, Default)]
pub(super) struct RetryState {
    /// Lost attempts, in order.
    pub(super) lost: Vec<(WorkerId, FencingToken)>,
    /// How many times it was returned without counting as an attempt.
    pub(super) returns: u32,
    /// The time when it returns to the queue; `None` unless it is delayed.
    pub(super) due: Option<BrokerInstant>,
    /// The time until which it waits for a worker that has not failed it, and that it does not avoid.
    pub(super) patient_until: BrokerInstant,
}

impl RetryState {
    pub(super) fn has_failed_on(&self, worker: WorkerId) -> bool {
        self.lost.iter().any(|(failed, _)| *failed == worker)
    }
}

impl ScheduledClient {
    pub(super) fn is_here(&self) -> bool {
        self.presence == ClientPresence::Here
    }
}
