//! Layers: from a recipe to a tree in the store.
//!
//! ```text
//! LayerSpec ──resolve──▶ Listing ──digest──▶ the tree's name ──materialize──▶ Tree
//!            looks at the project            is it in the store?   copies
//! ```
//!
//! [`LayerSpec`] is data. Resolving lists what a layer will hold and names it canonically: the same
//! files make the same name, in whatever order and wherever they were found. Materializing copies
//! only what the store doesn't have. An archive is named by its own digest and listed by no one.
//!
//! This module owns no state; what it remembers is the store's.
//!
//! Deliberately absent: templates and environment variables, which are the caller's to fill in, and
//! images, which bring layers of their own.

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
