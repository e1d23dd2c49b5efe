//! The helper process: reads the stacks of processes, and writes them to its standard output.
//!
//! The output is a text for each thread, one version after another: the first has names alone, the
//! next also lines. Each version ends with a NUL byte, so that whoever kills this process knows
//! which one is complete.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fmt::Write as _;
use std::io::{self, Write};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::sys::prctl::set_pdeathsig;
use nix::sys::signal::Signal;
use nix::unistd::{Pid, alarm};

use super::modules::{LoadedModule, OpenFiles, ProcessUnwinder};
use super::symbols::Descriptions;
use super::target::Target;
use super::tracer::StoppedThreads;

/// The name under which the executable is run as this helper, by which it recognizes that role.
pub(crate) const HELPER_NAME: &str = "maelstrom-stacks";

/// The end of a version.
pub(crate) const END: u8 = 0;

/// The beginning of a line that says why there are no stacks.
pub(crate) const REFUSED: &str = "refused ";

/// The beginning of a line that names a thread by its id in the container.
pub(crate) const THREAD: &str = "thread ";

/// The function of Rust's runtime that calls the code of a thread or a test. What is behind it is of
/// no interest.
const BEGIN_OF_RUST: &str = "__rust_begin_short_backtrace";

/// The maximum number of threads whose stacks are read. A test with more shows the first ones.
const THREADS_MAX: usize = 64;

/// The time in seconds after which the helper ends in any case. The program kills it earlier.
const LIFE_MAX_S: u32 = 3;

/// How long threads may take to stop.
const STOP_MAX: Duration = Duration::from_millis(200);

/// The stack of a thread: its id in the container, and the addresses of its frames.
type ThreadStack = (i32, Vec<u64>);

/// Runs the helper if this process was started as one: its arguments are the ids of processes.
/// Returns whether it was.
pub fn run_if_helper() -> bool {
    let mut arguments = std::env::args_os();
    if arguments.next().as_deref() != Some(OsStr::new(HELPER_NAME)) {
        return false;
    }
    // This process ends with the program, whatever it waits for.
    let _ = set_pdeathsig(Signal::SIGKILL);
    alarm::set(LIFE_MAX_S);
    let pids = arguments.filter_map(|argument| argument.to_str()?.parse().ok());
    // The program that reads this may be gone.
    let _ = run(pids.map(Pid::from_raw), &mut io::stdout().lock());
    true
}

/// Writes the stacks of all threads of processes.
fn run(pids: impl Iterator<Item = Pid>, output: &mut impl Write) -> io::Result<()> {
    let targets: Vec<Target> = pids.map(Target::new).collect();
    let files: Vec<OpenFiles> = targets.iter().map(OpenFiles::of).collect();
    let modules: Vec<Vec<LoadedModule<'_>>> = files.iter().map(OpenFiles::modules).collect();
    let mut processes = Vec::new();
    let mut refused = None;
    let mut threads_left = THREADS_MAX;
    for (target, modules) in targets.iter().zip(&modules) {
        match stacks(target, modules, threads_left) {
            Ok(stacks) => {
                threads_left -= stacks.len().min(threads_left);
                let descriptions = Descriptions::new(target.working_directory());
                processes.push((stacks, modules, descriptions));
            }
            Err(errno) => refused = refused.or(Some(errno)),
        }
    }
    for (stacks, modules, descriptions) in &mut processes {
        descriptions.add_names(modules, &addresses(stacks));
    }
    write_version(&processes, refused, output)?;
    for (stacks, modules, descriptions) in &mut processes {
        let addresses = addresses(stacks);
        for module in modules.iter() {
            let own = addresses.iter().copied();
            let own: Vec<u64> = own.filter(|it| module.address(*it).is_some()).collect();
            if !own.is_empty() {
                descriptions.add_lines(module, &own);
            }
        }
    }
    write_version(&processes, refused, output)
}

/// Reads the stacks of a process. Its threads stand still only meanwhile.
fn stacks(
    target: &Target,
    modules: &[LoadedModule<'_>],
    threads_max: usize,
) -> Result<Vec<ThreadStack>, Errno> {
    let mut threads = target.threads().unwrap_or_default();
    threads.truncate(threads_max);
    let ids: BTreeMap<Pid, i32> = threads
        .iter()
        .filter_map(|thread| Some((*thread, target.inner_id(*thread)?)))
        .collect();
    // Reads files, so it comes before the threads are stopped.
    let mut unwinder = ProcessUnwinder::new(modules);
    let attachment = StoppedThreads::attach(&threads, Instant::now() + STOP_MAX);
    let Ok(memory) = target.memory() else {
        return attachment.refused.map_or(Ok(Vec::new()), Err);
    };
    let registers = attachment.threads.registers();
    let stacks = registers.filter_map(|(thread, registers)| {
        let frames = unwinder.frames(registers, &memory);
        Some((*ids.get(&thread)?, frames))
    });
    let stacks: Vec<ThreadStack> = stacks.collect();
    match (stacks.is_empty(), attachment.refused) {
        (true, Some(errno)) => Err(errno),
        (true, None) | (false, _) => Ok(stacks),
    }
}

fn addresses(stacks: &[ThreadStack]) -> Vec<u64> {
    let frames = stacks.iter().flat_map(|(_, frames)| frames);
    let mut addresses: Vec<u64> = frames.copied().collect();
    addresses.sort_unstable();
    addresses.dedup();
    addresses
}

/// A process: its stacks, its modules, and what is known of addresses.
type ReadProcess<'a, 'b> = (Vec<ThreadStack>, &'b Vec<LoadedModule<'a>>, Descriptions);

fn write_version(
    processes: &[ReadProcess<'_, '_>],
    refused: Option<Errno>,
    output: &mut impl Write,
) -> io::Result<()> {
    let mut text = String::new();
    // Writing to a string cannot fail.
    if let Some(errno) = refused {
        let _ = writeln!(text, "{REFUSED}{}", errno.desc());
    }
    for (stacks, _, descriptions) in processes {
        for (id, frames) in stacks {
            let _ = writeln!(text, "{THREAD}{id}");
            let lines = frames.iter().flat_map(|address| descriptions.of(*address));
            let lines = lines.take_while(|line| !line.contains(BEGIN_OF_RUST));
            for (number, line) in lines.enumerate() {
                let _ = writeln!(text, "{number:>4}: {line}");
            }
        }
    }
    output.write_all(text.as_bytes())?;
    output.write_all(&[END])?;
    output.flush()
}
