//! Why the storage could not do what was asked of it, and how that is told to those who asked.

use std::path::PathBuf;

use tonic::Status;

use maelstrom_container::digest::Digest;
use maelstrom_container::store::StoreError;
use maelstrom_model::error::with_causes;

/// Why the storage could not do what was asked of it.
#[derive(Debug, thiserror::Error)]
pub enum CasStorageError {
    /// Another broker uses the directory.
    #[error("the storage directory `{}` is in use by another broker", path.display())]
    InUse { path: PathBuf },
    /// The blob is not there.
    #[error("the blob {digest} is not in the storage")]
    Absent { digest: Digest },
    /// The blob was there, but was not what its name says.
    #[error("the blob {digest} was damaged in the storage, and has been removed from it")]
    Damaged { digest: Digest },
    /// The blob has no such place.
    #[error("the blob {digest} has no byte {offset}")]
    OutOfRange { digest: Digest, offset: u64 },
    /// More came than was announced.
    #[error("more came than the {} bytes that were announced of {expected}", expected.size_bytes)]
    TooLong { expected: Digest },
    /// The file system is full.
    #[error("no space left for {digest} at `{}`: {needed_bytes} more bytes are needed", path.display())]
    NoSpace {
        /// What was being written.
        digest: Digest,
        path: PathBuf,
        /// How much of it is lacking.
        needed_bytes: u64,
        /// What the system said.
        source: Box<StoreError>,
    },
    /// Reading or writing failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The work was given up, because the program ends.
    #[error("the storage is being closed")]
    Closing,
}

impl CasStorageError {
    /// What an operator can do about it.
    pub fn help(&self) -> &'static str {
        match self {
            CasStorageError::InUse { .. } => {
                "stop the other broker, or give each a directory of its own"
            }
            CasStorageError::Absent { .. } | CasStorageError::Damaged { .. } => "upload it again",
            CasStorageError::OutOfRange { .. } | CasStorageError::TooLong { .. } => {
                "the program that asked is at fault: report it to its makers"
            }
            CasStorageError::NoSpace { .. } => {
                "make room on that file system, lower the storage's size, or name a directory elsewhere"
            }
            CasStorageError::Store(error) => error.help(),
            CasStorageError::Closing => "try again when the broker is back",
        }
    }
}

impl From<CasStorageError> for Status {
    fn from(error: CasStorageError) -> Status {
        let message = with_causes(&error);
        match &error {
            CasStorageError::Absent { .. } | CasStorageError::Damaged { .. } => {
                Status::not_found(message)
            }
            CasStorageError::OutOfRange { .. } => Status::out_of_range(message),
            CasStorageError::TooLong { .. }
            | CasStorageError::Store(StoreError::Mismatch { .. }) => {
                Status::invalid_argument(message)
            }
            CasStorageError::NoSpace { .. } | CasStorageError::Store(StoreError::Full { .. }) => {
                Status::resource_exhausted(message)
            }
            CasStorageError::Closing | CasStorageError::InUse { .. } => {
                Status::unavailable(message)
            }
            CasStorageError::Store(_) => Status::internal(message),
        }
    }
}
