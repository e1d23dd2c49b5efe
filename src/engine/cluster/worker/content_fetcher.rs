//! Where inputs come from: the broker's storage, or anything else that knows contents by digest.

use std::future::Future;

use maelstrom_container::digest::Digest;
use maelstrom_container::store::{Blob, Store, StoreError};
use maelstrom_model::error::with_causes;
use maelstrom_wire::reapi::client::{CasClient, CasError};

/// Contents by digest.
pub trait ContentFetcher {
    /// Brings all of these into the store, many at once, each verified as it is written. What is
    /// there already is not fetched again.
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

/// Why a content could not be had.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// The other side has not got it, or not any more.
    #[error("the broker's storage has no {digest}")]
    Missing { digest: Digest },
    /// What came was something else.
    #[error("{digest} is damaged: {reason}")]
    Damaged {
        /// What it should have been.
        digest: Digest,
        reason: String,
    },
    /// The other side could not be reached, or did not answer.
    #[error("the broker's storage does not answer: {reason}")]
    Unavailable { reason: String },
    /// It could not be kept here.
    #[error(transparent)]
    Store(#[from] StoreError),
}
