//! Sums up the attempts of a round. Pure.
//!
//! A test counts once per round, by the worst of its copies. A copy is a series of attempts that
//! ends with the first that is not retried: a pass makes up for the failures before it, and apart
//! from that, the worst attempt counts. Test failures rank above infrastructure failures, so neither
//! is ever counted as the other.

use maelstrom_model::event::{RoundSummary, TestOutcome};
use maelstrom_model::policy::{FlakyVerdict, RetryPolicy};

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

/// The attempts of one copy of a test that have ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AttemptSeries {
    ended: u32,
    worst: TestStatus,
    /// The exit code of the last failure.
    code: Option<u8>,
}

/// Whether a failed attempt may be retried at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RetryPermission {
    Granted,
    /// The same, and also for an attempt that could not be run.
    GrantedAfterErrors,
    /// The round or the test is stopped.
    Refused,
}

/// What follows from the end of an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SeriesStep {
    /// The test is retried.
    Again,
    /// The series is over, and has this status.
    Done {
        status: TestStatus,
        /// The exit code of the test, if it failed.
        code: Option<u8>,
    },
    /// The test passed after it failed, and counts as passed.
    FlakyPassed,
    /// The test passed after it failed, and counts as failed.
    FlakyFailed {
        /// The exit code of the test's last failure.
        code: Option<u8>,
    },
}

impl AttemptSeries {
    /// Returns the number of attempts that have ended.
    pub fn ended(self) -> u32 {
        self.ended
    }

    /// Adds an attempt that ended with this status and, if it failed, this exit code.
    pub fn add(
        &mut self,
        (status, code): (TestStatus, Option<u8>),
        retry: RetryPolicy,
        permission: RetryPermission,
    ) -> SeriesStep {
        self.ended = self.ended.saturating_add(1);
        if status == TestStatus::Passed && self.worst.is_failure() {
            return match retry.on_flaky {
                FlakyVerdict::Pass => SeriesStep::FlakyPassed,
                FlakyVerdict::Fail => SeriesStep::FlakyFailed { code: self.code },
            };
        }
        self.worst = self.worst.max(status);
        self.code = code.or(self.code);
        let may_retry = match status {
            TestStatus::Failed | TestStatus::TimedOut => permission != RetryPermission::Refused,
            TestStatus::Error => permission == RetryPermission::GrantedAfterErrors,
            TestStatus::Open
            | TestStatus::Ignored
            | TestStatus::Passed
            | TestStatus::NotRun
            | TestStatus::Cancelled => false,
        };
        if may_retry && self.ended <= retry.retries {
            return SeriesStep::Again;
        }
        SeriesStep::Done {
            status: self.worst,
            code: self.code,
        }
    }
}

impl SeriesStep {
    /// Returns the status of the copy.
    pub fn status(self) -> TestStatus {
        match self {
            SeriesStep::Again => TestStatus::Open,
            SeriesStep::Done { status, code: _ } => status,
            SeriesStep::FlakyPassed => TestStatus::Passed,
            SeriesStep::FlakyFailed { code: _ } => TestStatus::Failed,
        }
    }

    /// Returns the exit code of the copy, if it failed.
    pub fn exit_code(self) -> Option<u8> {
        match self {
            SeriesStep::Again | SeriesStep::FlakyPassed => None,
            SeriesStep::Done { status: _, code } | SeriesStep::FlakyFailed { code } => code,
        }
    }
}

/// The summed-up copies of one test in one round.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AttemptTally {
    standing: TestStatus,
    passes: u32,
    cached: u32,
    /// The number of copies that passed after they failed, and count as passed.
    recovered: u32,
}

/// Whether a test both passed and failed in a round.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ResultStability {
    #[default]
    Steady,
    Flaky,
}

/// Whether an attempt ran or its result came from the cache.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ResultSource {
    Ran,
    /// The result comes from the result cache.
    Cached,
}

impl AttemptTally {
    /// Adds a copy whose last attempt has ended.
    pub fn add(&mut self, step: SeriesStep, source: ResultSource) {
        self.standing = self.standing.max(step.status());
        match step {
            SeriesStep::Again => return,
            SeriesStep::Done { status, code: _ } if status != TestStatus::Passed => return,
            SeriesStep::Done { .. } | SeriesStep::FlakyFailed { code: _ } => {}
            SeriesStep::FlakyPassed => self.recovered += 1,
        }
        self.passes += 1;
        if source == ResultSource::Cached {
            self.cached += 1;
        }
    }

    /// Returns whether the test both passed and failed.
    pub fn stability(&self) -> ResultStability {
        let both = match self.standing {
            TestStatus::Failed | TestStatus::TimedOut => self.passes > 0,
            TestStatus::Open
            | TestStatus::Ignored
            | TestStatus::Passed
            | TestStatus::NotRun
            | TestStatus::Cancelled
            | TestStatus::Error => false,
        };
        if both || self.recovered > 0 {
            ResultStability::Flaky
        } else {
            ResultStability::Steady
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
                if self.recovered > 0 {
                    summary.flaky_passed += 1;
                }
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
        for &status in standings {
            tally.add(SeriesStep::Done { status, code: None }, ResultSource::Ran);
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

    /// Adds attempts to a series of two retries until one is not retried.
    fn series(statuses: &[TestStatus], on_flaky: FlakyVerdict) -> (u32, SeriesStep) {
        let retry = RetryPolicy {
            retries: 2,
            on_flaky,
            ..RetryPolicy::default()
        };
        let mut series = AttemptSeries::default();
        let mut step = SeriesStep::Again;
        let mut statuses = statuses.iter();
        while let (SeriesStep::Again, Some(&status)) = (step, statuses.next()) {
            let code = (status == TestStatus::Failed).then_some(3);
            step = series.add((status, code), retry, RetryPermission::Granted);
        }
        (series.ended(), step)
    }

    #[test]
    fn a_series_ends_with_the_first_attempt_that_is_not_retried() {
        use FlakyVerdict::{Fail, Pass};
        use TestStatus::*;
        let done = |status, code| SeriesStep::Done { status, code };
        let flaky_failed = SeriesStep::FlakyFailed { code: Some(3) };
        for (statuses, on_flaky, expected) in [
            (&[Passed, Failed] as &[_], Pass, (1, done(Passed, None))),
            (&[Failed, Passed], Pass, (2, SeriesStep::FlakyPassed)),
            (&[Failed, TimedOut, Passed], Fail, (3, flaky_failed)),
            (
                &[Failed, Failed, Failed, Failed],
                Pass,
                (3, done(Failed, Some(3))),
            ),
            (
                &[TimedOut, TimedOut, TimedOut],
                Pass,
                (3, done(TimedOut, None)),
            ),
            (&[Error, Passed], Pass, (1, done(Error, None))),
            (&[Cancelled, Passed], Pass, (1, done(Cancelled, None))),
            (&[Ignored, Passed], Pass, (1, done(Ignored, None))),
            // What cannot be run, or is not run, does not make up for a failure.
            (&[Failed, Error], Pass, (2, done(Failed, Some(3)))),
            (&[Failed, NotRun], Pass, (2, done(Failed, Some(3)))),
            (&[Failed, Ignored], Pass, (2, done(Failed, Some(3)))),
        ] {
            assert_eq!(series(statuses, on_flaky), expected, "{statuses:?}");
        }
    }

    #[test]
    fn a_flaky_test_counts_as_its_policy_says() {
        for (step, passed, failed, stability) in [
            (SeriesStep::FlakyPassed, 1, 0, ResultStability::Flaky),
            (
                SeriesStep::FlakyFailed { code: None },
                0,
                1,
                ResultStability::Flaky,
            ),
        ] {
            let mut tally = AttemptTally::default();
            tally.add(step, ResultSource::Ran);
            let mut summary = RoundSummary::default();
            tally.count_into(&mut summary);
            assert_eq!((summary.passed, summary.flaky_passed), (passed, passed));
            assert_eq!((summary.failed, summary.flaky), (failed, failed));
            assert_eq!(tally.stability(), stability);
        }
    }

    #[test]
    fn a_pass_is_cached_only_if_nothing_of_it_ran() {
        let mut tally = AttemptTally::default();
        let passed = SeriesStep::Done {
            status: TestStatus::Passed,
            code: None,
        };
        tally.add(passed, ResultSource::Cached);
        let mut all_cached = RoundSummary::default();
        tally.count_into(&mut all_cached);
        assert_eq!((all_cached.passed, all_cached.cached), (1, 1));

        tally.add(passed, ResultSource::Ran);
        let mut half_cached = RoundSummary::default();
        tally.count_into(&mut half_cached);
        assert_eq!((half_cached.passed, half_cached.cached), (1, 0));
    }
}
