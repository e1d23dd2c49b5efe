//! Blobs: files under the name of their content.

use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use super::error::StoreError;
use super::pin::{EntryId, EntryKind, Pin};
use super::scratch::Scratch;
use super::{Store, touch};
use crate::container::digest::{Digest, Hasher};

/// A blob in use.
#[derive(Debug)]
pub struct Blob {
    path: PathBuf,
    digest: Digest,
    _pin: Pin,
}

/// A blob in the making. Dropped before [`Self::finish`], it leaves nothing behind.
pub struct BlobWriter<'store> {
    store: &'store Store,
    scratch: Scratch,
    file: File,
    hasher: Hasher,
}

impl Blob {
    /// The file; valid while this value lives, and never to be written to.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Its digest.
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// Opens it for reading.
    pub fn open(&self) -> Result<File, StoreError> {
        File::open(&self.path).map_err(|source| StoreError::read(&self.path, source))
    }
}

impl Store {
    /// The blob of this digest, if it is there in its full length. One of another length is removed.
    /// Its content is not read: who depends on it reads it anyway, and can hash it on the way.
    pub fn blob(&self, digest: Digest) -> Result<Option<Blob>, StoreError> {
        let id = EntryId {
            kind: EntryKind::Blob,
            hash: digest.hash,
        };
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

    /// Removes a blob whose content turned out not to be what its name says.
    pub fn discard_blob(&self, blob: Blob) -> Result<(), StoreError> {
        self.discard(EntryId {
            kind: EntryKind::Blob,
            hash: blob.digest.hash,
        })
    }

    /// Begins a blob.
    pub fn new_blob(&self) -> Result<BlobWriter<'_>, StoreError> {
        let scratch = self.scratch()?;
        let file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(scratch.path())
            .map_err(|source| StoreError::write(scratch.path(), source))?;
        Ok(BlobWriter {
            store: self,
            scratch,
            file,
            hasher: Hasher::default(),
        })
    }
}

impl BlobWriter<'_> {
    /// Adds bytes.
    pub fn write(&mut self, bytes: &[u8]) -> Result<(), StoreError> {
        self.hasher.update(bytes);
        self.file
            .write_all(bytes)
            .map_err(|source| StoreError::write(self.scratch.path(), source))
    }

    /// Puts the blob in its place if it is what was announced.
    pub fn finish(self, expected: Digest) -> Result<Blob, StoreError> {
        let BlobWriter {
            store,
            scratch,
            file,
            hasher,
        } = self;
        let digest = hasher.finish();
        if digest != expected {
            return Err(StoreError::Mismatch {
                expected,
                actual: digest,
            });
        }
        let id = EntryId {
            kind: EntryKind::Blob,
            hash: digest.hash,
        };
        file.set_permissions(Permissions::from_mode(0o400))
            .map_err(|source| StoreError::write(scratch.path(), source))?;
        let pin = store.shared.pins.pin(id)?;
        let path = store.place(id);
        fs::rename(scratch.path(), &path).map_err(|source| StoreError::write(&path, source))?;
        store.grown(digest.size_bytes)?;
        Ok(Blob {
            path,
            digest,
            _pin: pin,
        })
    }
}
