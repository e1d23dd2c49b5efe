//! Writes single attempts: the line of a test, and the details of a failed one.

use std::io::{self, Write};

use crate::log::LogStore;
use crate::model::{RunModel, TestState};
use crate::style::{OutputColor, TextRole};
use maelstrom_model::event::AttemptFinished;
use maelstrom_model::ids::TestId;

use super::links::FileLinks;
use super::log_lines::{write_log, write_log_bounded};
use super::rerun;
use super::text::{PreciseDuration, detail, leak, printable, status};

/// How much of a failed test's output to write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum OutputExtent {
    Whole,
    /// The beginning and the end.
    Bounded,
    /// Nothing, because the report has shown it already.
    Nothing,
}

/// Writes the line with the outcome of an attempt. `counter` has the space that separates it from
/// the title.
pub(super) fn write_line(
    out: &mut dyn Write,
    color: OutputColor,
    (model, finished): (&RunModel, &AttemptFinished),
    counter: &str,
) -> io::Result<()> {
    let (paint, word) = status(finished);
    let outcome = finished.counted_outcome();
    let state = TestState::of(&outcome);
    let duration = if finished.cached {
        "cached".to_owned()
    } else if state == TestState::Ignored || finished.timings.ran_us == 0 {
        "-".to_owned()
    } else {
        PreciseDuration(finished.timings.ran_us).to_string()
    };
    let title = title(model, finished);
    let mark = color.paint(paint, format!("{word:<9}"));
    write!(out, "{mark} {duration:>9} {counter} {title}")?;
    let note = match finished.passed_at_limit_us {
        Some(limit_us) => Some(format!(
            "stopped at its limit of {}",
            PreciseDuration(limit_us)
        )),
        None => detail(&outcome)
            .or_else(|| leak(finished))
            .filter(|_| !state.is_failure()),
    };
    match note {
        Some(note) => writeln!(out, " ({})", printable(&note)),
        None => writeln!(out),
    }
}

/// Returns the full name of a test, and the number of the attempt unless it is the first or stands
/// before the name.
pub(super) fn title(model: &RunModel, finished: &AttemptFinished) -> String {
    let title = printable(model.tests.title(finished.test));
    match model.tests.ordinal(finished.test, finished.attempt) {
        0 | 1 => title,
        ordinal if finished.retry.is_some_and(|retry| retry.number == ordinal) => title,
        ordinal => format!("{title} (attempt {ordinal})"),
    }
}

/// Writes the details of a failed attempt, its captured output, and the command that runs the test
/// alone.
pub(super) fn write_details(
    out: &mut dyn Write,
    (color, links): (OutputColor, FileLinks),
    (model, logs): (&RunModel, &LogStore),
    (finished, extent): (&AttemptFinished, OutputExtent),
) -> io::Result<()> {
    let reason = detail(&finished.counted_outcome()).unwrap_or_default();
    let mut told: Vec<String> = reason.lines().map(printable).collect();
    // A test that failed for its leaks has them in its reason.
    let leak = leak(finished).filter(|leak| !reason.contains(leak));
    told.extend(leak.as_deref().map(printable));
    if let Some(location) = links.location(model, finished) {
        let location = format!("at {location}");
        match told.last_mut() {
            Some(last) => *last = format!("{last}, {location}"),
            None => told.push(location),
        }
    }
    for line in told {
        writeln!(out, "  {line}")?;
    }
    let key = (finished.test, finished.attempt);
    match extent {
        OutputExtent::Whole => write_log(out, color, logs, key)?,
        OutputExtent::Bounded => write_log_bounded(out, color, logs, key)?,
        OutputExtent::Nothing => {}
    }
    match finished.is_retried() {
        true => Ok(()),
        false => write_command(out, color, (model, finished.test), "  "),
    }
}

/// Writes the command that runs a test alone, if there is one.
pub(super) fn write_command(
    out: &mut dyn Write,
    color: OutputColor,
    (model, test): (&RunModel, TestId),
    indentation: &str,
) -> io::Result<()> {
    let Some(command) = rerun::command_of(model, test) else {
        return Ok(());
    };
    let mark = color.paint(TextRole::Helpful, "run it alone:");
    writeln!(out, "{indentation}{mark} {}", printable(&command))
}

/// Returns the attempt to show for a failed test: its first failed one in the current round, or the
/// latest failed one if the round has none. Attempts that were retried come last.
pub(super) fn representative_attempt(model: &RunModel, test: TestId) -> Option<&AttemptFinished> {
    let since_us = model.round.as_ref().map_or(0, |round| round.started_us);
    let failing = |since_us: u64| {
        model.tests.attempts(test).filter_map(move |record| {
            let finished = record.finished.as_ref()?;
            let recent = record.finished_us.is_some_and(|at_us| at_us >= since_us);
            (finished.counted_outcome().is_failure() && recent).then_some(finished)
        })
    };
    let counts = |finished: &&AttemptFinished| !finished.is_retried();
    // Attempts are sorted from the latest to the first, so `last` is the one that failed first.
    let first = failing(since_us).filter(counts).last();
    let retried = || failing(since_us).next();
    first.or_else(retried).or_else(|| failing(0).next())
}
