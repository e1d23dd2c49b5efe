//! The summary of a round.

use serde::{Deserialize, Serialize};

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
