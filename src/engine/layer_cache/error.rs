//! The errors of the layer cache.

use miette::Diagnostic;

use crate::cache_kind::CacheKindError;
use maelstrom_container::store::{StoreError, TreeWriteError};
use maelstrom_image::{ImageError, ImageLockError, ReferenceError};
use maelstrom_layer::LayerError;
use maelstrom_model::error::ProgramError;
use maelstrom_model::exit_code;

/// Why a layer or image is not available.
#[derive(Debug, Diagnostic, thiserror::Error)]
pub enum LayerCacheError {
    #[error(transparent)]
    #[diagnostic(transparent)]
    Store(#[from] StoreError),
    /// A tree cannot be written.
    #[error(transparent)]
    Tree(#[from] TreeWriteError),
    /// The cache directory belongs to another kind of program.
    #[error(transparent)]
    #[diagnostic(transparent)]
    CacheKind(#[from] CacheKindError),
    /// A layer cannot be built.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Layer(#[from] LayerError),
    /// The image reference is invalid.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Reference(#[from] ReferenceError),
    /// The image cannot be fetched or read.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Image(#[from] ImageError),
    /// The image lock file cannot be read or written.
    #[error(transparent)]
    #[diagnostic(transparent)]
    TagLock(#[from] ImageLockError),
    /// A background thread ended without a result.
    #[error("the work was interrupted")]
    #[diagnostic(help("run again"))]
    Interrupted,
}

impl ProgramError for LayerCacheError {
    /// Whether the user's file is wrong, or this machine.
    fn exit_code(&self) -> u8 {
        match self {
            LayerCacheError::Layer(LayerError::Store(_))
            | LayerCacheError::Store(_)
            | LayerCacheError::Tree(_)
            | LayerCacheError::CacheKind(_)
            | LayerCacheError::Image(_)
            | LayerCacheError::TagLock(_)
            | LayerCacheError::Interrupted => exit_code::INFRASTRUCTURE,
            LayerCacheError::Layer(_) | LayerCacheError::Reference(_) => exit_code::USAGE,
        }
    }
}
