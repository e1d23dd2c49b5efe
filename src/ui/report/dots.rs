//! Writes one character for each test, in rows.

use std::io::{self, Write};

use crate::style::{OutputColor, TextRole};
use maelstrom_model::event::{AttemptFinished, TestOutcome};

use super::writer::ReportWriter;

/// The number of characters in a row, which ends with the counter.
const ROW_CHARACTERS: u32 = 60;

/// The rows of characters.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct DotRows {
    /// The number of characters in the row that has begun.
    column: u32,
    legend: LegendState,
}

/// Whether the legend was written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum LegendState {
    #[default]
    Due,
    Written,
}

/// The words for tests that their authors leave out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum IgnoredWord {
    /// Rust's.
    Ignored,
    /// pytest's and Go's.
    Skipped,
}

impl IgnoredWord {
    /// Returns the word that the users of a program know.
    pub(super) fn of_program(program: &str) -> IgnoredWord {
        match program {
            "maelstrom-pytest" | "maelstrom-go-test" => IgnoredWord::Skipped,
            _ => IgnoredWord::Ignored,
        }
    }

    fn mark(self) -> char {
        match self {
            IgnoredWord::Ignored => 'i',
            IgnoredWord::Skipped => 's',
        }
    }

    fn legend(self) -> &'static str {
        match self {
            IgnoredWord::Ignored => {
                ". passed  F failed  T timed out  E error  R retried  i ignored  c cancelled"
            }
            IgnoredWord::Skipped => {
                ". passed  F failed  T timed out  E error  R retried  s skipped  c cancelled"
            }
        }
    }
}

/// Returns the character for an attempt, and its color.
fn mark(finished: &AttemptFinished, word: IgnoredWord) -> (TextRole, char) {
    if finished.is_retried() {
        return (TextRole::Attention, 'R');
    }
    match &*finished.counted_outcome() {
        TestOutcome::Passed => (TextRole::Good, '.'),
        TestOutcome::Failed { .. } => (TextRole::Bad, 'F'),
        TestOutcome::TimedOut { .. } => (TextRole::Bad, 'T'),
        TestOutcome::Error { .. } => (TextRole::Bad, 'E'),
        TestOutcome::Ignored { .. } => (TextRole::Attention, word.mark()),
        TestOutcome::Cancelled => (TextRole::Attention, 'c'),
    }
}

impl DotRows {
    /// Writes the character of a test that has ended. The first one follows the legend.
    pub(super) fn write(
        &mut self,
        out: &mut ReportWriter<'_>,
        color: OutputColor,
        (finished, word): (&AttemptFinished, IgnoredWord),
        counter: &str,
    ) -> io::Result<()> {
        if self.legend == LegendState::Due {
            out.begin_line()?;
            writeln!(out, "{}", color.paint(TextRole::Faint, word.legend()))?;
            self.legend = LegendState::Written;
        }
        // Another line has ended the row.
        if !out.position().is_within_line {
            self.column = 0;
        }
        let (paint, mark) = mark(finished, word);
        write!(out, "{}", color.paint(paint, mark))?;
        self.column += 1;
        match self.column < ROW_CHARACTERS {
            true => Ok(()),
            false => writeln!(out, " {}", counter.trim_end()),
        }
    }
}
