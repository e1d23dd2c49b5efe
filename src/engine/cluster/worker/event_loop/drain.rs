//! Graceful shutdown: a worker takes no more jobs, returns those that have not started, lets the
//! others finish for a while, and leaves when the broker has acknowledged every end.
//!
//! ```text
//! Serving ─▶ Draining ─ time is up, or a second signal ─▶ Stopping ─▶ Leaving ─▶ end
//!                └──────────── nothing runs any more ──────────────────▲
//! ```

use std::time::Duration;

use tokio::time::Instant;

use super::lifecycle::WorkerLifecycle;
use super::{Worker, WorkerEvent};
use crate::worker::content_fetcher::ContentFetcher;
use crate::worker::executor::Executor;
use maelstrom_model::backend::StopMode;
use maelstrom_wire::v1::{self, worker_message};

/// How long the broker may take to acknowledge the last ends. Normally it does so at once.
const LEAVE_TIME_MAX: Duration = Duration::from_secs(5);

impl<C: ContentFetcher + 'static, E: Executor> Worker<C, E> {
    /// Starts draining.
    pub(super) fn drain(&mut self) {
        match self.duty {
            WorkerLifecycle::Serving => {}
            WorkerLifecycle::Draining(_)
            | WorkerLifecycle::Stopping
            | WorkerLifecycle::Leaving(_) => return,
        }
        let returned = self.ledger.return_waiting();
        let running = self.ledger.running();
        tracing::info!(
            returned,
            running,
            patience = ?self.settings.drain_timeout,
            "takes no more jobs, and ends when those that run are over"
        );
        let now = Instant::now();
        // The addition overflows only for absurd timeouts.
        let until = now.checked_add(self.settings.drain_timeout).unwrap_or(now);
        self.duty = WorkerLifecycle::Draining(until);
        if self.is_registered() {
            let draining = worker_message::Kind::Draining(v1::Empty {});
            self.speech.enqueue(draining);
        }
        (self.watcher)(&WorkerEvent::Draining);
    }

    /// Handles a signal: the first drains the worker, the second stops it at once.
    pub(super) fn on_interrupt(&mut self) {
        match self.duty {
            WorkerLifecycle::Serving => self.drain(),
            WorkerLifecycle::Draining(_) => self.stop_all(),
            WorkerLifecycle::Stopping | WorkerLifecycle::Leaving(_) => {
                self.duty = WorkerLifecycle::Leaving(Instant::now())
            }
        }
    }

    /// Handles the deadline of the current stage.
    pub(super) fn on_deadline(&mut self) {
        match self.duty {
            WorkerLifecycle::Draining(_) => self.stop_all(),
            WorkerLifecycle::Serving | WorkerLifecycle::Stopping | WorkerLifecycle::Leaving(_) => {}
        }
    }

    fn stop_all(&mut self) {
        let running = self.ledger.return_running();
        tracing::warn!(jobs = running.len(), "stops jobs that have not ended");
        for fence in running {
            self.backend.stop(fence.job(), StopMode::Kill);
        }
        self.duty = WorkerLifecycle::Stopping;
    }

    /// Returns whether nothing is left to do.
    pub(super) fn is_done(&mut self) -> bool {
        match self.duty {
            WorkerLifecycle::Serving => return false,
            WorkerLifecycle::Draining(_) | WorkerLifecycle::Stopping if !self.ledger.is_idle() => {
                return false;
            }
            WorkerLifecycle::Draining(_) | WorkerLifecycle::Stopping => {
                let now = Instant::now();
                self.duty = WorkerLifecycle::Leaving(now + LEAVE_TIME_MAX);
            }
            WorkerLifecycle::Leaving(_) => {}
        }
        let is_late = match self.duty {
            WorkerLifecycle::Leaving(until) => Instant::now() >= until,
            WorkerLifecycle::Serving | WorkerLifecycle::Draining(_) | WorkerLifecycle::Stopping => {
                false
            }
        };
        if is_late && !self.ledger.is_empty() {
            let leases = self.ledger.len();
            tracing::warn!(leases, "ends although the broker may not know of all ends");
        }
        // Without a connection no acknowledgment can arrive, so the worker does not wait for one.
        is_late || self.ledger.is_empty() && !self.speech.has_messages() || !self.line.is_up()
    }
}
