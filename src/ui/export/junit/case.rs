//! What becomes of a test's attempts in a report. Pure.
//!
//! A test is reported once, with the worst attempt of its last round: the attempt that the exit code
//! is based on. An attempt that was retried does not decide if a later one passed. Failed attempts
//! beside the one that decides are `rerun` elements if the test failed, and `flaky` elements if it
//! passed in the end.

use crate::report::detail;
use maelstrom_model::event::{AttemptFinished, TestOutcome};

use super::collect::{JunitAttempt, JunitTest};

/// The result of a test.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum CaseResult {
    Passed,
    Skipped,
    /// The test failed.
    Failure,
    /// The test could not be run, or not to its end.
    Error,
}

/// A test with the attempts that a report shows.
pub(super) struct ReportedCase<'a> {
    pub result: CaseResult,
    /// The attempt that decides.
    pub main: Option<&'a JunitAttempt>,
    /// The other attempts that did not pass, in their order.
    pub others: Vec<&'a JunitAttempt>,
    /// Whether the test both failed and passed.
    pub is_flaky: bool,
}

impl<'a> ReportedCase<'a> {
    /// Judges a test.
    pub(super) fn of(test: &'a JunitTest) -> ReportedCase<'a> {
        let last = test.attempts.iter().map(|attempt| attempt.round).max();
        let in_last = || {
            let attempts = test.attempts.iter();
            attempts.filter(move |attempt| Some(attempt.round) == last)
        };
        // What ends without a result after a failure does not make up for it.
        let made_up = |attempt: &JunitAttempt| {
            let next = |later: &&JunitAttempt| later.attempt > attempt.attempt;
            let mut later = in_last().filter(next);
            attempt.is_retried() && later.any(|later| later.is_flaky())
        };
        let deciding = || in_last().filter(|attempt| !made_up(attempt));
        let worst = deciding().map(rank).max();
        // The last of a series of attempts tells most: it is the one that was not retried.
        let worst = || deciding().filter(|attempt| Some(rank(attempt)) == worst);
        let first = worst().find(|attempt| !attempt.is_retried());
        let main = first.or_else(|| worst().next());
        let result = main.map_or(CaseResult::Skipped, JunitAttempt::result);
        let failed = |attempt: &&JunitAttempt| match attempt.result() {
            CaseResult::Failure | CaseResult::Error => true,
            CaseResult::Passed | CaseResult::Skipped => false,
        };
        let is_main = |attempt: &JunitAttempt| main.is_some_and(|main| std::ptr::eq(main, attempt));
        let mut attempts = test.attempts.iter();
        let passed = attempts.any(|attempt| attempt.result() == CaseResult::Passed);
        let is_flaky = test.attempts.iter().any(JunitAttempt::is_flaky);
        ReportedCase {
            result,
            main,
            others: test
                .attempts
                .iter()
                .filter(failed)
                .filter(|attempt| !is_main(attempt))
                .collect(),
            is_flaky: is_flaky || passed && test.attempts.iter().any(|attempt| failed(&attempt)),
        }
    }
}

/// Orders attempts as the summary of a round does: failures of the test above errors around it.
fn rank(attempt: &JunitAttempt) -> u8 {
    let outcome = attempt
        .finished
        .as_ref()
        .map(AttemptFinished::counted_outcome);
    match outcome.as_deref() {
        Some(TestOutcome::Ignored { .. }) => 0,
        Some(TestOutcome::Passed) => 1,
        None => 2,
        Some(TestOutcome::Cancelled) => 3,
        Some(TestOutcome::Error { .. }) => 4,
        Some(TestOutcome::TimedOut { .. }) => 5,
        Some(TestOutcome::Failed { .. }) => 6,
    }
}

impl JunitAttempt {
    fn is_retried(&self) -> bool {
        self.finished
            .as_ref()
            .is_some_and(AttemptFinished::is_retried)
    }

    fn is_flaky(&self) -> bool {
        self.finished
            .as_ref()
            .is_some_and(AttemptFinished::is_flaky)
    }

    /// Returns the result of the attempt.
    pub(super) fn result(&self) -> CaseResult {
        let Some(finished) = &self.finished else {
            return match self.started {
                Some(_) => CaseResult::Error,
                None => CaseResult::Skipped,
            };
        };
        match (&*finished.counted_outcome(), self.started) {
            (TestOutcome::Passed, _) => CaseResult::Passed,
            (TestOutcome::Failed { .. } | TestOutcome::TimedOut { .. }, _) => CaseResult::Failure,
            (TestOutcome::Error { .. }, _) | (TestOutcome::Cancelled, Some(_)) => CaseResult::Error,
            (TestOutcome::Ignored { .. }, _) | (TestOutcome::Cancelled, None) => {
                CaseResult::Skipped
            }
        }
    }

    /// Returns the type of the attempt's failure, in a word or two.
    pub(super) fn failure_type(&self) -> &'static str {
        let outcome = self.finished.as_ref().map(AttemptFinished::counted_outcome);
        match outcome.as_deref() {
            Some(TestOutcome::Failed { .. }) if self.is_flaky() => "flaky test",
            Some(TestOutcome::Failed { .. }) => "test failure",
            Some(TestOutcome::TimedOut { .. }) => "test timeout",
            Some(TestOutcome::Error { .. }) => "execution error",
            Some(TestOutcome::Cancelled) => "cancelled",
            Some(TestOutcome::Passed | TestOutcome::Ignored { .. }) | None => "not finished",
        }
    }

    /// Returns why the attempt did not pass.
    pub(super) fn message(&self) -> Option<String> {
        let outcome = self.finished.as_ref().map(AttemptFinished::counted_outcome);
        match outcome.as_deref() {
            None => Some("the run ended before the test did".to_owned()),
            Some(TestOutcome::Cancelled) => Some(match self.started {
                Some(_) => "the test was stopped".to_owned(),
                None => "the run ended before the test was started".to_owned(),
            }),
            Some(outcome) => detail(outcome),
        }
    }
}
