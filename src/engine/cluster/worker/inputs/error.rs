//! Why a container's inputs are not at hand.

use std::io;
use std::path::PathBuf;

use super::super::allowance::AllowanceError;
use super::super::content_fetcher::FetchError;
use super::directory::DirectoryError;
use maelstrom_container::digest::Digest;
use maelstrom_container::store::{StoreError, TreePathError, TreeWriteError};
use maelstrom_wire::error::WireError;

/// See the module's documentation. None of these is a test's fault.
#[derive(Debug, thiserror::Error)]
pub enum WorkerInputError {
    /// The template means nothing.
    #[error(transparent)]
    Message(#[from] WireError),
    /// It is for other machines.
    #[error("the programs are made for {wanted}, and this machine is {own}")]
    Architecture {
        /// What they are made for.
        wanted: String,
        own: &'static str,
    },
    /// It asks for more than is allowed here.
    #[error(transparent)]
    NotAllowed(#[from] AllowanceError),
    /// A content cannot be had.
    #[error(transparent)]
    Fetch(#[from] FetchError),
    /// What should describe a directory does not.
    #[error("the content {digest} describes no directory")]
    Directory {
        digest: Digest,
        source: DirectoryError,
    },
    /// A tree is beyond a limit.
    #[error("the tree {root} has more than {max} {what}")]
    TooMuch {
        root: Digest,
        what: &'static str,
        /// What it may have.
        max: u64,
    },
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A tree could not be made.
    #[error(transparent)]
    Tree(#[from] TreeWriteError),
    /// A path in a tree is none.
    #[error(transparent)]
    Path(#[from] TreePathError),
    /// The machine should have something and cannot be asked.
    #[error("cannot look at `{}`, which the job wants of this machine", path.display())]
    ToolboxUnreadable { path: PathBuf, source: io::Error },
    /// The machine has something else.
    #[error("`{}` is not the same here as on the client's machine", path.display())]
    ToolboxDiffers { path: PathBuf },
    /// The operator does not lend it.
    #[error(
        "this worker does not lend `{}`, or what it leads to; its operator can, with `--lend`",
        path.display()
    )]
    ToolboxNotLent { path: PathBuf },
    /// The machine does not show this to anybody.
    #[error("`{}` holds what is this worker's own, and is shown to no job", path.display())]
    ToolboxPrivate { path: PathBuf },
    #[error("the worker ended before the inputs were at hand")]
    Interrupted,
}

/// What may help against an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RetryHint {
    /// That the content is given anew.
    Content,
    /// That the storage answers again.
    Connection,
    None,
}

impl WorkerInputError {
    /// Whether the same again may well succeed.
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
