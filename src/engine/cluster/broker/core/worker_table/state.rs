//! The table of all workers.

use std::collections::{BTreeMap, HashMap, VecDeque};

use super::recovery::WorkerRecovery;
use super::worker::RegisteredWorker;
use crate::broker::budgets::LimitWarnings;
use crate::broker::core::config::{BrokerConfig, millis};
use crate::broker::core::defect::broken_invariant;
use crate::broker::core::input::SessionId;
use crate::broker::journal::WorkerInstance;
use crate::broker::limits::ClientResource;
use crate::broker::scheduler::{BrokerInstant, FencingToken, JobKey};
use maelstrom_model::ids::WorkerId;
use maelstrom_wire::v1;

/// The number of departed workers whose names are kept: the error of a job that failed three times
/// names three workers.
const DEPARTED_MAX: usize = 1024;

/// All workers; see the documentation of the [module above](super).
pub(crate) struct WorkerTable {
    pub(super) known: BTreeMap<WorkerId, RegisteredWorker>,
    pub(super) sessions: HashMap<SessionId, WorkerId>,
    pub(super) instances: HashMap<WorkerInstance, WorkerId>,
    /// The names of the last workers that did not return.
    departed: VecDeque<(WorkerId, String)>,
    pub(super) recovery: WorkerRecovery,
    /// The jobs of leases by fence, which is all that reports contain.
    pub(super) leases: HashMap<FencingToken, JobKey>,
    pub(super) next: u32,
    /// The maximum number of workers with the same credential and address.
    pub(super) workers_max: u64,
    pub(super) warnings: LimitWarnings,
}

impl WorkerTable {
    /// Creates a table without workers. The given ones from before the restart may return.
    pub(crate) fn new(config: &BrokerConfig, instances: Vec<WorkerInstance>) -> WorkerTable {
        WorkerTable {
            known: BTreeMap::new(),
            sessions: HashMap::new(),
            instances: HashMap::new(),
            departed: VecDeque::new(),
            recovery: WorkerRecovery::new(instances, BrokerInstant(millis(config.lease))),
            leases: HashMap::new(),
            next: 0,
            workers_max: config.per_client.most(ClientResource::Workers),
            warnings: LimitWarnings::default(),
        }
    }

    /// Returns a worker that has not been forgotten.
    pub(super) fn worker(&self, id: WorkerId) -> Option<&RegisteredWorker> {
        let worker = self.known.get(&id);
        if worker.is_none() {
            broken_invariant("a worker is referred to that is forgotten");
        }
        worker
    }

    /// Returns a worker that has not been forgotten, for changes.
    pub(super) fn worker_mut(&mut self, id: WorkerId) -> Option<&mut RegisteredWorker> {
        let worker = self.known.get_mut(&id);
        if worker.is_none() {
            broken_invariant("a worker is referred to that is forgotten");
        }
        worker
    }

    /// Returns the connected workers.
    pub(super) fn connected(&self) -> impl Iterator<Item = (WorkerId, &RegisteredWorker)> {
        let known = self.known.iter().map(|(id, worker)| (*id, worker));
        known.filter(|(_, worker)| worker.is_connected())
    }

    /// Returns the connected workers as messages.
    pub(crate) fn listed(&self) -> Vec<v1::Worker> {
        let connected = self.connected();
        connected.map(|(id, worker)| worker.message(id)).collect()
    }

    /// Returns whether any worker is connected.
    pub(crate) fn has_connected(&self) -> bool {
        self.connected().next().is_some()
    }

    /// Returns the number of slots of the connected workers.
    pub(crate) fn slots(&self) -> u32 {
        self.connected().map(|(_, worker)| worker.slots).sum()
    }

    /// Returns a worker as a message.
    pub(crate) fn message(&self, id: WorkerId) -> Option<v1::Worker> {
        Some(self.worker(id)?.message(id))
    }

    /// Returns the display name of a worker, even of one that is gone, for messages about its jobs.
    pub(crate) fn name(&self, id: WorkerId) -> String {
        let departed = || self.departed.iter().rev().find(|(other, _)| *other == id);
        match self.known.get(&id) {
            Some(known) => known.name.clone(),
            None => departed().map_or_else(|| format!("number {id}"), |(_, name)| name.clone()),
        }
    }

    /// Removes a worker that did not return. Returns its process.
    pub(crate) fn forget(&mut self, id: WorkerId) -> Option<WorkerInstance> {
        let Some(worker) = self.known.remove(&id) else {
            broken_invariant("a worker is forgotten that is not known");
            return None;
        };
        if worker.is_connected() {
            broken_invariant("a worker is forgotten that is connected");
        }
        self.departed.push_back((id, worker.name));
        if self.departed.len() > DEPARTED_MAX {
            self.departed.pop_front();
        }
        let instance = self.instance(id)?;
        self.instances.remove(&instance);
        Some(instance)
    }

    /// Returns the process of a worker.
    pub(super) fn instance(&self, id: WorkerId) -> Option<WorkerInstance> {
        let mut instances = self.instances.iter();
        let instance =
            instances.find_map(|(instance, worker)| (*worker == id).then_some(*instance));
        if instance.is_none() {
            broken_invariant("a worker has no process");
        }
        instance
    }
}
