//! Events of the project's build.

use serde::{Deserialize, Serialize};

use super::text::OutputText;

/// What the project's build does, from its start to its end.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event")]
pub enum BuildEvent {
    #[serde(rename = "build_started")]
    Started {
        /// The command line, word by word.
        command: Vec<String>,
    },
    /// What the build wrote, whole lines as they came, possibly with ANSI colors.
    #[serde(rename = "build_output")]
    Output { text: OutputText },
    /// How far the build has come.
    #[serde(rename = "build_progress")]
    Progress {
        /// Units (crates, packages) built so far, those that were fresh included.
        done: u32,
        /// Units in all, when the build tool tells.
        total: Option<u32>,
        /// The unit built last.
        current: String,
    },
    #[serde(rename = "build_finished")]
    Finished {
        /// Whether everything was built.
        succeeded: bool,
    },
}

impl BuildEvent {
    /// The names of the events in recordings.
    pub(super) const NAMES: &[&str] = &[
        "build_started",
        "build_output",
        "build_progress",
        "build_finished",
    ];
}
