//! Receives test binaries from `go test`.
//!
//! `go test -exec PROGRAM` builds and vets packages as usual, and then calls
//! `PROGRAM TEST-BINARY ARGUMENTS…` in each package's directory instead of the test binary.
//! `PROGRAM` is this program: called with [`VARIABLE`] set, it sends its arguments to the socket at
//! that path, waits until the binary has been accepted, and exits.
//!
//! ```text
//! runner ──starts──▶ go test ──starts──▶ collector
//!    ◀───────────────{directory, arguments, PATH}──┘
//!    └─── one byte: accepted; end of file: failed ─▶
//! ```
//!
//! The socket is in a directory that only the user can enter.

use std::ffi::{OsStr, OsString};
use std::io::{self, Read, Write};
use std::net::Shutdown;
use std::os::unix::net::UnixStream as StdStream;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{UnixListener, UnixStream};

use maelstrom_container::private;

/// The environment variable with the path of the socket.
pub const VARIABLE: &str = "MAELSTROM_GO_TEST_COLLECTOR";

/// The maximum length of a collector's message. The kernel limits an argument list to 2 MiB.
const MESSAGE_BYTES_MAX: u64 = 16 * 1024 * 1024;

/// The answer that the binary has been accepted.
const TAKEN: u8 = b'y';

/// A test binary that `go test` would run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OfferedBinary {
    pub directory: OsString,
    pub program: OsString,
    /// The arguments that `go test` passes to it.
    pub arguments: Vec<OsString>,
    /// Its `PATH`, to which Go adds its own directory at the front.
    pub path: Option<OsString>,
}

/// The `main` of the collector: if this process is one, returns its exit status.
pub fn run_if_collector() -> Option<u8> {
    let socket = std::env::var_os(VARIABLE)?;
    let mut words = std::env::args_os().skip(1);
    let offered = words
        .next()
        .ok_or_else(|| io::Error::other("no test binary was named"))
        .and_then(|program| offer(Path::new(&socket), program, words.collect()));
    Some(match offered {
        Ok(()) => 0,
        Err(error) => {
            // `go test` prints it with the package's other output.
            let _ = writeln!(
                io::stderr(),
                "the test binary can't be handed over: {error}"
            );
            1
        }
    })
}

fn offer(socket: &Path, program: OsString, arguments: Vec<OsString>) -> io::Result<()> {
    let offer = OfferedBinary {
        directory: std::env::current_dir()?.into_os_string(),
        program,
        arguments,
        path: std::env::var_os("PATH"),
    };
    let mut stream = StdStream::connect(socket)?;
    stream.write_all(&serde_json::to_vec(&offer)?)?;
    // The runner reads to the end of the stream before it answers.
    stream.shutdown(Shutdown::Write)?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    match answer.as_slice() {
        [TAKEN] => Ok(()),
        _ => Err(io::Error::other("nobody took it")),
    }
}

/// The socket to which collectors connect.
#[derive(Debug)]
pub struct CollectorListener {
    listener: UnixListener,
    socket: PathBuf,
    _directory: TempDir,
}

/// A collector that waits for its answer. Dropping it reports an error to the collector.
#[derive(Debug)]
pub struct WaitingCollector {
    stream: UnixStream,
}

impl CollectorListener {
    /// Creates the socket in a new temporary directory.
    pub fn open() -> io::Result<CollectorListener> {
        // A socket's path is limited to 107 bytes, and the path of a project's cache may be longer.
        let directory = private::temporary_directory("maelstrom-go-", &std::env::temp_dir())?;
        let socket = directory.path().join("collector");
        Ok(CollectorListener {
            listener: UnixListener::bind(&socket)?,
            socket,
            _directory: directory,
        })
    }

    /// Returns the value for [`VARIABLE`].
    pub fn socket(&self) -> &OsStr {
        self.socket.as_os_str()
    }

    /// Waits for the next collector to connect. Cancel safe: dropping the future loses none.
    pub async fn next(&self) -> io::Result<UnixStream> {
        let (stream, _) = self.listener.accept().await?;
        Ok(stream)
    }
}

/// Reads a collector's message.
pub async fn read_offer(mut stream: UnixStream) -> io::Result<(OfferedBinary, WaitingCollector)> {
    let mut message = Vec::new();
    (&mut stream)
        .take(MESSAGE_BYTES_MAX)
        .read_to_end(&mut message)
        .await?;
    let offer = serde_json::from_slice(&message)?;
    Ok((offer, WaitingCollector { stream }))
}

impl WaitingCollector {
    /// Reports to the collector that the binary has been accepted.
    pub async fn taken(mut self) -> io::Result<()> {
        self.stream.write_all(&[TAKEN]).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn call(
        desk: &CollectorListener,
    ) -> (
        OfferedBinary,
        WaitingCollector,
        std::thread::JoinHandle<io::Result<()>>,
    ) {
        let socket = desk.socket().to_owned();
        let caller = std::thread::spawn(move || {
            offer(Path::new(&socket), "/b/x.test".into(), vec!["-a".into()])
        });
        let stream = desk.next().await.unwrap();
        let (offer, waiting) = read_offer(stream).await.unwrap();
        (offer, waiting, caller)
    }

    #[tokio::test]
    async fn an_offer_is_heard_and_answered() {
        let desk = CollectorListener::open().unwrap();
        let (offer, waiting, caller) = call(&desk).await;
        assert_eq!(offer.program, "/b/x.test");
        assert_eq!(offer.arguments, ["-a"]);
        assert_eq!(offer.directory, std::env::current_dir().unwrap());
        waiting.taken().await.unwrap();
        caller.join().unwrap().unwrap();
    }

    #[tokio::test]
    async fn trouble_reaches_the_collector() {
        let desk = CollectorListener::open().unwrap();
        let (_, waiting, caller) = call(&desk).await;
        drop(waiting);
        assert_eq!(
            caller.join().unwrap().unwrap_err().to_string(),
            "nobody took it"
        );
    }
}
