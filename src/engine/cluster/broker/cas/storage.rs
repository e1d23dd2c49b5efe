//! The broker's content-addressable storage: blobs on disk, each verified on its way in and out.
//!
//! A [`CasStorage`] is the only user of its directory and knows by heart what is in it, so asking what
//! is missing touches no disk. The content itself is kept by [`Store`].
//!
//! Invariants:
//! - A blob can be seen only once it has the announced length and hash.
//! - A blob that is read to its end was verified; one that is not what its name says is removed, and
//!   counts as absent.
//! - Pinned blobs are never evicted. A pin may come before its blob, so whoever pins first and then
//!   asks what is missing can't lose anything in between.
//! - Blobs that are not pinned take up no more than the target leaves; uploads that are under way
//!   come on top of it.
//! - The empty blob is always there.
//!
//! What blocks runs on the runtime's threads for that; the methods that are not `async` look at
//! memory only, except [`CasStorage::open`] and those of [`super::BlobWriter`]. After a loss of power
//! blobs may be torn, since nothing is synced to disk; that shows when they are read.

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

/// What is to be known to open a storage.
#[derive(Clone, Debug)]
pub struct CasStorageOptions {
    /// Its directory; made if it isn't there.
    pub root: PathBuf,
    /// What blobs should take up at most. Pinned ones may exceed it.
    pub size_target_bytes: u64,
}

/// An open storage. Cloning gives another handle on the same one.
#[derive(Clone, Debug)]
pub struct CasStorage {
    shared: Arc<CasStorageState>,
}

#[derive(Debug)]
struct CasStorageState {
    store: Store,
    index: Mutex<LruIndex<ContentHash>>,
    /// Held while names of blobs come or go, so that the index and the directory agree.
    names: Mutex<()>,
    full: AtomicBool,
    evicted_blobs: AtomicU64,
    evicted_bytes: AtomicU64,
    damaged_blobs: AtomicU64,
    /// That a blob has gone which nobody had removed.
    losses: Notify,
    _owner: Flock<File>,
}

/// How a storage does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StorageUsage {
    /// Blobs that are there.
    pub blobs: u64,
    /// What they take up.
    pub size_bytes: u64,
    /// What those take up that are pinned.
    pub pinned_bytes: u64,
    /// What they should take up at most.
    pub size_target_bytes: u64,
    /// Blobs evicted since it was opened.
    pub evicted_blobs: u64,
    /// What they took up.
    pub evicted_bytes: u64,
    /// Blobs found damaged since it was opened.
    pub damaged_blobs: u64,
    /// Whether the last blob found no space on the file system.
    pub is_full: bool,
}

/// Keeps blobs from being evicted until it is dropped.
#[derive(Debug)]
pub struct BlobPin {
    shared: Arc<CasStorageState>,
    hashes: Vec<ContentHash>,
}

/// The file that the broker locks.
const OWNER: &str = "owner";

impl CasStorage {
    /// Opens a storage, and sets its directory up if need be. Blocks.
    pub fn open(options: &CasStorageOptions) -> Result<Self, CasStorageError> {
        let store = Store::open(&StoreOptions {
            root: options.root.clone(),
            // What goes and when is decided here.
            size_target_bytes: u64::MAX,
        })?;
        let owner = own(store.root())?;
        let mut blobs = store.blobs()?;
        // The index takes each entry for the one used last, so the order they are added in is
        // theirs.
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
        // The target may be lower than at the last start.
        storage.evict(LruIndex::shrink)?;
        Ok(storage)
    }

    /// The directory, absolute and without links.
    pub fn root(&self) -> &Path {
        self.shared.store.root()
    }

    /// How it does.
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

    /// Whether a blob is there. Counts as a use.
    pub fn contains(&self, digest: &Digest) -> bool {
        // The API wants it to be there always, whether or not anybody has uploaded it.
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

    /// Waits until a blob has gone that was found damaged, or that somebody else has removed. Of several
    /// that go meanwhile one is told.
    pub async fn loss(&self) {
        self.shared.losses.notified().await;
    }

    /// Which of these blobs are not there, each once, in the order given. The others count as used.
    pub fn missing(&self, digests: &[Digest]) -> Vec<Digest> {
        let mut asked = std::collections::HashSet::with_capacity(digests.len());
        let absent = |digest: &&Digest| asked.insert(**digest) && !self.contains(digest);
        digests.iter().filter(absent).copied().collect()
    }

    /// Keeps these blobs, and those of them that are yet to come, from being evicted.
    pub fn pin(&self, digests: impl IntoIterator<Item = Digest>) -> BlobPin {
        let hashes: Vec<ContentHash> = digests.into_iter().map(|digest| digest.hash).collect();
        let mut index = self.index();
        for hash in &hashes {
            // Names are pinned, not blobs: an upload that begins later is safe from its first
            // moment.
            index.pin(*hash);
        }
        BlobPin {
            shared: Arc::clone(&self.shared),
            hashes,
        }
    }

    /// The content of a small blob.
    pub async fn content(&self, digest: Digest) -> Result<Bytes, CasStorageError> {
        let storage = self.clone();
        blocking(move || storage.content_now(digest)).await
    }

    /// The contents of small blobs, in the order given.
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
            None => {
                self.index().remove(&digest.hash);
                self.shared.damaged_blobs.fetch_add(1, Ordering::Relaxed);
                self.shared.losses.notify_one();
                Err(CasStorageError::Damaged { digest })
            }
        }
    }

    pub(super) fn store(&self) -> &Store {
        &self.shared.store
    }

    /// Lets a blob appear by `adopt`, and others go if need be.
    pub(super) fn appear(
        &self,
        digest: Digest,
        adopt: impl FnOnce() -> Result<(), StoreError>,
    ) -> Result<(), CasStorageError> {
        let names = self.names();
        // The file comes first: whoever sees a blob in the index may open it at once.
        adopt()?;
        self.index().add(digest.hash, digest.size_bytes);
        drop(names);
        self.shared.full.store(false, Ordering::Relaxed);
        self.evict(LruIndex::shrink)
    }

    /// Evicts what it may to make room on the file system, where there is less of it than the target
    /// promised.
    pub(super) fn make_room(&self, needed_bytes: u64) -> Result<(), CasStorageError> {
        self.shared.full.store(true, Ordering::Relaxed);
        self.evict(|index| {
            let target = index.total_bytes().saturating_sub(needed_bytes);
            index.shrink_to(target)
        })
    }

    /// Removes a damaged blob, unless another has taken its place since `file` was opened.
    pub(super) fn remove_damaged(
        &self,
        digest: Digest,
        file: &File,
    ) -> Result<(), CasStorageError> {
        // Between the look and the removal no other blob may get this name.
        let _names = self.names();
        let same = match (file.metadata(), self.shared.store.blob(digest)) {
            (Ok(opened), Ok(Some(blob))) => std::fs::symlink_metadata(blob.path())
                .is_ok_and(|named| (named.dev(), named.ino()) == (opened.dev(), opened.ino())),
            // Not there any more, or not in its full length.
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

    /// Takes note that a blob has gone without our doing.
    pub(super) fn lost(&self, digest: Digest) {
        tracing::warn!(%digest, "a blob has gone from the storage directory, or is damaged");
        self.index().remove(&digest.hash);
        self.shared.losses.notify_one();
    }

    /// Removes the files of what the index gives up.
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
        // Giving the room back may take a while, and concerns nobody.
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

/// Runs what blocks where it may.
pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, CasStorageError> + Send + 'static,
) -> Result<T, CasStorageError> {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done,
        Err(_) => Err(CasStorageError::Closing),
    }
}

/// Makes sure that no other broker uses the directory, as long as the result lives.
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
