//! The errors of inputs that are not available.

use std::io;
use std::path::PathBuf;

use super::super::allowance::AllowanceError;
use super::super::content_fetcher::FetchError;
use super::directory::DirectoryError;
use maelstrom_container::devices::{DeviceError, DevicePattern};
use maelstrom_container::digest::Digest;
use maelstrom_container::store::{StoreError, TreePathError, TreeWriteError};
use maelstrom_wire::error::WireError;

/// Why a container's inputs are not available. None of these errors is a test failure.
#[derive(Debug, thiserror::Error)]
pub enum WorkerInputError {
    /// The template is invalid.
    #[error(transparent)]
    Message(#[from] WireError),
    /// The template is for another architecture.
    #[error("the programs are made for {wanted}, and this machine is {own}")]
    Architecture {
        /// The template's architecture.
        wanted: String,
        own: &'static str,
    },
    /// The template requests privileges that are not allowed here.
    #[error(transparent)]
    NotAllowed(#[from] AllowanceError),
    /// A blob could not be fetched.
    #[error(transparent)]
    Fetch(#[from] FetchError),
    /// A blob is not a valid directory.
    #[error("the content {digest} describes no directory")]
    Directory {
        digest: Digest,
        source: DirectoryError,
    },
    /// A tree exceeds a limit.
    #[error("the tree {root} has more than {max} {what}")]
    TooMuch {
        root: Digest,
        what: &'static str,
        /// The limit.
        max: u64,
    },
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A tree could not be written.
    #[error(transparent)]
    Tree(#[from] TreeWriteError),
    /// A path in a tree is invalid.
    #[error(transparent)]
    Path(#[from] TreePathError),
    /// A toolbox path cannot be read.
    #[error("cannot look at `{}`, which the job wants of this machine", path.display())]
    ToolboxUnreadable { path: PathBuf, source: io::Error },
    /// The host's files differ from the client's.
    #[error("`{}` is not the same here as on the client's machine", path.display())]
    ToolboxDiffers { path: PathBuf },
    /// The operator does not lend the path.
    #[error(
        "this worker does not lend `{}`, or what it leads to; its operator can, with `--lend`",
        path.display()
    )]
    ToolboxNotLent { path: PathBuf },
    /// The operator does not offer the device.
    #[error("this worker does not offer the device {0}; its operator can, with `--offer-device`")]
    DeviceNotOffered(DevicePattern),
    /// The device is offered, but not there.
    #[error(transparent)]
    Device(#[from] DeviceError),
    /// The path is private to this machine.
    #[error("`{}` holds what is this worker's own, and is shown to no job", path.display())]
    ToolboxPrivate { path: PathBuf },
    #[error("the worker ended before the inputs were at hand")]
    Interrupted,
}

/// A condition under which a retry may succeed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RetryHint {
    /// The blob has been uploaded again.
    Content,
    /// The storage is available again.
    Connection,
    None,
}

impl WorkerInputError {
    /// Returns the condition under which a retry may succeed, if there is one.
    pub fn hope(&self) -> RetryHint {
        match self {
            WorkerInputError::Fetch(error) => match error {
                FetchError::Missing { .. } | FetchError::Damaged { .. } => RetryHint::Content,
                FetchError::Unavailable { .. } => RetryHint::Connection,
                FetchError::Store(error) => hope_of_store(error),
            },
            WorkerInputError::Store(error) => hope_of_store(error),
            WorkerInputError::Message(_)
            | WorkerInputError::Architecture { .. }
            | WorkerInputError::NotAllowed(_)
            | WorkerInputError::Directory { .. }
            | WorkerInputError::TooMuch { .. }
            | WorkerInputError::Tree(_)
            | WorkerInputError::Path(_)
            | WorkerInputError::ToolboxUnreadable { .. }
            | WorkerInputError::ToolboxDiffers { .. }
            | WorkerInputError::ToolboxNotLent { .. }
            | WorkerInputError::DeviceNotOffered(_)
            | WorkerInputError::Device(_)
            | WorkerInputError::ToolboxPrivate { .. }
            | WorkerInputError::Interrupted => RetryHint::None,
        }
    }
}

fn hope_of_store(error: &StoreError) -> RetryHint {
    match error {
        StoreError::Mismatch { .. } => RetryHint::Content,
        StoreError::CreateDirectory { .. }
        | StoreError::NotADirectory { .. }
        | StoreError::NotACache { .. }
        | StoreError::OtherVersionActive { .. }
        | StoreError::Full { .. }
        | StoreError::Read { .. }
        | StoreError::Write { .. }
        | StoreError::Remove { .. }
        | StoreError::Lock { .. } => RetryHint::None,
    }
}
