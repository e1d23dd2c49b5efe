//! Events about the set of tests, and details of single tests.

use serde::{Deserialize, Serialize};

use crate::ids::TestId;

/// An event about the set of tests.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum TestEvent {
    Discovered {
        /// The tests in the order in which they were found. New tests get the next ids.
        tests: Vec<TestInfo>,
    },
    /// No more tests will be found in this round.
    DiscoveryFinished {
        /// The number of tests that run or are reported as ignored.
        selected: u32,
        /// The number of tests that filters excluded.
        deselected: u32,
    },
    /// Tests of an earlier round no longer exist. Their ids are not reused.
    Vanished { tests: Vec<TestId> },
    /// The response to [`UiCommand::Describe`](super::UiCommand::Describe).
    Described(Box<TestDescription>),
}

impl TestEvent {
    /// The names of these events in recordings.
    pub(super) const NAMES: &[&str] =
        &["discovered", "discovery_finished", "vanished", "described"];
}

/// A test as discovery found it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TestInfo {
    pub test: TestId,
    /// The package, module or project of the test: the first level of the tree. Empty for an entry
    /// that is not a test, but a location in the source that does not compile.
    pub package: String,
    /// The binary or file of the test: the second level. Empty if it would repeat the package.
    pub artifact: String,
    /// The test's own name; `::` (or the framework's own separator) separates further levels.
    pub name: String,
    /// The full name on one line, unique in the run, as reports print it.
    pub title: String,
    /// The expected duration in microseconds, from earlier runs.
    pub expected_us: Option<u64>,
    /// The outcome of the previous run.
    pub history: PreviousOutcome,
    /// Whether the test is only reported as ignored.
    pub ignored: bool,
}

/// A test's outcome in the last run that included it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PreviousOutcome {
    #[default]
    New,
    Success,
    Failure,
}

/// The details of a test that a detail view shows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TestDescription {
    pub test: TestId,
    pub command: Vec<String>,
    /// The working directory in the container.
    pub directory: String,
    /// The mounts, one per entry.
    pub mounts: Vec<String>,
    /// The network mode, in one word.
    pub network: String,
    /// The timeout, in microseconds.
    pub timeout_us: Option<u64>,
    /// The command that opens a shell in this test's container, word by word; `None` if there is no
    /// such program.
    pub shell: Option<Vec<String>>,
}
