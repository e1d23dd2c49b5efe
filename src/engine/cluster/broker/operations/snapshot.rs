//! The figures of a broker at one moment.

use crate::broker::cas::StorageUsage;
use crate::broker::scheduler::SchedulerStatus;
use maelstrom_wire::v1::Cluster;

/// What the core knows.
#[derive(Clone, Debug)]
pub struct CoreSnapshot {
    /// Of jobs and leases.
    pub book: SchedulerStatus,
    /// What people are shown.
    pub cluster: Cluster,
    /// How many contents were asked for because jobs need them and the storage lacked them.
    pub contents_lacking: u64,
}

/// What is known of a broker.
#[derive(Clone, Debug)]
pub struct MetricsSnapshot {
    /// What the core knows.
    pub core: CoreSnapshot,
    /// How the storage does.
    pub storage: StorageUsage,
    /// Whether it can be sent work.
    pub is_ready: bool,
}
