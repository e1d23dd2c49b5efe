//! An interpreter for the BPF instructions that the filter uses.

use crate::filter::compile::{
    AND, ARGUMENT_BYTES, ARGUMENTS, BpfInstruction, IF_AT_LEAST, IF_EQUAL, INTERFACE, LOAD, NUMBER,
    RETURN, SKIP,
};

/// A system call as the filter sees it.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Call {
    pub interface: u32,
    pub number: u32,
    pub arguments: [u64; 6],
}

/// The result of the filter for a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Said {
    pub result: u32,
    /// Whether the filter has read an argument. If not, the kernel can cache the result.
    pub looked: bool,
    pub steps: usize,
}

pub(crate) fn run(program: &[BpfInstruction], call: Call) -> Said {
    let mut accumulator = 0;
    let mut next = 0;
    let mut looked = false;
    for steps in 1.. {
        let BpfInstruction {
            code,
            if_true,
            if_false,
            operand,
        } = program[next];
        next += 1;
        let mut branch = |holds: bool| next += usize::from(if holds { if_true } else { if_false });
        match code {
            LOAD => {
                accumulator = match operand {
                    NUMBER => call.number,
                    INTERFACE => call.interface,
                    offset => {
                        looked = true;
                        let offset = offset - ARGUMENTS;
                        assert_eq!(offset % ARGUMENT_BYTES, 0, "half an argument");
                        call.arguments[(offset / ARGUMENT_BYTES) as usize] as u32
                    }
                }
            }
            AND => accumulator &= operand,
            SKIP => next += operand as usize,
            IF_EQUAL => branch(accumulator == operand),
            IF_AT_LEAST => branch(accumulator >= operand),
            RETURN => {
                return Said {
                    result: operand,
                    looked,
                    steps,
                };
            }
            other => panic!("no such instruction: {other:#x}"),
        }
    }
    unreachable!("a program ends")
}
