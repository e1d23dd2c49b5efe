//! Parses a test's output as it is written.
//!
//! With `-test.v=test2json`, a test binary writes a control character before each of its own lines,
//! so that `=== RUN`, `--- PASS` and the like cannot be confused with output of the tested code.
//! The user sees all other output, and of the binary's own lines only those that a subtest failed. A
//! stream of records gets everything as it is.
//!
//! Invariants: output between the binary's lines is passed on immediately and unchanged; at most
//! one line is held back, and never more than [`FRAME_BYTES_MAX`].

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::sandbox::hints::hint;
use crate::sandbox::project_spec::files;
use maelstrom_engine::run::output_tail::StreamTails;
use maelstrom_model::event::{ExitStatus, OutputStream, TestOutcome};
use maelstrom_model::framework::{
    FrameworkVerdict, OutputAnalysis, OutputParser, ParsedOutput, SubtestReport,
};
use maelstrom_model::job::TestKey;

use super::listing::is_benchmark;
use super::location::FailureLocations;

/// The byte before each line of the test binary's own (`cmd/internal/test2json`).
pub(super) const MARKER: u8 = 0x16;

/// The maximum length of a frame. Go does not limit the length of a subtest's name, so there has to
/// be some limit.
pub(super) const FRAME_BYTES_MAX: usize = 64 * 1024;

/// The maximum number of subtests that are reported per test.
const PARTS_MAX: usize = 10_000;

/// The number of bytes of a line that are kept, for the reason of a skip and the location of a
/// failure.
const LINE_BYTES_MAX: usize = 1024;

/// Parses the output of one test.
#[derive(Debug)]
pub struct GoTestReader {
    test: String,
    package: Arc<str>,
    places: FailureLocations,
    /// The stream on which the test binary writes its frames.
    framed: OutputStream,
    /// The beginning of an incomplete frame, without its marker.
    frame: Option<Vec<u8>>,
    line: Vec<u8>,
    /// The last line with a location, from `t.Log`, `t.Skip` and the like.
    last_message: Vec<u8>,
    parts: Vec<SubtestReport>,
    own: GoTestStatus,
    tails: StreamTails,
    /// The root of the sources, for a test in a container, which may lack something.
    contained: Option<PathBuf>,
    framing: FramingDisplay,
    /// The file with the input that made a fuzz test fail.
    failing_input: Option<String>,
}

/// Whether the test binary's own lines are passed on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum FramingDisplay {
    Hidden,
    PassedOn,
}

/// The test binary's report about the test itself.
#[derive(Clone, Debug, PartialEq, Eq)]
enum GoTestStatus {
    Unseen,
    Running,
    Passed,
    Failed,
    Skipped(Option<String>),
}

/// A frame: a line of the test binary's own.
#[derive(Clone, Debug, PartialEq)]
enum GoTestFrame<'a> {
    Running {
        name: &'a str,
    },
    Ended(EndedTest<'a>),
    /// `--- BENCH`, which begins what a benchmark has logged.
    Logged,
    /// `=== NAME`, `=== PAUSE` and the like, and the `PASS` or `FAIL` of the whole binary.
    Other,
    /// Not a frame: the tested code wrote the control character.
    None,
}

#[derive(Clone, Debug, PartialEq)]
struct EndedTest<'a> {
    name: &'a str,
    how: GoTestOutcome,
    duration: Duration,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum GoTestOutcome {
    Passed,
    Failed,
    Skipped,
}

impl GoTestReader {
    /// Returns the parser for one attempt of a test. `places` finds the locations of failures.
    pub fn new(test: &TestKey, places: FailureLocations) -> GoTestReader {
        GoTestReader {
            test: test.name.clone(),
            package: test.package.clone(),
            places,
            framed: OutputStream::Stdout,
            frame: None,
            line: Vec::new(),
            last_message: Vec::new(),
            parts: Vec::new(),
            own: GoTestStatus::Unseen,
            tails: StreamTails::default(),
            contained: None,
            framing: FramingDisplay::Hidden,
            failing_input: None,
        }
    }

    /// Returns the parser that passes on the test binary's own lines with their markers.
    pub fn with_framing(self) -> GoTestReader {
        GoTestReader {
            framing: FramingDisplay::PassedOn,
            ..self
        }
    }

    /// Returns the parser for a test in a container that shows the sources below `root`.
    pub fn in_container(self, root: PathBuf) -> GoTestReader {
        GoTestReader {
            contained: Some(root),
            ..self
        }
    }

    /// Returns a hint about what the test's container may lack.
    fn hint(&self) -> Option<String> {
        let root = self.contained.as_ref()?;
        if let Some(input) = &self.failing_input {
            return Some(format!(
                "the container discarded {input}; `--isolation=process` keeps it"
            ));
        }
        let outputs = [self.tails.stdout(), self.tails.stderr()];
        hint(outputs, files::GO.name, |path| {
            path.exists() && !path.starts_with(root)
        })
    }

    fn stdout(&mut self, bytes: &[u8]) -> Vec<u8> {
        let mut shown = Vec::with_capacity(bytes.len());
        let mut rest = bytes;
        loop {
            rest = match &mut self.frame {
                None => {
                    let (before, after) = split_at_first(rest, MARKER);
                    self.plain(before);
                    shown.extend_from_slice(before);
                    match after {
                        None => return shown,
                        Some(after) => {
                            self.frame = Some(Vec::new());
                            after
                        }
                    }
                }
                Some(frame) => {
                    let (before, after) = split_at_first(rest, b'\n');
                    frame.extend_from_slice(before);
                    let overlong = frame.len() > FRAME_BYTES_MAX;
                    if after.is_some() || overlong {
                        let frame = self.frame.take().unwrap_or_default();
                        shown.extend(self.take_frame(frame, after.is_some()));
                    }
                    match after {
                        None => return shown,
                        Some(after) => after,
                    }
                }
            };
        }
    }

    /// Processes output between frames.
    fn plain(&mut self, bytes: &[u8]) {
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            let room = LINE_BYTES_MAX.saturating_sub(self.line.len());
            self.line.extend(piece.iter().take(room));
            if piece.ends_with(b"\n") {
                self.places.stdout(&self.line);
                let line = std::mem::take(&mut self.line);
                if let Some(input) = failing_input(&line) {
                    self.failing_input = Some(input);
                }
                if self
                    .places
                    .without(&String::from_utf8_lossy(&line))
                    .is_some()
                {
                    self.last_message = line;
                }
            }
        }
    }

    /// Processes a frame; returns the part of it that is shown.
    fn take_frame(&mut self, frame: Vec<u8>, is_whole: bool) -> Vec<u8> {
        let text = String::from_utf8_lossy(&frame).into_owned();
        let end: &[u8] = if is_whole { b"\n" } else { b"" };
        match read_frame(&text) {
            GoTestFrame::Running { name } => {
                self.last_message.clear();
                if name == self.test && self.own == GoTestStatus::Unseen {
                    self.own = GoTestStatus::Running;
                }
                Vec::new()
            }
            GoTestFrame::Ended(ended) => match self.ended_part(&ended) {
                GoTestOutcome::Failed if ended.name != self.test => [&frame, end].concat(),
                GoTestOutcome::Passed | GoTestOutcome::Failed | GoTestOutcome::Skipped => {
                    Vec::new()
                }
            },
            GoTestFrame::Logged => [&frame, end].concat(),
            GoTestFrame::Other => Vec::new(),
            GoTestFrame::None => {
                let shown = [&[MARKER], frame.as_slice(), end].concat();
                self.plain(&shown);
                shown
            }
        }
    }

    fn ended_part(&mut self, ended: &EndedTest<'_>) -> GoTestOutcome {
        let reason = || {
            let line = String::from_utf8_lossy(&self.last_message);
            self.places.without(&line).map(str::to_owned)
        };
        if ended.name == self.test {
            // The last report is the process's own: a test may run its own binary and pass on its
            // output.
            self.own = match ended.how {
                GoTestOutcome::Failed => GoTestStatus::Failed,
                GoTestOutcome::Passed => GoTestStatus::Passed,
                GoTestOutcome::Skipped => GoTestStatus::Skipped(reason()),
            };
        } else if self.parts.len() < PARTS_MAX {
            // A test of test tooling may run other tests, whose names need not begin with its own.
            let below = ended.name.strip_prefix(&self.test);
            let name = below.and_then(|below| below.strip_prefix('/'));
            let outcome = match ended.how {
                GoTestOutcome::Passed => TestOutcome::Passed,
                GoTestOutcome::Failed => TestOutcome::Failed {
                    exit: None,
                    reason: None,
                },
                GoTestOutcome::Skipped => TestOutcome::Ignored { reason: reason() },
            };
            self.parts.push(SubtestReport {
                name: name.unwrap_or(ended.name).to_owned(),
                outcome,
                duration: ended.duration,
            });
        }
        self.last_message.clear();
        ended.how
    }

    fn judge(&self, status: ExitStatus) -> FrameworkVerdict {
        let failed = |reason: &str| FrameworkVerdict::Failed {
            reason: Some(reason.to_owned()),
        };
        match (status, &self.own) {
            (ExitStatus::Code(0), GoTestStatus::Passed) => FrameworkVerdict::ByStatus,
            (ExitStatus::Code(0), GoTestStatus::Skipped(reason)) => FrameworkVerdict::Ignored {
                reason: reason.clone(),
            },
            (ExitStatus::Code(0), GoTestStatus::Failed) => {
                failed("the test failed, but its process succeeded")
            }
            // A benchmark that passes has no line that says so.
            (ExitStatus::Code(0), GoTestStatus::Running) if is_benchmark(&self.test) => {
                FrameworkVerdict::ByStatus
            }
            (ExitStatus::Code(0), GoTestStatus::Running) => {
                failed("the process ended in the middle of the test")
            }
            (ExitStatus::Code(0), GoTestStatus::Unseen) => FrameworkVerdict::Error {
                message: format!(
                    "its process exited with 0, but did not say that the test ran; a TestMain that \
                     ends the process, or chooses tests by itself, does so. To run its package \
                     whole: go test {}",
                    self.package
                ),
            },
            (
                ExitStatus::Code(_) | ExitStatus::Signal { .. },
                GoTestStatus::Passed | GoTestStatus::Skipped(_),
            ) => failed("the test was over, but its process failed"),
            (
                ExitStatus::Code(_) | ExitStatus::Signal { .. },
                GoTestStatus::Unseen | GoTestStatus::Running | GoTestStatus::Failed,
            ) => match self.hint() {
                Some(hint) => FrameworkVerdict::Failed { reason: Some(hint) },
                None => FrameworkVerdict::ByStatus,
            },
        }
    }
}

impl OutputParser for GoTestReader {
    fn wrote(&mut self, stream: OutputStream, bytes: Vec<u8>) -> Vec<u8> {
        self.tails.push(stream, &bytes);
        let shown = match stream {
            OutputStream::Stdout => {
                self.framed = OutputStream::Stdout;
                self.stdout(&bytes)
            }
            OutputStream::Stderr => {
                self.places.stderr(&bytes);
                return bytes;
            }
            OutputStream::Joined => {
                self.framed = OutputStream::Joined;
                let shown = self.stdout(&bytes);
                // The same stream contains the stack of a panic.
                self.places.stderr(&shown);
                shown
            }
        };
        match self.framing {
            FramingDisplay::Hidden => shown,
            FramingDisplay::PassedOn => bytes,
        }
    }

    fn ended(&mut self, status: Option<ExitStatus>) -> ParsedOutput {
        let held = self.frame.take();
        let held = held.map(|frame| self.take_frame(frame, false));
        ParsedOutput {
            held: match self.framing {
                FramingDisplay::Hidden => held.map(|held| (self.framed, held)),
                FramingDisplay::PassedOn => None,
            },
            reading: OutputAnalysis {
                judgement: status.map_or(FrameworkVerdict::ByStatus, |status| self.judge(status)),
                location: self.places.found(),
                parts: std::mem::take(&mut self.parts),
            },
        }
    }
}

fn split_at_first(bytes: &[u8], separator: u8) -> (&[u8], Option<&[u8]>) {
    let mut parts = bytes.splitn(2, |byte| *byte == separator);
    (parts.next().unwrap_or_default(), parts.next())
}

fn read_frame(frame: &str) -> GoTestFrame<'_> {
    // The results of subtests are indented.
    let frame = frame.trim_end_matches('\r').trim_start();
    if frame.starts_with("--- BENCH: ") {
        return GoTestFrame::Logged;
    }
    if let Some(rest) = frame.strip_prefix("--- ") {
        return ended(rest).map_or(GoTestFrame::None, GoTestFrame::Ended);
    }
    match frame.strip_prefix("=== RUN   ") {
        Some(name) => GoTestFrame::Running { name },
        None if frame.starts_with("=== ") || matches!(frame, "PASS" | "FAIL") => GoTestFrame::Other,
        None => GoTestFrame::None,
    }
}

/// Parses the line about the input that made a fuzz test fail; returns its file.
fn failing_input(line: &[u8]) -> Option<String> {
    let line = std::str::from_utf8(line).ok()?;
    let path = line.trim().strip_prefix("Failing input written to ")?;
    Some(path.to_owned())
}

/// Parses `PASS: TestX/sub (0.02s)`.
fn ended(text: &str) -> Option<EndedTest<'_>> {
    let (how, rest) = text.split_once(": ")?;
    let how = match how {
        "PASS" => GoTestOutcome::Passed,
        "FAIL" => GoTestOutcome::Failed,
        "SKIP" => GoTestOutcome::Skipped,
        _ => return None,
    };
    // That of a failed benchmark has no duration.
    let (name, duration) = match rest.rsplit_once(" (") {
        None if is_benchmark(rest) => (rest, "0s)"),
        split => split?,
    };
    let seconds: f64 = duration.strip_suffix("s)")?.parse().ok()?;
    Some(EndedTest {
        name,
        how,
        duration: Duration::try_from_secs_f64(seconds).ok()?,
    })
}

#[cfg(test)]
mod tests;
