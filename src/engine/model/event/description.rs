//! The description of one test, sent on request.

use serde::{Deserialize, Serialize};

use crate::ids::TestId;

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
