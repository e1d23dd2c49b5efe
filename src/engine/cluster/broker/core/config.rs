//! The configuration of the broker's core.

use std::path::PathBuf;
use std::time::Duration;

use crate::broker::limits::ClientLimits;
use crate::broker::scheduler::SchedulerLimits;

/// The settings of the broker's core.
#[derive(Clone, Debug)]
pub struct BrokerConfig {
    /// The duration of a lease without a heartbeat.
    pub lease: Duration,
    /// The interval between heartbeats of a worker.
    pub heartbeat: Duration,
    /// How long a run waits for its client to reconnect.
    pub client_patience: Duration,
    /// The directory for outputs that do not fit in memory.
    pub outputs: PathBuf,
    /// The scheduler's limits.
    pub limits: SchedulerLimits,
    /// The limits of each client.
    pub per_client: ClientLimits,
}

impl Default for BrokerConfig {
    fn default() -> BrokerConfig {
        BrokerConfig {
            lease: Duration::from_secs(20),
            heartbeat: Duration::from_secs(5),
            client_patience: Duration::from_secs(300),
            outputs: std::env::temp_dir(),
            limits: SchedulerLimits::default(),
            per_client: ClientLimits::default(),
        }
    }
}

/// Returns a duration in milliseconds, the scheduler's unit.
pub(super) fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
