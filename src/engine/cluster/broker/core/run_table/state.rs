//! The table of all runs.

use std::collections::{BTreeMap, HashMap};

use super::accounts::AccountTable;
use super::run::ClientRun;
use crate::broker::core::config::BrokerConfig;
use crate::broker::core::defect::broken_invariant;
use crate::broker::core::input::SessionId;
use crate::broker::journal::RunName;
use crate::broker::scheduler::{ClientAdmission, ClientId};
use crate::output_log::spool::OutputSpool;

/// The runs of all clients; see the documentation of the [module above](super).
pub(crate) struct RunTable {
    pub(super) known: BTreeMap<ClientId, ClientRun>,
    pub(super) by_name: HashMap<RunName, ClientId>,
    /// The runs by public name.
    pub(super) by_shown: HashMap<RunName, ClientId>,
    pub(super) sessions: HashMap<SessionId, ClientId>,
    pub(super) accounts: AccountTable,
    /// The storage for output that does not fit in memory.
    pub(super) spool: OutputSpool,
    pub(super) next: u64,
    pub(super) weight_max: u32,
    /// Whether workers from before the restart may still run jobs of recovered runs.
    pub(super) is_recovering: bool,
    changes: Vec<SchedulingChange>,
}

/// A change of a run that affects the scheduler.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SchedulingChange {
    /// The run's part of the share of its account.
    Share {
        client: ClientId,
        weight: u32,
        /// The total weight of the account's runs.
        among: u32,
    },
    /// Whether the run's jobs may start.
    Admission(ClientId, ClientAdmission),
}

impl RunTable {
    /// Creates a table without runs.
    pub(crate) fn new(config: &BrokerConfig) -> RunTable {
        RunTable {
            known: BTreeMap::new(),
            by_name: HashMap::new(),
            by_shown: HashMap::new(),
            sessions: HashMap::new(),
            accounts: AccountTable::new(config.per_client),
            spool: OutputSpool::new(&config.outputs),
            next: 0,
            weight_max: config.limits.weight_max.max(1),
            is_recovering: false,
            changes: Vec::new(),
        }
    }

    /// Returns the changes for the scheduler since the last call, in order.
    pub(crate) fn take_changes(&mut self) -> Vec<SchedulingChange> {
        std::mem::take(&mut self.changes)
    }

    /// Sets whether workers from before the restart may still return: until then, jobs of recovered
    /// runs wait.
    pub(crate) fn set_recovering(&mut self, is_recovering: bool) {
        self.is_recovering = is_recovering;
        let clients: Vec<ClientId> = self.known.keys().copied().collect();
        for client in clients {
            self.update_admission(client);
        }
    }

    /// Returns whether a client has a run. Other components may still refer to one that has left.
    pub(crate) fn contains(&self, id: ClientId) -> bool {
        self.known.contains_key(&id)
    }

    /// Returns the run of a client that has not left.
    pub(super) fn run(&self, id: ClientId) -> Option<&ClientRun> {
        let run = self.known.get(&id);
        if run.is_none() {
            broken_invariant("a run is referred to that is over");
        }
        run
    }

    /// Returns the run of a client that has not left, for changes.
    pub(super) fn run_mut(&mut self, id: ClientId) -> Option<&mut ClientRun> {
        let run = self.known.get_mut(&id);
        if run.is_none() {
            broken_invariant("a run is referred to that is over");
        }
        run
    }

    pub(super) fn update_admission(&mut self, id: ClientId) {
        let Some(run) = self.run(id) else {
            return;
        };
        let is_waiting = run.is_from_before && self.is_recovering;
        let admission = match is_waiting || self.accounts.is_held(run.account) {
            true => ClientAdmission::Held,
            false => run.admission(),
        };
        let change = SchedulingChange::Admission(id, admission);
        self.changes.push(change);
    }

    /// Drops the pending changes of a run that is over.
    pub(super) fn drop_changes(&mut self, id: ClientId) {
        self.changes.retain(|change| match change {
            SchedulingChange::Share { client, .. } | SchedulingChange::Admission(client, _) => {
                *client != id
            }
        });
    }

    pub(super) fn update_share(&mut self, client: ClientId, weight: u32, among: u32) {
        let change = SchedulingChange::Share {
            client,
            weight,
            among,
        };
        self.changes.push(change);
    }
}
