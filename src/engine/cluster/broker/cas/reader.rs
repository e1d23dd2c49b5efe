//! A blob on its way out of the storage.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};

use bytes::Bytes;

use super::error::CasStorageError;
use super::storage::{CasStorage, blocking};
use maelstrom_container::digest::{Digest, DigestHasher};
use maelstrom_container::store::StoreError;
use maelstrom_wire::reapi::limits::CHUNK_BYTES;

/// A blob that is read piece by piece. The last piece is given out only if the whole blob is what
/// its name says; a reader that is told to stop short of the end can't know, and isn't told.
#[derive(Debug)]
pub struct BlobReader {
    digest: Digest,
    state: BlobReaderState,
}

#[derive(Debug)]
enum BlobReaderState {
    Open(Box<OpenBlob>),
    /// Everything was given out, or nothing more can be.
    Over,
}

struct OpenBlob {
    storage: CasStorage,
    digest: Digest,
    file: File,
    /// Of everything before the position, if the end of the blob will be seen.
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
    /// Opens a blob for reading, from `offset` on, up to `limit` bytes of it.
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

    /// Which blob it is.
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// The next piece; `None` after the last one. After an error there is no other piece.
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
        // It was there a moment ago: it was evicted since, or somebody else has removed or cut its
        // file.
        let Some(blob) = storage.store().blob(digest)? else {
            storage.lost(digest);
            return Err(CasStorageError::Damaged { digest });
        };
        let mut open = OpenBlob {
            file: blob.open()?,
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

    /// What comes before is needed to verify the rest.
    fn skip(&mut self, offset: u64) -> Result<(), CasStorageError> {
        let skipped = match &mut self.hash {
            // The hash is one of the whole blob, so what is skipped is read all the same.
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
        // The piece is withheld: a client that got all others has a blob that is too short, and
        // notices.
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
