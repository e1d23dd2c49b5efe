//! Advisory locks between the programs that share a store.
//!
//! A lock is a byte range of a lock file, acquired as an open file description lock (`fcntl(2)`,
//! Linux 3.15). One descriptor can hold any number of them, two descriptors conflict even within
//! one process, and the kernel releases all of them when the process ends for any reason. Nothing
//! else is needed to make pins and scratch directories crash-safe.
//!
//! Lock files are always empty; only their byte ranges matter.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, fcntl};

use super::error::StoreError;
use crate::private;

/// An open lock file. Dropping it releases its locks.
#[derive(Debug)]
pub(super) struct LockFile {
    file: File,
    path: PathBuf,
}

/// A byte of a lock file that can be locked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct LockSlot(u64);

#[derive(Clone, Copy)]
enum LockWait {
    UntilGranted,
    No,
}

#[derive(Clone, Copy)]
enum LockKind {
    Shared,
    Exclusive,
    Released,
}

impl LockSlot {
    /// Maps a number to a slot. Two bits are lost, because offsets are signed and a range must not
    /// end beyond the largest one. Two entries may share a slot; at worst, this pins one because of
    /// the other.
    pub(super) fn new(number: u64) -> Self {
        LockSlot(number >> 2)
    }
}

impl LockFile {
    /// Opens a lock file, creating it if necessary.
    pub(super) fn open(path: &Path) -> Result<Self, StoreError> {
        let file = private::kept(path).map_err(|source| StoreError::write(path, source))?;
        Ok(LockFile {
            file,
            path: path.to_owned(),
        })
    }

    /// Opens the same file again. Locks of the new descriptor conflict with those of this one.
    pub(super) fn reopen(&self) -> Result<Self, StoreError> {
        LockFile::open(&self.path)
    }

    /// Waits for a shared lock. An exclusive lock that this descriptor holds on the slot is
    /// converted atomically.
    pub(super) fn share(&self, slot: LockSlot) -> Result<(), StoreError> {
        self.apply(slot, LockKind::Shared, LockWait::UntilGranted)
            .map(|_granted| ())
    }

    /// Waits for an exclusive lock.
    pub(super) fn lock(&self, slot: LockSlot) -> Result<(), StoreError> {
        self.apply(slot, LockKind::Exclusive, LockWait::UntilGranted)
            .map(|_granted| ())
    }

    /// Acquires an exclusive lock, unless another descriptor holds a lock on the slot.
    pub(super) fn try_lock(&self, slot: LockSlot) -> Result<LockAttempt, StoreError> {
        self.apply(slot, LockKind::Exclusive, LockWait::No)
    }

    /// Releases a lock. Does nothing if it is not held.
    pub(super) fn release(&self, slot: LockSlot) -> Result<(), StoreError> {
        self.apply(slot, LockKind::Released, LockWait::No)
            .map(|_granted| ())
    }

    fn apply(
        &self,
        slot: LockSlot,
        kind: LockKind,
        wait: LockWait,
    ) -> Result<LockAttempt, StoreError> {
        let range = range(slot.0 as i64, 1, kind);
        loop {
            let argument = match wait {
                LockWait::UntilGranted => FcntlArg::F_OFD_SETLKW(&range),
                LockWait::No => FcntlArg::F_OFD_SETLK(&range),
            };
            match fcntl(&self.file, argument) {
                Ok(_) => return Ok(LockAttempt::Granted),
                Err(Errno::EINTR) => {}
                // Both errors mean that another descriptor holds the lock (fcntl(2)).
                Err(Errno::EAGAIN | Errno::EACCES) => return Ok(LockAttempt::Refused),
                Err(errno) => {
                    return Err(StoreError::Lock {
                        path: self.path.clone(),
                        source: io::Error::from(errno),
                    });
                }
            }
        }
    }
}

impl Drop for LockFile {
    /// Closing the descriptor is not sufficient: a process that was cloned and has not executed its
    /// program yet has copies of all descriptors, and keeps the locks.
    fn drop(&mut self) {
        let all = range(0, TO_THE_END, LockKind::Released);
        if let Err(error) = fcntl(&self.file, FcntlArg::F_OFD_SETLK(&all)) {
            tracing::warn!(%error, path = %self.path.display(), "a lock is kept a little longer");
        }
    }
}

/// The length of a range without an end (fcntl(2)).
const TO_THE_END: i64 = 0;

fn range(start: i64, length: i64, kind: LockKind) -> libc::flock {
    libc::flock {
        l_type: match kind {
            LockKind::Shared => libc::F_RDLCK,
            LockKind::Exclusive => libc::F_WRLCK,
            LockKind::Released => libc::F_UNLCK,
        } as i16,
        l_whence: libc::SEEK_SET as i16,
        l_start: start,
        l_len: length,
        l_pid: 0,
    }
}

/// The result of an attempt that does not wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum LockAttempt {
    /// The lock was acquired.
    Granted,
    /// Another descriptor holds a conflicting lock.
    Refused,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lock_file() -> (tempfile::TempDir, LockFile) {
        let directory = tempfile::tempdir().unwrap();
        let file = LockFile::open(&directory.path().join("lock")).unwrap();
        (directory, file)
    }

    #[test]
    fn shared_locks_keep_an_exclusive_one_out_until_the_last_is_gone() {
        let (_directory, first) = lock_file();
        let second = first.reopen().unwrap();
        let third = first.reopen().unwrap();
        let slot = LockSlot::new(u64::MAX);
        first.share(slot).unwrap();
        second.share(slot).unwrap();
        assert_eq!(third.try_lock(slot).unwrap(), LockAttempt::Refused);
        first.release(slot).unwrap();
        assert_eq!(third.try_lock(slot).unwrap(), LockAttempt::Refused);
        drop(second);
        assert_eq!(third.try_lock(slot).unwrap(), LockAttempt::Granted);
    }

    #[test]
    fn slots_are_independent_of_one_another() {
        let (_directory, first) = lock_file();
        let second = first.reopen().unwrap();
        first.lock(LockSlot::new(0)).unwrap();
        assert_eq!(
            second.try_lock(LockSlot::new(4)).unwrap(),
            LockAttempt::Granted
        );
        assert_eq!(
            second.try_lock(LockSlot::new(0)).unwrap(),
            LockAttempt::Refused
        );
    }

    #[test]
    fn an_exclusive_lock_turns_into_a_shared_one() {
        let (_directory, first) = lock_file();
        let second = first.reopen().unwrap();
        let slot = LockSlot::new(8);
        first.lock(slot).unwrap();
        first.share(slot).unwrap();
        second.share(slot).unwrap();
        assert_eq!(first.try_lock(slot).unwrap(), LockAttempt::Refused);
    }

    /// Simulates the copy in a process that was cloned and has not executed its program yet.
    #[test]
    fn a_copy_of_its_descriptor_keeps_no_lock_of_a_file_that_is_gone() {
        let (_directory, first) = lock_file();
        let second = first.reopen().unwrap();
        let slots = [LockSlot::new(0), LockSlot::new(u64::MAX)];
        slots.iter().for_each(|slot| first.lock(*slot).unwrap());
        let copy = first.file.try_clone().unwrap();
        drop(first);
        for slot in slots {
            assert_eq!(second.try_lock(slot).unwrap(), LockAttempt::Granted);
        }
        drop(copy);
    }

    #[test]
    fn a_lock_file_that_cannot_be_made_is_named() {
        let error = LockFile::open(Path::new("/proc/nowhere/lock")).unwrap_err();
        assert!(error.to_string().contains("/proc/nowhere/lock"), "{error}");
    }
}
