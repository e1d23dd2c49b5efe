//! Workers that return, after their connection broke or the broker restarted, with leases that have
//! continued in the meantime.

use super::lease_state::{ClientIntent, LossReason};
use super::worker_state::cap;
use super::{
    BrokerInstant, FencingToken, JobKey, JobScheduler, Lease, ResumePlan, SchedulingClass,
    WorkerCapacity,
};
use maelstrom_model::ids::WorkerId;

impl JobScheduler {
    /// Handles a worker process that returned, or is known from before a restart of the broker.
    /// `held` are the leases that it names: all whose end was not acknowledged.
    ///
    /// Valid leases continue. So does a waiting job whose lease had expired, or is from before the
    /// restart. The others must be stopped. Leases that the worker should hold and does not name
    /// return to the queue, without penalty if they never started, because they may not have
    /// arrived.
    pub fn worker_resumed(
        &mut self,
        worker: WorkerId,
        offer: WorkerCapacity,
        held: &[(JobKey, FencingToken)],
        now: BrokerInstant,
    ) -> ResumePlan {
        self.enter(worker, offer, now);
        let mut resumed = ResumePlan::default();
        let mut held: Vec<(JobKey, FencingToken)> = held.to_vec();
        // Of two attempts at one job the later one is kept.
        held.sort_unstable_by_key(|(key, fence)| (std::cmp::Reverse(*fence), *key));
        held.dedup();
        // First, so that the slots of lost leases are free for those adopted below.
        self.drop_unheld(worker, &held, now, &mut resumed);
        self.drop_excess(worker, now, &mut resumed);
        for (key, fence) in held {
            let lease = Lease { key, worker, fence };
            if resumed.stop.contains(&lease) {
                continue;
            }
            let state = self.leases.get(&key);
            let state = state.map(|state| (state.of(key) == lease, state.wish));
            match state {
                Some((true, ClientIntent::Wanted)) => resumed.keep.push(lease),
                Some((true, ClientIntent::Cancelled | ClientIntent::Abandoned)) => {
                    resumed.cancel.push(lease)
                }
                Some((false, _)) => resumed.stop.push(lease),
                None => match self.adoptable(lease) {
                    Some(kind) => {
                        self.unqueue(key);
                        self.lease(lease, kind, Some(now));
                        self.counters.adopted += 1;
                        resumed.keep.push(lease);
                    }
                    None => resumed.stop.push(lease),
                },
            }
        }
        resumed
    }

    /// Loses leases that the worker did not name.
    fn drop_unheld(
        &mut self,
        worker: WorkerId,
        held: &[(JobKey, FencingToken)],
        now: BrokerInstant,
        resumed: &mut ResumePlan,
    ) {
        for lease in self.leases_of(worker) {
            let sought = (std::cmp::Reverse(lease.fence), lease.key);
            let found = held
                .binary_search_by_key(&sought, |(key, fence)| (std::cmp::Reverse(*fence), *key));
            if found.is_err() {
                let event = self.lose_event(lease, self.cause(lease.key), now);
                resumed.events.push(event);
            }
        }
    }

    /// Loses leases beyond its slots, if it returned with fewer.
    fn drop_excess(&mut self, worker: WorkerId, now: BrokerInstant, resumed: &mut ResumePlan) {
        let room = self.room(worker);
        for lease in self.leases_of(worker).into_iter().skip(room) {
            let event = self.lose_event(lease, self.cause(lease.key), now);
            resumed.events.push(event);
            resumed.stop.push(lease);
        }
    }

    /// Returns why a lease that its worker lacks is lost.
    fn cause(&self, key: JobKey) -> LossReason {
        match self.leases.get(&key).and_then(|lease| lease.started) {
            Some(_) => LossReason::Vanished,
            None => LossReason::Unstarted,
        }
    }

    /// Returns the maximum number of leases that a worker may have.
    fn room(&self, worker: WorkerId) -> usize {
        let slots = self.workers.get(&worker).map(|state| state.offer.slots);
        slots.map_or(0, |slots| cap(&self.limits, slots) as usize)
    }

    /// Returns the class of a job without a lease, if this lease can be adopted: the job waits, its
    /// worker had it and has room for it, and so has its group. The holders of fences from before a restart are
    /// unknown, so each of those is accepted once.
    fn adoptable(&self, lease: Lease) -> Option<SchedulingClass> {
        let job = self.job(lease.key)?;
        let was_given = match lease.fence < self.first_fence {
            true => !self.old_fences.contains(&lease.fence),
            false => self
                .mishaps_of(lease.key)
                .is_some_and(|mishaps| mishaps.lost.contains(&(lease.worker, lease.fence))),
        };
        let holds = self.workers.get(&lease.worker)?.leases.len();
        let has_room = holds < self.room(lease.worker)
            && self.queue.has_group_room(lease.key.client, job.kind.group);
        (was_given && has_room).then_some(job.kind)
    }
}
