//! Events of the files that are watched between and during rounds.

use serde::{Deserialize, Serialize};

/// An event of the watch on the project's files.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum WatchEvent {
    /// Watched files changed. A round begins: at once, or after the current round, which is cut
    /// short.
    FilesChanged {
        /// Some of the files, without duplicates: absolute, or relative to the directory of the
        /// run.
        paths: Vec<String>,
        /// How many more files changed.
        more: u32,
    },
    /// The run waits for a change of a watched file or for a command.
    AwaitingChange {
        /// The number of watched directories.
        directories: u32,
    },
}

impl WatchEvent {
    /// The names of these events in recordings.
    pub(super) const NAMES: &[&str] = &["files_changed", "awaiting_change"];
}
