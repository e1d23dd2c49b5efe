//! The HTTP client for registries: proxies and CA certificates from the environment, idle timeouts,
//! retries, and no redirect from HTTPS to HTTP.
//!
//! Proxies come from `HTTPS_PROXY`, `HTTP_PROXY`, `ALL_PROXY` and `NO_PROXY`; CA certificates from
//! the system, or from `SSL_CERT_FILE` and `SSL_CERT_DIR`. Connections to this machine never use a
//! proxy.

use std::error::Error;
use std::net::IpAddr;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use reqwest::redirect::{Attempt, Policy};
use reqwest::{Client, ClientBuilder, Response, StatusCode};

use super::error::ImageError;

/// The maximum number of redirects: as many as browsers and registry clients follow.
const REDIRECTS_MAX: usize = 10;

/// How much of a server's error response is read, and how much is shown.
const COMPLAINT_BYTES_MAX: u64 = 16 * 1024;
const COMPLAINT_CHARACTERS_MAX: usize = 300;

/// Timeouts and retries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RetryPolicy {
    /// The timeout for connecting.
    pub connect: Duration,
    /// The timeout between two pieces of a response.
    pub silence: Duration,
    /// The number of attempts in all, the first included.
    pub attempts: u32,
    /// The pause before the second attempt; it doubles before each further one.
    pub pause: Duration,
}

impl Default for RetryPolicy {
    /// Pauses of seven seconds in all, in which a server that dropped a connection recovers. A
    /// connection that cannot be made is an error at once: most often the name is wrong, or this
    /// machine is offline.
    fn default() -> Self {
        RetryPolicy {
            connect: Duration::from_secs(30),
            silence: Duration::from_secs(60),
            attempts: 4,
            pause: Duration::from_secs(1),
        }
    }
}

/// Which server certificates are accepted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TlsVerification {
    /// Only those signed by an authority that the system trusts.
    #[default]
    Checked,
    /// All: an attacker on the network can read and change everything except images by digest.
    AnyAccepted,
}

/// The HTTP clients. They are created when first needed: reading the system's certificate
/// authorities takes longer than everything else about an image that is already present.
#[derive(Clone, Debug)]
pub(super) struct HttpTransport {
    certificates: TlsVerification,
    pub(super) patience: RetryPolicy,
    clients: Arc<HttpClients>,
}

#[derive(Debug, Default)]
struct HttpClients {
    remote: OnceLock<Client>,
    /// The client for servers on this machine, which uses no proxy.
    local: OnceLock<Client>,
}

impl HttpTransport {
    pub(super) fn new(certificates: TlsVerification, patience: RetryPolicy) -> Self {
        HttpTransport {
            certificates,
            patience,
            clients: Arc::default(),
        }
    }

    /// Returns the client for a server.
    pub(super) fn client(&self, server: &str) -> Result<&Client, ImageError> {
        let (client, builder) = if is_this_machine(server) {
            (&self.clients.local, ClientBuilder::new().no_proxy())
        } else {
            (&self.clients.remote, ClientBuilder::new())
        };
        if let Some(client) = client.get() {
            return Ok(client);
        }
        let built = self.build(builder)?;
        Ok(client.get_or_init(|| built))
    }

    fn build(&self, builder: ClientBuilder) -> Result<Client, ImageError> {
        // Fails if a provider is already installed, which works as well.
        let _ = rustls::crypto::ring::default_provider().install_default();
        builder
            .user_agent(concat!("maelstrom/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(self.patience.connect)
            .read_timeout(self.patience.silence)
            .redirect(Policy::custom(redirect))
            .tls_danger_accept_invalid_certs(match self.certificates {
                TlsVerification::Checked => false,
                TlsVerification::AnyAccepted => true,
            })
            .build()
            .map_err(|source| ImageError::Tls { source })
    }

    /// Converts the error of a request.
    pub(super) fn failure(&self, url: &str, source: reqwest::Error) -> ImageError {
        let url = url.to_owned();
        let source = source.without_url();
        if source.is_timeout() && !source.is_connect() {
            ImageError::Silent {
                url,
                silence: self.patience.silence,
                source,
            }
        } else if source.is_redirect() {
            ImageError::Redirect { url, source }
        } else if is_about_certificates(&source) {
            ImageError::Certificate { url, source }
        } else if source.is_connect() {
            ImageError::Connect { url, source }
        } else {
            ImageError::Garbled { url, source }
        }
    }

    /// Repeats an operation until it succeeds, fails in a way that further attempts won't change,
    /// or has used all attempts.
    pub(super) async fn persist<T>(
        &self,
        mut attempt: impl AsyncFnMut() -> Result<T, ImageError>,
    ) -> Result<T, ImageError> {
        let mut pause = self.patience.pause;
        for _ in 1..self.patience.attempts {
            match attempt().await {
                Err(error) if is_passing(&error) => {
                    tracing::info!(%error, ?pause, "trying again");
                    tokio::time::sleep(pause).await;
                    pause *= 2;
                }
                other => return other,
            }
        }
        attempt().await
    }
}

/// Returns whether a retry may succeed.
fn is_passing(error: &ImageError) -> bool {
    match error {
        ImageError::Silent { .. } | ImageError::BrokenOff { .. } | ImageError::Garbled { .. } => {
            true
        }
        ImageError::Status { status, .. } => *status == 429 || (500..600).contains(status),
        _ => false,
    }
}

/// Returns whether a server, with or without port, is this machine by name.
pub(super) fn is_this_machine(server: &str) -> bool {
    let host = match server.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => server.split(':').next().unwrap_or_default(),
    };
    host == "localhost"
        || host
            .parse::<IpAddr>()
            .is_ok_and(|address| address.is_loopback())
}

/// The library itself does not send logins to another host after a redirect.
fn redirect(attempt: Attempt) -> reqwest::redirect::Action {
    let downgrade = attempt.url().scheme() != "https"
        && attempt
            .previous()
            .iter()
            .any(|previous| previous.scheme() == "https");
    let target = attempt.url().to_string();
    if downgrade {
        attempt.error(format!("`{target}` is not HTTPS"))
    } else if attempt.previous().len() > REDIRECTS_MAX {
        attempt.error(format!("`{target}` is one redirection too many"))
    } else {
        attempt.follow()
    }
}

fn is_about_certificates(error: &reqwest::Error) -> bool {
    let mut next: Option<&(dyn Error + 'static)> = error.source();
    while let Some(cause) = next {
        if let Some(rustls::Error::InvalidCertificate(_)) = cause.downcast_ref() {
            return true;
        }
        // The source of an I/O error skips the error that it wraps.
        let wrapped = cause
            .downcast_ref::<std::io::Error>()
            .and_then(std::io::Error::get_ref);
        next = match wrapped {
            Some(wrapped) => Some(wrapped),
            None => cause.source(),
        };
    }
    false
}

/// Converts a response that is not a success into an error with the server's message.
pub(super) async fn complaint(url: &str, response: Response) -> ImageError {
    let status = response.status();
    let url = url.to_owned();
    let detail = match read_body(response, COMPLAINT_BYTES_MAX).await {
        Ok(BoundedBody::Whole(body)) => readable(&body),
        Ok(BoundedBody::TooLarge) | Err(_) => String::new(),
    };
    match status {
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => ImageError::Refused {
            url,
            status: status.as_u16(),
            detail,
        },
        StatusCode::NOT_FOUND => ImageError::NotFound { url, detail },
        _ => ImageError::Status {
            url,
            status: status.as_u16(),
            detail,
        },
    }
}

/// Extracts a registry's error messages, if the text contains any.
fn readable(body: &[u8]) -> String {
    #[derive(serde::Deserialize)]
    struct RegistryErrors {
        errors: Vec<RegistryError>,
    }
    #[derive(serde::Deserialize)]
    struct RegistryError {
        #[serde(default)]
        code: String,
        #[serde(default)]
        message: String,
    }
    let Ok(RegistryErrors { errors }) = serde_json::from_slice(body) else {
        return String::new();
    };
    let messages: Vec<String> = errors
        .into_iter()
        .map(|error| match error.message.is_empty() {
            true => error.code,
            false => error.message,
        })
        .collect();
    messages
        .join("; ")
        .chars()
        .filter(|character| !character.is_control())
        .take(COMPLAINT_CHARACTERS_MAX)
        .collect()
}

/// The result of reading a body.
pub(super) enum BoundedBody {
    Whole(Vec<u8>),
    TooLarge,
}

/// Reads a body up to a limit.
pub(super) async fn read_body(
    mut response: Response,
    limit_bytes: u64,
) -> Result<BoundedBody, reqwest::Error> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await? {
        // Counted as it arrives, because a server may announce a wrong length, or none.
        if (body.len() + chunk.len()) as u64 > limit_bytes {
            return Ok(BoundedBody::TooLarge);
        }
        body.extend_from_slice(&chunk);
    }
    Ok(BoundedBody::Whole(body))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_machine_goes_by_several_names() {
        for server in [
            "localhost",
            "localhost:5000",
            "127.0.0.1:1",
            "127.9.9.9",
            "[::1]:5000",
        ] {
            assert!(is_this_machine(server), "{server}");
        }
        for server in [
            "localhost.example",
            "10.0.0.1",
            "[::2]:5000",
            "",
            "registry.example:5000",
        ] {
            assert!(!is_this_machine(server), "{server}");
        }
    }

    #[test]
    fn a_registrys_complaint_is_made_readable() {
        let body = br#"{"errors":[{"code":"MANIFEST_UNKNOWN","message":"manifest\u001b unknown"},{"code":"X"}]}"#;
        assert_eq!(readable(body), "manifest unknown; X");
        assert_eq!(readable(b"<html>"), "");
    }
}
