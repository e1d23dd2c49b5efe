//! The counts in the summary of a report.

use crate::model::{RunModel, TestState};
use crate::style::TextRole;
use maelstrom_model::event::{RoundCause, RoundSummary};

/// Returns the counts of the round, or those of all tests if only some were rerun or the round is
/// not over.
pub(super) fn totals(model: &RunModel) -> RoundSummary {
    let round = model.round.as_ref();
    let summary = round.and_then(|round| round.summary).unwrap_or_default();
    let partial = match round.map(|round| (round.cause, round.summary)) {
        Some((RoundCause::Start | RoundCause::Watch, Some(_))) => false,
        Some((RoundCause::Rerun, _) | (_, None)) | None => true,
    };
    if !partial {
        return summary;
    }
    let of = |state| model.counts.get(state);
    let flaky_passed = u32::try_from(model.flaky_passed().count()).unwrap_or(u32::MAX);
    RoundSummary {
        passed: of(TestState::Passed),
        failed: of(TestState::Failed),
        timed_out: of(TestState::TimedOut),
        // A place that doesn't compile is counted as an error but is not a test.
        errors: of(TestState::Error).saturating_sub(model.places()),
        ignored: of(TestState::Ignored),
        cancelled: of(TestState::Cancelled),
        not_run: of(TestState::Waiting) + of(TestState::Queued) + of(TestState::Running),
        cached: model.cached,
        flaky: model.flaky.saturating_sub(flaky_passed),
        flaky_passed,
        duration_us: summary.duration_us,
    }
}

/// Returns the number of tests that ended.
pub(super) fn ended(summary: &RoundSummary) -> u32 {
    summary.passed
        + summary.failed
        + summary.timed_out
        + summary.errors
        + summary.ignored
        + summary.cancelled
}

/// Formats the counts, and returns the role of the text.
pub(super) fn counts(summary: &RoundSummary) -> (TextRole, String) {
    let with = |number: u32, what: &str, of_which: &[(u32, &str)]| {
        let of_which = of_which.iter().filter(|(some, _)| *some > 0);
        let of_which: Vec<_> = of_which
            .map(|(some, which)| format!("{some} {which}"))
            .collect();
        match of_which.is_empty() {
            true => format!("{number} {what}"),
            false => format!("{number} {what} ({})", of_which.join(", ")),
        }
    };
    let errors = if summary.errors == 1 {
        "error"
    } else {
        "errors"
    };
    let mut parts = vec![
        with(
            summary.passed,
            "passed",
            &[(summary.cached, "cached"), (summary.flaky_passed, "flaky")],
        ),
        with(summary.failed, "failed", &[(summary.flaky, "flaky")]),
    ];
    for (number, what) in [
        (summary.timed_out, "timed out"),
        (summary.errors, errors),
        (summary.ignored, "ignored"),
        (summary.cancelled, "cancelled"),
        (summary.not_run, "not run"),
    ] {
        if number > 0 {
            parts.push(format!("{number} {what}"));
        }
    }
    let paint = if summary.failed + summary.timed_out + summary.errors > 0 {
        TextRole::Bad
    } else if summary.cancelled + summary.not_run > 0 {
        TextRole::Attention
    } else {
        TextRole::Good
    };
    (paint, parts.join(", "))
}
