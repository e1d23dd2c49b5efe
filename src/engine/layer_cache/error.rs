//! The errors of the layer cache.

use crate::cache_kind::CacheKindError;
use maelstrom_container::store::StoreError;
use maelstrom_image::{ImageError, ImageLockError, ReferenceError};
use maelstrom_layer::LayerError;
use maelstrom_model::exit_code;

/// Why a layer or image is not available.
#[derive(Debug, thiserror::Error)]
pub enum LayerCacheError {
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The cache directory belongs to another kind of program.
    #[error(transparent)]
    CacheKind(#[from] CacheKindError),
    /// A layer cannot be built.
    #[error(transparent)]
    Layer(#[from] LayerError),
    /// The image reference is invalid.
    #[error(transparent)]
    Reference(#[from] ReferenceError),
    /// The image cannot be fetched or read.
    #[error(transparent)]
    Image(#[from] ImageError),
    /// The image lock file cannot be read or written.
    #[error(transparent)]
    TagLock(#[from] ImageLockError),
    /// A background thread ended without a result.
    #[error("the work was interrupted")]
    Interrupted,
}

impl LayerCacheError {
    /// Returns how to fix the error.
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

    /// Returns the program's exit code, which distinguishes mistakes in the user's files from
    /// failures of the infrastructure.
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
