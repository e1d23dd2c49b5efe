//! The scheduler's counters.

use super::lease_state::LossReason;

/// The counts of events since the start. `submitted` always equals the sum of waiting jobs, leased
/// jobs, `reported`, `cancelled`, `given_up` and `dropped`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SchedulerCounters {
    pub submitted: u64,
    pub granted: u64,
    /// Jobs whose outcome a worker reported.
    pub reported: u64,
    /// Jobs cancelled while they waited, or whose worker was lost.
    pub cancelled: u64,
    /// Jobs whose attempts were exhausted.
    pub given_up: u64,
    /// Jobs whose client left.
    pub dropped: u64,
    /// Leases lost because the worker was silent.
    pub expired: u64,
    /// Leases lost because the worker could not run the job.
    pub failed: u64,
    /// Leases lost because the worker restarted, or returned without them.
    pub vanished: u64,
    /// Leases returned unstarted, or that never arrived.
    pub unstarted: u64,
    /// Leases that returning workers named and that were accepted.
    pub adopted: u64,
    /// Reports dropped because their lease was over.
    pub stale: u64,
    /// Times that a worker claimed more credit than allowed.
    pub capped: u64,
}

impl SchedulerCounters {
    pub(super) fn count(&mut self, cause: LossReason) {
        match cause {
            LossReason::Expired => self.expired += 1,
            LossReason::Failed => self.failed += 1,
            LossReason::Vanished => self.vanished += 1,
            LossReason::Unstarted => self.unstarted += 1,
        }
    }
}
