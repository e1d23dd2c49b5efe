//! What has become of a package: when it began, whether it failed, whether it is over.

use std::collections::BTreeSet;
use std::time::Duration;

use maelstrom_model::event::{PackageState, TestOutcome};
use maelstrom_model::ids::{Attempt, TestId};

use crate::export::go_list::PackageVerdict;

/// A retry that has no number yet. Attempts count from 1.
const RETRY: Attempt = Attempt(0);

/// The progress of one package in a round.
#[derive(Debug, Default)]
pub(super) struct PackageProgress {
    state: Option<PackageState>,
    waiting: BTreeSet<(TestId, Attempt)>,
    /// When its first test started, in microseconds since the run began.
    began_us: Option<u64>,
    tests: TestCounts,
    is_over: bool,
}

/// Counts of ended attempts.
#[derive(Debug, Default)]
struct TestCounts {
    failed: u32,
    unstarted: u32,
    others: u32,
}

impl PackageProgress {
    /// Sets what is known of the package.
    pub(super) fn known(&mut self, state: PackageState) {
        self.state = Some(state);
    }

    /// Takes an attempt that will run.
    pub(super) fn queued(&mut self, (test, attempt): (TestId, Attempt), is_retry: bool) {
        if is_retry {
            self.waiting.remove(&(test, RETRY));
        }
        self.waiting.insert((test, attempt));
    }

    /// Takes the end of an attempt that is retried: the next one follows.
    pub(super) fn retried(&mut self, (test, attempt): (TestId, Attempt)) {
        self.waiting.remove(&(test, attempt));
        self.waiting.insert((test, RETRY));
    }

    /// Marks the package as begun. Returns whether this is news.
    pub(super) fn begin(&mut self, now_us: u64) -> bool {
        let is_news = self.began_us.is_none();
        self.began_us.get_or_insert(now_us);
        is_news
    }

    /// Takes the end of an attempt that had started, or of one that only reports something.
    pub(super) fn ended(&mut self, attempt: (TestId, Attempt), outcome: &TestOutcome) {
        self.waiting.remove(&attempt);
        let count = match outcome {
            TestOutcome::Passed | TestOutcome::Ignored { .. } => &mut self.tests.others,
            TestOutcome::Failed { .. }
            | TestOutcome::TimedOut { .. }
            | TestOutcome::Cancelled
            | TestOutcome::Error { .. } => &mut self.tests.failed,
        };
        *count = count.saturating_add(1);
    }

    /// Takes the end of an attempt that was cancelled before it started.
    pub(super) fn dropped(&mut self, attempt: (TestId, Attempt)) {
        self.waiting.remove(&attempt);
        self.tests.unstarted = self.tests.unstarted.saturating_add(1);
    }

    /// Returns whether nothing further about the package can happen in this round.
    pub(super) fn is_complete(&self) -> bool {
        match &self.state {
            None => false,
            // The entry in place of its tests tells how that went.
            Some(PackageState::NotListed) => self.tests.failed > 0,
            Some(
                PackageState::WithoutTestFiles
                | PackageState::Listed { .. }
                | PackageState::NotBuilt { .. },
            ) => self.waiting.is_empty(),
        }
    }

    /// Returns whether the stream has said everything about the package.
    pub(super) fn is_over(&self) -> bool {
        self.is_over
    }

    /// Ends the package.
    pub(super) fn close(&mut self) {
        self.is_over = true;
    }

    /// Returns how long the package has taken.
    pub(super) fn elapsed(&self, now_us: u64) -> Duration {
        let began_us = self.began_us.unwrap_or(now_us);
        Duration::from_micros(now_us.saturating_sub(began_us))
    }

    /// Returns the unit whose build failed, if that is why the package did not run.
    pub(super) fn failed_unit(&self) -> Option<&str> {
        match &self.state {
            Some(PackageState::NotBuilt { unit, .. }) => unit.as_deref(),
            Some(
                PackageState::WithoutTestFiles
                | PackageState::Listed { .. }
                | PackageState::NotListed,
            )
            | None => None,
        }
    }

    /// Returns the verdict on the package; `None` if none of its tests started because the run
    /// stopped before.
    pub(super) fn verdict(&self) -> Option<PackageVerdict<'_>> {
        let ran = self.tests.failed > 0 || self.tests.others > 0;
        match &self.state {
            Some(PackageState::WithoutTestFiles) => Some(PackageVerdict::WithoutTestFiles),
            Some(PackageState::NotBuilt { reason, .. }) => Some(PackageVerdict::NotRun(reason)),
            Some(PackageState::NotListed) => Some(PackageVerdict::Failed),
            Some(PackageState::Listed { .. }) | None if self.tests.failed > 0 => {
                Some(PackageVerdict::Failed)
            }
            Some(PackageState::Listed { selected: 0 }) => Some(PackageVerdict::NothingRan),
            Some(PackageState::Listed { .. }) if self.tests.unstarted == 0 => {
                ran.then_some(PackageVerdict::Passed)
            }
            // The run has stopped before all of its tests were found, or before they have run.
            Some(PackageState::Listed { .. }) | None => {
                ran.then_some(PackageVerdict::NotRun("stopped"))
            }
        }
    }
}
