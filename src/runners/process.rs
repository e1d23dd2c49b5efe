//! Child processes for build tools, which never outlive their owner, and the exit codes for those
//! that fail.

use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;

use maelstrom_model::{exit_code, job};
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use tokio::process::Child;

/// A process group that is killed on drop, unless its leader has been waited for.
#[derive(Debug)]
pub struct ProcessGroup {
    /// The leader of the process group.
    pub leader: Child,
}

impl Drop for ProcessGroup {
    fn drop(&mut self) {
        // The id is available until the leader has been waited for, so it cannot have been reused.
        let Some(id) = self.leader.id().and_then(|id| i32::try_from(id).ok()) else {
            return;
        };
        // An error means that the last member of the group has already exited.
        let _ = killpg(Pid::from_raw(id), Signal::SIGKILL);
    }
}

/// Returns the exit code for a failed tool; never 0.
pub fn of_tool(status: ExitStatus) -> u8 {
    let code = match (status.code(), status.signal()) {
        (Some(code), _) => exit_code::of_tool(job::ExitStatus::Code(code)),
        (None, Some(number)) => exit_code::of_tool(job::ExitStatus::Signal {
            number,
            core_dumped: status.core_dumped(),
        }),
        (None, None) => exit_code::INFRASTRUCTURE,
    };
    // A failure must not look like a success.
    match code {
        exit_code::SUCCESS => exit_code::INFRASTRUCTURE,
        code => code,
    }
}
