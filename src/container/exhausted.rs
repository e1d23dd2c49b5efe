//! The resources that a machine can run out of while containers are made, and how to raise the
//! limit. Pure.
//!
//! All of them become available again when something else ends. So a caller that runs out in the
//! middle of a run waits; one that runs out at the start reports how to allow more.

use nix::errno::Errno;

/// A resource that the machine, or this user, has used up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ExhaustedResource {
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
    Processes,
}

impl ExhaustedResource {
    /// What a failed system call that makes part of a container means.
    pub fn of(errno: Errno) -> Option<ExhaustedResource> {
        match errno {
            Errno::EMFILE => Some(ExhaustedResource::Files),
            Errno::ENFILE => Some(ExhaustedResource::MachinesFiles),
            Errno::ETOOMANYREFS => Some(ExhaustedResource::Descriptors),
            Errno::EDQUOT => Some(ExhaustedResource::Keys),
            Errno::ENOMEM | Errno::ENOBUFS => Some(ExhaustedResource::Memory),
            // Since Linux 4.9. `EUSERS` is older, and still means nesting too deeply.
            Errno::ENOSPC => Some(ExhaustedResource::Namespaces),
            Errno::EAGAIN => Some(ExhaustedResource::Processes),
            _ => None,
        }
    }

    /// What has run out.
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

    /// What allows more.
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
