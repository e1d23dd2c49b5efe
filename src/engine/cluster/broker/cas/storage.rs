//! The broker's content-addressable storage: blobs on disk, verified when written and when read.
//!
//! A [`CasStorage`] is the only user of its directory and keeps an index in memory, so that a query
//! for missing blobs touches no disk. The blobs themselves are in a [`Store`].
//!
//! Invariants:
//! - A blob becomes visible only after its length and hash are verified.
//! - A blob that is read to its end is verified; one that does not match its digest is removed and
//!   counts as absent.
//! - Pinned blobs are never evicted. A pin may precede its blob, so whoever pins first and then
//!   queries what is missing cannot lose a blob in between.
//! - Unpinned blobs use no more space than the target leaves; uploads in progress come on top.
//! - The empty blob is always present.
//!
//! Blocking work runs on the runtime's blocking threads; methods that are not `async` touch memory
//! only, except [`CasStorage::open`] and those of [`super::BlobWriter`]. Nothing is synced to disk,
//! so blobs may be torn after a power loss; that is detected when they are read.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use nix::fcntl::{Flock, FlockArg};
use std::os::unix::fs::MetadataExt;
use tokio::sync::Notify;

use super::error::CasStorageError;
use super::lru_index::LruIndex;
use maelstrom_container::digest::{ContentHash, Digest};
use maelstrom_container::private;
use maelstrom_container::store::{RemovedBlob, Store, StoreError, StoreOptions};

/// The options of a storage.
#[derive(Clone, Debug)]
pub struct CasStorageOptions {
    /// The storage's directory, which is created if it doesn't exist.
    pub root: PathBuf,
    /// The size that blobs should stay below, in bytes. Pinned ones may exceed it.
    pub size_target_bytes: u64,
}

/// An open storage. Clones share it.
#[derive(Clone, Debug)]
pub struct CasStorage {
    shared: Arc<CasStorageState>,
}

#[derive(Debug)]
struct CasStorageState {
    store: Store,
    index: Mutex<LruIndex<ContentHash>>,
    /// Held while blobs appear or disappear, so that the index and the directory agree.
    names: Mutex<()>,
    full: AtomicBool,
    evicted_blobs: AtomicU64,
    evicted_bytes: AtomicU64,
    damaged_blobs: AtomicU64,
    /// Signals that a blob has disappeared without being evicted.
    losses: Notify,
    _owner: Flock<File>,
}

/// Usage statistics of a storage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StorageUsage {
    /// The number of blobs.
    pub blobs: u64,
    /// Their total size, in bytes.
    pub size_bytes: u64,
    /// The size of pinned blobs, in bytes.
    pub pinned_bytes: u64,
    /// The size that blobs should stay below.
    pub size_target_bytes: u64,
    /// The number of blobs evicted since the storage was opened.
    pub evicted_blobs: u64,
    /// Their total size, in bytes.
    pub evicted_bytes: u64,
    /// The number of blobs found damaged since the storage was opened.
    pub damaged_blobs: u64,
    /// Whether the last write failed because the file system was full.
    pub is_full: bool,
}

/// Keeps blobs from being evicted until dropped.
#[derive(Debug)]
pub struct BlobPin {
    shared: Arc<CasStorageState>,
    hashes: Vec<ContentHash>,
}

/// The name of the lock file.
const OWNER: &str = "owner";

impl CasStorage {
    /// Opens a storage, and creates its directory if needed. Blocks.
    pub fn open(options: &CasStorageOptions) -> Result<Self, CasStorageError> {
        let store = Store::open(&StoreOptions {
            root: options.root.clone(),
            // Eviction is decided here, not by the store.
            size_target_bytes: u64::MAX,
        })?;
        let owner = own(store.root())?;
        let mut blobs = store.blobs()?;
        // The index treats each added entry as the most recently used one.
        blobs.sort_by_key(|blob| blob.last_used);
        let mut index = LruIndex::new(options.size_target_bytes);
        for blob in blobs {
            index.add(blob.hash, blob.size_bytes);
        }
        let storage = CasStorage {
            shared: Arc::new(CasStorageState {
                store,
                index: Mutex::new(index),
                names: Mutex::default(),
                full: AtomicBool::new(false),
                evicted_blobs: AtomicU64::new(0),
                evicted_bytes: AtomicU64::new(0),
                damaged_blobs: AtomicU64::new(0),
                losses: Notify::new(),
                _owner: owner,
            }),
        };
        // The target may be lower than before the restart.
        storage.evict(LruIndex::shrink)?;
        Ok(storage)
    }

    /// Returns the directory, absolute and without symlinks.
    pub fn root(&self) -> &Path {
        self.shared.store.root()
    }

    /// Returns the current usage statistics.
    pub fn usage(&self) -> StorageUsage {
        let index = self.index();
        let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        StorageUsage {
            blobs: index.count() as u64,
            size_bytes: index.total_bytes(),
            pinned_bytes: index.pinned_bytes(),
            size_target_bytes: index.target_bytes(),
            evicted_blobs: count(&self.shared.evicted_blobs),
            evicted_bytes: count(&self.shared.evicted_bytes),
            damaged_blobs: count(&self.shared.damaged_blobs),
            is_full: self.shared.full.load(Ordering::Relaxed),
        }
    }

    /// Returns whether a blob is present. Counts as a use.
    pub fn contains(&self, digest: &Digest) -> bool {
        // The API requires the empty blob to be always present, uploaded or not.
        if *digest == Digest::of(b"") {
            return true;
        }
        let mut index = self.index();
        let there = index.size_bytes(&digest.hash) == Some(digest.size_bytes);
        if there {
            index.used(&digest.hash);
        }
        there
    }

    /// Waits until a blob is found to be damaged or removed from outside. Losses that coincide may
    /// be reported as one.
    pub async fn loss(&self) {
        self.shared.losses.notified().await;
    }

    /// Returns which of these blobs are missing, each once, in the given order. The others count as
    /// used.
    pub fn missing(&self, digests: &[Digest]) -> Vec<Digest> {
        let mut asked = std::collections::HashSet::with_capacity(digests.len());
        let absent = |digest: &&Digest| asked.insert(**digest) && !self.contains(digest);
        digests.iter().filter(absent).copied().collect()
    }

    /// Keeps these blobs from being evicted, including those that are yet to be uploaded.
    pub fn pin(&self, digests: impl IntoIterator<Item = Digest>) -> BlobPin {
        let hashes: Vec<ContentHash> = digests.into_iter().map(|digest| digest.hash).collect();
        let mut index = self.index();
        for hash in &hashes {
            // Digests are pinned, not blobs: an upload that begins later is safe from the start.
            index.pin(*hash);
        }
        BlobPin {
            shared: Arc::clone(&self.shared),
            hashes,
        }
    }

    /// Returns the content of a small blob.
    pub async fn content(&self, digest: Digest) -> Result<Bytes, CasStorageError> {
        let storage = self.clone();
        blocking(move || storage.content_now(digest)).await
    }

    /// Returns the contents of small blobs, in the given order.
    pub async fn contents(
        &self,
        digests: Vec<Digest>,
    ) -> Result<Vec<Result<Bytes, CasStorageError>>, CasStorageError> {
        let storage = self.clone();
        let read = move |digest| storage.content_now(digest);
        blocking(move || Ok(digests.into_iter().map(read).collect())).await
    }

    fn content_now(&self, digest: Digest) -> Result<Bytes, CasStorageError> {
        let absent = CasStorageError::Absent { digest };
        if !self.contains(&digest) {
            return Err(absent);
        }
        if digest.size_bytes == 0 {
            return Ok(Bytes::new());
        }
        match self.shared.store.content(digest.hash)? {
            Some(content) => Ok(content.into()),
            None => Err(self.vanished(digest)),
        }
    }

    pub(super) fn store(&self) -> &Store {
        &self.shared.store
    }

    /// Makes a blob visible by `adopt`, and evicts others if needed.
    pub(super) fn appear(
        &self,
        digest: Digest,
        adopt: impl FnOnce() -> Result<(), StoreError>,
    ) -> Result<(), CasStorageError> {
        let names = self.names();
        // The file comes first: a reader that finds the blob in the index may open it immediately.
        adopt()?;
        self.index().add(digest.hash, digest.size_bytes);
        drop(names);
        self.shared.full.store(false, Ordering::Relaxed);
        self.evict(LruIndex::shrink)
    }

    /// Evicts blobs to free space on the file system, when it has less than the target assumed.
    pub(super) fn make_room(&self, needed_bytes: u64) -> Result<(), CasStorageError> {
        self.shared.full.store(true, Ordering::Relaxed);
        self.evict(|index| {
            let target = index.total_bytes().saturating_sub(needed_bytes);
            index.shrink_to(target)
        })
    }

    /// Removes a damaged blob, unless another has replaced it since `file` was opened.
    pub(super) fn remove_damaged(
        &self,
        digest: Digest,
        file: &File,
    ) -> Result<(), CasStorageError> {
        // No other blob may get this name between the check and the removal.
        let _names = self.names();
        let same = match (file.metadata(), self.shared.store.blob(digest)) {
            (Ok(opened), Ok(Some(blob))) => std::fs::symlink_metadata(blob.path())
                .is_ok_and(|named| (named.dev(), named.ino()) == (opened.dev(), opened.ino())),
            // The file is gone, or truncated.
            (Ok(_), Ok(None)) | (Err(_), _) | (_, Err(_)) => true,
        };
        if same {
            tracing::warn!(%digest, "a damaged blob is removed");
            self.index().remove(&digest.hash);
            self.shared.damaged_blobs.fetch_add(1, Ordering::Relaxed);
            drop(self.shared.store.remove_blob(digest.hash)?);
            self.shared.losses.notify_one();
        }
        Ok(())
    }

    /// Handles a blob in the index whose file is missing. Returns the error for its reader.
    pub(super) fn vanished(&self, digest: Digest) -> CasStorageError {
        // Waits until a concurrent eviction or upload of the blob has finished.
        let _names = self.names();
        if self.index().size_bytes(&digest.hash) != Some(digest.size_bytes) {
            return CasStorageError::Absent { digest };
        }
        match self.shared.store.blob(digest) {
            // The blob was evicted and uploaded again since its file was opened, which is not a
            // loss.
            Ok(Some(_)) => CasStorageError::Absent { digest },
            Ok(None) => {
                tracing::warn!(%digest, "a blob has gone from the storage directory, or is damaged");
                self.index().remove(&digest.hash);
                self.shared.damaged_blobs.fetch_add(1, Ordering::Relaxed);
                self.shared.losses.notify_one();
                CasStorageError::Damaged { digest }
            }
            Err(error) => error.into(),
        }
    }

    /// Deletes the files of evicted entries.
    fn evict(
        &self,
        shrink: impl FnOnce(&mut LruIndex<ContentHash>) -> Vec<(ContentHash, u64)>,
    ) -> Result<(), CasStorageError> {
        let names = self.names();
        let victims = shrink(&mut self.index());
        let mut removed: Vec<RemovedBlob> = Vec::new();
        for (hash, size_bytes) in victims {
            self.shared.evicted_blobs.fetch_add(1, Ordering::Relaxed);
            self.shared
                .evicted_bytes
                .fetch_add(size_bytes, Ordering::Relaxed);
            removed.push(self.shared.store.remove_blob(hash)?);
        }
        drop(names);
        // Freeing the space may take a while, and nothing waits for it.
        drop(removed);
        Ok(())
    }

    fn index(&self) -> MutexGuard<'_, LruIndex<ContentHash>> {
        let index = self.shared.index.lock();
        index.unwrap_or_else(PoisonError::into_inner)
    }

    fn names(&self) -> MutexGuard<'_, ()> {
        let names = self.shared.names.lock();
        names.unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for BlobPin {
    fn drop(&mut self) {
        let index = self.shared.index.lock();
        let mut index = index.unwrap_or_else(PoisonError::into_inner);
        for hash in &self.hashes {
            index.unpin(hash);
        }
    }
}

/// Runs blocking work on a blocking thread.
pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, CasStorageError> + Send + 'static,
) -> Result<T, CasStorageError> {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done,
        Err(_) => Err(CasStorageError::Closing),
    }
}

/// Locks the directory against other brokers, as long as the result exists.
fn own(root: &Path) -> Result<Flock<File>, CasStorageError> {
    let path = root.join(OWNER);
    let file = private::kept(&path).map_err(|source| StoreError::Write {
        path: path.clone(),
        source,
    })?;
    Flock::lock(file, FlockArg::LockExclusiveNonblock).map_err(|(_file, errno)| match errno {
        nix::errno::Errno::EWOULDBLOCK => CasStorageError::InUse {
            path: root.to_owned(),
        },
        errno => CasStorageError::Store(StoreError::Lock {
            path,
            source: io::Error::from(errno),
        }),
    })
}
