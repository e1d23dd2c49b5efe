//! Events of the files that are watched between and during rounds.

use serde::{Deserialize, Serialize};

/// What the watch on the project's files brings about.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum WatchEvent {
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
}

impl WatchEvent {
    /// The names of the events in recordings.
    pub(super) const NAMES: &[&str] = &["files_changed", "awaiting_change"];
}
