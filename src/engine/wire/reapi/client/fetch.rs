//! Downloads blobs.

use std::collections::HashSet;

use bytes::Bytes;
use futures_util::stream::{self, StreamExt, TryStreamExt};
use tonic::Code;

use super::{CasClient, CasError, TRANSFERS_MAX, by_size};
use crate::reapi::bytestream::ReadRequest;
use crate::reapi::bytestream::byte_stream_client::ByteStreamClient;
use crate::reapi::digest::{required, status_from_wire, to_wire};
use crate::reapi::limits::MESSAGE_BYTES_MAX;
use crate::reapi::v2;
use maelstrom_container::digest::Digest;
use maelstrom_container::store::{Blob, IncomingBlob, Store};

/// How many times a broken download is resumed.
const RESUMES_MAX: u32 = 5;

impl CasClient {
    /// Downloads blobs into a store and verifies each. Blobs that the store already has are
    /// skipped.
    pub async fn fetch(&self, wanted: &[Digest], store: &Store) -> Result<Vec<Blob>, CasError> {
        let mut blobs = Vec::with_capacity(wanted.len());
        let mut absent = Vec::new();
        let mut seen = HashSet::new();
        for digest in wanted {
            if !seen.insert(*digest) {
                continue;
            }
            match store.blob(*digest)? {
                Some(blob) => blobs.push(blob),
                None => absent.push(*digest),
            }
        }
        let (batches, large) = by_size(absent);
        let batches = batches
            .into_iter()
            .map(|batch| self.fetch_batch(batch, store));
        let small: Vec<Vec<Blob>> = stream::iter(batches)
            .buffer_unordered(TRANSFERS_MAX)
            .try_collect()
            .await?;
        blobs.extend(small.into_iter().flatten());
        let large = large
            .into_iter()
            .map(|digest| self.fetch_large(digest, store));
        let large: Vec<Blob> = stream::iter(large)
            .buffer_unordered(TRANSFERS_MAX)
            .try_collect()
            .await?;
        blobs.extend(large);
        Ok(blobs)
    }

    /// Downloads small blobs, in any order, and verifies each.
    pub async fn contents_of(&self, wanted: &[Digest]) -> Result<Vec<(Digest, Bytes)>, CasError> {
        let request = v2::BatchReadBlobsRequest {
            digests: wanted.iter().map(to_wire).collect(),
            ..v2::BatchReadBlobsRequest::default()
        };
        let answer = self.contents().batch_read_blobs(request).await;
        let answer = answer.map_err(|status| CasError::refused("give contents", status))?;
        let mut contents = Vec::with_capacity(wanted.len());
        for response in answer.into_inner().responses {
            let digest = required(response.digest.as_ref()).map_err(|error| {
                CasError::refused("give contents", tonic::Status::internal(error.to_string()))
            })?;
            status_from_wire(response.status)
                .map_err(|status| CasError::of_one(digest, "give", status))?;
            if Digest::of(&response.data) != digest {
                return Err(CasError::Damaged {
                    digest,
                    reason: "its bytes have another digest".to_owned(),
                });
            }
            contents.push((digest, response.data.into()));
        }
        // The storage may silently omit blobs.
        let came: HashSet<&Digest> = contents.iter().map(|(digest, _)| digest).collect();
        match wanted.iter().find(|digest| !came.contains(digest)) {
            Some(digest) => Err(CasError::Missing { digest: *digest }),
            None => Ok(contents),
        }
    }

    async fn fetch_batch(&self, batch: Vec<Digest>, store: &Store) -> Result<Vec<Blob>, CasError> {
        let contents = self.contents_of(&batch).await?;
        let store = store.clone();
        let adding = tokio::task::spawn_blocking(move || {
            let mut blobs = Vec::with_capacity(contents.len());
            for (digest, bytes) in contents {
                let mut incoming = store.incoming()?;
                incoming.write(&bytes)?;
                blobs.push(incoming.finish(digest)?);
            }
            Ok(blobs)
        });
        match adding.await {
            Ok(added) => added,
            Err(panic) => std::panic::resume_unwind(panic.into_panic()),
        }
    }

    async fn fetch_large(&self, digest: Digest, store: &Store) -> Result<Blob, CasError> {
        let mut incoming = store.incoming()?;
        let mut tries = 0;
        loop {
            match self.fetch_rest(digest, &mut incoming).await {
                Ok(()) => break,
                Err(CasError::Refused { status, .. })
                    if status.code() == Code::Unavailable && tries < RESUMES_MAX =>
                {
                    tries += 1;
                }
                Err(error) => return Err(error),
            }
        }
        Ok(incoming.finish(digest)?)
    }

    async fn fetch_rest(
        &self,
        digest: Digest,
        incoming: &mut IncomingBlob,
    ) -> Result<(), CasError> {
        let mut client = ByteStreamClient::new(self.connection.service())
            .max_decoding_message_size(MESSAGE_BYTES_MAX)
            .max_encoding_message_size(MESSAGE_BYTES_MAX);
        let request = ReadRequest {
            resource_name: format!("blobs/{}/{}", digest.hash, digest.size_bytes),
            read_offset: i64::try_from(incoming.arrived_bytes()).unwrap_or(i64::MAX),
            // 0 means no limit in the API.
            read_limit: 0,
        };
        let failed = |status| CasError::of_one(digest, "give", status);
        let mut chunks = client.read(request).await.map_err(failed)?.into_inner();
        while let Some(chunk) = chunks.message().await.map_err(failed)? {
            // The length is checked before anything is written, so that a broker that never stops
            // cannot fill the disk.
            if incoming.arrived_bytes() + chunk.data.len() as u64 > digest.size_bytes {
                return Err(CasError::Damaged {
                    digest,
                    reason: "it is longer than its digest says".to_owned(),
                });
            }
            incoming.write(&chunk.data)?;
        }
        Ok(())
    }
}
