//! Processes: cloning into namespaces, waiting with resource usage, limits and capabilities.

use std::os::fd::{FromRawFd, OwnedFd, RawFd};
use std::time::Duration;

use nix::errno::Errno;
use nix::sched::CloneFlags;
use nix::unistd::Pid;

use crate::spec::{ExitStatus, ResourceUsage};

/// Forks the calling process into new namespaces. Returns `None` in the child.
///
/// The caller must be single-threaded, as the spawner is: the child then goes on with a whole and
/// consistent copy of the process, and may allocate.
pub fn fork_into(flags: CloneFlags) -> nix::Result<Option<Pid>> {
    let flags = (flags.bits() | libc::SIGCHLD) as libc::c_ulong;
    // SAFETY: without CLONE_VM the child runs on a copy of everything, on the copied stack, as
    // after fork(2). Passing null for the stack and the three further pointers, which no flag used
    // here reads, is what fork itself does; their order differs between architectures, which
    // nulls do not notice.
    let pid = Errno::result(unsafe { libc::syscall(libc::SYS_clone, flags, 0, 0, 0, 0) })?;
    Ok((pid != 0).then(|| Pid::from_raw(pid as libc::pid_t)))
}

/// A descriptor that becomes readable when the process ends (Linux 5.3).
pub fn pidfd(pid: Pid) -> nix::Result<OwnedFd> {
    // SAFETY: the call takes plain numbers, and the descriptor it returns is ours alone.
    unsafe {
        let fd = Errno::result(libc::syscall(libc::SYS_pidfd_open, pid.as_raw(), 0))?;
        Ok(OwnedFd::from_raw_fd(fd as RawFd))
    }
}

/// What [`wait`] found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WaitOutcome {
    Ended {
        pid: Pid,
        status: ExitStatus,
        /// What it used, with the children it had waited for.
        usage: ResourceUsage,
    },
    /// There are children, and none has ended.
    NoneYet,
    /// There are no children.
    NoChildren,
}

/// Which children [`wait`] waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WaitTarget {
    One(Pid),
    /// Any, however it was cloned.
    Any,
}

/// Whether [`wait`] returns before a child has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WaitMode {
    Block,
    /// It does, with [`WaitOutcome::NoneYet`].
    Poll,
}

/// Waits for a child's end (`wait4(2)`).
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
        // SAFETY: `rusage` is a plain structure of integers, for which zero is a value.
        let mut usage: libc::rusage = unsafe { std::mem::zeroed() };
        // SAFETY: both pointers are to live locals of the right type.
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

/// How a process ended, from what wait(2) says of it; nothing if it did not.
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

/// The highest signal number, 64, on both x86-64 and ARM64.
const SIGNALS: libc::c_int = 64;

/// Sets every signal to its default action, and unblocks all.
///
/// Only for a process that has installed no handler it still wants.
pub fn reset_signals() {
    // All zeros is the default action, no flags and an empty mask. Larger than the kernel's
    // `struct sigaction`, of which it reads as much as there is. The call is made directly, since
    // the C library keeps two signals to itself and refuses to reset them.
    let default = [0u64; 8];
    const MASK_BYTES: usize = 8;
    for signal in 1..=SIGNALS {
        // SAFETY: the kernel reads a structure smaller than `default`, which outlives the call, and
        // writes nothing; the default action runs no code of ours. For SIGKILL and SIGSTOP the
        // call fails harmlessly.
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

/// Closes every descriptor but the standard ones and this one, whoever left them open. Linux 5.9.
///
/// Only for a process whose other descriptors nobody in it owns.
pub fn close_all_but(kept: &OwnedFd) {
    use std::os::fd::AsRawFd;
    let kept = kept.as_raw_fd() as libc::c_uint;
    for (first, last) in [(3, kept.saturating_sub(1)), (kept + 1, libc::c_uint::MAX)] {
        if first <= last {
            // SAFETY: plain numbers; by this function's contract no value of this process relies on
            // what is closed.
            unsafe { libc::syscall(libc::SYS_close_range, first, last, 0) };
        }
    }
}

/// Takes a capability, by number, from what programs executed by this process and its children can
/// ever have (capabilities(7), "Capability bounding set"). What the process has itself it keeps.
pub fn drop_from_bounding_set(capability: u32) -> nix::Result<()> {
    let capability = libc::c_ulong::from(capability);
    // SAFETY: plain numbers; no memory is concerned.
    Errno::result(unsafe { libc::prctl(libc::PR_CAPBSET_DROP, capability, 0, 0, 0) }).map(drop)
}

/// The layout of capability sets that we use (linux/capability.h).
pub const CAPABILITY_VERSION: u32 = 0x2008_0522;

/// Makes capabilities that the calling process has inheritable: children of its, though bounded
/// otherwise, may pass them on to programs they execute (capabilities(7)).
pub fn make_inheritable(capabilities: u64) -> nix::Result<()> {
    let header: [u32; 2] = [CAPABILITY_VERSION, 0];
    let mut sets: [u32; 6] = [0; 6];
    // SAFETY: plain system calls on locals of the layout that linux/capability.h gives for version
    // 3: a header of two words, and twice three words, the third of each half being inheritable.
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

/// Lets the kernel reap this process's children by itself.
pub fn reap_children_automatically() {
    // SAFETY: SIG_IGN installs no code of ours.
    unsafe { libc::signal(libc::SIGCHLD, libc::SIG_IGN) };
}
