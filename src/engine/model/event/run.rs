//! Events of the run as a whole.

use serde::{Deserialize, Serialize};

use crate::ids::RunId;

/// What happens to the run as a whole.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum RunEvent {
    /// The run began. Always the first event.
    #[serde(rename = "run_started")]
    Started(RunStarted),
    /// No test is started until `Resumed`; running ones go on.
    Paused,
    Resumed,
    /// The run is being cancelled: running tests got SIGTERM.
    Cancelling {
        /// After this long they are killed.
        grace_us: u64,
    },
    /// The answer to [`UiCommand::Suspend`](super::UiCommand::Suspend): running tests stand still,
    /// and so do their clocks.
    Suspended,
    /// The answer to [`UiCommand::Continue`](super::UiCommand::Continue): running tests go on.
    Continued {
        /// How long they stood still, microseconds. It counts for no test's time.
        suspended_us: u64,
    },
    /// The run is over. Always the last event.
    #[serde(rename = "run_finished")]
    Finished {
        /// The program's exit code.
        exit_code: u8,
    },
}

impl RunEvent {
    /// The names of the events in recordings.
    pub(super) const NAMES: &[&str] = &[
        "run_started",
        "paused",
        "resumed",
        "cancelling",
        "suspended",
        "continued",
        "run_finished",
    ];
}

/// What is known when a run begins.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunStarted {
    /// [`SCHEMA_VERSION`](super::SCHEMA_VERSION) of the writer.
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
