//! Describes the threads of a job, for a program that cannot print its own stacks: what the kernel
//! says about each.
//!
//! No file is read that touches the memory of the job, which a job can make as slow as it likes.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use nix::dir::Dir;
use nix::fcntl::OFlag;
use nix::sys::stat::Mode;
use nix::unistd::Pid;

use super::super::filter::numbers;
use super::super::message::{self, ContainerReply, MessageError};
use super::super::sys::process::pidfd;
use super::super::sys::socket::DESCRIPTORS_MAX;
use super::leaks::{OtherProcesses, read, remaining};

/// The size of a description, of which one message holds a multiple.
const TEXT_BYTES_MAX: usize = 16 * 1024;

/// Sends the main program the description of the threads of the job, without those of the others.
pub(super) fn send_threads(
    socket: &OwnedFd,
    proc: &OwnedFd,
    others: OtherProcesses<'_>,
) -> Result<(), MessageError> {
    let (text, processes) = describe_threads(proc, others);
    let processes: Vec<BorrowedFd<'_>> = processes.iter().map(AsFd::as_fd).collect();
    message::send(socket.as_fd(), &ContainerReply::Threads(text), &processes)
}

/// Describes all threads of the calling process's descendants that are not among the others. Also
/// returns a descriptor of each process, up to [`DESCRIPTORS_MAX`].
fn describe_threads(proc: &OwnedFd, others: OtherProcesses<'_>) -> (String, Vec<OwnedFd>) {
    let names = system_calls();
    let mut text = String::new();
    let mut processes = Vec::new();
    for process in remaining(proc, others) {
        if processes.len() < DESCRIPTORS_MAX {
            processes.extend(inner_id(proc, process.pid).and_then(|pid| pidfd(pid).ok()));
        }
        for thread in threads(proc, process.pid) {
            let place = format!("{}/task/{thread}", process.pid);
            let file = |name: &str| {
                let bytes = read(proc, &format!("{place}/{name}")).unwrap_or_default();
                String::from_utf8_lossy(&bytes).into_owned()
            };
            let (status, wchan, call) = (file("status"), file("wchan"), file("syscall"));
            let line = line(&process.name, &status, &wchan, &call, &names);
            if text.len() + line.len() > TEXT_BYTES_MAX {
                // Writing to a string cannot fail.
                let _ = writeln!(text, "and more threads");
                return (text, processes);
            }
            text.push_str(&line);
        }
    }
    (text, processes)
}

/// Returns the id that a process has in the namespace of the calling process, which is the one
/// below that of `proc`.
fn inner_id(proc: &OwnedFd, pid: i32) -> Option<Pid> {
    let status = read(proc, &format!("{pid}/status"))?;
    let status = String::from_utf8_lossy(&status);
    let ids = status
        .lines()
        .find_map(|line| line.strip_prefix("NSpid:"))?;
    let id = ids.split_whitespace().nth(1)?;
    id.parse().ok().map(Pid::from_raw)
}

fn threads(proc: &OwnedFd, pid: i32) -> Vec<i32> {
    let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
    let Ok(tasks) = Dir::openat(proc, format!("{pid}/task").as_str(), flags, Mode::empty()) else {
        return Vec::new();
    };
    let tasks = tasks.into_iter().flatten();
    let mut threads: Vec<i32> = tasks
        .filter_map(|entry| entry.file_name().to_str().ok()?.parse().ok())
        .collect();
    threads.sort_unstable();
    threads
}

/// Returns a line about a thread, such as
/// `thread 7 (worker) of app: sleeping, in futex_do_wait, system call futex`.
fn line(
    process: &str,
    status: &str,
    wchan: &str,
    call: &str,
    names: &BTreeMap<u32, &'static str>,
) -> String {
    let field = |name: &str| {
        let mut lines = status.lines();
        lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(':').map(str::trim))
    };
    let name = field("Name").unwrap_or("?");
    let ids = field("NSpid").unwrap_or_default();
    let id = ids.split_whitespace().next_back().unwrap_or("?");
    let state = field("State").unwrap_or_default();
    let state = state.split_once('(').map_or(state, |(_, word)| word);
    let state = state.trim_end_matches(')');
    let mut line = format!("thread {id} ({name}) of {process}: {state}");
    // The kernel says 0 if the thread runs, or if it does not tell.
    if !matches!(wchan.trim(), "" | "0") {
        let _ = write!(line, ", in {}", wchan.trim());
    }
    // The word is `running` instead of a number if the thread is not in a call.
    let number = call.split_whitespace().next();
    if let Some(number) = number.and_then(|number| number.parse::<u32>().ok()) {
        match names.get(&number) {
            Some(name) => {
                let _ = write!(line, ", system call {name}");
            }
            None => {
                let _ = write!(line, ", system call {number}");
            }
        }
    }
    line.push('\n');
    line
}

/// Returns the names of this machine's system calls.
fn system_calls() -> BTreeMap<u32, &'static str> {
    let table = match std::env::consts::ARCH {
        "x86_64" => numbers::X86_64,
        "aarch64" => numbers::AARCH64,
        _ => "",
    };
    numbers::parse(table).into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_is_told_by_what_it_waits_for() {
        let names = BTreeMap::from([(202, "futex")]);
        let status = "Name:\tworker 1\nState:\tS (sleeping)\nNSpid:\t99\t7\n";
        let told = |wchan: &str, call: &str| line("app", status, wchan, call, &names);
        assert_eq!(
            told("futex_do_wait", "202 0x7f 0x80\n"),
            "thread 7 (worker 1) of app: sleeping, in futex_do_wait, system call futex\n"
        );
        assert_eq!(
            told("0", "999 0x0"),
            "thread 7 (worker 1) of app: sleeping, system call 999\n"
        );
        assert_eq!(
            told("", "running"),
            "thread 7 (worker 1) of app: sleeping\n"
        );
        assert!(system_calls().values().any(|name| *name == "futex"));
    }
}
