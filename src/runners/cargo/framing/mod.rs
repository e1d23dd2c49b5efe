//! Hides libtest's framing of a single test's output. Pure.
//!
//! ```text
//!                                                   shown?
//! running 1 test                                    no, and neither is the empty line before it
//! ...                                               output of the test: yes, at once
//! test NAME ... FAILED                              no
//!
//! failures:                                         no
//!
//! ---- NAME stdout ----                             no
//! note: test did not panic as expected at ...       yes: no other line reports this
//!
//! failures:                                         no
//!     NAME                                          no
//!
//! test result: FAILED. 0 passed; 1 failed; ...      no
//! ```
//!
//! A test may print the same text. So only the first header is libtest's, and only the last trailer
//! that matches completely. A trailer is held back until the process has ended, together with the
//! output after it (of a destructor, or of a test that printed another test's trailer).
//!
//! Invariants: all output except framing comes out unchanged and in order; at most one trailer and
//! [`AFTER_BYTES_MAX`] are held back.

use memchr::memmem;

use super::transcript::{LibtestFormat, RequestedTest, counts, header, without_escapes};

/// If more bytes than this follow a trailer, it was output of the test.
const AFTER_BYTES_MAX: usize = 64 * 1024;

/// The maximum length of a trailer. Only libtest's own message about the test can make it long.
const END_BYTES_MAX: usize = 64 * 1024;

/// The maximum length of the header line.
const HEADER_BYTES_MAX: usize = 80;

/// The texts after a test's name that report how libtest runs it.
const MODES: [&[u8]; 4] = [b" - should panic", b" - compile fail", b" - compile", b""];

/// Removes libtest's framing from a test's output. See the module documentation.
#[derive(Clone, Debug)]
pub struct LibtestFraming {
    name: Vec<u8>,
    needle: Vec<u8>,
    stage: FramingStage,
    /// Output that may turn out to be framing.
    pending: Vec<u8>,
    /// The latest trailer, which precedes the pending output.
    end: Option<LibtestTrailer>,
    shown: ShownPosition,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum FramingStage {
    /// Before the header. `at_line_start` is true if a line begins here.
    Header {
        at_line_start: bool,
    },
    Test,
    /// The header was not of a known form: all output is shown.
    Foreign,
}

/// Whether the shown output ends with a complete line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ShownPosition {
    WithLine,
    WithinLine,
}

/// libtest's output after the test.
#[derive(Clone, Debug)]
struct LibtestTrailer {
    text: Vec<u8>,
    /// The part of it that is shown.
    message: Vec<u8>,
}

/// The result of comparing text with a trailer.
#[derive(Debug, PartialEq, Eq)]
enum TrailerMatch {
    Nothing,
    /// The text may be the beginning of a trailer.
    Some,
    /// A complete trailer, and the part of it that is shown.
    End {
        length: usize,
        message: Vec<u8>,
    },
    /// A line of libtest's without information about the test's result.
    Noise {
        length: usize,
    },
}

impl LibtestFraming {
    /// Returns the framing of a process that runs one test, or `None` if its format is not known.
    pub fn of(asked: &RequestedTest) -> Option<LibtestFraming> {
        match asked.form {
            LibtestFormat::Pretty if asked.count == 1 => {}
            LibtestFormat::Pretty
            | LibtestFormat::Terse
            | LibtestFormat::Json
            | LibtestFormat::Junit => return None,
        }
        let name = asked.name.as_bytes().to_vec();
        Some(LibtestFraming {
            needle: [b"test ", name.as_slice()].concat(),
            name,
            stage: FramingStage::Header {
                at_line_start: true,
            },
            pending: Vec::new(),
            end: None,
            shown: ShownPosition::WithLine,
        })
    }

    /// Processes output; returns the part of it, and of output held back before, that is shown now.
    pub fn wrote(&mut self, bytes: &[u8]) -> Vec<u8> {
        let mut shown = Vec::with_capacity(bytes.len());
        self.pending.extend_from_slice(bytes);
        while let FramingStage::Header { at_line_start } = self.stage {
            match self.before_header(at_line_start, &mut shown) {
                FramingProgress::Made => {}
                FramingProgress::Waits => return shown,
            }
        }
        match self.stage {
            FramingStage::Header { .. } => {}
            FramingStage::Test => self.within_test(&mut shown),
            FramingStage::Foreign => {
                let all = self.pending.len();
                self.show(all, &mut shown);
            }
        }
        shown
    }

    /// Processes the end of the output; returns the output held back that is shown after all.
    pub fn ended(&mut self) -> Vec<u8> {
        let mut shown = Vec::new();
        if let Some(end) = self.end.take() {
            let follows = !end.message.is_empty() || !self.pending.is_empty();
            // The hidden trailer also ended the test's last line.
            if follows && self.shown == ShownPosition::WithinLine {
                shown.push(b'\n');
            }
            shown.extend(end.message);
        }
        shown.append(&mut self.pending);
        shown
    }

    fn before_header(&mut self, at_line_start: bool, shown: &mut Vec<u8>) -> FramingProgress {
        if self.pending.is_empty() {
            return FramingProgress::Waits;
        }
        // The empty line before the header is part of it.
        let blank = match self.pending.as_slice() {
            [b'\r', b'\n', ..] if at_line_start => 2,
            [b'\n', ..] if at_line_start => 1,
            _ => 0,
        };
        let rest = self.pending.get(blank..).unwrap_or_default();
        let newline = memchr::memchr(b'\n', rest);
        let line = newline.and_then(|at| rest.get(..at)).unwrap_or(rest);
        let may_be_header = at_line_start
            && (b"running ".starts_with(line) || line.starts_with(b"running "))
            && line.len() <= HEADER_BYTES_MAX;
        let Some(newline) = newline else {
            if may_be_header || line == b"\r" {
                return FramingProgress::Waits;
            }
            let all = self.pending.len();
            self.stage = FramingStage::Header {
                at_line_start: false,
            };
            self.show(all, shown);
            return FramingProgress::Waits;
        };
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        let header = header(line).filter(|_| at_line_start);
        match header {
            Some(1) => {
                self.pending.drain(..blank + newline + 1);
                self.stage = FramingStage::Test;
            }
            // If another number of tests runs, the trailer has an unknown form.
            Some(_) => self.stage = FramingStage::Foreign,
            None => {
                // The second empty line may be part of the header.
                let length = match (blank, newline) {
                    (1.., 0) => blank,
                    _ => blank + newline + 1,
                };
                self.stage = FramingStage::Header {
                    at_line_start: true,
                };
                self.show(length, shown);
            }
        }
        FramingProgress::Made
    }

    fn within_test(&mut self, shown: &mut Vec<u8>) {
        let mut from = 0;
        loop {
            let Some(at) = self.next_candidate(from) else {
                // No part of the pending output can be framing.
                self.flush_pending(self.pending.len(), shown);
                return;
            };
            match self.read(self.pending.get(at..).unwrap_or_default()) {
                TrailerMatch::Nothing => from = at + 1,
                TrailerMatch::Some => {
                    self.flush_pending(at, shown);
                    return;
                }
                TrailerMatch::Noise { length } => {
                    self.pending.drain(at..at + length);
                    from = at;
                }
                TrailerMatch::End { length, message } => {
                    self.flush_end(shown);
                    self.show(at, shown);
                    let text: Vec<u8> = self.pending.drain(..length).collect();
                    self.end = Some(LibtestTrailer { text, message });
                    from = 0;
                }
            }
        }
    }

    /// Returns the first offset, at or after `from`, where a trailer could begin in the pending
    /// output.
    fn next_candidate(&self, from: usize) -> Option<usize> {
        let rest = self.pending.get(from..)?;
        if let Some(found) = memmem::find(rest, &self.needle) {
            return Some(from + found);
        }
        // The output so far may end in the middle of the needle.
        let longest = rest.len().min(self.needle.len().saturating_sub(1));
        let mut starts = (rest.len() - longest..rest.len()).filter(|start| {
            let end = rest.get(*start..).unwrap_or_default();
            self.needle.starts_with(end)
        });
        starts.next().map(|start| from + start)
    }

    /// Shows `length` bytes of the pending output, unless a trailer precedes it.
    fn flush_pending(&mut self, length: usize, shown: &mut Vec<u8>) {
        if self.end.is_some() {
            if self.pending.len() <= AFTER_BYTES_MAX {
                return;
            }
            self.flush_end(shown);
        }
        self.show(length, shown);
    }

    /// Shows a trailer that was output of the test.
    fn flush_end(&mut self, shown: &mut Vec<u8>) {
        if let Some(end) = self.end.take() {
            shown.extend(end.text);
            self.shown = ShownPosition::WithLine;
        }
    }

    fn show(&mut self, length: usize, shown: &mut Vec<u8>) {
        let from = shown.len();
        shown.extend(self.pending.drain(..length));
        match shown.get(from..).and_then(<[u8]>::last) {
            Some(b'\n') => self.shown = ShownPosition::WithLine,
            Some(_) => self.shown = ShownPosition::WithinLine,
            None => {}
        }
    }

    /// Parses text that begins with `test NAME`, or with the beginning of that.
    fn read(&self, text: &[u8]) -> TrailerMatch {
        let Some(after) = text.strip_prefix(self.needle.as_slice()) else {
            return match self.needle.starts_with(text) {
                true => TrailerMatch::Some,
                false => TrailerMatch::Nothing,
            };
        };
        let mut text = TextCursor {
            whole: text,
            rest: after,
        };
        match self.read_end(&mut text) {
            Ok(message) => TrailerMatch::End {
                length: text.whole.len() - text.rest.len(),
                message,
            },
            Err(TextMismatch::Short) if text.whole.len() <= END_BYTES_MAX => TrailerMatch::Some,
            Err(TextMismatch::Noise) => TrailerMatch::Noise {
                length: text.whole.len() - text.rest.len(),
            },
            Err(TextMismatch::Short | TextMismatch::Other) => TrailerMatch::Nothing,
        }
    }

    fn read_end(&self, text: &mut TextCursor<'_>) -> Result<Vec<u8>, TextMismatch> {
        let line = text.line()?;
        if line.starts_with(b" has been running for over ") {
            return Err(TextMismatch::Noise);
        }
        let after = MODES.iter().find_map(|mode| {
            let after = line.strip_prefix(*mode)?;
            after.strip_prefix(b" ... ")
        });
        let outcome = without_escapes(after.ok_or(TextMismatch::Other)?);
        let outcome = outcome.trim_ascii();
        let failed = outcome.starts_with(b"FAILED");
        let known: [&[u8]; 3] = [b"ok", b"ignored", b"bench:"];
        if !failed && !known.iter().any(|word| outcome.starts_with(word)) {
            return Err(TextMismatch::Other);
        }
        text.expect(b"\n")?;
        let message = match failed {
            true => self.read_failures(text)?,
            false => Vec::new(),
        };
        let result = text.line()?;
        let result = without_escapes(result);
        let expected = match failed {
            true => b"test result: FAILED. ".as_slice(),
            false => b"test result: ok. ",
        };
        let is_result = result.starts_with(expected);
        counts(&result)
            .filter(|_| is_result)
            .ok_or(TextMismatch::Other)?;
        text.expect(b"\n")?;
        Ok(message)
    }

    /// Parses the text between the name of a failed test and the result; returns libtest's message
    /// about the test.
    fn read_failures(&self, text: &mut TextCursor<'_>) -> Result<Vec<u8>, TextMismatch> {
        text.expect(b"failures:\n\n")?;
        let again = [b"failures:\n    ", self.name.as_slice(), b"\n\n"].concat();
        let header = [b"---- ", self.name.as_slice(), b" stdout ----\n"].concat();
        // With `--nocapture`, libtest has captured nothing and lists the failed test immediately.
        let Err(mismatch) = text.expect(&again) else {
            return Ok(Vec::new());
        };
        if mismatch == TextMismatch::Short {
            return Err(mismatch);
        }
        text.expect(&header)?;
        let between = [b"\n".as_slice(), &again].concat();
        let end = memmem::find(text.rest, &between).ok_or(TextMismatch::Short)?;
        let (message, rest) = text.rest.split_at(end);
        text.rest = rest;
        text.expect(&between)?;
        Ok(message.to_vec())
    }
}

/// Whether the parser made progress.
enum FramingProgress {
    Made,
    /// It needs more output.
    Waits,
}

/// A text and its part that is not parsed yet.
struct TextCursor<'a> {
    whole: &'a [u8],
    rest: &'a [u8],
}

/// The reason why text does not match.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum TextMismatch {
    /// The text is too short to decide.
    Short,
    /// It is a line of libtest's without information about the test's result.
    Noise,
    /// The text differs.
    Other,
}

impl<'a> TextCursor<'a> {
    fn expect(&mut self, expected: &[u8]) -> Result<(), TextMismatch> {
        match self.rest.strip_prefix(expected) {
            Some(rest) => {
                self.rest = rest;
                Ok(())
            }
            None if expected.starts_with(self.rest) => Err(TextMismatch::Short),
            None => Err(TextMismatch::Other),
        }
    }

    /// Returns the next line, without its newline.
    fn line(&mut self) -> Result<&'a [u8], TextMismatch> {
        let end = memchr::memchr(b'\n', self.rest).ok_or(TextMismatch::Short)?;
        let (line, rest) = self.rest.split_at(end);
        self.rest = rest.get(1..).unwrap_or_default();
        Ok(line)
    }
}

#[cfg(test)]
mod tests;
