//! Resumable downloads of blobs, across runs and programs.
//!
//! The bytes that have arrived stay when a program ends, for whatever reason; the next program that
//! needs the blob resumes from there. One program at a time writes; the others wait for it. Like
//! any entry, one that is no longer used is evicted.

use std::fs::{self, File};
use std::io::{self, Seek, Write};
use std::path::PathBuf;

use super::Store;
use super::blob::Blob;
use super::error::StoreError;
use super::lock::LockFile;
use super::pin::{EntryId, EntryKind, EntryPin};
use crate::digest::{Digest, DigestHasher};
use crate::private;

/// A blob that was asked for.
#[derive(Debug)]
pub enum BlobLookup {
    Whole(Blob),
    /// It has yet to arrive, or the rest of it.
    Partial(PartialBlob),
}

/// A blob of which a part may have arrived. Dropped before [`Self::finish`], the part stays.
pub struct PartialBlob {
    store: Store,
    expected: Digest,
    path: PathBuf,
    file: File,
    hasher: DigestHasher,
    _lock: LockFile,
    _pin: EntryPin,
}

impl std::fmt::Debug for PartialBlob {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("PartialBlob")
            .field("path", &self.path)
            .field("arrived", &self.hasher.size_bytes())
            .finish_non_exhaustive()
    }
}

impl Store {
    /// The blob of this digest, or the means to complete it. Waits while another program does.
    pub fn want_blob(&self, digest: Digest) -> Result<BlobLookup, StoreError> {
        if let Some(blob) = self.blob(digest)? {
            return Ok(BlobLookup::Whole(blob));
        }
        let id = EntryId {
            kind: EntryKind::Partial,
            hash: digest.hash,
        };
        let lock = self.shared.builds.reopen()?;
        lock.lock(id.slot())?;
        if let Some(blob) = self.blob(digest)? {
            return Ok(BlobLookup::Whole(blob));
        }
        let pin = self.shared.pins.pin(id)?;
        let path = self.place(id);
        let mut file =
            private::appended(&path).map_err(|source| StoreError::write(&path, source))?;
        // A hash in the making is not kept on disk, so that what has arrived is read once more.
        let hasher = hash_arrived(&mut file).map_err(|source| StoreError::read(&path, source))?;
        let mut partial = PartialBlob {
            store: self.clone(),
            expected: digest,
            path,
            file,
            hasher,
            _lock: lock,
            _pin: pin,
        };
        if partial.arrived_bytes() > digest.size_bytes {
            partial.restart()?;
        }
        Ok(BlobLookup::Partial(partial))
    }
}

fn hash_arrived(file: &mut File) -> io::Result<DigestHasher> {
    let mut hasher = DigestHasher::default();
    file.rewind()?;
    io::copy(file, &mut hasher)?;
    Ok(hasher)
}

impl PartialBlob {
    /// How much of it is there.
    pub fn arrived_bytes(&self) -> u64 {
        self.hasher.size_bytes()
    }

    /// What it must be in the end.
    pub fn expected(&self) -> Digest {
        self.expected
    }

    /// Adds what comes next.
    pub fn write(&mut self, bytes: &[u8]) -> Result<(), StoreError> {
        self.file
            .write_all(bytes)
            .map_err(|source| StoreError::write(&self.path, source))?;
        self.hasher.update(bytes);
        Ok(())
    }

    /// Forgets what has arrived.
    pub fn restart(&mut self) -> Result<(), StoreError> {
        self.file
            .set_len(0)
            .map_err(|source| StoreError::write(&self.path, source))?;
        self.hasher = DigestHasher::default();
        Ok(())
    }

    /// Removes what has arrived: nobody needs the blob any more.
    pub fn abandon(self) -> Result<(), StoreError> {
        fs::remove_file(&self.path).map_err(|source| StoreError::remove(&self.path, source))
    }

    /// Makes a blob of it if it is what was announced; otherwise it is removed.
    pub fn finish(self) -> Result<Blob, StoreError> {
        let actual = self.hasher.finish();
        if actual != self.expected {
            fs::remove_file(&self.path).map_err(|source| StoreError::remove(&self.path, source))?;
            return Err(StoreError::Mismatch {
                expected: self.expected,
                actual,
            });
        }
        self.store.adopt_blob(&self.path, actual)
    }
}
