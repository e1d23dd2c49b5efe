//! Events of the run as a whole.

use serde::{Deserialize, Serialize};

use crate::ids::RunId;

/// An event of the run as a whole.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum RunEvent {
    /// The run began. Always the first event.
    #[serde(rename = "run_started")]
    Started(RunStarted),
    /// No test is started until `Resumed`; running tests continue.
    Paused,
    Resumed,
    /// The run is being cancelled: running tests got SIGTERM.
    Cancelling {
        /// Microseconds after which the tests are killed.
        grace_us: u64,
    },
    /// The response to [`UiCommand::Suspend`](super::UiCommand::Suspend): running tests and their
    /// timers are stopped.
    Suspended,
    /// The response to [`UiCommand::Continue`](super::UiCommand::Continue): running tests continue.
    Continued {
        /// How long the tests were stopped, in microseconds. It counts toward no test's duration.
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
    /// The names of these events in recordings.
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

/// The properties of a run that are known at its start.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunStarted {
    /// The writer's [`SCHEMA_VERSION`](super::SCHEMA_VERSION).
    pub schema: u32,
    pub run: RunId,
    /// The name of the program, such as `cargo-maelstrom`.
    pub program: String,
    pub version: String,
    /// The command line, word by word. Running it again repeats the run.
    pub command: Vec<String>,
    /// The working directory of the program.
    pub directory: String,
    /// The time of the start, in milliseconds since 1970.
    pub started_unix_ms: u64,
    /// Where tests are executed.
    pub backend: BackendInfo,
    /// How tests are isolated from each other.
    pub isolation: IsolationMode,
}

/// Where tests are executed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum BackendInfo {
    Local,
    Broker { address: String },
}

/// How tests are isolated from each other.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum IsolationMode {
    /// Each test has its own container.
    #[default]
    Container,
    /// Each test is a plain process, by the user's explicit choice. Dashboard and summary show it.
    Process,
}
