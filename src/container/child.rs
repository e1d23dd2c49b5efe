//! Runs between the clone of a job's process and the start of its program.
//!
//! The child shares its parent's memory (`CLONE_VM`) while the parent waits (`CLONE_VFORK`), so the
//! cost of the clone does not depend on the size of the parent. In return, [`enter`] may only make
//! system calls on data that the parent has prepared: no allocation, no lock, no `Drop`, no panic.
//!
//! ```text
//! parent (container init)                   child
//! prepare ChildContext ──── clone ──▶ (waits)   setsid, signal mask, descriptors, directory,
//!                                               capabilities, execve ──▶ the job's program
//!                      ◀────────────────────    (the memory is the parent's again)
//! read ChildContext.failure
//! ```
#![allow(unsafe_code)]

use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::os::fd::{AsRawFd, BorrowedFd, RawFd};
use std::ptr;

use nix::errno::Errno;
use nix::unistd::Pid;

use super::init::build::StepFailed;
use super::message::ProcessImage;
use super::sys::process::{CAPABILITY_VERSION, drop_from_bounding_set, make_inheritable};

/// The size of the child's stack in bytes. The child only makes system calls; the rest is room for
/// the dynamic linker, which may resolve a symbol there.
const STACK_BYTES: usize = 64 * 1024;

/// The capabilities that user 0 of an ordinary container keeps, by number (linux/capability.h):
/// control over files, user ids, its own processes, low ports and raw sockets, as container engines
/// commonly grant. None of them allows changing a namespace.
const ORDINARY_CAPABILITIES: u64 = {
    const CHOWN: u64 = 1 << 0;
    const DAC_OVERRIDE: u64 = 1 << 1;
    const FOWNER: u64 = 1 << 3;
    const FSETID: u64 = 1 << 4;
    const KILL: u64 = 1 << 5;
    const SETGID: u64 = 1 << 6;
    const SETUID: u64 = 1 << 7;
    const SETPCAP: u64 = 1 << 8;
    const NET_BIND_SERVICE: u64 = 1 << 10;
    const NET_RAW: u64 = 1 << 13;
    const SYS_CHROOT: u64 = 1 << 18;
    const MKNOD: u64 = 1 << 27;
    const AUDIT_WRITE: u64 = 1 << 29;
    const SETFCAP: u64 = 1 << 31;
    CHOWN
        | DAC_OVERRIDE
        | FOWNER
        | FSETID
        | KILL
        | SETGID
        | SETUID
        | SETPCAP
        | NET_BIND_SERVICE
        | NET_RAW
        | SYS_CHROOT
        | MKNOD
        | AUDIT_WRITE
        | SETFCAP
};

/// The capabilities with which the job's program starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CapabilitySet {
    /// Those of an ordinary process: [`ORDINARY_CAPABILITIES`] for user 0, none for other users.
    Ordinary,
    /// All capabilities in the container's user namespace.
    All,
    /// Those of an ordinary process, and the two capabilities for entering a mount namespace, which
    /// the forks of a fork server need.
    Resident,
}

/// Whether the job's standard input is a terminal that becomes its controlling terminal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProcessTerminal {
    /// The job has no terminal.
    None,
    /// The terminal controls the job's session: keys such as `^C` become signals.
    Controlling,
}

/// The step at which a child failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ExecStage {
    NewSession,
    SignalMask,
    Descriptors,
    Terminal,
    WorkingDirectory,
    Capabilities,
    Execute,
}

/// Everything that the child needs, prepared by its parent.
struct ChildContext {
    streams: [RawFd; 3],
    terminal: ProcessTerminal,
    working_directory: *const c_char,
    candidates: *const *const c_char,
    arguments: *const *const c_char,
    environment: *const *const c_char,
    capabilities: CapabilitySet,
    failure: Option<(ExecStage, c_int)>,
}

/// The capabilities that `setns(2)` requires to enter a mount namespace: CAP_SYS_CHROOT and
/// CAP_SYS_ADMIN.
const NAMESPACE_CAPABILITIES: u64 = 1 << 18 | 1 << 21;

/// Removes the capabilities that jobs of an ordinary container must not have from all programs that
/// this process's children will execute. The process keeps its own capabilities.
pub fn bound_capabilities() -> nix::Result<()> {
    // The capabilities of fork servers can be made inheritable only while they are in the bounding
    // set. All other children drop them.
    make_inheritable(NAMESPACE_CAPABILITIES)?;
    for capability in 0..u64::BITS {
        if ORDINARY_CAPABILITIES & (1 << capability) == 0 {
            match drop_from_bounding_set(capability) {
                // The first number that the kernel does not know.
                Err(Errno::EINVAL) => break,
                other => other?,
            }
        }
    }
    Ok(())
}

/// A stack for one child at a time.
pub struct ChildStack(Vec<u128>);

impl Default for ChildStack {
    fn default() -> Self {
        // `u128` is aligned to 16 bytes, as both supported architectures require of stacks.
        ChildStack(vec![0; STACK_BYTES / size_of::<u128>()])
    }
}

/// Returns a null-terminated array of pointers, as `execve` takes it.
fn pointers<'a>(strings: impl IntoIterator<Item = &'a CStr>) -> Vec<*const c_char> {
    strings
        .into_iter()
        .map(CStr::as_ptr)
        .chain([ptr::null()])
        .collect()
}

/// Starts a program in the calling process's namespaces, with these standard streams. Returns the
/// process ID once the program has been executed.
pub fn start(
    stack: &mut ChildStack,
    image: &ProcessImage,
    streams: [BorrowedFd<'_>; 3],
    terminal: ProcessTerminal,
    capabilities: CapabilitySet,
) -> Result<Pid, StepFailed> {
    let candidates = pointers(image.candidates.iter().map(CString::as_c_str));
    let arguments = pointers(image.arguments.iter().map(CString::as_c_str));
    let environment = pointers(image.variables());
    let mut launch = ChildContext {
        streams: streams.map(|stream| stream.as_raw_fd()),
        terminal,
        working_directory: image.working_directory.as_ptr(),
        candidates: candidates.as_ptr(),
        arguments: arguments.as_ptr(),
        environment: environment.as_ptr(),
        capabilities,
        failure: None,
    };
    // SAFETY: the stack is exclusively borrowed, and its end is what `clone` requires, since stacks
    // grow downwards on both architectures. `launch` and everything it points to outlive the
    // child's use of them: CLONE_VFORK keeps this thread waiting until the child has executed a
    // program or exited. `enter` makes system calls only. No signal handler can run in the child,
    // since a container init installs none.
    let pid = unsafe {
        let top = stack.0.as_mut_ptr().add(stack.0.len()).cast::<c_void>();
        let flags = libc::CLONE_VM | libc::CLONE_VFORK | libc::SIGCHLD;
        libc::clone(enter, top, flags, (&raw mut launch).cast())
    };
    let pid = Errno::result(pid).map_err(|errno| StepFailed::new("clone a process", errno))?;
    let pid = Pid::from_raw(pid);
    // SAFETY: the child has exited or executed a program, so it no longer writes to this field. The
    // read is volatile because the compiler cannot know that the call above changed it.
    match unsafe { ptr::read_volatile(&raw const launch.failure) } {
        None => Ok(pid),
        Some((stage, errno)) => {
            // The child has exited. It must be reaped: as a zombie it would keep its process ID,
            // which the next job is to get.
            let _ = nix::sys::wait::waitpid(pid, None);
            Err(StepFailed::new(
                stage_text(stage, image),
                Errno::from_raw(errno),
            ))
        }
    }
}

fn stage_text(stage: ExecStage, image: &ProcessImage) -> String {
    match stage {
        ExecStage::NewSession => "start a session".to_owned(),
        ExecStage::SignalMask => "unblock signals".to_owned(),
        ExecStage::Descriptors => "set up standard input, output and error".to_owned(),
        ExecStage::Terminal => "make standard input the controlling terminal".to_owned(),
        ExecStage::WorkingDirectory => {
            format!(
                "change into the working directory {}",
                image.working_directory.to_string_lossy()
            )
        }
        ExecStage::Capabilities => "give up capabilities".to_owned(),
        ExecStage::Execute => {
            let name = image.arguments.first().cloned().unwrap_or_default();
            format!("execute {}", name.to_string_lossy())
        }
    }
}

/// The child's entry point. Async-signal-safe and allocation-free throughout.
extern "C" fn enter(launch: *mut c_void) -> c_int {
    let launch = launch.cast::<ChildContext>();
    // SAFETY: `start` passes a valid `ChildContext`, which nothing else uses until this process has
    // executed a program or exited.
    unsafe {
        let failure = match prepare(&*launch) {
            Err(stage) => (stage, last_errno()),
            Ok(()) => (ExecStage::Execute, execute(&*launch)),
        };
        (*launch).failure = Some(failure);
        libc::_exit(127)
    }
}

/// # Safety
/// Only in a process that has just been cloned.
unsafe fn last_errno() -> c_int {
    // SAFETY: the location is valid as long as the thread exists.
    unsafe { *libc::__errno_location() }
}

fn check(stage: ExecStage, result: c_int) -> Result<(), ExecStage> {
    if result == -1 { Err(stage) } else { Ok(()) }
}

/// # Safety
/// Only in a process that has just been cloned, with a valid `launch`.
unsafe fn prepare(launch: &ChildContext) -> Result<(), ExecStage> {
    // SAFETY: system calls on numbers, on locals, and on pointers that `start` prepared.
    unsafe {
        check(ExecStage::NewSession, libc::setsid())?;
        // A container init blocks SIGCHLD in order to read it from a descriptor, and execve(2)
        // preserves the signal mask.
        let mut none: libc::sigset_t = std::mem::zeroed();
        libc::sigemptyset(&mut none);
        check(
            ExecStage::SignalMask,
            libc::sigprocmask(libc::SIG_SETMASK, &none, ptr::null_mut()),
        )?;
        for (target, source) in launch.streams.iter().enumerate() {
            // None of the sources is below 3: the container init keeps 0, 1 and 2 occupied. All its
            // other descriptors are close-on-exec.
            check(ExecStage::Descriptors, libc::dup2(*source, target as c_int))?;
        }
        match launch.terminal {
            ProcessTerminal::None => {}
            // The kernel assigns a terminal only to a session leader without one, hence after
            // `setsid`.
            ProcessTerminal::Controlling => {
                check(ExecStage::Terminal, libc::ioctl(0, libc::TIOCSCTTY, 0))?
            }
        }
        check(
            ExecStage::WorkingDirectory,
            libc::chdir(launch.working_directory),
        )?;
        match launch.capabilities {
            CapabilitySet::All => Ok(()),
            CapabilitySet::Ordinary => drop_capabilities(0),
            CapabilitySet::Resident => {
                keep_across_execution(NAMESPACE_CAPABILITIES)?;
                drop_capabilities(NAMESPACE_CAPABILITIES)
            }
        }
    }
}

/// Makes capabilities ambient, so that a program without file capabilities has them. They must be
/// inheritable already.
///
/// # Safety
/// Only in a process that has just been cloned.
unsafe fn keep_across_execution(kept: u64) -> Result<(), ExecStage> {
    let mut capability: libc::c_ulong = 0;
    while capability < libc::c_ulong::from(u64::BITS) {
        if kept & (1 << capability) != 0 {
            let raise = libc::PR_CAP_AMBIENT_RAISE as libc::c_ulong;
            // SAFETY: a system call on numbers.
            let result = unsafe { libc::prctl(libc::PR_CAP_AMBIENT, raise, capability, 0, 0) };
            check(ExecStage::Capabilities, result)?;
        }
        capability += 1;
    }
    Ok(())
}

/// Drops all capabilities except those of an ordinary process and `inherited`, which become
/// inheritable.
///
/// # Safety
/// Only in a process that has just been cloned.
unsafe fn drop_capabilities(inherited: u64) -> Result<(), ExecStage> {
    let kept = ORDINARY_CAPABILITIES | inherited;
    let header: [u32; 2] = [CAPABILITY_VERSION, 0];
    let (low, high) = (kept as u32, (kept >> 32) as u32);
    let (low_inherited, high_inherited) = (inherited as u32, (inherited >> 32) as u32);
    let sets: [u32; 6] = [low, low, low_inherited, high, high, high_inherited];
    // SAFETY: a system call on locals with the layout that linux/capability.h defines for version
    // 3: a header of two words, and two times three words.
    let result = unsafe { libc::syscall(libc::SYS_capset, header.as_ptr(), sets.as_ptr()) };
    check(ExecStage::Capabilities, result as c_int)
}

/// Tries each candidate like `execvp(3)`. Returns the error number if none can be executed.
///
/// # Safety
/// Only in a process that has just been cloned, with a valid `launch`.
unsafe fn execute(launch: &ChildContext) -> c_int {
    let mut result = libc::ENOENT;
    let mut candidate = launch.candidates;
    // SAFETY: the arrays that `start` prepared are null-terminated.
    unsafe {
        while !(*candidate).is_null() {
            libc::execve(*candidate, launch.arguments, launch.environment);
            match last_errno() {
                libc::ENOENT | libc::ENOTDIR => {}
                // Another directory may hold an executable file; otherwise this is the error.
                libc::EACCES => result = libc::EACCES,
                // Any other error means that the intended file was found but cannot be executed.
                // Unlike execvp(3), this tries no shell after ENOEXEC.
                errno => return errno,
            }
            candidate = candidate.add(1);
        }
    }
    result
}
