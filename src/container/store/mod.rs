//! The content store: blobs and materialized trees by digest, in a cache directory that several
//! programs may use at the same time.
//!
//! All programs that open the directory share it. A [`Store`] owns its descriptors and remembers
//! which trees it has checked. [`Tree`] and [`Blob`] are pins: while one exists, no program evicts
//! its entry, and when the process dies, the kernel releases the pin. The paths that they return
//! are valid only that long.
//!
//! Invariants:
//! - An entry appears and disappears as a whole, by one rename. Incomplete entries of a program
//!   that dies are in `scratch/`, and the next program that opens the store removes them.
//! - A tree is compared with its manifest before its first use (a very large one in parts, over
//!   several uses). A damaged tree is removed and treated as missing. Nothing is synced to disk,
//!   because the check detects the damage of a power loss.
//! - Content is created by one program at a time; the others wait and use the result.
//! - The store exceeds its target size only by entries that are in use or just being added.
//! - Trees belong to the user, contain no special files except whiteouts, and can be lower
//!   directories of an overlay that an unprivileged user mounts (with `userxattr`).
//!
//! The store knows nothing about containers, or what a tree or blob is used for.

mod blob;
mod digest_cache;
mod error;
mod gc;
mod gc_policy;
mod incoming;
mod layout;
mod lock;
mod manifest;
mod partial;
mod path;
mod pin;
mod remove;
mod scratch;
mod stamp;
mod tree;
pub(crate) mod whiteout;

#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use nix::fcntl::AT_FDCWD;
use nix::sys::stat::{UtimensatFlags, utimensat};
use nix::sys::time::TimeSpec;

pub use blob::{Blob, ListedBlob, RemovedBlob};
pub use digest_cache::{DigestCache, HashError, HashedFile};
pub use error::StoreError;
pub use gc::GcSummary;
pub use incoming::IncomingBlob;
pub use manifest::{StoreDamage, TreeCheckLevel};
pub use partial::{BlobLookup, PartialBlob};
pub use path::{TreePath, TreePathError};
pub use stamp::{FileStamp, FileTime};
pub use tree::{FileAttributes, PARENT_MODE, TreeWriteError, TreeWriter};

use layout::StoreDirectory;
use lock::LockFile;
use manifest::{TreeCheckScope, TreeManifest};
use pin::{EntryId, EntryKind, EntryPin, StorePins};
use scratch::ScratchPath;

use crate::digest::ContentHash;
use crate::private;

/// The options for opening a store.
#[derive(Clone, Debug)]
pub struct StoreOptions {
    /// The cache directory. It is created if it does not exist.
    pub root: PathBuf,
    /// The target size in bytes. Entries in use and an entry being added may exceed it.
    pub size_target_bytes: u64,
}

/// An open store. Clones are handles to the same store.
#[derive(Clone, Debug)]
pub struct Store {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    layout: StoreDirectory,
    pins: Arc<StorePins>,
    builds: LockFile,
    scratches: Arc<LockFile>,
    digests: DigestCache,
    size_target_bytes: u64,
    /// The last known size of the store in bytes; `None` before it was measured.
    size_bytes: Mutex<Option<u64>>,
    /// Trees that have been checked and are still in use.
    looked_over: Mutex<HashMap<ContentHash, Weak<TreeHandle>>>,
}

/// A tree in use: a directory that can be mounted, and must never be written to.
#[derive(Clone, Debug)]
pub struct Tree {
    handle: Arc<TreeHandle>,
}

#[derive(Debug)]
struct TreeHandle {
    hash: ContentHash,
    root: PathBuf,
    _pin: EntryPin,
}

impl Tree {
    /// Returns the name of the tree in the store.
    pub fn hash(&self) -> ContentHash {
        self.handle.hash
    }

    /// Returns the absolute path of the tree's root. It is valid while this value or a clone
    /// exists.
    pub fn root(&self) -> &Path {
        &self.handle.root
    }
}

impl Store {
    /// Opens a store, sets up its directory if necessary, and removes leftovers of dead programs.
    pub fn open(options: &StoreOptions) -> Result<Self, StoreError> {
        let layout = StoreDirectory::open(&options.root)?;
        let scratches = Arc::new(layout.lock_file("scratches")?);
        scratch::sweep(&layout.root().join("scratch"), &scratches)?;
        Ok(Store {
            shared: Arc::new(Shared {
                pins: StorePins::new(layout.lock_file("pins")?),
                builds: layout.lock_file("builds")?,
                scratches,
                digests: DigestCache::new(layout.root().join("digests")),
                size_target_bytes: options.size_target_bytes,
                size_bytes: Mutex::default(),
                looked_over: Mutex::default(),
                layout,
            }),
        })
    }

    /// Returns the absolute path of the cache directory, without symbolic links.
    pub fn root(&self) -> &Path {
        self.shared.layout.root()
    }

    /// Returns the cache of digests of files outside the store.
    pub fn digests(&self) -> &DigestCache {
        &self.shared.digests
    }

    /// Returns the tree with this name, if it exists and is intact. A damaged tree is removed.
    pub fn tree(&self, hash: ContentHash) -> Result<Option<Tree>, StoreError> {
        if let Some(handle) = self.looked_over(hash) {
            return Ok(Some(Tree { handle }));
        }
        let id = EntryId {
            kind: EntryKind::Tree,
            hash,
        };
        let pin = self.shared.pins.pin(id)?;
        let place = self.place(id);
        match fs::symlink_metadata(&place) {
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(StoreError::read(&place, error)),
        }
        if let Err(damage) = look_over(&place) {
            tracing::warn!(%damage, path = %place.display(), "a damaged tree is removed");
            self.discard(id)?;
            return Ok(None);
        }
        touch(&place.join(MANIFEST))?;
        Ok(Some(self.hand_out(hash, pin)))
    }

    /// Returns the tree with this name. If it does not exist, `build` creates it, starting with an
    /// empty directory. Of several callers in any program, one builds and the others wait.
    pub fn tree_or_build<E: From<StoreError>>(
        &self,
        hash: ContentHash,
        build: impl FnOnce(&mut TreeWriter) -> Result<(), E>,
    ) -> Result<Tree, E> {
        if let Some(tree) = self.tree(hash)? {
            return Ok(tree);
        }
        let id = EntryId {
            kind: EntryKind::Tree,
            hash,
        };
        let lock = self.shared.builds.reopen()?;
        lock.lock(id.slot())?;
        // Another program may have created it while this one waited for the lock.
        if let Some(tree) = self.tree(hash)? {
            return Ok(tree);
        }
        let scratch = self.scratch()?;
        private::new_directory(scratch.path())
            .map_err(|source| StoreError::create_directory(scratch.path(), source))?;
        let mut writer = TreeWriter::create(scratch.path().join(ROOT))?;
        build(&mut writer)?;
        let records = writer.finish()?;
        let manifest = scratch.path().join(MANIFEST);
        let summary = manifest::write(&manifest, &records)
            .map_err(|source| StoreError::write(&manifest, source))?;
        // Pinned before the rename, so that no other program evicts it in between.
        let pin = self.shared.pins.pin(id)?;
        let place = self.place(id);
        fs::rename(scratch.path(), &place).map_err(|source| StoreError::write(&place, source))?;
        let tree = self.hand_out(hash, pin);
        self.grown(summary.size_bytes)?;
        Ok(tree)
    }

    /// Compares a tree with its manifest. If it is damaged, the caller must drop it; the next
    /// request then recreates it.
    pub fn verify(&self, tree: &Tree, check: TreeCheckLevel) -> Result<(), StoreDamage> {
        let place = self.place(EntryId {
            kind: EntryKind::Tree,
            hash: tree.hash(),
        });
        let verdict = examine(&place, check);
        if verdict.is_err() {
            self.forget(tree.hash());
            // The manifest is removed so that the next request detects the damage, whatever it
            // checks.
            if let Err(error) = fs::remove_file(place.join(MANIFEST)) {
                tracing::warn!(%error, path = %place.display(), "a damaged tree stays");
            }
        }
        verdict
    }

    fn looked_over(&self, hash: ContentHash) -> Option<Arc<TreeHandle>> {
        let known = self.shared.looked_over.lock();
        known
            .unwrap_or_else(PoisonError::into_inner)
            .get(&hash)
            .and_then(Weak::upgrade)
    }

    fn forget(&self, hash: ContentHash) {
        let known = self.shared.looked_over.lock();
        known.unwrap_or_else(PoisonError::into_inner).remove(&hash);
    }

    fn hand_out(&self, hash: ContentHash, pin: EntryPin) -> Tree {
        let id = EntryId {
            kind: EntryKind::Tree,
            hash,
        };
        let handle = Arc::new(TreeHandle {
            hash,
            root: self.place(id).join(ROOT),
            _pin: pin,
        });
        let known = self.shared.looked_over.lock();
        let mut known = known.unwrap_or_else(PoisonError::into_inner);
        // There is no notification when the last user of a tree is gone, so stale entries are
        // removed here.
        known.retain(|_hash, handle| handle.strong_count() > 0);
        known.insert(hash, Arc::downgrade(&handle));
        Tree { handle }
    }

    fn place(&self, id: EntryId) -> PathBuf {
        self.directory(id.kind).join(id.hash.to_string())
    }

    fn directory(&self, kind: EntryKind) -> PathBuf {
        self.root().join(match kind {
            EntryKind::Tree => "trees",
            EntryKind::Blob => "blobs",
            EntryKind::Partial => "partial",
        })
    }

    fn scratch(&self) -> Result<ScratchPath, StoreError> {
        ScratchPath::reserve(&self.root().join("scratch"), &self.shared.scratches)
    }

    /// Moves the file or directory at a path to a scratch path, by one rename. Dropping the
    /// returned value removes it. Succeeds if nothing exists at the path.
    fn take_away(&self, path: &Path) -> Result<ScratchPath, StoreError> {
        let scratch = self.scratch()?;
        match fs::rename(path, scratch.path()) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(StoreError::remove(path, error))
            }
            Ok(()) | Err(_) => Ok(scratch),
        }
    }

    fn discard(&self, id: EntryId) -> Result<(), StoreError> {
        self.take_away(&self.place(id)).map(drop)
    }
}

const MANIFEST: &str = "manifest";
const ROOT: &str = "root";

/// Checks a tree that is about to be used.
fn look_over(place: &Path) -> Result<(), StoreDamage> {
    let manifest = place.join(MANIFEST);
    let recorded = TreeManifest::read(&manifest)?;
    // Changes with every use, see `touch`.
    let turn = fs::metadata(&manifest).map_or(0, |metadata| metadata.mtime().unsigned_abs());
    let records = recorded.records(TreeCheckScope::Turn(turn))?;
    manifest::check(&place.join(ROOT), &records, TreeCheckLevel::Metadata)
}

fn examine(place: &Path, check: TreeCheckLevel) -> Result<(), StoreDamage> {
    let records = TreeManifest::read(&place.join(MANIFEST))?.records(TreeCheckScope::All)?;
    manifest::check(&place.join(ROOT), &records, check)
}

/// Sets the modification time of an entry to now, as the time of its last use.
fn touch(path: &Path) -> Result<(), StoreError> {
    let now = TimeSpec::UTIME_NOW;
    utimensat(AT_FDCWD, path, &now, &now, UtimensatFlags::NoFollowSymlink)
        .map_err(|errno| StoreError::write(path, errno.into()))
}
