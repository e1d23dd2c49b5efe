//! Resumable downloads of blobs, across runs and programs.
//!
//! The bytes received so far are kept when a program ends for any reason; the next program that
//! needs the blob resumes from there. One program at a time writes; the others wait for it. Like
//! any entry, an incomplete blob that is no longer used is evicted.

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

/// The result of requesting a blob.
#[derive(Debug)]
pub enum BlobLookup {
    Whole(Blob),
    /// The blob is missing or incomplete.
    Partial(PartialBlob),
}

/// A blob that may have arrived in part. Dropping it before [`Self::finish`] keeps the part.
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
    /// Returns the blob with this digest, or the means to complete it. Waits while another program
    /// downloads it.
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
        // The state of the hash is not saved, so the existing bytes are read again.
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
    /// Returns the number of bytes received so far.
    pub fn arrived_bytes(&self) -> u64 {
        self.hasher.size_bytes()
    }

    /// Returns the digest that the complete blob must have.
    pub fn expected(&self) -> Digest {
        self.expected
    }

    /// Appends the next bytes.
    pub fn write(&mut self, bytes: &[u8]) -> Result<(), StoreError> {
        self.file
            .write_all(bytes)
            .map_err(|source| StoreError::write(&self.path, source))?;
        self.hasher.update(bytes);
        Ok(())
    }

    /// Discards the bytes received so far.
    pub fn restart(&mut self) -> Result<(), StoreError> {
        self.file
            .set_len(0)
            .map_err(|source| StoreError::write(&self.path, source))?;
        self.hasher = DigestHasher::default();
        Ok(())
    }

    /// Removes the incomplete blob, because it is no longer needed.
    pub fn abandon(self) -> Result<(), StoreError> {
        fs::remove_file(&self.path).map_err(|source| StoreError::remove(&self.path, source))
    }

    /// Turns the download into a blob, if it matches the expected digest. Otherwise it is removed.
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
