//! The end of a report: failed tests with their output, the slowest tests, the names of all failed
//! tests, notices, counts, and the commands that help with failures.
//!
//! Everything comes from the model and the log store, so the dashboard leaves the same text in the
//! scrollback when it closes as a report that shows no output before its end. The output of a failed
//! test is limited here.

use std::io::{self, Write};

use crate::diagnostic;
use crate::log::LogStore;
use crate::model::RunModel;
use crate::style::{OutputColor, TextRole};
use maelstrom_model::event::{IsolationMode, NoticeSeverity, TestOutcome, UserNotice};
use maelstrom_model::ids::TestId;

use super::details::{OutputExtent, representative_attempt, title, write_details, write_line};
use super::failure_list::{write_failure_list, write_flaky_list};
use super::links::FileLinks;
use super::options::SlowestTests;
use super::rerun;
use super::text::{PreciseDuration, count, printable};
use super::totals::{counts, ended, totals};
use super::writer::{OutputPosition, ReportWriter, ShownFailures};

/// The maximum number of failed tests written with their output; the list has the names of all.
const FAILURES_WITH_OUTPUT_MAX: usize = 100;

/// What was written before the summary.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PrecedingOutput {
    /// No output of this run.
    Nothing,
    /// Warnings and errors, as they occurred.
    Trouble,
}

/// Whether the output of failed tests was written when they ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FailureOutput {
    /// The ending has it.
    Missing,
    Written,
}

/// What an ending is written from.
pub(super) struct RunEnding<'a> {
    pub(super) color: OutputColor,
    pub(super) links: FileLinks,
    pub(super) before: PrecedingOutput,
    pub(super) failures: FailureOutput,
    pub(super) slowest: SlowestTests,
    pub(super) model: &'a RunModel,
    pub(super) logs: &'a LogStore,
}

/// Writes the end of a report that has shown no output of failed tests: the failed tests and the
/// summary.
pub fn write_ending(
    out: &mut dyn Write,
    color: OutputColor,
    before: PrecedingOutput,
    (model, logs): (&RunModel, &LogStore),
) -> io::Result<()> {
    let mut position = OutputPosition::default();
    let ending = RunEnding {
        color,
        links: FileLinks::Off,
        before,
        failures: FailureOutput::Missing,
        slowest: SlowestTests::NONE,
        model,
        logs,
    };
    let mut out = ReportWriter::new(out, &mut position);
    ending.write(&mut out, &mut ShownFailures::default())
}

impl RunEnding<'_> {
    /// Writes the ending. `shown` has the failed tests whose output the report shows.
    pub(super) fn write(
        &self,
        out: &mut ReportWriter<'_>,
        shown: &mut ShownFailures,
    ) -> io::Result<()> {
        let (color, model, logs) = (self.color, self.model, self.logs);
        out.begin_line()?;
        match self.failures {
            FailureOutput::Missing => self.write_failures(out, shown)?,
            FailureOutput::Written => {}
        }
        write_slowest(out, color, model, self.slowest)?;
        write_flaky_list(out, color, model)?;
        write_failure_list(out, (color, self.links), (model, logs), shown)?;
        self.write_summary(out)
    }

    /// Writes the failed tests with their output, in the order in which they failed.
    fn write_failures(
        &self,
        out: &mut ReportWriter<'_>,
        shown: &mut ShownFailures,
    ) -> io::Result<()> {
        let (color, model, logs) = (self.color, self.model, self.logs);
        let failed = model.failed_tests().take(FAILURES_WITH_OUTPUT_MAX);
        let failed: Vec<TestId> = failed.collect();
        if failed.is_empty() {
            return Ok(());
        }
        let heading = color.paint(TextRole::Strong, "output of the failures:");
        writeln!(out, "\n{heading}")?;
        for test in failed {
            if let Some(finished) = representative_attempt(model, test) {
                writeln!(out)?;
                shown.add(test, out.position());
                write_line(out, color, (model, finished), "")?;
                let extent = OutputExtent::Bounded;
                let paint = (color, self.links);
                write_details(out, paint, (model, logs), (finished, extent))?;
            }
        }
        Ok(())
    }

    /// Writes the summary: notices, counts, and the commands that help with failures.
    fn write_summary(&self, out: &mut ReportWriter<'_>) -> io::Result<()> {
        let (color, model) = (self.color, self.model);
        writeln!(out)?;
        if let Some(notice) = isolation_notice(model) {
            write_notice(out, color, &notice)?;
        }
        for notice in model.notices.iter().filter(|notice| notice.in_summary) {
            // If the run has no tests, nothing separates the notices above from these, so don't
            // repeat them.
            let stands_above = match self.before {
                PrecedingOutput::Nothing => false,
                PrecedingOutput::Trouble => {
                    model.has_no_tests() && notice.severity != NoticeSeverity::Info
                }
            };
            if !stands_above {
                write_notice(out, color, notice)?;
            }
        }
        if let Some(loss) = self.logs.loss() {
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
}

/// Writes the tests of the round that took longest, the slowest first.
fn write_slowest(
    out: &mut dyn Write,
    color: OutputColor,
    model: &RunModel,
    slowest: SlowestTests,
) -> io::Result<()> {
    let since_us = model.round.as_ref().map_or(0, |round| round.started_us);
    let timed = model.tests.ids().filter_map(|test| {
        let record = model.tests.latest(test)?;
        let finished = record.finished.as_ref()?;
        let ran_us = finished.timings.ran_us;
        let is_long = ran_us > 0 && ran_us >= slowest.least_us && !finished.cached;
        // A cancelled test says nothing about its duration.
        let counts = is_long && finished.outcome != TestOutcome::Cancelled;
        let recent = record.finished_us.is_some_and(|at_us| at_us >= since_us);
        (counts && recent).then_some((ran_us, finished))
    });
    let mut timed: Vec<_> = match slowest.count {
        0 => return Ok(()),
        _ => timed.collect(),
    };
    timed.sort_by_key(|(ran_us, finished)| (std::cmp::Reverse(*ran_us), finished.test));
    timed.truncate(slowest.count as usize);
    if timed.is_empty() {
        return Ok(());
    }
    let heading = color.paint(TextRole::Strong, "slowest tests:");
    writeln!(out, "\n{heading}")?;
    for (ran_us, finished) in timed {
        let duration = PreciseDuration(ran_us);
        writeln!(out, "  {duration:>9} {}", title(model, finished))?;
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
