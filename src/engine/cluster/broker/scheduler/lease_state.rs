//! The state of a lease, and how it can end without an outcome.

use super::{BrokerInstant, FencingToken, JobKey, Lease, SchedulingClass};
use maelstrom_model::ids::WorkerId;

/// The state of a lease.
#[derive(Clone, Copy, Debug)]
pub(super) struct LeaseState {
    pub(super) kind: SchedulingClass,
    pub(super) worker: WorkerId,
    /// The number of its worker's slots that it takes.
    pub(super) slots: u32,
    pub(super) fence: FencingToken,
    pub(super) started: Option<BrokerInstant>,
    pub(super) wish: ClientIntent,
}

impl LeaseState {
    pub(super) fn of(&self, key: JobKey) -> Lease {
        Lease {
            key,
            worker: self.worker,
            fence: self.fence,
        }
    }
}

/// The client's intent for the job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ClientIntent {
    Wanted,
    Cancelled,
    /// The client has left.
    Abandoned,
}

/// Why an attempt ended without an outcome.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum LossReason {
    /// Its worker was silent for too long.
    Expired,
    /// Its worker reported an infrastructure failure.
    Failed,
    /// Its worker returned without it, or as another process.
    Vanished,
    /// It never started: returned, or never arrived.
    Unstarted,
}
