//! The event stream: all that a user interface sees of a run, and the commands it may send back.
//!
//! An [`Event`] is a time and what happened. Events are self-contained values: written as one JSON
//! object per line they are a recording (`--record`), and replaying it shows the same run. Times
//! are microseconds since the run began, durations microseconds, sizes bytes.
//!
//! Every producer keeps these rules of order:
//! 1. [`EventKind::RunStarted`] is first; [`EventKind::RunFinished`] is last.
//! 2. A test's [`EventKind::Discovered`] comes before any other event about it. A round caused by a
//!    changed file discovers all tests again; those that existed before keep their ids. After a
//!    test's [`EventKind::Vanished`] there are no events about it.
//! 3. Each attempt goes through `Queued`, `Started`, any number of `Output` and `Subtest`,
//!    `Finished`. An ignored, cancelled or cached attempt may go from `Queued` (or nothing)
//!    straight to `Finished`, and a test that ignores itself at run time goes through all; what
//!    should have been tests and could not be listed goes through any number of `Output`,
//!    `Finished`. Every attempt has exactly one `Finished`.
//! 4. `RoundStarted` and `RoundFinished` bracket the attempts of one pass over the tests.

pub mod channel;
mod cluster;
mod command;
mod description;
mod summary;
mod text;
pub mod untrusted_text;

use serde::{Deserialize, Serialize};

use super::ids::{Attempt, RunId, TestId, WorkerId};

pub use self::cluster::{ClusterClient, ClusterSample, WorkerCondition};
pub use self::command::UiCommand;
pub use self::description::TestDescription;
pub use self::summary::RoundSummary;
pub use self::text::OutputText;
pub use maelstrom_container::spec::ExitStatus;

/// The version of the recorded form. It grows when a reader of the old form would misread the new.
pub const SCHEMA_VERSION: u32 = 2;

/// One thing that happened, and when.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// Microseconds since the run began; never decreases.
    pub at_us: u64,
    #[serde(flatten)]
    pub kind: EventKind,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum EventKind {
    /// The run began. Always the first event.
    RunStarted(RunStarted),
    /// A message for the person who watches.
    Notice(UserNotice),

    /// The project's build began.
    BuildStarted {
        /// The command line, word by word.
        command: Vec<String>,
    },
    /// What the build wrote, whole lines as they came, possibly with ANSI colors.
    BuildOutput {
        text: OutputText,
    },
    /// How far the build has come.
    BuildProgress {
        /// Units (crates, packages) built so far, those that were fresh included.
        done: u32,
        /// Units in all, when the build tool tells.
        total: Option<u32>,
        /// The unit built last.
        current: String,
    },
    BuildFinished {
        /// Whether everything was built.
        succeeded: bool,
    },

    Discovered {
        /// In the order in which they were found. New tests have the ids that come next.
        tests: Vec<TestInfo>,
    },
    /// No more tests will be found in this round.
    DiscoveryFinished {
        /// How many tests run or are reported as ignored.
        selected: u32,
        /// How many tests filters left out.
        deselected: u32,
    },

    /// Tests of an earlier round are there no more. Their ids are not given again.
    Vanished {
        tests: Vec<TestId>,
    },
    /// Watched files changed, so a round begins: at once, or when the present one is over, which
    /// this cuts short.
    FilesChanged {
        /// Some of them, each once: absolute, or relative to the directory of the run.
        paths: Vec<String>,
        /// How many more changed.
        more: u32,
    },
    /// Nothing goes on until a watched file changes or somebody asks for something.
    AwaitingChange {
        /// How many directories are watched.
        directories: u32,
    },

    /// A pass over tests begins: the first, a rerun, or one that a changed file caused.
    RoundStarted {
        /// 1 for the first.
        round: u32,
        cause: RoundCause,
    },
    /// An attempt waits for a slot.
    Queued {
        test: TestId,
        attempt: Attempt,
    },
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
    /// The pass is over.
    RoundFinished {
        /// The round that `RoundStarted` named.
        round: u32,
        summary: RoundSummary,
    },

    /// A worker is there.
    WorkerJoined {
        /// Its id in this run.
        worker: WorkerId,
        /// Its name: a host name, or `local`.
        name: String,
        slots: u32,
        /// Its processor architecture, such as `x86_64`.
        architecture: String,
    },
    /// A worker is gone.
    WorkerLeft {
        worker: WorkerId,
        reason: String,
    },
    /// How a worker does, about once a second while something runs.
    WorkerSample {
        worker: WorkerId,
        state: WorkerCondition,
        /// Slots that run something, of this run or of others.
        busy: u32,
        /// Processor use, 1000 being all of the machine.
        cpu_permille: u32,
        memory_used_bytes: u64,
        memory_total_bytes: u64,
    },
    /// How far the copying of inputs has come; `done_bytes == total_bytes` ends it.
    Transfer {
        transfer: u32,
        /// The worker at the other end; `None` for the broker's store.
        worker: Option<WorkerId>,
        /// What is copied, for a person.
        name: String,
        done_bytes: u64,
        total_bytes: u64,
    },
    /// How the cluster does, about once a second. Absent on this machine's own backend.
    ClusterSample(ClusterSample),

    /// No test is started until `Resumed`; running ones go on.
    Paused,
    Resumed,
    /// Tests wait to be run again when the present round is over.
    RerunQueued {
        tests: u32,
    },
    /// The run is being cancelled: running tests got SIGTERM.
    Cancelling {
        /// After this long they are killed.
        grace_us: u64,
    },
    /// The answer to [`UiCommand::Suspend`]: running tests stand still, and so do their clocks.
    Suspended,
    /// The answer to [`UiCommand::Continue`]: running tests go on.
    Continued {
        /// How long they stood still, microseconds. It counts for no test's time.
        suspended_us: u64,
    },
    /// The answer to [`UiCommand::Describe`].
    Described(Box<TestDescription>),
    /// The run is over. Always the last event.
    RunFinished {
        /// The program's exit code.
        exit_code: u8,
    },
}

/// What is known when a run begins.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunStarted {
    /// [`SCHEMA_VERSION`] of the writer.
    pub schema: u32,
    pub run: RunId,
    /// The program, such as `cargo-maelstrom`.
    pub program: String,
    pub version: String,
    /// How it was called, word by word; calling it so again repeats the run.
    pub command: Vec<String>,
    /// Where it was called.
    pub directory: String,
    /// When, in milliseconds since 1970.
    pub started_unix_ms: u64,
    /// What executes the tests.
    pub backend: BackendInfo,
    /// How tests are kept apart.
    pub isolation: IsolationMode,
}

/// What executes the tests.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum BackendInfo {
    Local,
    Broker { address: String },
}

/// How tests are kept apart.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum IsolationMode {
    /// Each in its own container.
    #[default]
    Container,
    /// Each in a plain process, by the user's explicit choice. Screens and summaries repeat it.
    Process,
}

/// A message for the person who watches.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UserNotice {
    /// How much it matters.
    pub severity: NoticeSeverity,
    /// What is the case, in one line.
    pub text: String,
    /// How to fix it, if known.
    pub help: Option<String>,
    /// Whether the summary at the end repeats it.
    pub in_summary: bool,
}

/// How much a [`UserNotice`] matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NoticeSeverity {
    Info,
    /// Something may not be as expected.
    Warning,
    /// Something did not work.
    Error,
}

/// A test as discovery found it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TestInfo {
    pub test: TestId,
    /// The package, module or project it belongs to: the first level of the tree. Empty for what is
    /// no test, but a place in the source that does not compile.
    pub package: String,
    /// The binary or file it stands in: the second level. Empty when it would repeat the package.
    pub artifact: String,
    /// Its own name; `::` (or the framework's own separator) makes further levels.
    pub name: String,
    /// The whole name on one line, unique in the run, as reports print it.
    pub title: String,
    /// How long it is expected to take, from earlier runs.
    pub expected_us: Option<u64>,
    /// How it ended last time.
    pub history: PreviousOutcome,
    /// Whether it will only be reported as ignored.
    pub ignored: bool,
}

/// How a test ended in the last run that knew it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PreviousOutcome {
    #[default]
    New,
    Success,
    Failure,
}

/// Why a round was started.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RoundCause {
    /// The program was started.
    Start,
    /// The user asked for tests to be run again.
    Rerun,
    Watch,
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_one_flat_object() {
        let event = Event {
            at_us: 7,
            kind: EventKind::Queued {
                test: TestId(3),
                attempt: Attempt(1),
            },
        };
        let json = serde_json::to_string(&event).unwrap();
        assert_eq!(json, r#"{"at_us":7,"event":"queued","test":3,"attempt":1}"#);
        assert_eq!(serde_json::from_str::<Event>(&json).unwrap(), event);
    }
}
