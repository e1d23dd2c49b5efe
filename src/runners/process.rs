//! Child processes for build tools, which never outlive their owner.

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
