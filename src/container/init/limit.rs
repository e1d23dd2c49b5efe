//! Sets a container's [`ContainerLimits`] in its own namespaces, and detects whether its file
//! systems are full.
//!
//! A limit that the kernel does not support, or that only root may set, is skipped: limits protect
//! others, and a container works without them.

use std::ffi::CStr;
use std::fs::File;
use std::os::fd::OwnedFd;
use std::os::unix::fs::FileExt;

use nix::fcntl::{OFlag, openat};
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::sys::stat::Mode;
use nix::sys::statfs::{Statfs, statfs};

use super::super::limits::ContainerLimits;

/// Sets the limits that are not mount options. `proc` is that of the host, through which the
/// calling process, the first of its namespaces, accesses the settings of these namespaces.
pub fn set(limits: &ContainerLimits, proc: &OwnedFd) {
    for (name, most) in &limits.settings {
        let path = format!("sys/{name}");
        let flags = OFlag::O_WRONLY | OFlag::O_CLOEXEC;
        if let Ok(file) = openat(proc, path.as_str(), flags, Mode::empty()) {
            let _ = File::from(file).write_all_at(most.to_string().as_bytes(), 0);
        }
    }
    if let Some(most) = limits.pending_signals
        && let Ok((soft, hard)) = getrlimit(Resource::RLIMIT_SIGPENDING)
    {
        let _ = setrlimit(Resource::RLIMIT_SIGPENDING, soft.min(most), hard.min(most));
    }
}

/// A file system with less free space, in bytes, is full: files are written in pieces of at most
/// this size, so a job that cannot get a page leaves less than this.
const ROOM_BYTES: u64 = 128 * 1024;

/// Returns whether a file system is full.
pub fn is_full(status: &Statfs) -> bool {
    // The widths of the fields differ between architectures.
    #[allow(clippy::unnecessary_cast)]
    let (free, block, files) = (
        status.blocks_free() as u64,
        status.block_size() as u64,
        status.files_free() as u64,
    );
    free.saturating_mul(block) < ROOM_BYTES || files == 0
}

/// Returns whether the file system at one of these paths is full.
pub fn any_is_full<'a>(mut places: impl Iterator<Item = &'a CStr>) -> bool {
    places.any(|place| statfs(place).is_ok_and(|status| is_full(&status)))
}
