//! The system call filter that every job runs behind (seccomp(2)).
//!
//! Namespaces give a job its own files, processes, network and host name. What the kernel has no
//! namespace for, every container would share with the host: a user's keyrings, vsock ports, rings
//! that make calls on their own. The filter answers the calls that lead there as a kernel without
//! the feature does, so that programs go on as they do on such a kernel.
//!
//! - [`table`]: every system call there is, and what it gets.
//! - [`numbers`]: their numbers on each binary interface, 32-bit ones included.
//! - [`compile`]: the two as a program for the kernel.
//!
//! The spawner installs the filter once, before it forks the first slot, and everything below
//! inherits it: a container costs nothing more. Calls that are allowed whatever their arguments
//! are known to the kernel in advance, which then runs no filter for them (Linux 5.11).
//!
//! Absent on purpose: killing a process for a call. A job cannot tell a container from a machine
//! whose kernel lacks something.

pub mod compile;
pub mod numbers;
pub mod table;

use self::compile::{BpfInstruction, SyscallAbi, compile};

/// The binary interfaces of this processor: its own, and that of 32-bit programs.
#[cfg(target_arch = "x86_64")]
const INTERFACES: [SyscallAbi; 2] = [compile::X86_64, compile::I386];
#[cfg(target_arch = "aarch64")]
const INTERFACES: [SyscallAbi; 2] = [compile::AARCH64, compile::ARM];

/// The filter for this processor.
pub fn filter() -> Vec<BpfInstruction> {
    compile(&INTERFACES)
}

#[cfg(test)]
mod tests;
