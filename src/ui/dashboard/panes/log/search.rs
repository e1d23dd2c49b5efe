//! The search in a log: its pattern, and the lines that match.
//!
//! Searches a limited number of lines at a time, so a long log never delays a key.

use regex::Regex;

use crate::log::{LogKey, LogStore, StreamFilter};

use super::super::super::ansi;
use super::super::super::context::MoveDirection;
use super::super::super::finder;

/// The number of lines that are searched at a time.
pub(super) const SEARCH_STRETCH_LINES: usize = 20_000;

/// The state of a search. See the [module](self) documentation.
#[derive(Debug)]
pub(super) struct LogSearch {
    pattern: String,
    regex: Regex,
    matches: Vec<usize>,
    searched_lines: usize,
    /// The index of the most recently visited match.
    current: Option<usize>,
}

/// The lines to search.
#[derive(Clone, Copy)]
pub(super) struct SearchedLog<'a> {
    pub logs: &'a LogStore,
    pub key: Option<LogKey>,
    pub streams: StreamFilter,
    pub lines: usize,
}

impl LogSearch {
    /// Creates a search that has not searched any lines. Returns an error message if the pattern is
    /// invalid.
    pub(super) fn new(pattern: &str) -> Result<Self, String> {
        Ok(LogSearch {
            pattern: pattern.to_owned(),
            regex: finder::smart_case(pattern)?,
            matches: Vec::new(),
            searched_lines: 0,
            current: None,
        })
    }

    /// Returns the pattern as entered.
    pub(super) fn pattern(&self) -> &str {
        &self.pattern
    }

    /// Returns the compiled pattern.
    pub(super) fn regex(&self) -> &Regex {
        &self.regex
    }

    /// Starts the search again, for another log.
    pub(super) fn restart(&mut self) {
        self.matches.clear();
        self.searched_lines = 0;
        self.current = None;
    }

    /// Returns whether there are lines that have not been searched.
    pub(super) fn is_behind(&self, lines: usize) -> bool {
        self.searched_lines < lines
    }

    /// Searches the next lines, up to [`SEARCH_STRETCH_LINES`].
    pub(super) fn advance(&mut self, log: SearchedLog<'_>) {
        let Some(key) = log.key else { return };
        let until = log.lines.min(self.searched_lines + SEARCH_STRETCH_LINES);
        let mut number = self.searched_lines;
        let (regex, matches) = (&self.regex, &mut self.matches);
        log.logs
            .for_each_line(key, log.streams, number..until, |line| {
                let is_plain = line.bytes.is_ascii()
                    && memchr::memchr3(b'\x1b', b'\t', b'\r', line.bytes).is_none();
                let found = if is_plain {
                    // Without escape sequences and tabs, the text is identical to the bytes.
                    std::str::from_utf8(line.bytes).is_ok_and(|text| regex.is_match(text))
                } else {
                    regex.is_match(&ansi::plain(line.bytes))
                };
                if found {
                    matches.push(number);
                }
                number += 1;
            });
        self.searched_lines = until;
    }

    /// Moves to the next or previous match, wrapping around at the ends, and returns its line. The
    /// first jump starts at the line `here`. Returns `None` if nothing matches.
    pub(super) fn jump(
        &mut self,
        log: SearchedLog<'_>,
        here: Option<usize>,
        direction: MoveDirection,
    ) -> Option<usize> {
        // Search until there is a match in this direction. The remaining lines are searched while
        // idle.
        while log.key.is_some()
            && self.is_behind(log.lines)
            && !self.has_match_ahead(direction, here)
        {
            self.advance(log);
        }
        let count = self.matches.len();
        if count == 0 {
            return None;
        }
        let index = match (self.current, direction) {
            (Some(current), MoveDirection::Next) => (current + 1) % count,
            (Some(current), MoveDirection::Previous) => (current + count - 1) % count,
            (None, MoveDirection::Next) => {
                let from = here.unwrap_or(0);
                self.matches.partition_point(|line| *line < from) % count
            }
            (None, MoveDirection::Previous) => {
                let from = here.unwrap_or(usize::MAX);
                let before = self.matches.partition_point(|line| *line < from);
                (before + count - 1) % count
            }
        };
        self.current = Some(index);
        self.matches.get(index).copied()
    }

    fn has_match_ahead(&self, direction: MoveDirection, here: Option<usize>) -> bool {
        match (direction, self.current) {
            (MoveDirection::Previous, Some(current)) => current > 0,
            // Without a match above `here`, the jump wraps around to the last one, so all must be
            // known.
            (MoveDirection::Previous, None) => false,
            (MoveDirection::Next, Some(current)) => current + 1 < self.matches.len(),
            (MoveDirection::Next, None) => {
                let from = here.unwrap_or(0);
                self.matches.last().is_some_and(|last| *last >= from)
            }
        }
    }

    /// Returns the line of the most recently visited match.
    pub(super) fn current_line(&self) -> Option<usize> {
        self.matches.get(self.current?).copied()
    }

    /// Returns the progress as `k/N`, followed by `+` while not all lines have been searched.
    pub(super) fn progress(&self, lines: usize) -> String {
        let current = self.current.map_or(0, |current| current + 1);
        let more = if self.is_behind(lines) { "+" } else { "" };
        format!("{current}/{}{more}", self.matches.len())
    }
}
