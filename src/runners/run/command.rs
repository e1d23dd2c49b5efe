//! The types for a program with its arguments, and for a job on the command line.

use std::ffi::OsString;
use std::time::Duration;

use maelstrom_model::policy::DeviceNeed;
use maelstrom_spec::ContainerDefinition;

/// A program and its arguments.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JobCommand {
    pub program: OsString,
    pub arguments: Vec<OsString>,
}

/// A job that the command line defines.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamedJob {
    /// The program to run and its arguments.
    pub command: JobCommand,
    /// The container in which it runs.
    pub container: ContainerDefinition,
    /// The time limit, or `None` for no limit.
    pub timeout: Option<Duration>,
    /// The devices of the machine that it has, sorted.
    pub devices: Vec<DeviceNeed>,
}

impl JobCommand {
    /// Returns a command that starts the best shell that a container has: `bash` if it exists, or
    /// else `sh`.
    pub(super) fn shell() -> JobCommand {
        JobCommand {
            program: "sh".into(),
            arguments: ["-c", "exec $(command -v bash || echo sh)"]
                .map(OsString::from)
                .to_vec(),
        }
    }
}
