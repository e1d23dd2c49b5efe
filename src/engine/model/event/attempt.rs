//! Events of attempts, the single executions of tests.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use maelstrom_container::message::LeakedProcesses;
use maelstrom_container::spec::ExitStatus;

use super::text::OutputText;
use crate::ids::{Attempt, TestId, WorkerId};

/// An event of an attempt.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum AttemptEvent {
    /// An attempt waits for a slot.
    Queued {
        test: TestId,
        attempt: Attempt,
        /// Set if the attempt repeats a failed one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        retry: Option<RetryStart>,
    },
    /// An attempt took a slot.
    Started {
        test: TestId,
        attempt: Attempt,
        worker: WorkerId,
        /// The worker's slot, from 0.
        slot: u32,
    },
    /// A running attempt wrote output.
    Output {
        test: TestId,
        attempt: Attempt,
        stream: OutputStream,
        /// The bytes as they were read; may end in the middle of a line or a character.
        text: OutputText,
    },
    /// A running attempt takes longer than its test's slow threshold, or than a further multiple of
    /// it.
    Slow {
        test: TestId,
        attempt: Attempt,
        /// The multiple that the attempt has reached, in microseconds.
        after_us: u64,
    },
    /// A part of a test that its framework reports separately has ended (a Go subtest, a phase of
    /// pytest).
    Subtest {
        test: TestId,
        attempt: Attempt,
        name: String,
        outcome: TestOutcome,
        /// The duration of the part, in microseconds.
        duration_us: u64,
    },
    /// An attempt ended. Boxed, because it is the largest variant.
    Finished(Box<AttemptFinished>),
}

impl AttemptEvent {
    /// The names of these events in recordings.
    pub(super) const NAMES: &[&str] =
        &["queued", "started", "output", "slow", "subtest", "finished"];
}

/// An output stream of a test.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OutputStream {
    Stdout,
    Stderr,
    /// Both streams as one pipe, in the order in which they were written.
    Joined,
}

/// An attempt that repeats a failed one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RetryStart {
    /// The number of this attempt, from 2.
    pub number: u32,
    /// The maximum number of attempts.
    pub attempts_max: u32,
    /// The time that passes before the attempt waits for a slot, in microseconds.
    pub delay_us: u64,
}

/// The place of an attempt among those of a test that is retried when it fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RetryPosition {
    /// The number of this attempt, from 1.
    pub number: u32,
    /// The maximum number of attempts.
    pub attempts_max: u32,
    /// What follows from the attempt's end.
    pub next: RetryNext,
}

/// What follows from the end of an attempt of a test that is retried when it fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RetryNext {
    /// The attempt failed, and another one follows. The test does not count yet.
    Again,
    /// The attempt is the last. If an earlier one failed, the test counts as failed.
    Done,
    /// The attempt passed after one that failed, and the test counts as passed.
    FlakyPassed,
    /// The attempt passed after one that failed, and the test counts as failed.
    FlakyFailed,
}

/// The outcome and cost of an attempt.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AttemptFinished {
    pub test: TestId,
    pub attempt: Attempt,
    pub outcome: TestOutcome,
    /// Set if the test is retried when it fails.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry: Option<RetryPosition>,
    /// The limit in microseconds at which the attempt was stopped, if that counts as a pass.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub passed_at_limit_us: Option<u64>,
    /// Whether an earlier pass was reused instead of running the test.
    pub cached: bool,
    /// The phases of the attempt.
    pub timings: AttemptTimings,
    /// CPU time in user mode, in microseconds.
    pub user_us: u64,
    /// CPU time in the kernel, in microseconds.
    pub system_us: u64,
    /// The largest resident set of any one process, in bytes.
    pub memory_peak_bytes: u64,
    /// Bytes written to standard output, if it is a pipe of its own.
    pub stdout_bytes: u64,
    /// Bytes written to standard error, if it is a pipe of its own.
    pub stderr_bytes: u64,
    /// Bytes written to the joined stream. Absent in recordings that predate joined streams.
    #[serde(default)]
    pub joined_bytes: u64,
    /// The place in the source where the test failed, if its framework reports it.
    pub location: Option<SourceLocation>,
    /// The processes that the test left running. They were killed.
    #[serde(default, skip_serializing_if = "LeakedProcesses::is_empty")]
    pub leaked: LeakedProcesses,
}

impl AttemptFinished {
    /// Returns the end of an attempt with this outcome, without times, usage or output.
    pub fn new(test: TestId, attempt: Attempt, outcome: TestOutcome) -> AttemptFinished {
        AttemptFinished {
            test,
            attempt,
            outcome,
            retry: None,
            passed_at_limit_us: None,
            cached: false,
            timings: AttemptTimings::default(),
            user_us: 0,
            system_us: 0,
            memory_peak_bytes: 0,
            stdout_bytes: 0,
            stderr_bytes: 0,
            joined_bytes: 0,
            location: None,
            leaked: LeakedProcesses::default(),
        }
    }

    /// Returns whether another attempt follows, so that the test does not count yet.
    pub fn is_retried(&self) -> bool {
        self.retry
            .is_some_and(|retry| retry.next == RetryNext::Again)
    }

    /// Returns whether the test passed after an earlier attempt of it failed.
    pub fn is_flaky(&self) -> bool {
        self.retry.is_some_and(|retry| match retry.next {
            RetryNext::FlakyPassed | RetryNext::FlakyFailed => true,
            RetryNext::Again | RetryNext::Done => false,
        })
    }

    /// Returns the outcome with which the test counts: that of this attempt, or a failure if the
    /// attempt passed and the test counts as failed because an earlier attempt did.
    pub fn counted_outcome(&self) -> Cow<'_, TestOutcome> {
        match self.retry {
            Some(RetryPosition {
                number,
                attempts_max,
                next: RetryNext::FlakyFailed,
            }) => Cow::Owned(TestOutcome::Failed {
                exit: None,
                reason: Some(format!(
                    "flaky: passed at attempt {number} of {attempts_max}, which counts as failed"
                )),
            }),
            Some(_) | None => Cow::Borrowed(&self.outcome),
        }
    }
}

/// The durations of an attempt's phases, in microseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AttemptTimings {
    /// Time spent waiting for a slot.
    pub queued_us: u64,
    /// Time spent fetching layers and preparing the container.
    pub prepared_us: u64,
    /// Time from the program's start to its end.
    pub ran_us: u64,
}

/// How a test ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum TestOutcome {
    Passed,
    /// The test reports a failure.
    Failed {
        /// The exit status of its process; absent if the framework reported the failure without
        /// one.
        exit: Option<ExitStatus>,
        /// The framework's reason in one line, if it gives one.
        reason: Option<String>,
    },
    /// The test exceeded its timeout.
    TimedOut {
        limit_us: u64,
    },
    /// The test was skipped, because its author ignores it.
    Ignored {
        /// The reason, if the author gives one.
        reason: Option<String>,
    },
    /// The user stopped the test before its end, or before its start.
    Cancelled,
    /// The test could not be run, for reasons outside of it.
    Error {
        /// What went wrong, and what to do about it.
        message: String,
    },
}

impl TestOutcome {
    /// Returns whether this outcome makes the run fail.
    pub fn is_failure(&self) -> bool {
        match self {
            TestOutcome::Failed { .. }
            | TestOutcome::TimedOut { .. }
            | TestOutcome::Error { .. } => true,
            TestOutcome::Passed | TestOutcome::Ignored { .. } | TestOutcome::Cancelled => false,
        }
    }
}

/// A location in a source file.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct SourceLocation {
    /// Absolute, or relative to the directory of the run.
    pub path: String,
    pub line: u32,
    /// The column, from 1, if known.
    pub column: Option<u32>,
}
