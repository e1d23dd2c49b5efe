//! The client of a content-addressable storage: finds missing blobs, uploads and downloads.
//!
//! Small blobs are batched; large ones are streamed, several at a time. Every download is verified
//! against its digest before it becomes visible, and a broken stream resumes where it stopped.

mod fetch;
mod upload;

use std::io;
use std::path::PathBuf;

use tonic::{Code, Status};

use crate::connection::{AuthenticatedChannel, BrokerChannel};
use crate::reapi::digest::{required, to_wire};
use crate::reapi::limits::MESSAGE_BYTES_MAX;
use crate::reapi::v2;
use crate::reapi::v2::content_addressable_storage_client::ContentAddressableStorageClient;
use maelstrom_container::digest::Digest;
use maelstrom_container::store::StoreError;
use maelstrom_model::event::untrusted_text::UntrustedText;

pub use self::upload::{BlobMap, BlobSource, UploadCallback};

/// The number of digests per request.
const DIGESTS_PER_QUESTION: usize = 10_000;

/// The number of concurrent transfers: enough to hide intercontinental latency for small files, few
/// enough that each makes progress.
const TRANSFERS_MAX: usize = 8;

/// The maximum size in bytes of a blob that is batched.
const SMALL_BYTES_MAX: u64 = 1024 * 1024;

/// A client of one broker's storage. Clones share the connection.
#[derive(Clone, Debug)]
pub struct CasClient {
    connection: BrokerChannel,
}

/// Why a transfer failed.
#[derive(Debug, thiserror::Error)]
pub enum CasError {
    /// The storage does not have the blob.
    #[error("the broker's storage has no {digest}")]
    Missing { digest: Digest },
    /// The download does not match its digest.
    #[error("{digest} came damaged: {reason}")]
    Damaged {
        /// The expected digest.
        digest: Digest,
        reason: String,
    },
    /// The storage refused the request.
    #[error("the broker's storage could not {doing}: {}", UntrustedText::from(status.message()))]
    Refused { doing: String, status: Box<Status> },
    /// A file could not be read.
    #[error("cannot read {}", path.display())]
    Read { path: PathBuf, source: io::Error },
    /// A file changed after it was hashed.
    #[error("{} changed after it was hashed", path.display())]
    Changed { path: PathBuf },
    /// The blob could not be stored locally.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl CasError {
    fn refused(doing: impl Into<String>, status: Status) -> CasError {
        CasError::Refused {
            doing: doing.into(),
            status: Box::new(status),
        }
    }

    /// Converts the status of a single blob to an error.
    fn of_one(digest: Digest, doing: &str, status: Status) -> CasError {
        match status.code() {
            Code::NotFound => CasError::Missing { digest },
            Code::DataLoss => CasError::Damaged {
                digest,
                reason: UntrustedText::from(status.message()).to_string(),
            },
            _ => CasError::refused(format!("{doing} {digest}"), status),
        }
    }
}

impl CasClient {
    /// Creates a client that uses this connection.
    pub fn new(connection: BrokerChannel) -> CasClient {
        CasClient { connection }
    }

    fn contents(&self) -> ContentAddressableStorageClient<AuthenticatedChannel> {
        ContentAddressableStorageClient::new(self.connection.service())
            .max_decoding_message_size(MESSAGE_BYTES_MAX)
            .max_encoding_message_size(MESSAGE_BYTES_MAX)
    }

    /// Returns which of these blobs the storage lacks.
    pub async fn missing(&self, digests: &[Digest]) -> Result<Vec<Digest>, CasError> {
        let mut missing = Vec::new();
        for some in digests.chunks(DIGESTS_PER_QUESTION) {
            let request = v2::FindMissingBlobsRequest {
                blob_digests: some.iter().map(to_wire).collect(),
                ..v2::FindMissingBlobsRequest::default()
            };
            let doing = "say what it has";
            let answer = self.contents().find_missing_blobs(request).await;
            let answer = answer.map_err(|status| CasError::refused(doing, status))?;
            for digest in &answer.into_inner().missing_blob_digests {
                let digest = required(Some(digest)).map_err(|error| {
                    let status = Status::internal(error.to_string());
                    CasError::refused(doing, status)
                })?;
                missing.push(digest);
            }
        }
        Ok(missing)
    }
}

/// Splits blobs by size: batches of small ones, and large ones.
fn by_size(digests: impl IntoIterator<Item = Digest>) -> (Vec<Vec<Digest>>, Vec<Digest>) {
    use crate::reapi::limits::{BATCH_BLOBS_MAX, BATCH_BYTES_MAX, BATCH_ENTRY_BYTES};
    let (mut batches, mut large) = (Vec::new(), Vec::new());
    let (mut batch, mut bytes) = (Vec::new(), 0);
    for digest in digests {
        if digest.size_bytes > SMALL_BYTES_MAX {
            large.push(digest);
            continue;
        }
        let cost = digest.size_bytes + BATCH_ENTRY_BYTES;
        if bytes + cost > BATCH_BYTES_MAX || batch.len() == BATCH_BLOBS_MAX {
            batches.push(std::mem::take(&mut batch));
            bytes = 0;
        }
        bytes += cost;
        batch.push(digest);
    }
    if !batch.is_empty() {
        batches.push(batch);
    }
    (batches, large)
}
