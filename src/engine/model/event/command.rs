//! The commands that a user interface may send to a run.

use serde::{Deserialize, Serialize};

use crate::ids::TestId;

/// A command of a user interface. The response is always an event.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "command")]
pub enum UiCommand {
    /// Run these tests again: at once if no round is running, else after the current round.
    Rerun {
        tests: Vec<TestId>,
    },
    /// Stop one test; its outcome is `Cancelled`.
    CancelTest {
        test: TestId,
    },
    /// Stop the run: SIGTERM to running tests, SIGKILL after the grace period.
    Cancel,
    /// Kill the running tests at once.
    Kill,
    /// Start no further tests.
    Pause,
    Resume,
    /// Stop the running tests' processes and timers, because the program itself is being suspended.
    Suspend,
    /// Continue the suspended tests.
    Continue,
    /// Send the details of a test that a detail view shows.
    Describe {
        test: TestId,
    },
    /// The user interface closes: end the program after the current round.
    Leave,
}
