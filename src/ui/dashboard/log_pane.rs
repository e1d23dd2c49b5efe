//! A pane that shows a log: its scroll position, display options and search.
//!
//! A pane reads, parses and wraps only what is in view, whatever the log's size. Its position is a
//! line and, if lines are wrapped, a row within that line. Search matches are collected a batch of
//! lines at a time, so a long log never delays a key.

use regex::Regex;

use crate::log::{LogKey, LogStore, StreamFilter};
use maelstrom_model::event::OutputStream;

use super::ansi::{self, StyledLine};
use super::theme::ColorChoice;

/// Lines that one stretch of searching looks at.
pub(super) const SEARCH_STRETCH_LINES: usize = 20_000;
/// Lines shown before the one that tells what went wrong.
const LINES_BEFORE: usize = 2;
/// The room a timestamp takes.
const TIMESTAMP_COLUMNS: usize = 10;

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

/// Where a pane stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum ScrollPosition {
    /// At the end, wherever that moves.
    #[default]
    Following,
    /// Its first row is this row of this line.
    At { line: usize, row: usize },
}

/// The size of a pane's inside.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct PaneSize {
    pub columns: usize,
    pub rows: usize,
}

/// What is searched, and where it was found.
#[derive(Debug)]
pub(super) struct LogSearch {
    pub pattern: String,
    pub regex: Regex,
    matches: Vec<usize>,
    searched_lines: usize,
    /// Which match was gone to last.
    current: Option<usize>,
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
pub(super) struct LogPane {
    key: Option<LogKey>,
    pub streams: StreamFilter,
    pub wrap: LineWrap,
    pub timestamps: TimestampVisibility,
    pub position: ScrollPosition,
    pub column: usize,
    pub search: Option<LogSearch>,
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

impl LogPane {
    /// Shows another log, from its end, or none.
    pub fn show(&mut self, key: Option<LogKey>) {
        self.key = key;
        self.position = ScrollPosition::Following;
        self.column = 0;
        self.opening = InitialScroll::Open;
        self.restart_search();
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
            let end = LogPane {
                key: self.key,
                streams: self.streams,
                wrap: self.wrap,
                timestamps: self.timestamps,
                ..LogPane::default()
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

    /// Begins a search. `Err` says what is wrong with the pattern; the old search then stays.
    pub fn set_search(&mut self, pattern: &str) -> Result<(), String> {
        if pattern.is_empty() {
            self.search = None;
            return Ok(());
        }
        let regex = super::finder::smart_case(pattern)?;
        self.search = Some(LogSearch {
            pattern: pattern.to_owned(),
            regex,
            matches: Vec::new(),
            searched_lines: 0,
            current: None,
        });
        Ok(())
    }

    /// Shows other lines of the same log.
    pub fn set_streams(&mut self, streams: StreamFilter) {
        self.streams = streams;
        self.position = ScrollPosition::Following;
        self.restart_search();
    }

    fn restart_search(&mut self) {
        if let Some(search) = &mut self.search {
            search.matches.clear();
            search.searched_lines = 0;
            search.current = None;
        }
    }

    /// Whether there are lines that the search has not looked at.
    pub fn is_search_behind(&self, logs: &LogStore) -> bool {
        let searched = self.search.as_ref().map(|search| search.searched_lines);
        searched.is_some_and(|searched| searched < self.line_count(logs))
    }

    /// Looks at the next stretch of lines.
    pub fn search_on(&mut self, logs: &LogStore) {
        let (count, streams) = (self.line_count(logs), self.streams);
        let (Some(key), Some(search)) = (self.key, &mut self.search) else {
            return;
        };
        let until = count.min(search.searched_lines + SEARCH_STRETCH_LINES);
        let mut number = search.searched_lines;
        logs.for_each_line(key, streams, number..until, |line| {
            let is_plain = line.bytes.is_ascii()
                && memchr::memchr3(b'\x1b', b'\t', b'\r', line.bytes).is_none();
            let found = if is_plain {
                // Without escapes and tabs the text is the line itself.
                std::str::from_utf8(line.bytes).is_ok_and(|text| search.regex.is_match(text))
            } else {
                search.regex.is_match(&ansi::plain(line.bytes))
            };
            if found {
                search.matches.push(number);
            }
            number += 1;
        });
        search.searched_lines = until;
    }

    /// Goes to the next (or previous) match, around the ends. Says whether there is one.
    pub fn jump(&mut self, logs: &LogStore, size: PaneSize, direction: MoveDirection) -> bool {
        let here = match self.position {
            ScrollPosition::At { line, .. } => Some(line),
            ScrollPosition::Following => None,
        };
        // What lies ahead must have been looked at; the rest follows between events.
        while self.is_search_behind(logs) && !self.has_match_ahead(direction, here) {
            self.search_on(logs);
        }
        let Some(search) = &mut self.search else {
            return false;
        };
        let count = search.matches.len();
        if count == 0 {
            return false;
        }
        let index = match (search.current, direction) {
            (Some(current), MoveDirection::Next) => (current + 1) % count,
            (Some(current), MoveDirection::Previous) => (current + count - 1) % count,
            (None, MoveDirection::Next) => {
                let from = here.unwrap_or(0);
                search.matches.partition_point(|line| *line < from) % count
            }
            (None, MoveDirection::Previous) => {
                let from = here.unwrap_or(usize::MAX);
                let before = search.matches.partition_point(|line| *line < from);
                (before + count - 1) % count
            }
        };
        search.current = Some(index);
        if let Some(line) = search.matches.get(index).copied() {
            // The lines that lead to the match get a third of the pane.
            let line = line.saturating_sub(size.rows / 3);
            self.opening = InitialScroll::Settled;
            self.position = ScrollPosition::At { line, row: 0 };
        }
        true
    }

    fn has_match_ahead(&self, direction: MoveDirection, here: Option<usize>) -> bool {
        let Some(search) = &self.search else {
            return false;
        };
        match (direction, search.current) {
            (MoveDirection::Previous, Some(current)) => current > 0,
            // With no match above the view the log's last one is gone to: all must be known.
            (MoveDirection::Previous, None) => false,
            (MoveDirection::Next, Some(current)) => current + 1 < search.matches.len(),
            (MoveDirection::Next, None) => {
                let from = here.unwrap_or(0);
                search.matches.last().is_some_and(|last| *last >= from)
            }
        }
    }

    /// The line of the match that was gone to last.
    pub fn current_match(&self) -> Option<usize> {
        let search = self.search.as_ref()?;
        search.matches.get(search.current?).copied()
    }

    /// `k/N` of the search, with a `+` while there is more to look at.
    pub fn match_position(&self, logs: &LogStore) -> Option<String> {
        let search = self.search.as_ref()?;
        let current = search.current.map_or(0, |current| current + 1);
        let more = if self.is_search_behind(logs) { "+" } else { "" };
        Some(format!("{current}/{}{more}", search.matches.len()))
    }
}

/// Which way to go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum MoveDirection {
    Next,
    Previous,
}
