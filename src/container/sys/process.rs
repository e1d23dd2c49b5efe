//! Processes: cloning into namespaces, waiting with resource usage, limits and capabilities.

use std::os::fd::{FromRawFd, OwnedFd, RawFd};
use std::time::Duration;

use nix::errno::Errno;
use nix::sched::CloneFlags;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::spec::{ExitStatus, ResourceUsage};

/// Forks the calling process into new namespaces. Returns `None` in the child.
///
/// The caller must be single-threaded, like the spawner. Then the child continues with a complete
/// and consistent copy of the process, and may allocate memory.
pub fn fork_into(flags: CloneFlags) -> nix::Result<Option<Pid>> {
    let flags = (flags.bits() | libc::SIGCHLD) as libc::c_ulong;
    // SAFETY: without CLONE_VM the child runs on a copy of the whole memory, including the stack,
    // as after fork(2). Like fork itself, this passes null for the stack and the three other
    // pointers, which no flag used here reads. Their order differs between architectures, which
    // does not matter for nulls.
    let pid = Errno::result(unsafe { libc::syscall(libc::SYS_clone, flags, 0, 0, 0, 0) })?;
    Ok((pid != 0).then(|| Pid::from_raw(pid as libc::pid_t)))
}

/// Returns a descriptor that becomes readable when the process ends (Linux 5.3).
pub fn pidfd(pid: Pid) -> nix::Result<OwnedFd> {
    // SAFETY: the call takes numbers, and the descriptor that it returns has no other owner.
    unsafe {
        let fd = Errno::result(libc::syscall(libc::SYS_pidfd_open, pid.as_raw(), 0))?;
        Ok(OwnedFd::from_raw_fd(fd as RawFd))
    }
}

/// The result of [`wait`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WaitOutcome {
    Ended {
        pid: Pid,
        status: ExitStatus,
        /// The resources used by the child and the children that it waited for.
        usage: ResourceUsage,
    },
    /// There are children, but none has ended.
    NoneYet,
    /// There are no children.
    NoChildren,
}

/// The children that [`wait`] waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WaitTarget {
    One(Pid),
    /// Any child, regardless of how it was cloned.
    Any,
}

/// Whether [`wait`] blocks until a child has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WaitMode {
    Block,
    /// Returns [`WaitOutcome::NoneYet`] if no child has ended.
    Poll,
}

/// Sends a signal to every process of the PID namespace except this one, its first (`kill(2)`).
pub fn signal_everybody(signal: Signal) -> nix::Result<()> {
    kill(Pid::from_raw(-1), signal)
}

/// Waits for the end of a child (`wait4(2)`).
pub fn wait(target: WaitTarget, patience: WaitMode) -> nix::Result<WaitOutcome> {
    let pid = match target {
        WaitTarget::One(pid) => pid.as_raw(),
        WaitTarget::Any => -1,
    };
    let options = libc::__WALL
        | match patience {
            WaitMode::Block => 0,
            WaitMode::Poll => libc::WNOHANG,
        };
    loop {
        let mut status = 0;
        // SAFETY: `rusage` is a plain structure of integers, for which zero is a valid value.
        let mut usage: libc::rusage = unsafe { std::mem::zeroed() };
        // SAFETY: both pointers refer to live locals of the right type.
        let result = unsafe { libc::wait4(pid, &mut status, options, &mut usage) };
        match Errno::result(result) {
            Ok(0) => return Ok(WaitOutcome::NoneYet),
            Ok(pid) => {
                if let Some(status) = exit_status(status) {
                    let usage = resource_usage(&usage);
                    return Ok(WaitOutcome::Ended {
                        pid: Pid::from_raw(pid),
                        status,
                        usage,
                    });
                }
            }
            Err(Errno::EINTR) => {}
            Err(Errno::ECHILD) => return Ok(WaitOutcome::NoChildren),
            Err(errno) => return Err(errno),
        }
    }
}

/// Decodes the status of wait(2). Returns `None` if the process has not ended.
pub fn exit_status(status: libc::c_int) -> Option<ExitStatus> {
    if libc::WIFEXITED(status) {
        Some(ExitStatus::Code(libc::WEXITSTATUS(status)))
    } else if libc::WIFSIGNALED(status) {
        Some(ExitStatus::Signal {
            number: libc::WTERMSIG(status),
            core_dumped: libc::WCOREDUMP(status),
        })
    } else {
        None
    }
}

fn resource_usage(usage: &libc::rusage) -> ResourceUsage {
    let duration = |time: libc::timeval| {
        Duration::from_secs(time.tv_sec.max(0) as u64)
            + Duration::from_micros(time.tv_usec.max(0) as u64)
    };
    ResourceUsage {
        user: duration(usage.ru_utime),
        system: duration(usage.ru_stime),
        // The kernel counts in units of 1024 bytes.
        memory_peak_bytes: (usage.ru_maxrss.max(0) as u64).saturating_mul(1024),
    }
}

/// The highest signal number on both x86-64 and ARM64.
const SIGNALS: libc::c_int = 64;

/// Resets every signal to its default action and unblocks all signals.
///
/// Must be called only by a process that no longer needs any signal handler.
pub fn reset_signals() {
    // All zeros mean the default action, no flags and an empty mask. The buffer is larger than the
    // kernel's `struct sigaction`, of which the kernel reads only its own size. The call is made
    // directly, because the C library reserves two signals and refuses to reset them.
    let default = [0u64; 8];
    const MASK_BYTES: usize = 8;
    for signal in 1..=SIGNALS {
        // SAFETY: the kernel reads a structure smaller than `default`, which outlives the call, and
        // writes nothing. The default action runs no code of ours. For SIGKILL and SIGSTOP the call
        // fails harmlessly.
        unsafe {
            libc::syscall(
                libc::SYS_rt_sigaction,
                signal,
                default.as_ptr(),
                std::ptr::null_mut::<u64>(),
                MASK_BYTES,
            );
        }
    }
    let _ = nix::sys::signal::SigSet::empty().thread_set_mask();
}

/// Closes all descriptors except the standard streams and this one, whoever opened them (Linux
/// 5.9).
///
/// Must be called only by a process in which no value owns another descriptor.
pub fn close_all_but(kept: &OwnedFd) {
    use std::os::fd::AsRawFd;
    let kept = kept.as_raw_fd() as libc::c_uint;
    for (first, last) in [(3, kept.saturating_sub(1)), (kept + 1, libc::c_uint::MAX)] {
        if first <= last {
            // SAFETY: the call takes numbers. By the contract of this function, no value of this
            // process relies on the closed descriptors.
            unsafe { libc::syscall(libc::SYS_close_range, first, last, 0) };
        }
    }
}

/// Removes a capability, by number, from the bounding set: programs executed by this process and
/// its children can never have it (capabilities(7), "Capability bounding set"). The process itself
/// keeps it.
pub fn drop_from_bounding_set(capability: u32) -> nix::Result<()> {
    let capability = libc::c_ulong::from(capability);
    // SAFETY: the call takes numbers and accesses no memory.
    Errno::result(unsafe { libc::prctl(libc::PR_CAPBSET_DROP, capability, 0, 0, 0) }).map(drop)
}

/// The version of the layout of capability sets (linux/capability.h).
pub const CAPABILITY_VERSION: u32 = 0x2008_0522;

/// Makes capabilities of the calling process inheritable, so that children may pass them on to
/// programs that they execute, even if they drop others (capabilities(7)).
pub fn make_inheritable(capabilities: u64) -> nix::Result<()> {
    let header: [u32; 2] = [CAPABILITY_VERSION, 0];
    let mut sets: [u32; 6] = [0; 6];
    // SAFETY: system calls on locals with the layout that linux/capability.h defines for version 3:
    // a header of two words, and two times three words, the third of which is the inheritable set.
    unsafe {
        Errno::result(libc::syscall(
            libc::SYS_capget,
            header.as_ptr(),
            sets.as_mut_ptr(),
        ))?;
        sets[2] |= capabilities as u32;
        sets[5] |= (capabilities >> 32) as u32;
        Errno::result(libc::syscall(
            libc::SYS_capset,
            header.as_ptr(),
            sets.as_ptr(),
        ))
        .map(drop)
    }
}

/// Makes the kernel reap this process's children automatically.
pub fn reap_children_automatically() {
    // SAFETY: SIG_IGN installs no code of ours.
    unsafe { libc::signal(libc::SIGCHLD, libc::SIG_IGN) };
}
