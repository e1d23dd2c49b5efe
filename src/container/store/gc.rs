//! Garbage collection: lists the entries of a store, consults the policy, and removes entries.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::PoisonError;

use super::blob::ListedBlob;
use super::error::StoreError;
use super::gc_policy::{GcCandidate, GcOutcome, StoreGc};
use super::lock::LockAttempt;
use super::manifest::ManifestSummary;
use super::pin::{EntryId, EntryKind};
use super::{MANIFEST, Store};

/// The result of [`Store::collect_garbage`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct GcSummary {
    /// The number of removed entries.
    pub removed: u64,
    /// The size of the store after the collection, in bytes.
    pub size_bytes: u64,
}

impl Store {
    /// Removes the least recently used entries that are not in use, until the store fits its target
    /// size. Runs automatically when an entry is added.
    pub fn collect_garbage(&self) -> Result<GcSummary, StoreError> {
        let mut candidates = Vec::new();
        let mut garbage = Vec::new();
        for kind in [EntryKind::Tree, EntryKind::Blob, EntryKind::Partial] {
            self.survey(kind, &mut candidates, &mut garbage)?;
        }
        let pins = self.shared.pins.gc_locks()?;
        let mut eviction = StoreGc::new(candidates, self.shared.size_target_bytes);
        let mut shrunk = GcSummary::default();
        while let Some(candidate) = eviction.next() {
            let slot = candidate.key.slot();
            let fate = match pins.try_lock(slot)? {
                LockAttempt::Refused => GcOutcome::InUse,
                LockAttempt::Granted => {
                    let scratch = self.take_away(&self.place(candidate.key));
                    // The lock is released before the removal, which may take a while and needs no
                    // lock.
                    pins.release(slot)?;
                    drop(scratch?);
                    shrunk.removed += 1;
                    GcOutcome::Removed
                }
            };
            eviction.resolve(&candidate, fate);
        }
        for path in garbage {
            drop(self.take_away(&path)?);
        }
        shrunk.size_bytes = eviction.total_bytes();
        *self.known_size() = Some(shrunk.size_bytes);
        Ok(shrunk)
    }

    /// Returns all blobs, in no particular order.
    pub fn blobs(&self) -> Result<Vec<ListedBlob>, StoreError> {
        let mut candidates = Vec::new();
        self.survey(EntryKind::Blob, &mut candidates, &mut Vec::new())?;
        let listed = candidates.into_iter().map(|candidate| ListedBlob {
            hash: candidate.key.hash,
            size_bytes: candidate.size_bytes,
            last_used: candidate.last_used,
        });
        Ok(listed.collect())
    }

    /// Records that an entry was added, and collects garbage if the store exceeds its target size.
    pub(super) fn grown(&self, added_bytes: u64) -> Result<(), StoreError> {
        let fits = {
            let mut size = self.known_size();
            *size = size.map(|size| size.saturating_add(added_bytes));
            // An unknown size counts as too large, because the collection determines it.
            size.is_some_and(|size| size <= self.shared.size_target_bytes)
        };
        if fits {
            Ok(())
        } else {
            self.collect_garbage().map(|_shrunk| ())
        }
    }

    fn known_size(&self) -> std::sync::MutexGuard<'_, Option<u64>> {
        let size = self.shared.size_bytes.lock();
        size.unwrap_or_else(PoisonError::into_inner)
    }

    /// Lists the entries of a kind, and the other files in their directory.
    fn survey(
        &self,
        kind: EntryKind,
        candidates: &mut Vec<GcCandidate<EntryId>>,
        garbage: &mut Vec<PathBuf>,
    ) -> Result<(), StoreError> {
        let directory = self.directory(kind);
        let read = |source| StoreError::read(&directory, source);
        for entry in fs::read_dir(&directory).map_err(read)? {
            let entry = entry.map_err(read)?;
            let hash = entry
                .file_name()
                .to_str()
                .and_then(|name| name.parse().ok());
            let Some(hash) = hash else {
                garbage.push(entry.path());
                continue;
            };
            // An entry whose size cannot be read counts as empty and unused, and is removed first.
            let (last_used, size_bytes) = use_and_size(kind, &entry.path()).unwrap_or_default();
            candidates.push(GcCandidate {
                last_used,
                key: EntryId { kind, hash },
                size_bytes,
            });
        }
        Ok(())
    }
}

fn use_and_size(kind: EntryKind, path: &Path) -> Option<(u128, u64)> {
    let (metadata, size_bytes) = match kind {
        EntryKind::Blob | EntryKind::Partial => {
            let metadata = fs::symlink_metadata(path).ok()?;
            let size_bytes = metadata.len();
            (metadata, size_bytes)
        }
        EntryKind::Tree => {
            let manifest = path.join(MANIFEST);
            let size_bytes = ManifestSummary::read(&manifest).ok()?.size_bytes;
            (fs::symlink_metadata(&manifest).ok()?, size_bytes)
        }
    };
    let nanoseconds =
        i128::from(metadata.mtime()) * 1_000_000_000 + i128::from(metadata.mtime_nsec());
    Some((u128::try_from(nanoseconds).unwrap_or(0), size_bytes))
}
