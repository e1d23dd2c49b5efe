//! The broker's storage, and the Remote Execution API's services over it.
//!
//! - [`CasStorage`]: blobs on disk; [`BlobReader`] and [`BlobWriter`] move them. [`lru_index`] is the pure
//!   part: what goes when there is too much.
//! - [`actions`]: results of actions. [`ReapiServices`]: all of it by the API; [`tree`]: what directories
//!   hold; [`tree_size`](self): what becomes of them when they are written out.

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
