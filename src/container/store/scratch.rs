//! Temporary paths, for entries that are being created or removed.
//!
//! Every scratch path is locked while its owner exists. A path without a lock was left by a program
//! that died; [`sweep`] removes it.

use std::ffi::OsStr;
use std::fs;
use std::hash::{BuildHasher, RandomState};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::error::StoreError;
use super::lock::{LockAttempt, LockFile, LockSlot};
use super::remove::remove_all;

/// A unique path in the store's scratch directory. Dropping it removes the file or directory at the
/// path.
#[derive(Debug)]
pub(super) struct ScratchPath {
    path: PathBuf,
    slot: LockSlot,
    locks: Arc<LockFile>,
}

impl ScratchPath {
    /// Reserves a path. Nothing exists there yet.
    pub(super) fn reserve(directory: &Path, locks: &Arc<LockFile>) -> Result<Self, StoreError> {
        // Random enough to differ from the paths of all other programs and threads.
        let number = RandomState::new().hash_one(std::process::id());
        let slot = LockSlot::new(number);
        locks.share(slot)?;
        Ok(ScratchPath {
            path: directory.join(format!("{number:016x}")),
            slot,
            locks: Arc::clone(locks),
        })
    }

    /// Returns the reserved path.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for ScratchPath {
    fn drop(&mut self) {
        if let Err(error) = remove_all(&self.path) {
            tracing::warn!(%error, "a scratch directory stays until the cache is next opened");
        }
        // The lock is released last, because a path without a lock is removed when the store is
        // opened.
        if let Err(error) = self.locks.release(self.slot) {
            tracing::warn!(%error, "a scratch directory stays locked until this program ends");
        }
    }
}

/// Removes what dead programs left behind. Entries that cannot be removed are left for later; they
/// do no harm.
pub(super) fn sweep(directory: &Path, locks: &LockFile) -> Result<(), StoreError> {
    // On the same descriptor, the locks of this process would not conflict.
    let locks = locks.reopen()?;
    let entries = fs::read_dir(directory).map_err(|source| StoreError::read(directory, source))?;
    for entry in entries {
        let entry = entry.map_err(|source| StoreError::read(directory, source))?;
        let slot = slot_of(&entry.file_name());
        if let Some(slot) = slot
            && locks.try_lock(slot)? == LockAttempt::Refused
        {
            continue;
        }
        if let Err(error) = remove_all(&entry.path()) {
            tracing::warn!(%error, "a left-over of an earlier run stays");
        }
        if let Some(slot) = slot {
            locks.release(slot)?;
        }
    }
    Ok(())
}

fn slot_of(name: &OsStr) -> Option<LockSlot> {
    u64::from_str_radix(name.to_str()?, 16)
        .ok()
        .map(LockSlot::new)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sweep_takes_what_is_left_behind_and_spares_what_is_in_use() {
        let directory = tempfile::tempdir().unwrap();
        let locks = Arc::new(LockFile::open(&directory.path().join("lock")).unwrap());
        let place = directory.path().join("scratch");
        fs::create_dir(&place).unwrap();

        let in_use = ScratchPath::reserve(&place, &locks).unwrap();
        fs::create_dir(in_use.path()).unwrap();
        fs::create_dir(place.join("00000000000000ff")).unwrap();
        fs::write(place.join("garbage"), "").unwrap();

        sweep(&place, &locks).unwrap();
        let left: Vec<PathBuf> = fs::read_dir(&place)
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .collect();
        assert_eq!(left, [in_use.path()]);

        let path = in_use.path().to_owned();
        drop(in_use);
        assert!(!path.exists());
    }
}
