//! Uploads of blobs from peers that may be slow, may stop, and may send the same blob twice at a
//! time.
//!
//! Unlike a [`super::PartialBlob`], an upload is removed with its owner: several of the same digest
//! may arrive concurrently, and the first complete one wins.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;

use super::Store;
use super::blob::Blob;
use super::error::StoreError;
use super::scratch::ScratchPath;
use crate::digest::{Digest, DigestHasher};
use crate::private;

/// A blob that arrives. Dropped before [`Self::finish`], it leaves nothing.
pub struct IncomingBlob {
    store: Store,
    // Closed before the place is given up.
    file: File,
    scratch: ScratchPath,
    hasher: DigestHasher,
}

impl std::fmt::Debug for IncomingBlob {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("IncomingBlob")
            .field("path", &self.scratch.path())
            .field("arrived", &self.hasher.size_bytes())
            .finish_non_exhaustive()
    }
}

impl Store {
    /// Makes room for a blob whose content is yet to come.
    pub fn incoming(&self) -> Result<IncomingBlob, StoreError> {
        let scratch = self.scratch()?;
        let file = private::new_file(scratch.path())
            .map_err(|source| StoreError::write(scratch.path(), source))?;
        Ok(IncomingBlob {
            store: self.clone(),
            file,
            scratch,
            hasher: DigestHasher::default(),
        })
    }
}

impl IncomingBlob {
    /// Where it is while it arrives.
    pub fn path(&self) -> &Path {
        self.scratch.path()
    }

    /// How much of it is there.
    pub fn arrived_bytes(&self) -> u64 {
        self.hasher.size_bytes()
    }

    /// Adds what comes next. After an error none of it counts as arrived, and it may be tried
    /// again.
    pub fn write(&mut self, bytes: &[u8]) -> Result<(), StoreError> {
        self.file
            .write_all_at(bytes, self.hasher.size_bytes())
            .map_err(|source| StoreError::write(self.scratch.path(), source))?;
        self.hasher.update(bytes);
        Ok(())
    }

    /// Forgets what has arrived.
    pub fn restart(&mut self) -> Result<(), StoreError> {
        self.file
            .set_len(0)
            .map_err(|source| StoreError::write(self.scratch.path(), source))?;
        self.hasher = DigestHasher::default();
        Ok(())
    }

    /// Makes a blob of it if it is what was announced.
    pub fn finish(self, expected: Digest) -> Result<Blob, StoreError> {
        let actual = self.hasher.finish();
        if actual != expected {
            return Err(StoreError::Mismatch { expected, actual });
        }
        // A write that failed half-way may have left something behind the end.
        self.file
            .set_len(actual.size_bytes)
            .map_err(|source| StoreError::write(self.scratch.path(), source))?;
        self.store.adopt_blob(self.scratch.path(), actual)
    }
}
