//! The resources that a machine can run out of while containers are created, and how to raise each
//! limit. Pure.
//!
//! All of them become available again when something else ends. So a caller that runs out in the
//! middle of a run waits; one that runs out at the start reports how to raise the limit.

use nix::errno::Errno;

/// A resource that is exhausted for the machine or this user.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ExhaustedResource {
    /// The open files of a process.
    Files,
    /// The open files of all processes.
    MachinesFiles,
    /// File descriptors in transit between processes.
    Descriptors,
    /// Keys in the kernel's keyrings.
    Keys,
    /// Memory, including the kernel's own.
    Memory,
    /// Namespaces of some kind.
    Namespaces,
    Processes,
}

impl ExhaustedResource {
    /// Returns the resource that is exhausted if a system call for creating a container failed with
    /// `errno`. Returns `None` for other errors.
    pub fn of(errno: Errno) -> Option<ExhaustedResource> {
        match errno {
            Errno::EMFILE => Some(ExhaustedResource::Files),
            Errno::ENFILE => Some(ExhaustedResource::MachinesFiles),
            Errno::ETOOMANYREFS => Some(ExhaustedResource::Descriptors),
            Errno::EDQUOT => Some(ExhaustedResource::Keys),
            Errno::ENOMEM | Errno::ENOBUFS => Some(ExhaustedResource::Memory),
            // Since Linux 4.9. Before, it was `EUSERS`, which still means that namespaces are
            // nested too deeply.
            Errno::ENOSPC => Some(ExhaustedResource::Namespaces),
            Errno::EAGAIN => Some(ExhaustedResource::Processes),
            _ => None,
        }
    }

    /// Returns a message that names the exhausted resource.
    pub fn message(self) -> &'static str {
        match self {
            ExhaustedResource::Files => "this program has as many open files as it may have",
            ExhaustedResource::MachinesFiles => {
                "this machine has as many open files as it may have"
            }
            ExhaustedResource::Descriptors => {
                "this user has too many open files on their way between processes"
            }
            ExhaustedResource::Keys => "this user has as many kernel keys as are allowed",
            ExhaustedResource::Memory => "this machine has no memory left for another container",
            ExhaustedResource::Namespaces => {
                "all user or other namespaces that this machine allows are taken"
            }
            ExhaustedResource::Processes => {
                "this user, or this control group, has as many processes as it may have"
            }
        }
    }

    /// Returns how to raise the limit.
    pub fn help(self) -> &'static str {
        match self {
            ExhaustedResource::Files => {
                "Allow more: `ulimit -n 4096` in the shell that starts this. Fewer --slots need less."
            }
            ExhaustedResource::MachinesFiles => "Allow more: sudo sysctl -w fs.file-max=1000000",
            ExhaustedResource::Descriptors => {
                "Allow more: `ulimit -n 4096` in the shell that starts this. Fewer --slots need less."
            }
            ExhaustedResource::Keys => {
                "Allow more: sudo sysctl -w kernel.keys.maxkeys=2000 kernel.keys.maxbytes=200000"
            }
            ExhaustedResource::Memory => "Run with fewer --slots, or end what else takes memory.",
            ExhaustedResource::Namespaces => {
                "Allow more: sudo sysctl -w user.max_user_namespaces=15000 \
                 user.max_mnt_namespaces=15000 user.max_net_namespaces=15000 \
                 user.max_pid_namespaces=15000"
            }
            ExhaustedResource::Processes => {
                "Allow more: `ulimit -u`, or pids.max of the control group (TasksMax= of a unit of \
                 systemd, --pids-limit of Docker). Fewer --slots need less."
            }
        }
    }
}
