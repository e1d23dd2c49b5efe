//! Reads along while one test writes.
//!
//! With `-test.v=test2json` a test binary puts a control character before each line of its own, and
//! only there: `=== RUN`, `--- PASS` and their kind can't be confused with what the tested code
//! writes. A person is shown everything else, and of the framing that a subtest failed.
//!
//! Invariants: what stands between the frames is passed on at once and unchanged; what is held back
//! is at most one line, and never more than [`FRAME_BYTES_MAX`].

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::sandbox::hints::hint;
use crate::sandbox::specified::files;
use maelstrom_engine::run::tail::Tails;
use maelstrom_model::event::{ExitStatus, Outcome, Stream};
use maelstrom_model::framework::{Followed, Follower, Judgement, Part, Reading};
use maelstrom_model::job::TestKey;

use super::location::Places;

/// Stands before each line of the test binary's own (`cmd/internal/test2json`).
const MARKER: u8 = 0x16;

/// Longer than any frame: names of subtests are cut to shorter ones by nobody, so there has to be
/// some end.
const FRAME_BYTES_MAX: usize = 64 * 1024;

/// So many parts of one test are told of.
const PARTS_MAX: usize = 10_000;

/// Kept of a line: the reason for a skip, and where a test failed.
const LINE_BYTES_MAX: usize = 1024;

/// Reads what one test writes.
#[derive(Debug)]
pub struct Reader {
    test: String,
    package: Arc<str>,
    places: Places,
    /// Where the test binary writes its frames.
    framed: Stream,
    /// The beginning of a frame whose end is still to come, without its marker.
    frame: Option<Vec<u8>>,
    line: Vec<u8>,
    /// The last line by which the test said something of itself.
    last_message: Vec<u8>,
    parts: Vec<Part>,
    own: Own,
    tails: Tails,
    /// The root of the sources of a test in a container, which may lack something.
    contained: Option<PathBuf>,
}

/// What the test binary said of the test itself.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Own {
    /// Nothing.
    Unseen,
    /// That it runs.
    Running,
    Passed,
    Failed,
    Skipped(Option<String>),
}

/// A line of the test binary's own.
#[derive(Clone, Debug, PartialEq)]
enum Frame<'a> {
    Running {
        name: &'a str,
    },
    Ended(Ended<'a>),
    /// `=== NAME`, `=== PAUSE` and the like, and the whole binary's `PASS` and `FAIL`.
    Other,
    /// No frame at all: the tested code wrote the control character itself.
    None,
}

#[derive(Clone, Debug, PartialEq)]
struct Ended<'a> {
    name: &'a str,
    how: How,
    duration: Duration,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum How {
    Passed,
    Failed,
    Skipped,
}

impl Reader {
    /// Of one attempt of this test; `places` tells where failures are.
    pub fn new(test: &TestKey, places: Places) -> Reader {
        Reader {
            test: test.name.clone(),
            package: test.package.clone(),
            places,
            framed: Stream::Stdout,
            frame: None,
            line: Vec::new(),
            last_message: Vec::new(),
            parts: Vec::new(),
            own: Own::Unseen,
            tails: Tails::default(),
            contained: None,
        }
    }

    /// The same of a test in a container that shows the sources below this directory.
    pub fn in_container(self, root: PathBuf) -> Reader {
        Reader {
            contained: Some(root),
            ..self
        }
    }

    /// What the test's container may lack.
    fn hint(&self) -> Option<String> {
        let root = self.contained.as_ref()?;
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

    /// Takes in what stands between frames.
    fn plain(&mut self, bytes: &[u8]) {
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            let room = LINE_BYTES_MAX.saturating_sub(self.line.len());
            self.line.extend(piece.iter().take(room));
            if piece.ends_with(b"\n") {
                self.places.stdout(&self.line);
                let line = std::mem::take(&mut self.line);
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

    /// Takes in a frame; returns what of it is shown.
    fn take_frame(&mut self, frame: Vec<u8>, is_whole: bool) -> Vec<u8> {
        let text = String::from_utf8_lossy(&frame).into_owned();
        let end: &[u8] = if is_whole { b"\n" } else { b"" };
        match read_frame(&text) {
            Frame::Running { name } => {
                self.last_message.clear();
                if name == self.test && self.own == Own::Unseen {
                    self.own = Own::Running;
                }
                Vec::new()
            }
            Frame::Ended(ended) => match self.ended_part(&ended) {
                How::Failed if ended.name != self.test => [&frame, end].concat(),
                How::Passed | How::Failed | How::Skipped => Vec::new(),
            },
            Frame::Other => Vec::new(),
            Frame::None => {
                let shown = [&[MARKER], frame.as_slice(), end].concat();
                self.plain(&shown);
                shown
            }
        }
    }

    fn ended_part(&mut self, ended: &Ended<'_>) -> How {
        let reason = || {
            let line = String::from_utf8_lossy(&self.last_message);
            self.places.without(&line).map(str::to_owned)
        };
        if ended.name == self.test {
            // The last word is the process's own: a test may run its own binary again and pass on
            // what that writes.
            self.own = match ended.how {
                How::Failed => Own::Failed,
                How::Passed => Own::Passed,
                How::Skipped => Own::Skipped(reason()),
            };
        } else if self.parts.len() < PARTS_MAX {
            // Tests of the testing of tests run others, whose names need not be below their own.
            let below = ended.name.strip_prefix(&self.test);
            let name = below.and_then(|below| below.strip_prefix('/'));
            let outcome = match ended.how {
                How::Passed => Outcome::Passed,
                How::Failed => Outcome::Failed {
                    exit: None,
                    reason: None,
                },
                How::Skipped => Outcome::Ignored { reason: reason() },
            };
            self.parts.push(Part {
                name: name.unwrap_or(ended.name).to_owned(),
                outcome,
                duration: ended.duration,
            });
        }
        self.last_message.clear();
        ended.how
    }

    fn judge(&self, status: ExitStatus) -> Judgement {
        let failed = |reason: &str| Judgement::Failed {
            reason: Some(reason.to_owned()),
        };
        match (status, &self.own) {
            (ExitStatus::Code(0), Own::Passed) => Judgement::ByStatus,
            (ExitStatus::Code(0), Own::Skipped(reason)) => Judgement::Ignored {
                reason: reason.clone(),
            },
            (ExitStatus::Code(0), Own::Failed) => {
                failed("the test failed, but its process succeeded")
            }
            (ExitStatus::Code(0), Own::Running) => {
                failed("the process ended in the middle of the test")
            }
            (ExitStatus::Code(0), Own::Unseen) => Judgement::Error {
                message: format!(
                    "its process exited with 0, but did not say that the test ran; a TestMain that \
                     ends the process, or chooses tests by itself, does so. To run its package \
                     whole: go test {}",
                    self.package
                ),
            },
            (ExitStatus::Code(_) | ExitStatus::Signal { .. }, Own::Passed | Own::Skipped(_)) => {
                failed("the test was over, but its process failed")
            }
            (
                ExitStatus::Code(_) | ExitStatus::Signal { .. },
                Own::Unseen | Own::Running | Own::Failed,
            ) => match self.hint() {
                Some(hint) => Judgement::Failed { reason: Some(hint) },
                None => Judgement::ByStatus,
            },
        }
    }
}

impl Follower for Reader {
    fn wrote(&mut self, stream: Stream, bytes: Vec<u8>) -> Vec<u8> {
        self.tails.push(stream, &bytes);
        match stream {
            Stream::Stdout => {
                self.framed = Stream::Stdout;
                self.stdout(&bytes)
            }
            Stream::Stderr => {
                self.places.stderr(&bytes);
                bytes
            }
            Stream::Joined => {
                self.framed = Stream::Joined;
                let shown = self.stdout(&bytes);
                self.places.stderr(&shown);
                shown
            }
        }
    }

    fn ended(&mut self, status: Option<ExitStatus>) -> Followed {
        let held = self.frame.take();
        let held = held.map(|frame| self.take_frame(frame, false));
        Followed {
            held: held.map(|held| (self.framed, held)),
            reading: Reading {
                judgement: status.map_or(Judgement::ByStatus, |status| self.judge(status)),
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

fn read_frame(frame: &str) -> Frame<'_> {
    let frame = frame.trim_end_matches('\r').trim_start();
    if let Some(rest) = frame.strip_prefix("--- ") {
        return ended(rest).map_or(Frame::None, Frame::Ended);
    }
    match frame.strip_prefix("=== RUN   ") {
        Some(name) => Frame::Running { name },
        None if frame.starts_with("=== ") || matches!(frame, "PASS" | "FAIL") => Frame::Other,
        None => Frame::None,
    }
}

/// Reads `PASS: TestX/sub (0.02s)`.
fn ended(text: &str) -> Option<Ended<'_>> {
    let (how, rest) = text.split_once(": ")?;
    let how = match how {
        "PASS" => How::Passed,
        "FAIL" => How::Failed,
        "SKIP" => How::Skipped,
        _ => return None,
    };
    let (name, duration) = rest.rsplit_once(" (")?;
    let seconds: f64 = duration.strip_suffix("s)")?.parse().ok()?;
    Some(Ended {
        name,
        how,
        duration: Duration::try_from_secs_f64(seconds).ok()?,
    })
}

#[cfg(test)]
mod tests;
