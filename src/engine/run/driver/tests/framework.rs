//! A framework that follows a script.

use std::cell::{Cell, RefCell};
use std::path::PathBuf;
use std::rc::Rc;
use std::time::Duration;

use super::backend::Trace;
use maelstrom_model::error::ProgramError;
use maelstrom_model::event::{
    EventKind, ExitStatus, NoticeSeverity, OutputStream, SourceLocation, TestOutcome, UserNotice,
};
use maelstrom_model::framework::{
    BrokenEntry, CapturedOutput, DiscoverySummary, Framework, FrameworkHost, FrameworkVerdict,
    OutputAnalysis, OutputParser, ParsedOutput, SubtestReport,
};
use maelstrom_model::job::{TestCase, TestKey};
use maelstrom_model::testing;

/// A step of the scripted framework.
#[derive(Clone)]
pub(crate) enum Act {
    Find(&'static [(&'static str, &'static str)]),
    List,
    ListForEver,
    Break,
    Say(&'static str),
    Fail,
    Deselect(u32),
    FailInPart(u8),
}

pub(crate) struct ScriptedFramework {
    pub acts: Vec<Act>,
    pub listed: RefCell<Vec<CapturedOutput>>,
    pub trace: Trace,
    pub state_directory: Option<PathBuf>,
    pub deselected: Cell<u32>,
    pub failure: Cell<Option<u8>>,
}

#[derive(Debug, miette::Diagnostic, thiserror::Error)]
#[error("could not compile `p`")]
pub(crate) struct BuildFailed;

impl ProgramError for BuildFailed {
    fn exit_code(&self) -> u8 {
        77
    }
}

struct LogDrop(Trace);

impl Drop for LogDrop {
    fn drop(&mut self) {
        self.0.borrow_mut().push("discovery is over".into());
    }
}

impl Framework for ScriptedFramework {
    type Error = BuildFailed;

    async fn discover<H: FrameworkHost>(&self, host: &H) -> Result<DiscoverySummary, BuildFailed> {
        let _log = LogDrop(Rc::clone(&self.trace));
        if let Some(directory) = &self.state_directory {
            host.state_directory(directory.clone());
        }
        for act in self.acts.clone() {
            match act {
                Act::Find(tests) => host.found(
                    tests
                        .iter()
                        .map(|(name, program)| TestCase {
                            key: key(name),
                            title: format!("p {name}"),
                            ignored: None,
                            job: testing::job_of(program, &[]),
                            policy: Default::default(),
                            known: None,
                        })
                        .collect(),
                ),
                Act::List => {
                    let captured = host.run(testing::job_of("list", &[])).await;
                    self.listed.borrow_mut().push(captured);
                }
                Act::ListForEver => {
                    host.run(testing::job_of("hang", &[])).await;
                }
                Act::Break => host.broken(BrokenEntry {
                    key: key(""),
                    title: "p broken".into(),
                    message: "no such file".into(),
                    stdout: Vec::new(),
                    stderr: b"loader: oh".to_vec(),
                    location: None,
                }),
                Act::Say(text) => host.emit(EventKind::Notice(UserNotice {
                    severity: NoticeSeverity::Info,
                    text: text.into(),
                    help: None,
                    in_summary: false,
                })),
                Act::Fail => return Err(BuildFailed),
                Act::Deselect(count) => self.deselected.set(count),
                Act::FailInPart(code) => self.failure.set(Some(code)),
            }
        }
        Ok(DiscoverySummary {
            deselected: self.deselected.get(),
            failure: self.failure.get(),
        })
    }

    fn follow(&self, test: &TestKey) -> Option<Box<dyn OutputParser>> {
        match test.name.as_str() {
            "followed" => Some(Box::<Excited>::default()),
            "logged" => Some(Box::new(LoggedEnd(Rc::clone(&self.trace)))),
            _ => None,
        }
    }

    fn failure_location(&self, stdout: &[u8], stderr: &[u8]) -> Option<SourceLocation> {
        assert_eq!(stdout, b"");
        (stderr == b"panicked at src/a.rs:7:5:\n").then(|| SourceLocation {
            path: "src/a.rs".into(),
            line: 7,
            column: Some(5),
        })
    }
}

/// Passes on one exclamation mark for each piece of output, the last one at the end.
#[derive(Default)]
struct Excited {
    held: bool,
}

impl OutputParser for Excited {
    fn wrote(&mut self, _: OutputStream, _: Vec<u8>) -> Vec<u8> {
        match std::mem::replace(&mut self.held, true) {
            true => b"!".to_vec(),
            false => Vec::new(),
        }
    }

    fn ended(&mut self, status: Option<ExitStatus>) -> ParsedOutput {
        assert_eq!(status, Some(ExitStatus::Code(101)));
        ParsedOutput {
            held: Some((OutputStream::Stdout, b"!".to_vec())),
            reading: OutputAnalysis {
                judgement: FrameworkVerdict::Ignored { reason: None },
                location: None,
                parts: vec![SubtestReport {
                    name: "half".into(),
                    outcome: TestOutcome::Passed,
                    duration: Duration::from_micros(3),
                }],
            },
        }
    }
}

/// Adds the end of the test to the trace.
struct LoggedEnd(Trace);

impl OutputParser for LoggedEnd {
    fn wrote(&mut self, _: OutputStream, bytes: Vec<u8>) -> Vec<u8> {
        bytes
    }

    fn ended(&mut self, status: Option<ExitStatus>) -> ParsedOutput {
        self.0.borrow_mut().push(format!("ended with {status:?}"));
        ParsedOutput::default()
    }
}

fn key(name: &str) -> TestKey {
    TestKey {
        package: "p".into(),
        artifact: "p(library)".into(),
        name: name.into(),
    }
}
