//! A fork server: a process that stays in a container and forks a process for each job, which is
//! equivalent to a freshly started one. An example is an interpreter that has already imported
//! everything that a job needs.
//!
//! The job's process is a child of the fork server. Otherwise it is as if the container init had
//! started it: it enters the container init's mount namespace, in which nothing has been written
//! yet, and its network namespace, which is unused, unless that is the host's. It has the job's
//! descriptors and only the capabilities of an ordinary job. After its end the container is audited
//! as usual, including the fork server. Anything that a fork server cannot handle like this (too
//! many files written before it was ready, processes left running) ends the fork server and its
//! container.
//!
//! ```text
//! container init                       fork server
//! start ── socket as standard input ─▶ hides the capabilities that its forks need
//!       ◀── ready, or unfit REASON ──
//! fork  ── arguments, descriptors ───▶ fork ─▶ setns, descriptors, drop capabilities ─▶ the job
//!       ◀── started PID ────────────   sent by the fork itself, before untrusted code runs
//!       ◀── ended STATUS ... ───────   wait4
//! ```
//!
//! All messages are text, one per message of a seqpacket socket, because fork servers are other
//! programs' executables. A fork server's standard output and error are two memory files. They tell
//! its forks which of their descriptors to replace by the job's.
//!
//! Invariants: when a fork server dies, no result is lost, because its forks become children of the
//! container init. A fork server that was tampered with (stopped, or given other limits or
//! priorities) serves no further job.

use std::fs;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::unistd::Pid;

use super::super::child::{self, CapabilitySet, ChildStack, ProcessTerminal};
use super::super::message::ProcessImage;
use super::super::spec::{ExitStatus, ResourceUsage};
use super::super::sys::process::{WaitMode, WaitOutcome, WaitTarget, exit_status, pidfd, wait};
use super::super::sys::socket::{self, MESSAGE_BYTES_MAX, memory_file, read_memory_file};
use super::super::sys::state::{ProcessAttributes, attributes_of};
use super::build::StepFailed;

/// The number of forks after which a fork server is replaced in any case, because the kernel's data
/// structures for its memory (shared page tables, reverse mappings) grow with each fork.
const FORKS_MAX: u32 = 5000;

/// The growth in kilobytes since it was ready after which a fork server is replaced. It does
/// nothing but fork, so it should not grow at all.
const GROWTH_KILOBYTES_MAX: u64 = 64 * 1024;

/// How long a fork server may take to report the end of a fork.
const REPORT_MAX: Duration = Duration::from_secs(2);

/// The maximum size of a request in bytes: that of a single argument of a program (MAX_ARG_STRLEN).
const REQUEST_BYTES_MAX: usize = 128 * 1024;

/// The byte before each variable in a request, which follow the arguments.
const VARIABLE_MARK: u8 = 1;

/// A fork server that accepts requests.
pub struct ForkServer {
    pid: Pid,
    socket: OwnedFd,
    errors: OwnedFd,
    forks: u32,
    memory_kilobytes: Option<(u64, u64)>,
    before: Option<TamperableState>,
}

/// The state that any process of the same user could change in a fork server, and that its forks
/// would inherit.
#[derive(PartialEq, Eq)]
struct TamperableState {
    attributes: ProcessAttributes,
    files: Vec<Option<Vec<u8>>>,
}

/// A message from a fork server.
enum ForkServerReply {
    Ready,
    /// A fork would not be equivalent to a fresh process.
    Unfit(String),
    Started(Pid),
    /// The fork could not be set up for the job.
    Failed(String),
    Ended(ExitStatus, ResourceUsage),
    /// The fork server is gone, or its message is invalid.
    Gone,
}

/// How a fork ended.
pub enum ForkEnd {
    NotStarted(StepFailed),
    /// The process ended by itself or was killed.
    Ended(ExitStatus, ResourceUsage),
    /// The main program is gone.
    Abandoned,
    /// The fork server was gone before.
    NoResident,
}

impl ForkServer {
    /// Starts a fork server that communicates through this pair of sockets. It is not ready yet.
    pub fn start(
        stack: &mut ChildStack,
        image: &ProcessImage,
        (ours, theirs): (OwnedFd, OwnedFd),
    ) -> Result<ForkServer, StepFailed> {
        let at = |errno| StepFailed::new("prepare a resident process", errno);
        let file = || {
            memory_file(&[])
                .map_err(|error| at(Errno::from_raw(error.raw_os_error().unwrap_or(libc::EIO))))
        };
        let (output, errors) = (file()?, file()?);
        let streams = [theirs.as_fd(), output.as_fd(), errors.as_fd()];
        let pid = child::start(
            stack,
            image,
            streams,
            ProcessTerminal::None,
            CapabilitySet::Resident,
        )?;
        Ok(ForkServer {
            pid,
            socket: ours,
            errors,
            forks: 0,
            memory_kilobytes: None,
            before: None,
        })
    }

    /// Returns the process ID of the fork server.
    pub fn pid(&self) -> Pid {
        self.pid
    }

    /// Returns the next message. Blocks until there is one.
    fn receive(&mut self) -> ForkServerReply {
        let mut buffer = vec![0; MESSAGE_BYTES_MAX];
        let Ok(message) = socket::receive(self.socket.as_fd(), &mut buffer) else {
            return ForkServerReply::Gone;
        };
        let text = buffer.get(..message.length).unwrap_or_default();
        self.parse_reply(&String::from_utf8_lossy(text))
    }

    fn parse_reply(&mut self, text: &str) -> ForkServerReply {
        let (word, rest) = text.split_once(' ').unwrap_or((text, ""));
        match word {
            "ready" => ForkServerReply::Ready,
            "unfit" => ForkServerReply::Unfit(rest.to_owned()),
            "started" => rest.parse().map_or(ForkServerReply::Gone, |pid| {
                ForkServerReply::Started(Pid::from_raw(pid))
            }),
            "failed" => ForkServerReply::Failed(rest.to_owned()),
            "ended" => self.parse_ended(rest).unwrap_or(ForkServerReply::Gone),
            _ => ForkServerReply::Gone,
        }
    }

    fn parse_ended(&mut self, rest: &str) -> Option<ForkServerReply> {
        let numbers: Vec<u64> = rest
            .split(' ')
            .map(|number| number.parse().ok())
            .collect::<Option<_>>()?;
        let [status, user_us, system_us, peak, memory] = numbers.try_into().ok()?;
        let (first, _) = self.memory_kilobytes.unwrap_or((memory, memory));
        self.memory_kilobytes = Some((first, memory));
        let usage = ResourceUsage {
            user: Duration::from_micros(user_us),
            system: Duration::from_micros(system_us),
            memory_peak_bytes: peak.saturating_mul(1024),
        };
        let status = exit_status(i32::try_from(status).ok()?)?;
        Some(ForkServerReply::Ended(status, usage))
    }

    /// Waits until the fork server accepts requests, or returns the reason if it never will. `obey`
    /// is as in [`Self::follow`].
    pub fn await_readiness(
        &mut self,
        orders: &OwnedFd,
        mut obey: impl FnMut(Pid) -> Option<()>,
    ) -> Result<(), String> {
        loop {
            let mut watched = [
                PollFd::new(self.socket.as_fd(), PollFlags::POLLIN),
                PollFd::new(orders.as_fd(), PollFlags::POLLIN),
            ];
            match poll(&mut watched, PollTimeout::NONE) {
                Ok(_) | Err(Errno::EINTR) => {}
                Err(errno) => return Err(errno.desc().to_owned()),
            }
            let [told, ordered] = watched.map(|fd| fd.any().unwrap_or(false));
            if told {
                return match self.receive() {
                    ForkServerReply::Ready => Ok(()),
                    ForkServerReply::Unfit(reason) => Err(reason),
                    ForkServerReply::Started(_)
                    | ForkServerReply::Failed(_)
                    | ForkServerReply::Ended(..)
                    | ForkServerReply::Gone => {
                        let last = self.last_error();
                        let last = last.map_or(String::new(), |line| format!(" ({line})"));
                        Err(format!("it ended before it was ready{last}"))
                    }
                };
            }
            if ordered && obey(self.pid).is_none() {
                return Err("nobody waits for it any more".to_owned());
            }
        }
    }

    /// Returns the last line that the fork server wrote to standard error.
    fn last_error(&self) -> Option<String> {
        let bytes = read_memory_file(self.errors.try_clone().ok()?).ok()?;
        let text = String::from_utf8_lossy(&bytes);
        let line = text.lines().rev().find(|line| !line.trim().is_empty())?;
        Some(line.trim().to_owned())
    }

    /// Must be called when the fork server is ready, before the first fork.
    pub fn take_baseline(&mut self) {
        self.before = self.tamperable();
    }

    fn tamperable(&self) -> Option<TamperableState> {
        let read = |name: &str| fs::read(format!("/proc/{}/{name}", self.pid)).ok();
        Some(TamperableState {
            attributes: attributes_of(self.pid).ok()?,
            files: ["oom_score_adj", "coredump_filter", "autogroup"]
                .into_iter()
                .map(read)
                .collect(),
        })
    }

    /// Requests a fork with these descriptors: standard input, output and error, the mount
    /// namespace, and the network namespace if the fork must enter one.
    pub fn request(
        &mut self,
        image: &ProcessImage,
        descriptors: &[BorrowedFd<'_>],
    ) -> nix::Result<()> {
        let mut text = Vec::new();
        for argument in &image.arguments {
            text.extend_from_slice(argument.as_bytes_with_nul());
        }
        for variable in &image.own_variables {
            text.push(VARIABLE_MARK);
            text.extend_from_slice(variable.as_bytes_with_nul());
        }
        if text.len() > REQUEST_BYTES_MAX {
            return Err(Errno::E2BIG);
        }
        self.forks = self.forks.saturating_add(1);
        socket::send(self.socket.as_fd(), &text, descriptors)
    }

    /// Returns whether the fork server may serve another job: it is waiting for requests, was not
    /// tampered with, and is within its limits.
    pub fn is_sound(&self) -> bool {
        let grown = self
            .memory_kilobytes
            .is_some_and(|(first, now)| now.saturating_sub(first) > GROWTH_KILOBYTES_MAX);
        let changed = self.before.is_none() || self.tamperable() != self.before;
        self.forks < FORKS_MAX && !grown && !changed && self.waits()
    }

    /// Returns whether the fork server sleeps or runs, as it does when it waits for a request or is
    /// about to. A stopped or dead process does neither.
    fn waits(&self) -> bool {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.pid)).unwrap_or_default();
        let state = stat.rsplit_once(") ").map(|(_, rest)| rest);
        state.is_some_and(|state| state.starts_with(['S', 'R']))
    }

    /// Returns whether the fork server and the calling process are the only processes in their PID
    /// namespace.
    ///
    /// The kernel lists processes by ascending ID, and assigns ascending IDs to new ones. So a
    /// process that is forked while the list is read still appears in it.
    pub fn is_alone(&self) -> bool {
        let Ok(entries) = fs::read_dir("/proc") else {
            return false;
        };
        let known = [1, self.pid.as_raw()];
        entries
            .flatten()
            .filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok())
            .all(|pid| known.contains(&pid))
    }

    /// Waits for the fork's end. `obey` receives and applies a request for the given process, and
    /// returns `None` if the main program is gone.
    pub fn follow(&mut self, orders: &OwnedFd, mut obey: impl FnMut(Pid) -> Option<()>) -> ForkEnd {
        let mut fork: Option<(Pid, Option<OwnedFd>)> = None;
        let mut failed = None;
        loop {
            let started = fork.as_ref().and_then(|(_, ended)| ended.as_ref());
            let over = started.is_some_and(is_readable);
            let mut watched = vec![
                PollFd::new(self.socket.as_fd(), PollFlags::POLLIN),
                PollFd::new(orders.as_fd(), PollFlags::POLLIN),
            ];
            // After the fork's end, the fork server only has to report it. If it does not in time,
            // it is stopped or stuck.
            let patience = match (over, started) {
                (true, _) => PollTimeout::try_from(REPORT_MAX).unwrap_or(PollTimeout::NONE),
                (false, None) => PollTimeout::NONE,
                (false, Some(ended)) => {
                    watched.push(PollFd::new(ended.as_fd(), PollFlags::POLLIN));
                    PollTimeout::NONE
                }
            };
            let silent = match poll(&mut watched, patience) {
                Ok(0) => true,
                Ok(_) | Err(Errno::EINTR) => false,
                Err(_) => return ForkEnd::Abandoned,
            };
            let ready = |index: usize| watched.get(index).and_then(PollFd::any) == Some(true);
            let (told, ordered) = (ready(0), ready(1));
            drop(watched);
            // Once the fork server is dead, `receive` does not block: it returns the last message
            // or the end of the stream.
            if silent {
                self.kill();
            }
            if told || silent {
                match (self.receive(), &fork) {
                    (ForkServerReply::Started(pid), None) => fork = Some((pid, pidfd(pid).ok())),
                    (ForkServerReply::Failed(step), None) => failed = Some(step),
                    (ForkServerReply::Ended(status, usage), _) => {
                        return match failed {
                            None => ForkEnd::Ended(status, usage),
                            Some(step) => ForkEnd::NotStarted(StepFailed::new(step, Errno::EIO)),
                        };
                    }
                    (_, Some((pid, _))) => {
                        self.kill();
                        return adopt(*pid);
                    }
                    (_, None) => return ForkEnd::NoResident,
                }
            } else if ordered {
                // Handled only after the messages, because a message may contain the ID of the
                // process to which the request applies.
                let target = fork.as_ref().map_or(self.pid, |(pid, _)| *pid);
                if obey(target).is_none() {
                    return ForkEnd::Abandoned;
                }
            }
        }
    }

    fn kill(&self) {
        // A process that is already gone needs no signal.
        let _ = nix::sys::signal::kill(self.pid, nix::sys::signal::Signal::SIGKILL);
        let _ = wait(WaitTarget::One(self.pid), WaitMode::Block);
    }
}

fn is_readable(descriptor: &OwnedFd) -> bool {
    let mut watched = [PollFd::new(descriptor.as_fd(), PollFlags::POLLIN)];
    matches!(poll(&mut watched, PollTimeout::ZERO), Ok(1))
}

/// Waits for the fork of a dead fork server, which is now a child of the calling process.
fn adopt(pid: Pid) -> ForkEnd {
    match wait(WaitTarget::One(pid), WaitMode::Block) {
        Ok(WaitOutcome::Ended { status, usage, .. }) => ForkEnd::Ended(status, usage),
        Ok(WaitOutcome::NoneYet | WaitOutcome::NoChildren) | Err(_) => ForkEnd::NoResident,
    }
}
