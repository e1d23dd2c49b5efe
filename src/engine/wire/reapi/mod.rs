//! The Remote Execution API's content-addressable storage, as far as both of its sides share it.
//!
//! - [`client`]: the calling side.
//! - [`digest`]: digests and statuses as the messages have them.
//! - [`resource`]: the names by which `ByteStream` knows blobs.
//! - [`compression`]: zstd with limits.
//! - [`limits`]: how much anybody may ask for.
//!
//! The messages themselves are those of the crate `bazel-remote-apis`. Deliberately absent:
//! transport, and storage.

pub mod client;
pub mod compression;
pub mod digest;
pub mod limits;
pub mod resource;

/// The API's messages and services, version 2.
pub use bazel_remote_apis::build::bazel::remote::execution::v2;
/// The services' way to move blobs of any size.
pub use bazel_remote_apis::google::bytestream;
/// What became of one blob of many.
pub use bazel_remote_apis::google::rpc;
