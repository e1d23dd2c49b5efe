//! What the end of a job means for its test. Pure.
//!
//! This is where an infrastructure failure and a test's failure part ways, so the mapping is total
//! and one to one.

use std::time::Duration;

use super::tally::Standing;
use maelstrom_model::event::{ExitStatus, Finished, History, Outcome, Timings};
use maelstrom_model::framework::Judgement;
use maelstrom_model::ids::{Attempt, TestId};
use maelstrom_model::job::JobEnd;

/// What to remember of an attempt that stood so, in a round in which its test stands so.
pub fn lesson(attempt: Standing, test: Standing) -> Option<History> {
    match attempt {
        Standing::Failed | Standing::TimedOut => Some(History::Failure),
        Standing::Passed => match test {
            Standing::Failed | Standing::TimedOut => Some(History::Failure),
            Standing::Open
            | Standing::Ignored
            | Standing::Passed
            | Standing::NotRun
            | Standing::Cancelled
            | Standing::Error => Some(History::Success),
        },
        Standing::Open
        | Standing::Ignored
        | Standing::NotRun
        | Standing::Cancelled
        | Standing::Error => None,
    }
}

/// How a test ended whose job ended so; `limit` is its timeout.
pub fn outcome(end: JobEnd, limit: Option<Duration>) -> Outcome {
    match end {
        JobEnd::Exited(ExitStatus::Code(0)) => Outcome::Passed,
        JobEnd::Exited(exit) => Outcome::Failed {
            exit: Some(exit),
            reason: None,
        },
        JobEnd::TimedOut => Outcome::TimedOut {
            limit_us: limit.map_or(0, micros),
        },
        JobEnd::Cancelled => Outcome::Cancelled,
        JobEnd::Error(message) => Outcome::Error { message },
    }
}

/// What a test's framework makes of an outcome. Only what a process did by itself is its to judge.
pub fn judged(outcome: Outcome, judgement: Judgement) -> Outcome {
    let exit = match &outcome {
        Outcome::Passed => Some(ExitStatus::Code(0)),
        Outcome::Failed { exit, .. } => *exit,
        Outcome::TimedOut { .. }
        | Outcome::Ignored { .. }
        | Outcome::Cancelled
        | Outcome::Error { .. } => return outcome,
    };
    match judgement {
        Judgement::ByStatus => outcome,
        Judgement::Failed { reason } => Outcome::Failed { exit, reason },
        Judgement::Ignored { reason } => Outcome::Ignored { reason },
        Judgement::Error { message } => Outcome::Error { message },
    }
}

/// The end of an attempt that cost nothing.
pub fn blank(test: TestId, attempt: Attempt, outcome: Outcome) -> Finished {
    Finished {
        test,
        attempt,
        outcome,
        cached: false,
        timings: Timings::default(),
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
            let failed = Outcome::Failed {
                exit: Some(exit),
                reason: None,
            };
            assert_eq!(outcome(JobEnd::Exited(exit), limit), failed);
        }
        assert_eq!(
            outcome(JobEnd::Exited(ExitStatus::Code(0)), limit),
            Outcome::Passed
        );
        assert_eq!(
            outcome(JobEnd::TimedOut, limit),
            Outcome::TimedOut {
                limit_us: 2_000_000
            }
        );
        assert_eq!(outcome(JobEnd::Cancelled, limit), Outcome::Cancelled);
        let message = "mount proc on /proc: EPERM".to_owned();
        assert_eq!(
            outcome(JobEnd::Error(message.clone()), limit),
            Outcome::Error { message }
        );
    }

    #[test]
    fn a_framework_judges_only_what_a_process_did_by_itself() {
        let reason = Some("not today".to_owned());
        let failed = Judgement::Failed {
            reason: reason.clone(),
        };
        let ignored = Judgement::Ignored {
            reason: reason.clone(),
        };
        assert_eq!(
            judged(Outcome::Passed, failed.clone()),
            Outcome::Failed {
                exit: Some(ExitStatus::Code(0)),
                reason: reason.clone()
            }
        );
        assert_eq!(
            judged(Outcome::Passed, ignored.clone()),
            Outcome::Ignored { reason }
        );
        for judgement in [failed, ignored] {
            for outcome in [Outcome::Cancelled, Outcome::TimedOut { limit_us: 1 }] {
                assert_eq!(judged(outcome.clone(), judgement.clone()), outcome);
            }
        }
    }

    #[test]
    fn a_pass_does_not_wipe_out_a_failure_of_the_same_round() {
        assert_eq!(
            lesson(Standing::Passed, Standing::Failed),
            Some(History::Failure)
        );
        assert_eq!(
            lesson(Standing::Passed, Standing::Passed),
            Some(History::Success)
        );
        assert_eq!(lesson(Standing::Error, Standing::Error), None);
        assert_eq!(lesson(Standing::Cancelled, Standing::Cancelled), None);
    }
}
