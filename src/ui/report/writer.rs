//! The writer of a report: knows how many lines it has written, and whether a line has begun.

use std::collections::HashMap;
use std::io::{self, Write};

use maelstrom_model::ids::TestId;

/// The position of a report in its output.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct OutputPosition {
    /// The number of lines that have ended.
    pub(super) lines: u64,
    /// Whether a line has begun and not ended.
    pub(super) is_within_line: bool,
}

/// Writes a report, and keeps its position.
pub(super) struct ReportWriter<'a> {
    out: &'a mut dyn Write,
    position: &'a mut OutputPosition,
}

impl<'a> ReportWriter<'a> {
    pub(super) fn new(
        out: &'a mut dyn Write,
        position: &'a mut OutputPosition,
    ) -> ReportWriter<'a> {
        ReportWriter { out, position }
    }

    /// Returns the position of the next byte.
    pub(super) fn position(&self) -> OutputPosition {
        *self.position
    }

    /// Ends the line that has begun, if any.
    pub(super) fn begin_line(&mut self) -> io::Result<()> {
        match self.position.is_within_line {
            true => self.write_all(b"\n"),
            false => Ok(()),
        }
    }
}

impl Write for ReportWriter<'_> {
    fn write(&mut self, text: &[u8]) -> io::Result<usize> {
        let written = self.out.write(text)?;
        let text = text.get(..written).unwrap_or(text);
        self.position.lines += memchr::memchr_iter(b'\n', text).count() as u64;
        // A color that is set or reset at the beginning of a line does not begin it.
        match memchr::memrchr(b'\n', text) {
            Some(at) => {
                let begun = text.get(at + 1..).unwrap_or_default();
                self.position.is_within_line = !is_color(begun);
            }
            None => self.position.is_within_line |= !is_color(text),
        }
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

/// Returns whether a text is empty or nothing but escape sequences for colors.
fn is_color(text: &[u8]) -> bool {
    let is_parameter = |byte: &u8| byte.is_ascii_digit() || matches!(byte, b';' | b':');
    let mut rest = text;
    while let Some(sequence) = rest.strip_prefix(b"\x1b[") {
        let end = sequence.iter().position(|byte| !is_parameter(byte));
        match end.map(|end| sequence.split_at(end)) {
            Some((_, [b'm', after @ ..])) => rest = after,
            Some(_) | None => return false,
        }
    }
    rest.is_empty()
}

/// Where a report shows the failed tests with their output: the line at which each begins.
#[derive(Clone, Debug, Default)]
pub(super) struct ShownFailures(HashMap<TestId, u64>);

impl ShownFailures {
    /// Forgets everything: a new round has begun.
    pub(super) fn clear(&mut self) {
        self.0.clear();
    }

    /// Adds a test, unless the report shows it already.
    pub(super) fn add(&mut self, test: TestId, position: OutputPosition) {
        self.0.entry(test).or_insert(position.lines);
    }

    /// Returns how many lines before `position` a failed test begins, if the report shows it.
    pub(super) fn lines_since(&self, test: TestId, position: OutputPosition) -> Option<u64> {
        let began = self.0.get(&test)?;
        Some(position.lines.saturating_sub(*began))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_counted_and_a_begun_one_is_ended_once() {
        let mut text = Vec::new();
        let mut position = OutputPosition::default();
        let mut out = ReportWriter::new(&mut text, &mut position);
        out.begin_line().unwrap();
        write!(out, "one\ntwo\nth").unwrap();
        write!(out, "").unwrap();
        assert_eq!(
            out.position(),
            OutputPosition {
                lines: 2,
                is_within_line: true
            }
        );
        out.begin_line().unwrap();
        out.begin_line().unwrap();
        assert_eq!(out.position().lines, 3);
        let mut shown = ShownFailures::default();
        shown.add(TestId(4), out.position());
        write!(out, "\u{1b}[1;38:5:9mfour\n\u{1b}[0m").unwrap();
        out.begin_line().unwrap();
        shown.add(TestId(4), out.position());
        assert_eq!(shown.lines_since(TestId(4), out.position()), Some(1));
        assert_eq!(shown.lines_since(TestId(5), out.position()), None);
        assert_eq!(text, b"one\ntwo\nth\n\x1b[1;38:5:9mfour\n\x1b[0m");
        for (text, expected) in [
            (&b"\x1b[0m"[..], true),
            (b"\x1b[1m\x1b[31m", true),
            (b"\x1b[31m12", false),
            (b"\x1b[2J", false),
            (b"\x1b[31", false),
            (b"m", false),
            (b"", true),
        ] {
            assert_eq!(is_color(text), expected, "{}", text.escape_ascii());
        }
    }
}
