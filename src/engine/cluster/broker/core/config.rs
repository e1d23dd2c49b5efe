//! What the operator chose for the core.

use std::path::PathBuf;
use std::time::Duration;

use crate::broker::limits::ClientLimits;
use crate::broker::scheduler::SchedulerLimits;

/// What the operator chose.
#[derive(Clone, Debug)]
pub struct BrokerConfig {
    /// How long leases live without a sign of life.
    pub lease: Duration,
    /// How often workers give one.
    pub heartbeat: Duration,
    /// How long a run waits for its client to come back.
    pub client_patience: Duration,
    /// Where long outputs of jobs are kept until they are sent.
    pub outputs: PathBuf,
    /// What the book allows.
    pub limits: SchedulerLimits,
    /// What each client may have.
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

/// A duration in the unit of the lease book.
pub(super) fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
