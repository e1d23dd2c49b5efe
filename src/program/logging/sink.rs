//! The last stage of the log: one event is one line, whatever it contains.
//!
//! Fields and messages contain untrusted names and reasons. This stage, which every line passes,
//! escapes the characters that could begin a new line or control a terminal: as `\n` or `\u{202e}`,
//! and in a JSON object as `\u202e`.

use std::io::{self, Write};

use tracing_subscriber::fmt::MakeWriter;

use super::options::LogFormat;
use maelstrom_model::event::untrusted_text::{escaped_json, is_hostile};

/// A [`MakeWriter`] whose writers escape hostile characters.
#[derive(Clone, Debug)]
pub(super) struct CleanLines<M> {
    make: M,
    format: LogFormat,
}

impl<M> CleanLines<M> {
    /// Wraps `make`, for lines of this format.
    pub(super) fn new(make: M, format: LogFormat) -> CleanLines<M> {
        CleanLines { make, format }
    }
}

impl<'a, M: MakeWriter<'a>> MakeWriter<'a> for CleanLines<M> {
    type Writer = CleanLine<M::Writer>;

    fn make_writer(&'a self) -> Self::Writer {
        CleanLine {
            writer: self.make.make_writer(),
            format: self.format,
        }
    }
}

/// A writer that takes one whole event per call.
#[derive(Debug)]
pub(super) struct CleanLine<W> {
    writer: W,
    format: LogFormat,
}

impl<W: Write> Write for CleanLine<W> {
    fn write(&mut self, event: &[u8]) -> io::Result<usize> {
        let text = String::from_utf8_lossy(event);
        let line = text.strip_suffix('\n').unwrap_or(&text);
        match line.chars().any(is_hostile) {
            false => self.writer.write_all(event)?,
            true => self
                .writer
                .write_all(escaped(line, self.format).as_bytes())?,
        }
        // Reports the length of the event, not that of its escaped form, which may be longer.
        Ok(event.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.writer.flush()
    }
}

fn escaped(line: &str, format: LogFormat) -> String {
    let mut clean = String::with_capacity(line.len() + 16);
    match format {
        LogFormat::Json => clean.push_str(&escaped_json(line)),
        LogFormat::Text => {
            for character in line.chars() {
                match is_hostile(character) {
                    true => clean.extend(character.escape_default()),
                    false => clean.push(character),
                }
            }
        }
    }
    clean.push('\n');
    clean
}
