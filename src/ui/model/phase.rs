//! The phases of a run and of its build, rounds, and subtests.

use maelstrom_model::event::{RoundCause, RoundSummary, TestOutcome};
use maelstrom_model::ids::Attempt;

/// The phase of the run as a whole.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RunPhase {
    /// The run has not started yet.
    #[default]
    Starting,
    /// Tests are being built, discovered or run.
    Running,
    /// Running tests are being stopped.
    Cancelling {
        since_us: u64,
        /// The time from `since_us` until the remaining tests are killed.
        grace_us: u64,
    },
    /// The round has ended; another may follow.
    RoundOver,
    /// The run has ended.
    Finished {
        /// The exit code of the program.
        exit_code: u8,
    },
}

/// The phase of the build.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum BuildPhase {
    /// No build has started.
    #[default]
    None,
    Going {
        done: u32,
        /// The total number of units, if known.
        total: Option<u32>,
        /// The most recently built unit.
        current: String,
    },
    Succeeded,
    Failed,
}

/// One pass over the tests.
#[derive(Clone, Debug, PartialEq)]
pub struct TestRound {
    /// The number of the round, from 1.
    pub number: u32,
    /// Why the round was started.
    pub cause: RoundCause,
    pub started_us: u64,
    /// The counts of the round, once it has ended.
    pub summary: Option<RoundSummary>,
}

/// The result of one subtest, in one attempt of its test.
#[derive(Clone, Debug, PartialEq)]
pub struct SubtestResult {
    /// The attempt that reported the subtest.
    pub attempt: Attempt,
    pub name: String,
    pub outcome: TestOutcome,
    pub duration_us: u64,
}
