//! Waits when the machine has run out of something that a container needs: namespaces, processes,
//! open files.
//!
//! Other jobs of this backend hold some of it, and release it when they end. So a job that could
//! not get its container waits until one of them ends, and retries: the run continues with fewer
//! jobs at a time. If none is running, another program holds it all, and the job waits no longer
//! than [`PATIENCE`].

use std::cell::{Cell, RefCell};
use std::collections::HashSet;
use std::rc::Rc;
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::{Instant, sleep};

use maelstrom_container::exhausted::ExhaustedResource;

/// How long nothing of ours may have run until a job gives up.
const PATIENCE: Duration = Duration::from_secs(10);

/// The kernel takes namespaces apart some time after their last process has ended, without
/// notification.
const PAUSE: Duration = Duration::from_millis(25);

/// The state of the backoff. Clones share it.
#[derive(Clone, Default)]
pub(super) struct ResourceBackoff(Rc<ResourceBackoffState>);

#[derive(Default)]
struct ResourceBackoffState {
    running: Cell<usize>,
    progress: Cell<Option<Instant>>,
    ended: Notify,
    told: RefCell<HashSet<ExhaustedResource>>,
}

/// A job that has its container. Dropping it says that it has ended.
pub(super) struct RunningJobGuard(ResourceBackoff);

/// Whether to try again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum BackoffDecision {
    /// It may go now.
    Better,
    /// There is no job to wait for.
    Hopeless,
}

impl ResourceBackoff {
    /// A job has its container.
    pub(super) fn runs(&self) -> RunningJobGuard {
        self.0.running.set(self.0.running.get() + 1);
        RunningJobGuard(self.clone())
    }

    /// Waits for a change for the better. `since` is when the job that waits began to.
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

    /// Whether this is the first report of such a shortage.
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
        // Another that has just come waits for itself.
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
