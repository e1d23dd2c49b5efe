//! The model's view of a worker: whether it is present, and what it takes.

use super::*;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ModelPresence {
    Here,
    Silent,
    Gone,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ModelDrainState {
    Open,
    Draining,
}

/// The effect of a worker's leaving.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum LeaveOutcome {
    /// It may return.
    Remembered,
    /// Its leases were already over.
    Forgotten,
}

/// A worker as it was said to be.
#[derive(Clone, Debug)]
pub(super) struct ModelWorker {
    pub(super) offer: WorkerCapacity,
    pub(super) ceiling: u32,
    pub(super) toolboxes: BTreeSet<ToolboxId>,
    presence: ModelPresence,
    intake: ModelDrainState,
    heard: BrokerInstant,
}

impl ModelWorker {
    pub(super) fn new(offer: WorkerCapacity, now: BrokerInstant) -> ModelWorker {
        ModelWorker {
            offer,
            ceiling: 0,
            toolboxes: BTreeSet::new(),
            presence: ModelPresence::Here,
            intake: ModelDrainState::Open,
            heard: now,
        }
    }

    pub(super) fn entered(&mut self, offer: WorkerCapacity, ceiling: u32, now: BrokerInstant) {
        self.offer = offer;
        self.ceiling = ceiling;
        self.presence = ModelPresence::Here;
        self.heard = self.heard.max(now);
    }

    pub(super) fn on_heartbeat(&mut self, now: BrokerInstant) {
        match self.presence {
            ModelPresence::Here | ModelPresence::Silent => {
                self.presence = ModelPresence::Here;
                self.heard = self.heard.max(now);
            }
            ModelPresence::Gone => {}
        }
    }

    pub(super) fn drains(&mut self) {
        self.intake = ModelDrainState::Draining;
    }

    pub(super) fn left(&mut self) -> LeaveOutcome {
        let before = std::mem::replace(&mut self.presence, ModelPresence::Gone);
        match before {
            ModelPresence::Here | ModelPresence::Gone => LeaveOutcome::Remembered,
            ModelPresence::Silent => LeaveOutcome::Forgotten,
        }
    }

    /// The scheduler reports it as silent.
    pub(super) fn silent(&mut self, now: BrokerInstant, ttl_ms: u64) {
        assert!(self.is_expired(now, ttl_ms));
        assert_eq!(self.presence, ModelPresence::Here);
        self.presence = ModelPresence::Silent;
    }

    /// The scheduler reports it as forgotten.
    pub(super) fn gone(&self, now: BrokerInstant, ttl_ms: u64) {
        assert!(self.is_expired(now, ttl_ms));
        assert_eq!(self.presence, ModelPresence::Gone);
    }

    pub(super) fn is_expired(&self, now: BrokerInstant, ttl_ms: u64) -> bool {
        self.heard.plus_ms(ttl_ms) <= now
    }

    pub(super) fn serves(&self) -> bool {
        self.presence == ModelPresence::Here && self.intake == ModelDrainState::Open
    }
}

/// The most leases that a worker may have.
pub(super) fn cap(limits: &SchedulerLimits, slots: u32) -> u32 {
    match slots {
        0 => 0,
        slots => slots + limits.prefetch_per_worker,
    }
}
