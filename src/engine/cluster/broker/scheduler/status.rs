//! Figures for metrics and for people.

use std::collections::BTreeMap;

use super::queue::PoolKey;
use super::worker_state::{DrainState, WorkerPresence};
use super::{
    Architecture, BrokerInstant, ClientAdmission, ClientId, JobKey, JobScheduler,
    SchedulerCounters, ToolboxId,
};
use maelstrom_model::ids::WorkerId;

/// The whole book at a glance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SchedulerStatus {
    /// By what jobs need of workers.
    pub pools: Vec<PoolStatus>,
    /// Everybody who is known.
    pub workers: Vec<WorkerStatus>,
    /// Everybody who has not left, or of whom something still runs.
    pub clients: Vec<ClientStatus>,
    /// Jobs in the queue.
    pub queued: usize,
    /// Jobs that wait for a time after a lost attempt.
    pub delayed: usize,
    /// Jobs that workers hold.
    pub leased: usize,
    /// How long the oldest of the queued and delayed jobs has been here.
    pub oldest_ms: Option<u64>,
    /// Slots of workers that take leases.
    pub slots: u64,
    /// Slots, of all workers, that have a lease.
    pub busy: u64,
    /// What happened since the start.
    pub counters: SchedulerCounters,
}

/// Jobs that need the same of workers, and the workers that have it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PoolStatus {
    pub architecture: Architecture,
    /// What these must have, if anything.
    pub kit: Option<ToolboxId>,
    /// Jobs in the queue.
    pub queued: usize,
    /// Those of them that would start if a slot were free: inputs there, client not held.
    pub ready: usize,
    /// Slots of the workers that take leases.
    pub slots: u64,
}

/// A worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WorkerStatus {
    pub worker: WorkerId,
    /// What it is for.
    pub architecture: Architecture,
    /// How many jobs it runs at a time.
    pub slots: u32,
    /// How many it holds, those it has fetched ahead included.
    pub leases: usize,
    /// Whether it gets more.
    pub state: WorkerAvailability,
}

/// Whether a worker gets leases.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WorkerAvailability {
    Serving,
    /// It asked for none, or was told to end.
    Draining,
    /// It is connected but says nothing.
    Silent,
    /// Its connection is gone; it may come back.
    Gone,
}

/// A client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClientStatus {
    pub client: ClientId,
    /// Its jobs that wait, queued or delayed.
    pub waiting: usize,
    /// Its jobs that workers hold.
    pub leased: usize,
    /// Its gate and weight; `None` when it has left.
    pub access: Option<(ClientAdmission, u32)>,
}

impl JobScheduler {
    /// The whole book at a glance. Takes a step for each job, so ask once in a second, not for each
    /// event; [`JobScheduler::counters`] costs nothing.
    pub fn status(&self, now: BrokerInstant) -> SchedulerStatus {
        let clients: Vec<ClientStatus> = self.client_statuses();
        let workers: Vec<WorkerStatus> = self.worker_statuses();
        let all: usize = clients.iter().map(|client| client.waiting).sum();
        let oldest = self.oldest_waiting();
        let serving = |worker: &&WorkerStatus| worker.state == WorkerAvailability::Serving;
        let busy = |worker: &WorkerStatus| (worker.leases as u64).min(worker.slots.into());
        SchedulerStatus {
            pools: self.pool_statuses(),
            queued: all - self.delayed.len(),
            delayed: self.delayed.len(),
            leased: self.leases.len(),
            oldest_ms: oldest.map(|since| now.ms_since(since)),
            slots: workers
                .iter()
                .filter(serving)
                .map(|w| u64::from(w.slots))
                .sum(),
            busy: workers.iter().map(busy).sum(),
            workers,
            clients,
            counters: self.counters,
        }
    }

    /// What happened since the start.
    pub fn counters(&self) -> SchedulerCounters {
        self.counters
    }

    fn pool_statuses(&self) -> Vec<PoolStatus> {
        let mut queued: BTreeMap<PoolKey, usize> = BTreeMap::new();
        for (kind, jobs) in self.queue.waiting() {
            *queued.entry(PoolKey::from(kind)).or_default() += jobs;
        }
        let mut pools: BTreeMap<PoolKey, (usize, u64)> = self.queue.pools().collect();
        for key in queued.keys() {
            pools.entry(*key).or_default();
        }
        let pools = pools.into_iter();
        pools
            .map(|(key, (ready, slots))| PoolStatus {
                architecture: key.architecture,
                kit: key.kit,
                queued: queued.get(&key).copied().unwrap_or(0),
                ready,
                slots,
            })
            .collect()
    }

    fn worker_statuses(&self) -> Vec<WorkerStatus> {
        let workers = self.workers.iter();
        workers
            .map(|(id, worker)| WorkerStatus {
                worker: *id,
                architecture: worker.offer.architecture,
                slots: worker.offer.slots,
                leases: worker.leases.len(),
                state: match (worker.presence, worker.intake) {
                    (WorkerPresence::Here, DrainState::Open) => WorkerAvailability::Serving,
                    (WorkerPresence::Here, DrainState::Draining) => WorkerAvailability::Draining,
                    (WorkerPresence::Silent, _) => WorkerAvailability::Silent,
                    (WorkerPresence::Gone, _) => WorkerAvailability::Gone,
                },
            })
            .collect()
    }

    fn client_statuses(&self) -> Vec<ClientStatus> {
        let mut leased: BTreeMap<ClientId, usize> = BTreeMap::new();
        for key in self.leases.keys() {
            *leased.entry(key.client).or_default() += 1;
        }
        let clients = self.clients.iter();
        clients
            .map(|(id, client)| {
                let leased = leased.get(id).copied().unwrap_or(0);
                ClientStatus {
                    client: *id,
                    waiting: client.jobs.len() - leased,
                    leased,
                    access: self.queue.gate(*id),
                }
            })
            .collect()
    }

    /// When the job was submitted that waits the longest.
    fn oldest_waiting(&self) -> Option<BrokerInstant> {
        let mut leased = self.leases.keys().peekable();
        let clients = self.clients.iter();
        let jobs = clients.flat_map(|(client, state)| {
            state.jobs.iter().map(|(job, state)| {
                let key = JobKey {
                    client: *client,
                    job: *job,
                };
                (key, state.since)
            })
        });
        // Both go up, and every lease has its job.
        let waiting = jobs.filter(|(key, _)| leased.next_if(|other| *other == key).is_none());
        waiting.map(|(_, since)| since).min()
    }
}
