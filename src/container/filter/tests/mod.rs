//! Tests that the table is complete and that the compiled program implements it.

mod interpreter;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use nix::errno::Errno;
use proptest::prelude::*;

use self::interpreter::{Call, run};
use super::compile::{AARCH64, ARM, BpfInstruction, I386, SyscallAbi, X86_64, compile};
use super::numbers::parse;
use super::table::{ArgumentRule, GROUPS, SyscallAction, UNKNOWN, ValueMatch, classes};

const MACHINES: [(&str, [SyscallAbi; 2]); 2] =
    [("x86_64", [X86_64, I386]), ("aarch64", [AARCH64, ARM])];

/// A number beyond all tables.
const BEYOND: u32 = 2000;

#[test]
fn every_call_of_every_interface_has_one_class() {
    let mut classified = BTreeSet::new();
    for group in GROUPS {
        for call in group.calls.split_ascii_whitespace() {
            assert!(classified.insert(call), "{call} stands twice");
        }
    }
    let mut known = BTreeSet::new();
    for (_, interfaces) in MACHINES {
        for interface in interfaces {
            let calls = parse(interface.calls);
            let numbers: BTreeMap<_, _> = calls.iter().copied().collect();
            assert_eq!(numbers.len(), calls.len(), "a number appears twice");
            assert!(calls.is_sorted(), "numbers are not in order");
            let names: BTreeSet<_> = calls.iter().map(|(_, name)| *name).collect();
            assert_eq!(names.len(), calls.len(), "a name appears twice");
            known.extend(names);
        }
    }
    assert_eq!(known, classified);
}

/// Returns the kernel's result value for an action.
fn expected(class: SyscallAction, arguments: [u64; 6]) -> u32 {
    let fail = |errno: Errno| libc::SECCOMP_RET_ERRNO | errno as u32;
    let answers = |rule: &ArgumentRule| {
        let value = arguments[usize::from(rule.argument)] as u32 & rule.mask;
        rule.values.contains(&value) == (rule.answered == ValueMatch::Listed)
    };
    match class {
        SyscallAction::Allowed => libc::SECCOMP_RET_ALLOW,
        SyscallAction::Answered(errno) => fail(errno),
        SyscallAction::Examined(rules) => match rules.iter().find(|rule| answers(rule)) {
            Some(rule) => fail(rule.answer),
            None => libc::SECCOMP_RET_ALLOW,
        },
    }
}

/// The filter of one architecture.
struct Machine {
    name: &'static str,
    program: Vec<BpfInstruction>,
    /// Its ABIs, and the actions of the numbers that have a name.
    interfaces: Vec<(u32, BTreeMap<u32, SyscallAction>)>,
}

impl Machine {
    fn class(&self, which: usize, number: u32) -> SyscallAction {
        let (_, classes) = &self.interfaces[which];
        classes.get(&number).copied().unwrap_or(UNKNOWN)
    }
}

static PROGRAMS: LazyLock<Vec<Machine>> = LazyLock::new(|| {
    let classes = classes();
    let numbers = |interface: &SyscallAbi| {
        let calls = parse(interface.calls).into_iter();
        let calls = calls.map(|(number, name)| (number, classes[name]));
        (interface.constant, calls.collect())
    };
    let machines = MACHINES.iter().map(|(name, interfaces)| Machine {
        name,
        program: compile(interfaces),
        interfaces: interfaces.iter().map(numbers).collect(),
    });
    machines.collect()
});

/// The maximum program length that the kernel accepts (BPF_MAXINSNS).
const INSTRUCTIONS_MAX: usize = 4096;

/// The maximum number of instructions executed for a call whose result is not cached.
const STEPS_MAX: usize = 40;

#[test]
fn the_program_says_what_the_table_says() {
    for machine in PROGRAMS.iter() {
        let program = &machine.program;
        assert!(program.len() < INSTRUCTIONS_MAX, "{}", program.len());
        for (which, (interface, _)) in machine.interfaces.iter().enumerate() {
            let odd = [
                u32::MAX,
                1 << 30,
                (1 << 30) + 250,
                983_040,
                983_047,
                1 << 31,
            ];
            for number in (0..BEYOND).chain(983_041..=983_046).chain(odd) {
                let class = machine.class(which, number);
                let call = Call {
                    interface: *interface,
                    number,
                    arguments: [0; 6],
                };
                let said = run(program, call);
                let what = format!("{} {interface:#x} {number}", machine.name);
                assert_eq!(said.result, expected(class, [0; 6]), "{what}");
                // Otherwise the kernel could not cache the result.
                assert_eq!(
                    said.looked,
                    matches!(class, SyscallAction::Examined(_)),
                    "{what}"
                );
                assert!(said.steps <= STEPS_MAX, "{what}: {}", said.steps);
            }
        }
    }
}

#[test]
fn calls_of_another_interface_are_unknown() {
    for machine in PROGRAMS.iter() {
        for foreign in [0, u32::MAX, 0x4000_003e, 0xc000_0003] {
            for number in 0..BEYOND {
                let call = Call {
                    interface: foreign,
                    number,
                    arguments: [0; 6],
                };
                let said = run(&machine.program, call);
                assert_eq!(said.result, expected(UNKNOWN, [0; 6]), "{}", machine.name);
            }
        }
    }
}

/// Checks the numbers of rejected calls against the C library's for this architecture.
#[test]
fn what_is_answered_has_the_number_it_has_in_the_c_library() {
    let [own, _] = super::INTERFACES;
    let (own, classes) = (parse(own.calls), classes());
    for (number, name) in [
        (libc::SYS_add_key, "add_key"),
        (libc::SYS_request_key, "request_key"),
        (libc::SYS_keyctl, "keyctl"),
        (libc::SYS_io_uring_setup, "io_uring_setup"),
        (libc::SYS_io_uring_enter, "io_uring_enter"),
        (libc::SYS_io_uring_register, "io_uring_register"),
        (libc::SYS_socket, "socket"),
        (libc::SYS_socketpair, "socketpair"),
        (libc::SYS_fcntl, "fcntl"),
        (libc::SYS_ioctl, "ioctl"),
        (libc::SYS_perf_event_open, "perf_event_open"),
        (libc::SYS_bpf, "bpf"),
        (libc::SYS_syslog, "syslog"),
        (libc::SYS_quotactl, "quotactl"),
        (libc::SYS_open_by_handle_at, "open_by_handle_at"),
    ] {
        assert!(own.contains(&(number as u32, name)), "{name}");
        assert_ne!(classes[name], SyscallAction::Allowed, "{name}");
    }
}

/// Generates arbitrary argument values, and values near those that the rules contain.
fn argument() -> impl Strategy<Value = u64> {
    let named: Vec<u64> = GROUPS
        .iter()
        .filter_map(|group| match group.class {
            SyscallAction::Examined(rules) => Some(rules),
            SyscallAction::Allowed | SyscallAction::Answered(_) => None,
        })
        .flatten()
        .flat_map(|rule| rule.values.iter().map(|value| u64::from(*value)))
        .collect();
    let near = (prop::sample::select(named), -1i64..=1, any::<bool>());
    let near = near.prop_map(|(value, by, high)| {
        value.wrapping_add_signed(by) | if high { 1 << 40 } else { 0 }
    });
    prop_oneof![near, any::<u64>(), 0u64..50]
}

proptest! {
    #[test]
    fn arguments_decide_as_the_rules_say(
        arguments in prop::array::uniform6(argument()),
        machine in 0..MACHINES.len(),
        which in 0usize..2,
        number in prop_oneof![0u32..600, any::<u32>()],
    ) {
        let machine = &PROGRAMS[machine];
        let (interface, classes) = &machine.interfaces[which];
        let examined = classes.iter().filter(|(_, class)| matches!(class, SyscallAction::Examined(_)));
        for number in examined.map(|(number, _)| *number).chain([number]) {
            let call = Call { interface: *interface, number, arguments };
            let expected = expected(machine.class(which, number), arguments);
            prop_assert_eq!(run(&machine.program, call).result, expected, "{}", number);
        }
    }
}
