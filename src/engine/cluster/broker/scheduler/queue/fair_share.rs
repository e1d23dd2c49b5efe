//! Fairness between clients: start-time fair queueing over slot time.
//!
//! Every client has an account for each architecture (workers of different ones are never in
//! competition). A lease is charged in advance with what the client's jobs took on average, divided
//! by its weight. The client with the lowest account is next. A newcomer begins one charge above
//! the clock, which is where the last lease was given: it waits for about one round, not for
//! anybody's backlog, and an endless stream of newcomers cannot keep the others out.
//!
//! Invariants:
//! - An account never falls.
//! - Where the same clients wait all the time, leases times their charge are shared by weight.
//! - No account that is served stays further behind the clock than [`SchedulerLimits::lag_max_ms`], so what
//!   a client did not get while its workers were busy does not stop the others for long.

use crate::broker::scheduler::SchedulerLimits;

/// Slot time at weight 1, in microseconds: fine enough for the smallest charge at the greatest
/// weight.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct VirtualTime(u64);

/// What part of the slot time is a client's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ShareWeight {
    pub(super) weight: u32,
    /// Of how many that weight is meant: 1, or the weights of all runs that share what one has.
    pub(super) among: u32,
}

const MICROS_PER_MILLI: u64 = 1000;

/// A new duration counts for an eighth of the average, so one long job does not change a client's
/// place, and a suite whose jobs become longer is found out after a few.
const MEMORY: u64 = 8;

/// A client's account.
#[derive(Clone, Copy, Debug)]
pub(super) struct FairShare {
    account: VirtualTime,
    /// What its jobs take, in milliseconds, as an average that forgets.
    mean_ms: u64,
    /// How many of its lanes are listed; none means that the client is idle.
    pub(super) lanes: usize,
}

impl FairShare {
    pub(super) fn new(limits: &SchedulerLimits) -> FairShare {
        FairShare {
            account: VirtualTime::default(),
            mean_ms: limits.charge_unknown_ms,
            lanes: 0,
        }
    }

    pub(super) fn account(&self) -> VirtualTime {
        self.account
    }

    fn charge(&self, portion: ShareWeight, limits: &SchedulerLimits) -> u64 {
        let weight = u64::from(portion.weight.clamp(1, limits.weight_max.max(1)));
        let charged_ms = self.mean_ms.min(limits.charge_max_ms).max(1);
        let among = u64::from(portion.among.max(1));
        let charged = charged_ms.saturating_mul(MICROS_PER_MILLI);
        (charged.saturating_mul(among) / weight).max(1)
    }

    /// The client has something to run again.
    pub(super) fn begin(
        &mut self,
        clock: VirtualTime,
        portion: ShareWeight,
        limits: &SchedulerLimits,
    ) {
        let entry = clock.0.saturating_add(self.charge(portion, limits));
        self.account = self.account.max(VirtualTime(entry));
    }

    /// The client gets a lease. Moves the clock.
    pub(super) fn serve(
        &mut self,
        clock: &mut VirtualTime,
        portion: ShareWeight,
        limits: &SchedulerLimits,
    ) {
        let lag_max = limits.lag_max_ms.saturating_mul(MICROS_PER_MILLI);
        let start = self
            .account
            .max(VirtualTime(clock.0.saturating_sub(lag_max)));
        // Clients that lag behind are served with accounts below it, and must not turn it back.
        *clock = start.max(*clock);
        self.account = VirtualTime(start.0.saturating_add(self.charge(portion, limits)));
    }

    /// A job of the client had a slot for so long.
    pub(super) fn learn(&mut self, took_ms: u64, limits: &SchedulerLimits) {
        let took_ms = took_ms.min(limits.charge_max_ms);
        let sum = self.mean_ms * (MEMORY - 1) + took_ms;
        // Rounded, or short jobs would be taken for a few milliseconds shorter than they are.
        self.mean_ms = (sum + MEMORY / 2) / MEMORY;
    }
}
