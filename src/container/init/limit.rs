//! Sets a container's [`ContainerLimits`] in its own namespaces, and detects whether its files have
//! reached theirs.
//!
//! A limit that the kernel does not have, or that only root may set, is skipped: it protects
//! others, and a container works without it.

use std::ffi::CStr;
use std::fs::File;
use std::os::fd::OwnedFd;
use std::os::unix::fs::FileExt;

use nix::fcntl::{OFlag, openat};
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::sys::stat::Mode;
use nix::sys::statfs::{Statfs, statfs};

use super::super::limits::ContainerLimits;

/// Sets what is not set by mounting. `proc` is the host's, in which the calling process, the first
/// of its namespaces, finds their settings.
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

/// What is left at the end is too little to write anything: a job that is refused a page leaves
/// less than this, since files are written in pieces of at most this size.
const ROOM_BYTES: u64 = 128 * 1024;

/// Whether a file system has no room left.
pub fn is_full(status: &Statfs) -> bool {
    // Their width differs between architectures.
    #[allow(clippy::unnecessary_cast)]
    let (free, block, files) = (
        status.blocks_free() as u64,
        status.block_size() as u64,
        status.files_free() as u64,
    );
    free.saturating_mul(block) < ROOM_BYTES || files == 0
}

/// Whether the file system at one of these places has no room left.
pub fn any_is_full<'a>(mut places: impl Iterator<Item = &'a CStr>) -> bool {
    places.any(|place| statfs(place).is_ok_and(|status| is_full(&status)))
}
