//! The phases of the run, its build and its rounds.

use maelstrom_model::event::{RoundCause, RoundSummary, TestOutcome};
use maelstrom_model::ids::Attempt;

/// Where the run as a whole stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RunPhase {
    /// Nothing was built or found yet.
    #[default]
    Starting,
    /// Tests are built, found or run.
    Running,
    /// Tests are being stopped.
    Cancelling {
        since_us: u64,
        /// After this long they are killed.
        grace_us: u64,
    },
    /// The round is over; another may follow.
    RoundOver,
    /// The run is over.
    Finished {
        /// The program's exit code.
        exit_code: u8,
    },
}

/// The project's build.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum BuildPhase {
    /// It has not begun.
    #[default]
    None,
    Going {
        done: u32,
        /// Units in all, if known.
        total: Option<u32>,
        /// The unit built last.
        current: String,
    },
    Succeeded,
    Failed,
}

/// A pass over tests.
#[derive(Clone, Debug, PartialEq)]
pub struct TestRound {
    /// 1 for the first.
    pub number: u32,
    /// Why it was started.
    pub cause: RoundCause,
    pub started_us: u64,
    /// Its counts, when it is over.
    pub summary: Option<RoundSummary>,
}

/// A part of a test.
#[derive(Clone, Debug, PartialEq)]
pub struct SubtestResult {
    /// The attempt it belongs to.
    pub attempt: Attempt,
    pub name: String,
    pub outcome: TestOutcome,
    /// How long it took.
    pub duration_us: u64,
}
