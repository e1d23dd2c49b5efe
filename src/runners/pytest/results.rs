//! Collects what the results of a round's tests have for its end: warnings, durations, and the
//! elements of pytest's JUnit report.

use std::collections::HashMap;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use maelstrom_engine::run::output_tail::StreamTails;
use maelstrom_model::event::{ExitStatus, NoticeSeverity, OutputStream, UserNotice};
use maelstrom_model::framework::{FrameworkVerdict, OutputAnalysis, OutputParser, ParsedOutput};
use maelstrom_model::job::TestKey;
use memchr::memmem;

use super::durations::SlowestPhases;
use super::junit::{JunitReport, ReportFile, Testcases};
use super::record;
use super::warnings::{WarningCounts, WarningReports};

/// What `testcases.py` writes around the elements of a test.
const START: &[u8] = b"\x1b_maelstrom-testcases ";
const END: &[u8] = b"\x1b\\";

/// The maximum size of a test's elements. They hold the test's output at most twice, and a longer
/// output is of no use to the readers of a report.
const TESTCASES_BYTES_MAX: usize = 64 << 20;

/// The message for a test whose end pytest did not see.
const UNSEEN: &str = "the test ended without a result of pytest's: by its time limit, a cancellation, \
                      or an error of its container";

/// The results of a round.
#[derive(Debug, Default)]
pub struct RoundResults {
    state: Mutex<CollectedResults>,
}

#[derive(Debug, Default)]
struct CollectedResults {
    warnings: WarningCounts,
    reported: WarningReports,
    slowest: Option<SlowestPhases>,
    junit: Option<WrittenReport>,
    /// The tests, if anything of the above is by test.
    tests: HashMap<TestKey, Arc<TestPlace>>,
    /// The attempts that have not ended, by the place of their test.
    running: HashMap<usize, Arc<TestPlace>>,
}

/// A report that is written at the end of the round.
#[derive(Debug)]
struct WrittenReport {
    report: JunitReport,
    /// The file, until it is written.
    file: Option<ReportFile>,
    begun: Instant,
}

/// A test in pytest's order.
#[derive(Debug)]
struct TestPlace {
    index: usize,
    node: String,
}

/// A report cannot be written.
#[derive(Debug)]
pub struct UnwritableReport {
    pub path: PathBuf,
    pub source: io::Error,
}

impl RoundResults {
    fn state(&self) -> MutexGuard<'_, CollectedResults> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Begins a round with what its session asks for. Creates the report's file.
    pub fn begin(
        &self,
        reported: WarningReports,
        slowest: Option<SlowestPhases>,
        report: Option<JunitReport>,
        begun: Instant,
    ) -> Result<(), UnwritableReport> {
        let junit = match report {
            Some(report) => {
                let path = report.path().to_owned();
                let file =
                    ReportFile::begin(&path).map_err(|source| UnwritableReport { path, source })?;
                Some(WrittenReport {
                    report,
                    file: Some(file),
                    begun,
                })
            }
            None => None,
        };
        let mut state = self.state();
        state.reported = reported;
        state.slowest = slowest;
        state.junit = junit;
        state.tests.clear();
        state.running.clear();
        Ok(())
    }

    /// Adds a test, whose place in pytest's order is `index`, with the elements of the report if it
    /// will not run.
    pub fn add_test(&self, key: &TestKey, index: usize, node: &str, skipped: Option<Testcases>) {
        let mut state = self.state();
        if let Some(testcases) = skipped {
            if let Some(junit) = &mut state.junit {
                junit.report.add(index, testcases);
            }
        } else if state.junit.is_some() || state.slowest.is_some() {
            let node = node.to_owned();
            let place = Arc::new(TestPlace { index, node });
            state.tests.insert(key.clone(), place);
        }
    }

    /// Adds a warning that `tests` tests have caused: 0 for a warning during the collection.
    pub fn warn(&self, text: String, tests: u32) {
        self.state().warnings.add(text, tests);
    }

    /// Returns the result in a test's output.
    pub fn read(&self, status: ExitStatus, output: &[u8]) -> OutputAnalysis {
        for warning in record::warnings(output) {
            self.warn(warning, 1);
        }
        record::read(status, output)
    }

    /// Returns the parser of an attempt's output, if its result is needed by test.
    pub fn follow(self: &Arc<Self>, test: &TestKey) -> Option<Box<dyn OutputParser>> {
        let mut state = self.state();
        let place = Arc::clone(state.tests.get(test)?);
        state.running.insert(place.index, Arc::clone(&place));
        drop(state);
        Some(Box::new(ResultParser {
            results: Arc::clone(self),
            place,
            stream: OutputStream::Joined,
            elements: TestcaseStream::default(),
            tails: StreamTails::default(),
        }))
    }

    fn ended(
        &self,
        place: &TestPlace,
        testcases: Option<Testcases>,
        reading: Option<&OutputAnalysis>,
    ) {
        let mut state = self.state();
        state.running.remove(&place.index);
        if let (Some(slowest), Some(reading)) = (&mut state.slowest, reading) {
            slowest.add(&place.node, &reading.parts);
        }
        if let Some(junit) = &mut state.junit {
            match (testcases, reading.map(|reading| &reading.judgement)) {
                (Some(testcases), _) => junit.report.add(place.index, testcases),
                (
                    None,
                    Some(FrameworkVerdict::Failed {
                        reason: Some(reason),
                    }),
                ) => {
                    junit
                        .report
                        .add_error(place.index, &place.node, reason, reason);
                }
                (None, _) => junit
                    .report
                    .add_error(place.index, &place.node, UNSEEN, UNSEEN),
            }
        }
    }

    /// Ends a round: writes the report, and returns all notices.
    pub fn conclude(&self) -> Vec<UserNotice> {
        let mut state = self.state();
        let state = &mut *state;
        let mut notices = Vec::new();
        if let Some(slowest) = &mut state.slowest {
            notices.extend(slowest.take_notices());
        }
        let running = std::mem::take(&mut state.running);
        if let Some(junit) = &mut state.junit {
            for (index, place) in running {
                junit.report.add_error(index, &place.node, UNSEEN, UNSEEN);
            }
            if let Err(error) = junit.write() {
                let path = junit.report.path().display().to_string();
                notices.push(UserNotice {
                    severity: NoticeSeverity::Error,
                    text: format!("the report {path} could not be written: {error}"),
                    help: Some("free space on its disk, and run the tests again".to_owned()),
                    in_summary: true,
                });
            }
        }
        let warnings = state.warnings.take_notices();
        match state.reported {
            WarningReports::Shown => notices.extend(warnings),
            WarningReports::Hidden => {}
        }
        notices
    }
}

impl WrittenReport {
    fn write(&mut self) -> io::Result<()> {
        let now = Instant::now();
        let took = now.duration_since(self.begun);
        self.begun = now;
        let host = nix::unistd::gethostname().unwrap_or_default();
        let text = self.report.take_text(took, &host.to_string_lossy());
        let path = self.report.path();
        let file = match self.file.take() {
            Some(file) => file,
            None => ReportFile::begin(path)?,
        };
        file.finish(path, &text)
    }
}

/// Reads the output of an attempt, and takes the elements of the report out of it.
struct ResultParser {
    results: Arc<RoundResults>,
    place: Arc<TestPlace>,
    /// The stream with the elements.
    stream: OutputStream,
    elements: TestcaseStream,
    tails: StreamTails,
}

impl OutputParser for ResultParser {
    fn wrote(&mut self, stream: OutputStream, bytes: Vec<u8>) -> Vec<u8> {
        match stream {
            OutputStream::Stdout => bytes,
            OutputStream::Stderr | OutputStream::Joined => {
                self.stream = stream;
                let shown = self.elements.wrote(bytes);
                self.tails.push(stream, &shown);
                shown
            }
        }
    }

    fn ended(&mut self, status: Option<ExitStatus>) -> ParsedOutput {
        let held = std::mem::take(&mut self.elements.held);
        self.tails.push(self.stream, &held);
        let reading = status.map(|status| self.results.read(status, self.tails.stderr()));
        let testcases = self.elements.last.take();
        self.results.ended(&self.place, testcases, reading.as_ref());
        ParsedOutput {
            held: (!held.is_empty()).then_some((self.stream, held)),
            reading: reading.unwrap_or_default(),
        }
    }
}

/// A stream with elements of the report in it.
#[derive(Debug, Default)]
struct TestcaseStream {
    /// The end of what was written, if it may be a part of [`START`].
    held: Vec<u8>,
    /// What follows [`START`], until [`END`].
    inside: Option<Vec<u8>>,
    /// The elements that came last. A test may write some itself.
    last: Option<Testcases>,
}

impl TestcaseStream {
    /// Takes new output, and returns what is not elements.
    fn wrote(&mut self, bytes: Vec<u8>) -> Vec<u8> {
        let mut rest = std::mem::take(&mut self.held);
        rest.extend(bytes);
        let mut shown = Vec::new();
        loop {
            let Some(mut inside) = self.inside.take() else {
                let Some(start) = memmem::find(&rest, START) else {
                    self.held = rest.split_off(rest.len() - part_of_start(&rest));
                    shown.append(&mut rest);
                    return shown;
                };
                let after = rest.split_off(start + START.len());
                rest.truncate(start);
                shown.append(&mut rest);
                rest = after;
                self.inside = Some(Vec::new());
                continue;
            };
            // The first byte of the end may have come before.
            let from = inside.len().saturating_sub(END.len() - 1);
            inside.append(&mut rest);
            let end = inside.get(from..).and_then(|new| memmem::find(new, END));
            let Some(end) = end.map(|end| from + end) else {
                if inside.len() > TESTCASES_BYTES_MAX {
                    // What is left cannot be read, and counts as missing.
                    inside.drain(..inside.len() - END.len());
                }
                self.inside = Some(inside);
                return shown;
            };
            rest = inside.split_off(end + END.len());
            inside.truncate(end);
            self.last = serde_json::from_slice(&inside).ok();
        }
    }
}

/// Returns the length of the longest end of `bytes` with which [`START`] begins.
fn part_of_start(bytes: &[u8]) -> usize {
    let longest = bytes.len().min(START.len() - 1);
    let is_part = |length: &usize| START.starts_with(bytes.split_at(bytes.len() - length).1);
    (1..=longest).rev().find(is_part).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const ELEMENTS: &str = r#"{"cases": ["<testcase />"], "properties": [], "counts":
        {"error": 0, "failure": 0, "skipped": 0, "passed": 1, "double": 0}}"#;

    fn written() -> Vec<u8> {
        let text =
            format!("a\x1b_maelstrom-pytest {{}}\x1b\\b\x1b_maelstrom-testcases {ELEMENTS}\x1b\\c");
        text.into_bytes()
    }

    proptest! {
        #[test]
        fn elements_are_taken_out_however_the_output_is_divided(size in 1_usize..40) {
            let mut stream = TestcaseStream::default();
            let mut shown = Vec::new();
            for piece in written().chunks(size) {
                shown.extend(stream.wrote(piece.to_vec()));
            }
            shown.append(&mut stream.held);
            prop_assert_eq!(shown, b"a\x1b_maelstrom-pytest {}\x1b\\bc".to_vec());
            let expected: Testcases = serde_json::from_str(ELEMENTS).unwrap();
            prop_assert_eq!(stream.last, Some(expected));
        }

        #[test]
        fn output_without_elements_stays_as_it_is(pieces: Vec<Vec<u8>>) {
            let mut stream = TestcaseStream::default();
            let mut shown = Vec::new();
            for piece in &pieces {
                shown.extend(stream.wrote(piece.clone()));
            }
            shown.append(&mut stream.held);
            prop_assert_eq!(shown, pieces.concat());
        }
    }

    #[test]
    fn an_end_that_is_missing_hides_nothing_that_was_before() {
        let mut stream = TestcaseStream::default();
        let shown = stream.wrote(b"before\x1b_maelstrom-testcases {".to_vec());
        assert_eq!(shown, b"before");
        assert_eq!(stream.last, None);
    }
}
