//! Errors of the storage, and their mapping to gRPC statuses.

use std::path::PathBuf;

use tonic::Status;

use maelstrom_container::digest::Digest;
use maelstrom_container::store::StoreError;
use maelstrom_model::error::with_causes;

/// Why a storage operation failed.
#[derive(Debug, thiserror::Error)]
pub enum CasStorageError {
    /// Another broker uses the directory.
    #[error("the storage directory `{}` is in use by another broker", path.display())]
    InUse { path: PathBuf },
    /// The blob is absent.
    #[error("the blob {digest} is not in the storage")]
    Absent { digest: Digest },
    /// The blob does not match its digest.
    #[error("the blob {digest} was damaged in the storage, and has been removed from it")]
    Damaged { digest: Digest },
    /// The offset lies beyond the blob.
    #[error("the blob {digest} has no byte {offset}")]
    OutOfRange { digest: Digest, offset: u64 },
    /// The upload exceeds the announced size.
    #[error("more came than the {} bytes that were announced of {expected}", expected.size_bytes)]
    TooLong { expected: Digest },
    /// The file system is full.
    #[error("no space left for {digest} at `{}`: {needed_bytes} more bytes are needed", path.display())]
    NoSpace {
        /// The blob being written.
        digest: Digest,
        path: PathBuf,
        /// How many bytes are lacking.
        needed_bytes: u64,
        /// The system's error.
        source: Box<StoreError>,
    },
    /// Reading or writing a file failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The operation was aborted because the program exits.
    #[error("the storage is being closed")]
    Closing,
}

impl CasStorageError {
    /// Suggests a fix to the operator.
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
