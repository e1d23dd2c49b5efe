//! The system call filter of every job (seccomp(2)).
//!
//! Namespaces give a job its own files, processes, network and host name. Features without a
//! namespace would be shared with the host: a user's keyrings, vsock ports, io_uring. The filter
//! fails these calls like a kernel without the feature, so programs use their fallbacks.
//!
//! - [`table`]: every system call and its action.
//! - [`numbers`]: the call numbers of each ABI, including 32-bit ones.
//! - [`compile`]: compiles the two into a program for the kernel.
//!
//! The spawner installs the filter once, before it forks the first container init, and all
//! descendants inherit it, so it adds no cost per container. For calls that are allowed whatever
//! their arguments, the kernel does not run the filter at all (Linux 5.11).
//!
//! The filter never kills a process: a job cannot distinguish a container from a machine whose
//! kernel lacks a feature.

pub mod compile;
pub mod numbers;
pub mod table;

use self::compile::{BpfInstruction, SyscallAbi, compile};

/// The ABIs of this architecture: for 64-bit and for 32-bit programs.
#[cfg(target_arch = "x86_64")]
const INTERFACES: [SyscallAbi; 2] = [compile::X86_64, compile::I386];
#[cfg(target_arch = "aarch64")]
const INTERFACES: [SyscallAbi; 2] = [compile::AARCH64, compile::ARM];

/// Returns the filter for this architecture.
pub fn filter() -> Vec<BpfInstruction> {
    compile(&INTERFACES)
}

#[cfg(test)]
mod tests;
