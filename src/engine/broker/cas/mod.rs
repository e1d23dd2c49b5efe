//! The broker's storage, and the Remote Execution API's services over it.
//!
//! - [`Storage`]: blobs on disk; [`BlobReader`] and [`BlobWriter`] move them. [`index`] is the pure
//!   part: what goes when there is too much.

pub mod error;
pub mod index;
mod reader;
mod storage;
mod writer;

pub use error::StorageError;
pub use reader::BlobReader;
pub use storage::{Pinned, Storage, StorageOptions, Usage};
pub use writer::BlobWriter;

#[cfg(test)]
mod tests;
