//! A blob on its way into the storage.

use maelstrom_container::digest::Digest;
use maelstrom_container::store::{IncomingBlob, StoreError};

use super::error::CasStorageError;
use super::storage::CasStorage;

/// A blob that arrives bit by bit. Dropped before [`Self::finish`], it leaves nothing. Every method
/// blocks.
#[derive(Debug)]
pub struct BlobWriter {
    storage: CasStorage,
    expected: Digest,
    incoming: IncomingBlob,
}

impl BlobWriter {
    pub(super) fn begin(storage: CasStorage, expected: Digest) -> Result<Self, CasStorageError> {
        let incoming = storage.store().incoming().or_else(|error| {
            make_room(&storage, expected, 0, error)?;
            Ok::<_, CasStorageError>(storage.store().incoming()?)
        })?;
        Ok(BlobWriter {
            storage,
            expected,
            incoming,
        })
    }

    /// What it must be in the end.
    pub fn expected(&self) -> Digest {
        self.expected
    }

    /// How much of it is there.
    pub fn arrived_bytes(&self) -> u64 {
        self.incoming.arrived_bytes()
    }

    /// Forgets what has arrived.
    pub fn restart(&mut self) -> Result<(), CasStorageError> {
        Ok(self.incoming.restart()?)
    }

    /// Adds what comes next. After an error none of it counts as arrived.
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

    /// Lets it be seen, if it is what was announced. Otherwise nothing of it stays.
    pub fn finish(self) -> Result<(), CasStorageError> {
        let BlobWriter {
            storage,
            expected,
            incoming,
        } = self;
        storage.appear(expected, || incoming.finish(expected).map(drop))
    }
}

/// Makes room if that is what was lacking; any other error stays one.
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
