//! The errors of making layers and images available.

use crate::cache_kind::CacheKindError;
use maelstrom_container::store::StoreError;
use maelstrom_image::{ImageError, ImageLockError, ReferenceError};
use maelstrom_layer::LayerError;
use maelstrom_model::exit_code;

/// An error of making a layer or image available.
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
    /// An image is not available.
    #[error(transparent)]
    Image(#[from] ImageError),
    /// The image lock file cannot be used.
    #[error(transparent)]
    TagLock(#[from] ImageLockError),
    /// A thread that was at work is gone.
    #[error("the work was interrupted")]
    Interrupted,
}

impl LayerCacheError {
    /// How to fix it.
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
