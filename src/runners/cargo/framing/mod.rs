//! Hides libtest's framing of a single test's output from the user. Pure.
//!
//! ```text
//!                                                   shown?
//! running 1 test                                    no, nor the empty line before it
//! ...                                               what the test writes: yes, at once
//! test NAME ... FAILED                              no
//!
//! failures:                                         no
//!
//! ---- NAME stdout ----                             no
//! note: test did not panic as expected at ...       yes: nothing else says it
//!
//! failures:                                         no
//!     NAME                                          no
//!
//! test result: FAILED. 0 passed; 1 failed; ...      no
//! ```
//!
//! A test may print the same text. So only the first header is libtest's, and only the last trailer
//! that matches in full. A trailer is held back until the process has ended, together with what
//! follows it (a destructor's output, or that of a test that printed another test's trailer).
//!
//! Invariants: anything but framing comes out unchanged and in order; at most one trailer and
//! [`AFTER_BYTES_MAX`] are held back.

use memchr::memmem;

use super::transcript::{LibtestFormat, RequestedTest, counts, header, without_escapes};

/// So much may follow an end before it is taken for the test's own words.
const AFTER_BYTES_MAX: usize = 64 * 1024;

/// An end is shorter, but for what libtest itself has to say of the test.
const END_BYTES_MAX: usize = 64 * 1024;

/// The header is shorter.
const HEADER_BYTES_MAX: usize = 80;

/// How libtest runs a test, which it says after its name.
const MODES: [&[u8]; 4] = [b" - should panic", b" - compile fail", b" - compile", b""];

/// See the module's documentation.
#[derive(Clone, Debug)]
pub struct LibtestFraming {
    name: Vec<u8>,
    needle: Vec<u8>,
    stage: FramingStage,
    /// What was written and is not settled.
    pending: Vec<u8>,
    /// The newest end, before what is pending.
    end: Option<LibtestTrailer>,
    shown: ShownPosition,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum FramingStage {
    /// The header is to come; whether a line begins here.
    Header {
        at_line_start: bool,
    },
    Test,
    /// It was none that we know: everything is shown.
    Foreign,
}

/// How what was shown ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ShownPosition {
    WithLine,
    WithinLine,
}

/// What libtest writes when the test is over.
#[derive(Clone, Debug)]
struct LibtestTrailer {
    text: Vec<u8>,
    /// What of it is shown.
    message: Vec<u8>,
}

/// What some text is the beginning of.
#[derive(Debug, PartialEq, Eq)]
enum TrailerMatch {
    Nothing,
    /// Perhaps of something that is not all there.
    Some,
    /// A whole end, and what of it is shown.
    End {
        length: usize,
        message: Vec<u8>,
    },
    /// A line that says nothing of the test.
    Noise {
        length: usize,
    },
}

impl LibtestFraming {
    /// Of a process that is asked for one test. Nothing, if it does not frame what that writes in
    /// the known way.
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

    /// Takes in what was written; returns what of it, and of what was held back, is shown.
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

    /// The process has ended; returns what is shown after all.
    pub fn ended(&mut self) -> Vec<u8> {
        let mut shown = Vec::new();
        if let Some(end) = self.end.take() {
            let follows = !end.message.is_empty() || !self.pending.is_empty();
            // The end, which is not shown, has also ended the test's last line.
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
        // The empty line before the header is its own.
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
            // Where another number of tests runs, the end has a form that is unknown here.
            Some(_) => self.stage = FramingStage::Foreign,
            None => {
                // A second empty line may be the header's.
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
                // Nothing of what is pending can be framing.
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

    /// The first place from there where an end could begin, with what is pending so far.
    fn next_candidate(&self, from: usize) -> Option<usize> {
        let rest = self.pending.get(from..)?;
        if let Some(found) = memmem::find(rest, &self.needle) {
            return Some(from + found);
        }
        // The needle may be cut off at the end of what was written so far.
        let longest = rest.len().min(self.needle.len().saturating_sub(1));
        let mut starts = (rest.len() - longest..rest.len()).filter(|start| {
            let end = rest.get(*start..).unwrap_or_default();
            self.needle.starts_with(end)
        });
        starts.next().map(|start| from + start)
    }

    /// Shows so much of what is pending, unless it follows an end.
    fn flush_pending(&mut self, length: usize, shown: &mut Vec<u8>) {
        if self.end.is_some() {
            if self.pending.len() <= AFTER_BYTES_MAX {
                return;
            }
            self.flush_end(shown);
        }
        self.show(length, shown);
    }

    /// Shows an end: it was the test's own words.
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

    /// Reads text that begins with `test NAME`, or is the beginning of that.
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

    /// Reads what stands between the name of a failed test and the result; returns what libtest has
    /// to say of it.
    fn read_failures(&self, text: &mut TextCursor<'_>) -> Result<Vec<u8>, TextMismatch> {
        text.expect(b"failures:\n\n")?;
        let again = [b"failures:\n    ", self.name.as_slice(), b"\n\n"].concat();
        let header = [b"---- ", self.name.as_slice(), b" stdout ----\n"].concat();
        // With `--nocapture` libtest has captured nothing, and names the failed test again at once.
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

/// Whether anything was done.
enum FramingProgress {
    Made,
    /// More has to come.
    Waits,
}

/// Text that is read from its front.
struct TextCursor<'a> {
    whole: &'a [u8],
    rest: &'a [u8],
}

/// Why text is not what was expected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum TextMismatch {
    /// It may become so.
    Short,
    /// It is another line of libtest's, which says nothing of the test.
    Noise,
    /// It is something else.
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

    /// The line that begins here, without its end.
    fn line(&mut self) -> Result<&'a [u8], TextMismatch> {
        let end = memchr::memchr(b'\n', self.rest).ok_or(TextMismatch::Short)?;
        let (line, rest) = self.rest.split_at(end);
        self.rest = rest.get(1..).unwrap_or_default();
        Ok(line)
    }
}

#[cfg(test)]
mod tests;
