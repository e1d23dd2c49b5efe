//! Maps the end of a job to its test's outcome. Pure.
//!
//! This is where infrastructure failures and test failures are separated, so the mapping is total
//! and one to one.

use std::time::Duration;

use super::tally::TestStatus;
use maelstrom_model::event::{
    AttemptFinished, AttemptTimings, ExitStatus, PreviousOutcome, TestOutcome,
};
use maelstrom_model::framework::FrameworkVerdict;
use maelstrom_model::ids::{Attempt, TestId};
use maelstrom_model::job::JobOutcome;

/// What to remember of an attempt that stood so, in a round in which its test stands so.
pub fn recorded_history(attempt: TestStatus, test: TestStatus) -> Option<PreviousOutcome> {
    match attempt {
        TestStatus::Failed | TestStatus::TimedOut => Some(PreviousOutcome::Failure),
        TestStatus::Passed => match test {
            TestStatus::Failed | TestStatus::TimedOut => Some(PreviousOutcome::Failure),
            TestStatus::Open
            | TestStatus::Ignored
            | TestStatus::Passed
            | TestStatus::NotRun
            | TestStatus::Cancelled
            | TestStatus::Error => Some(PreviousOutcome::Success),
        },
        TestStatus::Open
        | TestStatus::Ignored
        | TestStatus::NotRun
        | TestStatus::Cancelled
        | TestStatus::Error => None,
    }
}

/// How a test ended whose job ended so; `limit` is its timeout.
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

/// What a test's framework makes of an outcome. Only what a process did by itself is its to judge.
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
        FrameworkVerdict::Failed { reason } => TestOutcome::Failed { exit, reason },
        FrameworkVerdict::Ignored { reason } => TestOutcome::Ignored { reason },
        FrameworkVerdict::Error { message } => TestOutcome::Error { message },
    }
}

/// The end of an attempt that cost nothing.
pub fn blank(test: TestId, attempt: Attempt, outcome: TestOutcome) -> AttemptFinished {
    AttemptFinished {
        test,
        attempt,
        outcome,
        cached: false,
        timings: AttemptTimings::default(),
        user_us: 0,
        system_us: 0,
        memory_peak_bytes: 0,
        stdout_bytes: 0,
        stderr_bytes: 0,
        joined_bytes: 0,
        location: None,
    }
}

/// Whole microseconds; more than 580,000 years count as the largest number.
pub fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

/// A count as events hold it.
pub fn count(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Invariant 3: infrastructure failures and test failures never pass for one another.
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
        for judgement in [failed, ignored] {
            for outcome in [
                TestOutcome::Cancelled,
                TestOutcome::TimedOut { limit_us: 1 },
            ] {
                assert_eq!(judged(outcome.clone(), judgement.clone()), outcome);
            }
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
        assert_eq!(recorded_history(TestStatus::Error, TestStatus::Error), None);
        assert_eq!(
            recorded_history(TestStatus::Cancelled, TestStatus::Cancelled),
            None
        );
    }
}
