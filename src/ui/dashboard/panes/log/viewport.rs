//! The part of a log that is visible: which log, which of its lines, and how they are shown.
//!
//! Only what is in view is read, parsed and wrapped, whatever the log's size. The position is a
//! line and, if lines are wrapped, a row within that line.

use crate::log::{LogKey, LogStore, StreamFilter};
use maelstrom_model::event::OutputStream;

use super::super::super::ansi::{self, StyledLine};
use super::super::super::context::MoveDirection;
use super::super::super::theme::ColorChoice;
use super::search::SEARCH_STRETCH_LINES;

/// Lines shown before the one that tells what went wrong.
const LINES_BEFORE: usize = 2;
/// The room a timestamp takes.
pub(super) const TIMESTAMP_COLUMNS: usize = 10;
/// Columns that are scrolled sideways at a time.
const COLUMNS_STEP: usize = 8;

/// Whether long lines are broken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum LineWrap {
    #[default]
    On,
    /// Cut, and scrolled sideways.
    Off,
}

/// Whether lines say when they were written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum TimestampVisibility {
    Shown,
    #[default]
    Hidden,
}

/// Where a view stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum ScrollPosition {
    /// At the end, wherever that moves.
    #[default]
    Following,
    /// Its first row is this row of this line.
    At { line: usize, row: usize },
}

/// The size of a view.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct PaneSize {
    pub columns: usize,
    pub rows: usize,
}

/// A row of the screen.
#[derive(Clone, Debug)]
pub(super) struct LogRow {
    pub line: usize,
    /// The first row of its line.
    pub is_first: bool,
    pub stream: OutputStream,
    pub at_us: u64,
    pub spans: StyledLine,
}

/// See the module's documentation.
#[derive(Debug, Default)]
pub(super) struct LogViewport {
    key: Option<LogKey>,
    streams: StreamFilter,
    wrap: LineWrap,
    timestamps: TimestampVisibility,
    position: ScrollPosition,
    column: usize,
    opening: InitialScroll,
}

/// Whether a log stands where it was opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum InitialScroll {
    /// It goes to what went wrong as soon as that is known.
    Open,
    /// It has gone there, or the user has moved it.
    #[default]
    Settled,
}

impl LogViewport {
    /// Shows another log, from its end, or none.
    pub fn show(&mut self, key: Option<LogKey>) {
        self.key = key;
        self.position = ScrollPosition::Following;
        self.column = 0;
        self.opening = InitialScroll::Open;
    }

    /// Whether it may still go to what went wrong.
    pub fn is_opening(&self) -> bool {
        self.opening == InitialScroll::Open
    }

    /// Goes to the first line that says what went wrong, which is the message and not its
    /// backtrace, and shows what led to it. Lines before the last [`SEARCH_STRETCH_LINES`] are not
    /// looked at.
    pub fn reveal(&mut self, logs: &LogStore, size: PaneSize, says: impl Fn(&[u8]) -> bool) {
        let Some(key) = self.key else { return };
        self.opening = InitialScroll::Settled;
        let count = self.line_count(logs);
        let from = count.saturating_sub(SEARCH_STRETCH_LINES);
        let (mut number, mut found) = (from, None);
        logs.for_each_line(key, self.streams, from..count, |line| {
            if found.is_none() && says(line.bytes) {
                found = Some(number);
            }
            number += 1;
        });
        let Some(line) = found else { return };
        let first = line.saturating_sub(LINES_BEFORE);
        let seen = self.rows(logs, size, ColorChoice::Monochrome);
        // A log whose end shows that line keeps following.
        if !seen.iter().any(|row| row.line == first && row.is_first) {
            self.position = ScrollPosition::At {
                line: first,
                row: 0,
            };
        }
    }

    /// What is shown.
    pub fn key(&self) -> Option<LogKey> {
        self.key
    }

    /// Which streams are shown.
    pub fn streams(&self) -> StreamFilter {
        self.streams
    }

    /// Whether long lines are broken.
    pub fn wrap(&self) -> LineWrap {
        self.wrap
    }

    /// Whether lines say when they were written.
    pub fn timestamps(&self) -> TimestampVisibility {
        self.timestamps
    }

    /// Where the view stands.
    pub fn position(&self) -> ScrollPosition {
        self.position
    }

    /// Breaks long lines, or cuts them.
    pub fn toggle_wrap(&mut self) {
        self.wrap = match self.wrap {
            LineWrap::On => LineWrap::Off,
            LineWrap::Off => LineWrap::On,
        };
        self.column = 0;
    }

    /// Shows when each line was written, or not.
    pub fn toggle_timestamps(&mut self) {
        self.timestamps = match self.timestamps {
            TimestampVisibility::Shown => TimestampVisibility::Hidden,
            TimestampVisibility::Hidden => TimestampVisibility::Shown,
        };
    }

    /// Scrolls sideways. Says whether that is possible, which it is where lines are cut.
    pub fn scroll_sideways(&mut self, direction: MoveDirection) -> bool {
        if self.wrap == LineWrap::On {
            return false;
        }
        self.column = match direction {
            MoveDirection::Next => self.column + COLUMNS_STEP,
            MoveDirection::Previous => self.column.saturating_sub(COLUMNS_STEP),
        };
        true
    }

    /// Shows a line, below those that lead to it, which get a third of the view.
    pub fn show_line(&mut self, line: usize, size: PaneSize) {
        let line = line.saturating_sub(size.rows / 3);
        self.opening = InitialScroll::Settled;
        self.position = ScrollPosition::At { line, row: 0 };
    }

    /// Whether stdout and stderr are one.
    pub fn is_joined(&self, logs: &LogStore) -> bool {
        self.key.is_some_and(|key| logs.is_joined(key))
    }

    /// How many lines there are.
    pub fn line_count(&self, logs: &LogStore) -> usize {
        self.key.map_or(0, |key| logs.line_count(key, self.streams))
    }

    /// Columns left for text beside numbers and timestamps.
    pub fn text_columns(&self, columns: usize, logs: &LogStore) -> usize {
        let timestamps = match self.timestamps {
            TimestampVisibility::Shown => TIMESTAMP_COLUMNS,
            TimestampVisibility::Hidden => 0,
        };
        columns
            .saturating_sub(self.number_columns(logs) + 1 + timestamps)
            .max(1)
    }

    /// Columns that line numbers take.
    pub fn number_columns(&self, logs: &LogStore) -> usize {
        let digits = self.line_count(logs).max(1).ilog10() as usize + 1;
        digits.max(4)
    }

    /// The rows in view.
    pub fn rows(&self, logs: &LogStore, size: PaneSize, color: ColorChoice) -> Vec<LogRow> {
        let columns = self.text_columns(size.columns, logs);
        match self.position {
            ScrollPosition::Following => {
                let count = self.line_count(logs);
                // A line has at least one row, so the last rows are of no more lines than that.
                let from = count.saturating_sub(size.rows);
                let mut rows = self.read(logs, from..count, columns, color);
                let surplus = rows.len().saturating_sub(size.rows);
                rows.drain(..surplus);
                rows
            }
            ScrollPosition::At { line, row } => {
                let mut rows = self.read(logs, line..line + size.rows, columns, color);
                rows.drain(..row.min(rows.len()));
                // Rows skipped of the first line may leave room for one line more.
                if rows.len() < size.rows && row > 0 {
                    let next = line + size.rows;
                    rows.extend(self.read(logs, next..next + row, columns, color));
                }
                rows.truncate(size.rows);
                rows
            }
        }
    }

    fn read(
        &self,
        logs: &LogStore,
        range: std::ops::Range<usize>,
        columns: usize,
        color: ColorChoice,
    ) -> Vec<LogRow> {
        let Some(key) = self.key else {
            return Vec::new();
        };
        let mut rows = Vec::new();
        for (line, source) in (range.start..).zip(logs.lines(key, self.streams, range)) {
            let spans = ansi::parse(&source.bytes, source.begins, color);
            let pieces = match self.wrap {
                LineWrap::On => ansi::wrap(spans, columns),
                LineWrap::Off => vec![ansi::skip_columns(spans, self.column)],
            };
            for (index, spans) in pieces.into_iter().enumerate() {
                rows.push(LogRow {
                    line,
                    is_first: index == 0,
                    stream: source.stream,
                    at_us: source.at_us,
                    spans,
                });
            }
        }
        rows
    }

    /// Goes down (or, when negative, up) by rows. Going up stops following.
    pub fn scroll(&mut self, logs: &LogStore, size: PaneSize, by: isize) {
        let first = self.rows(logs, size, ColorChoice::Monochrome);
        let Some(first) = first.first() else { return };
        let (mut line, mut row) = match self.position {
            ScrollPosition::Following if by >= 0 => return,
            ScrollPosition::At { line, row } => (line, row),
            ScrollPosition::Following => {
                let columns = self.text_columns(size.columns, logs);
                let hidden = self.hidden_rows(logs, size, first.line, columns);
                (first.line, hidden)
            }
        };
        let columns = self.text_columns(size.columns, logs);
        let height = |line: usize| {
            let rows = self.read(logs, line..line + 1, columns, ColorChoice::Monochrome);
            // A line that cannot be read has no rows, and the caller takes one away.
            rows.len().max(1)
        };
        for _ in 0..by.unsigned_abs() {
            if by < 0 {
                if row > 0 {
                    row -= 1;
                } else if line > 0 {
                    line -= 1;
                    row = height(line) - 1;
                } else {
                    break;
                }
            } else if row + 1 < height(line) {
                row += 1;
            } else if line + 1 < self.line_count(logs) {
                line += 1;
                row = 0;
            } else {
                break;
            }
        }
        self.opening = InitialScroll::Settled;
        self.position = ScrollPosition::At { line, row };
        // No further down than until the last row stands in the last place.
        let rows = self.rows(logs, size, ColorChoice::Monochrome);
        if by > 0 && rows.len() < size.rows {
            // Where a pane that follows would stand is asked of one that does.
            let end = LogViewport {
                key: self.key,
                streams: self.streams,
                wrap: self.wrap,
                timestamps: self.timestamps,
                ..LogViewport::default()
            };
            if let Some(first) = end.rows(logs, size, ColorChoice::Monochrome).first() {
                let row = end.hidden_rows(logs, size, first.line, columns);
                let line = first.line;
                self.position = ScrollPosition::At { line, row };
            }
        }
    }

    /// How many rows of the first line in view are above the view when following.
    fn hidden_rows(&self, logs: &LogStore, size: PaneSize, line: usize, columns: usize) -> usize {
        let all = self.read(logs, line..line + 1, columns, ColorChoice::Monochrome);
        let visible = self.rows(logs, size, ColorChoice::Monochrome);
        let shown = visible.iter().filter(|row| row.line == line).count();
        all.len().saturating_sub(shown)
    }

    /// Goes to the beginning.
    pub fn rewind(&mut self) {
        self.opening = InitialScroll::Settled;
        self.position = ScrollPosition::At { line: 0, row: 0 };
        self.column = 0;
    }

    /// Goes to the end and stays there.
    pub fn follow(&mut self) {
        self.opening = InitialScroll::Settled;
        self.position = ScrollPosition::Following;
    }

    /// Stays where it is when more is written, or goes along again.
    pub fn toggle_follow(&mut self, logs: &LogStore, size: PaneSize) {
        match self.position {
            ScrollPosition::At { .. } => self.follow(),
            ScrollPosition::Following => self.scroll(logs, size, -1),
        }
    }

    /// Shows other lines of the same log.
    pub fn set_streams(&mut self, streams: StreamFilter) {
        self.streams = streams;
        self.position = ScrollPosition::Following;
    }
}
