//! Compiles the table of system calls into a BPF program for the kernel
//! (`Documentation/userspace-api/seccomp_filter.rst`). Pure.
//!
//! The program checks the ABI first, and then searches for the call's number in ranges of numbers
//! that have the same action.

use std::collections::BTreeMap;

use super::numbers::{self, parse};
use super::table::{ArgumentRule, SyscallAction, UNKNOWN, ValueMatch, classes};

/// One instruction (`struct sock_filter`, linux/filter.h).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BpfInstruction {
    pub code: u16,
    /// How many instructions a comparison that holds skips.
    pub if_true: u8,
    /// How many one that does not hold skips.
    pub if_false: u8,
    /// What it does it with.
    pub operand: u32,
}

/// Load a word of the call's description (`struct seccomp_data`).
pub const LOAD: u16 = 0x20;
/// Keep only these bits.
pub const AND: u16 = 0x54;
/// Skip so many instructions.
pub const SKIP: u16 = 0x05;
/// Compare: equal.
pub const IF_EQUAL: u16 = 0x15;
/// Compare: greater or equal.
pub const IF_AT_LEAST: u16 = 0x35;
/// End with this result.
pub const RETURN: u16 = 0x06;

/// Where the call's number stands in its description.
pub const NUMBER: u32 = 0;
/// Where its ABI stands.
pub const INTERFACE: u32 = 4;
/// Where the lower half of its first argument stands; both processors are little-endian.
pub const ARGUMENTS: u32 = 16;
/// How long an argument is.
pub const ARGUMENT_BYTES: u32 = 8;

/// An ABI: how programs of one kind make system calls.
#[derive(Clone, Copy, Debug)]
pub struct SyscallAbi {
    /// The kernel's constant for it (`AUDIT_ARCH_...`, linux/audit.h).
    pub constant: u32,
    pub calls: &'static str,
}

/// 64-bit programs on x86-64.
pub const X86_64: SyscallAbi = SyscallAbi {
    constant: 0xc000_003e,
    calls: numbers::X86_64,
};

/// 32-bit programs on x86-64, and `int 0x80` of all.
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

/// Numbers of one class, from the first of them to the next range's first.
#[derive(Clone, Copy, Debug)]
struct SyscallRange {
    first: u32,
    class: SyscallAction,
}

/// The program for a processor with these ABIs. Calls of any other are unknown.
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

/// The classes of all numbers there can be.
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

/// Finds the number's range by halving, and gives its answer.
fn search(program: &mut Vec<BpfInstruction>, ranges: &[SyscallRange]) {
    match ranges {
        [] => {}
        [only] => answer(program, only.class),
        several => {
            let (lower, upper) = several.split_at(several.len() / 2);
            let Some(middle) = upper.first() else { return };
            // A number of the upper half goes on to the skip over the lower half, any other jumps
            // over the skip.
            program.push(BpfInstruction {
                if_false: 1,
                ..instruction(IF_AT_LEAST, middle.first)
            });
            skip_over(program, |program| search(program, lower));
            search(program, upper);
        }
    }
}

/// Adds an instruction that skips what is then added. The skip of a comparison itself reaches no
/// further than 255 instructions.
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

/// Fails if the rule says so, else goes on with the next instruction.
fn examine(program: &mut Vec<BpfInstruction>, rule: &ArgumentRule) {
    program.push(load(ARGUMENTS + u32::from(rule.argument) * ARGUMENT_BYTES));
    if rule.mask != u32::MAX {
        program.push(instruction(AND, rule.mask));
    }
    let mut behind = rule.values.len() as u8;
    for value in rule.values {
        behind -= 1;
        // The failure stands right behind the last comparison, and what follows the rule behind it.
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
