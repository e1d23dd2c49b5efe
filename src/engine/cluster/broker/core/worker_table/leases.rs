//! The jobs of leases by fence, which is all that reports contain.

use super::WorkerTable;
use crate::broker::scheduler::{FencingToken, JobKey, Lease};

impl WorkerTable {
    /// Adds a lease that was granted, or adopted from before a restart.
    pub(crate) fn add_lease(&mut self, lease: &Lease) {
        self.leases.insert(lease.fence, lease.key);
    }

    /// Returns the job of a lease that is not over.
    pub(crate) fn leased(&self, fence: FencingToken) -> Option<JobKey> {
        self.leases.get(&fence).copied()
    }

    /// Removes a lease that is over.
    pub(crate) fn remove_lease(&mut self, fence: FencingToken) {
        self.leases.remove(&fence);
    }
}
