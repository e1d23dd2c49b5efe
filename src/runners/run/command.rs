//! Programs with arguments, and the job that a command line defines.

use std::ffi::OsString;
use std::time::Duration;

use maelstrom_spec::ContainerDefinition;

/// A program and its arguments.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JobCommand {
    /// The program.
    pub program: OsString,
    /// Its arguments.
    pub arguments: Vec<OsString>,
}

/// A job named on the command line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamedJob {
    /// The program.
    pub command: JobCommand,
    /// What it runs in.
    pub container: ContainerDefinition,
    /// How long it may run; as long as it likes if `None`.
    pub timeout: Option<Duration>,
}

impl JobCommand {
    /// The best shell that a container has.
    pub(super) fn shell() -> JobCommand {
        JobCommand {
            program: "sh".into(),
            arguments: ["-c", "exec $(command -v bash || echo sh)"]
                .map(OsString::from)
                .to_vec(),
        }
    }
}
