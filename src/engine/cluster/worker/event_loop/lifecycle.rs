//! The lifecycle of a worker: whether it takes jobs, and if not, how close it is to its end.

use std::future::pending;

use tokio::time::{Instant, sleep_until};

/// The stage of a worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum WorkerLifecycle {
    Serving,
    /// Jobs may finish until this time.
    Draining(Instant),
    /// Waiting for killed jobs to end.
    Stopping,
    /// Waiting until this time for the broker's acknowledgments.
    Leaving(Instant),
}

impl WorkerLifecycle {
    /// Waits for the stage's deadline; forever if it has none.
    pub(super) async fn wait_deadline(self) {
        match self {
            WorkerLifecycle::Draining(until) | WorkerLifecycle::Leaving(until) => {
                sleep_until(until).await
            }
            WorkerLifecycle::Serving | WorkerLifecycle::Stopping => pending().await,
        }
    }
}
