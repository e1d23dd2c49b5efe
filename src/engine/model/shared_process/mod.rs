//! Tests that run in one process: the group that a test belongs to, and how the output of a group's
//! process is divided among its tests.
//!
//! All tests of a group have the same job. A [`GroupProtocol`] knows what the process writes when a
//! test begins and ends; [`SharedProcessBackend`], which runs groups, knows nothing of it.

mod backend;
mod run;
#[cfg(test)]
mod tests;

use std::fmt::Debug;
use std::sync::Arc;
use std::time::Duration;

use crate::event::OutputStream;
use crate::job::{ExitStatus, OutputPipes};

pub use self::backend::SharedProcessBackend;

/// The group of tests that a test belongs to, and the test's name in it.
#[derive(Clone, Debug)]
pub struct TestGroupMember {
    /// The group's name, which is unique in the run and the same in each run of the same tests.
    pub group: Arc<str>,
    /// The name by which the group's output tells the test from the others. Not empty.
    pub name: String,
    /// The test's name for messages.
    pub title: String,
    /// How the output of the group's process is divided.
    pub protocol: Arc<dyn GroupProtocol>,
}

/// What is known of a group's process before it runs.
pub trait GroupProtocol: Debug {
    /// The pipes that the process needs, so that its output can be divided.
    fn pipes(&self) -> OutputPipes;

    /// Returns a divider for one run of the process.
    fn divider(&self) -> Box<dyn OutputDivider>;
}

/// Divides the output of one run of a group's process among the group's tests.
pub trait OutputDivider: Debug {
    /// Takes new output. Returns what follows from it, and from output held back earlier.
    fn wrote(&mut self, stream: OutputStream, bytes: &[u8]) -> Vec<GroupStep>;

    /// Ends the output, with the status of the process if it ended by itself.
    fn ended(&mut self, status: Option<ExitStatus>) -> GroupEnd;
}

/// Something that happens in a group's process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum GroupStep {
    /// A test begins. Tests before it may still run.
    Began { test: String },
    /// A test wrote output, or no test did.
    Wrote {
        test: Option<String>,
        stream: OutputStream,
        bytes: Vec<u8>,
    },
    /// A test has ended.
    Ended {
        test: String,
        /// The status as if the test had had a process of its own.
        status: ExitStatus,
        /// The time that the process says it took.
        ran: Option<Duration>,
    },
}

/// How a group's process ended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GroupEnd {
    /// What follows from output that was held back.
    pub steps: Vec<GroupStep>,
    /// The test whose end is that of the process: the one that was running, or the last that ran.
    pub last: Option<String>,
    /// Why the results in the process's output cannot be believed, if so.
    pub doubt: Option<String>,
}
