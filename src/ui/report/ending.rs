//! The end of a report: failed tests with their output, notices, counts, and the command that
//! reruns the failed tests.
//!
//! Everything comes from the model and the log store, so the dashboard leaves the same text in the
//! scrollback when it closes as the plain report. The repeated output of a failed test is limited.

use std::io::{self, Write};

use crate::diagnostic;
use crate::log::{LogKey, LogLineEnd, LogStore, StreamFilter};
use crate::model::{RunModel, TestState};
use crate::style::{OutputColor, TextRole};
use maelstrom_model::event::{
    AttemptFinished, IsolationMode, NoticeSeverity, OutputStream, RoundCause, RoundSummary,
    UserNotice,
};
use maelstrom_model::ids::TestId;

use super::extent::{SHOWN_MAX, ShownLines, shown};
use super::rerun;
use super::text::{OutputSanitizer, PreciseDuration, count, detail, printable, status};

/// The maximum number of failed tests repeated with their output; the others are only named.
const FAILURES_WITH_OUTPUT_MAX: usize = 100;
/// The number of lines repeated from the beginning of a failed test's output.
const HEAD_LINES: usize = 30;
/// The number of lines repeated from the end of a failed test's output, which usually has the
/// reason.
const TAIL_LINES: usize = 120;
/// The number of bytes after which a line of repeated output is cut.
const REPEATED_LINE_BYTES_MAX: usize = 2_000;

/// How much of a failed test's output to write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OutputExtent {
    Whole,
    /// The first `HEAD_LINES` and the last `TAIL_LINES` lines.
    Bounded,
}

/// What was written before the summary.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PrecedingOutput {
    /// No output of this run.
    Nothing,
    /// Warnings and errors, as they occurred.
    Trouble,
}

/// Writes the end of a report: the failed tests and the summary.
pub fn write_ending(
    out: &mut dyn Write,
    color: OutputColor,
    before: PrecedingOutput,
    (model, logs): (&RunModel, &LogStore),
) -> io::Result<()> {
    write_failures(out, color, model, logs)?;
    write_summary(out, color, before, (model, logs))
}

/// Writes all failed tests with their output, in the order in which they failed.
pub fn write_failures(
    out: &mut dyn Write,
    color: OutputColor,
    model: &RunModel,
    logs: &LogStore,
) -> io::Result<()> {
    let mut tests = model.failed_tests().peekable();
    if tests.peek().is_none() {
        return Ok(());
    }
    writeln!(out, "\n{}", color.paint(TextRole::Strong, "failures:"))?;
    for (index, test) in tests.enumerate() {
        let Some(finished) = representative_attempt(model, test) else {
            continue;
        };
        if index < FAILURES_WITH_OUTPUT_MAX {
            writeln!(out)?;
            write_line(out, color, model, finished)?;
            write_output(out, color, (finished, logs), OutputExtent::Bounded)?;
        } else {
            if index == FAILURES_WITH_OUTPUT_MAX {
                writeln!(out, "\nfurther failures, without their output:\n")?;
            }
            write_line(out, color, model, finished)?;
        }
    }
    Ok(())
}

/// Writes the summary: notices, counts, and the commands that help with failures.
pub fn write_summary(
    out: &mut dyn Write,
    color: OutputColor,
    before: PrecedingOutput,
    (model, logs): (&RunModel, &LogStore),
) -> io::Result<()> {
    writeln!(out)?;
    if let Some(notice) = isolation_notice(model) {
        write_notice(out, color, &notice)?;
    }
    for notice in model.notices.iter().filter(|notice| notice.in_summary) {
        // If the run has no tests, nothing separates the notices above from these, so don't repeat
        // them.
        let stands_above = match before {
            PrecedingOutput::Nothing => false,
            PrecedingOutput::Trouble => {
                model.has_no_tests() && notice.severity != NoticeSeverity::Info
            }
        };
        if !stands_above {
            write_notice(out, color, notice)?;
        }
    }
    if let Some(loss) = logs.loss() {
        let lost = count(loss.bytes, "byte", "bytes");
        let text = format!(
            "{lost} of the tests' output could not be kept: {}",
            loss.reason
        );
        diagnostic::part(out, color, (TextRole::Attention, "warning"), &text)?;
    }
    let totals = totals(model);
    // If tests ran despite the failed build, their counts are more useful.
    let (paint, counts) = match model.build_failed() && ended(&totals) == 0 {
        true => (TextRole::Bad, "the build failed".to_owned()),
        false => counts(&totals),
    };
    let mark = color.paint(paint, "summary:");
    writeln!(
        out,
        "{mark} {counts} in {}",
        PreciseDuration(totals.duration_us)
    )?;
    if let Some(command) = rerun::command(model) {
        let mark = color.paint(TextRole::Helpful, "rerun the failures:");
        writeln!(out, "{mark} {}", printable(&command))?;
    }
    if let Some(command) = shell(model) {
        let mark = color.paint(TextRole::Helpful, "look around where the first one failed:");
        writeln!(out, "{mark} {}", printable(&command))?;
    }
    Ok(())
}

/// Returns the command that opens a shell in the container of the first failed test that has one.
fn shell(model: &RunModel) -> Option<String> {
    let descriptions = model.failures.iter().map(|test| model.description(*test));
    let words = descriptions
        .flatten()
        .find_map(|description| description.shell.as_ref())?;
    shlex::try_join(words.iter().map(String::as_str)).ok()
}

/// Writes a notice with its severity and help.
pub fn write_notice(
    out: &mut dyn Write,
    color: OutputColor,
    notice: &UserNotice,
) -> io::Result<()> {
    let label = match notice.severity {
        NoticeSeverity::Info => (TextRole::Strong, "note"),
        NoticeSeverity::Warning => (TextRole::Attention, "warning"),
        NoticeSeverity::Error => (TextRole::Bad, "error"),
    };
    diagnostic::part(out, color, label, &notice.text)?;
    match &notice.help {
        Some(help) => diagnostic::part(out, color, (TextRole::Helpful, "  help"), help),
        None => Ok(()),
    }
}

/// Writes the line with the outcome of an attempt.
pub(super) fn write_line(
    out: &mut dyn Write,
    color: OutputColor,
    model: &RunModel,
    finished: &AttemptFinished,
) -> io::Result<()> {
    let (paint, word) = status(&finished.outcome);
    let state = TestState::of(&finished.outcome);
    let duration = if finished.cached {
        "cached".to_owned()
    } else if state == TestState::Ignored || finished.timings.ran_us == 0 {
        "-".to_owned()
    } else {
        PreciseDuration(finished.timings.ran_us).to_string()
    };
    let title = printable(model.tests.title(finished.test));
    let mark = color.paint(paint, format!("{word:<9}"));
    write!(out, "{mark} {duration:>9}  {title}")?;
    let ordinal = model.tests.ordinal(finished.test, finished.attempt);
    if ordinal > 1 {
        write!(out, " (attempt {ordinal})")?;
    }
    match detail(&finished.outcome) {
        Some(reason) if !state.is_failure() => writeln!(out, " ({})", printable(&reason)),
        Some(_) | None => writeln!(out),
    }
}

/// Writes the details of a failed attempt and its captured output.
pub(super) fn write_output(
    out: &mut dyn Write,
    color: OutputColor,
    (finished, logs): (&AttemptFinished, &LogStore),
    extent: OutputExtent,
) -> io::Result<()> {
    let location = finished.location.as_ref().map(|place| {
        let column = place
            .column
            .map_or(String::new(), |column| format!(":{column}"));
        format!("at {}:{}{column}", place.path, place.line)
    });
    let told: Vec<String> = [detail(&finished.outcome), location]
        .into_iter()
        .flatten()
        .collect();
    for line in told.join(", ").lines() {
        writeln!(out, "  {}", printable(line))?;
    }
    let key = (finished.test, finished.attempt);
    match extent {
        OutputExtent::Whole => write_log(out, color, logs, key),
        OutputExtent::Bounded => write_log_bounded(out, color, logs, key),
    }
}

/// Writes the output of an attempt, or its beginning and end if it exceeds the limit of [`shown`].
pub(super) fn write_log(
    out: &mut dyn Write,
    color: OutputColor,
    logs: &LogStore,
    key: LogKey,
) -> io::Result<()> {
    let mut cleaner = OutputSanitizer::new(color);
    let mut lines = |out: &mut dyn Write, range| {
        write_lines(out, &mut cleaner, (logs, key), range, usize::MAX)?;
        write!(out, "{}", cleaner.end())
    };
    match shown(logs, key) {
        ShownLines::All => lines(out, 0..usize::MAX),
        ShownLines::Ends { head, tail_from } => {
            lines(out, 0..head)?;
            let left_out = count((tail_from - head) as u64, "line", "lines");
            let text = format!(
                "[{left_out} left out here: a report shows {SHOWN_MAX} of what a test wrote; \
                 `--record FILE` keeps all of it]"
            );
            writeln!(out, "    {}", color.paint(TextRole::Faint, text))?;
            lines(out, tail_from..usize::MAX)
        }
    }
}

fn write_log_bounded(
    out: &mut dyn Write,
    color: OutputColor,
    logs: &LogStore,
    key: LogKey,
) -> io::Result<()> {
    let total = logs.line_count(key, StreamFilter::Both);
    let mut cleaner = OutputSanitizer::new(color);
    let mut lines = |out: &mut dyn Write, range| {
        write_lines(
            out,
            &mut cleaner,
            (logs, key),
            range,
            REPEATED_LINE_BYTES_MAX,
        )?;
        write!(out, "{}", cleaner.end())
    };
    if total <= HEAD_LINES + TAIL_LINES {
        return lines(out, 0..total);
    }
    lines(out, 0..HEAD_LINES)?;
    let left_out = total - HEAD_LINES - TAIL_LINES;
    let text = format!(
        "[{} left out here]",
        count(left_out as u64, "line", "lines")
    );
    writeln!(out, "    {}", color.paint(TextRole::Faint, text))?;
    lines(out, total - TAIL_LINES..total)
}

fn write_lines(
    out: &mut dyn Write,
    cleaner: &mut OutputSanitizer,
    (logs, key): (&LogStore, LogKey),
    range: std::ops::Range<usize>,
    bytes_max: usize,
) -> io::Result<()> {
    let mut result = Ok(());
    let mut unfinished: Option<UnfinishedLine> = None;
    logs.for_each_line(key, StreamFilter::Both, range, |line| {
        if result.is_err() {
            return;
        }
        // The log stores a long line in several pieces.
        let before = unfinished.take();
        let goes_on = before.filter(|before| before.stream == line.stream);
        if before.is_some() && goes_on.is_none() {
            result = writeln!(out);
        }
        let written = goes_on.map_or(0, |before| before.bytes);
        let room = bytes_max.saturating_sub(written);
        let kept = line.bytes.get(..room).unwrap_or(line.bytes);
        let was_cut = written > bytes_max;
        let is_cut = kept.len() < line.bytes.len();
        let shown = cleaner.line(kept);
        let parts = shown.split('\n').enumerate();
        let shown: Vec<String> = parts
            .map(|(number, part)| match (number, goes_on) {
                (0, Some(_)) => part.to_owned(),
                _ => format!("    {part}"),
            })
            .collect();
        let cut = if is_cut && !was_cut { " [cut]" } else { "" };
        let end = match line.end {
            LogLineEnd::Newline => "\n",
            LogLineEnd::Open => "",
        };
        if result.is_ok() {
            result = write!(out, "{}{cut}{end}", shown.join("\n"));
        }
        unfinished = (line.end == LogLineEnd::Open).then_some(UnfinishedLine {
            stream: line.stream,
            bytes: written + line.bytes.len(),
        });
    });
    match unfinished {
        Some(_) => result.and_then(|()| writeln!(out)),
        None => result,
    }
}

/// The state of a line whose newline was not written yet.
#[derive(Clone, Copy)]
struct UnfinishedLine {
    stream: OutputStream,
    /// The number of bytes of this line so far.
    bytes: usize,
}

/// Returns the attempt to show for a failed test: its first failed one in the current round, or the
/// latest failed one if the round has none.
pub(super) fn representative_attempt(model: &RunModel, test: TestId) -> Option<&AttemptFinished> {
    let since_us = model.round.as_ref().map_or(0, |round| round.started_us);
    let failing = |since_us: u64| {
        model.tests.attempts(test).filter_map(move |record| {
            let finished = record.finished.as_ref()?;
            let recent = record.finished_us.is_some_and(|at_us| at_us >= since_us);
            (finished.outcome.is_failure() && recent).then_some(finished)
        })
    };
    // Attempts are sorted from the latest to the first, so `last` is the one that failed first.
    failing(since_us).last().or_else(|| failing(0).next())
}

fn isolation_notice(model: &RunModel) -> Option<UserNotice> {
    match model.run.as_ref()?.isolation {
        IsolationMode::Container => None,
        IsolationMode::Process => Some(UserNotice {
            severity: NoticeSeverity::Warning,
            text: "tests ran as plain processes (isolation=process): nothing kept them apart"
                .to_owned(),
            help: None,
            in_summary: true,
        }),
    }
}

/// Returns the counts of the round, or those of all tests if only some were rerun or the round is
/// not over.
fn totals(model: &RunModel) -> RoundSummary {
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
        flaky: model.flaky,
        duration_us: summary.duration_us,
    }
}

/// Returns the number of tests that ended.
fn ended(summary: &RoundSummary) -> u32 {
    summary.passed
        + summary.failed
        + summary.timed_out
        + summary.errors
        + summary.ignored
        + summary.cancelled
}

fn counts(summary: &RoundSummary) -> (TextRole, String) {
    let with = |number: u32, what: &str, of_which: u32, which: &str| match of_which {
        0 => format!("{number} {what}"),
        some => format!("{number} {what} ({some} {which})"),
    };
    let errors = if summary.errors == 1 {
        "error"
    } else {
        "errors"
    };
    let mut parts = vec![
        with(summary.passed, "passed", summary.cached, "cached"),
        with(summary.failed, "failed", summary.flaky, "flaky"),
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
