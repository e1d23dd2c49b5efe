//! What the lease book counts.

use super::lease_state::LossReason;

/// What happened since the start. `submitted` is always the sum of the jobs that wait, those that
/// are leased, `reported`, `cancelled`, `given_up` and `dropped`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SchedulerCounters {
    pub submitted: u64,
    pub granted: u64,
    /// Jobs whose outcome a worker reported.
    pub reported: u64,
    /// Jobs cancelled before a worker had them, or with the worker that had them lost.
    pub cancelled: u64,
    /// Jobs that were tried as often as they may.
    pub given_up: u64,
    /// Jobs whose client left.
    pub dropped: u64,
    /// Leases lost because nothing was heard of the worker.
    pub expired: u64,
    /// Leases lost because the worker could not run the job.
    pub failed: u64,
    /// Leases lost because the worker began anew, or came back without them.
    pub vanished: u64,
    /// Leases handed back unstarted, or that never arrived.
    pub unstarted: u64,
    /// Leases that workers brought along and that count again.
    pub adopted: u64,
    /// Reports that were dropped because their lease was over.
    pub stale: u64,
    /// Times that a worker claimed more credit than it may have.
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
