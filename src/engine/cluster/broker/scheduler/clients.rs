//! Clients and their jobs: submission, cancellation, and memory of finished jobs.

use std::collections::{BTreeMap, BTreeSet};

use super::client_state::{
    ClientPresence, RetryState, ScheduledClient, ScheduledJob, SpecialNeeds,
};
use super::lease_state::ClientIntent;
use super::{
    BrokerInstant, CancelOutcome, ClientAdmission, ClientId, InputAvailability, InputsId,
    JobDemand, JobKey, JobScheduler, Lease, SubmitError, SubmitOutcome,
};
use maelstrom_model::backend::JobId;
use maelstrom_model::ids::WorkerId;
use maelstrom_model::priority::QueueKey;

impl JobScheduler {
    /// Adds a client, or one that rejoins. Its weight applies from now on; 0 counts as 1. A client
    /// that left stays gone as long as one of its jobs runs.
    pub fn client_joined(&mut self, client: ClientId, weight: u32) {
        self.client_shares(client, weight, 1);
    }

    /// Like [`Self::client_joined`] for a run that shares one client's part with others: `among` is
    /// the total weight of these runs, including its own. However many runs a client has, together
    /// they get no more than another client's single run.
    pub fn client_shares(&mut self, client: ClientId, weight: u32, among: u32) {
        let entry = self
            .clients
            .entry(client)
            .or_insert_with(|| ScheduledClient {
                presence: ClientPresence::Here,
                jobs: BTreeMap::new(),
                over: BTreeSet::new(),
            });
        if entry.is_here() {
            self.queue.client_joined(client, weight, among);
        }
    }

    /// Sets whether the client's jobs may start. Initially they may.
    pub fn client_gate(&mut self, client: ClientId, gate: ClientAdmission) {
        self.queue.client_gate(client, gate);
    }

    /// Removes a client that left for good. Its waiting jobs are dropped; the returned leases must
    /// be stopped, and occupy their slots until their workers report the end.
    pub fn client_left(&mut self, client: ClientId) -> Vec<Lease> {
        self.queue.client_left(client);
        let Some(entry) = self.clients.get_mut(&client) else {
            return Vec::new();
        };
        entry.presence = ClientPresence::Left;
        entry.over.clear();
        let before = entry.jobs.len();
        let leases = &self.leases;
        let is_leased = |key: &JobKey| leases.contains_key(key);
        entry
            .jobs
            .retain(|job, _| is_leased(&JobKey { client, job: *job }));
        let first = JobKey {
            client,
            job: JobId(0),
        };
        let of_client = self.mishaps.range(first..).map(|(key, _)| *key);
        let of_client = of_client.take_while(|key| key.client == client);
        let waiting: Vec<JobKey> = of_client.filter(|key| !is_leased(key)).collect();
        for key in waiting {
            let mishaps = self.mishaps.remove(&key);
            if let Some(due) = mishaps.and_then(|mishaps| mishaps.due) {
                self.delayed.remove(&(due, key));
            }
        }
        let of_client = self.special.range(first..).map(|(key, _)| *key);
        let of_client = of_client.take_while(|key| key.client == client);
        let waiting: Vec<JobKey> = of_client.filter(|key| !is_leased(key)).collect();
        for key in waiting {
            self.special.remove(&key);
        }
        let left: Vec<JobId> = entry.jobs.keys().copied().collect();
        let gone = before - left.len();
        self.unfinished -= gone;
        self.counters.dropped += gone as u64;
        if left.is_empty() {
            self.clients.remove(&client);
        }
        let keys = left.into_iter().map(|job| JobKey { client, job });
        // The jobs stay known until their leases end, because they occupy a worker.
        keys.filter_map(|key| self.wish(key, ClientIntent::Abandoned))
            .collect()
    }

    /// Submits a job. This is idempotent.
    pub fn submit(
        &mut self,
        key: JobKey,
        demand: JobDemand,
        now: BrokerInstant,
    ) -> Result<SubmitOutcome, SubmitError> {
        let limits = self.limits;
        let kinds = self.queue.kinds_beside(key.client, demand.kind);
        let client = self.clients.get_mut(&key.client);
        let client = client
            .filter(|client| client.is_here())
            .ok_or(SubmitError::UnknownClient)?;
        if client.jobs.contains_key(&key.job) {
            return Ok(SubmitOutcome::Known);
        }
        if client.over.contains(&key.job) {
            return Ok(SubmitOutcome::Over);
        }
        if client.jobs.len() >= limits.jobs_per_client_max {
            let limit = limits.jobs_per_client_max;
            return Err(SubmitError::ClientFull { limit });
        }
        if kinds >= limits.kinds_per_client_max {
            let limit = limits.kinds_per_client_max;
            return Err(SubmitError::TooManyKinds { limit });
        }
        // A client gets its guaranteed jobs even beyond the total limit; otherwise another client
        // that exhausts the limit would lock it out.
        if self.unfinished >= limits.jobs_max && client.jobs.len() >= limits.jobs_guaranteed {
            let limit = limits.jobs_max;
            return Err(SubmitError::BrokerFull { limit });
        }
        let job = ScheduledJob {
            turn: QueueKey::new(demand.rank, self.arrivals),
            since: now,
            kind: demand.kind,
        };
        self.arrivals += 1;
        self.unfinished += 1;
        self.counters.submitted += 1;
        let needs = demand.needs;
        if needs.is_wide() || needs.avoided.is_some() {
            let estimate = demand.rank.estimate;
            let estimate_ms = estimate.map(|it| u64::try_from(it.as_millis()).unwrap_or(u64::MAX));
            let patience_ms = estimate_ms.unwrap_or(limits.patience_ms);
            let special = SpecialNeeds { needs, patience_ms };
            self.special.insert(key, special);
        }
        let group_max = needs.group_max.get();
        self.queue
            .group_joined(key.client, job.kind.group, group_max);
        self.queue.push(key, job.kind, job.turn);
        client.jobs.insert(key.job, job);
        Ok(SubmitOutcome::New)
    }

    /// Remembers a job that is over since before a restart, so that it does not run again.
    pub fn remember_over(&mut self, key: JobKey) {
        if self.job(key).is_none() {
            self.remember(key);
        }
    }

    /// Forgets a job whose outcome the client has acknowledged: the client will not submit it
    /// again.
    pub fn forget_over(&mut self, key: JobKey) {
        if let Some(client) = self.clients.get_mut(&key.client) {
            client.over.remove(&key.job);
        }
    }

    /// Cancels a job that is not over. This is idempotent.
    pub fn cancel(&mut self, key: JobKey) -> CancelOutcome {
        let client = self.clients.get(&key.client);
        if !client.is_some_and(ScheduledClient::is_here) {
            return CancelOutcome::Unknown;
        }
        // The lease continues until its worker reports that the container is gone: then the job is
        // over.
        if let Some(lease) = self.wish(key, ClientIntent::Cancelled) {
            return CancelOutcome::Leased(lease);
        }
        if self.job(key).is_none() {
            return CancelOutcome::Unknown;
        }
        self.unqueue(key);
        self.over(key);
        self.counters.cancelled += 1;
        CancelOutcome::Queued
    }

    /// Sets whether the broker has these inputs. Initially it does not.
    pub fn inputs(&mut self, inputs: InputsId, state: InputAvailability) {
        self.queue.set_inputs(inputs, state);
    }

    /// Retires these inputs: no job will refer to them again.
    pub fn inputs_retired(&mut self, inputs: InputsId) {
        // Missing inputs without jobs and holders take no memory.
        self.queue.set_inputs(inputs, InputAvailability::Missing);
        for worker in self.queue.forget_holders(inputs) {
            if let Some(worker) = self.workers.get_mut(&worker) {
                worker.inputs.remove(&inputs);
            }
        }
    }

    /// Returns the inputs of a job, if it is not over.
    pub fn inputs_of(&self, key: JobKey) -> Option<InputsId> {
        self.job(key).map(|job| job.kind.inputs)
    }

    pub(super) fn job(&self, key: JobKey) -> Option<&ScheduledJob> {
        self.clients.get(&key.client)?.jobs.get(&key.job)
    }

    pub(super) fn mishaps_of(&self, key: JobKey) -> Option<&RetryState> {
        self.mishaps.get(&key)
    }

    pub(super) fn special_of(&self, key: JobKey) -> Option<&SpecialNeeds> {
        match self.special.is_empty() {
            true => None,
            false => self.special.get(&key),
        }
    }

    /// Returns the number of slots that a job takes on a worker.
    pub(super) fn slots_on(&self, key: JobKey, worker: WorkerId) -> u32 {
        let Some(SpecialNeeds { needs, .. }) = self.special_of(key) else {
            return 1;
        };
        let slots = self.workers.get(&worker).map(|worker| worker.offer.slots);
        slots.map_or(1, |slots| needs.slots_on(slots))
    }

    /// Returns the number of lost attempts at a job.
    pub(super) fn lost(&self, key: JobKey) -> u32 {
        let lost = self.mishaps_of(key).map_or(0, |mishaps| mishaps.lost.len());
        u32::try_from(lost).unwrap_or(u32::MAX)
    }

    /// Adds a job to the queue.
    pub(super) fn enqueue(&mut self, key: JobKey) {
        if let Some(mishaps) = self.mishaps.get_mut(&key) {
            mishaps.due = None;
        }
        if let Some(&ScheduledJob { kind, turn, .. }) = self.job(key) {
            self.queue.push(key, kind, turn);
        }
    }

    /// Delays a job until a time.
    pub(super) fn delay(&mut self, key: JobKey, due: BrokerInstant) {
        self.mishaps.entry(key).or_default().due = Some(due);
        self.delayed.insert((due, key));
    }

    /// Removes a job without a lease from the queue or the delayed jobs.
    pub(super) fn unqueue(&mut self, key: JobKey) {
        let mishaps = self.mishaps.get_mut(&key);
        match mishaps.and_then(|mishaps| mishaps.due.take()) {
            Some(due) => {
                self.delayed.remove(&(due, key));
            }
            None => {
                if let Some(&ScheduledJob { kind, turn, .. }) = self.job(key) {
                    self.queue.remove(key.client, kind, turn);
                }
            }
        }
    }

    /// Ends a job that is neither waiting nor leased.
    pub(super) fn over(&mut self, key: JobKey) {
        let Some(client) = self.clients.get_mut(&key.client) else {
            return;
        };
        if let Some(job) = client.jobs.remove(&key.job) {
            self.unfinished -= 1;
            self.queue.group_left(key.client, job.kind.group);
        }
        self.mishaps.remove(&key);
        self.special.remove(&key);
        match client.presence {
            ClientPresence::Here => self.remember(key),
            ClientPresence::Left if client.jobs.is_empty() => {
                self.clients.remove(&key.client);
            }
            ClientPresence::Left => {}
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
}
