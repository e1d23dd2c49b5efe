//! Events of rounds, the passes over the tests.

use serde::{Deserialize, Serialize};

/// The bounds of a round, and what its end waits for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event")]
pub enum RoundEvent {
    /// A pass over tests begins: the first, a rerun, or one that a changed file caused.
    #[serde(rename = "round_started")]
    Started {
        /// 1 for the first.
        round: u32,
        cause: RoundCause,
    },
    /// Tests wait to be run again when the present round is over.
    #[serde(rename = "rerun_queued")]
    RerunQueued { tests: u32 },
    /// The pass is over.
    #[serde(rename = "round_finished")]
    Finished {
        /// The round that `Started` named.
        round: u32,
        summary: RoundSummary,
    },
}

impl RoundEvent {
    /// The names of the events in recordings.
    pub(super) const NAMES: &[&str] = &["round_started", "rerun_queued", "round_finished"];
}

/// Why a round was started.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RoundCause {
    /// The program was started.
    Start,
    /// The user asked for tests to be run again.
    Rerun,
    Watch,
}

/// The counts of a round. A test that ran several times in it counts once, by its worst outcome.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RoundSummary {
    pub passed: u32,
    pub failed: u32,
    pub timed_out: u32,
    /// Could not be run.
    pub errors: u32,
    pub ignored: u32,
    pub cancelled: u32,
    /// Never started because the round ended before.
    pub not_run: u32,
    /// Of the passed: taken over from an earlier run.
    pub cached: u32,
    /// Of the failed: passed in another attempt of this round.
    pub flaky: u32,
    /// From the round's start to its end, microseconds, without the time the program was suspended.
    pub duration_us: u64,
}
