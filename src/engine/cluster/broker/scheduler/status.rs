//! Statistics for metrics and for display.

use std::collections::BTreeMap;

use super::queue::PoolKey;
use super::worker_state::{DrainState, WorkerPresence};
use super::{
    Architecture, BrokerInstant, ClientAdmission, ClientId, JobKey, JobScheduler,
    SchedulerCounters, ToolboxId,
};
use maelstrom_model::ids::WorkerId;

/// The status of the scheduler.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SchedulerStatus {
    /// The pools: classes of jobs with the same requirements.
    pub pools: Vec<PoolStatus>,
    /// All known workers.
    pub workers: Vec<WorkerStatus>,
    /// All clients that have not left, or of which a job still runs.
    pub clients: Vec<ClientStatus>,
    /// Jobs in the queue.
    pub queued: usize,
    /// Jobs that are delayed after a lost attempt.
    pub delayed: usize,
    /// Jobs that workers hold.
    pub leased: usize,
    /// The age of the oldest waiting job.
    pub oldest_ms: Option<u64>,
    /// Slots of workers that take leases.
    pub slots: u64,
    /// Slots with a lease, of all workers.
    pub busy: u64,
    /// Events since the start.
    pub counters: SchedulerCounters,
}

/// Jobs with the same requirements, and the workers that meet them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PoolStatus {
    pub architecture: Architecture,
    /// The required toolbox, if any.
    pub toolbox: Option<ToolboxId>,
    /// Jobs in the queue.
    pub queued: usize,
    /// Those that would start if a slot were free: inputs present, client not held.
    pub ready: usize,
    /// Slots of the workers that take leases.
    pub slots: u64,
}

/// A worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WorkerStatus {
    pub worker: WorkerId,
    /// Its architecture.
    pub architecture: Architecture,
    /// How many jobs it runs at a time.
    pub slots: u32,
    /// The number of jobs that it holds, including prefetched ones.
    pub leases: usize,
    /// The number of slots that these take.
    pub slots_taken: u64,
    /// Whether the worker gets leases.
    pub state: WorkerAvailability,
}

/// Whether a worker gets leases.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WorkerAvailability {
    Serving,
    /// The worker requested no leases, or was told to end.
    Draining,
    /// The worker is connected but silent.
    Silent,
    /// The worker is disconnected; it may return.
    Gone,
}

/// The status of a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClientStatus {
    pub client: ClientId,
    /// Its queued and delayed jobs.
    pub waiting: usize,
    /// Its leased jobs.
    pub leased: usize,
    /// Its gate and weight; `None` when it has left.
    pub access: Option<(ClientAdmission, u32)>,
}

impl JobScheduler {
    /// Returns the status of the scheduler. Takes a step for each job, so call it about once per
    /// second, not for each event; [`JobScheduler::counters`] is cheap.
    pub fn status(&self, now: BrokerInstant) -> SchedulerStatus {
        let clients: Vec<ClientStatus> = self.client_statuses();
        let workers: Vec<WorkerStatus> = self.worker_statuses();
        let all: usize = clients.iter().map(|client| client.waiting).sum();
        let oldest = self.oldest_waiting();
        let serving = |worker: &&WorkerStatus| worker.state == WorkerAvailability::Serving;
        let busy = |worker: &WorkerStatus| worker.slots_taken.min(worker.slots.into());
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

    /// Returns the events since the start.
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
                toolbox: key.toolbox,
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
                slots_taken: worker.slots_taken,
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

    /// Returns the time at which the oldest waiting job was submitted.
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
        // Both are sorted, and every lease has its job.
        let waiting = jobs.filter(|(key, _)| leased.next_if(|other| *other == key).is_none());
        waiting.map(|(_, since)| since).min()
    }
}
