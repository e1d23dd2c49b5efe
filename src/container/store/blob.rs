//! Blobs: files named by the digest of their content.

use std::fs::{self, File, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use super::error::StoreError;
use super::pin::{EntryId, EntryKind, EntryPin};
use super::scratch::ScratchPath;
use super::{Store, touch};
use crate::digest::{ContentHash, Digest};
use crate::private;

/// A blob in use. It is not evicted while this value exists.
#[derive(Debug)]
pub struct Blob {
    path: PathBuf,
    digest: Digest,
    _pin: EntryPin,
}

impl Blob {
    /// Returns the path of the file. It is valid as long as this value exists, and must never be
    /// written to.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Returns the digest of the content.
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// Opens the blob for reading.
    pub fn open(&self) -> Result<File, StoreError> {
        File::open(&self.path).map_err(|source| StoreError::read(&self.path, source))
    }
}

/// A blob in a listing of the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ListedBlob {
    pub hash: ContentHash,
    pub size_bytes: u64,
    /// The time of its last use in nanoseconds since 1970.
    pub last_used: u128,
}

/// A removed blob. Dropping this value frees its disk space, which may take a while.
#[derive(Debug)]
pub struct RemovedBlob {
    _scratch: ScratchPath,
}

impl RemovedBlob {
    pub(super) fn new(scratch: ScratchPath) -> Self {
        RemovedBlob { _scratch: scratch }
    }
}

impl Store {
    /// Returns the blob with this digest, if it exists with its full size. A blob of another size
    /// is removed. The content is not checked, because users of the blob read it anyway and can
    /// hash it meanwhile.
    pub fn blob(&self, digest: Digest) -> Result<Option<Blob>, StoreError> {
        let id = blob_id(digest.hash);
        let pin = self.shared.pins.pin(id)?;
        let path = self.place(id);
        match fs::symlink_metadata(&path) {
            Ok(metadata) if metadata.is_file() && metadata.len() == digest.size_bytes => {
                touch(&path)?;
                Ok(Some(Blob {
                    path,
                    digest,
                    _pin: pin,
                }))
            }
            Ok(_) => {
                tracing::warn!(path = %path.display(), "a damaged blob is removed");
                self.discard(id)?;
                Ok(None)
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(StoreError::read(&path, error)),
        }
    }

    /// Returns the content of a small blob, if it exists and matches its hash. A damaged blob is
    /// removed.
    pub fn content(&self, hash: ContentHash) -> Result<Option<Vec<u8>>, StoreError> {
        let id = blob_id(hash);
        let _pin = self.shared.pins.pin(id)?;
        let path = self.place(id);
        match fs::read(&path) {
            Ok(content) if ContentHash::of(&content) == hash => {
                touch(&path)?;
                Ok(Some(content))
            }
            Ok(_) => {
                tracing::warn!(path = %path.display(), "a damaged blob is removed");
                self.discard(id)?;
                Ok(None)
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(StoreError::read(&path, error)),
        }
    }

    /// Adds a small blob.
    pub fn add_content(&self, content: &[u8]) -> Result<Blob, StoreError> {
        let scratch = self.scratch()?;
        let write = |source| StoreError::write(scratch.path(), source);
        private::new_file(scratch.path())
            .and_then(|mut file| file.write_all(content))
            .map_err(write)?;
        self.adopt_blob(scratch.path(), Digest::of(content))
    }

    /// Removes a blob that is no longer needed or whose content does not match its digest.
    pub fn discard_blob(&self, blob: Blob) -> Result<(), StoreError> {
        self.discard(blob_id(blob.digest.hash))
    }

    /// Removes a blob even if it is in use. Does nothing if it does not exist.
    pub fn remove_blob(&self, hash: ContentHash) -> Result<RemovedBlob, StoreError> {
        self.take_away(&self.place(blob_id(hash)))
            .map(RemovedBlob::new)
    }

    /// Moves a file with known content into the store.
    pub(super) fn adopt_blob(&self, file: &Path, digest: Digest) -> Result<Blob, StoreError> {
        let id = blob_id(digest.hash);
        fs::set_permissions(file, Permissions::from_mode(0o400))
            .map_err(|source| StoreError::write(file, source))?;
        let pin = self.shared.pins.pin(id)?;
        let path = self.place(id);
        fs::rename(file, &path).map_err(|source| StoreError::write(&path, source))?;
        self.grown(digest.size_bytes)?;
        Ok(Blob {
            path,
            digest,
            _pin: pin,
        })
    }
}

fn blob_id(hash: ContentHash) -> EntryId {
    EntryId {
        kind: EntryKind::Blob,
        hash,
    }
}
