//! The broker's content-addressable storage, and the Remote Execution API's services over it.
//!
//! - [`CasStorage`]: blobs on disk; [`BlobReader`] and [`BlobWriter`] stream them. [`lru_index`]:
//!   the order of eviction.
//! - [`actions`]: the action cache. [`ReapiServices`]: the gRPC services; [`tree`]: walks directory
//!   trees; [`tree_size`](self): the size of a tree once it is written out.

pub mod actions;
pub mod error;
pub mod lru_index;
mod reader;
mod service;
mod storage;
mod tree;
mod tree_size;
mod writer;

pub use error::CasStorageError;
pub use reader::BlobReader;
pub use service::ReapiServices;
pub use storage::{BlobPin, CasStorage, CasStorageOptions, StorageUsage};
pub use tree::closure;
pub use writer::BlobWriter;

#[cfg(test)]
mod tests;
