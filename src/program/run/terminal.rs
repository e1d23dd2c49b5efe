//! Runs one job on this terminal: its own pseudo-terminal, relayed byte by byte.
//!
//! ```text
//! keys ─▶ escapes ─▶ master ═ pseudo-terminal ═ the job's streams
//! screen ◀────────── master
//! ```
//!
//! Two threads copy bytes, one in each direction; the calling thread handles the backend, signals,
//! and the escape sequences that the input thread finds. While the job has the terminal, keys go to
//! the job: `^C` interrupts the job, not this program. The terminal is restored on every exit path.

use std::io::{self, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::thread;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, FdFlag, OFlag, fcntl};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::pty::openpty;
use nix::sys::signal::{Signal, raise};
use nix::sys::termios::{SetArg, Termios, cfmakeraw, tcgetattr, tcsetattr};
use nix::unistd::{read, write};
use rustix::termios::{tcgetwinsize, tcsetwinsize};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use super::ending::{JobExitReason, ending};
use crate::program::failure::ProgramFailure;
use maelstrom_engine::local::LocalBackend;
use maelstrom_engine::run::signals::TerminationSignal;
use maelstrom_model::backend::{Backend, BackendEvent, JobId, JobPriority, StopMode};
use maelstrom_model::job::Job;
use maelstrom_runners::run::escape::{EscapeAction, EscapeCharacter, EscapeParser, SILENCE};

const CHUNK_BYTES: usize = 16 * 1024;

/// The number of bytes that wait for a job that does not read its terminal; beyond it, keys are not
/// read.
const TYPED_AHEAD_MAX: usize = 64 * 1024;

/// An error while connecting the terminal to a job.
#[derive(Debug, thiserror::Error)]
#[error("cannot {action}")]
pub(super) struct TerminalError {
    action: &'static str,
    source: io::Error,
}

fn failed<E: Into<io::Error>>(action: &'static str) -> impl Fn(E) -> TerminalError {
    move |error| TerminalError {
        action,
        source: error.into(),
    }
}

/// Opens a pseudo-terminal of the size of this terminal: the master end and the job's end.
pub(super) fn open() -> Result<(OwnedFd, OwnedFd), TerminalError> {
    const ACTION: &str = "open a pseudo-terminal";
    let attributes = tcgetattr(io::stdin()).map_err(failed(ACTION))?;
    let ends = openpty(None, &attributes).map_err(failed(ACTION))?;
    // Processes started in the meantime must not inherit the ends: the job's output ends when the
    // last copy of its end is closed.
    for end in [&ends.master, &ends.slave] {
        fcntl(end, FcntlArg::F_SETFD(FdFlag::FD_CLOEXEC)).map_err(failed(ACTION))?;
    }
    // The keys thread must keep reading keys while the job reads none.
    fcntl(&ends.master, FcntlArg::F_SETFL(OFlag::O_NONBLOCK)).map_err(failed(ACTION))?;
    resize(ends.master.as_fd());
    Ok((ends.master, ends.slave))
}

/// Gives the job's terminal the size of this one. The kernel notifies its processes with SIGWINCH.
fn resize(master: BorrowedFd<'_>) {
    if let Ok(size) = tcgetwinsize(io::stdin()) {
        // A terminal of the wrong size is still usable.
        let _ = tcsetwinsize(master, size);
    }
}

/// This terminal in raw mode. Dropping it restores the previous mode.
struct RawMode {
    before: Termios,
}

impl RawMode {
    fn enter() -> nix::Result<RawMode> {
        let raw = RawMode {
            before: tcgetattr(io::stdin())?,
        };
        raw.enter_again()?;
        Ok(raw)
    }

    fn enter_again(&self) -> nix::Result<()> {
        let mut attributes = self.before.clone();
        cfmakeraw(&mut attributes);
        tcsetattr(io::stdin(), SetArg::TCSADRAIN, &attributes)
    }

    fn leave(&self) {
        // If the terminal is gone, there is nothing to restore.
        let _ = tcsetattr(io::stdin(), SetArg::TCSADRAIN, &self.before);
    }
}

impl Drop for RawMode {
    fn drop(&mut self) {
        self.leave();
    }
}

/// A request of the keys thread to the main thread.
#[derive(Clone, Copy, Debug)]
enum KeyboardRequest {
    End,
    /// Suspends this program.
    Suspend,
    /// Ends the job, because the terminal is gone.
    HangUp,
}

/// Whether the terminal still exists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum TerminalPresence {
    There,
    Gone,
}

/// The error of a job whose terminal has disappeared.
#[derive(Debug, thiserror::Error)]
#[error("the terminal is gone, so the job was stopped")]
struct JobTerminalGoneError;

/// Runs the job to its end. `backend` has already been given the job's end of the terminal.
pub(super) async fn run(
    mut backend: LocalBackend,
    job: Job,
    master: OwnedFd,
    escape: EscapeCharacter,
    interrupts: &mut UnboundedReceiver<TerminationSignal>,
) -> Result<JobExitReason, ProgramFailure> {
    const JOB: JobId = JobId(0);
    let infrastructure = |error: TerminalError| ProgramFailure::infrastructure(&error);
    let relaying = failed("relay the terminal");
    let mut resized = signal(SignalKind::window_change())
        .map_err(failed("receive SIGWINCH"))
        .map_err(infrastructure)?;
    let raw = RawMode::enter()
        .map_err(failed("put the terminal into raw mode"))
        .map_err(infrastructure)?;
    let (screen, keys) = (master.try_clone(), master.try_clone());
    let (sender, mut requests) = unbounded_channel();
    let threads = screen.and_then(|screen| {
        let keys = keys?;
        let screen = thread::Builder::new()
            .name("screen".to_owned())
            .spawn(move || show(&screen))?;
        thread::Builder::new()
            .name("keys".to_owned())
            .spawn(move || KeyboardForwarder::new(keys, escape, sender).follow())?;
        Ok(screen)
    });
    let screen = threads.map_err(relaying).map_err(infrastructure)?;
    backend.submit(JOB, job, JobPriority::default());
    let mut stop = StopMode::Terminate;
    let mut presence = TerminalPresence::There;
    let ended = loop {
        tokio::select! {
            event = backend.next() => match event {
                BackendEvent::Finished { result, .. } => break Ok(ending(result.end)),
                BackendEvent::Lost(lost) => break Err(lost.into()),
                BackendEvent::Started { .. }
                | BackendEvent::Output { .. }
                | BackendEvent::Restarted { .. }
                | BackendEvent::Discarded { .. }
                | BackendEvent::Worker(_)
                | BackendEvent::Cluster(_)
                | BackendEvent::Notice(_) => {}
            },
            Some(interrupt) = interrupts.recv() => {
                match interrupt {
                    TerminationSignal::Hangup => presence = TerminalPresence::Gone,
                    TerminationSignal::Interrupt | TerminationSignal::Terminate => {}
                }
                backend.stop(JOB, stop);
                stop = StopMode::Kill;
            }
            Some(()) = resized.recv() => resize(master.as_fd()),
            Some(request) = requests.recv() => match request {
                KeyboardRequest::End => backend.stop(JOB, StopMode::Kill),
                KeyboardRequest::HangUp => {
                    presence = TerminalPresence::Gone;
                    backend.stop(JOB, StopMode::Kill);
                }
                KeyboardRequest::Suspend => {
                    raw.leave();
                    // The whole program stops here until SIGCONT. `raise` signals this thread,
                    // which stops before the call returns, so raw mode is not entered again too
                    // early.
                    let _ = raise(Signal::SIGTSTP);
                    let _ = raw.enter_again();
                    resize(master.as_fd());
                }
            },
        }
    };
    // Closing the backend closes the last copy of the job's end, so the screen thread reaches the
    // end of the output.
    backend.close().await;
    // The keys thread is not joined: it may block on a key that never comes.
    drop(screen.join());
    drop(raw);
    match (ended, presence) {
        // The job may have noticed first, and ended in its own way.
        (Ok(_), TerminalPresence::Gone) => {
            Err(ProgramFailure::terminal_gone(&JobTerminalGoneError))
        }
        (ended, TerminalPresence::There | TerminalPresence::Gone) => ended,
    }
}

/// Copies the job's output to the screen until all copies of the job's end are closed.
fn show(master: &OwnedFd) {
    let mut chunk = vec![0; CHUNK_BYTES];
    loop {
        let mut watched = [PollFd::new(master.as_fd(), PollFlags::POLLIN)];
        match poll(&mut watched, PollTimeout::NONE) {
            Ok(_) | Err(Errno::EINTR) => {}
            Err(_) => return,
        }
        match read(master, &mut chunk) {
            Ok(0) => return,
            Ok(length) => {
                let mut stdout = io::stdout().lock();
                let bytes = chunk.get(..length).unwrap_or_default();
                if stdout
                    .write_all(bytes)
                    .and_then(|()| stdout.flush())
                    .is_err()
                {
                    return;
                }
            }
            Err(Errno::EAGAIN | Errno::EINTR) => {}
            // EIO: the job's end is closed.
            Err(_) => return,
        }
    }
}

/// Forwards keys to the job.
struct KeyboardForwarder {
    master: OwnedFd,
    escape: EscapeParser,
    /// The time at which a pending escape character goes to the job, if no other key follows.
    silence_at: Option<Instant>,
    /// Bytes that the job has not taken yet.
    typed: Vec<u8>,
    requests: UnboundedSender<KeyboardRequest>,
}

impl KeyboardForwarder {
    fn new(
        master: OwnedFd,
        escape: EscapeCharacter,
        requests: UnboundedSender<KeyboardRequest>,
    ) -> KeyboardForwarder {
        KeyboardForwarder {
            master,
            escape: EscapeParser::new(escape),
            silence_at: None,
            typed: Vec::new(),
            requests,
        }
    }

    /// Forwards keys until the terminal or the job is gone.
    fn follow(mut self) {
        let stdin = io::stdin();
        let mut chunk = vec![0; CHUNK_BYTES];
        loop {
            let of_keys = if self.typed.len() < TYPED_AHEAD_MAX {
                PollFlags::POLLIN
            } else {
                PollFlags::empty()
            };
            let of_job = if self.typed.is_empty() {
                PollFlags::empty()
            } else {
                PollFlags::POLLOUT
            };
            let mut watched = [
                PollFd::new(stdin.as_fd(), of_keys),
                PollFd::new(self.master.as_fd(), of_job),
            ];
            match poll(&mut watched, self.timeout()) {
                Ok(_) | Err(Errno::EINTR) => {}
                Err(_) => return,
            }
            let [keys, job] = watched.map(|fd| fd.any().unwrap_or(false));
            // Handled before new keys, which came after the pause.
            if self.silence_at.is_some_and(|at| at <= Instant::now()) {
                self.silence_at = None;
                let action = self.escape.silence();
                self.act(action.into_iter().collect());
            }
            if keys {
                match read(&stdin, &mut chunk) {
                    Ok(0) => return self.request(KeyboardRequest::HangUp),
                    Ok(length) => {
                        let actions = self.escape.typed(chunk.get(..length).unwrap_or_default());
                        self.act(actions);
                        let pending = self.escape.is_pending();
                        self.silence_at = pending.then(|| Instant::now() + SILENCE);
                    }
                    Err(Errno::EAGAIN | Errno::EINTR) => {}
                    Err(_) => return self.request(KeyboardRequest::HangUp),
                }
            }
            if job || !self.typed.is_empty() {
                match write(&self.master, &self.typed) {
                    Ok(length) => drop(self.typed.drain(..length)),
                    Err(Errno::EAGAIN | Errno::EINTR) => {}
                    Err(_) => return,
                }
            }
        }
    }

    fn timeout(&self) -> PollTimeout {
        let Some(at) = self.silence_at else {
            return PollTimeout::NONE;
        };
        let left = at.saturating_duration_since(Instant::now());
        // Rounded up, so that `silence_at` has passed when the poll times out.
        PollTimeout::try_from(left + Duration::from_millis(1)).unwrap_or(PollTimeout::MAX)
    }

    fn act(&mut self, actions: Vec<EscapeAction>) {
        for action in actions {
            match action {
                EscapeAction::Pass(bytes) => self.typed.extend(bytes),
                EscapeAction::End => self.request(KeyboardRequest::End),
                EscapeAction::Suspend => self.request(KeyboardRequest::Suspend),
            }
        }
    }

    fn request(&self, request: KeyboardRequest) {
        // Without a receiver, the job is over.
        let _ = self.requests.send(request);
    }
}
