//! Layers: from a specification to a tree in the store.
//!
//! ```text
//! LayerSpec ──resolve──▶ LayerListing ──digest──▶ the tree's name ──materialize──▶ Tree
//!            looks at the project                is it in the store?   copies
//! ```
//!
//! [`LayerSpec`] is data. Resolving lists a layer's entries and computes a canonical name: equal
//! files give equal names, whatever their order and location. Materializing copies only what the
//! store doesn't have. An archive is named by its own digest and is not listed.
//!
//! This crate owns no state; the store keeps it.
//!
//! Not here: templates and environment variables, which the caller expands, and images, which bring
//! their own layers.

mod brace;
mod elf;
mod error;
mod glob;
mod listing;
mod resolve;
mod source_entry;
mod spec;
mod tarball;

#[cfg(test)]
mod tests;

pub use brace::BraceError;
pub use elf::{ElfError, ElfFileError, LoaderCache, closure as shared_libraries};
pub use error::LayerError;
pub use listing::{FileSource, LayerEntry, LayerListing};
pub use resolve::{LayerBuilder, LayerContent, ResolvedLayer};
pub use spec::{LayerSpec, PathForm, PrefixOptions, SymlinkMode, SymlinkSpec};
pub use tarball::{SpecialFiles, unpack};
