//! A local HTTP server with scripted answers.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::os::fd::{AsRawFd, OwnedFd};
use std::sync::{Arc, Mutex};
use std::thread;

use nix::sys::socket::{AddressFamily, SockFlag, SockType, SockaddrIn, bind, getsockname, socket};

/// What a client asked for.
#[derive(Clone, Debug, Default)]
pub(super) struct Request {
    pub(super) method: String,
    pub(super) path: String,
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: String,
}

impl Request {
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(key, _)| key.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }

    /// Where a range begins that was asked for.
    pub(super) fn range_start(&self) -> Option<usize> {
        let range = self.header("range")?.strip_prefix("bytes=")?;
        range.strip_suffix('-')?.parse().ok()
    }
}

/// What a client is told.
#[derive(Clone, Debug)]
pub(super) struct Answer {
    status: u16,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
    /// So much of the body is sent before the connection is cut.
    sent_bytes: usize,
    then: Then,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Then {
    Close,
    /// The connection stays open, and nothing comes.
    SaysNothing,
}

impl Answer {
    pub(super) fn ok(body: &[u8]) -> Self {
        Answer {
            status: 200,
            headers: Vec::new(),
            body: body.to_vec(),
            sent_bytes: body.len(),
            then: Then::Close,
        }
    }

    pub(super) fn status(status: u16) -> Self {
        Answer {
            status,
            ..Answer::ok(b"")
        }
    }

    /// A registry's error.
    pub(super) fn error(status: u16, message: &str) -> Self {
        let body = serde_json::json!({ "errors": [{ "code": "X", "message": message }] });
        Answer {
            status,
            ..Answer::ok(body.to_string().as_bytes())
        }
    }

    pub(super) fn header(mut self, name: &str, value: impl ToString) -> Self {
        self.headers.push((name.to_owned(), value.to_string()));
        self
    }

    /// The part of the body that a range begins with.
    pub(super) fn resumed_at(mut self, start: usize) -> Self {
        let total = self.body.len();
        self.body.drain(..start);
        self.sent_bytes = self.body.len();
        self.status = 206;
        self.header(
            "content-range",
            format!("bytes {start}-{}/{total}", total - 1),
        )
    }

    pub(super) fn cut_after(mut self, bytes: usize) -> Self {
        self.sent_bytes = bytes.min(self.body.len());
        self
    }

    pub(super) fn then_silence(mut self) -> Self {
        self.then = Then::SaysNothing;
        self
    }

    fn send(&self, stream: &mut TcpStream) -> std::io::Result<()> {
        let mut head = format!(
            "HTTP/1.1 {} X\r\ncontent-length: {}\r\nconnection: close\r\n",
            self.status,
            self.body.len()
        );
        for (name, value) in &self.headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        stream.write_all(head.as_bytes())?;
        stream.write_all(b"\r\n")?;
        stream.write_all(&self.body[..self.sent_bytes])?;
        stream.flush()?;
        match self.then {
            Then::Close => Ok(()),
            // Until the client has had enough.
            Then::SaysNothing => stream.read_to_end(&mut Vec::new()).map(drop),
        }
    }
}

type Script = dyn Fn(&Request) -> Answer + Send + Sync;

/// A server; it goes with its value.
pub(super) struct Server {
    address: SocketAddr,
    log: Arc<Mutex<Vec<Request>>>,
    script: Arc<Mutex<Arc<Script>>>,
}

impl Server {
    pub(super) fn new(script: impl Fn(&Request) -> Answer + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let log = Arc::new(Mutex::new(Vec::new()));
        let script: Arc<Mutex<Arc<Script>>> = Arc::new(Mutex::new(Arc::new(script)));
        let (serving, kept) = (Arc::clone(&script), Arc::clone(&log));
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let (script, log) = (Arc::clone(&serving), Arc::clone(&kept));
                thread::spawn(move || serve(stream, &script, &log));
            }
        });
        Server {
            address,
            log,
            script,
        }
    }

    pub(super) fn address(&self) -> String {
        self.address.to_string()
    }

    /// Follows another script from now on.
    pub(super) fn replace(&self, script: impl Fn(&Request) -> Answer + Send + Sync + 'static) {
        *self.script.lock().unwrap() = Arc::new(script);
    }

    /// What was asked for so far, probing for HTTPS apart.
    pub(super) fn requests(&self) -> Vec<Request> {
        let log = self.log.lock().unwrap();
        log.iter()
            .filter(|request| request.path != "/v2/")
            .cloned()
            .collect()
    }

    pub(super) fn image(&self) -> String {
        format!("docker://{}/app", self.address)
    }
}

/// An address at which nobody answers while the socket lives: no other server of a test can have
/// it, as it could one that has only just been given up.
pub(super) fn unserved() -> (OwnedFd, String) {
    let (family, flags) = (AddressFamily::Inet, SockFlag::SOCK_CLOEXEC);
    let taken = socket(family, SockType::Stream, flags, None).unwrap();
    bind(taken.as_raw_fd(), &SockaddrIn::new(127, 0, 0, 1, 0)).unwrap();
    let address: SockaddrIn = getsockname(taken.as_raw_fd()).unwrap();
    (taken, address.to_string())
}

/// One request a connection. What is no request (the start of a TLS handshake, say) is hung up on.
fn serve(mut stream: TcpStream, script: &Mutex<Arc<Script>>, log: &Mutex<Vec<Request>>) {
    if let Some(request) = read_request(&stream) {
        log.lock().unwrap().push(request.clone());
        let script = Arc::clone(&script.lock().unwrap());
        let _ = script(&request).send(&mut stream);
    }
    let _ = stream.shutdown(Shutdown::Write);
}

fn read_request(stream: &TcpStream) -> Option<Request> {
    let mut reader = BufReader::new(stream);
    let mut first = Vec::new();
    // A TLS record starts with 0x16, and may hold no line end for long.
    if *reader.fill_buf().ok()?.first()? == 0x16 {
        return None;
    }
    reader.read_until(b'\n', &mut first).ok()?;
    let first = String::from_utf8(first).ok()?;
    let mut words = first.split_whitespace();
    let mut request = Request {
        method: words.next()?.to_owned(),
        path: words.next()?.to_owned(),
        ..Request::default()
    };
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        match line.trim_end().split_once(": ") {
            Some((name, value)) => request.headers.push((name.to_owned(), value.to_owned())),
            None => break,
        }
    }
    let length = request
        .header("content-length")
        .and_then(|length| length.parse().ok())
        .unwrap_or(0);
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    request.body = String::from_utf8(body).ok()?;
    Some(request)
}
