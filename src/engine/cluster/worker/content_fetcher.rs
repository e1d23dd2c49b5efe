//! The source of inputs: the broker's storage, or any other source of blobs by digest.

use std::future::Future;

use maelstrom_container::digest::Digest;
use maelstrom_container::store::{Blob, Store, StoreError};
use maelstrom_model::error::with_causes;
use maelstrom_wire::reapi::client::{CasClient, CasError};

/// A source of blobs by digest.
pub trait ContentFetcher {
    /// Fetches all of these blobs into the store concurrently, and verifies each as it is written.
    /// Blobs that the store already has are skipped.
    fn fetch(
        &self,
        wanted: &[Digest],
        store: &Store,
    ) -> impl Future<Output = Result<Vec<Blob>, FetchError>>;
}

impl ContentFetcher for CasClient {
    async fn fetch(&self, wanted: &[Digest], store: &Store) -> Result<Vec<Blob>, FetchError> {
        CasClient::fetch(self, wanted, store)
            .await
            .map_err(FetchError::from)
    }
}

impl From<CasError> for FetchError {
    fn from(error: CasError) -> FetchError {
        match error {
            CasError::Missing { digest } => FetchError::Missing { digest },
            CasError::Damaged { digest, reason } => FetchError::Damaged { digest, reason },
            CasError::Store(error) => FetchError::Store(error),
            CasError::Refused { .. } | CasError::Read { .. } | CasError::Changed { .. } => {
                FetchError::Unavailable {
                    reason: with_causes(&error),
                }
            }
        }
    }
}

/// An error while fetching a blob.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// The source does not have the blob, or has evicted it.
    #[error("the broker's storage has no {digest}")]
    Missing { digest: Digest },
    /// The content does not match the digest.
    #[error("{digest} is damaged: {reason}")]
    Damaged {
        /// The expected digest.
        digest: Digest,
        reason: String,
    },
    /// The source could not be reached, or did not answer.
    #[error("the broker's storage does not answer: {reason}")]
    Unavailable { reason: String },
    /// The blob could not be stored locally.
    #[error(transparent)]
    Store(#[from] StoreError),
}
