//! The errors of fetching and unpacking an image, one variant per step.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use miette::Diagnostic;

use super::credentials::CredentialError;
use maelstrom_container::digest::ContentHash;
use maelstrom_container::store::{StoreError, TreeWriteError};
use maelstrom_layer::LayerError;

const TRY_LATER: &str = "try again later; what has arrived is kept. If it stays so, ask whoever runs \
                         the registry";

const DAMAGED: &str = "the image, or what it was fetched from, is damaged: push or save it again";

/// An error of fetching or unpacking an image.
#[derive(Debug, Diagnostic, thiserror::Error)]
pub enum ImageError {
    #[error(transparent)]
    #[diagnostic(transparent)]
    Store(#[from] StoreError),
    /// The credentials could not be searched.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Credentials(#[from] CredentialError),
    /// The means to talk to registries could not be set up.
    #[error("cannot set up HTTPS")]
    #[diagnostic(help(
        "install the system's certificates (package ca-certificates), or point SSL_CERT_FILE to \
         them"
    ))]
    Tls { source: reqwest::Error },
    /// A server can't be reached.
    #[error("cannot reach `{url}`")]
    #[diagnostic(help("check the name, the network, and HTTPS_PROXY and NO_PROXY"))]
    Connect {
        /// What was asked for.
        url: String,
        source: reqwest::Error,
    },
    /// A server's certificate is not trusted.
    #[error("the certificate of the server of `{url}` is not trusted")]
    #[diagnostic(help(
        "point SSL_CERT_FILE to the authority's certificate, or set \
         accept-invalid-remote-container-tls-certs"
    ))]
    Certificate {
        /// What was asked for.
        url: String,
        source: reqwest::Error,
    },
    /// A server does not respond.
    #[error("`{url}`: the server was silent for {} s", silence.as_secs_f32())]
    #[diagnostic(help("{TRY_LATER}"))]
    Silent {
        /// What was asked for.
        url: String,
        silence: Duration,
        source: reqwest::Error,
    },
    /// A response breaks off, repeatedly.
    #[error("`{url}`: the answer broke off after {arrived_bytes} of {expected_bytes} bytes")]
    #[diagnostic(help("{TRY_LATER}"))]
    BrokenOff {
        /// What was asked for.
        url: String,
        /// How much came, in all attempts.
        arrived_bytes: u64,
        /// How much was to come.
        expected_bytes: u64,
    },
    /// An answer that isn't HTTP, or breaks off in a document.
    #[error("`{url}`: the response is not valid")]
    #[diagnostic(help("{TRY_LATER}"))]
    Garbled {
        /// What was asked for.
        url: String,
        source: reqwest::Error,
    },
    /// A redirect that is not followed.
    #[error("`{url}`: the server redirects to where we do not follow")]
    #[diagnostic(help(
        "ask whoever runs the registry: redirections must end, and stay with HTTPS"
    ))]
    Redirect {
        /// What was asked for.
        url: String,
        /// Where, and why not.
        source: reqwest::Error,
    },
    /// A server wants a login, and there is none or it was rejected.
    #[error("`{url}`: the registry refuses access ({status}){}", colon(detail))]
    #[diagnostic(help("check the image's name; if it is not public, log in with `docker login`"))]
    Refused {
        /// What was asked for.
        url: String,
        status: u16,
        /// What the server says.
        detail: String,
    },
    /// An unsupported kind of challenge.
    #[error("`{url}`: the registry wants a login of an unknown kind: `{challenge}`")]
    #[diagnostic(help("use a registry with basic or bearer authentication"))]
    Challenge {
        /// What was asked for.
        url: String,
        challenge: String,
    },
    /// Not found in the registry.
    #[error("`{url}`: the registry has no such image{}", colon(detail))]
    #[diagnostic(help("check the image's name, tag and digest"))]
    NotFound {
        /// What was asked for.
        url: String,
        /// What the server says.
        detail: String,
    },
    #[error("`{url}`: the server answers with status {status}{}", colon(detail))]
    #[diagnostic(help("{TRY_LATER}"))]
    Status {
        /// What was asked for.
        url: String,
        status: u16,
        /// What the server says.
        detail: String,
    },
    /// Something is larger than anything of its kind.
    #[error("`{place}` is larger than {limit_bytes} bytes, which no such document is")]
    #[diagnostic(help("{DAMAGED}"))]
    TooLarge { place: String, limit_bytes: u64 },
    /// Content isn't what its digest says.
    #[error("`{place}` has the digest sha256:{actual}, but sha256:{expected} was announced")]
    #[diagnostic(help("{DAMAGED}"))]
    Mismatch {
        place: String,
        expected: ContentHash,
        actual: ContentHash,
    },
    /// Content isn't as long as was said.
    #[error("`{place}` is not of the {expected_bytes} bytes that were announced")]
    #[diagnostic(help("{DAMAGED}"))]
    Length { place: String, expected_bytes: u64 },
    /// A document can't be read.
    #[error("`{place}` is not a valid {kind}")]
    #[diagnostic(help("{DAMAGED}"))]
    Document {
        place: String,
        /// What it should be.
        kind: &'static str,
        source: serde_json::Error,
    },
    /// A document is valid, and not of a container image.
    #[error("`{place}` is not a container image that can be run: {problem}")]
    #[diagnostic(help("name an image of a Linux system, in the form that the scheme stands for"))]
    NotAnImage { place: String, problem: String },
    /// None of an index's images is for this machine.
    #[error("`{place}` has no image for {wanted}; it has {available}")]
    #[diagnostic(help("choose an image made for this machine, or make one for several platforms"))]
    NoPlatform {
        place: String,
        wanted: String,
        available: String,
    },
    /// A label is needed, or names none.
    #[error("`{}` {problem}; it has {available}", path.display())]
    #[diagnostic(help("add `:LABEL` to the path, with one of those"))]
    Label {
        /// The directory or archive.
        path: PathBuf,
        problem: String,
        available: String,
    },
    /// A file of a local image can't be read.
    #[error("cannot read `{place}`")]
    #[diagnostic(help("check the path and its permissions"))]
    Read {
        /// Path, and name within an archive.
        place: String,
        source: io::Error,
    },
    /// An archive is damaged, or none at all.
    #[error("`{}` is not a readable tar archive", path.display())]
    #[diagnostic(help("{DAMAGED}"))]
    Archive { path: PathBuf, source: io::Error },
    /// A layer can't be unpacked.
    #[error("cannot unpack the layer")]
    #[diagnostic(forward(source))]
    Layer { source: LayerError },
    /// A helper thread came to an unexpected end.
    #[error("unpacking was interrupted")]
    #[diagnostic(help("run again"))]
    Interrupted,
}

fn colon(detail: &str) -> String {
    if detail.is_empty() {
        String::new()
    } else {
        format!(": {detail}")
    }
}

impl ImageError {
    /// A layout or archive without a file that it must have.
    pub(super) fn missing_file(layout: &Path, name: &str) -> Self {
        ImageError::NotAnImage {
            place: layout.display().to_string(),
            problem: format!("it has no file `{name}`"),
        }
    }
}

impl From<LayerError> for ImageError {
    fn from(error: LayerError) -> Self {
        match error {
            LayerError::Store(error) => ImageError::Store(error),
            source => ImageError::Layer { source },
        }
    }
}

impl From<TreeWriteError> for ImageError {
    fn from(error: TreeWriteError) -> Self {
        LayerError::from(error).into()
    }
}
