//! One output stream of a running job.

use std::os::fd::OwnedFd;

use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::unistd::{pipe2, read};
use tokio::net::unix::pipe::Receiver;

use super::container::StartError;
use crate::engine::event::Stream;

/// How much of a stream is read at a time: what a pipe holds by default.
const CHUNK_BYTES: usize = 64 * 1024;

/// One of the job's output streams.
pub struct Output {
    /// Which.
    pub stream: Stream,
    pipe: Receiver,
    /// What was read and not yet told.
    pub buffer: Vec<u8>,
    /// Whether there may be more.
    pub open: bool,
    /// Whether there never was any.
    pub silent: bool,
}

impl Output {
    /// Opens a stream; the other end is for the job.
    pub fn open(stream: Stream) -> Result<(Output, OwnedFd), StartError> {
        let failed = |error: std::io::Error| {
            StartError::Container(format!("cannot make a pipe for the job's output: {error}"))
        };
        let (reader, writer) = pipe2(OFlag::O_CLOEXEC).map_err(|errno| failed(errno.into()))?;
        let pipe = Receiver::from_owned_fd(reader).map_err(failed)?;
        Ok((
            Output {
                stream,
                pipe,
                buffer: Vec::new(),
                open: true,
                silent: true,
            },
            writer,
        ))
    }

    fn took(&mut self, result: std::io::Result<usize>) {
        match result {
            Ok(0) | Err(_) => self.open = false,
            Ok(_) => self.silent = false,
        }
    }

    /// Waits for output and reads it. Dropping the future loses nothing.
    pub async fn read(&mut self) {
        self.buffer.reserve(1024);
        let result = loop {
            if let Err(error) = self.pipe.readable().await {
                break Err(error);
            }
            let mut chunk = [0; CHUNK_BYTES];
            match self.pipe.try_read(&mut chunk) {
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
                Ok(length) => break Ok(self.keep(&chunk, length)),
                Err(error) => break Err(error),
            }
        };
        self.took(result);
    }

    /// Reads what is there, without waiting; whether there was anything.
    ///
    /// The runtime may not have heard of it yet, and would then deny that there is any: only the
    /// pipe itself is asked.
    pub fn take_rest(&mut self) -> bool {
        if self.open {
            let mut chunk = [0; CHUNK_BYTES];
            let result = loop {
                match read(&self.pipe, &mut chunk) {
                    Err(Errno::EINTR) => {}
                    Ok(length) => break Ok(self.keep(&chunk, length)),
                    Err(errno) => break Err(errno.into()),
                }
            };
            self.took(result);
        }
        self.open
    }

    fn keep(&mut self, chunk: &[u8], length: usize) -> usize {
        self.buffer
            .extend_from_slice(chunk.get(..length).unwrap_or_default());
        length
    }
}
