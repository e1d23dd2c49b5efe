//! Workers that a broker before this one had and that have not come back.
//!
//! They may still run jobs of its journal. Which ones, nobody knows until they say so: as long as one
//! may come back in time, no job from before is given to anybody else. New runs need not wait.

use std::collections::BTreeSet;

use crate::broker::journal::WorkerInstance;
use crate::broker::scheduler::BrokerInstant;

/// See the module's documentation.
pub(super) struct WorkerRecovery {
    instances: BTreeSet<WorkerInstance>,
    /// When the leases that they may have are over.
    until: BrokerInstant,
}

impl WorkerRecovery {
    /// All of these, until then.
    pub(super) fn new(instances: Vec<WorkerInstance>, until: BrokerInstant) -> WorkerRecovery {
        WorkerRecovery {
            instances: instances.into_iter().collect(),
            until,
        }
    }

    /// Whether nobody is waited for.
    pub(super) fn is_empty(&self) -> bool {
        self.instances.is_empty()
    }

    /// Whether this one is waited for.
    pub(super) fn knows(&self, instance: WorkerInstance) -> bool {
        self.instances.contains(&instance)
    }

    /// When they are waited for no longer.
    pub(super) fn next_tick(&self) -> Option<BrokerInstant> {
        (!self.is_empty()).then_some(self.until)
    }

    /// One is there. Tells whether it was waited for.
    pub(super) fn take(&mut self, instance: WorkerInstance) -> bool {
        self.instances.remove(&instance)
    }

    /// Waits no longer for those that have not come back in time, and tells which these are.
    pub(super) fn expire(&mut self, now: BrokerInstant) -> BTreeSet<WorkerInstance> {
        match now < self.until {
            true => BTreeSet::new(),
            false => std::mem::take(&mut self.instances),
        }
    }
}
