//! Errors of the storage, and their conversion to gRPC statuses.

use std::path::PathBuf;

use miette::Diagnostic;
use tonic::Status;

use maelstrom_container::digest::Digest;
use maelstrom_container::store::StoreError;
use maelstrom_model::error::{ProgramError, with_causes};

const MAKERS: &str = "the program that asked is at fault: report it to its makers";

/// Why a storage operation failed.
#[derive(Debug, Diagnostic, thiserror::Error)]
pub enum CasStorageError {
    /// Another broker uses the directory.
    #[error("the storage directory `{}` is in use by another broker", path.display())]
    #[diagnostic(help("stop the other broker, or give each a directory of its own"))]
    InUse { path: PathBuf },
    /// The blob is absent.
    #[error("the blob {digest} is not in the storage")]
    #[diagnostic(help("upload it again"))]
    Absent { digest: Digest },
    /// The blob does not match its digest.
    #[error("the blob {digest} was damaged in the storage, and has been removed from it")]
    #[diagnostic(help("upload it again"))]
    Damaged { digest: Digest },
    /// The offset lies beyond the end of the blob.
    #[error("the blob {digest} has no byte {offset}")]
    #[diagnostic(help("{MAKERS}"))]
    OutOfRange { digest: Digest, offset: u64 },
    /// The upload exceeds the announced size.
    #[error("more came than the {} bytes that were announced of {expected}", expected.size_bytes)]
    #[diagnostic(help("{MAKERS}"))]
    TooLong { expected: Digest },
    /// The file system is full.
    #[error("no space left for {digest} at `{}`: {needed_bytes} more bytes are needed", path.display())]
    #[diagnostic(help(
        "make room on that file system, lower the storage's size, or name a directory elsewhere"
    ))]
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
    #[diagnostic(transparent)]
    Store(#[from] StoreError),
    /// The operation was aborted because the program exits.
    #[error("the storage is being closed")]
    #[diagnostic(help("try again when the broker is back"))]
    Closing,
}

impl ProgramError for CasStorageError {}

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
