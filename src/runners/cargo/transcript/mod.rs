//! Parses a test binary's report about the one test that it was asked to run. Pure.
//!
//! An exit code of 0 does not mean that the test passed: a test binary without a test of the given
//! name prints `running 0 tests` and exits with 0, and so does a process in which a test calls
//! `exit(0)`. So a test passes only if its process reports that it ran:
//!
//! ```text
//! running 1 test                                   before any output of the test
//! ...                                              output of the test
//! test NAME ... ok                                 not in terse format
//!
//! test result: ok. 1 passed; 0 failed; 0 ignored; 0 measured; 7 filtered out; finished in 0.01s
//! ```
//!
//! A test may print the same text (a test of a test runner, for instance). Other output may occur
//! in the middle of such a line, from a thread that is still writing, or anywhere if stderr is the
//! same pipe. So the first header and the last result count. A result must have consistent numbers
//! and follow the test's own name. If the number of tests in the binary is known, the number of
//! filtered tests must match, too. These numbers decide whether the test passed: libtest writes
//! them in one call, so nothing can come between them.
//!
//! The parser supports libtest's formats (pretty, terse, JSON, JUnit) and the output of Criterion
//! when it tests a benchmark.
//!
//! Invariant: the parser holds at most [`LINE_BYTES_MAX`] of a line, and the test's name.

use std::ffi::OsString;

use memchr::memmem;
use serde_json::{Deserializer, Value};

/// The number of bytes at the end of a line that are examined.
const LINE_BYTES_MAX: usize = 64 * 1024;

/// The facts about a test that are known before its process runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestedTest {
    /// The name that was passed to the process.
    pub name: String,
    /// The number of tests in the binary with this name.
    pub count: u32,
    /// The number of other tests in the binary, if it is certain.
    pub others: Option<u32>,
    /// The output format of the process.
    pub form: LibtestFormat,
}

/// An output format of libtest.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LibtestFormat {
    /// One line per test, with its name.
    #[default]
    Pretty,
    /// One character per test.
    Terse,
    /// One JSON object per line.
    Json,
    /// A JUnit XML document.
    Junit,
}

/// The outcome of a test according to its process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum ReportedOutcome {
    /// The test ran and passed.
    Passed,
    /// The test did not run because it is marked as ignored.
    Ignored {
        /// The reason, if the process reported one.
        reason: Option<String>,
    },
    /// The test ran and failed.
    Failed,
    /// No test ran, since none has the name.
    NothingRan,
    /// The number of tests that ran differs from the number of tests with the name.
    OthersRan(u32),
    /// The test started, but did not finish.
    Begun,
    /// The process reported nothing in a known format.
    Nothing,
}

impl LibtestFormat {
    /// Returns the format that these arguments of a test binary select.
    pub fn asked_for(arguments: &[OsString]) -> LibtestFormat {
        let mut form = LibtestFormat::Pretty;
        let mut rest = arguments.iter().filter_map(|argument| argument.to_str());
        while let Some(argument) = rest.next() {
            let named = match argument {
                "-q" | "--quiet" => Some("terse"),
                "--format" => rest.next(),
                _ => argument.strip_prefix("--format="),
            };
            form = match named {
                None => continue,
                Some("terse") => LibtestFormat::Terse,
                Some("json") => LibtestFormat::Json,
                Some("junit") => LibtestFormat::Junit,
                Some(_) => LibtestFormat::Pretty,
            };
        }
        form
    }
}

/// Parses the stdout of one process, or both streams in one pipe.
#[derive(Clone, Debug)]
pub(super) struct LibtestTranscript {
    asked: RequestedTest,
    /// `test NAME`, with runs of spaces collapsed.
    needle: Vec<u8>,
    line: Vec<u8>,
    begun: Option<u32>,
    named: NamedOutcome,
    end: Option<LibtestSummary>,
    criterion: CriterionProgress,
}

/// The report about the test by its name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
enum NamedOutcome {
    #[default]
    Not,
    /// The name, followed by something other than an outcome.
    Alone,
    Ended,
    Ignored(Option<String>),
}

/// The summary of all tests that ran.
#[derive(Clone, Debug, PartialEq, Eq)]
struct LibtestSummary {
    counts: SummaryCounts,
    named: NamedOutcome,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct SummaryCounts {
    pub(super) passed: u32,
    pub(super) failed: u32,
    pub(super) ignored: u32,
    measured: u32,
    filtered: u32,
}

/// The progress through Criterion's lines.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum CriterionProgress {
    #[default]
    Nothing,
    Testing,
    Success,
}

impl LibtestTranscript {
    /// Returns a parser that has read nothing yet.
    pub(super) fn new(asked: RequestedTest) -> LibtestTranscript {
        let needle = single_spaced(format!("test {}", asked.name).as_bytes());
        LibtestTranscript {
            needle: needle.trim_ascii_end().to_vec(),
            asked,
            line: Vec::new(),
            begun: None,
            named: NamedOutcome::default(),
            end: None,
            criterion: CriterionProgress::default(),
        }
    }

    /// Parses the next piece of output.
    pub(super) fn wrote(&mut self, bytes: &[u8]) {
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            self.hold(piece);
            if piece.ends_with(b"\n") {
                self.end_line();
            }
        }
    }

    /// Returns the outcome according to all output. Call it when the process has ended.
    pub(super) fn said(&mut self) -> ReportedOutcome {
        self.end_line();
        if self.criterion == CriterionProgress::Success {
            return ReportedOutcome::Passed;
        }
        match (self.begun, &self.end) {
            (None, _) => ReportedOutcome::Nothing,
            (Some(0), _) => ReportedOutcome::NothingRan,
            (Some(count), _) if count != self.asked.count => ReportedOutcome::OthersRan(count),
            (Some(_), None) => ReportedOutcome::Begun,
            (Some(count), Some(end)) => self.ended(count, end),
        }
    }

    fn ended(&self, count: u32, end: &LibtestSummary) -> ReportedOutcome {
        let SummaryCounts {
            passed,
            failed,
            ignored,
            measured,
            filtered,
        } = end.counts;
        let in_all = [passed, failed, ignored, measured];
        let in_all = in_all.iter().fold(0u32, |sum, n| sum.saturating_add(*n));
        let is_named = match self.asked.form {
            LibtestFormat::Pretty | LibtestFormat::Json => end.named != NamedOutcome::Not,
            // In these formats, nothing that is parsed here contains the test's name.
            LibtestFormat::Terse | LibtestFormat::Junit => true,
        };
        let others = self.asked.others.is_none_or(|others| others == filtered);
        match (&end.named, in_all == count && is_named && others) {
            // The result of another run.
            (_, false) => ReportedOutcome::Begun,
            (_, true) if failed > 0 => ReportedOutcome::Failed,
            (NamedOutcome::Ignored(reason), true) if ignored == count => ReportedOutcome::Ignored {
                reason: reason.clone(),
            },
            (_, true) if ignored == count => ReportedOutcome::Ignored { reason: None },
            (_, true) => ReportedOutcome::Passed,
        }
    }

    /// Appends to the current line, keeping only its end.
    fn hold(&mut self, piece: &[u8]) {
        let most = LINE_BYTES_MAX + self.needle.len();
        let newest = piece.split_at(piece.len().saturating_sub(most)).1;
        // The buffer may reach twice the limit before its beginning is dropped, so that a long line
        // is not moved with every piece.
        if self.line.len() + newest.len() > 2 * most {
            let surplus = (self.line.len() + newest.len()).saturating_sub(most);
            self.line.drain(..surplus.min(self.line.len()));
        }
        self.line.extend_from_slice(newest);
    }

    fn end_line(&mut self) {
        let mut line = std::mem::take(&mut self.line);
        while matches!(line.last(), Some(b'\n' | b'\r')) {
            line.pop();
        }
        match self.asked.form {
            LibtestFormat::Pretty | LibtestFormat::Terse => self.plain(&line),
            LibtestFormat::Json => self.json(&line),
            LibtestFormat::Junit => self.junit(&line),
        }
        // Reuse the buffer for the next line.
        line.clear();
        self.line = line;
    }

    fn plain(&mut self, line: &[u8]) {
        if self.begun.is_none() {
            self.begun = header(line);
        }
        self.criterion(line);
        // Check this before searching for the name: libtest prints a test's name before the result,
        // so a name on the same line comes too late for it.
        if let Some(counts) = counts(line) {
            let named = self.named.clone();
            self.end = Some(LibtestSummary { counts, named });
        }
        if memmem::find(line, b"test ").is_some()
            && let Some(after) = after_name(&single_spaced(line), &self.needle)
        {
            self.named = outcome(after);
        } else if self.named == NamedOutcome::Alone {
            // Other output came between the name and the outcome.
            match outcome(line) {
                NamedOutcome::Not | NamedOutcome::Alone => {}
                named => self.named = named,
            }
        }
    }

    fn criterion(&mut self, line: &[u8]) {
        let tested = line.strip_prefix(b"Testing ");
        self.criterion = match self.criterion {
            _ if tested == Some(self.asked.name.as_bytes()) => CriterionProgress::Testing,
            CriterionProgress::Testing if line == b"Success" => CriterionProgress::Success,
            other => other,
        };
    }

    fn json(&mut self, line: &[u8]) {
        // A test may have written to the start of the line, and may write to its end.
        let Some(from) = memmem::rfind(line, br#"{ "type""#).or_else(|| memchr::memchr(b'{', line))
        else {
            return;
        };
        let mut values = Deserializer::from_slice(line.split_at(from).1).into_iter::<Value>();
        let Some(Ok(value)) = values.next() else {
            return;
        };
        let text = |key: &str| value.get(key).and_then(Value::as_str);
        let number = |key: &str| {
            let number = value.get(key).and_then(Value::as_u64);
            number.and_then(|number| u32::try_from(number).ok())
        };
        match (text("type"), text("event")) {
            (Some("suite"), Some("started")) if self.begun.is_none() => {
                self.begun = number("test_count");
            }
            (Some("suite"), Some("ok" | "failed")) => {
                let count = |key| number(key).unwrap_or_default();
                let counts = SummaryCounts {
                    passed: count("passed"),
                    failed: count("failed"),
                    ignored: count("ignored"),
                    measured: count("measured"),
                    filtered: count("filtered_out"),
                };
                let named = self.named.clone();
                self.end = Some(LibtestSummary { counts, named });
            }
            (Some("bench"), _) if text("name") == Some(&self.asked.name) => {
                self.named = NamedOutcome::Ended
            }
            (Some("test"), Some(event)) if text("name") == Some(&self.asked.name) => {
                let message = text("message").map(str::to_owned);
                self.named = match event {
                    "ok" | "failed" | "timeout" => NamedOutcome::Ended,
                    "ignored" => NamedOutcome::Ignored(message),
                    _ => NamedOutcome::Alone,
                };
            }
            _ => {}
        }
    }

    fn junit(&mut self, line: &[u8]) {
        let Some(from) = memmem::find(line, b"<testsuite ") else {
            return;
        };
        let after = String::from_utf8_lossy(line.split_at(from).1);
        let tag = after.split('>').next().unwrap_or_default();
        let number = |name: &str| -> Option<u32> {
            let after = tag.split_once(&format!(" {name}=\""))?.1;
            after.split('"').next()?.parse().ok()
        };
        let (Some(tests), Some(failures)) = (number("tests"), number("failures")) else {
            return;
        };
        let failed = failures.saturating_add(number("errors").unwrap_or_default());
        let ignored = number("skipped").unwrap_or_default();
        self.begun = Some(tests);
        self.end = Some(LibtestSummary {
            counts: SummaryCounts {
                passed: tests.saturating_sub(failed.saturating_add(ignored)),
                failed,
                ignored,
                measured: 0,
                // JUnit has no number of filtered tests, so it cannot be compared.
                filtered: self.asked.others.unwrap_or_default(),
            },
            named: NamedOutcome::default(),
        });
    }
}

/// Parses `running 1 test`.
pub(super) fn header(line: &[u8]) -> Option<u32> {
    let rest = line.strip_prefix(b"running ")?;
    let (number, rest) = leading_number(rest)?;
    let rest = rest.strip_prefix(b" test")?;
    let rest = rest.strip_prefix(b"s").unwrap_or(rest);
    (rest.is_empty() || rest.starts_with(b" (shuffle seed: ")).then_some(number)
}

/// Parses the last `. 1 passed; 0 failed; 0 ignored; 0 measured; 7 filtered out` on a line. libtest
/// writes it in one call.
pub(super) fn counts(line: &[u8]) -> Option<SummaryCounts> {
    let last = memmem::rfind(line, b" passed; ")?;
    let start = line.split_at(last).0;
    let digits = start.iter().rev().take_while(|byte| byte.is_ascii_digit());
    let start = last - digits.count();
    line.get(..start)?.ends_with(b". ").then_some(())?;
    let mut rest = line.get(start..)?;
    let mut next = |label: &[u8]| {
        let (number, after) = leading_number(rest)?;
        rest = after.strip_prefix(label)?;
        Some(number)
    };
    Some(SummaryCounts {
        passed: next(b" passed; ")?,
        failed: next(b" failed; ")?,
        ignored: next(b" ignored; ")?,
        measured: next(b" measured; ")?,
        filtered: next(b" filtered out")?,
    })
}

fn leading_number(bytes: &[u8]) -> Option<(u32, &[u8])> {
    let digits = bytes.iter().take_while(|byte| byte.is_ascii_digit());
    let (digits, rest) = bytes.split_at(digits.count());
    let number = std::str::from_utf8(digits).ok()?.parse().ok()?;
    Some((number, rest))
}

/// Returns the text after the last `test NAME ... ` on the line. Between the two, libtest prints
/// how it runs the test; other harnesses pad with spaces.
fn after_name<'a>(line: &'a [u8], needle: &[u8]) -> Option<&'a [u8]> {
    let found = memmem::rfind_iter(line, needle);
    let mut afters = found.filter_map(|at| line.get(at + needle.len()..));
    afters.find_map(|after| {
        let modes: [&[u8]; 4] = [b" - should panic", b" - compile fail", b" - compile", b""];
        let after = modes.iter().find_map(|mode| after.strip_prefix(*mode))?;
        let after = after.strip_prefix(b" ...")?;
        Some(after.strip_prefix(b" ").unwrap_or(after))
    })
}

/// Parses the outcome at the beginning or the end of a line.
fn outcome(line: &[u8]) -> NamedOutcome {
    let plain = without_escapes(line);
    let plain = plain.trim_ascii();
    let begins = |word: &[u8]| {
        let after = plain.strip_prefix(word);
        after.is_some_and(|after| !after.first().is_some_and(u8::is_ascii_alphanumeric))
    };
    if begins(b"ignored") {
        let reason = plain.strip_prefix(b"ignored, ");
        NamedOutcome::Ignored(reason.map(|reason| String::from_utf8_lossy(reason).into_owned()))
    } else if [b"ok".as_slice(), b"bench", b"FAILED"]
        .iter()
        .any(|word| begins(word))
        // Output of the test may come between its name and the outcome.
        || plain.ends_with(b"ok")
        || plain.ends_with(b"FAILED")
    {
        NamedOutcome::Ended
    } else {
        NamedOutcome::Alone
    }
}

/// Returns the bytes without the escape sequences that color them.
pub(super) fn without_escapes(bytes: &[u8]) -> Vec<u8> {
    let mut plain = Vec::with_capacity(bytes.len());
    let mut rest = bytes;
    while let Some((first, after)) = rest.split_first() {
        rest = match (first, after.first()) {
            (0x1b, Some(b'[')) => {
                let end = after.iter().position(u8::is_ascii_alphabetic);
                end.and_then(|end| after.get(end + 1..)).unwrap_or_default()
            }
            // In terminfo, the sequence that resets colors is `ESC ( B ESC [ m` for many terminals,
            // and libtest writes it.
            (0x1b, Some(b'(')) => after.get(2..).unwrap_or_default(),
            (_, _) => {
                plain.push(*first);
                after
            }
        };
    }
    plain
}

/// Returns the bytes with runs of spaces collapsed.
fn single_spaced(bytes: &[u8]) -> Vec<u8> {
    let mut spaced = Vec::with_capacity(bytes.len());
    for byte in bytes {
        if *byte != b' ' || spaced.last() != Some(&b' ') {
            spaced.push(*byte);
        }
    }
    spaced
}

#[cfg(test)]
mod tests;
