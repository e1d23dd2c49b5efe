//! Limits on the namespaces that a job can make within its container.
//!
//! Tests of sandboxes make their own user, mount, PID, network, IPC, UTS and time namespaces. The
//! kernel keeps each limit per user namespace: the limits set in the container init's hold for all
//! below it, and only a process with CAP_SYS_RESOURCE over it can raise them, which no job has.
//!
//! The kernel destroys a namespace, and stops counting it, shortly after its last process has
//! ended. A container in which some are still counted after a job is not reused: the next job could
//! make fewer of them.

use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::FileExt;

use nix::errno::Errno;
use nix::fcntl::{OFlag, open, openat};
use nix::sched::{CloneFlags, unshare};
use nix::sys::stat::Mode;
use nix::unistd::{chroot, fchdir};

/// The maximum number of namespaces of one kind in a container, those of its own included. A
/// browser has one of some kinds for each of its processes, a test of a container engine a handful;
/// a network namespace takes some 200 kB of the machine's memory that no limit of a job's covers.
pub const NESTED_MAX: u32 = 256;

/// The kinds, as `/proc/sys/user` calls them.
const KINDS: [&str; 7] = ["ipc", "mnt", "net", "pid", "time", "user", "uts"];

/// The limit in force, and the way to see whether any namespace is counted.
pub struct NamespaceLimit {
    user_namespaces: File,
    proc: OwnedFd,
    /// The calling process's root.
    root: OwnedFd,
}

/// Limits nested namespaces in the calling process's user namespace. `proc` is a `/proc` that is
/// not read-only.
pub fn limit_nesting(proc: &OwnedFd) -> nix::Result<NamespaceLimit> {
    let flags = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
    let limits = openat(proc, "sys/user", flags, Mode::empty())?;
    let limit = |kind: &str| {
        let name = format!("max_{kind}_namespaces");
        let flags = OFlag::O_WRONLY | OFlag::O_CLOEXEC;
        let file = File::from(openat(&limits, name.as_str(), flags, Mode::empty())?);
        write(&file, NESTED_MAX)?;
        Ok(file)
    };
    for kind in KINDS {
        match limit(kind) {
            // A kernel that has no such namespaces.
            Ok(_) | Err(Errno::ENOENT) => {}
            Err(errno) => return Err(errno),
        }
    }
    Ok(NamespaceLimit {
        user_namespaces: limit("user")?,
        proc: proc.try_clone().map_err(errno_of)?,
        root: open_root()?,
    })
}

fn open_root() -> nix::Result<OwnedFd> {
    let flags = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
    open("/", flags, Mode::empty())
}

impl NamespaceLimit {
    /// To be called when the calling process has another root directory.
    pub fn enter_root(&mut self) -> nix::Result<()> {
        self.root = open_root()?;
        Ok(())
    }

    /// Whether a nested user namespace is still counted, and so perhaps one of another kind: each
    /// keeps the user namespace that it belongs to. For a process that is alone in the container.
    ///
    /// The kernel tells nobody the count, but compares it with the limit before it looks at
    /// anything else. So the calling process asks for a user namespace where the limit is one, and
    /// where it can't have one in any case: with another root directory than its mount namespace's.
    pub fn is_left(&self) -> nix::Result<bool> {
        // A failure on the way leaves this limit in place, and counts as a state that can't be
        // read: the container then serves no further job.
        write(&self.user_namespaces, 1)?;
        fchdir(&self.proc)?;
        chroot(".")?;
        let refused = unshare(CloneFlags::CLONE_NEWUSER);
        fchdir(&self.root)?;
        chroot(".")?;
        write(&self.user_namespaces, NESTED_MAX)?;
        match refused {
            Err(Errno::EPERM) => Ok(false),
            Err(Errno::ENOSPC) => Ok(true),
            Err(errno) => Err(errno),
            Ok(()) => Err(Errno::EPROTO),
        }
    }
}

/// Forbids cgroup namespaces in and below the calling process's user namespace. Whoever owns one
/// can mount the tree of control groups that it begins with, which is that of the program's caller:
/// to move, freeze and kill everything in it where it belongs to the caller.
pub fn forbid_control_groups() -> nix::Result<()> {
    let file = File::options()
        .write(true)
        .open("/proc/sys/user/max_cgroup_namespaces");
    write(&file.map_err(errno_of)?, 0)
}

fn write(file: &File, limit: u32) -> nix::Result<()> {
    // From the beginning and in one call, as the kernel wants it.
    let text = limit.to_string();
    file.write_all_at(text.as_bytes(), 0).map_err(errno_of)
}

fn errno_of(error: io::Error) -> Errno {
    Errno::from_raw(error.raw_os_error().unwrap_or(libc::EIO))
}
