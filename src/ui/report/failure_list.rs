//! Writes the list of all failed tests at the end of a report.
//!
//! The list comes last, so that it is on the screen when the program has ended. If few tests failed,
//! it also has the message of each and the command that runs it, unless the report shows the test
//! with its output at most a screen above.

use std::io::{self, Write};

use crate::log::LogStore;
use crate::model::RunModel;
use crate::style::{OutputColor, TextRole};
use maelstrom_model::event::{AttemptFinished, ExitStatus, TestOutcome};
use maelstrom_model::ids::TestId;

use super::details::{representative_attempt, title, write_command};
use super::excerpt::failure_message;
use super::links::FileLinks;
use super::text::{detail, printable, status};
use super::writer::{ReportWriter, ShownFailures};

/// The lines of a small terminal.
const SCREEN_LINES: u64 = 24;
/// The lines around the list: its heading, and the summary with its commands below it.
const LINES_AROUND: u64 = 7;
/// The maximum number of failed tests that are listed with their messages and commands.
const WITH_COMMANDS_MAX: usize = 3;
/// The maximum number of failed tests that are listed with a line of their messages.
const WITH_MESSAGE_MAX: usize = 10;

/// What the list has about a test, besides its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ListedDetails {
    None,
    /// A line of the message.
    MessageLine,
    /// The message, with this many lines at most, and the command that runs the test.
    MessageAndCommand(usize),
}

impl ListedDetails {
    /// Returns what a list of `count` tests has about a test. `lines_since` is the number of lines
    /// from the test's output to the list, if the report shows it.
    fn of(count: usize, lines_since: Option<u64>) -> ListedDetails {
        let visible = |lines: u64| {
            let below = (count as u64).saturating_add(LINES_AROUND);
            lines.saturating_add(below) <= SCREEN_LINES
        };
        match count {
            _ if lines_since.is_some_and(visible) => ListedDetails::None,
            0 | 1 => ListedDetails::MessageAndCommand(8),
            2 => ListedDetails::MessageAndCommand(5),
            WITH_COMMANDS_MAX => ListedDetails::MessageAndCommand(3),
            _ if count <= WITH_MESSAGE_MAX => ListedDetails::MessageLine,
            _ => ListedDetails::None,
        }
    }
}

/// Writes the list of all failed tests, in the order in which they failed.
pub(super) fn write_failure_list(
    out: &mut ReportWriter<'_>,
    (color, links): (OutputColor, FileLinks),
    (model, logs): (&RunModel, &LogStore),
    shown: &ShownFailures,
) -> io::Result<()> {
    let failed: Vec<TestId> = model.failed_tests().collect();
    if failed.is_empty() {
        return Ok(());
    }
    let position = out.position();
    writeln!(out, "\n{}", color.paint(TextRole::Strong, "failures:"))?;
    for &test in &failed {
        let Some(finished) = representative_attempt(model, test) else {
            continue;
        };
        let (paint, word) = status(finished);
        let mark = color.paint(paint, format!("{word:<7}"));
        write!(out, "  {mark} {}", title(model, finished))?;
        match links.location(model, finished) {
            Some(place) => writeln!(out, " at {place}")?,
            None => writeln!(out)?,
        }
        let lines = |out: &mut ReportWriter<'_>, lines_max: usize| {
            let mut message = message(logs, finished, lines_max).into_iter();
            message.try_for_each(|line| writeln!(out, "    {line}"))
        };
        match ListedDetails::of(failed.len(), shown.lines_since(test, position)) {
            ListedDetails::None => {}
            ListedDetails::MessageLine => lines(out, 1)?,
            ListedDetails::MessageAndCommand(lines_max) => {
                lines(out, lines_max)?;
                write_command(out, color, (model, test), "    ")?;
            }
        }
    }
    Ok(())
}

/// Writes the list of the tests that passed after they failed, and count as passed.
pub(super) fn write_flaky_list(
    out: &mut ReportWriter<'_>,
    color: OutputColor,
    model: &RunModel,
) -> io::Result<()> {
    let mut tests = model.flaky_passed().peekable();
    if tests.peek().is_none() {
        return Ok(());
    }
    writeln!(out, "\n{}", color.paint(TextRole::Strong, "flaky tests:"))?;
    for test in tests {
        // Another copy of the test may have passed at once since then.
        let ended = model
            .tests
            .attempts(test)
            .filter_map(|record| record.finished.as_ref());
        let flaky = ended.filter(|finished| finished.is_flaky());
        if let Some(finished) = flaky.last() {
            let (paint, word) = status(finished);
            let mark = color.paint(paint, format!("{word:<9}"));
            writeln!(out, "  {mark} {}", printable(model.tests.title(test)))?;
        }
    }
    Ok(())
}

/// Returns the lines that say why a test failed: the reason, if it is not only an exit code, and
/// then lines of its output.
fn message(logs: &LogStore, finished: &AttemptFinished, lines_max: usize) -> Vec<String> {
    let outcome = finished.counted_outcome();
    let reason = detail(&outcome).unwrap_or_default();
    let reason: Vec<String> = reason.lines().map(printable).take(lines_max).collect();
    let key = (finished.test, finished.attempt);
    let from_output = |max| failure_message(logs, key, finished.location.as_ref(), max);
    match &*outcome {
        TestOutcome::Failed {
            exit: None | Some(ExitStatus::Code(_)),
            reason: None,
        } => match from_output(lines_max) {
            output if output.is_empty() => reason,
            output => output,
        },
        TestOutcome::Failed { .. }
        | TestOutcome::TimedOut { .. }
        | TestOutcome::Error { .. }
        | TestOutcome::Passed
        | TestOutcome::Ignored { .. }
        | TestOutcome::Cancelled => {
            let output = from_output(lines_max.saturating_sub(reason.len()));
            reason.into_iter().chain(output).collect()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_tests_have_details_unless_they_are_on_the_screen() {
        use ListedDetails::{MessageAndCommand, MessageLine, None as Nothing};
        for (count, lines_since, expected) in [
            (1, None, MessageAndCommand(8)),
            (1, Some(16), Nothing),
            (1, Some(17), MessageAndCommand(8)),
            (2, Some(1_000), MessageAndCommand(5)),
            (3, Some(15), MessageAndCommand(3)),
            (3, Some(14), Nothing),
            (4, None, MessageLine),
            (10, Some(90), MessageLine),
            (11, None, Nothing),
            (100_000, None, Nothing),
        ] {
            assert_eq!(
                ListedDetails::of(count, lines_since),
                expected,
                "{count} {lines_since:?}"
            );
        }
    }
}
