//! Workers from before a restart that have not returned.
//!
//! They may still run jobs from the journal. Which jobs is unknown until they report: as long as
//! one of them may return in time, no recovered job is leased to another worker. New runs need not
//! wait.

use std::collections::BTreeSet;

use crate::broker::journal::WorkerInstance;
use crate::broker::scheduler::BrokerInstant;

/// The workers from before a restart that may still return.
pub(super) struct WorkerRecovery {
    instances: BTreeSet<WorkerInstance>,
    /// The time at which their leases expire.
    until: BrokerInstant,
}

impl WorkerRecovery {
    /// Waits for these workers until the given time.
    pub(super) fn new(instances: Vec<WorkerInstance>, until: BrokerInstant) -> WorkerRecovery {
        WorkerRecovery {
            instances: instances.into_iter().collect(),
            until,
        }
    }

    /// Returns whether no worker is awaited.
    pub(super) fn is_empty(&self) -> bool {
        self.instances.is_empty()
    }

    /// Returns the time at which to stop waiting.
    pub(super) fn next_tick(&self) -> Option<BrokerInstant> {
        (!self.is_empty()).then_some(self.until)
    }

    /// Removes a worker that returned. Returns whether it was awaited.
    pub(super) fn take(&mut self, instance: WorkerInstance) -> bool {
        self.instances.remove(&instance)
    }

    /// Stops waiting for workers that did not return in time, and returns them.
    pub(super) fn expire(&mut self, now: BrokerInstant) -> BTreeSet<WorkerInstance> {
        match now < self.until {
            true => BTreeSet::new(),
            false => std::mem::take(&mut self.instances),
        }
    }
}
