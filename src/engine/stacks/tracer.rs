//! Stops the threads of processes, and reads their registers.
//!
//! Threads are attached with `PTRACE_SEIZE`, which sends them no signal. They continue when the
//! [`StoppedThreads`] are dropped, or when this process ends.

use std::collections::BTreeMap;
use std::time::Instant;

use nix::errno::Errno;
use nix::poll::poll;
use nix::sys::ptrace;
use nix::sys::signal::Signal;
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;

use super::registers::Registers;

/// The time in milliseconds between two looks at threads that have not stopped yet.
const LOOK_MS: u8 = 1;

/// Threads that have been attached.
pub(crate) struct StoppedThreads {
    /// The signal that each gets when it continues: one that it was about to get when it stopped.
    attached: BTreeMap<Pid, Option<Signal>>,
    /// Those that have not stopped in time. Some cannot, such as one that waits for a disk.
    late: Vec<Pid>,
}

/// The result of attaching to threads.
pub(crate) struct Attachment {
    pub threads: StoppedThreads,
    /// The error of the first thread to which the kernel allows no access.
    pub refused: Option<Errno>,
}

impl StoppedThreads {
    /// Attaches to threads, and waits until they have stopped, up to a point in time.
    pub(crate) fn attach(threads: &[Pid], deadline: Instant) -> Attachment {
        let mut refused = None;
        let mut late = Vec::new();
        for thread in threads {
            let seized = ptrace::seize(*thread, ptrace::Options::empty());
            match seized.and_then(|()| ptrace::interrupt(*thread)) {
                Ok(()) => late.push(*thread),
                // It has ended.
                Err(Errno::ESRCH) => {}
                Err(errno) => refused = refused.or(Some(errno)),
            }
        }
        let mut stopped = StoppedThreads {
            attached: BTreeMap::new(),
            late,
        };
        while !stopped.late.is_empty() {
            stopped.look();
            if stopped.late.is_empty() || Instant::now() >= deadline {
                break;
            }
            // The kernel reports stops of tracees by SIGCHLD only, and this process has nothing else to do.
            let _ = poll(&mut [], LOOK_MS);
        }
        Attachment {
            threads: stopped,
            refused,
        }
    }

    /// Notes which of the late threads have stopped meanwhile.
    fn look(&mut self) {
        let attached = &mut self.attached;
        self.late.retain(|thread| {
            match waitpid(*thread, Some(WaitPidFlag::__WALL | WaitPidFlag::WNOHANG)) {
                Ok(WaitStatus::StillAlive) => true,
                Ok(WaitStatus::Stopped(_, signal)) => {
                    attached.insert(*thread, Some(signal));
                    false
                }
                Ok(WaitStatus::PtraceEvent(..) | WaitStatus::PtraceSyscall(_)) => {
                    attached.insert(*thread, None);
                    false
                }
                Ok(_) | Err(_) => false,
            }
        });
    }

    /// Returns the threads that have stopped, each with its registers.
    pub(crate) fn registers(&self) -> impl Iterator<Item = (Pid, Registers)> {
        let threads = self.attached.keys();
        threads.filter_map(|thread| Some((*thread, Registers::of(*thread)?)))
    }
}

impl Drop for StoppedThreads {
    fn drop(&mut self) {
        for (thread, signal) in &self.attached {
            // Fails if the thread was killed meanwhile.
            let _ = ptrace::detach(*thread, *signal);
        }
    }
}
