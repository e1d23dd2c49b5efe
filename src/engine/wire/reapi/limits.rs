//! Limits on requests, each checked before memory is allocated.

use std::time::Duration;

/// Contents that go into one batch, in bytes. gRPC libraries refuse messages of more than 4 MiB
/// unless told otherwise; this leaves room for what surrounds the contents.
pub const BATCH_BYTES_MAX: u64 = 4_000_000;

/// What a blob's digest, status and framing take up in a batch, at most.
pub const BATCH_ENTRY_BYTES: u64 = 160;

/// Blobs of one batch: their framing stays below what [`BATCH_BYTES_MAX`] leaves room for only
/// if clients count [`BATCH_ENTRY_BYTES`]; this bounds what one request makes the disk do.
pub const BATCH_BLOBS_MAX: usize = 10_000;

/// A whole message, in bytes: a batch with its framing, or [`DIGESTS_MAX`] digests.
pub const MESSAGE_BYTES_MAX: usize = 8 * 1024 * 1024;

/// Digests that one request asks about. Each takes up about 75 bytes.
pub const DIGESTS_MAX: usize = 100_000;

/// A single blob: larger than any layer or core dump, small enough that a lie about it is noticed.
pub const BLOB_BYTES_MAX: u64 = 64 * 1024 * 1024 * 1024;

/// A piece of a stream of bytes: large enough that the calls around it don't show, small enough
/// that a hundred streams fit into memory.
pub const CHUNK_BYTES: usize = 512 * 1024;

/// The name of a blob in a stream: an instance's name, a hash, and some words.
pub const RESOURCE_NAME_BYTES_MAX: usize = 1024;

/// The name that a client gives an upload: a UUID has 36.
pub const UPLOAD_NAME_BYTES_MAX: usize = 128;

/// How long an idle upload is kept: longer than a reconnect takes, short enough that the uploads of
/// vanished clients do not accumulate. Each holds an open file.
pub const UPLOAD_IDLE: Duration = Duration::from_secs(30);

/// A `Directory` message, in bytes: about 40,000 files.
pub const DIRECTORY_BYTES_MAX: u64 = 4 * 1024 * 1024;

/// Directories of one tree: a walk keeps its state in memory.
pub const TREE_DIRECTORIES_MAX: usize = 200_000;

/// An `ActionResult` message, in bytes: it may carry outputs.
pub const ACTION_RESULT_BYTES_MAX: usize = 4 * 1024 * 1024;

/// All action results of a broker, in bytes; the least recently used are evicted first.
pub const ACTION_RESULTS_BYTES_MAX: u64 = 1024 * 1024 * 1024;

/// The largest zstd window, as a power of two (8 MiB, which every level but the `ultra` ones keeps
/// to).
pub const ZSTD_WINDOW_LOG_MAX: u32 = 23;
