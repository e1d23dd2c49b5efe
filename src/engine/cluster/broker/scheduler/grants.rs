//! Grants: decides which job is next, and on which worker.
//!
//! The job is the queue's head. Its worker is, in order of preference, one with a free slot, one
//! that holds the inputs (among a few candidates), and the least loaded. A job that has lost an
//! attempt goes to a worker that has not failed it; while all such workers are busy, it waits for
//! them, for a limited time.

use std::collections::BTreeSet;

use super::client_state::RetryState;
use super::queue::{PoolKey, QueueHead, WorkerLoad};
use super::{BrokerInstant, FencingToken, InputsId, JobScheduler, Lease, LeaseGrant};
use maelstrom_model::ids::WorkerId;

/// The placement of a job.
enum PlacementDecision {
    On(WorkerId),
    /// No worker now: only workers that have failed it have room, and another may have some soon.
    Later(BrokerInstant),
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
                Some(PlacementDecision::Later(due)) => {
                    self.queue
                        .remove(front.key().client, front.kind, front.turn);
                    // Delayed, because at the head it would block all others.
                    self.delay(front.key(), due);
                }
                None => break,
            }
        }
        grants
    }

    fn grant(&mut self, front: &QueueHead, worker: WorkerId) -> LeaseGrant {
        let fence = self.next_fence;
        self.next_fence = FencingToken(fence.0.saturating_add(1));
        self.queue.serve(front);
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
        let pool = self.queue.pool(PoolKey::from(front.kind))?;
        let mishaps = self.mishaps_of(front.key());
        let Some(mishaps) = mishaps.filter(|mishaps| !mishaps.lost.is_empty()) else {
            return self.choose(front, None).map(PlacementDecision::On);
        };
        if let Some(worker) = self.choose(front, Some(mishaps)) {
            return Some(PlacementDecision::On(worker));
        }
        let failed: BTreeSet<WorkerId> = mishaps.lost.iter().map(|(worker, _)| *worker).collect();
        let failed = failed.iter().filter(|id| pool.serving.contains_key(id));
        if pool.serving.len() > failed.count() && now < mishaps.patient_until {
            let look_again = now.plus_ms(self.limits.look_again_ms.max(1));
            return Some(PlacementDecision::Later(
                look_again.min(mishaps.patient_until),
            ));
        }
        self.choose(front, None).map(PlacementDecision::On)
    }

    /// Returns the best worker with room that has not failed the job.
    fn choose(&self, front: &QueueHead, mishaps: Option<&RetryState>) -> Option<WorkerId> {
        let key = PoolKey::from(front.kind);
        let pool = self.queue.pool(key)?;
        let may = |id: &WorkerId| mishaps.is_none_or(|mishaps| !mishaps.has_failed_on(*id));
        let emptiest = pool.available.iter();
        let mut emptiest = emptiest.filter(|(load, id)| pool.takes(*load) && may(id));
        let &(least, first) = emptiest.next()?;
        let probes = self.limits.placement_probes;
        let alike = |load: WorkerLoad| load.has_free_slot() == least.has_free_slot();
        let near = emptiest.take(probes).take_while(|(load, _)| alike(*load));
        let mut near = std::iter::once(first).chain(near.map(|(_, id)| *id));
        if let Some(holder) = near.find(|id| self.holds(*id, front.kind.inputs)) {
            return Some(holder);
        }
        let holders = self.queue.holders(front.kind.inputs).take(probes);
        let able = holders.filter(may).filter_map(|id| {
            let worker = self.workers.get(&id)?;
            let load = worker.load().filter(|load| alike(*load))?;
            worker.offers(key).then_some((load, id))
        });
        Some(able.min().map_or(first, |(_, id)| id))
    }

    fn holds(&self, worker: WorkerId, inputs: InputsId) -> bool {
        let worker = self.workers.get(&worker);
        worker.is_some_and(|worker| worker.inputs.contains(&inputs))
    }
}
