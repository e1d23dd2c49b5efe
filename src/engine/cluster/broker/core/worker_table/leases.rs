//! Jobs by the fence of their lease: reports name leases by nothing else.

use super::WorkerTable;
use crate::broker::scheduler::{FencingToken, JobKey, Lease};

impl WorkerTable {
    /// A lease was granted, or adopted from before a restart.
    pub fn add_lease(&mut self, lease: &Lease) {
        self.leases.insert(lease.fence, lease.key);
    }

    /// The job of a lease that is not over.
    pub fn leased(&self, fence: FencingToken) -> Option<JobKey> {
        self.leases.get(&fence).copied()
    }

    /// A lease is over.
    pub fn remove_lease(&mut self, fence: FencingToken) {
        self.leases.remove(&fence);
    }
}
