//! Why materials are not at hand.

use crate::cache_kind::CacheKindError;
use maelstrom_container::store::StoreError;
use maelstrom_image::{ImageError, ImageLockError, ReferenceError};
use maelstrom_layer::LayerError;
use maelstrom_model::exit_code;

/// Why something that a container is made of could not be had.
#[derive(Debug, thiserror::Error)]
pub enum LayerCacheError {
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
    TagLock(#[from] ImageLockError),
    /// A thread that was at work is gone.
    #[error("the work was interrupted")]
    Interrupted,
}

impl LayerCacheError {
    /// What to do about it.
    pub fn help(&self) -> &'static str {
        match self {
            LayerCacheError::Store(error) => error.help(),
            LayerCacheError::CacheKind(error) => error.help(),
            LayerCacheError::Layer(error) => error.help(),
            LayerCacheError::Reference(error) => error.help(),
            LayerCacheError::Image(error) => error.help(),
            LayerCacheError::TagLock(error) => error.help(),
            LayerCacheError::Interrupted => "run again",
        }
    }

    /// The program's exit code: whether the user's file is wrong, or this machine.
    pub fn exit_code(&self) -> u8 {
        match self {
            LayerCacheError::Layer(LayerError::Store(_))
            | LayerCacheError::Store(_)
            | LayerCacheError::CacheKind(_)
            | LayerCacheError::Image(_)
            | LayerCacheError::TagLock(_)
            | LayerCacheError::Interrupted => exit_code::INFRASTRUCTURE,
            LayerCacheError::Layer(_) | LayerCacheError::Reference(_) => exit_code::USAGE,
        }
    }
}
