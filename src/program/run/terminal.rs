//! Runs one job on this terminal: its own pseudo-terminal, relayed byte by byte.
//!
//! ```text
//! keys ─▶ escapes ─▶ master ═ pseudo-terminal ═ the job's streams
//! screen ◀────────── master
//! ```
//!
//! Two threads copy bytes, one in each direction, and this one handles the backend, signals, and
//! the escape sequences that the input thread finds. While the job has the terminal, keys go to the
//! job: `^C` interrupts the job, not this program. The terminal is restored whatever happens.

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

/// How much may wait for a job that does not read its terminal; then keys wait as well.
const TYPED_AHEAD_MAX: usize = 64 * 1024;

/// Why the terminal cannot be given to a job.
#[derive(Debug, thiserror::Error)]
#[error("cannot {action}")]
pub struct TerminalError {
    action: &'static str,
    source: io::Error,
}

fn failed<E: Into<io::Error>>(action: &'static str) -> impl Fn(E) -> TerminalError {
    move |error| TerminalError {
        action,
        source: error.into(),
    }
}

/// A pseudo-terminal as large as this one: our end and the job's.
pub fn open() -> Result<(OwnedFd, OwnedFd), TerminalError> {
    const ACTION: &str = "open a pseudo-terminal";
    let attributes = tcgetattr(io::stdin()).map_err(failed(ACTION))?;
    let ends = openpty(None, &attributes).map_err(failed(ACTION))?;
    // What is started meanwhile must not keep the job's terminal open, whose end is waited for.
    for end in [&ends.master, &ends.slave] {
        fcntl(end, FcntlArg::F_SETFD(FdFlag::FD_CLOEXEC)).map_err(failed(ACTION))?;
    }
    // The keys' thread goes on looking at keys while the job reads none.
    fcntl(&ends.master, FcntlArg::F_SETFL(OFlag::O_NONBLOCK)).map_err(failed(ACTION))?;
    resize(ends.master.as_fd());
    Ok((ends.master, ends.slave))
}

/// Makes the job's terminal as large as this one. Its processes hear of it from the kernel.
fn resize(master: BorrowedFd<'_>) {
    if let Ok(size) = tcgetwinsize(io::stdin()) {
        // A terminal of the wrong size is still one.
        let _ = tcsetwinsize(master, size);
    }
}

/// This terminal in raw mode. Dropping it restores it.
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
        // There is nobody to tell when the terminal is gone.
        let _ = tcsetattr(io::stdin(), SetArg::TCSADRAIN, &self.before);
    }
}

impl Drop for RawMode {
    fn drop(&mut self) {
        self.leave();
    }
}

/// What the keys' thread asks of the main one.
#[derive(Clone, Copy, Debug)]
enum KeyboardRequest {
    End,
    /// To suspend this program.
    Suspend,
    /// To end, since the terminal is gone.
    HangUp,
}

/// Whether the terminal is still there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum TerminalPresence {
    There,
    Gone,
}

/// The terminal that the job was on is no more.
#[derive(Debug, thiserror::Error)]
#[error("the terminal is gone, so the job was stopped")]
struct JobTerminalGoneError;

/// Runs the job, to which `backend` has given the other end of the terminal, to its end.
pub async fn run(
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
                    // The whole program stops here, until somebody brings it back.
                    // The signal is this thread's, which stops before the call returns, so raw mode
                    // is not entered again too early.
                    let _ = raise(Signal::SIGTSTP);
                    let _ = raw.enter_again();
                    resize(master.as_fd());
                }
            },
        }
    };
    // With the backend goes the last copy of the job's end, after which the screen's thread finds
    // the end of what was written.
    backend.close().await;
    // The keys' thread is not waited for: it may wait for a key that never comes.
    drop(screen.join());
    drop(raw);
    match (ended, presence) {
        // Its job may have heard of it first, and ended in its own way.
        (Ok(_), TerminalPresence::Gone) => {
            Err(ProgramFailure::terminal_gone(&JobTerminalGoneError))
        }
        (ended, TerminalPresence::There | TerminalPresence::Gone) => ended,
    }
}

/// Shows what the job writes until nobody has its end any more.
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
            // EIO: the other end is closed.
            Err(_) => return,
        }
    }
}

/// Carries keys to the job.
struct KeyboardForwarder {
    master: OwnedFd,
    escape: EscapeParser,
    /// When the escape character is the job's, if nothing else is typed.
    silence_at: Option<Instant>,
    /// What the job has not taken yet.
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

    /// Goes on until the terminal or the job is gone.
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
            // Before any keys: they came after the silence.
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
        // Rounded up, so that the time is over when it has passed.
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
        // Without a receiver the job is over.
        let _ = self.requests.send(request);
    }
}
