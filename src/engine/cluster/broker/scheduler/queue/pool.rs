//! Pools: the workers that can run a class of jobs, and the clients that have such jobs.

use std::collections::{BTreeMap, BTreeSet};

use super::fair_share::VirtualTime;
use crate::broker::scheduler::{Architecture, ClientId, SchedulingClass, ToolboxId};
use maelstrom_model::ids::WorkerId;

/// The key of a pool: workers that are equivalent for jobs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in super::super) struct PoolKey {
    pub architecture: Architecture,
    pub toolbox: Option<ToolboxId>,
}

impl PoolKey {
    /// Returns the lowest key of an architecture.
    pub(super) fn first(architecture: Architecture) -> PoolKey {
        PoolKey {
            architecture,
            toolbox: None,
        }
    }
}

impl From<SchedulingClass> for PoolKey {
    fn from(kind: SchedulingClass) -> PoolKey {
        PoolKey {
            architecture: kind.architecture,
            toolbox: kind.toolbox,
        }
    }
}

/// The load of a worker: the part of its slots that its leases take. The least loaded comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in super::super) struct WorkerLoad(u64);

impl WorkerLoad {
    const ALL_SLOTS: u64 = 1 << 16;

    /// Returns the load of leases that take this many of this many slots.
    pub(in super::super) fn new(taken: u64, slots: u32) -> WorkerLoad {
        WorkerLoad(taken.saturating_mul(WorkerLoad::ALL_SLOTS) / u64::from(slots.max(1)))
    }

    /// Returns whether a slot is free; if not, a further lease waits on the worker.
    pub(in super::super) fn has_free_slot(self) -> bool {
        self.0 < WorkerLoad::ALL_SLOTS
    }
}

/// The supply and demand of a pool.
#[derive(Debug, Default)]
pub(in super::super) struct WorkerPool {
    /// Workers that take leases, and their slots.
    pub serving: BTreeMap<WorkerId, u32>,
    /// The serving workers that have room for a lease now.
    pub available: BTreeSet<(WorkerLoad, WorkerId)>,
    /// The total slots of serving workers.
    pub(super) slots: u64,
    /// Clients with jobs that could start.
    pub(super) waiting: BTreeSet<(VirtualTime, ClientId)>,
    /// The number of such jobs.
    pub(super) ready: usize,
}

impl WorkerPool {
    /// Returns whether a decision can be made.
    pub(super) fn is_open(&self) -> bool {
        let emptiest = self.available.first();
        !self.waiting.is_empty() && emptiest.is_some_and(|(load, _)| self.takes(*load))
    }

    /// Returns whether a worker with this load gets a lease. Leases beyond its slots are granted
    /// only while more jobs wait than there are slots: the last jobs go to whichever worker is free
    /// first.
    pub(in super::super) fn takes(&self, load: WorkerLoad) -> bool {
        let is_deep = || u64::try_from(self.ready).is_ok_and(|ready| ready > self.slots);
        load.has_free_slot() || is_deep()
    }

    pub(super) fn is_unused(&self) -> bool {
        self.serving.is_empty() && self.waiting.is_empty() && self.ready == 0
    }
}
