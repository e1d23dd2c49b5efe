//! Workers: who is there, what they can take, and when they are given up.

use std::collections::BTreeSet;

use super::leases::Cause;
use super::queue::{Load, PoolKey};
use super::{
    Architecture, Book, Credit, Event, HasKit, Holds, InputsId, JobKey, KitId, Lease, Limits,
    Moment, Offer, Offered,
};
use maelstrom_model::ids::WorkerId;

#[derive(Debug)]
pub(super) struct Worker {
    pub(super) offer: Offer,
    pub(super) presence: Presence,
    pub(super) intake: Intake,
    /// The most leases it takes, as it said; never above [`cap`].
    pub(super) ceiling: u32,
    deadline: Option<Moment>,
    pub(super) leases: BTreeSet<JobKey>,
    kits: BTreeSet<KitId>,
    pub(super) inputs: BTreeSet<InputsId>,
    /// What the pools were told last.
    told: Supply,
}

/// Whether anything is heard of a worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Presence {
    Here,
    /// Connected, but it said nothing for too long.
    Silent,
    /// Its connection is gone. It may come back until its deadline.
    Gone,
}

/// Whether a worker takes leases.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Intake {
    Open,
    Draining,
}

/// What a worker means to the pools.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Supply {
    /// Its slots, if it serves at all.
    slots: Option<u32>,
    /// How full it is, if it can take a lease now.
    load: Option<Load>,
}

/// The most leases that a worker may have.
pub(super) fn cap(limits: &Limits, slots: u32) -> u32 {
    match slots {
        0 => 0,
        slots => slots.saturating_add(limits.prefetch_per_worker),
    }
}

impl Worker {
    fn new(offer: Offer) -> Worker {
        Worker {
            offer,
            presence: Presence::Here,
            intake: Intake::Open,
            ceiling: 0,
            deadline: None,
            leases: BTreeSet::new(),
            kits: BTreeSet::new(),
            inputs: BTreeSet::new(),
            told: Supply::default(),
        }
    }

    fn supply(&self) -> Supply {
        let serves = self.presence == Presence::Here && self.intake == Intake::Open;
        if !serves || self.ceiling == 0 {
            return Supply::default();
        }
        let slots = self.offer.slots;
        let is_full = self.leases.len() >= self.ceiling as usize;
        Supply {
            slots: Some(slots),
            load: (!is_full).then(|| Load::new(self.leases.len(), slots)),
        }
    }

    pub(super) fn offers(&self, pool: PoolKey) -> bool {
        pool.architecture == self.offer.architecture
            && pool.kit.is_none_or(|kit| self.kits.contains(&kit))
    }

    /// How full it is, if it can take a lease now.
    pub(super) fn load(&self) -> Option<Load> {
        self.told.load
    }
}

impl Book {
    /// A process of a worker is there that was not before: it holds nothing. Whatever was known
    /// under its number is over, and the leases with it.
    pub fn worker_joined(&mut self, worker: WorkerId, offer: Offer, now: Moment) -> Vec<Event> {
        let mut events = Vec::new();
        self.lose_all(worker, Cause::Vanished, now, &mut events);
        self.forget_worker(worker);
        self.enter(worker, offer, now);
        events
    }

    /// Puts a worker down as present, with an offer; what is known of it otherwise stays.
    pub(super) fn enter(&mut self, id: WorkerId, offer: Offer, now: Moment) {
        self.withdraw(id);
        let offer = Offer {
            slots: offer.slots.min(self.limits.slots_per_worker_max),
            ..offer
        };
        let worker = self.workers.entry(id).or_insert_with(|| Worker::new(offer));
        worker.offer = offer;
        worker.presence = Presence::Here;
        worker.ceiling = cap(&self.limits, offer.slots);
        self.heard(id, now);
    }

    /// A worker lives. Any message says so.
    pub fn heartbeat(&mut self, worker: WorkerId, now: Moment) {
        let Some(state) = self.workers.get_mut(&worker) else {
            return;
        };
        match state.presence {
            Presence::Here | Presence::Silent => {
                state.presence = Presence::Here;
                self.heard(worker, now);
            }
            // Word from a connection that is over.
            Presence::Gone => {}
        }
    }

    fn heard(&mut self, id: WorkerId, now: Moment) {
        let Some(worker) = self.workers.get_mut(&id) else {
            return;
        };
        let deadline = now.plus_ms(self.limits.lease_ttl_ms);
        // Word that was held up on its way doesn't shorten what later word has given.
        let deadline = worker.deadline.map_or(deadline, |old| old.max(deadline));
        if let Some(old) = worker.deadline.replace(deadline) {
            self.deadlines.remove(&(old, id));
        }
        self.deadlines.insert((deadline, id));
        self.refresh(id);
    }

    /// Whether a worker has a toolbox. What was said of it stays until it joins anew or is
    /// forgotten.
    pub fn worker_offers(&mut self, worker: WorkerId, kit: KitId, has: HasKit) -> Offered {
        let limit = self.limits.kits_per_worker_max;
        let Some(state) = self.workers.get(&worker) else {
            return Offered::Taken;
        };
        if (has == HasKit::Yes) == state.kits.contains(&kit) {
            return Offered::Taken;
        }
        if has == HasKit::Yes && state.kits.len() >= limit {
            return Offered::TooMany { limit };
        }
        self.withdraw(worker);
        if let Some(state) = self.workers.get_mut(&worker) {
            match has {
                HasKit::Yes => state.kits.insert(kit),
                HasKit::No => state.kits.remove(&kit),
            };
        }
        self.refresh(worker);
        Offered::Taken
    }

    /// Whether a worker has inputs in its store already: it is preferred for jobs that need them.
    /// Starting such a job says so, too.
    pub fn worker_holds(&mut self, worker: WorkerId, inputs: InputsId, holds: Holds) {
        match holds {
            Holds::Yes => self.note_holder(worker, inputs),
            Holds::No => {
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

    /// How many leases a worker takes at most, those it holds included; replaces what it said
    /// before. Until it says something it is as much as it may.
    pub fn credit(&mut self, worker: WorkerId, leases: u32) -> Credit {
        let Some(state) = self.workers.get_mut(&worker) else {
            return Credit::UnknownWorker;
        };
        let cap = cap(&self.limits, state.offer.slots);
        state.ceiling = leases.min(cap);
        self.refresh(worker);
        if leases <= cap {
            return Credit::Taken;
        }
        self.counters.capped += 1;
        Credit::Capped { leases: cap }
    }

    /// A worker gets no further lease until it joins anew.
    pub fn worker_draining(&mut self, worker: WorkerId) {
        if let Some(state) = self.workers.get_mut(&worker) {
            state.intake = Intake::Draining;
        }
        self.refresh(worker);
    }

    /// A worker's connection is gone. It keeps its leases for as long as they live, since it may
    /// come back.
    pub fn worker_left(&mut self, worker: WorkerId) {
        let Some(state) = self.workers.get_mut(&worker) else {
            return;
        };
        state.presence = Presence::Gone;
        match state.deadline {
            Some(_) => self.refresh(worker),
            None => self.forget_worker(worker),
        }
    }

    /// A worker's deadline has come, and was taken off the list.
    pub(super) fn give_up_worker(&mut self, id: WorkerId, now: Moment, events: &mut Vec<Event>) {
        let Some(worker) = self.workers.get_mut(&id) else {
            return;
        };
        worker.deadline = None;
        match worker.presence {
            Presence::Here | Presence::Silent => {
                worker.presence = Presence::Silent;
                events.push(Event::WorkerSilent(id));
                self.refresh(id);
                self.lose_all(id, Cause::Expired, now, events);
            }
            Presence::Gone => {
                events.push(Event::WorkerForgotten(id));
                self.lose_all(id, Cause::Expired, now, events);
                self.forget_worker(id);
            }
        }
    }

    fn lose_all(&mut self, id: WorkerId, cause: Cause, now: Moment, events: &mut Vec<Event>) {
        for lease in self.leases_of(id) {
            events.push(self.lose_event(lease, cause, now));
        }
    }

    /// What a worker holds, in the order of the jobs.
    pub fn leases_of(&self, worker: WorkerId) -> Vec<Lease> {
        let keys = self.workers.get(&worker).map(|state| &state.leases);
        let keys = keys.into_iter().flatten();
        keys.filter_map(|key| self.lease_of(*key)).collect()
    }

    /// How many slots there are for jobs that need this. If there are none they wait, which is worth
    /// telling their client.
    pub fn slots_for(&self, architecture: Architecture, kit: Option<KitId>) -> u64 {
        self.queue.slots(PoolKey { architecture, kit })
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

    /// Tells the pools what has changed about a worker.
    pub(super) fn refresh(&mut self, id: WorkerId) {
        if let Some(worker) = self.workers.get(&id) {
            self.tell(id, worker.supply());
        }
    }

    /// Takes a worker out of the pools, before what decides in which it belongs changes.
    fn withdraw(&mut self, id: WorkerId) {
        self.tell(id, Supply::default());
    }

    fn tell(&mut self, id: WorkerId, supply: Supply) {
        let Some(worker) = self.workers.get_mut(&id) else {
            return;
        };
        if worker.told == supply {
            return;
        }
        let before = std::mem::replace(&mut worker.told, supply);
        let architecture = worker.offer.architecture;
        let kits = worker.kits.iter().map(|kit| Some(*kit));
        for kit in std::iter::once(None).chain(kits) {
            let pool = PoolKey { architecture, kit };
            self.queue
                .set_supply(pool, id, before.load, supply.slots, supply.load);
        }
    }
}
