//! The registers that unwinding needs, of the processors that this program runs on.

use framehop::{MayAllocateDuringUnwind, UnwindRegsNative, UnwinderNative};
use nix::sys::ptrace;
use nix::unistd::Pid;

/// Unwinds the stacks of this processor.
pub(crate) type StackUnwinder<'a> = UnwinderNative<&'a [u8], MayAllocateDuringUnwind>;

/// The registers of a stopped thread.
pub(crate) struct Registers {
    pub instruction: u64,
    pub unwind: UnwindRegsNative,
}

impl Registers {
    /// Reads the registers of a thread that is stopped.
    #[cfg(target_arch = "x86_64")]
    pub(crate) fn of(thread: Pid) -> Option<Registers> {
        let read = ptrace::getregs(thread).ok()?;
        Some(Registers {
            instruction: read.rip,
            unwind: UnwindRegsNative::new(read.rip, read.rsp, read.rbp),
        })
    }

    /// Reads the registers of a thread that is stopped.
    #[cfg(target_arch = "aarch64")]
    pub(crate) fn of(thread: Pid) -> Option<Registers> {
        let read = ptrace::getregs(thread).ok()?;
        // The frame pointer is register 29, the link register 30.
        let [.., frame, link] = read.regs;
        Some(Registers {
            instruction: read.pc,
            unwind: UnwindRegsNative::new(link, read.sp, frame),
        })
    }
}
