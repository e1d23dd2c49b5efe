//! The content store: blobs and materialized trees by digest, in a cache directory that several
//! programs may use at once.
//!
//! Ownership: all programs that open the directory share it; a [`Store`] owns its descriptors and
//! remembers which trees it has checked. [`Tree`] and [`Blob`] are pins: while one lives, no
//! program evicts its entry, and when the process dies, the kernel unpins it. The paths that they
//! return are valid only that long.
//!
//! Invariants:
//! - An entry appears and disappears by one rename, complete. What a program that dies leaves
//!   half-made is in `scratch/`, and the next program to open the store removes it.
//! - A tree is compared with its manifest before it is first handed out (a very large one part by
//!   part, over several uses); a damaged one is removed and counts as absent. Nothing is synced to
//!   disk, since a power loss shows as such damage.
//! - Content is made by one program at a time; the others wait and use the result.
//! - The store exceeds its target only by what is in use or just being added.
//! - Trees belong to the user, hold no special files but whiteouts, and can be the lower
//!   directories of an overlay that an ordinary user mounts (with `userxattr`).
//!
//! The store knows nothing of containers, or of what a tree or blob is for.

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

/// Options for opening a store.
#[derive(Clone, Debug)]
pub struct StoreOptions {
    /// The cache directory; made if it isn't there.
    pub root: PathBuf,
    /// What the store should take up at most. Entries in use and one being added may exceed it.
    pub size_target_bytes: u64,
}

/// An open store. Cloning gives another handle on the same one.
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
    /// What the store was last known to take up; `None` before it was measured.
    size_bytes: Mutex<Option<u64>>,
    /// Trees that were looked over and are still in use.
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
    /// The name it has in the store.
    pub fn hash(&self) -> ContentHash {
        self.handle.hash
    }

    /// Its root on the host, absolute; valid while this value, or a clone, lives.
    pub fn root(&self) -> &Path {
        &self.handle.root
    }
}

impl Store {
    /// Opens a store, sets its directory up if need be, and removes what dead programs left.
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

    /// The cache directory, absolute and without links.
    pub fn root(&self) -> &Path {
        self.shared.layout.root()
    }

    /// Digests of files outside the store.
    pub fn digests(&self) -> &DigestCache {
        &self.shared.digests
    }

    /// The tree of this name, if it is there and sound. A damaged one is removed.
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

    /// The tree of this name; if it isn't there, it is made by `build`, whose writer starts with an
    /// empty directory. Of several callers, in any program, one builds and the others wait.
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
        // Another program may have made it while this one waited for the lock.
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
        // Pinned before it appears, so that no other program evicts it in between.
        let pin = self.shared.pins.pin(id)?;
        let place = self.place(id);
        fs::rename(scratch.path(), &place).map_err(|source| StoreError::write(&place, source))?;
        let tree = self.hand_out(hash, pin);
        self.grown(summary.size_bytes)?;
        Ok(tree)
    }

    /// Compares a tree with its manifest. A damaged tree is for the caller to give up; once it has,
    /// the next request recreates it.
    pub fn verify(&self, tree: &Tree, check: TreeCheckLevel) -> Result<(), StoreDamage> {
        let place = self.place(EntryId {
            kind: EntryKind::Tree,
            hash: tree.hash(),
        });
        let verdict = examine(&place, check);
        if verdict.is_err() {
            self.forget(tree.hash());
            // So that the next request notices, whatever it checks.
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
        // Nobody is told when the last user of a tree is gone, so that such entries are removed
        // here.
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

    /// Takes away what stands at a path, by one rename. It is removed when the value is dropped;
    /// nothing may stand there in the first place.
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

/// A look at a tree that is about to be used.
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

/// Notes that an entry is used now: the time by which the least recently used are found.
fn touch(path: &Path) -> Result<(), StoreError> {
    let now = TimeSpec::UTIME_NOW;
    utimensat(AT_FDCWD, path, &now, &now, UtimensatFlags::NoFollowSymlink)
        .map_err(|errno| StoreError::write(path, errno.into()))
}
