//! How a worker ends: it takes no more jobs, hands back those that have not started, lets the others
//! finish for a while, and leaves when the broker knows of every end.
//!
//! ```text
//! Serving ─▶ Draining ─ time is up, or a second signal ─▶ Stopping ─▶ Leaving ─▶ end
//!                └──────────── nothing runs any more ──────────────────▲
//! ```

use std::future::pending;
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use super::{Sign, Worker};
use crate::worker::contents::Contents;
use crate::worker::executor::Executor;
use maelstrom_model::backend::Stop;
use maelstrom_wire::v1::{self, worker_message};

/// How long the broker may take to confirm the last ends. It does so at once.
const LEAVE_TIME_MAX: Duration = Duration::from_secs(5);

/// What a worker is at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Duty {
    /// Taking jobs.
    Serving,
    /// Letting jobs finish until then.
    Draining(Instant),
    /// Waiting until killed jobs are gone.
    Stopping,
    /// Waiting until then for the broker to know.
    Leaving(Instant),
}

impl Duty {
    /// Waits until its time is over; for ever if it has none.
    pub(super) async fn over(self) {
        match self {
            Duty::Draining(until) | Duty::Leaving(until) => sleep_until(until).await,
            Duty::Serving | Duty::Stopping => pending().await,
        }
    }
}

impl<C: Contents + 'static, E: Executor> Worker<C, E> {
    /// Takes no more jobs and will end.
    pub(super) fn drain(&mut self) {
        match self.duty {
            Duty::Serving => {}
            Duty::Draining(_) | Duty::Stopping | Duty::Leaving(_) => return,
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
        // Only a time beyond any calendar is none.
        let until = now.checked_add(self.settings.drain_timeout).unwrap_or(now);
        self.duty = Duty::Draining(until);
        if self.is_registered() {
            let draining = worker_message::Kind::Draining(v1::Empty {});
            self.speech.say(draining);
        }
        (self.watcher)(&Sign::Draining);
    }

    /// Somebody wants this worker to end: first in peace, then at once.
    pub(super) fn interrupted(&mut self) {
        match self.duty {
            Duty::Serving => self.drain(),
            Duty::Draining(_) => self.stop_all(),
            Duty::Stopping | Duty::Leaving(_) => self.duty = Duty::Leaving(Instant::now()),
        }
    }

    /// The time of what it is at is over.
    pub(super) fn duty_over(&mut self) {
        match self.duty {
            Duty::Draining(_) => self.stop_all(),
            Duty::Serving | Duty::Stopping | Duty::Leaving(_) => {}
        }
    }

    fn stop_all(&mut self) {
        let running = self.ledger.return_running();
        tracing::warn!(jobs = running.len(), "stops jobs that have not ended");
        for fence in running {
            self.backend.stop(fence.job(), Stop::Kill);
        }
        self.duty = Duty::Stopping;
    }

    /// Whether there is nothing left to do, ever.
    pub(super) fn is_done(&mut self) -> bool {
        match self.duty {
            Duty::Serving => return false,
            Duty::Draining(_) | Duty::Stopping if !self.ledger.is_idle() => return false,
            Duty::Draining(_) | Duty::Stopping => {
                let now = Instant::now();
                self.duty = Duty::Leaving(now + LEAVE_TIME_MAX);
            }
            Duty::Leaving(_) => {}
        }
        let is_late = match self.duty {
            Duty::Leaving(until) => Instant::now() >= until,
            Duty::Serving | Duty::Draining(_) | Duty::Stopping => false,
        };
        if is_late && !self.ledger.is_empty() {
            let leases = self.ledger.len();
            tracing::warn!(leases, "ends although the broker may not know of all ends");
        }
        is_late || self.ledger.is_empty() && !self.speech.has_words() || !self.line.is_up()
    }
}
