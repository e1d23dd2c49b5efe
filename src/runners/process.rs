//! Build tools as child processes, which never outlive their owner.

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use tokio::process::Child;

/// A process group, killed when it is dropped while its leader has not been waited for.
#[derive(Debug)]
pub struct ProcessGroup {
    /// Its leader, started as such.
    pub leader: Child,
}

impl Drop for ProcessGroup {
    fn drop(&mut self) {
        // The id is there until the leader was waited for, so it can't be somebody else's yet.
        let Some(id) = self.leader.id().and_then(|id| i32::try_from(id).ok()) else {
            return;
        };
        // The group is gone already if its last member died just now, which is as good.
        let _ = killpg(Pid::from_raw(id), Signal::SIGKILL);
    }
}
