//! Compiles the table of system calls into a BPF program for the kernel
//! (`Documentation/userspace-api/seccomp_filter.rst`). Pure.
//!
//! The program checks the ABI first. Then it searches for the call's number in ranges of numbers
//! that have the same action.

use std::collections::BTreeMap;

use super::numbers::{self, parse};
use super::table::{ArgumentRule, SyscallAction, UNKNOWN, ValueMatch, classes};

/// A BPF instruction (`struct sock_filter`, linux/filter.h).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BpfInstruction {
    pub code: u16,
    /// The number of instructions to skip if a comparison is true.
    pub if_true: u8,
    /// The number of instructions to skip if it is false.
    pub if_false: u8,
    /// The operand.
    pub operand: u32,
}

/// Opcode: load a word of the call's description (`struct seccomp_data`).
pub const LOAD: u16 = 0x20;
/// Opcode: keep only these bits of the loaded word.
pub const AND: u16 = 0x54;
/// Opcode: skip this many instructions.
pub const SKIP: u16 = 0x05;
/// Opcode: compare for equality.
pub const IF_EQUAL: u16 = 0x15;
/// Opcode: compare for greater or equal.
pub const IF_AT_LEAST: u16 = 0x35;
/// Opcode: end with this result.
pub const RETURN: u16 = 0x06;

/// The offset of the call's number in `struct seccomp_data`.
pub const NUMBER: u32 = 0;
/// The offset of the call's ABI.
pub const INTERFACE: u32 = 4;
/// The offset of the lower half of its first argument, since both architectures are little-endian.
pub const ARGUMENTS: u32 = 16;
/// The size of an argument.
pub const ARGUMENT_BYTES: u32 = 8;

/// An ABI: the convention by which one kind of program makes system calls.
#[derive(Clone, Copy, Debug)]
pub struct SyscallAbi {
    /// The kernel's constant for the ABI (`AUDIT_ARCH_...`, linux/audit.h).
    pub constant: u32,
    pub calls: &'static str,
}

/// 64-bit programs on x86-64.
pub const X86_64: SyscallAbi = SyscallAbi {
    constant: 0xc000_003e,
    calls: numbers::X86_64,
};

/// 32-bit programs on x86-64, and `int 0x80` of all programs.
pub const I386: SyscallAbi = SyscallAbi {
    constant: 0x4000_0003,
    calls: numbers::I386,
};

/// 64-bit programs on ARM64.
pub const AARCH64: SyscallAbi = SyscallAbi {
    constant: 0xc000_00b7,
    calls: numbers::AARCH64,
};

/// 32-bit programs on ARM64.
pub const ARM: SyscallAbi = SyscallAbi {
    constant: 0x4000_0028,
    calls: numbers::ARM,
};

/// A range of numbers with the same action. It ends before the next range.
#[derive(Clone, Copy, Debug)]
struct SyscallRange {
    first: u32,
    class: SyscallAction,
}

/// Compiles the program for an architecture with these ABIs. Calls of any other ABI are unknown.
pub fn compile(interfaces: &[SyscallAbi]) -> Vec<BpfInstruction> {
    let classes = classes();
    let mut program = vec![load(INTERFACE)];
    for interface in interfaces {
        program.push(BpfInstruction {
            if_true: 1,
            ..instruction(IF_EQUAL, interface.constant)
        });
        skip_over(&mut program, |program| {
            program.push(load(NUMBER));
            search(program, &ranges(interface, &classes));
        });
    }
    answer(&mut program, UNKNOWN);
    program
}

/// Returns the actions of all possible numbers as sorted ranges.
fn ranges(interface: &SyscallAbi, classes: &BTreeMap<&str, SyscallAction>) -> Vec<SyscallRange> {
    let mut ranges: Vec<SyscallRange> = Vec::new();
    let mut push = |first, class| match ranges.last() {
        Some(last) if last.class == class => {}
        _ => ranges.push(SyscallRange { first, class }),
    };
    let mut next = 0;
    for (number, name) in parse(interface.calls) {
        if number > next {
            push(next, UNKNOWN);
        }
        push(number, classes.get(name).copied().unwrap_or(UNKNOWN));
        next = number + 1;
    }
    push(next, UNKNOWN);
    ranges
}

/// Adds a binary search for the call's number, and the action of the range that contains it.
fn search(program: &mut Vec<BpfInstruction>, ranges: &[SyscallRange]) {
    match ranges {
        [] => {}
        [only] => answer(program, only.class),
        several => {
            let (lower, upper) = several.split_at(several.len() / 2);
            let Some(middle) = upper.first() else { return };
            // A number in the upper half continues with the instruction that skips the lower half;
            // any other number jumps over that instruction.
            program.push(BpfInstruction {
                if_false: 1,
                ..instruction(IF_AT_LEAST, middle.first)
            });
            skip_over(program, |program| search(program, lower));
            search(program, upper);
        }
    }
}

/// Adds an instruction that skips the instructions added by `add`. The jump of a comparison itself
/// reaches at most 255 instructions.
fn skip_over(program: &mut Vec<BpfInstruction>, add: impl FnOnce(&mut Vec<BpfInstruction>)) {
    let skip = program.len();
    program.push(instruction(SKIP, 0));
    add(program);
    let skipped = (program.len() - skip - 1) as u32;
    if let Some(skip) = program.get_mut(skip) {
        skip.operand = skipped;
    }
}

fn answer(program: &mut Vec<BpfInstruction>, class: SyscallAction) {
    match class {
        SyscallAction::Allowed => program.push(allow()),
        SyscallAction::Answered(errno) => program.push(fail(errno as u32)),
        SyscallAction::Examined(rules) => {
            for rule in rules {
                examine(program, rule);
            }
            program.push(allow());
        }
    }
}

/// Adds instructions that return the rule's error if it applies, and otherwise continue with the
/// next instruction.
fn examine(program: &mut Vec<BpfInstruction>, rule: &ArgumentRule) {
    program.push(load(ARGUMENTS + u32::from(rule.argument) * ARGUMENT_BYTES));
    if rule.mask != u32::MAX {
        program.push(instruction(AND, rule.mask));
    }
    let mut behind = rule.values.len() as u8;
    for value in rule.values {
        behind -= 1;
        // The error follows the last comparison, and the code after the rule follows the error.
        let if_true = match rule.answered {
            ValueMatch::Listed => behind,
            ValueMatch::Others => behind + 1,
        };
        let if_false = match (rule.answered, behind) {
            (ValueMatch::Listed, 0) => 1,
            (ValueMatch::Listed | ValueMatch::Others, _) => 0,
        };
        program.push(BpfInstruction {
            if_true,
            if_false,
            ..instruction(IF_EQUAL, *value)
        });
    }
    program.push(fail(rule.answer as u32));
}

fn instruction(code: u16, operand: u32) -> BpfInstruction {
    BpfInstruction {
        code,
        if_true: 0,
        if_false: 0,
        operand,
    }
}

fn load(offset: u32) -> BpfInstruction {
    instruction(LOAD, offset)
}

fn allow() -> BpfInstruction {
    instruction(RETURN, libc::SECCOMP_RET_ALLOW)
}

fn fail(errno: u32) -> BpfInstruction {
    instruction(RETURN, libc::SECCOMP_RET_ERRNO | errno)
}
