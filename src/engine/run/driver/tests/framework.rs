//! A framework that acts by a script.

use std::cell::{Cell, RefCell};
use std::path::PathBuf;
use std::rc::Rc;

use super::backend::Trace;
use crate::engine::event::{EventKind, Notice, Severity, SourceLocation};
use crate::engine::framework::{
    BrokenEntry, Captured, DiscoveryError, DiscoverySummary, Framework, Host,
};
use crate::engine::job::{TestCase, TestKey};
use crate::engine::testing;

/// What the framework does, in order.
#[derive(Clone)]
pub enum Act {
    Find(&'static [(&'static str, &'static str)]),
    List,
    ListForEver,
    Break,
    Say(&'static str),
    Fail,
    Deselect(u32),
}

pub struct ScriptedFramework {
    pub acts: Vec<Act>,
    pub listed: RefCell<Vec<Captured>>,
    pub trace: Trace,
    pub state_directory: Option<PathBuf>,
    pub deselected: Cell<u32>,
}

#[derive(Debug, thiserror::Error)]
#[error("could not compile `p`")]
pub struct BuildFailed;

impl DiscoveryError for BuildFailed {
    fn exit_code(&self) -> u8 {
        77
    }

    fn help(&self) -> Option<String> {
        None
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

    async fn discover<H: Host>(&self, host: &H) -> Result<DiscoverySummary, BuildFailed> {
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
                }),
                Act::Say(text) => host.emit(EventKind::Notice(Notice {
                    severity: Severity::Info,
                    text: text.into(),
                    help: None,
                    in_summary: false,
                })),
                Act::Fail => return Err(BuildFailed),
                Act::Deselect(count) => self.deselected.set(count),
            }
        }
        Ok(DiscoverySummary {
            deselected: self.deselected.get(),
        })
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

fn key(name: &str) -> TestKey {
    TestKey {
        package: "p".into(),
        artifact: "p(library)".into(),
        name: name.into(),
    }
}
