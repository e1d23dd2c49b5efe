//! Maps the end of a job to its test's outcome. Pure.
//!
//! Infrastructure failures and test failures are separated here, so the mapping covers every case
//! and never merges two kinds of outcome.

use std::time::Duration;

use super::tally::TestStatus;
use maelstrom_model::event::{ExitStatus, PreviousOutcome, TestOutcome};
use maelstrom_model::framework::FrameworkVerdict;
use maelstrom_model::job::{JobOutcome, LeakedProcesses};
use maelstrom_model::policy::LeakVerdict;

/// Returns the outcome to record for an attempt with status `attempt` of a test whose status in the
/// round is `test`. `None` means that nothing is recorded.
///
/// A test that could not be run is recorded as failed: the run failed because of it, so `--failed`
/// selects it.
pub fn recorded_history(attempt: TestStatus, test: TestStatus) -> Option<PreviousOutcome> {
    match attempt {
        TestStatus::Failed | TestStatus::TimedOut | TestStatus::Error => {
            Some(PreviousOutcome::Failure)
        }
        TestStatus::Passed => match test {
            TestStatus::Failed | TestStatus::TimedOut | TestStatus::Error => {
                Some(PreviousOutcome::Failure)
            }
            TestStatus::Open
            | TestStatus::Ignored
            | TestStatus::Passed
            | TestStatus::NotRun
            | TestStatus::Cancelled => Some(PreviousOutcome::Success),
        },
        TestStatus::Open | TestStatus::Ignored | TestStatus::NotRun | TestStatus::Cancelled => None,
    }
}

/// Maps a job's outcome to the test's outcome. `limit` is the test's timeout.
pub fn outcome(end: JobOutcome, limit: Option<Duration>) -> TestOutcome {
    match end {
        JobOutcome::Exited(ExitStatus::Code(0)) => TestOutcome::Passed,
        JobOutcome::Exited(exit) => TestOutcome::Failed {
            exit: Some(exit),
            reason: None,
        },
        JobOutcome::TimedOut => TestOutcome::TimedOut {
            limit_us: limit.map_or(0, micros),
        },
        JobOutcome::Cancelled => TestOutcome::Cancelled,
        JobOutcome::Error(message) => TestOutcome::Error { message },
    }
}

/// Applies the framework's verdict to an outcome. Only outcomes of processes that exited by
/// themselves can change.
pub fn judged(outcome: TestOutcome, judgement: FrameworkVerdict) -> TestOutcome {
    let exit = match &outcome {
        TestOutcome::Passed => Some(ExitStatus::Code(0)),
        TestOutcome::Failed { exit, .. } => *exit,
        TestOutcome::TimedOut { .. }
        | TestOutcome::Ignored { .. }
        | TestOutcome::Cancelled
        | TestOutcome::Error { .. } => return outcome,
    };
    match judgement {
        FrameworkVerdict::ByStatus => outcome,
        FrameworkVerdict::Passed => TestOutcome::Passed,
        FrameworkVerdict::Failed { reason } => TestOutcome::Failed { exit, reason },
        FrameworkVerdict::Ignored { reason } => TestOutcome::Ignored { reason },
        FrameworkVerdict::Error { message } => TestOutcome::Error { message },
    }
}

/// Applies the verdict on leaked processes to an outcome. Only a test that passed can change.
pub fn judged_by_leaks(
    outcome: TestOutcome,
    leaked: &LeakedProcesses,
    verdict: LeakVerdict,
) -> TestOutcome {
    match (outcome, verdict) {
        (TestOutcome::Passed, LeakVerdict::Fail) if !leaked.is_empty() => TestOutcome::Failed {
            exit: Some(ExitStatus::Code(0)),
            reason: Some(format!("left running: {leaked}")),
        },
        (other, LeakVerdict::Pass | LeakVerdict::Fail) => other,
    }
}

/// Returns a duration in whole microseconds, saturating at `u64::MAX` (more than 580,000 years).
pub fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

/// Converts a count to the type that events use, saturating at `u32::MAX`.
pub fn count(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Invariant 3: infrastructure failures and test failures are never confused.
    #[test]
    fn only_what_the_test_did_counts_against_it() {
        let limit = Some(Duration::from_secs(2));
        let signal = ExitStatus::Signal {
            number: 11,
            core_dumped: true,
        };
        for exit in [ExitStatus::Code(101), ExitStatus::Code(-1), signal] {
            let failed = TestOutcome::Failed {
                exit: Some(exit),
                reason: None,
            };
            assert_eq!(outcome(JobOutcome::Exited(exit), limit), failed);
        }
        assert_eq!(
            outcome(JobOutcome::Exited(ExitStatus::Code(0)), limit),
            TestOutcome::Passed
        );
        assert_eq!(
            outcome(JobOutcome::TimedOut, limit),
            TestOutcome::TimedOut {
                limit_us: 2_000_000
            }
        );
        assert_eq!(
            outcome(JobOutcome::Cancelled, limit),
            TestOutcome::Cancelled
        );
        let message = "mount proc on /proc: EPERM".to_owned();
        assert_eq!(
            outcome(JobOutcome::Error(message.clone()), limit),
            TestOutcome::Error { message }
        );
    }

    #[test]
    fn a_framework_judges_only_what_a_process_did_by_itself() {
        let reason = Some("not today".to_owned());
        let failed = FrameworkVerdict::Failed {
            reason: reason.clone(),
        };
        let ignored = FrameworkVerdict::Ignored {
            reason: reason.clone(),
        };
        assert_eq!(
            judged(TestOutcome::Passed, failed.clone()),
            TestOutcome::Failed {
                exit: Some(ExitStatus::Code(0)),
                reason: reason.clone()
            }
        );
        assert_eq!(
            judged(TestOutcome::Passed, ignored.clone()),
            TestOutcome::Ignored { reason }
        );
        let crashed = TestOutcome::Failed {
            exit: Some(ExitStatus::Code(101)),
            reason: None,
        };
        assert_eq!(
            judged(crashed, FrameworkVerdict::Passed),
            TestOutcome::Passed
        );
        for judgement in [failed, ignored, FrameworkVerdict::Passed] {
            for outcome in [
                TestOutcome::Cancelled,
                TestOutcome::TimedOut { limit_us: 1 },
            ] {
                assert_eq!(judged(outcome.clone(), judgement.clone()), outcome);
            }
        }
    }

    #[test]
    fn only_a_test_that_passed_fails_for_its_leaks() {
        let leaks = LeakedProcesses {
            names: vec!["sleep".to_owned()],
            more: 0,
        };
        let none = LeakedProcesses::default();
        let failed = TestOutcome::Failed {
            exit: Some(ExitStatus::Code(0)),
            reason: Some("left running: sleep".to_owned()),
        };
        let timed_out = TestOutcome::TimedOut { limit_us: 1 };
        for (before, leaked, verdict, after) in [
            (TestOutcome::Passed, &leaks, LeakVerdict::Fail, &failed),
            (
                TestOutcome::Passed,
                &none,
                LeakVerdict::Fail,
                &TestOutcome::Passed,
            ),
            (
                TestOutcome::Passed,
                &leaks,
                LeakVerdict::Pass,
                &TestOutcome::Passed,
            ),
            (timed_out.clone(), &leaks, LeakVerdict::Fail, &timed_out),
        ] {
            assert_eq!(judged_by_leaks(before, leaked, verdict), *after);
        }
    }

    #[test]
    fn a_pass_does_not_wipe_out_a_failure_of_the_same_round() {
        assert_eq!(
            recorded_history(TestStatus::Passed, TestStatus::Failed),
            Some(PreviousOutcome::Failure)
        );
        assert_eq!(
            recorded_history(TestStatus::Passed, TestStatus::Passed),
            Some(PreviousOutcome::Success)
        );
        assert_eq!(
            recorded_history(TestStatus::Error, TestStatus::Error),
            Some(PreviousOutcome::Failure)
        );
        assert_eq!(
            recorded_history(TestStatus::Cancelled, TestStatus::Cancelled),
            None
        );
    }
}
