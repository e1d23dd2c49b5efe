//! Clients and their jobs: submitted, cancelled, remembered when they are over.

use std::collections::{BTreeMap, BTreeSet};

use super::leases::Wish;
use super::queue::PoolKey;
use super::{
    Book, Cancelled, ClientId, Demand, Fence, Gate, Inputs, InputsId, JobKey, Kind, Lease, Moment,
    Refused, Submitted,
};
use crate::engine::backend::JobId;
use crate::engine::ids::WorkerId;
use crate::engine::schedule::Turn;

#[derive(Debug)]
pub(super) struct Client {
    presence: Presence,
    pub(super) jobs: BTreeMap<JobId, Job>,
    /// The numbers of those that are over.
    over: BTreeSet<JobId>,
}

/// Whether a client is there to be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Presence {
    Here,
    /// Only its leases are still to end.
    Left,
}

/// A job that is not over. There may be a million of these: no field without need.
#[derive(Debug)]
pub(super) struct Job {
    pub(super) turn: Turn,
    pub(super) since: Moment,
    pub(super) mishaps: Option<Box<Mishaps>>,
    pub(super) kind: Kind,
    pub(super) place: Place,
}

/// Where a job is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    Queued,
    /// Until [`Mishaps::due`].
    Delayed,
    Leased,
}

/// What went wrong with a job so far. Most have none.
#[derive(Debug, Default)]
pub(super) struct Mishaps {
    /// Attempts that were lost, in order.
    pub(super) lost: Vec<(WorkerId, Fence)>,
    /// How often it was handed back for nothing.
    pub(super) returns: u32,
    /// When it waits in the queue again.
    pub(super) due: Moment,
    /// Until when it insists on a worker that has not failed it.
    pub(super) patient_until: Moment,
}

impl Mishaps {
    pub(super) fn has_failed_on(&self, worker: WorkerId) -> bool {
        self.lost.iter().any(|(failed, _)| *failed == worker)
    }
}

impl Job {
    pub(super) fn mishaps_mut(&mut self) -> &mut Mishaps {
        self.mishaps.get_or_insert_default()
    }

    /// How many attempts were lost.
    pub(super) fn lost(&self) -> usize {
        self.mishaps
            .as_ref()
            .map_or(0, |mishaps| mishaps.lost.len())
    }
}

impl Client {
    pub(super) fn is_here(&self) -> bool {
        self.presence == Presence::Here
    }

    /// Its jobs that nobody holds.
    pub(super) fn waiting(&self) -> impl Iterator<Item = &Job> {
        let jobs = self.jobs.values();
        jobs.filter(|job| job.place != Place::Leased)
    }
}

impl Book {
    /// A client is there, for the first time or again. Its weight counts from here on; 0 counts as
    /// 1. One that has left stays gone as long as anything of it still runs.
    pub fn client_joined(&mut self, client: ClientId, weight: u32) {
        let entry = self.clients.entry(client).or_insert_with(|| Client {
            presence: Presence::Here,
            jobs: BTreeMap::new(),
            over: BTreeSet::new(),
        });
        if entry.is_here() {
            self.queue.client_joined(client, weight);
        }
    }

    /// Whether the client's jobs may start. At first they may.
    pub fn client_gate(&mut self, client: ClientId, gate: Gate) {
        self.queue.client_gate(client, gate);
    }

    /// A client is gone for good. Its jobs that wait go with it; these leases are to be stopped, and
    /// keep their places until their workers say that they are over.
    pub fn client_left(&mut self, client: ClientId) -> Vec<Lease> {
        self.queue.client_left(client);
        let Some(entry) = self.clients.get_mut(&client) else {
            return Vec::new();
        };
        entry.presence = Presence::Left;
        entry.over.clear();
        let before = entry.jobs.len();
        let delayed = &mut self.delayed;
        entry.jobs.retain(|job, state| match state.place {
            Place::Leased => true,
            Place::Queued => false,
            Place::Delayed => {
                let due = state.mishaps_mut().due;
                delayed.remove(&(due, JobKey { client, job: *job }));
                false
            }
        });
        let left: Vec<JobId> = entry.jobs.keys().copied().collect();
        let gone = before - left.len();
        self.unfinished -= gone;
        self.counters.dropped += gone as u64;
        if left.is_empty() {
            self.clients.remove(&client);
        }
        let keys = left.into_iter().map(|job| JobKey { client, job });
        keys.filter_map(|key| self.wish(key, Wish::Abandoned))
            .collect()
    }

    /// Takes a job. Submitting it again changes nothing.
    pub fn submit(
        &mut self,
        key: JobKey,
        demand: Demand,
        now: Moment,
    ) -> Result<Submitted, Refused> {
        let limits = self.limits;
        let kinds = self.queue.kinds_beside(key.client, demand.kind);
        let client = self.clients.get_mut(&key.client);
        let client = client
            .filter(|client| client.is_here())
            .ok_or(Refused::UnknownClient)?;
        if client.jobs.contains_key(&key.job) {
            return Ok(Submitted::Known);
        }
        if client.over.contains(&key.job) {
            return Ok(Submitted::Over);
        }
        if client.jobs.len() >= limits.jobs_per_client_max {
            let limit = limits.jobs_per_client_max;
            return Err(Refused::ClientFull { limit });
        }
        if kinds >= limits.kinds_per_client_max {
            let limit = limits.kinds_per_client_max;
            return Err(Refused::TooManyKinds { limit });
        }
        if self.unfinished >= limits.jobs_max {
            let limit = limits.jobs_max;
            return Err(Refused::BookFull { limit });
        }
        let job = Job {
            turn: Turn::new(demand.rank, self.arrivals),
            since: now,
            mishaps: None,
            kind: demand.kind,
            place: Place::Queued,
        };
        self.arrivals += 1;
        self.unfinished += 1;
        self.counters.submitted += 1;
        self.queue.push(key, job.kind, job.turn);
        client.jobs.insert(key.job, job);
        Ok(Submitted::New)
    }

    /// A job's outcome is known from before the start: it must not run again.
    pub fn remember_over(&mut self, key: JobKey) {
        if self.job(key).is_none() {
            self.remember(key);
        }
    }

    /// The client has this job's outcome for good and will not submit it again: it needs not be
    /// remembered.
    pub fn forget_over(&mut self, key: JobKey) {
        if let Some(client) = self.clients.get_mut(&key.client) {
            client.over.remove(&key.job);
        }
    }

    /// Stops a job that is not over. Doing so twice is fine.
    pub fn cancel(&mut self, key: JobKey) -> Cancelled {
        let client = self.clients.get(&key.client);
        if !client.is_some_and(Client::is_here) {
            return Cancelled::Unknown;
        }
        let Some(job) = self.job(key) else {
            return Cancelled::Unknown;
        };
        match job.place {
            Place::Leased => match self.wish(key, Wish::Cancelled) {
                Some(lease) => Cancelled::Leased(lease),
                None => Cancelled::Unknown,
            },
            Place::Queued | Place::Delayed => {
                self.unqueue(key);
                self.over(key);
                self.counters.cancelled += 1;
                Cancelled::Queued
            }
        }
    }

    /// Whether the broker has these inputs. Until this is said for the first time it has not.
    pub fn inputs(&mut self, inputs: InputsId, state: Inputs) {
        self.queue.set_inputs(inputs, state);
    }

    /// These inputs are over: no job will name them again.
    pub fn inputs_retired(&mut self, inputs: InputsId) {
        self.queue.set_inputs(inputs, Inputs::Missing);
        for worker in self.queue.forget_holders(inputs) {
            if let Some(worker) = self.workers.get_mut(&worker) {
                worker.inputs.remove(&inputs);
            }
        }
    }

    pub(super) fn job(&self, key: JobKey) -> Option<&Job> {
        self.clients.get(&key.client)?.jobs.get(&key.job)
    }

    pub(super) fn job_mut(&mut self, key: JobKey) -> Option<&mut Job> {
        self.clients.get_mut(&key.client)?.jobs.get_mut(&key.job)
    }

    /// Puts a job that is nowhere into the queue.
    pub(super) fn enqueue(&mut self, key: JobKey) {
        let Some(job) = self.job_mut(key) else {
            return;
        };
        job.place = Place::Queued;
        let (kind, turn) = (job.kind, job.turn);
        self.queue.push(key, kind, turn);
    }

    /// Puts a job that is nowhere aside for a time.
    pub(super) fn delay(&mut self, key: JobKey, due: Moment) {
        let Some(job) = self.job_mut(key) else {
            return;
        };
        job.place = Place::Delayed;
        job.mishaps_mut().due = due;
        self.delayed.insert((due, key));
    }

    /// Takes a job out of where it waits.
    pub(super) fn unqueue(&mut self, key: JobKey) {
        let Some(job) = self.job(key) else {
            return;
        };
        match (job.place, &job.mishaps) {
            (Place::Queued, _) => {
                let (kind, turn) = (job.kind, job.turn);
                self.queue.remove(key.client, kind, turn);
            }
            (Place::Delayed, Some(mishaps)) => {
                self.delayed.remove(&(mishaps.due, key));
            }
            (Place::Delayed, None) | (Place::Leased, _) => {}
        }
    }

    /// A job that is in no queue and has no lease is over.
    pub(super) fn over(&mut self, key: JobKey) {
        let Some(client) = self.clients.get_mut(&key.client) else {
            return;
        };
        if client.jobs.remove(&key.job).is_some() {
            self.unfinished -= 1;
        }
        match client.presence {
            Presence::Here => self.remember(key),
            Presence::Left if client.jobs.is_empty() => {
                self.clients.remove(&key.client);
            }
            Presence::Left => {}
        }
    }

    fn remember(&mut self, key: JobKey) {
        let Some(client) = self.clients.get_mut(&key.client) else {
            return;
        };
        client.over.insert(key.job);
        while client.over.len() > self.limits.over_per_client_max {
            client.over.pop_first();
        }
    }

    /// Where a job can run.
    pub(super) fn pool_of(&self, key: JobKey) -> Option<PoolKey> {
        Some(PoolKey::from(self.job(key)?.kind))
    }
}
