//! Waits when the machine has run out of a resource that a container needs: namespaces, processes
//! or open files.
//!
//! Other jobs of this backend hold some of the resource and release it when they end. So a job
//! whose container cannot be started waits until another job ends, and retries: the run continues
//! with fewer concurrent jobs. If no job is running, other programs hold the resource, and the job
//! gives up after [`PATIENCE`].

use std::cell::{Cell, RefCell};
use std::collections::HashSet;
use std::rc::Rc;
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::{Instant, sleep};

use maelstrom_container::exhausted::ExhaustedResource;

/// How long a job waits for a resource while no job of this backend runs.
const PATIENCE: Duration = Duration::from_secs(10);

/// The interval between retries. The kernel removes namespaces some time after their last process
/// has ended, without notification.
const PAUSE: Duration = Duration::from_millis(25);

/// The state of the backoff, shared by all clones.
#[derive(Clone, Default)]
pub(super) struct ResourceBackoff(Rc<ResourceBackoffState>);

#[derive(Default)]
struct ResourceBackoffState {
    running: Cell<usize>,
    progress: Cell<Option<Instant>>,
    ended: Notify,
    told: RefCell<HashSet<ExhaustedResource>>,
}

/// Counts a job whose container was started. Dropping the guard reports the job's end.
pub(super) struct RunningJobGuard(ResourceBackoff);

/// Whether to retry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum BackoffDecision {
    /// Retry now.
    Better,
    /// Give up: no job is running whose end could help.
    Hopeless,
}

impl ResourceBackoff {
    /// Records that a job's container was started.
    pub(super) fn runs(&self) -> RunningJobGuard {
        self.0.running.set(self.0.running.get() + 1);
        RunningJobGuard(self.clone())
    }

    /// Waits until a retry may succeed. `since` is when the job began to wait.
    pub(super) async fn wait(&self, since: Instant) -> BackoffDecision {
        let last = self.0.progress.get().map_or(since, |last| last.max(since));
        if self.0.running.get() == 0 && last.elapsed() > PATIENCE {
            return BackoffDecision::Hopeless;
        }
        tokio::select! {
            () = self.0.ended.notified() => {}
            () = sleep(PAUSE) => {}
        }
        BackoffDecision::Better
    }

    /// Returns whether a shortage of this resource was not reported before.
    pub(super) fn is_news(&self, exhausted: ExhaustedResource) -> bool {
        self.0.told.borrow_mut().insert(exhausted)
    }
}

impl Drop for RunningJobGuard {
    fn drop(&mut self) {
        let state = &self.0.0;
        state.running.set(state.running.get().saturating_sub(1));
        state.progress.set(Some(Instant::now()));
        state.ended.notify_waiters();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_job_waits_as_long_as_others_run_and_not_much_longer() {
        let shortage = ResourceBackoff::default();
        let running = shortage.runs();
        let since = Instant::now();
        tokio::time::advance(PATIENCE * 100).await;
        assert_eq!(shortage.wait(since).await, BackoffDecision::Better);
        drop(running);
        assert_eq!(shortage.wait(since).await, BackoffDecision::Better);
        tokio::time::advance(PATIENCE * 2).await;
        assert_eq!(shortage.wait(since).await, BackoffDecision::Hopeless);
        // A job that has just arrived waits for itself.
        assert_eq!(shortage.wait(Instant::now()).await, BackoffDecision::Better);
    }

    #[test]
    fn each_kind_is_news_once() {
        let shortage = ResourceBackoff::default();
        let other = shortage.clone();
        assert!(shortage.is_news(ExhaustedResource::Files));
        assert!(!other.is_news(ExhaustedResource::Files));
        assert!(other.is_news(ExhaustedResource::Keys));
    }
}
