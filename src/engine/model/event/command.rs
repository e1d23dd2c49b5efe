//! The commands that a user interface may send to a run.

use serde::{Deserialize, Serialize};

use crate::ids::TestId;

/// What a user interface may ask of a run. The answer is always an event.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "command")]
pub enum UiCommand {
    /// Run these tests again: at once when the round is over, else after it.
    Rerun {
        tests: Vec<TestId>,
    },
    /// Stop one test; its outcome is `Cancelled`.
    CancelTest {
        test: TestId,
    },
    /// Stop the run: SIGTERM to running tests, SIGKILL after the grace period.
    Cancel,
    /// Kill what still runs, at once.
    Kill,
    /// Start no further tests.
    Pause,
    Resume,
    /// Stop the running tests' processes and clocks (the program itself is being suspended).
    Suspend,
    /// Let them go on.
    Continue,
    /// Say what a detail screen needs to know.
    Describe {
        test: TestId,
    },
    /// The interface closes: end the program when the present round is over.
    Leave,
}
