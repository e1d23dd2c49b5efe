//! Why materials are not at hand.

use crate::cache_kind::CacheKindError;
use maelstrom_container::store::StoreError;
use maelstrom_image::{ImageError, ReferenceError, TagLockError};
use maelstrom_layer::LayerError;
use maelstrom_model::exit_code;

/// Why something that a container is made of could not be had.
#[derive(Debug, thiserror::Error)]
pub enum MaterialError {
    /// A cache failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A cache is another program's.
    #[error(transparent)]
    CacheKind(#[from] CacheKindError),
    /// A layer cannot be made.
    #[error(transparent)]
    Layer(#[from] LayerError),
    /// A name that no image can have.
    #[error(transparent)]
    Reference(#[from] ReferenceError),
    /// An image cannot be had.
    #[error(transparent)]
    Image(#[from] ImageError),
    /// The lock file of tags cannot be used.
    #[error(transparent)]
    TagLock(#[from] TagLockError),
    /// A thread that was at work is gone.
    #[error("the work was interrupted")]
    Interrupted,
}

impl MaterialError {
    /// What to do about it.
    pub fn help(&self) -> &'static str {
        match self {
            MaterialError::Store(error) => error.help(),
            MaterialError::CacheKind(error) => error.help(),
            MaterialError::Layer(error) => error.help(),
            MaterialError::Reference(error) => error.help(),
            MaterialError::Image(error) => error.help(),
            MaterialError::TagLock(error) => error.help(),
            MaterialError::Interrupted => "run again",
        }
    }

    /// The program's exit code: whether the user's file is wrong, or this machine.
    pub fn exit_code(&self) -> u8 {
        match self {
            MaterialError::Layer(LayerError::Store(_))
            | MaterialError::Store(_)
            | MaterialError::CacheKind(_)
            | MaterialError::Image(_)
            | MaterialError::TagLock(_)
            | MaterialError::Interrupted => exit_code::INFRASTRUCTURE,
            MaterialError::Layer(_) | MaterialError::Reference(_) => exit_code::USAGE,
        }
    }
}
