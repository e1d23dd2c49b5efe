//! What a worker is at: whether it takes jobs, and if not, how far it is from its end.

use std::future::pending;

use tokio::time::{Instant, sleep_until};

/// What a worker is at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum WorkerLifecycle {
    Serving,
    /// Letting jobs finish until then.
    Draining(Instant),
    /// Waiting until killed jobs are gone.
    Stopping,
    /// Waiting until then for the broker to know.
    Leaving(Instant),
}

impl WorkerLifecycle {
    /// Waits until its time is over; for ever if it has none.
    pub(super) async fn wait_deadline(self) {
        match self {
            WorkerLifecycle::Draining(until) | WorkerLifecycle::Leaving(until) => {
                sleep_until(until).await
            }
            WorkerLifecycle::Serving | WorkerLifecycle::Stopping => pending().await,
        }
    }
}
