//! Finds the processes that a job leaves running.
//!
//! A job is over when its first process ends, and what is left is killed. A process that is about to
//! end by itself is no leak: one that was just killed, or a helper that ends when its pipe closes.
//! So if anything is left, [`LeakWatch::leaked`] waits up to [`LEAK_WAIT`] for its end, and longer
//! while a process runs instead of sleeping: on a busy machine, what is about to end may wait for a
//! processor. If nothing is left, as after nearly every test, it costs one system call, or, beside a
//! fork server, a look into `/proc`.
//!
//! Names come from `comm`, not from the command line: reading that touches the process's memory,
//! which a job can make as slow as it likes (userfaultfd(2), FUSE). The list of processes comes from
//! the spawner's `/proc`, because a container need not show one of its own.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::os::fd::{AsFd, OwnedFd};
use std::time::{Duration, Instant};

use nix::dir::Dir;
use nix::errno::Errno;
use nix::fcntl::{OFlag, openat, readlinkat};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signalfd::SignalFd;
use nix::sys::stat::Mode;
use nix::unistd::Pid;

use super::super::message::{self, ContainerRequest, LEAKED_NAMES_MAX, LeakedProcesses};

/// How long processes may run after the end of a job's first process without being leaked. Killed
/// processes and helpers of language runtimes end within a few milliseconds.
pub const LEAK_WAIT: Duration = Duration::from_millis(100);

/// How long processes may run that do not sleep.
const BUSY_WAIT_MAX: Duration = Duration::from_secs(1);

/// The time between two looks at such processes.
const BUSY_STEP: Duration = Duration::from_millis(20);

/// What is needed to wait for the end of a job's remaining processes.
pub struct LeakWatch<'a> {
    /// The socket to the main program.
    pub socket: &'a OwnedFd,
    /// Reports ended children.
    pub children: &'a SignalFd,
    /// A `/proc` in which the calling process is visible.
    pub proc: &'a OwnedFd,
}

impl LeakWatch<'_> {
    /// Waits until `are_gone` returns true, or until the remaining processes count as leaked. Returns
    /// these, or `None` if the main program is gone.
    pub fn leaked(
        &self,
        others: OtherProcesses<'_>,
        are_gone: impl Fn() -> bool,
    ) -> Option<LeakedProcesses> {
        if are_gone() {
            return Some(LeakedProcesses::default());
        }
        let began = Instant::now();
        let mut deadline = began + LEAK_WAIT;
        loop {
            // Read before the check, so that later ends are reported again.
            while let Ok(Some(_)) = self.children.read_signal() {}
            if are_gone() {
                return Some(LeakedProcesses::default());
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                let remaining = remaining(self.proc, others);
                // An empty list means that the last one has ended since the check.
                let is_busy = remaining.is_empty() || remaining.iter().any(|one| one.is_busy);
                if !is_busy || began.elapsed() >= BUSY_WAIT_MAX {
                    return Some(named(remaining));
                }
                deadline = Instant::now() + BUSY_STEP;
                continue;
            }
            let mut watched = [
                PollFd::new(self.children.as_fd(), PollFlags::POLLIN),
                PollFd::new(self.socket.as_fd(), PollFlags::POLLIN),
            ];
            // Rounded up, since a poll with less than a millisecond would not wait.
            let wait = PollTimeout::try_from(left + Duration::from_millis(1));
            match poll(&mut watched, wait.unwrap_or(PollTimeout::ZERO)) {
                Ok(_) | Err(Errno::EINTR) => {}
                Err(_) => return None,
            }
            let [_, orders] = watched.map(|fd| fd.any().unwrap_or(false));
            if orders {
                // A request to stop or suspend the job, which has just ended. What is left is
                // killed in any case, and could not end by itself any more.
                message::receive::<ContainerRequest>(self.socket.as_fd()).ok()?;
                return Some(LeakedProcesses::default());
            }
        }
    }
}

/// The processes of a container that are not the job's.
#[derive(Clone, Copy)]
pub enum OtherProcesses<'a> {
    None,
    /// The fork server, by its ID in the container.
    ForkServer(Pid),
    /// These processes and their descendants, as the spawner's `/proc` numbers them.
    Services(&'a [i32]),
}

/// Returns the descendants of the calling process that still run, without the others.
pub(super) fn remaining(proc: &OwnedFd, others: OtherProcesses<'_>) -> Vec<ListedProcess> {
    let mut remaining = descendants(proc);
    match others {
        OtherProcesses::None => {}
        OtherProcesses::ForkServer(server) => {
            remaining.retain(|process| !has_id(proc, process.pid, server));
        }
        OtherProcesses::Services(services) => {
            let parents = remaining
                .iter()
                .map(|process| (process.pid, process.parent));
            let parents: BTreeMap<i32, i32> = parents.collect();
            remaining.retain(|process| !belongs_to(process.pid, services, &parents));
        }
    }
    remaining.retain(|process| !process.has_ended);
    remaining
}

/// Returns whether a process or one of its ancestors is among these.
fn belongs_to(pid: i32, services: &[i32], parents: &BTreeMap<i32, i32>) -> bool {
    let mut next = Some(&pid);
    // The list is no snapshot, so it could have a circle.
    for _ in 0..=parents.len() {
        match next {
            Some(pid) if services.contains(pid) => return true,
            Some(pid) => next = parents.get(pid),
            None => return false,
        }
    }
    false
}

fn named(remaining: Vec<ListedProcess>) -> LeakedProcesses {
    if remaining.is_empty() {
        // Something runs, but its name cannot be found out.
        return LeakedProcesses {
            names: Vec::new(),
            more: 1,
        };
    }
    let more = remaining.len().saturating_sub(LEAKED_NAMES_MAX);
    let names = remaining.into_iter().map(|process| process.name);
    LeakedProcesses {
        names: names.take(LEAKED_NAMES_MAX).collect(),
        more: u32::try_from(more).unwrap_or(u32::MAX),
    }
}

/// Returns the descendants of the calling process, the oldest first.
pub(super) fn descendants(proc: &OwnedFd) -> Vec<ListedProcess> {
    let own = readlinkat(proc, "self").ok();
    let own = own.and_then(|own| own.to_str()?.parse::<i32>().ok());
    let (Some(own), Some(mut all)) = (own, processes(proc)) else {
        return Vec::new();
    };
    let found = all.values().filter(|process| descends(process, own, &all));
    let found: Vec<i32> = found.map(|process| process.pid).collect();
    found.iter().filter_map(|pid| all.remove(pid)).collect()
}

/// A process in `/proc`.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct ListedProcess {
    pub(super) pid: i32,
    parent: i32,
    pub(super) name: String,
    /// Whether it only waits to be reaped.
    pub(super) has_ended: bool,
    /// Whether it has a processor, or waits for one or for a disk.
    is_busy: bool,
}

/// Returns all processes of a `/proc`, by their IDs there.
fn processes(proc: &OwnedFd) -> Option<BTreeMap<i32, ListedProcess>> {
    let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
    let listed = Dir::openat(proc, ".", flags, Mode::empty()).ok()?;
    let read = listed
        .into_iter()
        .flatten()
        .filter_map(|entry| entry.file_name().to_str().ok()?.parse::<i32>().ok())
        // A process that is gone meanwhile cannot be read.
        .filter_map(|pid| parse(pid, &read(proc, &format!("{pid}/stat"))?));
    Some(read.map(|process| (process.pid, process)).collect())
}

/// Returns whether a process is a descendant of another one.
fn descends(process: &ListedProcess, ancestor: i32, all: &BTreeMap<i32, ListedProcess>) -> bool {
    let mut parent = process.parent;
    // The list is no snapshot, so it could have a circle.
    for _ in 0..all.len() {
        if parent == ancestor {
            return true;
        }
        match all.get(&parent) {
            Some(next) => parent = next.parent,
            None => return false,
        }
    }
    false
}

/// Returns whether a process has this ID in its own namespace.
fn has_id(proc: &OwnedFd, pid: i32, own: Pid) -> bool {
    let status = read(proc, &format!("{pid}/status")).unwrap_or_default();
    let status = String::from_utf8_lossy(&status);
    let ids = status.lines().find_map(|line| line.strip_prefix("NSpid:"));
    let last = ids.and_then(|ids| ids.split_whitespace().next_back());
    last.and_then(|id| id.parse().ok()) == Some(own.as_raw())
}

/// Reads a `/proc/PID/stat`.
fn parse(pid: i32, stat: &[u8]) -> Option<ListedProcess> {
    let text = String::from_utf8_lossy(stat);
    // A name can contain parentheses and spaces; the fields behind it cannot.
    let (front, fields) = text.rsplit_once(") ")?;
    let (_, name) = front.split_once('(')?;
    let fields: Vec<&str> = fields.split(' ').collect();
    // The third, fourth and twentieth field of all.
    let (state, parent, threads) = (fields.first()?, fields.get(1)?, fields.get(17)?);
    // A process whose first thread has ended is shown as a zombie while others run.
    let threads: u32 = threads.parse().ok()?;
    Some(ListedProcess {
        pid,
        parent: parent.parse().ok()?,
        name: name.to_owned(),
        has_ended: matches!(*state, "Z" | "X") && threads < 2,
        is_busy: matches!(*state, "R" | "D"),
    })
}

/// Reads a file of a `/proc`.
pub(super) fn read(proc: &OwnedFd, name: &str) -> Option<Vec<u8>> {
    let flags = OFlag::O_RDONLY | OFlag::O_CLOEXEC;
    let file = openat(proc, name, flags, Mode::empty()).ok()?;
    let mut bytes = Vec::new();
    File::from(file).read_to_end(&mut bytes).ok()?;
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_processes_that_run_are_named() {
        let after = "7 7 0 -1 4194304 90 0 0 0 0 0 0 0 20 0";
        for (front, state, threads, name, has_ended) in [
            ("7 (sleep)", "S", 1, "sleep", false),
            ("7 (a) b (c))", "R", 1, "a) b (c)", false),
            ("7 (stopped)", "T", 3, "stopped", false),
            ("7 (ended)", "Z", 1, "ended", true),
            ("7 (ended)", "X", 1, "ended", true),
            ("7 (thread)", "Z", 2, "thread", false),
        ] {
            let stat = format!("{front} {state} 5 {after} {threads} 0 1234\n");
            let (pid, parent, name) = (7, 5, name.to_owned());
            let listed = ListedProcess {
                pid,
                parent,
                name,
                has_ended,
                is_busy: state == "R",
            };
            assert_eq!(parse(7, stat.as_bytes()), Some(listed));
        }
        assert_eq!(parse(7, b""), None);
    }

    #[test]
    fn only_descendants_are_listed() {
        let parents = [(2, 1), (3, 1), (4, 3), (5, 4), (6, 7), (7, 6), (8, 99)];
        let all: BTreeMap<i32, ListedProcess> = parents
            .into_iter()
            .map(|(pid, parent)| {
                let (name, has_ended) = (String::new(), false);
                let listed = ListedProcess {
                    pid,
                    parent,
                    name,
                    has_ended,
                    is_busy: false,
                };
                (pid, listed)
            })
            .collect();
        let below = |ancestor| -> Vec<i32> {
            let found = all.values().filter(|one| descends(one, ancestor, &all));
            found.map(|one| one.pid).collect()
        };
        assert_eq!(below(3), [4, 5]);
        assert_eq!(below(1), [2, 3, 4, 5]);
        let proc = nix::fcntl::open("/proc", OFlag::O_PATH, Mode::empty()).unwrap();
        let own = std::process::id() as i32;
        let listed = processes(&proc).unwrap();
        assert!(!listed[&own].has_ended);
        assert!(has_id(&proc, own, Pid::this()));
    }

    #[test]
    fn what_a_service_has_started_belongs_to_it() {
        let parents = BTreeMap::from([(2, 1), (3, 2), (4, 3), (5, 1), (6, 5), (7, 8), (8, 7)]);
        let of_services = |pid| belongs_to(pid, &[2, 9], &parents);
        let known: Vec<i32> = (1..=9).filter(|pid| of_services(*pid)).collect();
        assert_eq!(known, [2, 3, 4, 9]);
    }

    #[test]
    fn a_list_of_processes_says_how_many_are_not_in_it() {
        let listed = |names: &[&str], more| {
            let names = names.iter().copied().map(String::from).collect();
            LeakedProcesses { names, more }.to_string()
        };
        assert_eq!(listed(&["sleep"], 0), "sleep");
        assert_eq!(listed(&["sleep", "sh"], 3), "sleep, sh and 3 more");
        assert_eq!(listed(&[], 1), "1 process");
        assert_eq!(listed(&[], 4), "4 processes");
    }
}
