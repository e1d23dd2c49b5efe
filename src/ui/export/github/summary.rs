//! The step summary: the counts, the failures and the slowest tests, as Markdown.

use std::fmt::Write as _;
use std::fs::OpenOptions;
use std::io::{self, Write};
use std::path::Path;

use crate::report::detail;
use maelstrom_model::event::untrusted_text::clean;
use maelstrom_model::event::{AttemptFinished, RoundSummary, SourceLocation, TestOutcome};
use maelstrom_model::ids::TestId;

/// The number of bytes of a summary. GitHub refuses more than 1 MiB for all summaries of a step.
const SUMMARY_BYTES_MAX: usize = 256 << 10;
/// The number of failures in the table; the others are counted.
const FAILURES_MAX: usize = 200;
/// The number of slowest tests.
const SLOWEST: usize = 5;
/// The number of characters of a cell.
const CELL_CHARACTERS_MAX: usize = 500;

/// A step summary in the making.
#[derive(Debug, Default)]
pub(super) struct StepSummary {
    program: String,
    counts: Option<RoundSummary>,
    build_failed: bool,
    /// The failures, each as a row of the table.
    failures: Vec<(TestId, String)>,
    more_failures: u64,
    /// The slowest tests, the slowest first.
    slowest: Vec<(u64, String)>,
}

impl StepSummary {
    pub(super) fn program(&mut self, program: &str) {
        program.clone_into(&mut self.program);
    }

    pub(super) fn build(&mut self, succeeded: bool) {
        self.build_failed = !succeeded;
    }

    pub(super) fn round(&mut self, counts: RoundSummary) {
        self.counts = Some(counts);
    }

    /// Takes in an attempt that ended.
    pub(super) fn finished(
        &mut self,
        title: &str,
        place: Option<&SourceLocation>,
        finished: &AttemptFinished,
    ) {
        let ran_us = finished.timings.ran_us;
        if ran_us > 0 {
            let at = self
                .slowest
                .partition_point(|(known_us, _)| *known_us >= ran_us);
            if at < SLOWEST {
                self.slowest.insert(at, (ran_us, title.to_owned()));
                self.slowest.truncate(SLOWEST);
            }
        }
        let is_known = self.failures.iter().any(|(test, _)| *test == finished.test);
        let outcome = finished.counted_outcome();
        let is_listed = outcome.is_failure() || finished.is_flaky();
        if !is_listed || is_known {
            return;
        }
        if self.failures.len() >= FAILURES_MAX {
            self.more_failures += 1;
            return;
        }
        let word = match &*outcome {
            _ if finished.is_flaky() => "flaky",
            TestOutcome::TimedOut { .. } => "timed out",
            TestOutcome::Error { .. } => "error",
            TestOutcome::Failed { .. }
            | TestOutcome::Passed
            | TestOutcome::Ignored { .. }
            | TestOutcome::Cancelled => "failed",
        };
        let place = place.map_or(String::new(), |place| {
            format!("{}:{}", place.path, place.line)
        });
        let reason = match &*outcome {
            TestOutcome::Passed => "passed after a failed attempt".to_owned(),
            TestOutcome::Failed { .. }
            | TestOutcome::TimedOut { .. }
            | TestOutcome::Error { .. }
            | TestOutcome::Ignored { .. }
            | TestOutcome::Cancelled => reason(&outcome),
        };
        let cells = [title, word, &reason, &place].map(cell);
        self.failures
            .push((finished.test, format!("| {} |", cells.join(" | "))));
    }

    /// Appends the summary to a file.
    pub(super) fn append(&self, path: &Path, exit_code: u8) -> io::Result<()> {
        let mut file = OpenOptions::new().append(true).create(true).open(path)?;
        file.write_all(self.markdown(exit_code).as_bytes())
    }

    /// Returns the summary.
    pub(super) fn markdown(&self, exit_code: u8) -> String {
        let mut text = format!(
            "### {}: {}\n\n",
            cell(&self.program),
            self.headline(exit_code)
        );
        if !self.failures.is_empty() {
            text.push_str("| Test | Result | Reason | Place |\n|---|---|---|---|\n");
            let mut left_out = self.more_failures;
            for (_, row) in &self.failures {
                if text.len() + row.len() > SUMMARY_BYTES_MAX {
                    left_out += 1;
                } else {
                    // Writing to a string cannot fail.
                    let _ = writeln!(text, "{row}");
                }
            }
            if left_out > 0 {
                let _ = writeln!(text, "\nand {left_out} more failures");
            }
            text.push('\n');
        }
        if !self.slowest.is_empty() {
            text.push_str("| Slowest tests | Seconds |\n|---|---:|\n");
            for (ran_us, title) in &self.slowest {
                let seconds = *ran_us as f64 / 1e6;
                let _ = writeln!(text, "| {} | {seconds:.3} |", cell(title));
            }
            text.push('\n');
        }
        text
    }

    fn headline(&self, exit_code: u8) -> String {
        let Some(counts) = self.counts.filter(|_| !self.build_failed) else {
            return match (self.build_failed, exit_code) {
                (true, _) => "the build failed".to_owned(),
                (false, code) => format!("exit code {code}"),
            };
        };
        let parts = [
            (counts.passed, "passed"),
            (counts.flaky_passed, "of them flaky"),
            (counts.failed, "failed"),
            (counts.timed_out, "timed out"),
            (counts.errors, "errors"),
            (counts.ignored, "ignored"),
            (counts.cancelled, "cancelled"),
            (counts.not_run, "not run"),
        ];
        let parts = parts
            .iter()
            .filter(|(count, word)| *count > 0 || *word == "passed");
        let parts: Vec<String> = parts
            .map(|(count, word)| format!("{count} {word}"))
            .collect();
        let seconds = counts.duration_us as f64 / 1e6;
        format!("{} in {seconds:.3} s", parts.join(", "))
    }
}

/// Returns a text as a cell of a table, in which nothing is Markdown or HTML.
fn cell(text: &str) -> String {
    let text = text.replace('\n', " ");
    let mut escaped = String::new();
    for character in clean(&text).chars().take(CELL_CHARACTERS_MAX) {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            // Among others `@` and `#`, which would link to people and issues.
            '\\' | '|' | '`' | '*' | '_' | '[' | ']' | '~' | '!' | '#' | '@' => {
                escaped.push('\\');
                escaped.push(character);
            }
            other => escaped.push(other),
        }
    }
    escaped
}

/// Returns why a test failed, in one line.
pub(super) fn reason(outcome: &TestOutcome) -> String {
    detail(outcome).unwrap_or_else(|| "failed".to_owned())
}
