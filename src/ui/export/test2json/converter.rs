//! Turns the output of one test's process into records, by the rules of `cmd/internal/test2json`.
//!
//! The test binary writes a marker before each line of its own. Output between them belongs to the
//! test that the last of them names.
//!
//! How the test itself ended is held back until its process has ended: the process may fail after
//! the test has passed.

use std::time::Duration;

use maelstrom_model::event::TestOutcome;

use super::lines::{InputLine, LineSplitter, OutputPieces};
use super::record::StreamRecord;

/// The beginning of a line of output that no test wrote.
const OWN_LINE: &str = "    maelstrom: ";

/// The state of one attempt.
#[derive(Debug)]
pub(super) struct ProcessConverter {
    /// The test that the process runs.
    own: String,
    lines: LineSplitter,
    output: OutputPieces,
    /// The test that further output belongs to; empty for none.
    current: String,
    /// How the current test ended; its last output may follow.
    ended: Option<StreamRecord>,
    own_end: Option<StreamRecord>,
    presence: TestPresence,
    records: Vec<StreamRecord>,
}

/// Whether the process has named its test.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum TestPresence {
    Unseen,
    Seen,
}

impl ProcessConverter {
    /// Returns the converter for a process that runs this test.
    pub(super) fn new(own: &str) -> ProcessConverter {
        ProcessConverter {
            own: own.to_owned(),
            lines: LineSplitter::default(),
            output: OutputPieces::default(),
            current: String::new(),
            ended: None,
            own_end: None,
            presence: TestPresence::Unseen,
            records: Vec::new(),
        }
    }

    /// Takes output of the process.
    pub(super) fn wrote(&mut self, bytes: &[u8]) -> Vec<StreamRecord> {
        for line in self.lines.push(bytes) {
            self.line(line);
        }
        std::mem::take(&mut self.records)
    }

    /// Takes the end of the process, which ran for so long.
    pub(super) fn finished(mut self, outcome: &TestOutcome, ran: Duration) -> Vec<StreamRecord> {
        if let Some(line) = self.lines.take() {
            self.line(line);
        }
        self.flush();
        self.settle();
        self.current.clear();
        let reported = self.own_end.take();
        let (action, reason) = verdict(outcome);
        match reported {
            Some(reported) if reported.action == action => {
                self.say(reason);
                self.records.push(reported);
            }
            // Go reports no end of a benchmark that passed.
            None if action == "pass" && self.is_benchmark() => {}
            Some(_) | None => {
                self.begin();
                self.say(reason);
                let word = action.to_uppercase();
                let line = format!("--- {word}: {} ({:.2}s)\n", self.own, ran.as_secs_f64());
                self.records.push(StreamRecord::output(&self.own, line));
                let end = StreamRecord::end(action, &self.own, ran);
                self.records.push(end);
            }
        }
        self.records
    }

    fn is_benchmark(&self) -> bool {
        self.presence == TestPresence::Seen && self.own.starts_with("Benchmark")
    }

    /// Reports the start of a test whose process did not do so.
    fn begin(&mut self) {
        if self.presence == TestPresence::Unseen {
            let own = self.own.clone();
            self.run(&own, &format!("=== RUN   {own}\n"));
        }
    }

    fn say(&mut self, reason: Option<String>) {
        for line in reason.iter().flat_map(|reason| reason.lines()) {
            let line = format!("{OWN_LINE}{line}\n");
            self.records.push(StreamRecord::output(&self.own, line));
        }
    }

    fn line(&mut self, line: InputLine) {
        match line {
            InputLine::Plain(text) => self.plain(&text),
            InputLine::Framing(text) => {
                // What came before ends here, even in the middle of a line.
                self.flush();
                let whole = String::from_utf8_lossy(&text);
                self.framing(&whole);
            }
        }
    }

    fn plain(&mut self, text: &[u8]) {
        for text in self.output.push(text) {
            self.records.push(StreamRecord::output(&self.current, text));
        }
    }

    fn flush(&mut self) {
        if let Some(text) = self.output.take() {
            self.records.push(StreamRecord::output(&self.current, text));
        }
    }

    /// Takes a line of the test binary's own.
    fn framing(&mut self, whole: &str) {
        let line = whole.trim_end_matches(['\n', '\r']);
        if matches!(line, "PASS" | "FAIL") {
            // The verdict on this process. The stream has one for the whole package.
            self.settle();
            self.current.clear();
        } else if let Some(record) = end_of_test(line.trim_start_matches(' ')) {
            self.settle();
            self.current.clone_from(&record.test);
            self.plain(whole.as_bytes());
            self.ended = Some(record);
        } else if let Some((update, rest)) = update(line) {
            self.update(update, rest, whole);
        } else {
            self.plain(whole.as_bytes());
        }
    }

    fn update(&mut self, update: TestUpdate, rest: &str, whole: &str) {
        let mut words = rest.splitn(3, ' ');
        let mut word = || words.next().unwrap_or_default();
        self.settle();
        match update {
            TestUpdate::Run => self.run(rest, whole),
            TestUpdate::Name => rest.clone_into(&mut self.current),
            TestUpdate::Pause => {
                rest.clone_into(&mut self.current);
                self.plain(whole.as_bytes());
                self.records.push(StreamRecord::new("pause", rest));
            }
            TestUpdate::Continue => {
                rest.clone_into(&mut self.current);
                self.records.push(StreamRecord::new("cont", rest));
                self.plain(whole.as_bytes());
            }
            TestUpdate::Attribute => {
                word().clone_into(&mut self.current);
                self.records.push(StreamRecord {
                    key: word().to_owned(),
                    value: word().to_owned(),
                    ..StreamRecord::new("attr", &self.current)
                });
                self.plain(whole.as_bytes());
            }
            TestUpdate::Artifacts => {
                let (name, path) = rest.split_once(' ').unwrap_or((rest, ""));
                name.clone_into(&mut self.current);
                self.records.push(StreamRecord {
                    path: path.to_owned(),
                    ..StreamRecord::new("artifacts", name)
                });
                self.plain(whole.as_bytes());
            }
        }
    }

    fn run(&mut self, name: &str, line: &str) {
        if name == self.own {
            self.presence = TestPresence::Seen;
            // With `-cpu`, a process runs its test several times.
            self.records.extend(self.own_end.take());
        }
        name.clone_into(&mut self.current);
        self.records.push(StreamRecord::new("run", name));
        self.plain(line.as_bytes());
    }

    /// Reports the end of the test that has ended, or keeps it if it is the process's own.
    fn settle(&mut self) {
        let Some(ended) = self.ended.take() else {
            return;
        };
        if ended.test == self.own && ended.action != "bench" {
            let earlier = self.own_end.replace(ended);
            self.records.extend(earlier);
        } else {
            self.records.push(ended);
        }
    }
}

/// A line of the test binary's own about a test that has not ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum TestUpdate {
    Run,
    Pause,
    Continue,
    /// Only names the test that further output belongs to.
    Name,
    Attribute,
    Artifacts,
}

/// Parses a line such as `=== RUN   TestX` into what it is, and what follows it.
fn update(line: &str) -> Option<(TestUpdate, &str)> {
    let rest = line.strip_prefix("=== ")?;
    let (word, rest) = rest.split_once(' ').unwrap_or((rest, ""));
    let update = match word {
        "RUN" => TestUpdate::Run,
        "PAUSE" => TestUpdate::Pause,
        "CONT" => TestUpdate::Continue,
        "NAME" => TestUpdate::Name,
        "ATTR" => TestUpdate::Attribute,
        "ARTIFACTS" => TestUpdate::Artifacts,
        _ => return None,
    };
    Some((update, rest.trim()))
}

/// Parses a line such as `--- PASS: TestX (0.02s)`.
fn end_of_test(line: &str) -> Option<StreamRecord> {
    let (word, name) = line.strip_prefix("--- ")?.split_once(": ")?;
    let action = match word {
        "PASS" => "pass",
        "FAIL" => "fail",
        "SKIP" => "skip",
        "BENCH" => "bench",
        _ => return None,
    };
    // A benchmark's line has no duration.
    let (name, duration) = name.split_once(" (").unwrap_or((name, ""));
    Some(StreamRecord {
        elapsed: duration.strip_suffix("s)").and_then(|s| s.parse().ok()),
        ..StreamRecord::new(action, name.trim())
    })
}

/// Returns the action of an outcome, and what the test itself does not say about it.
fn verdict(outcome: &TestOutcome) -> (&'static str, Option<String>) {
    match outcome {
        TestOutcome::Passed => ("pass", None),
        TestOutcome::Ignored { .. } => ("skip", None),
        TestOutcome::Failed { reason, .. } => ("fail", reason.clone()),
        TestOutcome::TimedOut { limit_us } => {
            let seconds = Duration::from_micros(*limit_us).as_secs_f64();
            ("fail", Some(format!("timed out after {seconds} s")))
        }
        TestOutcome::Cancelled => ("fail", Some("cancelled".to_owned())),
        TestOutcome::Error { message } => ("fail", Some(message.clone())),
    }
}
