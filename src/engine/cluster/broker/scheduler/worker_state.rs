//! The state of a worker, and its effect on the pools.

use std::collections::BTreeSet;

use super::queue::{PoolKey, WorkerLoad};
use super::{BrokerInstant, InputsId, JobKey, SchedulerLimits, ToolboxId, WorkerCapacity};

#[derive(Debug)]
pub(super) struct ScheduledWorker {
    pub(super) offer: WorkerCapacity,
    pub(super) presence: WorkerPresence,
    pub(super) intake: DrainState,
    /// The worker's credit; never above [`cap`].
    pub(super) ceiling: u32,
    pub(super) deadline: Option<BrokerInstant>,
    pub(super) leases: BTreeSet<JobKey>,
    /// The slots that its leases take, prefetched ones included.
    pub(super) slots_taken: u64,
    pub(super) toolboxes: BTreeSet<ToolboxId>,
    pub(super) inputs: BTreeSet<InputsId>,
    /// The membership that the pools currently have.
    pub(super) told: PoolMembership,
}

/// Whether a worker is present.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum WorkerPresence {
    Here,
    /// The worker is connected, but has been silent for too long.
    Silent,
    /// The worker is disconnected. It may return until its deadline.
    Gone,
}

/// Whether a worker takes leases.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum DrainState {
    Open,
    Draining,
}

/// A worker's part in the pools.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct PoolMembership {
    /// The worker's slots, if it serves at all.
    pub(super) slots: Option<u32>,
    /// The worker's load, if it has room for a lease now.
    pub(super) load: Option<WorkerLoad>,
}

/// Returns the maximum number of leases that a worker may have.
pub(super) fn cap(limits: &SchedulerLimits, slots: u32) -> u32 {
    match slots {
        0 => 0,
        slots => slots.saturating_add(limits.prefetch_per_worker),
    }
}

impl ScheduledWorker {
    pub(super) fn new(offer: WorkerCapacity) -> ScheduledWorker {
        ScheduledWorker {
            offer,
            presence: WorkerPresence::Here,
            intake: DrainState::Open,
            ceiling: 0,
            deadline: None,
            leases: BTreeSet::new(),
            slots_taken: 0,
            toolboxes: BTreeSet::new(),
            inputs: BTreeSet::new(),
            told: PoolMembership::default(),
        }
    }

    pub(super) fn supply(&self) -> PoolMembership {
        let serves = self.presence == WorkerPresence::Here && self.intake == DrainState::Open;
        if !serves || self.ceiling == 0 {
            return PoolMembership::default();
        }
        let slots = self.offer.slots;
        // The credit counts leases, and each takes at least a slot.
        let is_full = self.slots_taken >= u64::from(self.ceiling);
        PoolMembership {
            slots: Some(slots),
            load: (!is_full).then(|| WorkerLoad::new(self.slots_taken, slots)),
        }
    }

    pub(super) fn offers(&self, pool: PoolKey) -> bool {
        pool.architecture == self.offer.architecture
            && pool
                .toolbox
                .is_none_or(|toolbox| self.toolboxes.contains(&toolbox))
    }

    /// Returns the worker's load, if it has room for a lease now.
    pub(super) fn load(&self) -> Option<WorkerLoad> {
        self.told.load
    }
}
