//! Workers: which are present, what they can take, and when they are given up.

use super::lease_state::LossReason;
use super::queue::PoolKey;
use super::worker_state::{DrainState, PoolMembership, ScheduledWorker, WorkerPresence, cap};
use super::{
    Architecture, BrokerInstant, CreditOutcome, InputLocality, InputsId, JobScheduler, Lease,
    LeaseEvent, ToolboxId, ToolboxPresence, ToolboxRegistration, WorkerCapacity,
};
use maelstrom_model::ids::WorkerId;

impl JobScheduler {
    /// Adds a new worker process, which holds nothing. The previous worker with this number is
    /// gone, and its leases with it.
    pub fn worker_joined(
        &mut self,
        worker: WorkerId,
        offer: WorkerCapacity,
        now: BrokerInstant,
    ) -> Vec<LeaseEvent> {
        let mut events = Vec::new();
        self.lose_all(worker, LossReason::Vanished, now, &mut events);
        self.forget_worker(worker);
        self.enter(worker, offer, now);
        events
    }

    /// Marks a worker as present, with this capacity; its other state is unchanged.
    pub(super) fn enter(&mut self, id: WorkerId, offer: WorkerCapacity, now: BrokerInstant) {
        // Pools are keyed by architecture, which may have changed.
        self.withdraw(id);
        let offer = WorkerCapacity {
            slots: offer.slots.min(self.limits.slots_per_worker_max),
            ..offer
        };
        let worker = self
            .workers
            .entry(id)
            .or_insert_with(|| ScheduledWorker::new(offer));
        worker.offer = offer;
        worker.presence = WorkerPresence::Here;
        // Its credit belonged to the last connection; until it sets a new one, it gets the maximum.
        worker.ceiling = cap(&self.limits, offer.slots);
        self.extend_deadline(id, now);
    }

    /// Notes that a worker is alive. Any message of the worker shows that.
    pub fn heartbeat(&mut self, worker: WorkerId, now: BrokerInstant) {
        let Some(state) = self.workers.get_mut(&worker) else {
            return;
        };
        match state.presence {
            WorkerPresence::Here | WorkerPresence::Silent => {
                state.presence = WorkerPresence::Here;
                self.extend_deadline(worker, now);
            }
            // The message is from a closed connection.
            WorkerPresence::Gone => {}
        }
    }

    fn extend_deadline(&mut self, id: WorkerId, now: BrokerInstant) {
        let Some(worker) = self.workers.get_mut(&id) else {
            return;
        };
        let deadline = now.plus_ms(self.limits.lease_ttl_ms);
        // A delayed message must not shorten the deadline set by a later one.
        let deadline = worker.deadline.map_or(deadline, |old| old.max(deadline));
        if let Some(old) = worker.deadline.replace(deadline) {
            self.deadlines.remove(&(old, id));
        }
        self.deadlines.insert((deadline, id));
        self.refresh(id);
    }

    /// Sets whether a worker provides a toolbox. This remains until it joins again or is forgotten.
    pub fn worker_offers(
        &mut self,
        worker: WorkerId,
        toolbox: ToolboxId,
        has: ToolboxPresence,
    ) -> ToolboxRegistration {
        let limit = self.limits.kits_per_worker_max;
        let Some(state) = self.workers.get(&worker) else {
            return ToolboxRegistration::Taken;
        };
        if (has == ToolboxPresence::Yes) == state.toolboxes.contains(&toolbox) {
            return ToolboxRegistration::Taken;
        }
        if has == ToolboxPresence::Yes && state.toolboxes.len() >= limit {
            return ToolboxRegistration::TooMany { limit };
        }
        self.withdraw(worker);
        if let Some(state) = self.workers.get_mut(&worker) {
            match has {
                ToolboxPresence::Yes => state.toolboxes.insert(toolbox),
                ToolboxPresence::No => state.toolboxes.remove(&toolbox),
            };
        }
        self.refresh(worker);
        ToolboxRegistration::Taken
    }

    /// Sets whether a worker has inputs in its store: it is preferred for jobs that need them.
    /// Starting such a job implies it.
    pub fn worker_holds(&mut self, worker: WorkerId, inputs: InputsId, holds: InputLocality) {
        match holds {
            InputLocality::Yes => self.note_holder(worker, inputs),
            InputLocality::No => {
                if let Some(state) = self.workers.get_mut(&worker)
                    && state.inputs.remove(&inputs)
                {
                    self.queue.remove_holder(inputs, worker);
                }
            }
        }
    }

    pub(super) fn note_holder(&mut self, worker: WorkerId, inputs: InputsId) {
        let inputs_max = self.limits.inputs_per_worker_max;
        if let Some(state) = self.workers.get_mut(&worker)
            && (state.inputs.contains(&inputs) || state.inputs.len() < inputs_max)
            && state.inputs.insert(inputs)
        {
            self.queue.add_holder(inputs, worker);
        }
    }

    /// Sets a worker's credit: the maximum number of leases that it takes, including those it
    /// holds. Initially it is the highest possible.
    pub fn credit(&mut self, worker: WorkerId, leases: u32) -> CreditOutcome {
        let Some(state) = self.workers.get_mut(&worker) else {
            return CreditOutcome::UnknownWorker;
        };
        let cap = cap(&self.limits, state.offer.slots);
        state.ceiling = leases.min(cap);
        self.refresh(worker);
        if leases <= cap {
            return CreditOutcome::Taken;
        }
        self.counters.capped += 1;
        CreditOutcome::Capped { leases: cap }
    }

    /// Stops granting leases to a worker until it joins again.
    pub fn worker_draining(&mut self, worker: WorkerId) {
        if let Some(state) = self.workers.get_mut(&worker) {
            state.intake = DrainState::Draining;
        }
        self.refresh(worker);
    }

    /// Handles a worker that disconnected. It keeps its leases until they expire, because it may
    /// return.
    pub fn worker_left(&mut self, worker: WorkerId) {
        let Some(state) = self.workers.get_mut(&worker) else {
            return;
        };
        state.presence = WorkerPresence::Gone;
        match state.deadline {
            Some(_) => self.refresh(worker),
            // It was silent, so its leases are already lost.
            None => self.forget_worker(worker),
        }
    }

    /// Handles a worker's deadline, which has been removed from the list.
    pub(super) fn give_up_worker(
        &mut self,
        id: WorkerId,
        now: BrokerInstant,
        events: &mut Vec<LeaseEvent>,
    ) {
        let Some(worker) = self.workers.get_mut(&id) else {
            return;
        };
        // A silent worker gets a new deadline when it sends a message.
        worker.deadline = None;
        match worker.presence {
            WorkerPresence::Here | WorkerPresence::Silent => {
                worker.presence = WorkerPresence::Silent;
                events.push(LeaseEvent::WorkerSilent(id));
                self.refresh(id);
                self.lose_all(id, LossReason::Expired, now, events);
            }
            WorkerPresence::Gone => {
                events.push(LeaseEvent::WorkerForgotten(id));
                self.lose_all(id, LossReason::Expired, now, events);
                self.forget_worker(id);
            }
        }
    }

    fn lose_all(
        &mut self,
        id: WorkerId,
        cause: LossReason,
        now: BrokerInstant,
        events: &mut Vec<LeaseEvent>,
    ) {
        for lease in self.leases_of(id) {
            events.push(self.lose_event(lease, cause, now));
        }
    }

    /// Returns a worker's leases, ordered by job.
    pub fn leases_of(&self, worker: WorkerId) -> Vec<Lease> {
        let keys = self.workers.get(&worker).map(|state| &state.leases);
        let keys = keys.into_iter().flatten();
        keys.filter_map(|key| self.lease_of(*key)).collect()
    }

    /// Returns the number of slots for jobs with these requirements. If there are none, the jobs
    /// wait, which is worth reporting to their client.
    pub fn slots_for(&self, architecture: Architecture, toolbox: Option<ToolboxId>) -> u64 {
        self.queue.slots(PoolKey {
            architecture,
            toolbox,
        })
    }

    /// Forgets a worker that holds nothing.
    fn forget_worker(&mut self, id: WorkerId) {
        self.withdraw(id);
        let Some(worker) = self.workers.remove(&id) else {
            return;
        };
        if let Some(deadline) = worker.deadline {
            self.deadlines.remove(&(deadline, id));
        }
        for inputs in worker.inputs {
            self.queue.remove_holder(inputs, id);
        }
    }

    /// Updates the pools after a change of a worker.
    pub(super) fn refresh(&mut self, id: WorkerId) {
        if let Some(worker) = self.workers.get(&id) {
            self.update_membership(id, worker.supply());
        }
    }

    /// Removes a worker from the pools, before a change of the properties that determine its pools.
    fn withdraw(&mut self, id: WorkerId) {
        self.update_membership(id, PoolMembership::default());
    }

    fn update_membership(&mut self, id: WorkerId, supply: PoolMembership) {
        let Some(worker) = self.workers.get_mut(&id) else {
            return;
        };
        if worker.told == supply {
            return;
        }
        let before = std::mem::replace(&mut worker.told, supply);
        let architecture = worker.offer.architecture;
        let toolboxes = worker.toolboxes.iter().map(|toolbox| Some(*toolbox));
        for toolbox in std::iter::once(None).chain(toolboxes) {
            let pool = PoolKey {
                architecture,
                toolbox,
            };
            self.queue
                .set_supply(pool, id, before.load, supply.slots, supply.load);
        }
    }
}
