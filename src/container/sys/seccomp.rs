//! Installs a system call filter (seccomp(2)).

use nix::errno::Errno;

use crate::filter::compile::BpfInstruction;

/// Installs a filter for the calling thread and all its descendants. It cannot be removed.
///
/// Requires CAP_SYS_ADMIN in the process's user namespace. Without it, the process would have to
/// give up executing set-user-ID programs.
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
    // Without the flag, kernels before 5.16 slow down all processes with a filter to protect them
    // from side channels between processes, which is not the purpose of this filter.
    let flags = libc::SECCOMP_FILTER_FLAG_SPEC_ALLOW;
    // SAFETY: the kernel copies and checks the program, which outlives the call.
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
