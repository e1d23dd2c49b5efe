//! How the runner and its helpers find one another: environment variables, arguments and messages.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// The environment variable with the directory in which the programs are kept. It also says that
/// this process is a helper.
pub(super) const DIRECTORY: &str = "MAELSTROM_DOCTESTS";

/// The environment variable with the path of the real rustdoc.
pub(super) const RUSTDOC: &str = "MAELSTROM_DOCTESTS_RUSTDOC";

/// The environment variable with the arguments for rustdoc's test harness, as a JSON array.
pub(super) const TEST_ARGUMENTS: &str = "MAELSTROM_DOCTESTS_ARGUMENTS";

/// The environment variable with the command that starts programs of the target platform, as a JSON
/// array.
pub(super) const RUNNER: &str = "MAELSTROM_DOCTESTS_RUNNER";

/// The environment variable with the [`ReusePlaces`] as JSON.
pub(super) const REUSE: &str = "MAELSTROM_DOCTESTS_REUSE";

/// The `reason` of the message with the file of a library's doctests.
pub(super) const REASON: &str = "maelstrom-doctests";

/// The first argument of the run tool.
pub(super) const RUN_TOOL: &str = "maelstrom-doctest";

/// Where doctests are kept for later runs, and what decides whether they can be used again.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct ReusePlaces {
    /// The directory of what is kept.
    pub kept: PathBuf,
    /// The directories of sources.
    pub sources: Vec<PathBuf>,
    /// The directories of build outputs, which may be among the sources.
    pub built: Vec<PathBuf>,
}

/// Parses the message with the file of a library's doctests.
pub(in crate::cargo) fn read_message(line: &[u8]) -> Option<PathBuf> {
    let message: DoctestMessage = serde_json::from_slice(line).ok()?;
    (message.reason == REASON).then_some(message.file)
}

/// The message of a wrapper that has compiled the doctests of a library.
#[derive(Serialize, Deserialize)]
pub(super) struct DoctestMessage {
    pub reason: String,
    pub file: PathBuf,
}
