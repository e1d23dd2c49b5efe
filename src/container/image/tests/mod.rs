//! Misbehaving registries, played by a scripted server, and invalid images. Real registries are in
//! `tests/images.rs`.

mod bad_images;
mod registry;
mod server;

use std::io::Write;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use miette::Diagnostic;

use super::*;
use maelstrom_container::digest::{ContentHash, Digest};
use maelstrom_container::store::{Store, StoreOptions};
use server::{Answer, Server};

/// An image cache in a directory of its own.
struct Bench {
    depot: ImageCache,
    cache: tempfile::TempDir,
}

/// No pauses; silence is noticed at once.
const IMPATIENT: RetryPolicy = RetryPolicy {
    connect: Duration::from_secs(30),
    silence: Duration::from_secs(30),
    attempts: 3,
    pause: Duration::ZERO,
};

fn amd64() -> Platform {
    Platform {
        os: "linux".to_owned(),
        architecture: "amd64".to_owned(),
        variant: None,
    }
}

impl Bench {
    fn new() -> Self {
        Bench::with(IMPATIENT, CredentialFiles::default())
    }

    fn with(patience: RetryPolicy, credentials: CredentialFiles) -> Self {
        let cache = tempfile::tempdir().unwrap();
        let store = Store::open(&StoreOptions {
            root: cache.path().to_owned(),
            size_target_bytes: u64::MAX,
        })
        .unwrap();
        let options = ImageCacheOptions {
            credentials,
            certificates: TlsVerification::Checked,
            patience,
            platform: amd64(),
        };
        Bench {
            depot: ImageCache::new(store, options),
            cache,
        }
    }

    fn pull(&self, uri: &str) -> Result<ContainerImage, ImageError> {
        self.pull_locked(uri, None)
    }

    fn pull_locked(
        &self,
        uri: &str,
        locked: Option<ContentHash>,
    ) -> Result<ContainerImage, ImageError> {
        let silent: ProgressCallback = Arc::new(|_| {});
        self.pull_watched(uri, locked, &silent)
    }

    fn pull_watched(
        &self,
        uri: &str,
        locked: Option<ContentHash>,
        progress: &ProgressCallback,
    ) -> Result<ContainerImage, ImageError> {
        let uri: ImageUri = uri.parse().unwrap();
        let nowhere = Path::new("/");
        block_on(self.depot.image(&uri, locked, nowhere, progress))
    }
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
        .block_on(future)
}

/// An error's whole text, with what differs from run to run replaced.
fn explain(error: &ImageError, server: &Server) -> String {
    let mut text = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    // Hashes of what a compressor made may change with its version.
    let hashes = regex::Regex::new("[0-9a-f]{64}").unwrap();
    let text = text.replace(&server.address(), "HOST");
    format!(
        "{}; {}",
        hashes.replace_all(&text, "HASH"),
        error.help().unwrap()
    )
}

/// A one-layer image, as documents and blobs.
#[derive(Clone)]
struct Sample {
    layer: Vec<u8>,
    config: Vec<u8>,
    manifest: Vec<u8>,
}

fn tar(files: &[(&str, &str)]) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    for (name, content) in files {
        let mut header = tar::Header::new_gnu();
        header.set_size(content.len() as u64);
        header.set_mode(0o644);
        builder
            .append_data(&mut header, name, content.as_bytes())
            .unwrap();
    }
    builder.into_inner().unwrap()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn sha256(bytes: &[u8]) -> String {
    format!("sha256:{}", ContentHash::of(bytes))
}

fn descriptor(bytes: &[u8]) -> serde_json::Value {
    serde_json::json!({
        "mediaType": "application/octet-stream",
        "digest": sha256(bytes),
        "size": bytes.len(),
    })
}

impl Sample {
    fn new() -> Self {
        // Hardly compressible, so that it comes in several pieces.
        let content: String = (0..20_000u64)
            .map(|number| {
                char::from(b'!' + (ContentHash::of(&number.to_le_bytes()).prefix() % 90) as u8)
            })
            .collect();
        Sample::of(&tar(&[("greeting", "hello"), ("noise", &content)]))
    }

    fn of(plain: &[u8]) -> Self {
        let config = serde_json::json!({
            "architecture": "amd64",
            "os": "linux",
            "config": { "Env": ["PATH=/bin", "EMPTY=", "A=b=c"], "WorkingDir": "/srv" },
            "rootfs": { "type": "layers", "diff_ids": [sha256(plain)] },
        });
        let config = config.to_string().into_bytes();
        let layer = gzip(plain);
        Sample {
            manifest: manifest(&config, &[&layer]),
            layer,
            config,
        }
    }

    fn hash(&self) -> ContentHash {
        ContentHash::of(&self.manifest)
    }

    /// What a registry answers that has this image as `app:latest`.
    fn serve(&self, path: &str) -> Answer {
        let path = path.strip_prefix("/v2/").unwrap_or(path);
        if path.is_empty() {
            return Answer::ok(b"{}");
        }
        let by_digest = [&self.layer, &self.config]
            .into_iter()
            .find(|blob| path == format!("app/blobs/{}", sha256(blob)));
        match by_digest {
            Some(blob) => Answer::ok(blob),
            None if path == "app/manifests/latest"
                || path == format!("app/manifests/{}", sha256(&self.manifest)) =>
            {
                Answer::ok(&self.manifest)
            }
            None => Answer::error(404, "manifest unknown"),
        }
    }

    fn is_layer(&self, path: &str) -> bool {
        path.ends_with(&sha256(&self.layer))
    }
}

fn manifest(config: &[u8], layers: &[&[u8]]) -> Vec<u8> {
    let layers: Vec<_> = layers.iter().map(|layer| descriptor(layer)).collect();
    serde_json::json!({
        "schemaVersion": 2,
        "config": descriptor(config),
        "layers": layers,
    })
    .to_string()
    .into_bytes()
}
