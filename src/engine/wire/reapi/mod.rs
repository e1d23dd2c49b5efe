//! The Remote Execution API's content-addressable storage: the code that client and server share.
//!
//! - [`client`]: the client.
//! - [`digest`]: conversions of digests and statuses.
//! - [`resource`]: the resource names of `ByteStream`.
//! - [`compression`]: zstd with limits.
//! - [`limits`]: limits on requests.
//!
//! The messages are those of the crate `bazel-remote-apis`. Transport and storage live elsewhere.

pub mod client;
pub mod compression;
pub mod digest;
pub mod limits;
pub mod resource;

/// The API's messages and services, version 2.
pub use bazel_remote_apis::build::bazel::remote::execution::v2;
/// The service that transfers blobs of any size.
pub use bazel_remote_apis::google::bytestream;
/// The status of one blob in a batch.
pub use bazel_remote_apis::google::rpc;
