//! What a user is told of a registry that misbehaves, word for word: by the program itself, or, where
//! the program would go on trying for a while, by a depot that has less patience.
//!
//! That the image is not taken all the same, and every further misbehavior, is in
//! `src/container/image/tests`; registries as they should be are in `tests/images`.

use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use maelstrom_container::digest::ContentHash;
use maelstrom_container::store::{Store, StoreOptions};
use maelstrom_image::{
    CredentialFiles, ImageCache, ImageCacheOptions, Platform, ProgressCallback, RetryPolicy,
};
use maelstrom_ui::diagnostic::PrintableError;
use maelstrom_ui::style::OutputColor;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use server::{Answer, Server, unserved};
use tempfile::TempDir;

#[allow(dead_code)] // Each user of this file uses a part of it.
#[path = "../../src/container/image/tests/server.rs"]
mod server;

const PROGRAM: &str = env!("CARGO_BIN_EXE_maelstrom-run");

/// A manifest and what it names: a configuration and a layer without files.
#[derive(Clone)]
struct Image {
    layer: Vec<u8>,
    config: Vec<u8>,
    manifest: Vec<u8>,
}

fn digest(bytes: &[u8]) -> String {
    format!("sha256:{}", ContentHash::of(bytes))
}

impl Image {
    fn new() -> Image {
        let layer = tar::Builder::new(Vec::new()).into_inner().unwrap();
        let config = serde_json::json!({
            "architecture": Platform::host().architecture,
            "os": "linux",
            "rootfs": { "type": "layers", "diff_ids": [digest(&layer)] },
        });
        let config = config.to_string().into_bytes();
        let part = |bytes: &[u8]| {
            serde_json::json!({
                "mediaType": "application/octet-stream",
                "digest": digest(bytes),
                "size": bytes.len(),
            })
        };
        let manifest = serde_json::json!({
            "schemaVersion": 2,
            "config": part(&config),
            "layers": [part(&layer)],
        });
        Image {
            manifest: manifest.to_string().into_bytes(),
            layer,
            config,
        }
    }

    /// What a registry answers that has it.
    fn serve(&self, path: &str) -> Answer {
        let blobs = [&self.layer, &self.config, &self.manifest];
        let by_digest = blobs.into_iter().find(|blob| path.ends_with(&digest(blob)));
        match by_digest {
            Some(blob) => Answer::ok(blob),
            None if path.ends_with("/manifests/latest") => Answer::ok(&self.manifest),
            None => Answer::ok(b"{}"),
        }
    }

    /// A registry that has it and answers some requests in another way.
    fn served_but(&self, but: fn(&Image, &str) -> Option<Answer>) -> Server {
        let image = self.clone();
        Server::new(move |request| {
            but(&image, &request.path).unwrap_or_else(|| image.serve(&request.path))
        })
    }
}

/// What the program says of an image.
fn by_the_program(uri: &str, settings: impl FnOnce(&mut Command)) -> String {
    let home = TempDir::new().unwrap();
    let mut command = Command::new(PROGRAM);
    command
        .args(["--image", uri, "--", "true"])
        .current_dir(home.path())
        .env("XDG_CACHE_HOME", home.path())
        .env("XDG_CONFIG_HOME", home.path())
        .env_remove("DOCKER_CONFIG")
        .env_remove("REGISTRY_AUTH_FILE")
        .env("HOME", home.path());
    settings(&mut command);
    let output = command.output().unwrap();
    assert_eq!(output.stdout, b"");
    assert!(!home.path().join("maelstrom-container-tags.lock").exists());
    let code = output.status.code().unwrap();
    format!("({code})\n{}", String::from_utf8(output.stderr).unwrap())
}

/// What a depot says of an image that will not wait longer than this for a word, nor try more than
/// twice.
fn by_a_depot(uri: &str, silence: Duration) -> String {
    let cache = TempDir::new().unwrap();
    let store = Store::open(&StoreOptions {
        root: cache.path().to_owned(),
        size_target_bytes: u64::MAX,
    });
    let options = ImageCacheOptions {
        credentials: CredentialFiles::default(),
        patience: RetryPolicy {
            connect: Duration::from_secs(30),
            silence,
            attempts: 2,
            pause: Duration::ZERO,
        },
        ..ImageCacheOptions::default()
    };
    let depot = ImageCache::new(store.unwrap(), options);
    let uri = uri.parse().unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let unheard: ProgressCallback = Arc::new(|_| {});
    let image = depot.image(&uri, None, Path::new("/"), &unheard);
    let error = runtime.block_on(image).unwrap_err();
    let mut said = Vec::new();
    PrintableError::new(&error)
        .write(&mut said, OutputColor::Never)
        .unwrap();
    format!("\n{}", String::from_utf8(said).unwrap())
}

/// Puts names in the place of what differs from run to run.
fn named(said: &str, names: &[(&str, &str)]) -> String {
    let mut said = said.to_owned();
    for (value, name) in names {
        said = said.replace(value, name);
    }
    said
}

#[test]
fn each_misbehavior_is_told_with_its_url_and_what_to_do() {
    let image = Image::new();
    let (layer, manifest) = (digest(&image.layer), digest(&image.manifest));
    let other = digest(b"another");
    let names = [
        (layer.as_str(), "LAYER"),
        (&manifest, "MANIFEST"),
        (&other, "OTHER"),
    ];
    let mut told = String::new();
    let mut tell = |title: &str, said: &str, host: &str| {
        let said = named(&named(said, &names), &[(host, "HOST")]);
        writeln!(told, "== {title} {said}").unwrap();
    };
    let (_taken, down) = unserved();
    let said = by_the_program(&format!("docker://{down}/app"), |_| {});
    tell("down", &said, &down);

    type Misbehavior = fn(&Image, &str) -> Option<Answer>;
    let at_once: [(&str, Misbehavior); 5] = [
        ("without the image", |_, path| {
            let unknown = Answer::error(404, "manifest unknown");
            path.contains("/manifests/").then_some(unknown)
        }),
        ("lying about a tag's digest", |image, path| {
            let lie = Answer::ok(&image.manifest);
            let lie = lie.header("docker-content-digest", digest(b"another"));
            path.contains("/manifests/").then_some(lie)
        }),
        ("lying about a layer's digest", |image, path| {
            let mut lie = image.layer.clone();
            lie.iter_mut().for_each(|byte| *byte = b'?');
            path.ends_with(&digest(&image.layer))
                .then(|| Answer::ok(&lie))
        }),
        ("redirecting in circles", |_, path| {
            let circle = Answer::status(307).header("location", "/v2/app/manifests/circle");
            path.contains("/manifests/").then_some(circle)
        }),
        ("of other machines", |_, path| {
            let index = r#"{ "schemaVersion": 2, "manifests": [
                { "mediaType": "application/vnd.oci.image.manifest.v1+json", "size": 2,
                  "digest": "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a",
                  "platform": { "os": "linux", "architecture": "s390x" } },
                { "mediaType": "application/vnd.oci.image.manifest.v1+json", "size": 2,
                  "digest": "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a",
                  "platform": { "os": "linux", "architecture": "ppc64le" } } ] }"#;
            path.contains("/manifests/")
                .then(|| Answer::ok(index.as_bytes()))
        }),
    ];
    for (title, but) in at_once {
        let server = image.served_but(but);
        let said = by_the_program(&server.image(), |_| {});
        tell(title, &said, &server.address());
    }
    // Where silence is not the point, a server that is slow to answer is waited for.
    let (soon, late) = (Duration::from_millis(250), Duration::from_secs(60));
    let after_a_while: [(&str, Duration, Misbehavior); 4] = [
        ("that never answers", soon, |_, path| {
            let silence = Answer::ok(b"{}").cut_after(0).then_silence();
            path.contains("/manifests/").then_some(silence)
        }),
        ("that falls silent within a layer", soon, |image, path| {
            let silence = Answer::ok(&image.layer).cut_after(10).then_silence();
            path.ends_with(&digest(&image.layer)).then_some(silence)
        }),
        ("that always breaks off", late, |image, path| {
            let start = Answer::ok(&image.layer).cut_after(0);
            path.ends_with(&digest(&image.layer)).then_some(start)
        }),
        ("that is broken", late, |_, path| {
            let broken = Answer::error(500, "the database is down");
            path.contains("/manifests/").then_some(broken)
        }),
    ];
    for (title, silence, but) in after_a_while {
        let server = image.served_but(but);
        let said = by_a_depot(&server.image(), silence);
        tell(title, &said, &server.address());
    }
    let platform = Platform::host().to_string();
    insta::assert_snapshot!(named(&told, &[(&platform, "THIS/PLATFORM")]));
}

/// A server that answers whatever is asked by HTTPS with a redirection to this URL.
fn secure_redirection(certificate: &rcgen::CertifiedKey<rcgen::KeyPair>, url: String) -> String {
    let key = PrivatePkcs8KeyDer::from(certificate.signing_key.serialize_der());
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(
            vec![certificate.cert.der().clone()],
            PrivateKeyDer::Pkcs8(key),
        );
    let config = Arc::new(config.unwrap());
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let connection = ServerConnection::new(Arc::clone(&config)).unwrap();
            // A client that has had enough is no failure of the test, which sees what it says.
            let _ = redirect(StreamOwned::new(connection, stream), &url);
        }
    });
    address
}

fn redirect(
    mut stream: StreamOwned<ServerConnection, TcpStream>,
    url: &str,
) -> std::io::Result<()> {
    let mut lines = BufReader::new(&mut stream).lines();
    while lines
        .next()
        .transpose()?
        .is_some_and(|line| !line.is_empty())
    {}
    write!(
        stream,
        "HTTP/1.1 307 X\r\nlocation: {url}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
    )?;
    stream.conn.send_close_notify();
    stream.flush()?;
    stream.sock.shutdown(std::net::Shutdown::Write)?;
    stream.sock.read_to_end(&mut Vec::new()).map(drop)
}

#[test]
fn nobody_is_followed_from_https_to_http() {
    let names = vec!["127.0.0.1".to_owned()];
    let certificate = rcgen::generate_simple_self_signed(names).unwrap();
    let authority = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(authority.path(), certificate.cert.pem()).unwrap();
    let open = Server::new(|_| Answer::ok(b"{}"));
    let target = format!("http://{}/elsewhere", open.address());
    let host = secure_redirection(&certificate, target);
    let said = by_the_program(&format!("docker://{host}/app"), |command| {
        command.env("SSL_CERT_FILE", authority.path());
    });
    assert_eq!(open.requests().len(), 0);
    let names = [(host.as_str(), "HOST"), (&open.address(), "OPEN")];
    insta::assert_snapshot!(named(&said, &names));
}
