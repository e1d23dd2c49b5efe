//! Grants: decides which job is next, and on which worker.
//!
//! The job is the queue's head. Its worker is, in order of preference, one with a free slot, one
//! that holds the inputs (among a few candidates), and the least loaded. A job that has lost an
//! attempt goes to a worker that has not failed it, and a job that avoids a worker to another one;
//! while all such workers are busy, it waits for them, for a limited time.
//!
//! A job that takes several slots goes, among a few of the least loaded workers, to one that has as
//! many, if possible free ones. It gets its lease even if they are not free: its worker starts
//! nothing else until they are. So only one worker waits for it, and it waits for no more than what
//! that worker runs.

use std::collections::BTreeSet;

use super::queue::{PoolKey, QueueHead, WorkerLoad};
use super::{BrokerInstant, FencingToken, InputsId, JobScheduler, Lease, LeaseGrant, WorkerNeeds};
use maelstrom_model::ids::WorkerId;

/// The placement of a job.
enum PlacementDecision {
    On(WorkerId),
    /// No worker now: only workers that have failed it, or that it avoids, have room, and another
    /// may have some soon.
    Later {
        again: BrokerInstant,
        patient_until: BrokerInstant,
    },
}

impl JobScheduler {
    /// Grants leases until nothing can start or `max` have been granted. The leases are recorded as
    /// granted, and must be sent.
    pub fn grants(&mut self, now: BrokerInstant, max: usize) -> Vec<LeaseGrant> {
        let mut grants = Vec::new();
        while grants.len() < max
            && let Some(front) = self.queue.front()
        {
            match self.place(&front, now) {
                Some(PlacementDecision::On(worker)) => grants.push(self.grant(&front, worker)),
                Some(PlacementDecision::Later {
                    again,
                    patient_until,
                }) => {
                    let key = front.key();
                    self.queue.remove(key.client, front.kind, front.turn);
                    self.mishaps.entry(key).or_default().patient_until = patient_until;
                    // Delayed, because at the head it would block all others.
                    self.delay(key, again);
                }
                None => break,
            }
        }
        grants
    }

    fn grant(&mut self, front: &QueueHead, worker: WorkerId) -> LeaseGrant {
        let fence = self.next_fence;
        self.next_fence = FencingToken(fence.0.saturating_add(1));
        let slots = self.slots_on(front.key(), worker);
        self.queue.serve(front, slots);
        let lease = Lease {
            key: front.key(),
            worker,
            fence,
        };
        self.lease(lease, front.kind, None);
        self.counters.granted += 1;
        LeaseGrant {
            lease,
            attempt: self.lost(lease.key).saturating_add(1),
        }
    }

    fn place(&self, front: &QueueHead, now: BrokerInstant) -> Option<PlacementDecision> {
        let key = front.key();
        let special = self.special_of(key);
        let avoided = special.and_then(|special| special.needs.avoided);
        let mishaps = self.mishaps_of(key);
        let failed = mishaps.filter(|mishaps| !mishaps.lost.is_empty());
        if failed.is_none() && avoided.is_none() {
            return self.choose(front, &|_| true).map(PlacementDecision::On);
        }
        let has_failed = |id: WorkerId| failed.is_some_and(|mishaps| mishaps.has_failed_on(id));
        let may = |id: WorkerId| avoided != Some(id) && !has_failed(id);
        if let Some(worker) = self.choose(front, &may) {
            return Some(PlacementDecision::On(worker));
        }
        let pool = self.queue.pool(PoolKey::from(front.kind))?;
        let failed = failed.iter().flat_map(|mishaps| &mishaps.lost);
        let unwanted: BTreeSet<WorkerId> = failed.map(|(id, _)| *id).chain(avoided).collect();
        let unwanted = unwanted.iter().filter(|id| pool.serving.contains_key(id));
        let patient_until = mishaps.map(|mishaps| mishaps.patient_until);
        // A job that has lost no attempt begins to wait now.
        let patient_until = patient_until.filter(|until| *until > BrokerInstant::default());
        let patience_ms = special.map_or(0, |special| special.patience_ms);
        let patient_until = patient_until.unwrap_or_else(|| now.plus_ms(patience_ms));
        if pool.serving.len() > unwanted.count() && now < patient_until {
            let look_again = now.plus_ms(self.limits.look_again_ms.max(1));
            let again = look_again.min(patient_until);
            return Some(PlacementDecision::Later {
                again,
                patient_until,
            });
        }
        self.choose(front, &|_| true).map(PlacementDecision::On)
    }

    /// Returns the best worker with room that may run the job.
    fn choose(&self, front: &QueueHead, may: &dyn Fn(WorkerId) -> bool) -> Option<WorkerId> {
        let key = PoolKey::from(front.kind);
        let pool = self.queue.pool(key)?;
        let emptiest = pool.available.iter();
        let mut emptiest = emptiest.filter(|(load, id)| pool.takes(*load) && may(*id));
        let &(least, first) = emptiest.next()?;
        let probes = self.limits.placement_probes;
        if let Some(special) = self.special_of(front.key())
            && special.needs.is_wide()
        {
            let near = emptiest.take(probes).map(|(load, id)| (*load, *id));
            let near = std::iter::once((least, first)).chain(near);
            return self.roomiest(front, &special.needs, near);
        }
        let alike = |load: WorkerLoad| load.has_free_slot() == least.has_free_slot();
        let near = emptiest.take(probes).take_while(|(load, _)| alike(*load));
        let mut near = std::iter::once(first).chain(near.map(|(_, id)| *id));
        if let Some(holder) = near.find(|id| self.holds(*id, front.kind.inputs)) {
            return Some(holder);
        }
        let holders = self.queue.holders(front.kind.inputs).take(probes);
        let able = holders.filter(|id| may(*id)).filter_map(|id| {
            let worker = self.workers.get(&id)?;
            let load = worker.load().filter(|load| alike(*load))?;
            worker.offers(key).then_some((load, id))
        });
        Some(able.min().map_or(first, |(_, id)| id))
    }

    /// Returns the worker that suits a job of several slots best.
    fn roomiest(
        &self,
        front: &QueueHead,
        needs: &WorkerNeeds,
        near: impl Iterator<Item = (WorkerLoad, WorkerId)>,
    ) -> Option<WorkerId> {
        let rated = near.filter_map(|(load, id)| {
            let worker = self.workers.get(&id)?;
            let all = u64::from(worker.offer.slots);
            let free = all.saturating_sub(worker.slots_taken);
            let lacks_slots = all < u64::from(needs.weight.get());
            let must_wait = free < u64::from(needs.slots_on(worker.offer.slots));
            let lacks_inputs = !self.holds(id, front.kind.inputs);
            Some((lacks_slots, must_wait, lacks_inputs, load, id))
        });
        rated.min().map(|(.., id)| id)
    }

    fn holds(&self, worker: WorkerId, inputs: InputsId) -> bool {
        let worker = self.workers.get(&worker);
        worker.is_some_and(|worker| worker.inputs.contains(&inputs))
    }
}
