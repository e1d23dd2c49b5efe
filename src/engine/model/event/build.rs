//! Events of the project's build.

use serde::{Deserialize, Serialize};

use super::text::OutputText;

/// An event of the project's build.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event")]
pub enum BuildEvent {
    #[serde(rename = "build_started")]
    Started {
        /// The command line, word by word.
        command: Vec<String>,
    },
    /// Output of the build in whole lines, possibly with ANSI colors.
    #[serde(rename = "build_output")]
    Output { text: OutputText },
    /// The progress of the build.
    #[serde(rename = "build_progress")]
    Progress {
        /// Units (crates, packages) finished so far, including those that were up to date.
        done: u32,
        /// The total number of units, if the build tool reports it.
        total: Option<u32>,
        /// The unit finished last.
        current: String,
    },
    #[serde(rename = "build_finished")]
    Finished {
        /// Whether everything was built.
        succeeded: bool,
    },
}

impl BuildEvent {
    /// The names of these events in recordings.
    pub(super) const NAMES: &[&str] = &[
        "build_started",
        "build_output",
        "build_progress",
        "build_finished",
    ];
}
