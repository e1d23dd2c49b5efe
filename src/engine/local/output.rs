//! Reads the output of running jobs.
//!
//! Most jobs end before their output could be polled. So the pipes of a new job are not read at
//! first, and a job that ends within [`UNWATCHED`] costs one read of each pipe at its end. The
//! pipes of a longer job are registered with the async runtime and read as they fill.

use std::future::pending;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::unistd::{pipe2, read};
use tokio::net::unix::pipe::Receiver;
use tokio::time::{Duration, Instant, sleep_until};

use super::container::ContainerStartError;
use maelstrom_model::event::OutputStream;
use maelstrom_model::job::OutputPipes;

/// How long the output of a new job is left unread. The delay is not noticeable; a job that fills
/// its pipe blocks that long, once.
const UNWATCHED: Duration = Duration::from_millis(5);

/// The number of bytes read at a time: the default capacity of a pipe.
const CHUNK_BYTES: usize = 64 * 1024;

/// A buffer size that suffices for the whole output of an ordinary test, in bytes.
const FIRST_BYTES: usize = 4 * 1024;

/// The output streams of a job, which may be joined in one pipe.
pub(super) struct JobOutput {
    stdout: JobOutputReader,
    stderr: JobOutputReader,
    unwatched_until: Option<Instant>,
}

/// The job's ends of its output pipes.
pub(super) enum JobOutputWriters {
    /// The pipes for standard output and standard error.
    Separate([OwnedFd; 2]),
    /// One pipe for both streams.
    Joined(OwnedFd),
}

/// Our end of one output stream.
pub(super) struct JobOutputReader {
    pub stream: OutputStream,
    /// Bytes that were read but not reported yet.
    pub buffer: Vec<u8>,
    pipe: PipeState,
    /// Whether more output may follow.
    open: bool,
    /// Whether the stream has never had any output.
    silent: bool,
}

enum PipeState {
    Unwatched(OwnedFd),
    Watched(Receiver),
    Closed,
}

impl JobOutput {
    /// Creates the pipes. Returns our ends and the job's ends.
    pub(super) fn open(
        pipes: OutputPipes,
    ) -> Result<(JobOutput, JobOutputWriters), ContainerStartError> {
        let unwatched_until = Some(Instant::now() + UNWATCHED);
        let (stdout, stderr, writers) = match pipes {
            OutputPipes::Separate => {
                let (stdout, stdout_writer) = JobOutputReader::open(OutputStream::Stdout)?;
                let (stderr, stderr_writer) = JobOutputReader::open(OutputStream::Stderr)?;
                let writers = JobOutputWriters::Separate([stdout_writer, stderr_writer]);
                (stdout, stderr, writers)
            }
            OutputPipes::Joined => {
                let (joined, writer) = JobOutputReader::open(OutputStream::Joined)?;
                let none = JobOutputReader::closed(OutputStream::Stderr);
                (joined, none, JobOutputWriters::Joined(writer))
            }
        };
        let outputs = JobOutput {
            stdout,
            stderr,
            unwatched_until,
        };
        Ok((outputs, writers))
    }

    /// Returns closed streams, for a job that writes elsewhere.
    pub(super) fn none() -> JobOutput {
        JobOutput {
            stdout: JobOutputReader::closed(OutputStream::Stdout),
            stderr: JobOutputReader::closed(OutputStream::Stderr),
            unwatched_until: None,
        }
    }

    /// Returns both streams.
    pub(super) fn each(&mut self) -> [&mut JobOutputReader; 2] {
        [&mut self.stdout, &mut self.stderr]
    }

    /// Returns whether no output was ever read.
    pub(super) fn are_silent(&self) -> bool {
        self.stdout.silent && self.stderr.silent
    }

    /// Waits for output and reads it. Cancel safe.
    pub(super) async fn read(&mut self) -> Result<(), ContainerStartError> {
        if let Some(until) = self.unwatched_until {
            sleep_until(until).await;
            self.unwatched_until = None;
            self.stdout.watch()?;
            self.stderr.watch()?;
        }
        // `select!` picks a branch at random, so a job that floods one stream does not starve the
        // other.
        tokio::select! {
            () = self.stdout.read() => {}
            () = self.stderr.read() => {}
        }
        Ok(())
    }
}

impl JobOutputWriters {
    /// Returns the descriptors for standard output and standard error.
    pub(super) fn each(&self) -> [BorrowedFd<'_>; 2] {
        match self {
            JobOutputWriters::Separate([stdout, stderr]) => [stdout.as_fd(), stderr.as_fd()],
            JobOutputWriters::Joined(both) => [both.as_fd(), both.as_fd()],
        }
    }

    /// Returns separate descriptors for standard output and standard error.
    pub(super) fn into_each(self) -> std::io::Result<[OwnedFd; 2]> {
        match self {
            JobOutputWriters::Separate(each) => Ok(each),
            JobOutputWriters::Joined(both) => Ok([both.try_clone()?, both]),
        }
    }
}

/// Converts the failure to create or watch a pipe.
fn failed(error: std::io::Error) -> ContainerStartError {
    ContainerStartError::of_io(
        &error,
        format!("cannot make a pipe for the job's output: {error}"),
    )
}

impl JobOutputReader {
    fn open(stream: OutputStream) -> Result<(JobOutputReader, OwnedFd), ContainerStartError> {
        // Only our end may be non-blocking. A flag of `pipe2` would apply to the job's end as well,
        // and programs do not expect that of their standard output.
        let (reader, writer) = pipe2(OFlag::O_CLOEXEC).map_err(|errno| failed(errno.into()))?;
        fcntl(&reader, FcntlArg::F_SETFL(OFlag::O_NONBLOCK))
            .map_err(|errno| failed(errno.into()))?;
        let output = JobOutputReader {
            stream,
            buffer: Vec::new(),
            pipe: PipeState::Unwatched(reader),
            open: true,
            silent: true,
        };
        Ok((output, writer))
    }

    fn closed(stream: OutputStream) -> JobOutputReader {
        JobOutputReader {
            stream,
            buffer: Vec::new(),
            pipe: PipeState::Closed,
            open: false,
            silent: true,
        }
    }

    fn watch(&mut self) -> Result<(), ContainerStartError> {
        self.pipe = match std::mem::replace(&mut self.pipe, PipeState::Closed) {
            PipeState::Unwatched(reader) => {
                PipeState::Watched(Receiver::from_owned_fd(reader).map_err(failed)?)
            }
            other => other,
        };
        Ok(())
    }

    fn took(&mut self, result: std::io::Result<usize>) {
        match result {
            Ok(0) | Err(_) => self.open = false,
            Ok(_) => self.silent = false,
        }
    }

    /// Waits for output and reads it. Never completes on a closed stream.
    async fn read(&mut self) {
        let JobOutputReader {
            pipe: PipeState::Watched(pipe),
            open: true,
            buffer,
            ..
        } = self
        else {
            return pending().await;
        };
        let result = loop {
            if let Err(error) = pipe.readable().await {
                break Err(error);
            }
            // The chunk must not live across an `await`, which would enlarge every job's future by
            // its size.
            let mut chunk = [0; CHUNK_BYTES];
            match pipe.try_read(&mut chunk) {
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
                Ok(length) => break Ok(keep(buffer, &chunk, length)),
                Err(error) => break Err(error),
            }
        };
        self.took(result);
    }

    /// Reads what is available, without waiting. Returns whether more output may follow.
    ///
    /// This reads the pipe directly, because the runtime may not have noticed yet that the pipe is
    /// readable.
    pub(super) fn take_rest(&mut self) -> bool {
        if self.open {
            // Most jobs write little or nothing, and zeroing the large buffer would be most of the
            // work.
            let result = if self.silent {
                self.take(&mut [0; FIRST_BYTES])
            } else {
                self.take(&mut [0; CHUNK_BYTES])
            };
            self.took(result);
        }
        self.open
    }

    fn take(&mut self, chunk: &mut [u8]) -> std::io::Result<usize> {
        let result = loop {
            let result = match &self.pipe {
                PipeState::Unwatched(pipe) => read(pipe, chunk),
                PipeState::Watched(pipe) => read(pipe, chunk),
                PipeState::Closed => Ok(0),
            };
            match result {
                Err(Errno::EINTR) => {}
                other => break other?,
            }
        };
        Ok(keep(&mut self.buffer, chunk, result))
    }
}

fn keep(buffer: &mut Vec<u8>, chunk: &[u8], length: usize) -> usize {
    buffer.extend_from_slice(chunk.get(..length).unwrap_or_default());
    length
}
