//! Reads blobs from the storage.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};

use bytes::Bytes;

use super::error::CasStorageError;
use super::storage::{CasStorage, blocking};
use maelstrom_container::digest::{Digest, DigestHasher};
use maelstrom_container::store::StoreError;
use maelstrom_wire::reapi::limits::CHUNK_BYTES;

/// A blob that is read chunk by chunk. The last chunk is returned only if the whole blob matches
/// its digest; a read that stops short of the end cannot be verified.
#[derive(Debug)]
pub struct BlobReader {
    digest: Digest,
    state: BlobReaderState,
}

#[derive(Debug)]
enum BlobReaderState {
    Open(Box<OpenBlob>),
    /// All chunks were returned, or reading failed.
    Over,
}

struct OpenBlob {
    storage: CasStorage,
    digest: Digest,
    file: File,
    /// The hash of everything before the position, if the blob is read to its end.
    hash: Option<DigestHasher>,
    position: u64,
    end: u64,
}

impl std::fmt::Debug for OpenBlob {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Open")
            .field("position", &self.position)
            .field("end", &self.end)
            .finish_non_exhaustive()
    }
}

impl CasStorage {
    /// Opens a blob for reading, from `offset` on and up to `limit` bytes.
    pub async fn read(
        &self,
        digest: Digest,
        offset: u64,
        limit: Option<u64>,
    ) -> Result<BlobReader, CasStorageError> {
        BlobReader::open(self.clone(), digest, offset, limit).await
    }
}

impl BlobReader {
    async fn open(
        storage: CasStorage,
        digest: Digest,
        offset: u64,
        limit: Option<u64>,
    ) -> Result<BlobReader, CasStorageError> {
        if !storage.contains(&digest) {
            return Err(CasStorageError::Absent { digest });
        }
        if offset > digest.size_bytes {
            return Err(CasStorageError::OutOfRange { digest, offset });
        }
        let end = limit.map_or(digest.size_bytes, |limit| {
            digest.size_bytes.min(offset.saturating_add(limit))
        });
        if end == offset {
            return Ok(BlobReader {
                digest,
                state: BlobReaderState::Over,
            });
        }
        let open = blocking(move || OpenBlob::begin(storage, digest, offset, end)).await?;
        Ok(BlobReader {
            digest,
            state: BlobReaderState::Open(Box::new(open)),
        })
    }

    /// Returns the digest of the blob.
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// Returns the next chunk; `None` after the last one. An error is final.
    pub async fn next(&mut self) -> Result<Option<Bytes>, CasStorageError> {
        match std::mem::replace(&mut self.state, BlobReaderState::Over) {
            BlobReaderState::Over => Ok(None),
            BlobReaderState::Open(mut open) => {
                let (piece, state) = blocking(move || {
                    let piece = open.next()?;
                    Ok(match open.position < open.end {
                        true => (piece, BlobReaderState::Open(open)),
                        false => (piece, BlobReaderState::Over),
                    })
                })
                .await?;
                self.state = state;
                Ok(Some(piece))
            }
        }
    }
}

impl OpenBlob {
    fn begin(
        storage: CasStorage,
        digest: Digest,
        offset: u64,
        end: u64,
    ) -> Result<OpenBlob, CasStorageError> {
        // It was in the index: since then it was evicted, or its file was removed or truncated from
        // outside.
        let Some(blob) = storage.store().blob(digest)? else {
            return Err(storage.vanished(digest));
        };
        let file = match blob.open() {
            Ok(file) => file,
            Err(StoreError::Read { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
                return Err(storage.vanished(digest));
            }
            Err(error) => return Err(error.into()),
        };
        let mut open = OpenBlob {
            file,
            storage,
            digest,
            hash: match end == digest.size_bytes {
                true => Some(DigestHasher::default()),
                false => None,
            },
            position: 0,
            end,
        };
        open.skip(offset)?;
        Ok(open)
    }

    /// Skips to an offset; the bytes before it are hashed to verify the rest.
    fn skip(&mut self, offset: u64) -> Result<(), CasStorageError> {
        let skipped = match &mut self.hash {
            // The hash covers the whole blob, so skipped bytes are read as well.
            Some(hasher) => io::copy(&mut (&self.file).take(offset), hasher),
            None => self.file.seek(SeekFrom::Start(offset)),
        };
        self.position = skipped.map_err(|error| self.failed(error))?;
        match self.position == offset {
            true => Ok(()),
            false => Err(self.damaged()),
        }
    }

    fn next(&mut self) -> Result<Bytes, CasStorageError> {
        let left = self.end - self.position;
        let size = usize::try_from(left).map_or(CHUNK_BYTES, |left| left.min(CHUNK_BYTES));
        let mut piece = vec![0; size];
        match self.file.read_exact(&mut piece) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                return Err(self.damaged());
            }
            Err(error) => return Err(self.failed(error)),
        }
        self.position += size as u64;
        if let Some(hasher) = &mut self.hash {
            hasher.update(&piece);
        }
        // The last chunk is withheld: a client that has all the others notices that its blob is too
        // short.
        if self.position == self.end
            && let Some(hasher) = self.hash.take()
            && hasher.finish() != self.digest
        {
            return Err(self.damaged());
        }
        Ok(piece.into())
    }

    fn damaged(&self) -> CasStorageError {
        match self.storage.remove_damaged(self.digest, &self.file) {
            Ok(()) => CasStorageError::Damaged {
                digest: self.digest,
            },
            Err(error) => error,
        }
    }

    fn failed(&self, source: io::Error) -> CasStorageError {
        CasStorageError::Store(StoreError::Read {
            path: self.storage.root().join(self.digest.to_string()),
            source,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::CasStorageOptions;
    use super::*;

    #[tokio::test]
    async fn a_blob_that_is_evicted_while_it_is_opened_is_absent_and_not_damaged() {
        let directory = tempfile::tempdir().unwrap();
        let options = CasStorageOptions {
            root: directory.path().join("storage"),
            size_target_bytes: 100,
        };
        let storage = CasStorage::open(&options).unwrap();
        let first = storage.add(vec![1; 60].into()).await.unwrap();
        assert!(storage.contains(&first));
        storage.add(vec![2; 60].into()).await.unwrap();
        let opened = OpenBlob::begin(storage.clone(), first, 0, 60);
        let error = opened.err().unwrap();
        assert!(matches!(error, CasStorageError::Absent { .. }), "{error}");
        assert_eq!(storage.usage().damaged_blobs, 0);

        // A blob that was removed from outside is lost.
        let second = Digest::of(&[2; 60]);
        let blobs = storage.root().join("blobs");
        std::fs::remove_file(blobs.join(second.hash.to_string())).unwrap();
        let error = storage.read(second, 0, None).await.err().unwrap();
        assert!(matches!(error, CasStorageError::Damaged { .. }), "{error}");
        storage.loss().await;
    }
}
