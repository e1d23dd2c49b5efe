//! Uploads of blobs from peers that may be slow, may stop, and may send the same blob concurrently.
//!
//! Unlike a [`super::PartialBlob`], an incomplete upload is removed when its owner drops it.
//! Several uploads of the same digest may arrive concurrently, and the first complete one is kept.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;

use super::Store;
use super::blob::Blob;
use super::error::StoreError;
use super::scratch::ScratchPath;
use crate::digest::{Digest, DigestHasher};
use crate::private;

/// A blob being uploaded. Dropping it before [`Self::finish`] removes it.
pub struct IncomingBlob {
    store: Store,
    // Declared before `scratch`, so that the file is closed before its path is removed.
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
    /// Starts an upload.
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
    /// Returns the path of the file during the upload.
    pub fn path(&self) -> &Path {
        self.scratch.path()
    }

    /// Returns the number of bytes received so far.
    pub fn arrived_bytes(&self) -> u64 {
        self.hasher.size_bytes()
    }

    /// Appends the next bytes. After an error none of them count as received, and the call may be
    /// repeated.
    pub fn write(&mut self, bytes: &[u8]) -> Result<(), StoreError> {
        self.file
            .write_all_at(bytes, self.hasher.size_bytes())
            .map_err(|source| StoreError::write(self.scratch.path(), source))?;
        self.hasher.update(bytes);
        Ok(())
    }

    /// Discards the bytes received so far.
    pub fn restart(&mut self) -> Result<(), StoreError> {
        self.file
            .set_len(0)
            .map_err(|source| StoreError::write(self.scratch.path(), source))?;
        self.hasher = DigestHasher::default();
        Ok(())
    }

    /// Turns the upload into a blob, if it matches the expected digest.
    pub fn finish(self, expected: Digest) -> Result<Blob, StoreError> {
        let actual = self.hasher.finish();
        if actual != expected {
            return Err(StoreError::Mismatch { expected, actual });
        }
        // A failed write may have left bytes after the end.
        self.file
            .set_len(actual.size_bytes)
            .map_err(|source| StoreError::write(self.scratch.path(), source))?;
        self.store.adopt_blob(self.scratch.path(), actual)
    }
}
