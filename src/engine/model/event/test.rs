//! Events of the tests that exist, and what is known of each.

use serde::{Deserialize, Serialize};

use crate::ids::TestId;

/// Which tests there are.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum TestEvent {
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
    Vanished { tests: Vec<TestId> },
    /// The answer to [`UiCommand::Describe`](super::UiCommand::Describe).
    Described(Box<TestDescription>),
}

impl TestEvent {
    /// The names of the events in recordings.
    pub(super) const NAMES: &[&str] =
        &["discovered", "discovery_finished", "vanished", "described"];
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

/// What a detail screen shows of a test beyond its events.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TestDescription {
    pub test: TestId,
    pub command: Vec<String>,
    /// The working directory in the container.
    pub directory: String,
    /// Each mount in one line.
    pub mounts: Vec<String>,
    /// The network, in a word.
    pub network: String,
    /// The time limit, microseconds.
    pub timeout_us: Option<u64>,
    /// The command that opens a shell in this test's container, word by word; `None` while there
    /// is no such program.
    pub shell: Option<Vec<String>>,
}
