//! Specifications of containers and processes, as plain data.
//!
//! Nothing here accesses the system. Paths inside the container are absolute; paths on the host are
//! any that the invoking process can open.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::devices::DevicePattern;

/// The complete specification of a container. Jobs with equal specifications may run one after
/// another in one container, if the audit finds it unchanged after each.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ContainerSpec {
    /// The root file system.
    pub root: RootKind,
    /// The file systems mounted over the root, in this order.
    pub mounts: Vec<Mount>,
    /// The network that jobs see.
    pub network: NetworkMode,
    /// The host name that `uname` reports.
    pub hostname: String,
    /// The user id inside the container, which is mapped to the invoking user outside.
    pub user: u32,
    /// The group id inside the container, which is mapped to the invoking group outside.
    pub group: u32,
    /// The privileges of jobs inside their own namespaces.
    pub privileges: PrivilegeLevel,
    /// The programs that run beside each job, started in this order.
    pub services: Vec<ServiceSpec>,
    /// The devices of the host that jobs have besides those in [`Self::mounts`].
    pub devices: Vec<DevicePattern>,
}

/// A program that runs beside each job of a container, such as a database server. It starts again
/// for each job, which starts when the service is ready, and is killed after the job.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ServiceSpec {
    /// Its name, for messages.
    pub name: String,
    pub process: ProcessSpec,
    /// A program that exits with code 0 if the service is ready; it runs again and again until then.
    /// Without it, a service is ready as soon as it is started.
    pub readiness: Option<ProcessSpec>,
    /// The maximum time until it is ready.
    pub ready_timeout: Duration,
}

/// The root file system of a container.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum RootKind {
    /// A small tree that is created entry by entry: mount points and a few files. Read-only unless
    /// the jobs run as user 0.
    Skeleton(Vec<SkeletonEntry>),
    /// Directories of the host stacked on one another.
    Layers {
        /// The directories, lowest first. At least one.
        trees: Vec<PathBuf>,
        /// Whether jobs can write to the root.
        access: RootAccess,
    },
}

/// Whether jobs can write to the root file system.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum RootAccess {
    /// Writes fail with `EROFS`.
    ReadOnly,
    /// Writes go to a tmpfs that is discarded after the job.
    Ephemeral,
}

/// An entry of [`RootKind::Skeleton`]. Missing parent directories are created.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct SkeletonEntry {
    /// The absolute path in the container.
    pub path: PathBuf,
    pub kind: SkeletonKind,
}

/// The kind of a [`SkeletonEntry`].
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum SkeletonKind {
    /// An empty directory, mode 0755.
    Directory,
    /// A file with these bytes, mode 0644.
    File(Vec<u8>),
    /// A symbolic link to this target.
    Symlink(PathBuf),
}

/// A file system mounted in the container.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Mount {
    /// The absolute path in the container. It must exist when the file system is mounted, and must
    /// not be `/`.
    pub mount_point: PathBuf,
    pub kind: MountKind,
}

/// The kind of a [`Mount`].
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum MountKind {
    /// A file or directory of the host, with everything mounted below it.
    Bind {
        /// The path on the host.
        source: PathBuf,
        /// Whether jobs can write to it.
        access: BindAccess,
    },
    /// A directory of the host to which jobs can write without changing the host: writes go to an
    /// overlay and are discarded.
    Overlay {
        /// The path on the host.
        source: PathBuf,
    },
    /// An empty directory that is discarded after the job.
    Scratch {
        /// The permission bits, such as `0o1777` for `/tmp`.
        mode: u32,
    },
    /// Hides the mount point: a directory behind an empty, read-only one, a file behind
    /// `/dev/null`. Skipped if the mount point does not exist.
    Mask,
    /// A device of the host. The mount point `/dev/NAME` must exist as a file.
    Device(DeviceKind),
    /// A new instance of `devpts`.
    DevPts,
    /// The POSIX message queues of the container's IPC namespace.
    MessageQueue,
    /// `proc` of the container's PID namespace.
    Proc,
    /// `sysfs` of the container's network namespace.
    Sys {
        /// What to do on a host that forbids it, for example inside another container.
        when_forbidden: WhenForbidden,
    },
    /// An empty tmpfs of the container's own.
    Tmp,
}

impl MountKind {
    /// Returns the path on the host that the mount shows, if any.
    pub fn source(&self) -> Option<&PathBuf> {
        match self {
            MountKind::Bind { source, access: _ } | MountKind::Overlay { source } => Some(source),
            MountKind::Scratch { .. }
            | MountKind::Mask
            | MountKind::Device(_)
            | MountKind::DevPts
            | MountKind::MessageQueue
            | MountKind::Proc
            | MountKind::Sys { .. }
            | MountKind::Tmp => None,
        }
    }
}

/// Whether jobs can write to a bind mount.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum BindAccess {
    /// Writes fail with `EROFS`.
    ReadOnly,
    /// Writes reach the host.
    ReadWrite,
}

/// What to do about a mount that the host forbids.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum WhenForbidden {
    /// The job cannot start.
    Fail,
    /// The mount point remains an empty directory.
    LeaveEmpty,
}

/// The devices of the host that a container can have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DeviceKind {
    Full,
    Fuse,
    Null,
    Random,
    Shm,
    Tty,
    Urandom,
    Zero,
}

impl DeviceKind {
    /// All devices, sorted by name.
    pub const ALL: [DeviceKind; 8] = [
        DeviceKind::Full,
        DeviceKind::Fuse,
        DeviceKind::Null,
        DeviceKind::Random,
        DeviceKind::Shm,
        DeviceKind::Tty,
        DeviceKind::Urandom,
        DeviceKind::Zero,
    ];

    /// Returns the name of the device below `/dev`.
    pub fn name(self) -> &'static str {
        match self {
            DeviceKind::Full => "full",
            DeviceKind::Fuse => "fuse",
            DeviceKind::Null => "null",
            DeviceKind::Random => "random",
            DeviceKind::Shm => "shm",
            DeviceKind::Tty => "tty",
            DeviceKind::Urandom => "urandom",
            DeviceKind::Zero => "zero",
        }
    }
}

/// The network that jobs see.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum NetworkMode {
    /// A new namespace in which not even the loopback interface is up.
    Disabled,
    /// A new namespace with only a loopback interface, see [`crate::sys::network`].
    #[default]
    Loopback,
    Local,
}

/// The privileges of jobs inside their own namespaces.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum PrivilegeLevel {
    /// The privileges of an ordinary process. User 0 also keeps the capabilities for files, users
    /// and low ports that container engines usually grant. Such a job cannot change the namespaces
    /// in which it runs.
    Ordinary,
    /// All capabilities in the container's namespaces (mounting, network setup, host name) and all
    /// system calls, including those that affect the host ([`super::filter`]). Such a container
    /// serves only one job.
    Full,
}

/// A program to run in a container.
///
/// A run holds one of these for each of up to 100,000 tests, so the fields that tests have in
/// common are shared.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ProcessSpec {
    /// The program. With a `/` it is a path, which may be relative to the working directory.
    /// Without a `/` it is searched for in `PATH` of [`Self::environment`].
    pub program: Arc<OsStr>,
    /// The arguments, without the program itself.
    pub arguments: Vec<OsString>,
    /// The complete environment; nothing is added.
    pub environment: Arc<BTreeMap<OsString, OsString>>,
    /// The working directory, absolute in the container.
    pub working_directory: Arc<Path>,
}

/// How a process ended, as the kernel reports it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ExitStatus {
    /// The process exited with this code.
    Code(i32),
    /// The process was ended by a signal.
    Signal {
        number: i32,
        /// Whether the kernel wrote a core dump.
        core_dumped: bool,
    },
}

impl fmt::Display for ExitStatus {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ExitStatus::Code(code) => write!(out, "exit code {code}"),
            ExitStatus::Signal { number, .. } => write!(out, "signal {number}"),
        }
    }
}

/// The resources that a job used, including the children that it waited for (`getrusage(2)`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResourceUsage {
    /// CPU time in user mode.
    pub user: Duration,
    /// CPU time in the kernel.
    pub system: Duration,
    /// The largest resident set of any single process, in bytes.
    pub memory_peak_bytes: u64,
}
