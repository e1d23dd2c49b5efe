//! The setup of a container init before its first job, apart from the plan.

use std::fs::File;
use std::os::fd::OwnedFd;
use std::os::unix::fs::FileExt;

use nix::errno::Errno;
use nix::fcntl::{OFlag, open, openat};
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sys::stat::Mode;

use super::super::kernel::kernel_version;
use super::super::sys::keyring;
use super::build::StepFailed;

/// The maximum number of processes and threads of one job: far above what tests use, far below what
/// brings a machine down.
pub const PROCESSES_MAX: u64 = 8192;

/// Joins a new session keyring. Needed without the filter, because jobs would otherwise have the
/// session keyring of the user who started the program.
pub(super) fn join_session_keyring() -> Result<(), StepFailed> {
    match keyring::join_new_session() {
        // Without keyrings in the kernel, or if a sandbox around us forbids them, jobs have none.
        Ok(()) | Err(Errno::ENOSYS | Errno::EPERM) => Ok(()),
        Err(errno) => Err(StepFailed::new(
            "make a session keyring (kernel.keys.maxkeys and maxbytes limit a user's keyrings)",
            errno,
        )),
    }
}

/// Limits the process IDs. Since Linux 6.14 a PID namespace has its own limit, which also applies
/// to root, unlike limits on processes. Before, the same file sets the limit of the whole machine.
pub(super) fn limit_process_ids(proc: &OwnedFd) {
    if kernel_version() < (6, 14) {
        return;
    }
    let flags = OFlag::O_WRONLY | OFlag::O_CLOEXEC;
    if let Ok(file) = openat(proc, "sys/kernel/pid_max", flags, Mode::empty()) {
        // If this is refused, the limit on processes remains.
        let _ = File::from(file).write_all_at(PROCESSES_MAX.to_string().as_bytes(), 0);
    }
}

/// Returns the root of the IPC namespace's message queue file system, which is not mounted.
pub(super) fn open_queues() -> nix::Result<OwnedFd> {
    const POINT: &str = "/tmp";
    mount(
        Some("mqueue"),
        POINT,
        Some("mqueue"),
        MsFlags::empty(),
        None::<&str>,
    )?;
    let root = open(
        POINT,
        OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC,
        Mode::empty(),
    );
    umount2(POINT, MntFlags::MNT_DETACH)?;
    root
}
