//! The errors of making layers and images available.

use miette::Diagnostic;

use crate::cache_kind::CacheKindError;
use maelstrom_container::store::StoreError;
use maelstrom_image::{ImageError, ImageLockError, ReferenceError};
use maelstrom_layer::LayerError;
use maelstrom_model::error::ProgramError;
use maelstrom_model::exit_code;

/// An error of making a layer or image available.
#[derive(Debug, Diagnostic, thiserror::Error)]
pub enum LayerCacheError {
    #[error(transparent)]
    #[diagnostic(transparent)]
    Store(#[from] StoreError),
    /// A cache is another program's.
    #[error(transparent)]
    #[diagnostic(transparent)]
    CacheKind(#[from] CacheKindError),
    /// A layer cannot be made.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Layer(#[from] LayerError),
    /// A name that no image can have.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Reference(#[from] ReferenceError),
    /// An image is not available.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Image(#[from] ImageError),
    /// The image lock file cannot be used.
    #[error(transparent)]
    #[diagnostic(transparent)]
    TagLock(#[from] ImageLockError),
    /// A thread that was at work is gone.
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
            | LayerCacheError::CacheKind(_)
            | LayerCacheError::Image(_)
            | LayerCacheError::TagLock(_)
            | LayerCacheError::Interrupted => exit_code::INFRASTRUCTURE,
            LayerCacheError::Layer(_) | LayerCacheError::Reference(_) => exit_code::USAGE,
        }
    }
}
