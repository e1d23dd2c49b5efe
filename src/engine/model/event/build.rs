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
    /// Output of the build about one unit, whole lines. A framework emits it in place of `Output` if
    /// a stream on standard output names the units.
    #[serde(rename = "build_unit_output")]
    UnitOutput {
        /// The unit's name as the build tool writes it, such as `example.com/p [example.com/p.test]`.
        unit: String,
        text: OutputText,
    },
    /// All tests of a package are known, or why it has none. Comes after their
    /// [`Discovered`](super::TestEvent::Discovered). Only Go's packages have this event.
    #[serde(rename = "build_package")]
    Package {
        /// The package, as in [`TestInfo`](super::TestInfo).
        package: String,
        state: PackageState,
    },
    #[serde(rename = "build_finished")]
    Finished {
        /// Whether everything was built.
        succeeded: bool,
    },
}

/// What is known of a package after its build.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum PackageState {
    /// It has no files with tests.
    WithoutTestFiles,
    /// Its tests were listed.
    Listed {
        /// The number of tests that run or are reported as ignored.
        selected: u32,
    },
    /// Its tests could not be listed. An entry in place of them reports the error.
    NotListed,
    /// Its tests could not be built. An entry in place of them reports the error.
    NotBuilt {
        /// The build tool's reason in a few words, such as `build failed`.
        reason: String,
        /// The unit that failed, as in [`BuildEvent::UnitOutput`], if known.
        unit: Option<String>,
    },
}

impl BuildEvent {
    /// The names of these events in recordings.
    pub(super) const NAMES: &[&str] = &[
        "build_started",
        "build_output",
        "build_progress",
        "build_unit_output",
        "build_package",
        "build_finished",
    ];
}
