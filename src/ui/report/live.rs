//! Writes the output of running tests while it is written (`--nocapture`).
//!
//! If only one test can run at a time, its output is written at once and as it is. Otherwise lines
//! are written when they are complete, so that tests don't break each other's lines, and a title
//! precedes the lines of a test whenever another test, or the report, has written in between. A
//! line that has not ended is kept until it does, up to [`PARTIAL_BYTES_MAX`].

use std::collections::BTreeMap;
use std::io::{self, Write};

use crate::log::LogKey;
use crate::style::{OutputColor, TextRole};
use maelstrom_model::event::OutputStream;

use super::text::OutputSanitizer;
use super::writer::ReportWriter;

/// The maximum size of a line that is kept until it ends, in bytes. A longer line is written in
/// pieces, each on a line of its own. Large enough for what people read.
const PARTIAL_BYTES_MAX: usize = 64 << 10;

/// The output of running tests that is being written.
#[derive(Default)]
pub(super) struct LiveOutput {
    /// The test that the last lines of the report belong to.
    speaker: Option<LogKey>,
    /// The lines that have not ended.
    partial: BTreeMap<(LogKey, u8), Vec<u8>>,
    /// The state of each stream that is written as it is.
    raw: BTreeMap<(LogKey, u8), RawStream>,
}

/// How the output of a test is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum LiveForm<'a> {
    /// As it is, below the title of the test. A run of one test needs no title.
    Raw { title: Option<&'a str> },
    /// In whole lines below the title of the test.
    Lines { title: &'a str },
}

/// A stream that is written as it is.
struct RawStream {
    sanitizer: OutputSanitizer,
    /// Whether the last byte was a carriage return, which is a line's end with or without the next.
    is_after_return: bool,
}

impl std::fmt::Debug for LiveOutput {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut debug = formatter.debug_struct("LiveOutput");
        debug.field("speaker", &self.speaker);
        debug.field("partial", &self.partial);
        debug.finish_non_exhaustive()
    }
}

impl LiveOutput {
    /// Tells that the report has written something else.
    pub(super) fn interrupt(&mut self) {
        self.speaker = None;
    }

    /// Writes a piece of output.
    pub(super) fn write(
        &mut self,
        out: &mut ReportWriter<'_>,
        color: OutputColor,
        (key, stream, bytes): (LogKey, OutputStream, &[u8]),
        form: LiveForm<'_>,
    ) -> io::Result<()> {
        let place = (key, number(stream));
        match form {
            LiveForm::Raw { title } => {
                self.write_title(out, color, key, title)?;
                let raw = self.raw.entry(place).or_insert_with(|| RawStream {
                    sanitizer: OutputSanitizer::new(color),
                    is_after_return: false,
                });
                // The test turned out to be the only one after a part of a line was kept.
                let kept = self.partial.remove(&place).unwrap_or_default();
                let text = raw.text(&[&kept, bytes].concat());
                out.write_all(text.as_bytes())
            }
            LiveForm::Lines { title } => {
                let partial = self.partial.entry(place).or_default();
                partial.extend_from_slice(bytes);
                let end = match memchr::memrchr(b'\n', partial) {
                    Some(last) => last + 1,
                    None if partial.len() >= PARTIAL_BYTES_MAX => partial.len(),
                    None => return Ok(()),
                };
                let lines: Vec<u8> = partial.drain(..end).collect();
                self.write_lines(out, color, (key, &lines), title)
            }
        }
    }

    /// Writes the lines of a test that have not ended, because the test has.
    pub(super) fn end(
        &mut self,
        out: &mut ReportWriter<'_>,
        color: OutputColor,
        key: LogKey,
        title: &str,
    ) -> io::Result<()> {
        let streams = (key, 0)..=(key, u8::MAX);
        let places: Vec<_> = self.partial.range(streams.clone()).collect();
        let places: Vec<_> = places.into_iter().map(|(place, _)| *place).collect();
        for place in places {
            let partial = self.partial.remove(&place).unwrap_or_default();
            if !partial.is_empty() {
                self.write_lines(out, color, (key, &partial), title)?;
            }
        }
        let places: Vec<_> = self.raw.range(streams).map(|(place, _)| *place).collect();
        for place in places {
            if let Some(raw) = self.raw.remove(&place) {
                write!(out, "{}", raw.sanitizer.end())?;
            }
        }
        out.begin_line()
    }

    fn write_title(
        &mut self,
        out: &mut ReportWriter<'_>,
        color: OutputColor,
        key: LogKey,
        title: Option<&str>,
    ) -> io::Result<()> {
        if self.speaker.replace(key) == Some(key) {
            return Ok(());
        }
        out.begin_line()?;
        match title {
            Some(title) => writeln!(
                out,
                "{}",
                color.paint(TextRole::Strong, format!("---- {title} ----"))
            ),
            None => Ok(()),
        }
    }

    fn write_lines(
        &mut self,
        out: &mut ReportWriter<'_>,
        color: OutputColor,
        (key, lines): (LogKey, &[u8]),
        title: &str,
    ) -> io::Result<()> {
        self.write_title(out, color, key, Some(title))?;
        let mut sanitizer = OutputSanitizer::new(color);
        let lines = lines.strip_suffix(b"\n").unwrap_or(lines);
        for line in lines.split(|byte| *byte == b'\n') {
            for part in sanitizer.line(line).split('\n') {
                writeln!(out, "    {part}")?;
            }
        }
        write!(out, "{}", sanitizer.end())
    }
}

impl RawStream {
    /// Returns the text of a piece of output, sanitized.
    fn text(&mut self, bytes: &[u8]) -> String {
        let mut text = String::new();
        let mut rest = bytes;
        if self.is_after_return && !rest.is_empty() {
            self.is_after_return = false;
            rest = rest.strip_prefix(b"\n").unwrap_or(rest);
        }
        while let Some(at) = memchr::memchr(b'\r', rest) {
            let (line, after) = rest.split_at(at);
            text.push_str(self.sanitizer.line(line));
            text.push('\n');
            let after = after.get(1..).unwrap_or_default();
            self.is_after_return = after.is_empty();
            rest = after.strip_prefix(b"\n").unwrap_or(after);
        }
        text.push_str(self.sanitizer.line(rest));
        text
    }
}

/// Returns a number for a stream, by which maps are sorted.
fn number(stream: OutputStream) -> u8 {
    match stream {
        OutputStream::Stdout => 0,
        OutputStream::Stderr => 1,
        OutputStream::Joined => 2,
    }
}
