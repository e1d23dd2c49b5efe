//! Workers that a broker before this one had and that have not come back.
//!
//! They may still run jobs of its journal. Which ones, nobody knows until they say so: as long as one
//! may come back in time, no job from before is given to anybody else. New runs need not wait.

use std::collections::BTreeSet;

use super::BrokerCore;
use crate::broker::journal::{JournalEntry, WorkerInstance};
use crate::broker::scheduler::{BrokerInstant, ClientId};

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
}

impl BrokerCore {
    /// A worker is there. Tells whether the journal knows it.
    pub(super) fn recover_worker(&mut self, instance: WorkerInstance) -> bool {
        let is_known = self.absent.instances.remove(&instance);
        if is_known && self.absent.is_empty() {
            self.update_gates();
        }
        is_known
    }

    /// Who has not come back in time has no lease any more.
    pub(super) fn expire_recovery(&mut self) {
        if self.absent.is_empty() || self.now < self.absent.until {
            return;
        }
        let gone = std::mem::take(&mut self.absent.instances);
        tracing::info!(
            workers = gone.len(),
            "workers from before the start did not come back"
        );
        let gone = gone.into_iter();
        let over = gone.map(|instance| JournalEntry::WorkerOver { instance });
        self.journal.forget(over.collect());
        self.update_gates();
    }

    fn update_gates(&mut self) {
        let clients: Vec<ClientId> = self.clients.keys().copied().collect();
        for client in clients {
            self.update_gate(client);
        }
    }
}
