//! Installs a system call filter (seccomp(2)).

use nix::errno::Errno;

use crate::filter::compile::BpfInstruction;

/// Puts the calling thread, and all processes that come of it, behind a filter for good.
///
/// Only for a process with CAP_SYS_ADMIN in its user namespace: others would have to give up
/// set-user-ID programs for it.
pub fn install(filter: &[BpfInstruction]) -> nix::Result<()> {
    let mut instructions: Vec<libc::sock_filter> = filter
        .iter()
        .map(|instruction| libc::sock_filter {
            code: instruction.code,
            jt: instruction.if_true,
            jf: instruction.if_false,
            k: instruction.operand,
        })
        .collect();
    let program = libc::sock_fprog {
        len: u16::try_from(instructions.len()).map_err(|_| Errno::E2BIG)?,
        filter: instructions.as_mut_ptr(),
    };
    // Without the flag, kernels before 5.16 slow down everything behind a filter to guard it from
    // side channels between processes, which the filter has nothing to do with.
    let flags = libc::SECCOMP_FILTER_FLAG_SPEC_ALLOW;
    // SAFETY: the kernel copies the program, which outlives the call, and checks it.
    Errno::result(unsafe {
        libc::syscall(
            libc::SYS_seccomp,
            libc::SECCOMP_SET_MODE_FILTER,
            flags,
            &raw const program,
        )
    })
    .map(drop)
}
