//! Limits on requests, each checked before memory is allocated.

use std::time::Duration;

/// The total size of the contents of one batch, in bytes. gRPC libraries reject messages of more
/// than 4 MiB by default; this leaves room for the framing.
pub const BATCH_BYTES_MAX: u64 = 4_000_000;

/// The maximum size of a blob's digest, status and framing in a batch, in bytes.
pub const BATCH_ENTRY_BYTES: u64 = 160;

/// The number of blobs in one batch. Limits the disk accesses of one request; the framing fits into
/// what [`BATCH_BYTES_MAX`] leaves only if clients count [`BATCH_ENTRY_BYTES`] for each blob.
pub const BATCH_BLOBS_MAX: usize = 10_000;

/// The size of a whole message, in bytes: a batch with its framing, or [`DIGESTS_MAX`] digests.
pub const MESSAGE_BYTES_MAX: usize = 8 * 1024 * 1024;

/// The number of digests in one request. Each takes about 75 bytes.
pub const DIGESTS_MAX: usize = 100_000;

/// The size of a single blob: larger than any layer or core dump, small enough to reject absurd
/// sizes.
pub const BLOB_BYTES_MAX: u64 = 64 * 1024 * 1024 * 1024;

/// The size of a chunk of a byte stream: large enough to make the overhead of the calls negligible,
/// small enough that a hundred streams fit into memory.
pub const CHUNK_BYTES: usize = 512 * 1024;

/// The length of a blob's resource name: an instance name, a hash, and some words.
pub const RESOURCE_NAME_BYTES_MAX: usize = 1024;

/// The length of the name that a client gives an upload; a UUID has 36 bytes.
pub const UPLOAD_NAME_BYTES_MAX: usize = 128;

/// How long an idle upload is kept: longer than a reconnect takes, short enough that the uploads of
/// vanished clients do not accumulate. Each holds an open file.
pub const UPLOAD_IDLE: Duration = Duration::from_secs(30);

/// The size of a `Directory` message, in bytes: about 40,000 files.
pub const DIRECTORY_BYTES_MAX: u64 = 4 * 1024 * 1024;

/// The number of directories of one tree: a walk keeps its state in memory.
pub const TREE_DIRECTORIES_MAX: usize = 200_000;

/// The size of an `ActionResult` message, in bytes; it may contain outputs.
pub const ACTION_RESULT_BYTES_MAX: usize = 4 * 1024 * 1024;

/// The total size of a broker's action results, in bytes; the least recently used are evicted
/// first.
pub const ACTION_RESULTS_BYTES_MAX: u64 = 1024 * 1024 * 1024;

/// The largest zstd window, as a power of two: 8 MiB, which only the `ultra` levels exceed.
pub const ZSTD_WINDOW_LOG_MAX: u32 = 23;
