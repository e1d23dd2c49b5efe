//! The visible part of a log.
//!
//! Only visible lines are read, parsed and wrapped, whatever the size of the log. The position is a
//! line and, if lines are wrapped, a row within that line.

use crate::log::{LogKey, LogStore, StreamFilter};
use maelstrom_model::event::OutputStream;

use super::super::super::ansi::{self, StyledLine};
use super::super::super::context::MoveDirection;
use super::super::super::theme::ColorChoice;
use super::search::SEARCH_STRETCH_LINES;

/// The number of lines to show before the message of a failure.
const LINES_BEFORE: usize = 2;
/// The width of a timestamp.
pub(super) const TIMESTAMP_COLUMNS: usize = 10;
/// The number of columns by which a view scrolls sideways.
const COLUMNS_STEP: usize = 8;

/// Whether long lines are wrapped.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum LineWrap {
    #[default]
    On,
    /// Long lines are cut, and the view can scroll sideways.
    Off,
}

/// Whether lines are displayed with the time at which they were written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum TimestampVisibility {
    Shown,
    #[default]
    Hidden,
}

/// The vertical scroll position.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum ScrollPosition {
    /// The end of the log; the view moves when output is added.
    #[default]
    Following,
    /// The first visible row is this row of this line.
    At { line: usize, row: usize },
}

/// The size of a view, in columns and rows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct PaneSize {
    pub columns: usize,
    pub rows: usize,
}

/// A row of the view, which is a wrapped line or a part of it.
#[derive(Clone, Debug)]
pub(super) struct LogRow {
    pub line: usize,
    /// Whether this is the first row of its line.
    pub is_first: bool,
    pub stream: OutputStream,
    pub at_us: u64,
    pub spans: StyledLine,
}

/// The visible part of a log. See the [module](self) documentation.
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

/// Whether the position may still change automatically.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum InitialScroll {
    /// The view moves to the message of the failure once its location is known.
    Open,
    /// The view has moved there, or the user has scrolled.
    #[default]
    Settled,
}

impl LogViewport {
    /// Shows another log at its end, or no log.
    pub(super) fn show(&mut self, key: Option<LogKey>) {
        self.key = key;
        self.position = ScrollPosition::Following;
        self.column = 0;
        self.opening = InitialScroll::Open;
    }

    /// Returns whether the view may still move to the message of the failure.
    pub(super) fn is_opening(&self) -> bool {
        self.opening == InitialScroll::Open
    }

    /// Moves to the first line for which `says` returns true, with [`LINES_BEFORE`] lines of
    /// context. The first such line is the message of a failure rather than its backtrace. Only the
    /// last [`SEARCH_STRETCH_LINES`] lines are searched.
    pub(super) fn reveal(&mut self, logs: &LogStore, size: PaneSize, says: impl Fn(&[u8]) -> bool) {
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
        // If the end of the log shows that line, keep following.
        if !seen.iter().any(|row| row.line == first && row.is_first) {
            self.position = ScrollPosition::At {
                line: first,
                row: 0,
            };
        }
    }

    /// Returns the key of the displayed log.
    pub(super) fn key(&self) -> Option<LogKey> {
        self.key
    }

    /// Returns which streams are displayed.
    pub(super) fn streams(&self) -> StreamFilter {
        self.streams
    }

    /// Returns whether long lines are wrapped.
    pub(super) fn wrap(&self) -> LineWrap {
        self.wrap
    }

    /// Returns whether timestamps are displayed.
    pub(super) fn timestamps(&self) -> TimestampVisibility {
        self.timestamps
    }

    /// Returns the vertical scroll position.
    pub(super) fn position(&self) -> ScrollPosition {
        self.position
    }

    /// Switches between wrapping and cutting long lines.
    pub(super) fn toggle_wrap(&mut self) {
        self.wrap = match self.wrap {
            LineWrap::On => LineWrap::Off,
            LineWrap::Off => LineWrap::On,
        };
        self.column = 0;
    }

    /// Shows or hides timestamps.
    pub(super) fn toggle_timestamps(&mut self) {
        self.timestamps = match self.timestamps {
            TimestampVisibility::Shown => TimestampVisibility::Hidden,
            TimestampVisibility::Hidden => TimestampVisibility::Shown,
        };
    }

    /// Scrolls sideways. Returns false if lines are wrapped, so that there is nothing to scroll.
    pub(super) fn scroll_sideways(&mut self, direction: MoveDirection) -> bool {
        if self.wrap == LineWrap::On {
            return false;
        }
        self.column = match direction {
            MoveDirection::Next => self.column + COLUMNS_STEP,
            MoveDirection::Previous => self.column.saturating_sub(COLUMNS_STEP),
        };
        true
    }

    /// Scrolls to a line, with lines of context in the upper third of the view.
    pub(super) fn show_line(&mut self, line: usize, size: PaneSize) {
        let line = line.saturating_sub(size.rows / 3);
        self.opening = InitialScroll::Settled;
        self.position = ScrollPosition::At { line, row: 0 };
    }

    /// Returns whether stdout and stderr are a single stream.
    pub(super) fn is_joined(&self, logs: &LogStore) -> bool {
        self.key.is_some_and(|key| logs.is_joined(key))
    }

    /// Returns the number of lines in the displayed streams.
    pub(super) fn line_count(&self, logs: &LogStore) -> usize {
        self.key.map_or(0, |key| logs.line_count(key, self.streams))
    }

    /// Returns the number of columns for text, without line numbers and timestamps.
    pub(super) fn text_columns(&self, columns: usize, logs: &LogStore) -> usize {
        let timestamps = match self.timestamps {
            TimestampVisibility::Shown => TIMESTAMP_COLUMNS,
            TimestampVisibility::Hidden => 0,
        };
        columns
            .saturating_sub(self.number_columns(logs) + 1 + timestamps)
            .max(1)
    }

    /// Returns the width of the line numbers.
    pub(super) fn number_columns(&self, logs: &LogStore) -> usize {
        let digits = self.line_count(logs).max(1).ilog10() as usize + 1;
        digits.max(4)
    }

    /// Returns the visible rows.
    pub(super) fn rows(&self, logs: &LogStore, size: PaneSize, color: ColorChoice) -> Vec<LogRow> {
        let columns = self.text_columns(size.columns, logs);
        match self.position {
            ScrollPosition::Following => {
                let count = self.line_count(logs);
                // A line has at least one row, so the view shows at most `size.rows` lines.
                let from = count.saturating_sub(size.rows);
                let mut rows = self.read(logs, from..count, columns, color);
                let surplus = rows.len().saturating_sub(size.rows);
                rows.drain(..surplus);
                rows
            }
            ScrollPosition::At { line, row } => {
                let mut rows = self.read(logs, line..line + size.rows, columns, color);
                rows.drain(..row.min(rows.len()));
                // The rows skipped of the first line may leave space for further lines.
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

    /// Scrolls down or, if negative, up by rows. Scrolling up stops following.
    pub(super) fn scroll(&mut self, logs: &LogStore, size: PaneSize, by: isize) {
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
            // A line that can't be read has no rows; callers subtract one.
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
        // Don't scroll past the position at which the last row is at the bottom of the view.
        let rows = self.rows(logs, size, ColorChoice::Monochrome);
        if by > 0 && rows.len() < size.rows {
            // A viewport that follows has that position.
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

    /// Returns how many rows of the first visible line are above the view while following.
    fn hidden_rows(&self, logs: &LogStore, size: PaneSize, line: usize, columns: usize) -> usize {
        let all = self.read(logs, line..line + 1, columns, ColorChoice::Monochrome);
        let visible = self.rows(logs, size, ColorChoice::Monochrome);
        let shown = visible.iter().filter(|row| row.line == line).count();
        all.len().saturating_sub(shown)
    }

    /// Moves to the beginning.
    pub(super) fn rewind(&mut self) {
        self.opening = InitialScroll::Settled;
        self.position = ScrollPosition::At { line: 0, row: 0 };
        self.column = 0;
    }

    /// Moves to the end, and follows further output.
    pub(super) fn follow(&mut self) {
        self.opening = InitialScroll::Settled;
        self.position = ScrollPosition::Following;
    }

    /// Starts or stops following the output.
    pub(super) fn toggle_follow(&mut self, logs: &LogStore, size: PaneSize) {
        match self.position {
            ScrollPosition::At { .. } => self.follow(),
            ScrollPosition::Following => self.scroll(logs, size, -1),
        }
    }

    /// Shows other streams of the same log.
    pub(super) fn set_streams(&mut self, streams: StreamFilter) {
        self.streams = streams;
        self.position = ScrollPosition::Following;
    }
}
