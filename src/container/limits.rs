//! One container's share of the machine's countable resources. A test that exhausts its share takes
//! nothing from other containers or the machine.
//!
//! The kernel counts each resource per user or per machine, and a container's own user namespace
//! can only lower the limit. So each container gets the current limit divided by the number of
//! concurrent containers plus one (for everything else), but at least a minimum that tests are
//! known to need.
//!
//! | resource | where the kernel counts it | minimum |
//! | --- | --- | --- |
//! | contents of files in memory | in each `tmpfs` separately | |
//! | pseudo-terminals | machine, `kernel.pty.max` | 16 |
//! | inotify instances, watches | user, `user.max_inotify_*` | 16, 1024 |
//! | fanotify groups, marks | user, `user.max_fanotify_*` | 16, 1024 |
//! | pending signals | user, `ulimit -i` | 1024 |
//! | System V shared memory | IPC namespace, `kernel.shmall` | |
//!
//! [`super::init::process::PROCESSES_MAX`] limits processes. Not limited are the memory of
//! processes (which would require a control group) and POSIX message queues: all containers of a
//! user together get no more than the user's limit (`ulimit -q`), enough for ten queues.

use std::fs;

use serde::{Deserialize, Serialize};

/// The number of bytes of a `tmpfs` per file that it may hold. Besides the content, each file takes
/// about 1 KiB of the kernel's memory.
pub const BYTES_PER_FILE: u64 = 4096;

/// The minimum number of files that a `tmpfs` of any size may hold.
const FILES_MIN: u64 = 1024;

/// The maximum number of pseudo-terminals per container, however few containers there are.
const PSEUDOTERMINALS_MAX: u64 = 256;

/// The limits of a container. By default nothing is limited.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ContainerLimits {
    /// The maximum size in bytes of all files that the container's jobs write. They are kept in
    /// memory.
    pub scratch_bytes: Option<u64>,
    pub pseudoterminals: Option<u64>,
    /// The maximum number of pending signals.
    pub pending_signals: Option<u64>,
    /// Values to write to files below `/proc/sys`.
    pub settings: Vec<(String, u64)>,
}

/// The limits of user namespaces, with the minimum of each.
const USER: [(&str, u64); 4] = [
    ("user/max_inotify_instances", 16),
    ("user/max_inotify_watches", 1024),
    ("user/max_fanotify_groups", 16),
    ("user/max_fanotify_marks", 1024),
];

const PSEUDOTERMINALS_MIN: u64 = 16;
const PENDING_SIGNALS_MIN: u64 = 1024;

impl ContainerLimits {
    /// Returns the limits of each container if `containers` of them run concurrently and their
    /// files may take `scratch_bytes` together.
    pub fn shared(containers: u32, scratch_bytes: u64) -> ContainerLimits {
        let read = |name: &str| {
            let text = fs::read_to_string(format!("/proc/sys/{name}")).ok()?;
            text.trim().parse().ok()
        };
        let signals =
            nix::sys::resource::getrlimit(nix::sys::resource::Resource::RLIMIT_SIGPENDING);
        ContainerLimits::of(
            containers,
            scratch_bytes,
            read,
            signals.ok().map(|(soft, _)| soft),
        )
    }

    fn of(
        containers: u32,
        scratch_bytes: u64,
        read: impl Fn(&str) -> Option<u64>,
        signals: Option<u64>,
    ) -> ContainerLimits {
        let containers = u64::from(containers.max(1));
        let share = |all: u64, least: u64| (all / (containers + 1)).max(least).min(all);
        let scratch = scratch_bytes / containers;
        let settings = USER.iter().filter_map(|(name, least)| {
            let all = read(name)?;
            Some(((*name).to_owned(), share(all, *least)))
        });
        // The unit is pages.
        let shared_memory = ("kernel/shmall".to_owned(), (scratch / 4096).max(1));
        ContainerLimits {
            scratch_bytes: Some(scratch),
            pseudoterminals: read("kernel/pty/max").map(|all| {
                let reserved = read("kernel/pty/reserve").unwrap_or(0);
                let all = all.saturating_sub(reserved);
                share(all, PSEUDOTERMINALS_MIN).min(PSEUDOTERMINALS_MAX)
            }),
            pending_signals: signals.map(|all| share(all, PENDING_SIGNALS_MIN)),
            settings: settings.chain([shared_memory]).collect(),
        }
    }

    /// Returns the mount options of a `tmpfs` that gets one of `parts` equal parts of the
    /// container's bytes.
    pub fn tmpfs_options(&self, parts: u64) -> String {
        match self.scratch_bytes {
            None => String::new(),
            Some(bytes) => {
                let bytes = part(bytes, parts);
                let files = (bytes / BYTES_PER_FILE).max(FILES_MIN);
                format!(",size={bytes},nr_inodes={files}")
            }
        }
    }
}

/// The minimum size of a `tmpfs` in bytes. Without a size, or with a size of 0, it would be
/// unlimited.
const TMPFS_BYTES_MIN: u64 = 64 * 1024;

fn part(bytes: u64, parts: u64) -> u64 {
    (bytes / parts.max(1)).max(TMPFS_BYTES_MIN)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limits(containers: u32) -> ContainerLimits {
        let read = |name: &str| match name {
            "user/max_inotify_instances" => Some(128),
            "user/max_inotify_watches" => Some(1_000_000),
            // The value in a user namespace, where the kernel sets no limit.
            "user/max_fanotify_groups" => Some(i32::MAX as u64),
            "kernel/pty/max" => Some(4096),
            "kernel/pty/reserve" => Some(1024),
            _ => None,
        };
        ContainerLimits::of(containers, 1 << 30, read, Some(15_000))
    }

    #[test]
    fn all_containers_together_leave_something_to_others() {
        for containers in [1, 2, 4, 7] {
            let limits = limits(containers);
            let all = u64::from(containers);
            assert!(limits.scratch_bytes.unwrap() * all <= 1 << 30);
            assert!(limits.pseudoterminals.unwrap() * all < 4096 - 1024);
            assert!(limits.pending_signals.unwrap() * all < 15_000);
            let of = |name: &str| {
                let mut settings = limits.settings.iter();
                settings.find(|(known, _)| known == name).unwrap().1
            };
            assert!(of("user/max_inotify_instances") * all < 128, "{containers}");
            assert!(of("user/max_inotify_watches") * all < 1_000_000);
        }
    }

    #[test]
    fn none_gets_less_than_tests_use_or_more_than_there_is() {
        let limits = limits(1000);
        let expected = [
            ("user/max_inotify_instances", 16),
            ("user/max_inotify_watches", 1024),
            ("user/max_fanotify_groups", i32::MAX as u64 / 1001),
            ("kernel/shmall", 262),
        ];
        let expected = expected.map(|(name, value)| (name.to_owned(), value));
        assert_eq!(limits.settings, expected);
        assert_eq!(limits.pseudoterminals, Some(16));
        let few = ContainerLimits::of(4, 1, |_| Some(3), Some(3));
        assert_eq!(
            (few.pending_signals, few.pseudoterminals),
            (Some(3), Some(0))
        );
    }

    #[test]
    fn a_tmpfs_always_has_a_size() {
        let none = ContainerLimits::default();
        assert_eq!(none.tmpfs_options(1), "");
        let limits = ContainerLimits {
            scratch_bytes: Some(0),
            ..none
        };
        assert_eq!(limits.tmpfs_options(0), ",size=65536,nr_inodes=1024");
        let limits = ContainerLimits {
            scratch_bytes: Some(64 << 20),
            ..limits
        };
        assert_eq!(limits.tmpfs_options(2), ",size=33554432,nr_inodes=8192");
    }
}
