//! Divides the output of a test binary that runs several tests. Pure.
//!
//! With `-test.v=test2json`, the binary writes a control character before each of its own lines
//! ([`reader`](super::reader)), and says in them whose output follows:
//!
//! ```text
//! === RUN   TestA            begins a test
//! === PAUSE TestA            the test waits until those that are not parallel are over
//! === CONT  TestA            the output of this test follows
//! === NAME  TestA            the same
//! --- PASS: TestA (0.01s)    ends a test
//! PASS                       the end of all tests
//! ```
//!
//! Each test gets the lines about it and its subtests as well, as if it had run alone. The last test
//! ends with the process, which may fail after it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use maelstrom_model::event::OutputStream;
use maelstrom_model::job::{ExitStatus, OutputPipes};
use maelstrom_model::shared_process::{GroupEnd, GroupProtocol, GroupStep, OutputDivider};

use super::reader::{FRAME_BYTES_MAX, MARKER};

/// The exit code of a test binary of which a test failed.
const FAILED_CODE: i32 = 1;

/// A process that runs these tests of a package.
#[derive(Debug)]
pub(super) struct GoTestProtocol {
    pub(super) names: Arc<BTreeSet<String>>,
}

impl GroupProtocol for GoTestProtocol {
    fn pipes(&self) -> OutputPipes {
        OutputPipes::Joined
    }

    fn divider(&self) -> Box<dyn OutputDivider> {
        Box::new(GoDivider {
            names: Arc::clone(&self.names),
            begun: BTreeMap::new(),
            frame: None,
            current: None,
            over: None,
            failed: false,
            doubt: None,
        })
    }
}

#[derive(Debug)]
struct GoDivider {
    names: Arc<BTreeSet<String>>,
    /// The tests that have begun, and whether they have waited for others.
    begun: BTreeMap<String, TestPace>,
    /// The beginning of an incomplete line of the binary's own, without its marker.
    frame: Option<Vec<u8>>,
    /// The test to which output belongs.
    current: Option<String>,
    /// The test that was over last, which ends when the binary goes on to another one.
    over: Option<FinishedTest>,
    /// Whether a test has failed.
    failed: bool,
    doubt: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum TestPace {
    Straight,
    /// The time from its beginning to its end is not its own.
    Paused,
}

#[derive(Debug)]
struct FinishedTest {
    name: String,
    status: ExitStatus,
    ran: Option<Duration>,
}

impl FinishedTest {
    fn step(self) -> GroupStep {
        GroupStep::Ended {
            test: self.name,
            status: self.status,
            ran: self.ran,
        }
    }
}

/// A line of the test binary's own.
#[derive(Debug, PartialEq)]
enum DividerFrame<'a> {
    Run(&'a str),
    Pause(&'a str),
    /// The output of this test, or of none, follows.
    GoesOn(&'a str),
    Ended {
        name: &'a str,
        has_failed: bool,
        ran: Option<Duration>,
    },
    /// The end of all tests.
    End,
    Other,
}

impl GoDivider {
    fn write(&self, bytes: Vec<u8>, steps: &mut Vec<GroupStep>) {
        if !bytes.is_empty() {
            steps.push(GroupStep::Wrote {
                test: self.current.clone(),
                stream: OutputStream::Joined,
                bytes,
            });
        }
    }

    /// Returns the test that a name belongs to, if the process is to run it. While a test that is not
    /// parallel runs, no other one does: what it prints about others is its output.
    fn test_of(&self, name: &str) -> Option<String> {
        let test = name.split('/').next().unwrap_or_default();
        let is_busy = |current: &&String| {
            let is_over = self
                .over
                .as_ref()
                .is_some_and(|over| over.name == **current);
            self.begun.get(*current) == Some(&TestPace::Straight) && !is_over
        };
        let busy = self.current.as_ref().filter(is_busy);
        let is_free = busy.is_none_or(|busy| busy == test);
        self.names.get(test).filter(|_| is_free).cloned()
    }

    /// Goes on to a test, or to none. The test that was over ends.
    fn switch(&mut self, test: Option<String>, steps: &mut Vec<GroupStep>) {
        if let Some(over) = self.over.take_if(|over| Some(&over.name) != test.as_ref()) {
            steps.push(over.step());
        }
        self.current = test;
    }

    fn take_frame(&mut self, frame: Vec<u8>, is_whole: bool, steps: &mut Vec<GroupStep>) {
        let text = String::from_utf8_lossy(&frame).into_owned();
        let read = read_frame(&text);
        match read {
            DividerFrame::Run(name) => match self.test_of(name) {
                Some(test) if test == name => self.run(test, steps),
                Some(test) => self.switch(Some(test), steps),
                None => {}
            },
            DividerFrame::Pause(name) => {
                if let Some(pace) = self.begun.get_mut(name) {
                    *pace = TestPace::Paused;
                }
            }
            DividerFrame::GoesOn("") => self.switch(None, steps),
            DividerFrame::GoesOn(name) => {
                if let Some(test) = self.test_of(name) {
                    self.switch(Some(test), steps);
                }
            }
            DividerFrame::Ended { name, .. } => {
                if let Some(test) = self.test_of(name) {
                    self.switch(Some(test), steps);
                }
            }
            DividerFrame::End => self.current = None,
            DividerFrame::Other => {}
        }
        let end: &[u8] = if is_whole { b"\n" } else { b"" };
        self.write([&[MARKER], frame.as_slice(), end].concat(), steps);
        if let DividerFrame::Ended {
            name,
            has_failed,
            ran,
        } = read
            && self.current.as_deref() == Some(name)
            && let Some(pace) = self.begun.get(name)
        {
            self.failed |= has_failed;
            self.over = Some(FinishedTest {
                name: name.to_owned(),
                status: ExitStatus::Code(if has_failed { FAILED_CODE } else { 0 }),
                ran: ran.filter(|_| *pace == TestPace::Paused),
            });
        }
    }

    fn run(&mut self, test: String, steps: &mut Vec<GroupStep>) {
        if self
            .begun
            .insert(test.clone(), TestPace::Straight)
            .is_some()
        {
            self.doubt = Some(format!(
                "`{test}` began twice in one process: a test may have printed what the test binary \
                 itself prints"
            ));
        }
        self.switch(Some(test.clone()), steps);
        steps.push(GroupStep::Began { test });
    }
}

impl OutputDivider for GoDivider {
    fn wrote(&mut self, _: OutputStream, bytes: &[u8]) -> Vec<GroupStep> {
        let mut steps = Vec::new();
        let mut rest = bytes;
        while !rest.is_empty() {
            match self.frame.take() {
                None => {
                    let end = memchr::memchr(MARKER, rest);
                    let (plain, after) = rest.split_at(end.unwrap_or(rest.len()));
                    self.write(plain.to_vec(), &mut steps);
                    rest = after.get(1..).unwrap_or_default();
                    self.frame = end.map(|_| Vec::new());
                }
                Some(mut frame) => {
                    let end = memchr::memchr(b'\n', rest);
                    let (piece, after) = rest.split_at(end.unwrap_or(rest.len()));
                    frame.extend_from_slice(piece);
                    rest = after.get(1..).unwrap_or_default();
                    match end {
                        Some(_) => self.take_frame(frame, true, &mut steps),
                        None if frame.len() > FRAME_BYTES_MAX => {
                            self.take_frame(frame, false, &mut steps);
                        }
                        None => self.frame = Some(frame),
                    }
                }
            }
        }
        steps
    }

    fn ended(&mut self, status: Option<ExitStatus>) -> GroupEnd {
        let mut steps = Vec::new();
        if let Some(frame) = self.frame.take() {
            self.take_frame(frame, false, &mut steps);
        }
        let expected = ExitStatus::Code(if self.failed { FAILED_CODE } else { 0 });
        let last = match self.over.take() {
            Some(over) if status == Some(expected) && self.doubt.is_none() => {
                steps.push(over.step());
                None
            }
            Some(over) => Some(over.name),
            None => self.current.take(),
        };
        GroupEnd {
            steps,
            last,
            doubt: self.doubt.take(),
        }
    }
}

fn read_frame(frame: &str) -> DividerFrame<'_> {
    // The results of subtests are indented.
    let frame = frame.trim_end_matches('\r').trim_start();
    let after = |prefix: &str| frame.strip_prefix(prefix).map(str::trim);
    if let Some(name) = after("=== RUN ") {
        return DividerFrame::Run(name);
    }
    if let Some(name) = after("=== PAUSE ") {
        return DividerFrame::Pause(name);
    }
    if let Some(name) = after("=== CONT ").or_else(|| after("=== NAME ")) {
        return DividerFrame::GoesOn(name);
    }
    if matches!(frame, "PASS" | "FAIL") {
        return DividerFrame::End;
    }
    let Some((how, rest)) = after("--- ").and_then(|rest| rest.split_once(": ")) else {
        return DividerFrame::Other;
    };
    let has_failed = match how {
        "PASS" | "SKIP" => false,
        "FAIL" => true,
        _ => return DividerFrame::Other,
    };
    let (name, time) = rest.rsplit_once(" (").unwrap_or((rest, ""));
    let seconds = time.strip_suffix("s)").and_then(|time| time.parse().ok());
    DividerFrame::Ended {
        name,
        has_failed,
        ran: seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// What follows from the output of a process that runs `TestA`, `TestB` and `TestC`, in which `^` is
    /// the marker, if it is written in chunks of this size.
    fn divided(text: &str, code: i32, size: usize) -> Vec<String> {
        let names = ["TestA", "TestB", "TestC"].map(str::to_owned);
        let names = Arc::new(BTreeSet::from(names));
        let mut divider = GoTestProtocol { names }.divider();
        let text = text.replace('^', "\x16");
        let chunks = text.as_bytes().chunks(size);
        let mut steps: Vec<GroupStep> = chunks
            .flat_map(|chunk| divider.wrote(OutputStream::Joined, chunk))
            .collect();
        let end = divider.ended(Some(ExitStatus::Code(code)));
        steps.extend(end.steps);
        let mut shown: Vec<(String, String)> = Vec::new();
        for step in steps {
            let (what, text) = match step {
                GroupStep::Began { test } => (format!("{test} begins"), String::new()),
                GroupStep::Wrote { test, bytes, .. } => (
                    format!("{}: ", test.as_deref().unwrap_or("nobody")),
                    String::from_utf8_lossy(&bytes).replace('\x16', "^"),
                ),
                GroupStep::Ended { test, status, ran } => {
                    (format!("{test} {status:?} {ran:?}"), String::new())
                }
            };
            match shown.last_mut() {
                Some((before, joined)) if *before == what => joined.push_str(&text),
                _ => shown.push((what, text)),
            }
        }
        let shown = shown.into_iter();
        let shown = shown.map(|(what, text)| format!("{what}{}", text.replace('\n', "|")));
        let last = end.last.map(|last| format!("{last} is last"));
        shown.chain(last).chain(end.doubt).collect()
    }

    const PLAIN: &str = "main\n^=== RUN   TestA\none\n^=== RUN   TestA/sub\nx\n^--- PASS: TestA/sub \
                         (0.00s)\n^=== NAME  TestA\n^--- PASS: TestA (0.00s)\n^=== RUN   TestB\n    \
                         b_test.go:3: no\n^--- FAIL: TestB (0.10s)\n^=== RUN   TestC\n^--- SKIP: TestC \
                         (0.00s)\n^FAIL\ncoverage\n";

    #[test]
    fn each_test_has_its_lines_and_its_result() {
        insta::assert_snapshot!(divided(PLAIN, 1, 1000).join("\n"), @"
        nobody: main|
        TestA begins
        TestA: ^=== RUN   TestA|one|^=== RUN   TestA/sub|x|^--- PASS: TestA/sub (0.00s)|^=== NAME  TestA|^--- PASS: TestA (0.00s)|
        TestA Code(0) None
        TestB begins
        TestB: ^=== RUN   TestB|    b_test.go:3: no|^--- FAIL: TestB (0.10s)|
        TestB Code(1) None
        TestC begins
        TestC: ^=== RUN   TestC|^--- SKIP: TestC (0.00s)|
        nobody: ^FAIL|coverage|
        TestC Code(0) None
        ");
    }

    #[test]
    fn a_parallel_test_goes_on_after_the_others() {
        let text = "^=== RUN   TestA\n^=== PAUSE TestA\n^=== RUN   TestB\n^--- PASS: TestB (0.01s)\n\
                    ^=== CONT  TestA\nhere\n^--- PASS: TestA (0.25s)\n^PASS\n";
        insta::assert_snapshot!(divided(text, 0, 1000).join("\n"), @"
        TestA begins
        TestA: ^=== RUN   TestA|^=== PAUSE TestA|
        TestB begins
        TestB: ^=== RUN   TestB|^--- PASS: TestB (0.01s)|
        TestB Code(0) None
        TestA: ^=== CONT  TestA|here|^--- PASS: TestA (0.25s)|
        nobody: ^PASS|
        TestA Code(0) Some(250ms)
        ");
    }

    #[test]
    fn what_a_test_prints_about_another_is_its_output() {
        let text = "^=== RUN   TestA\n^=== RUN   TestB\n^--- PASS: TestB (0.00s)\n^--- PASS: TestA \
                    (0.00s)\n^=== RUN   TestB\n^--- FAIL: TestB (0.00s)\n^FAIL\n";
        insta::assert_snapshot!(divided(text, 1, 1000).join("\n"), @"
        TestA begins
        TestA: ^=== RUN   TestA|^=== RUN   TestB|^--- PASS: TestB (0.00s)|^--- PASS: TestA (0.00s)|
        TestA Code(0) None
        TestB begins
        TestB: ^=== RUN   TestB|^--- FAIL: TestB (0.00s)|
        nobody: ^FAIL|
        TestB Code(1) None
        ");
    }

    #[test]
    fn the_end_of_the_process_is_that_of_the_test_that_it_belongs_to() {
        let begin = "^=== RUN   TestA\n^--- PASS: TestA (0.00s)\n^=== RUN   TestB\n";
        let pass = "^--- PASS: TestB (0.00s)\n^PASS\n";
        let panic = "^--- FAIL: TestB (0.00s)\npanic: no\n";
        let rows = [
            ("", 2),
            ("x\n", 0),
            (pass, 0),
            (pass, 1),
            (pass, 3),
            (panic, 2),
            ("^=== RUN   TestA\n^--- FAIL: TestA (0.00s)\n^FAIL\n", 1),
        ];
        let table = rows.map(|(text, code)| {
            let steps = divided(&format!("{begin}{text}"), code, 1000);
            let end = steps
                .iter()
                .filter(|step| !step.contains(": ") && !step.ends_with("begins"));
            let end: Vec<&str> = end.map(String::as_str).collect();
            format!("{text:?} {code}: {}\n", end.join(", "))
        });
        insta::assert_snapshot!(table.concat());
    }

    proptest! {
        #[test]
        fn chunks_make_no_difference(size in 1_usize..60) {
            prop_assert_eq!(divided(PLAIN, 1, size), divided(PLAIN, 1, 1000));
        }

        #[test]
        fn no_output_makes_dividing_panic(
            pieces in prop::collection::vec(prop_oneof![
                Just("^=== RUN   TestA\n".to_owned()), Just("^=== RUN   TestB/x\n".to_owned()),
                Just("^--- PASS: TestA (0.00s)\n".to_owned()), Just("^=== PAUSE TestA\n".to_owned()),
                Just("^--- FAIL: TestB (1e99s)\n".to_owned()), Just("^PASS\n".to_owned()), ".{0,5}",
            ], 0..20),
        ) {
            divided(&pieces.concat(), 0, 7);
        }
    }
}
