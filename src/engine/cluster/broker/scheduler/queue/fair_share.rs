//! Fairness between clients: start-time fair queueing over slot time.
//!
//! Every client has an account for each architecture, because workers of different ones never
//! compete. A lease is charged in advance with the average slot time of the client's jobs, times the
//! slots that it takes, divided by the client's weight. The client with the lowest account is next. A new client starts one charge above
//! the clock, which is where the last lease was granted: it waits for about one round, not for
//! another client's backlog, and an endless stream of new clients cannot lock out the others.
//!
//! Invariants:
//! - An account never decreases.
//! - While the same clients have waiting jobs, leases times their charge are shared by weight.
//! - No served account stays further behind the clock than [`SchedulerLimits::lag_max_ms`], so what
//!   a client missed while its workers were busy does not delay the others for long.

use crate::broker::scheduler::SchedulerLimits;

/// Slot time at weight 1, in microseconds: fine enough for the smallest charge at the greatest
/// weight.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct VirtualTime(u64);

/// A client's share of the slot time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ShareWeight {
    pub(super) weight: u32,
    /// The total that the weight is part of: 1, or the weights of all runs that share one client's
    /// part.
    pub(super) among: u32,
}

const MICROS_PER_MILLI: u64 = 1000;

/// A new duration counts for one eighth of the average, so that one long job does not change a
/// client's place, and a suite whose jobs become longer is noticed after a few jobs.
const MEMORY: u64 = 8;

/// A client's account.
#[derive(Clone, Copy, Debug)]
pub(super) struct FairShare {
    account: VirtualTime,
    /// The exponentially weighted average slot time of its jobs, in milliseconds.
    mean_ms: u64,
    /// The number of its ready queues that are listed; if there are none, the client is idle.
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

    /// Handles a client that has waiting jobs again.
    pub(super) fn begin(
        &mut self,
        clock: VirtualTime,
        portion: ShareWeight,
        limits: &SchedulerLimits,
    ) {
        let entry = clock.0.saturating_add(self.charge(portion, limits));
        self.account = self.account.max(VirtualTime(entry));
    }

    /// Charges the client for a lease that takes this many slots, and advances the clock.
    pub(super) fn serve(
        &mut self,
        clock: &mut VirtualTime,
        portion: ShareWeight,
        slots: u32,
        limits: &SchedulerLimits,
    ) {
        let lag_max = limits.lag_max_ms.saturating_mul(MICROS_PER_MILLI);
        let start = self
            .account
            .max(VirtualTime(clock.0.saturating_sub(lag_max)));
        // Clients that lag behind are served with accounts below the clock, and must not turn it
        // back.
        *clock = start.max(*clock);
        let charge = self.charge(portion, limits).saturating_mul(slots.into());
        self.account = VirtualTime(start.0.saturating_add(charge));
    }

    /// Updates the average with a job that occupied a slot for this long.
    pub(super) fn learn(&mut self, took_ms: u64, limits: &SchedulerLimits) {
        let took_ms = took_ms.min(limits.charge_max_ms);
        let sum = self.mean_ms * (MEMORY - 1) + took_ms;
        // Rounded: otherwise short jobs would be estimated a few milliseconds too short.
        self.mean_ms = (sum + MEMORY / 2) / MEMORY;
    }
}
