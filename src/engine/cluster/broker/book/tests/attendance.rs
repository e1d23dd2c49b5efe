//! The model's idea of a worker: whether it is there, and what it takes.

use super::*;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Presence {
    Here,
    Silent,
    Gone,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Intake {
    Open,
    Draining,
}

/// What a worker's leaving means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Left {
    /// It may come back.
    Remembered,
    /// Its leases were over already.
    Forgotten,
}

/// A worker as it was said to be.
#[derive(Clone, Debug)]
pub(super) struct Attendance {
    pub(super) offer: Offer,
    pub(super) ceiling: u32,
    pub(super) kits: BTreeSet<KitId>,
    presence: Presence,
    intake: Intake,
    heard: Moment,
}

impl Attendance {
    pub(super) fn new(offer: Offer, now: Moment) -> Attendance {
        Attendance {
            offer,
            ceiling: 0,
            kits: BTreeSet::new(),
            presence: Presence::Here,
            intake: Intake::Open,
            heard: now,
        }
    }

    pub(super) fn entered(&mut self, offer: Offer, ceiling: u32, now: Moment) {
        self.offer = offer;
        self.ceiling = ceiling;
        self.presence = Presence::Here;
        self.heard = self.heard.max(now);
    }

    pub(super) fn heard(&mut self, now: Moment) {
        match self.presence {
            Presence::Here | Presence::Silent => {
                self.presence = Presence::Here;
                self.heard = self.heard.max(now);
            }
            Presence::Gone => {}
        }
    }

    pub(super) fn drains(&mut self) {
        self.intake = Intake::Draining;
    }

    pub(super) fn left(&mut self) -> Left {
        let before = std::mem::replace(&mut self.presence, Presence::Gone);
        match before {
            Presence::Here | Presence::Gone => Left::Remembered,
            Presence::Silent => Left::Forgotten,
        }
    }

    /// The book says that nothing was heard of it.
    pub(super) fn silent(&mut self, now: Moment, ttl_ms: u64) {
        assert!(self.is_expired(now, ttl_ms));
        assert_eq!(self.presence, Presence::Here);
        self.presence = Presence::Silent;
    }

    /// The book says that it has forgotten it.
    pub(super) fn gone(&self, now: Moment, ttl_ms: u64) {
        assert!(self.is_expired(now, ttl_ms));
        assert_eq!(self.presence, Presence::Gone);
    }

    pub(super) fn is_expired(&self, now: Moment, ttl_ms: u64) -> bool {
        self.heard.plus_ms(ttl_ms) <= now
    }

    pub(super) fn serves(&self) -> bool {
        self.presence == Presence::Here && self.intake == Intake::Open
    }
}
