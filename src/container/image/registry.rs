//! A client for registries (OCI distribution specification): manifests, and resumable downloads of
//! blobs.

use std::fmt::Display;

use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_RANGE, RANGE};
use reqwest::{Response, StatusCode};

use super::auth::{RegistryAuthenticator, RepositoryAuth};
use super::credentials::CredentialFiles;
use super::document::{
    ACCEPTED, DOCUMENT_BYTES_MAX, DocumentKind, DocumentRequest, DocumentSource,
};
use super::error::ImageError;
use super::reference::{RegistryReference, TagOrDigest};
use super::transport::{BoundedBody, HttpTransport, complaint, is_this_machine, read_body};
use maelstrom_container::digest::ContentHash;
use maelstrom_container::store::{Blob, PartialBlob, Store, StoreError};

/// The header with the digest of a response's content.
const DIGEST_HEADER: &str = "docker-content-digest";

/// A client for one repository of a registry.
pub(super) struct RegistryClient<'depot> {
    transport: &'depot HttpTransport,
    credentials: &'depot CredentialFiles,
    reference: &'depot RegistryReference,
    store: &'depot Store,
    scheme: &'static str,
    access: RepositoryAuth,
}

impl<'depot> RegistryClient<'depot> {
    /// Creates a client. Sends no request yet, unless the registry is on this machine, where it may
    /// serve plain HTTP.
    pub(super) async fn new(
        transport: &'depot HttpTransport,
        credentials: &'depot CredentialFiles,
        reference: &'depot RegistryReference,
        store: &'depot Store,
    ) -> Result<Self, ImageError> {
        let scheme = scheme(transport, reference.server()).await?;
        Ok(RegistryClient {
            transport,
            credentials,
            reference,
            store,
            scheme,
            access: RepositoryAuth::default(),
        })
    }

    /// Returns the digest of the document that the reference's tag currently refers to.
    pub(super) async fn resolve(&self) -> Result<ContentHash, ImageError> {
        let tag = match self.reference.version() {
            TagOrDigest::Tag(tag) => tag,
            TagOrDigest::Digest(hash) => return Ok(*hash),
        };
        let url = self.url(DocumentKind::Manifest, tag);
        let (body, announced) = self.get_document(&url).await?;
        let actual = ContentHash::of(&body);
        if let Some(expected) = announced
            && expected != actual
        {
            return Err(ImageError::Mismatch {
                place: url,
                expected,
                actual,
            });
        }
        self.store.add_content(&body)?;
        Ok(actual)
    }

    /// Fetches the missing part of a blob, reporting progress.
    pub(super) async fn complete(
        &self,
        mut partial: PartialBlob,
        arrived: impl Fn(u64),
    ) -> Result<Blob, ImageError> {
        let expected = partial.expected();
        let url = self.layer_place(expected.hash);
        while partial.arrived_bytes() < expected.size_bytes {
            let before = partial.arrived_bytes();
            let attempt = self
                .transport
                .persist(async || self.continue_blob(&url, &mut partial, &arrived).await)
                .await;
            match attempt {
                Ok(()) => {}
                // Retries without limit, as long as each attempt makes progress.
                Err(error) if partial.arrived_bytes() > before => {
                    tracing::info!(%error, "going on with what has arrived");
                }
                Err(error) => return Err(error),
            }
        }
        partial.finish().map_err(|error| match error {
            StoreError::Mismatch { expected, actual } => ImageError::Mismatch {
                place: url,
                expected: expected.hash,
                actual: actual.hash,
            },
            error => error.into(),
        })
    }

    /// Returns the name by which errors refer to a layer.
    pub(super) fn layer_place(&self, hash: ContentHash) -> String {
        self.url(DocumentKind::Blob, format!("sha256:{hash}"))
    }

    async fn continue_blob(
        &self,
        url: &str,
        partial: &mut PartialBlob,
        arrived: &impl Fn(u64),
    ) -> Result<(), ImageError> {
        let expected_bytes = partial.expected().size_bytes;
        let start = partial.arrived_bytes();
        let range = (start > 0).then(|| format!("bytes={start}-"));
        let mut response = self.get(url, "*/*", range.as_deref()).await?;
        match response.status() {
            StatusCode::PARTIAL_CONTENT if starts_at(&response, start) => {}
            // The registry can't continue at this position, so the download restarts.
            StatusCode::PARTIAL_CONTENT | StatusCode::RANGE_NOT_SATISFIABLE => {
                partial.restart()?;
                return Err(ImageError::BrokenOff {
                    url: url.to_owned(),
                    arrived_bytes: 0,
                    expected_bytes,
                });
            }
            // A server without support for ranges sends the whole blob.
            status if status.is_success() => partial.restart()?,
            _ => return Err(complaint(url, response).await),
        }
        loop {
            let chunk = response.chunk().await.map_err(|error| {
                if error.is_timeout() {
                    self.transport.failure(url, error)
                } else {
                    ImageError::BrokenOff {
                        url: url.to_owned(),
                        arrived_bytes: partial.arrived_bytes(),
                        expected_bytes,
                    }
                }
            })?;
            let Some(chunk) = chunk else { break };
            if partial.arrived_bytes() + chunk.len() as u64 > expected_bytes {
                partial.restart()?;
                return Err(ImageError::Length {
                    place: url.to_owned(),
                    expected_bytes,
                });
            }
            partial.write(&chunk)?;
            arrived(partial.arrived_bytes());
        }
        if partial.arrived_bytes() < expected_bytes {
            return Err(ImageError::BrokenOff {
                url: url.to_owned(),
                arrived_bytes: partial.arrived_bytes(),
                expected_bytes,
            });
        }
        Ok(())
    }

    async fn get_document(&self, url: &str) -> Result<(Vec<u8>, Option<ContentHash>), ImageError> {
        self.transport
            .persist(async || {
                let response = self.get(url, ACCEPTED, None).await?;
                if !response.status().is_success() {
                    return Err(complaint(url, response).await);
                }
                let announced = response
                    .headers()
                    .get(DIGEST_HEADER)
                    .and_then(|value| value.to_str().ok()?.strip_prefix("sha256:")?.parse().ok());
                let body = read_body(response, DOCUMENT_BYTES_MAX).await;
                match body.map_err(|error| self.transport.failure(url, error))? {
                    BoundedBody::Whole(body) => Ok((body, announced)),
                    BoundedBody::TooLarge => Err(ImageError::TooLarge {
                        place: url.to_owned(),
                        limit_bytes: DOCUMENT_BYTES_MAX,
                    }),
                }
            })
            .await
    }

    /// Sends a request, and repeats it with a login if the registry requires one.
    async fn get(
        &self,
        url: &str,
        accept: &str,
        range: Option<&str>,
    ) -> Result<Response, ImageError> {
        let access = self.access.header().await;
        let response = self.send(url, accept, range).await?;
        if response.status() != StatusCode::UNAUTHORIZED {
            return Ok(response);
        }
        let asker = RegistryAuthenticator {
            transport: self.transport,
            credentials: self.credentials,
            reference: self.reference,
            scheme: self.scheme,
        };
        self.access
            .renew(access.as_ref(), url, response, &asker)
            .await?;
        self.send(url, accept, range).await
    }

    async fn send(
        &self,
        url: &str,
        accept: &str,
        range: Option<&str>,
    ) -> Result<Response, ImageError> {
        let client = self.transport.client(self.reference.server())?;
        let mut request = client.get(url).header(ACCEPT, accept);
        if let Some(range) = range {
            request = request.header(RANGE, range);
        }
        if let Some(access) = self.access.header().await {
            request = request.header(AUTHORIZATION, access);
        }
        let sent = request.send().await;
        sent.map_err(|error| self.transport.failure(url, error))
    }

    fn url(&self, kind: DocumentKind, what: impl Display) -> String {
        let kind = match kind {
            DocumentKind::Manifest => "manifests",
            DocumentKind::Blob => "blobs",
        };
        format!(
            "{}://{}/v2/{}/{kind}/{what}",
            self.scheme,
            self.reference.server(),
            self.reference.repository()
        )
    }
}

impl DocumentSource for RegistryClient<'_> {
    async fn fetch(&self, document: DocumentRequest) -> Result<Vec<u8>, ImageError> {
        if let Some(content) = self.store.content(document.hash)? {
            return Ok(content);
        }
        let url = self.place(&document);
        let (body, _announced) = self.get_document(&url).await?;
        let actual = ContentHash::of(&body);
        if actual != document.hash {
            return Err(ImageError::Mismatch {
                place: url,
                expected: document.hash,
                actual,
            });
        }
        self.store.add_content(&body)?;
        Ok(body)
    }

    fn place(&self, document: &DocumentRequest) -> String {
        self.url(document.kind, format!("sha256:{}", document.hash))
    }
}

/// Returns the scheme: HTTPS, except for a registry on this machine that doesn't support it.
async fn scheme(transport: &HttpTransport, server: &str) -> Result<&'static str, ImageError> {
    if !is_this_machine(server) {
        return Ok("https");
    }
    let client = transport.client(server)?;
    let ask = |scheme| client.get(format!("{scheme}://{server}/v2/")).send();
    if ask("https").await.is_ok() {
        return Ok("https");
    }
    Ok(match ask("http").await {
        // The response of a server that expects HTTPS to a request by HTTP.
        Ok(answer) if answer.status() == StatusCode::BAD_REQUEST => "https",
        Ok(_) => "http",
        Err(_) => "https",
    })
}

/// Returns whether a part of a blob begins where the download stopped.
fn starts_at(response: &Response, start: u64) -> bool {
    response
        .headers()
        .get(CONTENT_RANGE)
        .and_then(|value| {
            value
                .to_str()
                .ok()?
                .strip_prefix("bytes ")?
                .split('-')
                .next()
        })
        .and_then(|first| first.parse().ok())
        == Some(start)
}
