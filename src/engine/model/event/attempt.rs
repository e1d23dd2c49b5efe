//! Events of attempts, the single executions of tests.

use serde::{Deserialize, Serialize};

use maelstrom_container::spec::ExitStatus;

use super::text::OutputText;
use crate::ids::{Attempt, TestId, WorkerId};

/// What an attempt goes through.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum AttemptEvent {
    /// An attempt waits for a slot.
    Queued { test: TestId, attempt: Attempt },
    /// An attempt took a slot.
    Started {
        test: TestId,
        attempt: Attempt,
        worker: WorkerId,
        /// The worker's slot, from 0.
        slot: u32,
    },
    /// A running attempt wrote something.
    Output {
        test: TestId,
        attempt: Attempt,
        stream: OutputStream,
        /// The bytes as they came; may end in the middle of a line or a character.
        text: OutputText,
    },
    /// A part of a test that its framework reports by itself came to an end (a Go subtest, a phase
    /// of pytest).
    Subtest {
        test: TestId,
        attempt: Attempt,
        name: String,
        outcome: TestOutcome,
        /// How long it took.
        duration_us: u64,
    },
    /// An attempt ended. Boxed, being the largest variant.
    Finished(Box<AttemptFinished>),
}

impl AttemptEvent {
    /// The names of the events in recordings.
    pub(super) const NAMES: &[&str] = &["queued", "started", "output", "subtest", "finished"];
}

/// A stream that tests write to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OutputStream {
    Stdout,
    Stderr,
    /// Both, in the order in which they were written: they are one pipe.
    Joined,
}

/// How an attempt ended, and what it cost.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AttemptFinished {
    pub test: TestId,
    pub attempt: Attempt,
    pub outcome: TestOutcome,
    /// Whether an earlier pass was taken over instead of running it.
    pub cached: bool,
    /// Where the time went.
    pub timings: AttemptTimings,
    /// Time in user mode, microseconds.
    pub user_us: u64,
    /// Time in the kernel, microseconds.
    pub system_us: u64,
    /// The largest resident set of any one process.
    pub memory_peak_bytes: u64,
    /// Bytes written to standard output.
    pub stdout_bytes: u64,
    /// Bytes written to standard error.
    pub stderr_bytes: u64,
    /// Bytes written where the two are one. Absent in recordings of before it was so.
    #[serde(default)]
    pub joined_bytes: u64,
    /// Where in the source it failed, if its framework can tell.
    pub location: Option<SourceLocation>,
}

/// Where an attempt's time went, microseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AttemptTimings {
    /// Waiting for a slot.
    pub queued_us: u64,
    /// Making layers available and preparing the container.
    pub prepared_us: u64,
    /// From the program's start to its end.
    pub ran_us: u64,
}

/// How a test ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum TestOutcome {
    Passed,
    /// The test says that something is wrong.
    Failed {
        /// How its process ended; absent when the framework told without ending a process.
        exit: Option<ExitStatus>,
        /// What the framework says of it in one line, if anything.
        reason: Option<String>,
    },
    /// It took longer than it may.
    TimedOut {
        limit_us: u64,
    },
    /// It was not run, as its author wished.
    Ignored {
        /// Why, if the author said so.
        reason: Option<String>,
    },
    /// It was not run to its end, as the user wished.
    Cancelled,
    /// It could not be run: never the test's fault.
    Error {
        /// What went wrong, and what to do.
        message: String,
    },
}

impl TestOutcome {
    /// Whether this outcome makes the run fail.
    pub fn is_failure(&self) -> bool {
        match self {
            TestOutcome::Failed { .. }
            | TestOutcome::TimedOut { .. }
            | TestOutcome::Error { .. } => true,
            TestOutcome::Passed | TestOutcome::Ignored { .. } | TestOutcome::Cancelled => false,
        }
    }
}

/// A place in a source file.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct SourceLocation {
    /// Absolute, or relative to the directory of the run.
    pub path: String,
    pub line: u32,
    /// From 1, if known.
    pub column: Option<u32>,
}
