//! Manages the processes of one job, from its start to the end of the last process.

use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, poll};
use nix::sys::signal::{SigSet, Signal, kill};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use nix::unistd::Pid;

use super::super::message::{
    self, ContainerRequest, LaunchMode, LeakedProcesses, MessageError, ProcessImage, ServiceReport,
};
use super::super::spec::{ExitStatus, ResourceUsage};
use super::super::sys::process::{WaitMode, WaitOutcome, WaitTarget, signal_everybody, wait};
use super::super::sys::socket::read_memory_file;
use super::build::StepFailed;
use super::leaks::OtherProcesses;
use super::services::RunningServices;
use super::threads::send_threads;

/// How a job ended.
pub enum JobProcessEnd {
    /// Its program could not be executed.
    NotStarted(StepFailed),
    /// Its first process ended.
    Ended {
        status: ExitStatus,
        usage: ResourceUsage,
        /// The wall-clock time that it ran.
        ran: Duration,
        leaked: LeakedProcesses,
        services: Vec<ServiceReport>,
    },
    /// A service did not become ready, for this reason. The program was not started.
    ServiceFailed {
        reason: String,
        service: ServiceReport,
    },
    /// The main program is gone.
    Abandoned,
}

/// Blocks SIGCHLD and returns a descriptor that reports it, so that the end of a child does not
/// interrupt this process.
pub fn watch_children() -> nix::Result<SignalFd> {
    let mut ended = SigSet::empty();
    ended.add(Signal::SIGCHLD);
    ended.thread_block()?;
    SignalFd::with_flags(&ended, SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK)
}

/// Waits for the job's end while handling requests. Returns `None` when the socket was closed. One
/// descriptor for all children is cheaper than a pidfd per child, for each of which the kernel
/// creates an inode.
pub(super) fn follow(
    socket: &OwnedFd,
    proc: &OwnedFd,
    children: &SignalFd,
    pid: Pid,
    services: &RunningServices,
) -> Option<(ExitStatus, ResourceUsage)> {
    loop {
        let mut watched = [
            PollFd::new(children.as_fd(), PollFlags::POLLIN),
            PollFd::new(socket.as_fd(), PollFlags::POLLIN),
        ];
        match poll(&mut watched, services.trim_period()) {
            // The period is over.
            Ok(0) => services.trim(),
            Ok(_) | Err(Errno::EINTR) => {}
            Err(_) => return None,
        }
        let [ended, orders] = watched.map(|fd| fd.any().unwrap_or(false));
        if ended {
            // Read the signal before checking the child, so that later ends are reported again. The
            // signal may be that of an earlier job or an orphan, which is not reaped until the job
            // ends.
            let _ = children.read_signal();
            match wait(WaitTarget::One(pid), WaitMode::Poll) {
                Ok(WaitOutcome::Ended { status, usage, .. }) => return Some((status, usage)),
                Ok(WaitOutcome::NoneYet) => {}
                Ok(WaitOutcome::NoChildren) | Err(_) => return None,
            }
        }
        if orders {
            obey(
                socket,
                proc,
                pid,
                OtherProcesses::Services(services.processes()),
            )?;
        }
    }
}

/// Reaps all processes that have ended. Returns whether this process has no children left.
pub fn reap() -> bool {
    loop {
        match wait(WaitTarget::Any, WaitMode::Poll) {
            Ok(WaitOutcome::Ended { .. }) => {}
            Ok(WaitOutcome::NoneYet) => return false,
            Ok(WaitOutcome::NoChildren) | Err(_) => return true,
        }
    }
}

/// Receives a request and applies it to a running job, beside which the others run. Returns `None`
/// if the main program is gone.
pub(super) fn obey(
    socket: &OwnedFd,
    proc: &OwnedFd,
    pid: Pid,
    others: OtherProcesses<'_>,
) -> Option<()> {
    let (order, _) = message::receive(socket.as_fd()).ok()?;
    match order {
        ContainerRequest::DescribeThreads => send_threads(socket, proc, others).ok(),
        ContainerRequest::Signal(_)
        | ContainerRequest::SignalFirst(_)
        | ContainerRequest::Kill
        | ContainerRequest::Suspend
        | ContainerRequest::Continue
        | ContainerRequest::Do(..)
        | ContainerRequest::DoLarge(_) => {
            apply_request(order, pid);
            Some(())
        }
    }
}

fn apply_request(order: ContainerRequest, pid: Pid) {
    // A process that is already gone needs no signal.
    let _ = match order {
        ContainerRequest::Signal(number) => match Signal::try_from(number) {
            Ok(signal) => match kill(Pid::from_raw(-pid.as_raw()), signal) {
                // A new fork may not be the leader of its own process group yet.
                Err(Errno::ESRCH) => kill(pid, signal),
                other => other,
            },
            Err(errno) => Err(errno),
        },
        ContainerRequest::SignalFirst(number) => match Signal::try_from(number) {
            Ok(signal) => kill(pid, signal),
            Err(errno) => Err(errno),
        },
        ContainerRequest::Kill => signal_everybody(Signal::SIGKILL),
        ContainerRequest::Suspend => signal_everybody(Signal::SIGSTOP),
        ContainerRequest::Continue => signal_everybody(Signal::SIGCONT),
        // A second job while one is running; the program never requests that.
        ContainerRequest::Do(..)
        | ContainerRequest::DoLarge(_)
        | ContainerRequest::DescribeThreads => Ok(()),
    };
}

/// Kills the remaining processes of a job and waits until they are gone.
///
/// Every process of the namespace is a descendant of this one, and becomes its child when its own
/// parent ends. So no process is left when there are no children.
pub fn kill_remaining() {
    while let Ok(WaitOutcome::Ended { .. } | WaitOutcome::NoneYet) =
        wait(WaitTarget::Any, WaitMode::Poll)
    {
        // One signal reaches all of them at once: the kernel prevents them from forking meanwhile.
        let _ = signal_everybody(Signal::SIGKILL);
        while let Ok(WaitOutcome::Ended { .. }) = wait(WaitTarget::Any, WaitMode::Block) {}
    }
}

/// Returns the program that a request asks to run, if any.
pub fn image_of(
    order: ContainerRequest,
    mut descriptors: Vec<OwnedFd>,
) -> Result<Option<(LaunchMode, ProcessImage, Vec<OwnedFd>)>, MessageError> {
    match order {
        ContainerRequest::Do(task, image) => Ok(Some((task, image, descriptors))),
        ContainerRequest::DoLarge(task) => {
            let file = descriptors.pop().ok_or(MessageError::Closed)?;
            let bytes = read_memory_file(file)
                .map_err(|error| Errno::from_raw(error.raw_os_error().unwrap_or(libc::EIO)))?;
            Ok(Some((task, postcard::from_bytes(&bytes)?, descriptors)))
        }
        ContainerRequest::Signal(_)
        | ContainerRequest::SignalFirst(_)
        | ContainerRequest::DescribeThreads
        | ContainerRequest::Kill
        | ContainerRequest::Suspend
        | ContainerRequest::Continue => Ok(None),
    }
}
