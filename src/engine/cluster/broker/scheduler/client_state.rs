//! What is known of a client and of each of its jobs.

use std::collections::{BTreeMap, BTreeSet};

use super::{BrokerInstant, FencingToken, SchedulingClass};
use maelstrom_model::backend::JobId;
use maelstrom_model::ids::WorkerId;
use maelstrom_model::priority::QueueKey;

#[derive(Debug)]
pub(super) struct ScheduledClient {
    pub(super) presence: ClientPresence,
    pub(super) jobs: BTreeMap<JobId, ScheduledJob>,
    /// The numbers of those that are over.
    pub(super) over: BTreeSet<JobId>,
}

/// Whether a client is there to be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ClientPresence {
    Here,
    /// Only its leases are still to end.
    Left,
}

/// What was submitted. There may be a million of these: no field without need. Where a job is, its
/// lease and its mishaps say; whatever has neither is queued.
#[derive(Clone, Copy, Debug)]
pub(super) struct ScheduledJob {
    pub(super) turn: QueueKey,
    pub(super) since: BrokerInstant,
    pub(super) kind: SchedulingClass,
}

/// What went wrong with a job so far. Most have nothing of the kind.
#[derive(Debug, Default)]
pub(super) struct RetryState {
    /// Attempts that were lost, in order.
    pub(super) lost: Vec<(WorkerId, FencingToken)>,
    /// How often it was handed back for nothing.
    pub(super) returns: u32,
    /// When it waits in the queue again; `None` unless it is delayed.
    pub(super) due: Option<BrokerInstant>,
    /// Until when it insists on a worker that has not failed it.
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
