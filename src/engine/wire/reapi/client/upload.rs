//! Uploads blobs.

use std::collections::HashMap;
use std::fs::File;
use std::io::Read;
use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::stream::{self, StreamExt, TryStreamExt};
use tokio::sync::mpsc::channel;
use tokio_stream::wrappers::ReceiverStream;

use super::{CasClient, CasError, TRANSFERS_MAX, by_size};
use crate::reapi::bytestream::WriteRequest;
use crate::reapi::bytestream::byte_stream_client::ByteStreamClient;
use crate::reapi::digest::{required, status_from_wire, to_wire};
use crate::reapi::limits::{CHUNK_BYTES, MESSAGE_BYTES_MAX};
use crate::reapi::v2;
use maelstrom_container::digest::Digest;
use maelstrom_model::ids::random_name;

/// The location of a blob's content before its upload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BlobSource {
    Bytes(Bytes),
    File(PathBuf),
}

/// Blobs by digest.
pub type BlobMap = HashMap<Digest, BlobSource>;

/// A callback that gets the number of bytes sent so far, and the total.
pub type UploadCallback = Arc<dyn Fn(u64, u64) + Send + Sync>;

/// The number of chunks that are queued for sending.
const CHUNKS_MAX: usize = 4;

impl CasClient {
    /// Uploads those of these blobs that the storage lacks.
    pub async fn upload_missing(
        &self,
        contents: Arc<BlobMap>,
        progress: UploadCallback,
    ) -> Result<(), CasError> {
        let digests: Vec<Digest> = contents.keys().copied().collect();
        let missing = self.missing(&digests).await?;
        let total: u64 = missing.iter().map(|digest| digest.size_bytes).sum();
        if missing.is_empty() {
            return Ok(());
        }
        let sent = Arc::new(std::sync::atomic::AtomicU64::new(0));
        let tell = |bytes: u64| {
            let order = std::sync::atomic::Ordering::Relaxed;
            progress(sent.fetch_add(bytes, order) + bytes, total);
        };
        let (batches, large) = by_size(missing);
        let batches = batches.into_iter().map(|batch| {
            let contents = &contents;
            let tell = &tell;
            async move {
                self.upload_batch(contents, &batch).await?;
                tell(batch.iter().map(|digest| digest.size_bytes).sum());
                Ok::<(), CasError>(())
            }
        });
        stream::iter(batches)
            .buffer_unordered(TRANSFERS_MAX)
            .try_collect::<()>()
            .await?;
        let large = large.into_iter().map(|digest| {
            let content = contents.get(&digest).cloned();
            let tell = &tell;
            async move {
                if let Some(content) = content {
                    self.upload_large(digest, content).await?;
                    tell(digest.size_bytes);
                }
                Ok::<(), CasError>(())
            }
        });
        stream::iter(large)
            .buffer_unordered(TRANSFERS_MAX)
            .try_collect::<()>()
            .await
    }

    async fn upload_batch(
        &self,
        contents: &Arc<BlobMap>,
        batch: &[Digest],
    ) -> Result<(), CasError> {
        let (contents, wanted) = (Arc::clone(contents), batch.to_vec());
        let requests = blocking(move || {
            let mut requests = Vec::with_capacity(wanted.len());
            for digest in wanted {
                let data = match contents.get(&digest) {
                    Some(BlobSource::Bytes(bytes)) => bytes.to_vec(),
                    Some(BlobSource::File(path)) => whole(path, digest)?,
                    None => continue,
                };
                requests.push(v2::batch_update_blobs_request::Request {
                    digest: Some(to_wire(&digest)),
                    data,
                    ..v2::batch_update_blobs_request::Request::default()
                });
            }
            Ok(requests)
        })
        .await?;
        let request = v2::BatchUpdateBlobsRequest {
            requests,
            ..v2::BatchUpdateBlobsRequest::default()
        };
        let answer = self.contents().batch_update_blobs(request).await;
        let answer = answer.map_err(|status| CasError::refused("take contents", status))?;
        for response in answer.into_inner().responses {
            let digest = response.digest;
            status_from_wire(response.status).map_err(|status| {
                match required(digest.as_ref()) {
                    Ok(digest) => CasError::of_one(digest, "take", status),
                    Err(_) => CasError::refused("take contents", status),
                }
            })?;
        }
        Ok(())
    }

    async fn upload_large(&self, digest: Digest, content: BlobSource) -> Result<(), CasError> {
        let name = format!(
            "uploads/{:032x}/blobs/{}/{}",
            u128::from_ne_bytes(random_name()),
            digest.hash,
            digest.size_bytes
        );
        let (sender, receiver) = channel(CHUNKS_MAX);
        let reading = tokio::task::spawn_blocking(move || {
            let mut source: Box<dyn Read> = match &content {
                BlobSource::Bytes(bytes) => Box::new(bytes.as_ref()),
                BlobSource::File(path) => match File::open(path) {
                    Ok(file) => Box::new(file),
                    Err(source) => {
                        let path = path.clone();
                        return Err(CasError::Read { path, source });
                    }
                },
            };
            let mut offset = 0;
            while offset < digest.size_bytes {
                let left = digest.size_bytes - offset;
                let mut data = vec![
                    0;
                    usize::try_from(left)
                        .unwrap_or(CHUNK_BYTES)
                        .min(CHUNK_BYTES)
                ];
                if let Err(error) = source.read_exact(&mut data) {
                    return Err(match &content {
                        BlobSource::File(path) => match error.kind() {
                            std::io::ErrorKind::UnexpectedEof => {
                                CasError::Changed { path: path.clone() }
                            }
                            _ => CasError::Read {
                                path: path.clone(),
                                source: error,
                            },
                        },
                        BlobSource::Bytes(_) => CasError::Damaged {
                            digest,
                            reason: "it is shorter than its digest says".to_owned(),
                        },
                    });
                }
                let end = offset + data.len() as u64;
                let request = WriteRequest {
                    resource_name: name.clone(),
                    write_offset: i64::try_from(offset).unwrap_or(i64::MAX),
                    finish_write: end == digest.size_bytes,
                    data,
                };
                if sender.blocking_send(request).is_err() {
                    // The storage already has the blob, or its response says why it rejects it.
                    return Ok(());
                }
                offset = end;
            }
            Ok(())
        });
        let mut client = ByteStreamClient::new(self.connection.service())
            .max_decoding_message_size(MESSAGE_BYTES_MAX)
            .max_encoding_message_size(MESSAGE_BYTES_MAX);
        let written = client.write(ReceiverStream::new(receiver)).await;
        // Local errors come first: if a file has changed, that is why the storage rejects it.
        joined(reading.await)??;
        written.map_err(|status| CasError::of_one(digest, "take", status))?;
        Ok(())
    }
}

/// Reads a small file.
fn whole(path: &PathBuf, digest: Digest) -> Result<Vec<u8>, CasError> {
    let read = |source| CasError::Read {
        path: path.clone(),
        source,
    };
    let mut data = Vec::with_capacity(usize::try_from(digest.size_bytes).unwrap_or(0));
    let file = File::open(path).map_err(read)?;
    // Reads one byte more than expected, to notice a file that has grown.
    file.take(digest.size_bytes + 1)
        .read_to_end(&mut data)
        .map_err(read)?;
    if data.len() as u64 != digest.size_bytes {
        return Err(CasError::Changed { path: path.clone() });
    }
    Ok(data)
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, CasError> + Send + 'static,
) -> Result<T, CasError> {
    joined(tokio::task::spawn_blocking(work).await)?
}

fn joined<T>(result: Result<T, tokio::task::JoinError>) -> Result<T, CasError> {
    match result {
        Ok(value) => Ok(value),
        Err(error) => match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            Err(error) => Err(CasError::refused(
                "be reached",
                tonic::Status::cancelled(error.to_string()),
            )),
        },
    }
}
