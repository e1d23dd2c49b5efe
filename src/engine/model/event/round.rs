//! Events of rounds, the passes over the tests.

use serde::{Deserialize, Serialize};

/// An event of a round.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event")]
pub enum RoundEvent {
    /// A round begins: the first, a rerun, or one that a changed file caused.
    #[serde(rename = "round_started")]
    Started {
        /// The number of the round, from 1.
        round: u32,
        cause: RoundCause,
    },
    /// Tests are queued to run again after the current round.
    #[serde(rename = "rerun_queued")]
    RerunQueued { tests: u32 },
    /// The pass is over.
    #[serde(rename = "round_finished")]
    Finished {
        /// The number in the round's `Started`.
        round: u32,
        summary: RoundSummary,
    },
}

impl RoundEvent {
    /// The names of these events in recordings.
    pub(super) const NAMES: &[&str] = &["round_started", "rerun_queued", "round_finished"];
}

/// The reason why a round was started.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RoundCause {
    /// The start of the program.
    Start,
    /// A request by the user to run tests again.
    Rerun,
    Watch,
}

/// The counts of a round. A test that ran several times in it counts once, by its worst outcome;
/// an attempt that was retried does not count.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RoundSummary {
    pub passed: u32,
    pub failed: u32,
    pub timed_out: u32,
    /// Tests that could not be run.
    pub errors: u32,
    pub ignored: u32,
    pub cancelled: u32,
    /// Tests that were not started before the round ended.
    pub not_run: u32,
    /// Passed tests whose result was reused from an earlier run.
    pub cached: u32,
    /// Failed tests that passed in another attempt of this round.
    pub flaky: u32,
    /// Passed tests that failed in an attempt before the last.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub flaky_passed: u32,
    /// The duration of the round in microseconds, without the time the program was suspended.
    pub duration_us: u64,
}

fn is_zero(count: &u32) -> bool {
    *count == 0
}
