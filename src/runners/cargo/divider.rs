//! Divides the output of a test binary that runs several tests, one after another. Pure.
//!
//! ```text
//!                                         belongs to
//! running 2 tests                         no test
//! test a ... output of a                  `a`, from after the dots
//! ok                                      no test
//! test b - should panic ... FAILED        `b`
//!
//! failures:                               no test
//! ...
//! test result: FAILED. 1 passed; 1 failed; ...
//! ```
//!
//! With one thread, libtest writes a test's name before the test and the outcome after it. A test may
//! print the same text, so an outcome counts only if what follows it is the name of a test that has not
//! run, or the end. The last test ends with the process: a result that does not have the numbers of
//! the outcomes makes it an error.

use std::collections::BTreeSet;
use std::sync::Arc;

use maelstrom_model::event::OutputStream;
use maelstrom_model::job::{ExitStatus, OutputPipes};
use maelstrom_model::shared_process::{GroupEnd, GroupProtocol, GroupStep, OutputDivider};
use memchr::memmem;

use super::transcript::{SummaryCounts, counts, header};

/// The exit code of a test binary of which a test failed.
const FAILED_CODE: i32 = 101;

/// The outcomes of a test, as libtest writes them after its output.
const OUTCOMES: [(&[u8], TestFate); 2] = [(b"ok\n", TestFate::Ok), (b"FAILED\n", TestFate::Failed)];

/// Between a test's name and its output.
const DOTS: &[u8] = b" ... ";

/// Follows the name of a test that must panic.
const SHOULD_PANIC: &str = " - should panic";

/// What may follow the outcome of the last test.
const ENDS: [&[u8]; 2] = [b"\ntest result: ", b"\nfailures:\n"];

/// The number of bytes that are kept of what follows the last test.
const END_BYTES_MAX: usize = 64 * 1024;

/// A process that runs these tests of a test binary.
#[derive(Debug)]
pub(super) struct LibtestProtocol {
    pub(super) names: Arc<BTreeSet<String>>,
}

impl GroupProtocol for LibtestProtocol {
    fn pipes(&self) -> OutputPipes {
        OutputPipes::Joined
    }

    fn divider(&self) -> Box<dyn OutputDivider> {
        let longest = self.names.iter().map(String::len).max().unwrap_or_default();
        Box::new(LibtestDivider {
            pending: BTreeSet::clone(&self.names),
            line_max: longest + SHOULD_PANIC.len() + DOTS.len() + b"test ".len(),
            buffer: Vec::new(),
            stage: DividerStage::Header,
            announced: None,
            passed: 0,
            failed: 0,
        })
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum TestFate {
    Ok,
    Failed,
}

impl TestFate {
    fn status(self) -> ExitStatus {
        match self {
            TestFate::Ok => ExitStatus::Code(0),
            TestFate::Failed => ExitStatus::Code(FAILED_CODE),
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum DividerStage {
    /// Before the line that announces the tests.
    Header,
    /// Before the first test.
    First,
    /// Within a test.
    Test { name: String, must_panic: bool },
    /// After the last test, whose outcome this is.
    End { name: String, fate: TestFate },
}

#[derive(Debug)]
struct LibtestDivider {
    /// The tests that have not begun.
    pending: BTreeSet<String>,
    /// The maximum length of the text before a test's output.
    line_max: usize,
    /// Output that has not been divided.
    buffer: Vec<u8>,
    stage: DividerStage,
    /// The number of tests that the process has announced.
    announced: Option<u32>,
    passed: u32,
    failed: u32,
}

/// What a text begins with.
#[derive(Debug, PartialEq, Eq)]
enum TextStart {
    /// A pending test.
    Test {
        name: String,
        must_panic: bool,
        length: usize,
    },
    /// The end of all tests.
    End,
    /// The text is too short to decide.
    Short,
    Other,
}

impl LibtestDivider {
    /// Divides the buffer as far as possible.
    fn divide(&mut self, steps: &mut Vec<GroupStep>) {
        loop {
            let goes_on = match self.stage.clone() {
                DividerStage::Header => self.read_header(steps),
                DividerStage::First => self.read_first(steps),
                DividerStage::Test { name, must_panic } => self.read_test(&name, must_panic, steps),
                DividerStage::End { .. } => {
                    let surplus = self.buffer.len().saturating_sub(END_BYTES_MAX);
                    self.buffer.drain(..surplus);
                    false
                }
            };
            if !goes_on {
                return;
            }
        }
    }

    fn read_header(&mut self, steps: &mut Vec<GroupStep>) -> bool {
        let Some(end) = memchr::memchr(b'\n', &self.buffer) else {
            return false;
        };
        let line: Vec<u8> = self.buffer.drain(..=end).collect();
        self.announced = header(line.trim_ascii_end());
        match self.announced {
            Some(_) => self.stage = DividerStage::First,
            None => steps.push(wrote(None, line)),
        }
        true
    }

    fn read_first(&mut self, steps: &mut Vec<GroupStep>) -> bool {
        match self.start_of(&self.buffer) {
            TextStart::Test {
                name,
                must_panic,
                length,
            } => {
                self.buffer.drain(..length);
                self.begin(name, must_panic, steps);
                true
            }
            TextStart::Short => false,
            // Something else than a test has written.
            TextStart::Other | TextStart::End => {
                let next = memmem::find(self.buffer.get(1..).unwrap_or_default(), b"test ");
                let length = next.map_or(self.buffer.len(), |next| next + 1);
                steps.push(wrote(None, self.buffer.drain(..length).collect()));
                !self.buffer.is_empty()
            }
        }
    }

    fn begin(&mut self, name: String, must_panic: bool, steps: &mut Vec<GroupStep>) {
        self.pending.remove(&name);
        steps.push(GroupStep::Began { test: name.clone() });
        self.stage = DividerStage::Test { name, must_panic };
    }

    fn read_test(&mut self, name: &str, must_panic: bool, steps: &mut Vec<GroupStep>) -> bool {
        let mut from = 0;
        loop {
            let rest = self.buffer.get(from..).unwrap_or_default();
            let found = OUTCOMES.iter().filter_map(|(word, fate)| {
                let at = memmem::find(rest, word)?;
                Some((from + at, word.len(), *fate))
            });
            let Some((at, length, fate)) = found.min_by_key(|(at, ..)| *at) else {
                let kept = self.length_of_partial_outcome();
                let shown = self.buffer.len() - kept;
                self.show(name, shown, steps);
                return false;
            };
            let after = self.buffer.get(at + length..).unwrap_or_default();
            match self.start_of(after) {
                TextStart::Other => from = at + 1,
                TextStart::Short => {
                    self.show(name, at, steps);
                    return false;
                }
                TextStart::Test {
                    name: next,
                    must_panic: next_must_panic,
                    length: text,
                } => {
                    self.show(name, at, steps);
                    self.end(name, must_panic, fate, steps);
                    steps.push(GroupStep::Ended {
                        test: name.to_owned(),
                        status: fate.status(),
                        ran: None,
                    });
                    self.buffer.drain(..length + text);
                    self.begin(next, next_must_panic, steps);
                    return true;
                }
                TextStart::End => {
                    self.show(name, at, steps);
                    self.end(name, must_panic, fate, steps);
                    self.buffer.drain(..length);
                    let name = name.to_owned();
                    self.stage = DividerStage::End { name, fate };
                    return true;
                }
            }
        }
    }

    /// Counts the outcome of a test. libtest says at its end why a test failed that did not panic;
    /// then nothing of that has been shown.
    fn end(&mut self, name: &str, must_panic: bool, fate: TestFate, steps: &mut Vec<GroupStep>) {
        match fate {
            TestFate::Ok => self.passed += 1,
            TestFate::Failed => self.failed += 1,
        }
        if must_panic && fate == TestFate::Failed {
            let note = b"note: the test did not panic as `should_panic` expects\n";
            steps.push(wrote(Some(name), note.to_vec()));
        }
    }

    /// Assigns the first bytes of the buffer to a test.
    fn show(&mut self, name: &str, length: usize, steps: &mut Vec<GroupStep>) {
        if length > 0 {
            let bytes = self.buffer.drain(..length).collect();
            steps.push(wrote(Some(name), bytes));
        }
    }

    /// Returns the length of the end of the buffer that may be the beginning of an outcome.
    fn length_of_partial_outcome(&self) -> usize {
        let lengths = OUTCOMES.iter().map(|(word, _)| {
            let longest = self.buffer.len().min(word.len() - 1);
            let mut lengths = (1..=longest).rev();
            lengths.find(|length| self.buffer.ends_with(word.split_at(*length).0))
        });
        lengths.flatten().max().unwrap_or(0)
    }

    fn start_of(&self, text: &[u8]) -> TextStart {
        for end in ENDS {
            if self.pending.is_empty() && text.starts_with(end) {
                return TextStart::End;
            }
            if self.pending.is_empty() && end.starts_with(text) {
                return TextStart::Short;
            }
        }
        let Some(after) = text.strip_prefix(b"test ") else {
            return match b"test ".starts_with(text) {
                true => TextStart::Short,
                false => TextStart::Other,
            };
        };
        let line = after
            .split(|byte| *byte == b'\n')
            .next()
            .unwrap_or_default();
        let ends = memmem::find_iter(line, DOTS);
        for end in ends {
            let (title, _) = line.split_at(end);
            let title = String::from_utf8_lossy(title);
            let (name, must_panic) = match title.strip_suffix(SHOULD_PANIC) {
                Some(name) if self.pending.contains(name) => (name, true),
                Some(_) | None => (&*title, false),
            };
            if self.pending.contains(name) {
                return TextStart::Test {
                    name: name.to_owned(),
                    must_panic,
                    length: b"test ".len() + end + DOTS.len(),
                };
            }
        }
        let is_whole = line.len() < after.len() || text.len() > self.line_max;
        match is_whole {
            true => TextStart::Other,
            false => TextStart::Short,
        }
    }

    /// Returns why the outcomes cannot be believed, if the process's result has other numbers.
    fn doubt(&self) -> Option<String> {
        let lines = self.buffer.split(|byte| *byte == b'\n');
        let Some(SummaryCounts {
            passed,
            failed,
            ignored,
            ..
        }) = lines.filter_map(counts).next_back()
        else {
            return Some("the process did not report the result of its tests".to_owned());
        };
        let in_all = passed.saturating_add(failed).saturating_add(ignored);
        let is_announced = self.announced == Some(in_all);
        let is_same = (passed, failed, ignored) == (self.passed, self.failed, 0);
        (!is_same || !is_announced).then(|| {
            format!(
                "the process reports {passed} passed and {failed} failed tests, but its output has \
                 {} and {}; a test may have printed what the test binary itself prints",
                self.passed, self.failed
            )
        })
    }
}

fn wrote(test: Option<&str>, bytes: Vec<u8>) -> GroupStep {
    GroupStep::Wrote {
        test: test.map(str::to_owned),
        stream: OutputStream::Joined,
        bytes,
    }
}

impl OutputDivider for LibtestDivider {
    fn wrote(&mut self, _: OutputStream, bytes: &[u8]) -> Vec<GroupStep> {
        let mut steps = Vec::new();
        self.buffer.extend_from_slice(bytes);
        self.divide(&mut steps);
        steps
    }

    fn ended(&mut self, status: Option<ExitStatus>) -> GroupEnd {
        let mut steps = Vec::new();
        let (last, doubt) = match self.stage.clone() {
            DividerStage::Header | DividerStage::First => {
                steps.push(wrote(None, std::mem::take(&mut self.buffer)));
                let doubt = match self.announced {
                    Some(count) => {
                        format!("the process ran none of the {count} tests that it announced")
                    }
                    None => "the process ran no test".to_owned(),
                };
                (None, Some(doubt))
            }
            DividerStage::Test { name, .. } => {
                self.show(&name, self.buffer.len(), &mut steps);
                let doubt = "the process ended with exit code 0 before it said that the test ran to \
                             its end; a test that calls `exit`, say, does so";
                (Some(name), Some(doubt.to_owned()))
            }
            DividerStage::End { name, fate } => {
                let doubt = self.doubt();
                let expected = match self.failed {
                    0 => ExitStatus::Code(0),
                    _ => ExitStatus::Code(FAILED_CODE),
                };
                match (doubt, status) {
                    (None, Some(status)) if status == expected => {
                        steps.push(GroupStep::Ended {
                            test: name,
                            status: fate.status(),
                            ran: None,
                        });
                        (None, None)
                    }
                    (doubt, _) => (Some(name), doubt),
                }
            }
        };
        // A process that fails or is stopped says by that what has happened.
        let is_success = status == Some(ExitStatus::Code(0));
        let is_over = matches!(self.stage, DividerStage::End { .. });
        GroupEnd {
            steps,
            last,
            doubt: doubt.filter(|_| is_success || is_over),
        }
    }
}

#[cfg(test)]
mod tests;
