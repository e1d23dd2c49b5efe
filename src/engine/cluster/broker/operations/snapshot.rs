//! A snapshot of the broker's metrics.

use crate::broker::cas::StorageUsage;
use crate::broker::scheduler::SchedulerStatus;
use maelstrom_wire::v1::Cluster;

/// The metrics of the core.
#[derive(Clone, Debug)]
pub struct CoreSnapshot {
    /// The status of jobs and leases.
    pub scheduler: SchedulerStatus,
    /// The cluster's status.
    pub cluster: Cluster,
    /// How many missing contents clients were asked for, because jobs need them.
    pub contents_lacking: u64,
}

/// The metrics of a broker.
#[derive(Clone, Debug)]
pub struct MetricsSnapshot {
    /// The metrics of the core.
    pub core: CoreSnapshot,
    /// The storage's usage.
    pub storage: StorageUsage,
    /// Whether it is ready for work.
    pub is_ready: bool,
}
