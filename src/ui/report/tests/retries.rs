//! Tests that are retried, and slow tests.

use super::*;
use maelstrom_model::event::{RetryNext, RetryPosition, RetryStart};

impl Story {
    /// Ends an attempt, the second at most, of a test with one retry.
    fn ends_in_series(&mut self, test: u32, number: u32, outcome: TestOutcome, next: RetryNext) {
        let mut finished = AttemptFinished::new(TestId(test), Attempt(number), outcome);
        finished.timings.ran_us = 7_000;
        finished.retry = Some(RetryPosition {
            number,
            attempts_max: 2,
            next,
        });
        self.emit(AttemptEvent::Finished(Box::new(finished)));
        if next == RetryNext::Again {
            self.emit(AttemptEvent::Queued {
                test: TestId(test),
                attempt: Attempt(number + 1),
                retry: Some(RetryStart {
                    number: number + 1,
                    attempts_max: 2,
                    delay_us: 1_500_000,
                }),
            });
            self.starts(test, number + 1);
        }
    }
}

fn retried(options: RunReportOptions) -> String {
    let mut story = Story::new(options);
    story.begins(IsolationMode::Container);
    story.finds(&["recovers", "is_flaky", "fails", "slow"]);
    story.round(1, RoundCause::Start);
    let failed = || failed(ExitStatus::Code(101));
    for (test, outcome, next) in [
        (0, TestOutcome::Passed, RetryNext::FlakyPassed),
        (1, TestOutcome::Passed, RetryNext::FlakyFailed),
        (2, failed(), RetryNext::Done),
    ] {
        story.starts(test, 1);
        story.writes(test, 1, b"first\n");
        story.ends_in_series(test, 1, failed(), RetryNext::Again);
        story.writes(test, 2, b"second\n");
        story.ends_in_series(test, 2, outcome, next);
    }
    story.starts(3, 1);
    story.emit(AttemptEvent::Slow {
        test: TestId(3),
        attempt: Attempt(1),
        after_us: 60_000_000,
    });
    let mut finished = AttemptFinished::new(TestId(3), Attempt(1), TestOutcome::Passed);
    finished.timings.ran_us = 90_000_000;
    finished.passed_at_limit_us = Some(90_000_000);
    story.emit(AttemptEvent::Finished(Box::new(finished)));
    story.round_ends(
        1,
        RoundSummary {
            passed: 2,
            flaky_passed: 1,
            failed: 2,
            flaky: 1,
            duration_us: 28_000,
            ..RoundSummary::default()
        },
    );
    story.text()
}

#[test]
fn each_attempt_has_a_line_and_flaky_tests_are_listed() {
    insta::assert_snapshot!(retried(PLAIN));
}

#[test]
fn without_lines_only_what_counts_is_written() {
    insta::assert_snapshot!(retried(QUIET));
    let dots = retried(RunReportOptions {
        style: ReportStyle::Dots,
        ..PLAIN
    });
    assert!(dots.contains("R.RFRF."), "{dots}");
}

/// The counts of the model are those of the summary.
#[test]
fn the_counts_without_a_summary_are_the_same() {
    let text = retried(PLAIN);
    let with_summary = text.lines().find(|line| line.starts_with("summary:"));
    assert!(
        with_summary.is_some_and(|line| line.contains("2 passed (1 flaky), 2 failed (1 flaky)")),
        "{text}"
    );
}
