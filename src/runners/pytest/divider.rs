//! Divides the output of one session among its tests, at the markers that `together.py` writes to
//! both streams ([`markers`](super::markers)). Pure.
//!
//! Invariant: a test ends when both streams have reached the next marker, and only then does the next
//! test begin.

use maelstrom_model::event::OutputStream;
use maelstrom_model::job::{ExitStatus, OutputPipes};
use maelstrom_model::shared_process::{GroupEnd, GroupProtocol, GroupStep, OutputDivider};

use super::markers::{OutputToken, OutputTokenizer};

/// Precedes the exit status in a marker that ends a test.
const STATUS: char = '=';

/// A session with markers in both of its streams.
#[derive(Debug)]
pub(super) struct MarkerProtocol;

impl GroupProtocol for MarkerProtocol {
    fn pipes(&self) -> OutputPipes {
        OutputPipes::Separate
    }

    fn divider(&self) -> Box<dyn OutputDivider> {
        Box::new(MarkerDivider::default())
    }
}

/// Divides the output of one session.
#[derive(Debug, Default)]
struct MarkerDivider {
    stdout: MarkedStream,
    stderr: MarkedStream,
    /// The test that is running.
    current: Option<String>,
}

/// One output stream, up to the next marker.
#[derive(Debug, Default)]
struct MarkedStream {
    uncut: OutputTokenizer,
    /// The marker that was reached. The stream is not read past it until the other stream reaches
    /// it.
    mark: Option<String>,
}

impl MarkerDivider {
    fn of(&mut self, stream: OutputStream) -> &mut MarkedStream {
        match stream {
            OutputStream::Stdout | OutputStream::Joined => &mut self.stdout,
            OutputStream::Stderr => &mut self.stderr,
        }
    }

    fn read_to_mark(&mut self, stream: OutputStream, steps: &mut Vec<GroupStep>) {
        loop {
            let reel = self.of(stream);
            if reel.mark.is_some() {
                return;
            }
            match reel.uncut.next() {
                Some(OutputToken::Bytes(bytes)) => {
                    let test = self.current.clone();
                    steps.push(GroupStep::Wrote {
                        test,
                        stream,
                        bytes,
                    });
                }
                Some(OutputToken::Mark(name)) => reel.mark = Some(name),
                None => return,
            }
        }
    }

    /// Ends the current test and begins the next one, when both streams have reached a marker.
    fn go_on(&mut self, name: String, steps: &mut Vec<GroupStep>) {
        let status = name.strip_prefix(STATUS).and_then(|code| code.parse().ok());
        if let Some(test) = self.current.take() {
            steps.push(GroupStep::Ended {
                test,
                // A marker without a status means that the test passed.
                status: ExitStatus::Code(status.unwrap_or(0)),
                ran: None,
            });
        }
        if !name.is_empty() && !name.starts_with(STATUS) {
            steps.push(GroupStep::Began { test: name.clone() });
            self.current = Some(name);
        }
    }

    /// Assigns the rest of a stream to the current test, unless a marker says otherwise.
    fn read_rest(&mut self, stream: OutputStream, steps: &mut Vec<GroupStep>) {
        let current = self.current.clone();
        let reel = self.of(stream);
        let mut owner = reel.mark.take().or_else(|| current.clone());
        loop {
            let bytes = match reel.uncut.next() {
                Some(OutputToken::Mark(name)) => {
                    owner = Some(name);
                    continue;
                }
                Some(OutputToken::Bytes(bytes)) => bytes,
                None => reel.uncut.rest(),
            };
            if bytes.is_empty() {
                return;
            }
            if owner == current {
                let test = current.clone();
                steps.push(GroupStep::Wrote {
                    test,
                    stream,
                    bytes,
                });
            }
        }
    }
}

impl OutputDivider for MarkerDivider {
    fn wrote(&mut self, stream: OutputStream, bytes: &[u8]) -> Vec<GroupStep> {
        let mut steps = Vec::new();
        self.of(stream).uncut.push(bytes);
        loop {
            for stream in [OutputStream::Stdout, OutputStream::Stderr] {
                self.read_to_mark(stream, &mut steps);
            }
            // A stream without a marker may still contain output of this test.
            if self.stdout.mark.is_none() || self.stderr.mark.is_none() {
                return steps;
            }
            self.stdout.mark = None;
            if let Some(name) = self.stderr.mark.take() {
                self.go_on(name, &mut steps);
            }
        }
    }

    fn ended(&mut self, _: Option<ExitStatus>) -> GroupEnd {
        let mut steps = Vec::new();
        for stream in [OutputStream::Stdout, OutputStream::Stderr] {
            self.read_rest(stream, &mut steps);
        }
        GroupEnd {
            steps,
            last: self.current.take(),
            doubt: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn mark(name: &str) -> String {
        format!("\x1b_maelstrom-part {name}\x1b\\")
    }

    /// What follows from writings to standard output (`true`) and standard error, one line each.
    fn steps(writings: &[(bool, String)]) -> Vec<String> {
        let mut divider = MarkerProtocol.divider();
        let mut steps = Vec::new();
        for (is_out, text) in writings {
            let stream = match is_out {
                true => OutputStream::Stdout,
                false => OutputStream::Stderr,
            };
            steps.extend(divider.wrote(stream, text.as_bytes()));
        }
        let GroupEnd {
            steps: rest, last, ..
        } = divider.ended(Some(ExitStatus::Code(0)));
        steps.extend(rest);
        let shown = steps.into_iter().map(|step| match step {
            GroupStep::Began { test } => format!("{test} begins"),
            GroupStep::Wrote { test, bytes, .. } => {
                let text = String::from_utf8(bytes).unwrap();
                format!("{}: {text}", test.as_deref().unwrap_or("nobody"))
            }
            GroupStep::Ended { test, status, .. } => format!("{test} {status:?}"),
        });
        let last = last.map(|last| format!("{last} is last"));
        shown.chain(last).collect()
    }

    /// The writings of a session, with one stream complete before the other.
    fn session() -> [(bool, String); 2] {
        let stream = |what: &str| {
            let part = |name: &str, end: &str| format!("{}{what} {name}{end}", mark(name));
            let first = part("t1", &mark(""));
            format!("head{first}between{}", part("t2", &mark("=1")))
        };
        [
            (
                true,
                stream("out") + &mark("t3") + "out t3" + &mark("") + "summary",
            ),
            (false, stream("err") + &mark("t3") + "err t3"),
        ]
    }

    #[test]
    fn each_test_has_a_beginning_its_output_and_an_end() {
        assert_eq!(
            steps(&session()),
            [
                "nobody: head",
                "nobody: head",
                "t1 begins",
                "t1: out t1",
                "t1: err t1",
                "t1 Code(0)",
                "nobody: between",
                "nobody: between",
                "t2 begins",
                "t2: out t2",
                "t2: err t2",
                "t2 Code(1)",
                "t3 begins",
                "t3: out t3",
                "t3: err t3",
                "t3 is last",
            ]
        );
    }

    #[test]
    fn a_test_that_only_one_stream_has_reached_does_not_begin() {
        assert_eq!(steps(&[(true, mark("t1") + "x")]), [""; 0]);
        let both = [(true, mark("t1") + "x"), (false, mark("t1"))];
        assert_eq!(steps(&both), ["t1 begins", "t1: x", "t1 is last"]);
    }

    proptest! {
        /// For any output, a test that ends has begun, and begins only once at a time.
        #[test]
        fn every_end_has_a_beginning(
            writings in prop::collection::vec((any::<bool>(), prop_oneof![
                Just(mark("t1")), Just(mark("t2")), Just(mark("")), Just(mark("=1")),
                Just("text".to_owned()), Just("\x1b_maelstrom".to_owned()),
            ]), 0..30),
        ) {
            let mut running: Option<String> = None;
            for step in steps(&writings) {
                if let Some(test) = step.strip_suffix(" begins") {
                    prop_assert_eq!(running.replace(test.to_owned()), None);
                } else if let Some((test, _)) = step.split_once(" Code(") {
                    let ended = running.take();
                    prop_assert_eq!(ended.as_deref(), Some(test));
                }
            }
        }
    }
}
