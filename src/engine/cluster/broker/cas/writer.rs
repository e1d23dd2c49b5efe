//! Writes blobs into the storage, whole or chunk by chunk.

use bytes::Bytes;
use maelstrom_container::digest::Digest;
use maelstrom_container::store::{IncomingBlob, StoreError};

use super::error::CasStorageError;
use super::storage::{CasStorage, blocking};

/// A blob that is written chunk by chunk. If it is dropped before [`Self::finish`], nothing
/// remains. Every method blocks.
#[derive(Debug)]
pub struct BlobWriter {
    storage: CasStorage,
    expected: Digest,
    incoming: IncomingBlob,
}

impl CasStorage {
    /// Begins a blob. Blocks, as do the methods of the result.
    pub fn writer(&self, expected: Digest) -> Result<BlobWriter, CasStorageError> {
        BlobWriter::begin(self.clone(), expected)
    }

    /// Adds a small blob from this process.
    pub async fn add(&self, content: Bytes) -> Result<Digest, CasStorageError> {
        let storage = self.clone();
        blocking(move || {
            let digest = Digest::of(&content);
            storage.add_now(digest, &content).map(|()| digest)
        })
        .await
    }

    /// Adds small blobs whose digests a client announced, and returns the result of each, in the
    /// given order.
    pub async fn add_all(
        &self,
        blobs: Vec<(Digest, Bytes)>,
    ) -> Result<Vec<Result<(), CasStorageError>>, CasStorageError> {
        let storage = self.clone();
        let add = move |(digest, content): (Digest, Bytes)| storage.add_now(digest, &content);
        blocking(move || Ok(blobs.into_iter().map(add).collect())).await
    }

    fn add_now(&self, digest: Digest, content: &[u8]) -> Result<(), CasStorageError> {
        if self.contains(&digest) {
            // A sender whose content does not match its digest must get an error.
            let actual = Digest::of(content);
            return match actual == digest {
                true => Ok(()),
                false => Err(mismatch(digest, actual)),
            };
        }
        let mut writer = self.writer(digest)?;
        writer.write(content)?;
        writer.finish()
    }
}

impl BlobWriter {
    fn begin(storage: CasStorage, expected: Digest) -> Result<Self, CasStorageError> {
        let incoming = storage.store().incoming().or_else(|error| {
            // Even an empty file needs an inode and a directory entry, so a full disk may show up
            // here.
            make_room(&storage, expected, 0, error)?;
            Ok::<_, CasStorageError>(storage.store().incoming()?)
        })?;
        Ok(BlobWriter {
            storage,
            expected,
            incoming,
        })
    }

    /// Returns the expected digest.
    pub fn expected(&self) -> Digest {
        self.expected
    }

    /// Returns how many bytes have arrived.
    pub fn arrived_bytes(&self) -> u64 {
        self.incoming.arrived_bytes()
    }

    /// Discards the bytes that have arrived.
    pub fn restart(&mut self) -> Result<(), CasStorageError> {
        Ok(self.incoming.restart()?)
    }

    /// Appends bytes. After an error none of them counts as arrived.
    pub fn write(&mut self, bytes: &[u8]) -> Result<(), CasStorageError> {
        let arrived = self.incoming.arrived_bytes();
        if arrived + bytes.len() as u64 > self.expected.size_bytes {
            return Err(CasStorageError::TooLong {
                expected: self.expected,
            });
        }
        self.incoming.write(bytes).or_else(|error| {
            make_room(&self.storage, self.expected, arrived, error)?;
            let written = self.incoming.write(bytes);
            written.map_err(|error| no_space(self.expected, arrived, error))
        })
    }

    /// Makes the blob visible if it matches its digest; otherwise discards it.
    pub fn finish(self) -> Result<(), CasStorageError> {
        let BlobWriter {
            storage,
            expected,
            incoming,
        } = self;
        storage.appear(expected, || incoming.finish(expected).map(drop))
    }
}

/// Frees space if the error is a lack of space; returns any other error.
fn make_room(
    storage: &CasStorage,
    expected: Digest,
    arrived_bytes: u64,
    error: StoreError,
) -> Result<(), CasStorageError> {
    match no_space(expected, arrived_bytes, error) {
        CasStorageError::NoSpace { needed_bytes, .. } => storage.make_room(needed_bytes),
        other => Err(other),
    }
}

fn no_space(digest: Digest, arrived_bytes: u64, error: StoreError) -> CasStorageError {
    match error {
        StoreError::Full { ref path, .. } => CasStorageError::NoSpace {
            digest,
            path: path.clone(),
            needed_bytes: digest.size_bytes.saturating_sub(arrived_bytes),
            source: Box::new(error),
        },
        other => CasStorageError::Store(other),
    }
}

fn mismatch(expected: Digest, actual: Digest) -> CasStorageError {
    CasStorageError::Store(StoreError::Mismatch { expected, actual })
}
