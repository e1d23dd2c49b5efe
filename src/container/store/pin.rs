//! Pins: entries that this process uses and that no process may evict.
//!
//! A pin is a shared lock on the slot of the lock file that the entry's hash determines. All pins
//! of a process are on one descriptor, on which a single unlock releases a lock that was acquired
//! twice. So the process counts them.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use super::error::StoreError;
use super::lock::{LockFile, LockSlot};
use crate::digest::ContentHash;

/// The kind of an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum EntryKind {
    Tree,
    Blob,
    /// An incomplete blob.
    Partial,
}

/// The kind and name of an entry in the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct EntryId {
    pub(super) kind: EntryKind,
    pub(super) hash: ContentHash,
}

impl EntryId {
    pub(super) fn slot(self) -> LockSlot {
        let salt = match self.kind {
            EntryKind::Tree => 0,
            EntryKind::Blob => u64::MAX,
            EntryKind::Partial => u64::MAX / 3,
        };
        LockSlot::new(self.hash.prefix() ^ salt)
    }
}

/// The pins of one process.
#[derive(Debug)]
pub(super) struct StorePins {
    locks: LockFile,
    held: Mutex<HashMap<LockSlot, usize>>,
}

/// Keeps an entry from being evicted until it is dropped or the process dies.
#[derive(Debug)]
pub(super) struct EntryPin {
    pins: Arc<StorePins>,
    slot: LockSlot,
}

impl StorePins {
    pub(super) fn new(locks: LockFile) -> Arc<Self> {
        Arc::new(StorePins {
            locks,
            held: Mutex::default(),
        })
    }

    /// Pins an entry, whether it exists or not. Waits while another process evicts it, which takes
    /// one rename.
    pub(super) fn pin(self: &Arc<Self>, entry: EntryId) -> Result<EntryPin, StoreError> {
        let slot = entry.slot();
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        if !held.contains_key(&slot) {
            // The counts stay locked meanwhile. Otherwise another thread could release the slot
            // before it is counted.
            self.locks.share(slot)?;
        }
        *held.entry(slot).or_default() += 1;
        Ok(EntryPin {
            pins: Arc::clone(self),
            slot,
        })
    }

    /// Opens the lock file again, for a descriptor with which the pins of this process conflict
    /// like those of any other.
    pub(super) fn gc_locks(&self) -> Result<LockFile, StoreError> {
        self.locks.reopen()
    }
}

impl Drop for EntryPin {
    fn drop(&mut self) {
        let mut held = self
            .pins
            .held
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let Some(count) = held.get_mut(&self.slot) else {
            return;
        };
        *count -= 1;
        if *count == 0 {
            held.remove(&self.slot);
            if let Err(error) = self.pins.locks.release(self.slot) {
                tracing::warn!(%error, "an entry stays pinned until this program ends");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::lock::LockAttempt;
    use super::*;

    #[test]
    fn an_entry_is_pinned_until_its_last_pin_is_gone() {
        let directory = tempfile::tempdir().unwrap();
        let pins = StorePins::new(LockFile::open(&directory.path().join("pins")).unwrap());
        let hash = ContentHash::of(b"tree");
        let tree = EntryId {
            kind: EntryKind::Tree,
            hash,
        };
        let blob = EntryId {
            kind: EntryKind::Blob,
            hash,
        };
        let evictor = pins.gc_locks().unwrap();

        let first = pins.pin(tree).unwrap();
        let second = pins.pin(tree).unwrap();
        assert_eq!(evictor.try_lock(blob.slot()).unwrap(), LockAttempt::Granted);
        drop(first);
        assert_eq!(evictor.try_lock(tree.slot()).unwrap(), LockAttempt::Refused);
        drop(second);
        assert_eq!(evictor.try_lock(tree.slot()).unwrap(), LockAttempt::Granted);
    }
}
