//! Limits the namespaces that a job can create within its container.
//!
//! Tests of sandboxes create their own user, mount, PID, network, IPC, UTS and time namespaces. The
//! kernel keeps each limit per user namespace. The limits set in the container init's user
//! namespace apply to all below it, and only a process with CAP_SYS_RESOURCE over it can raise
//! them, which no job has.
//!
//! The kernel destroys a namespace, and stops counting it, shortly after its last process has
//! ended. A container in which some are still counted after a job is not reused, because the next
//! job could create fewer of them.

use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::FileExt;

use nix::errno::Errno;
use nix::fcntl::{OFlag, open, openat};
use nix::sched::{CloneFlags, unshare};
use nix::sys::stat::Mode;
use nix::unistd::{chroot, fchdir};

/// The maximum number of namespaces of one kind in a container, including the container's own. A
/// browser has one of some kinds for each of its processes, a test of a container engine a handful.
/// A network namespace takes about 200 kB of the machine's memory, which no limit of a job covers.
pub const NESTED_MAX: u32 = 256;

/// The kinds of namespaces, as named in `/proc/sys/user`.
const KINDS: [&str; 7] = ["ipc", "mnt", "net", "pid", "time", "user", "uts"];

/// The limit on nested namespaces, and the means to detect whether any exist.
pub struct NamespaceLimit {
    user_namespaces: File,
    proc: OwnedFd,
    /// The calling process's root directory.
    root: OwnedFd,
}

/// Limits nested namespaces in the calling process's user namespace. `proc` is a `/proc` that is
/// not mounted read-only.
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
            // The kernel does not have this kind of namespaces.
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
    /// Must be called after the calling process has changed its root directory.
    pub fn enter_root(&mut self) -> nix::Result<()> {
        self.root = open_root()?;
        Ok(())
    }

    /// Returns whether a nested user namespace is still counted. Namespaces of other kinds are
    /// covered, because each keeps a reference to its user namespace. Call it only while no other
    /// process runs in the container.
    ///
    /// The kernel does not report the count, but compares it with the limit before all other
    /// checks. So the calling process lowers the limit to one and requests a user namespace in a
    /// situation that always fails: with a root directory that differs from that of its mount
    /// namespace.
    pub fn is_left(&self) -> nix::Result<bool> {
        // An error on the way leaves the limit lowered. It counts as an unreadable state, so the
        // container is not reused.
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

/// Forbids cgroup namespaces in and below the calling process's user namespace. A cgroup namespace
/// starts at the control group of its creator, here the one in which the program was started, and
/// its owner can mount the tree below it. If that tree belongs to the program's user, the owner
/// could move, freeze and kill everything in it.
pub fn forbid_control_groups() -> nix::Result<()> {
    let file = File::options()
        .write(true)
        .open("/proc/sys/user/max_cgroup_namespaces");
    write(&file.map_err(errno_of)?, 0)
}

fn write(file: &File, limit: u32) -> nix::Result<()> {
    // From offset 0 and in one call, as the kernel requires.
    let text = limit.to_string();
    file.write_all_at(text.as_bytes(), 0).map_err(errno_of)
}

fn errno_of(error: io::Error) -> Errno {
    Errno::from_raw(error.raw_os_error().unwrap_or(libc::EIO))
}
