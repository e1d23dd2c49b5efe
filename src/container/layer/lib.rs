//! Builds layers: turns a layer specification into a tree in the store.
//!
//! ```text
//! LayerSpec ──resolve──▶ LayerListing ──digest──▶ the tree's name ──materialize──▶ Tree
//!            looks at the project                is it in the store?   copies
//! ```
//!
//! [`LayerSpec`] is data. Resolving it lists the layer's entries and computes a canonical name:
//! equal files result in equal names, whatever their order and location. Materializing copies the
//! files only if the store does not have the tree. An archive is named by its own digest and is not
//! listed.
//!
//! This crate keeps no state; the store does.
//!
//! The caller expands templates and environment variables. The layers of images are handled
//! elsewhere.

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
