//! How many namespaces a job can make within its container.
//!
//! Tests of sandboxes make user, mount, PID, network, IPC, UTS and time namespaces of their own, and
//! the kernel owns each one's limit to a user namespace: what is set in the slot's holds for all
//! below it, and only a process with CAP_SYS_RESOURCE over the slot's can raise it, which no job
//! has.

use std::fs::File;
use std::io;
use std::io::Write;
use std::os::fd::OwnedFd;

use nix::errno::Errno;
use nix::fcntl::{OFlag, openat};
use nix::sys::stat::Mode;

/// The most namespaces of one kind in a container, those of its own included. A browser has one of
/// some kinds for each of its processes, a test of a container engine a handful; a network
/// namespace takes some 200 kB of the machine's memory that no limit of a job's covers.
pub const NESTED_MAX: u32 = 256;

/// The kinds, as `/proc/sys/user` calls them.
const KINDS: [&str; 7] = ["ipc", "mnt", "net", "pid", "time", "user", "uts"];

/// Limits nested namespaces in the calling process's user namespace. `proc` is a `/proc` of the host's
/// or the container's, not read-only.
pub fn limit_nesting(proc: &OwnedFd) -> nix::Result<()> {
    let flags = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
    let limits = openat(proc, "sys/user", flags, Mode::empty())?;
    for kind in KINDS {
        let name = format!("max_{kind}_namespaces");
        let flags = OFlag::O_WRONLY | OFlag::O_CLOEXEC;
        match openat(&limits, name.as_str(), flags, Mode::empty()) {
            Ok(file) => write(File::from(file), NESTED_MAX)?,
            // A kernel that has no such namespaces.
            Err(Errno::ENOENT) => {}
            Err(errno) => return Err(errno),
        }
    }
    Ok(())
}

/// Forbids cgroup namespaces in and below the calling process's user namespace. Whoever owns one can
/// mount the tree of control groups that it begins with, which is that of the program's caller: to
/// move, freeze and kill everything in it where it belongs to the caller.
pub fn forbid_control_groups() -> nix::Result<()> {
    let file = File::options()
        .write(true)
        .open("/proc/sys/user/max_cgroup_namespaces");
    write(file.map_err(errno_of)?, 0)
}

fn write(mut file: File, limit: u32) -> nix::Result<()> {
    // In one call, as the kernel wants it.
    file.write_all(limit.to_string().as_bytes())
        .map_err(errno_of)
}

fn errno_of(error: io::Error) -> Errno {
    Errno::from_raw(error.raw_os_error().unwrap_or(libc::EIO))
}
