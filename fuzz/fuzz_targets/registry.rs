//! What registries of images answer besides images, and files of logins there.
#![no_main]

use std::collections::VecDeque;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::{Arc, LazyLock, Mutex};
use std::time::Duration;

use libfuzzer_sys::fuzz_target;
use maelstrom_container::store::{Store, StoreOptions};
use maelstrom_fuzz::{Parts, file, scratch};
use maelstrom_image::{
    CredentialFiles, ImageCache, ImageCacheOptions, ImageUri, Platform, ProgressCallback,
    RetryPolicy, TlsVerification,
};
use maelstrom_model::error::help_of;
use tokio::runtime::{Builder, Runtime};

/// Whoever waits longer has found something.
const SILENCE: Duration = Duration::from_secs(10);
const ANSWERS_MAX: usize = 6;

/// What the registry will answer, whatever it is asked.
static ANSWERS: Mutex<VecDeque<Vec<u8>>> = Mutex::new(VecDeque::new());

static PORT: LazyLock<u16> = LazyLock::new(|| {
    let listener = TcpListener::bind("127.0.0.1:0").expect("there is a port");
    let port = listener.local_addr().expect("it has an address").port();
    std::thread::spawn(move || listener.incoming().flatten().for_each(serve));
    port
});

static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| {
    let runtime = Builder::new_current_thread().enable_all().build();
    runtime.expect("a runtime can be made")
});

/// One for all inputs: setting up a client takes longer than what it is to be asked.
static DEPOT: LazyLock<ImageCache> = LazyLock::new(|| {
    let options = StoreOptions {
        root: scratch("store"),
        size_target_bytes: 1 << 20,
    };
    let store = Store::open(&options).expect("a store can be opened");
    let options = ImageCacheOptions {
        credentials: CredentialFiles::new(vec![scratch("logins1"), scratch("logins2")]),
        certificates: TlsVerification::Checked,
        patience: RetryPolicy {
            connect: SILENCE,
            silence: SILENCE,
            attempts: 1,
            pause: SILENCE,
        },
        platform: Platform::host(),
    };
    ImageCache::new(store, options)
});

fuzz_target!(|data: &[u8]| {
    let mut parts = Parts(data);
    for name in ["logins1", "logins2"] {
        let text = String::from_utf8_lossy(parts.part());
        file(name, text.replace("@P", &PORT.to_string()).as_bytes());
    }
    let answers = (0..ANSWERS_MAX).map_while(|_| (!parts.is_empty()).then(|| answer(&mut parts)));
    *ANSWERS.lock().expect("nobody panics with it") = answers.collect();
    let uri = format!("docker://localhost:{}/a/b:c", *PORT);
    let uri: ImageUri = uri.parse().expect("an image's name");
    let silent: ProgressCallback = Arc::new(|_| {});
    match RUNTIME.block_on(DEPOT.image(&uri, None, Path::new("/"), &silent)) {
        Ok(image) => drop(image),
        Err(error) => drop((error.to_string(), help_of(&error))),
    }
});

fn answer(parts: &mut Parts<'_>) -> Vec<u8> {
    const STATUSES: [u16; 8] = [200, 401, 401, 403, 404, 429, 500, 206];
    const TYPES: [&str; 4] = [
        "application/json",
        "application/vnd.oci.image.manifest.v1+json",
        "application/vnd.oci.image.index.v1+json",
        "text/html",
    ];
    let status = STATUSES[usize::from(parts.byte()) % STATUSES.len()];
    let kind = TYPES[usize::from(parts.byte()) % TYPES.len()];
    let challenge = challenge(parts);
    let name = line(&parts.text());
    let body = parts.part();
    let mut answer = format!(
        "HTTP/1.1 {status} -\r\nConnection: close\r\nContent-Type: {kind}\r\n\
         Content-Length: {}\r\nWWW-Authenticate: {challenge}\r\nDocker-Content-Digest: {name}\r\n\
         Content-Range: {name}\r\n\r\n",
        body.len()
    );
    // A length that is not kept.
    if parts.byte() % 16 == 15 {
        answer = answer.replace("Content-Length: ", "Content-Length: 9");
    }
    [answer.as_bytes(), body].concat()
}

/// It sends nobody anywhere but here.
fn challenge(parts: &mut Parts<'_>) -> String {
    let choice = parts.byte();
    let rest = line(&parts.text());
    let rest = match rest.to_ascii_lowercase().contains("realm") {
        true => String::new(),
        false => rest,
    };
    match choice % 4 {
        0 => format!("Basic realm=\"here\"{rest}"),
        1 => rest,
        _ => format!("Bearer realm=\"http://localhost:{}/token\"{rest}", *PORT),
    }
}

fn line(text: &str) -> String {
    text.replace(['\r', '\n', '\0'], " ")
}

fn serve(mut stream: TcpStream) {
    let mut request = Vec::new();
    let mut buffer = [0; 4096];
    while !request.windows(4).any(|window| window == b"\r\n\r\n") {
        match stream.read(&mut buffer) {
            Ok(0) | Err(_) => return,
            Ok(length) => request.extend_from_slice(&buffer[..length]),
        }
        // It tries whether this is TLS.
        if request.first() == Some(&0x16) {
            return;
        }
    }
    let answer = ANSWERS.lock().expect("nobody panics with it").pop_front();
    if let Some(answer) = answer {
        drop(stream.write_all(&answer));
    }
}
