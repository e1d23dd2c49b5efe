//! Temporary paths, for entries that are being made or removed.
//!
//! Every scratch path is locked while its owner lives. One without a lock was left by a program
//! that died; [`sweep`] removes it.

use std::ffi::OsStr;
use std::fs;
use std::hash::{BuildHasher, RandomState};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::error::StoreError;
use super::lock::{LockAttempt, LockFile, LockSlot};
use super::remove::remove_all;

/// A path of one's own in the store's scratch directory. What stands there when it is dropped is
/// removed.
#[derive(Debug)]
pub(super) struct ScratchPath {
    path: PathBuf,
    slot: LockSlot,
    locks: Arc<LockFile>,
}

impl ScratchPath {
    /// Reserves a path. Nothing stands there yet.
    pub(super) fn reserve(directory: &Path, locks: &Arc<LockFile>) -> Result<Self, StoreError> {
        // Random enough to be told apart from those of every other program and thread; the lock
        // decides in the end.
        let number = RandomState::new().hash_one(std::process::id());
        let slot = LockSlot::new(number);
        locks.share(slot)?;
        Ok(ScratchPath {
            path: directory.join(format!("{number:016x}")),
            slot,
            locks: Arc::clone(locks),
        })
    }

    /// Where it is.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for ScratchPath {
    fn drop(&mut self) {
        if let Err(error) = remove_all(&self.path) {
            tracing::warn!(%error, "a scratch directory stays until the cache is next opened");
        }
        // The lock goes last: a place without one is swept by whoever opens the store.
        if let Err(error) = self.locks.release(self.slot) {
            tracing::warn!(%error, "a scratch directory stays locked until this program ends");
        }
    }
}

/// Removes what programs that are gone left behind. What can't be removed is left for later: it is
/// in nobody's way.
pub(super) fn sweep(directory: &Path, locks: &LockFile) -> Result<(), StoreError> {
    // On the given description the locks of this process would refuse nothing.
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
