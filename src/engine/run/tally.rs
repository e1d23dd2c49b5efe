//! Sums up the attempts of a round. Pure.
//!
//! A test counts once per round, by the worst of its attempts. Test failures rank above
//! infrastructure failures, so neither is ever counted as the other.

use maelstrom_model::event::{RoundSummary, TestOutcome};

/// The status of a test in a round, from best to worst.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum TestStatus {
    /// No attempt has ended.
    #[default]
    Open,
    /// The test is marked as ignored.
    Ignored,
    Passed,
    /// An attempt was never started.
    NotRun,
    /// An attempt was stopped while it ran.
    Cancelled,
    /// An attempt could not be run.
    Error,
    /// An attempt exceeded its timeout.
    TimedOut,
    Failed,
}

/// Whether an attempt was started before it ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AttemptProgress {
    NeverStarted,
    Started,
}

impl TestStatus {
    /// Returns whether a test with this status makes the run fail.
    pub fn is_failure(self) -> bool {
        match self {
            TestStatus::Error | TestStatus::TimedOut | TestStatus::Failed => true,
            TestStatus::Open
            | TestStatus::Ignored
            | TestStatus::Passed
            | TestStatus::NotRun
            | TestStatus::Cancelled => false,
        }
    }

    /// Returns the status that one attempt amounts to.
    pub fn of(outcome: &TestOutcome, progress: AttemptProgress) -> TestStatus {
        match (outcome, progress) {
            (TestOutcome::Passed, _) => TestStatus::Passed,
            (TestOutcome::Failed { .. }, _) => TestStatus::Failed,
            (TestOutcome::TimedOut { .. }, _) => TestStatus::TimedOut,
            (TestOutcome::Ignored { .. }, _) => TestStatus::Ignored,
            (TestOutcome::Error { .. }, _) => TestStatus::Error,
            (TestOutcome::Cancelled, AttemptProgress::Started) => TestStatus::Cancelled,
            (TestOutcome::Cancelled, AttemptProgress::NeverStarted) => TestStatus::NotRun,
        }
    }
}

/// The summed-up attempts of one test in one round.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AttemptTally {
    standing: TestStatus,
    passes: u32,
    cached: u32,
}

/// Whether an attempt ran or its result came from the cache.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ResultSource {
    Ran,
    /// The result comes from the result cache.
    Cached,
}

impl AttemptTally {
    /// Adds an attempt that ended.
    pub fn add(&mut self, standing: TestStatus, source: ResultSource) {
        self.standing = self.standing.max(standing);
        if standing == TestStatus::Passed {
            self.passes += 1;
            if source == ResultSource::Cached {
                self.cached += 1;
            }
        }
    }

    /// Returns the worst status so far.
    pub fn standing(&self) -> TestStatus {
        self.standing
    }

    /// Adds the test to the summary of a round.
    pub fn count_into(&self, summary: &mut RoundSummary) {
        match self.standing {
            TestStatus::Open | TestStatus::NotRun => summary.not_run += 1,
            TestStatus::Ignored => summary.ignored += 1,
            TestStatus::Passed => {
                summary.passed += 1;
                if self.cached == self.passes {
                    summary.cached += 1;
                }
            }
            TestStatus::Cancelled => summary.cancelled += 1,
            TestStatus::Error => summary.errors += 1,
            TestStatus::TimedOut => summary.timed_out += 1,
            TestStatus::Failed => {
                summary.failed += 1;
                if self.passes > 0 {
                    summary.flaky += 1;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn summary(standings: &[TestStatus]) -> RoundSummary {
        let mut tally = AttemptTally::default();
        for &standing in standings {
            tally.add(standing, ResultSource::Ran);
        }
        let mut summary = RoundSummary::default();
        tally.count_into(&mut summary);
        summary
    }

    #[test]
    fn a_test_counts_once_by_its_worst_attempt() {
        use TestStatus::*;
        let failed_and_flaky = RoundSummary {
            failed: 1,
            flaky: 1,
            ..RoundSummary::default()
        };
        assert_eq!(summary(&[Passed, Failed, Passed]), failed_and_flaky);
        assert_eq!(summary(&[Failed, Error]).failed, 1);
        assert_eq!(summary(&[Error, Passed]).errors, 1);
        assert_eq!(summary(&[Passed, NotRun]).not_run, 1);
        assert_eq!(summary(&[Passed, Passed]).passed, 1);
        assert_eq!(summary(&[Passed, Cancelled]).cancelled, 1);
    }

    #[test]
    fn a_pass_is_cached_only_if_nothing_of_it_ran() {
        let mut tally = AttemptTally::default();
        tally.add(TestStatus::Passed, ResultSource::Cached);
        let mut all_cached = RoundSummary::default();
        tally.count_into(&mut all_cached);
        assert_eq!((all_cached.passed, all_cached.cached), (1, 1));

        tally.add(TestStatus::Passed, ResultSource::Ran);
        let mut half_cached = RoundSummary::default();
        tally.count_into(&mut half_cached);
        assert_eq!((half_cached.passed, half_cached.cached), (1, 0));
    }
}
