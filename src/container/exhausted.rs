//! What a machine can run out of while containers are made, and what cures it. Pure.
//!
//! Whatever has run out comes back when something ends. So who meets one of these in the middle of a
//! run waits, and who meets it at the start says what would allow more.

use nix::errno::Errno;

/// Something of which the machine, or this user, has no more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Exhausted {
    /// Open files of a process.
    Files,
    /// Open files of all processes.
    MachinesFiles,
    /// Descriptors on their way between processes.
    Descriptors,
    /// Keys of the kernel's.
    Keys,
    /// Memory, or memory for the kernel's own use.
    Memory,
    /// Namespaces of some kind.
    Namespaces,
    /// Processes and threads.
    Processes,
}

impl Exhausted {
    /// What a failed system call that makes part of a container means.
    pub fn of(errno: Errno) -> Option<Exhausted> {
        match errno {
            Errno::EMFILE => Some(Exhausted::Files),
            Errno::ENFILE => Some(Exhausted::MachinesFiles),
            Errno::ETOOMANYREFS => Some(Exhausted::Descriptors),
            Errno::EDQUOT => Some(Exhausted::Keys),
            Errno::ENOMEM | Errno::ENOBUFS => Some(Exhausted::Memory),
            // Since Linux 4.9. `EUSERS` is older, and still means nesting too deeply.
            Errno::ENOSPC => Some(Exhausted::Namespaces),
            Errno::EAGAIN => Some(Exhausted::Processes),
            _ => None,
        }
    }

    /// What has run out.
    pub fn message(self) -> &'static str {
        match self {
            Exhausted::Files => "this program has as many open files as it may have",
            Exhausted::MachinesFiles => "this machine has as many open files as it may have",
            Exhausted::Descriptors => {
                "this user has too many open files on their way between processes"
            }
            Exhausted::Keys => "this user has as many kernel keys as are allowed",
            Exhausted::Memory => "this machine has no memory left for another container",
            Exhausted::Namespaces => {
                "all user or other namespaces that this machine allows are taken"
            }
            Exhausted::Processes => {
                "this user, or this control group, has as many processes as it may have"
            }
        }
    }

    /// What allows more.
    pub fn help(self) -> &'static str {
        match self {
            Exhausted::Files => {
                "Allow more: `ulimit -n 4096` in the shell that starts this. Fewer --slots need less."
            }
            Exhausted::MachinesFiles => "Allow more: sudo sysctl -w fs.file-max=1000000",
            Exhausted::Descriptors => {
                "Allow more: `ulimit -n 4096` in the shell that starts this. Fewer --slots need less."
            }
            Exhausted::Keys => {
                "Allow more: sudo sysctl -w kernel.keys.maxkeys=2000 kernel.keys.maxbytes=200000"
            }
            Exhausted::Memory => "Run with fewer --slots, or end what else takes memory.",
            Exhausted::Namespaces => {
                "Allow more: sudo sysctl -w user.max_user_namespaces=15000 \
                 user.max_mnt_namespaces=15000 user.max_net_namespaces=15000 \
                 user.max_pid_namespaces=15000"
            }
            Exhausted::Processes => {
                "Allow more: `ulimit -u`, or pids.max of the control group (TasksMax= of a unit of \
                 systemd, --pids-limit of Docker). Fewer --slots need less."
            }
        }
    }
}
