//! Containers and jobs, as plain data.
//!
//! Nothing here touches the system. Paths inside the container are absolute; paths on the host are
//! any that the invoking process can open.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Everything that makes one container different from another. Jobs with equal specs may follow one
/// another in one prepared container, as long as the container proves to be untouched in between.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ContainerSpec {
    /// What stands at `/`.
    pub root: RootKind,
    /// File systems mounted over the root, in this order.
    pub mounts: Vec<Mount>,
    /// What of the network the job sees.
    pub network: NetworkMode,
    /// The name that `uname` reports.
    pub hostname: String,
    /// The user id inside the container; it is the invoking user outside.
    pub user: u32,
    /// The group id inside the container; it is the invoking group outside.
    pub group: u32,
    /// What the job may do inside its own namespaces.
    pub privileges: PrivilegeLevel,
}

/// What stands at `/` of a container.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum RootKind {
    /// A small read-only tree that is written out entry by entry: mount points, and a few files.
    Skeleton(Vec<SkeletonEntry>),
    /// Directories of the host stacked on one another, the first lowest.
    Layers {
        /// Materialized trees, lowest first. At least one.
        trees: Vec<PathBuf>,
        /// Whether the job may write, to be thrown away afterwards.
        access: RootAccess,
    },
}

/// Whether a job may write to the root file system.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum RootAccess {
    /// Writes fail with `EROFS`.
    ReadOnly,
    /// Writes go to a tmpfs that is thrown away after the job.
    Ephemeral,
}

/// One entry of [`RootKind::Skeleton`]. Parents are made as needed.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct SkeletonEntry {
    /// Absolute path in the container.
    pub path: PathBuf,
    pub kind: SkeletonKind,
}

/// What a [`SkeletonEntry`] is.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum SkeletonKind {
    /// An empty directory, mode 0755.
    Directory,
    /// A file of these bytes, mode 0644.
    File(Vec<u8>),
    /// A symbolic link to this target.
    Symlink(PathBuf),
}

/// One file system in the container.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Mount {
    /// Absolute path in the container; must exist when the mount is made, and may not be `/`.
    pub mount_point: PathBuf,
    pub kind: MountKind,
}

/// What a [`Mount`] mounts.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum MountKind {
    /// A file or directory of the host, with everything mounted below it.
    Bind {
        /// The path on the host.
        source: PathBuf,
        /// Whether the job may write to it.
        access: BindAccess,
    },
    /// A directory of the host, read-only underneath and writable above; what the job writes is
    /// thrown away and never reaches the host.
    Overlay {
        /// The directory on the host.
        source: PathBuf,
    },
    /// An empty directory of the job's own, thrown away after it.
    Scratch {
        /// Permission bits, such as `0o1777` for `/tmp`.
        mode: u32,
    },
    /// Hides what stands there: a directory behind an empty, read-only one, a file behind
    /// `/dev/null`. Left out when nothing stands there.
    Mask,
    /// A device of the host: the mount point `/dev/NAME` must exist as a file.
    Device(DeviceKind),
    /// `devpts`, a new instance.
    DevPts,
    /// POSIX message queues of the container's own IPC namespace.
    MessageQueue,
    /// `proc` of the container's own PID namespace.
    Proc,
    /// `sysfs` of the container's own network namespace.
    Sys {
        /// What to do on a host that forbids it (inside another container, say).
        when_forbidden: WhenForbidden,
    },
    /// An empty tmpfs of its own.
    Tmp,
}

impl MountKind {
    /// What of the host it shows, if anything.
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

/// Whether a bind mount may be written to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum BindAccess {
    /// Writes fail with `EROFS`.
    ReadOnly,
    /// Writes reach the host.
    ReadWrite,
}

/// What to do about a mount that this host does not allow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum WhenForbidden {
    /// The job cannot start.
    Fail,
    /// The mount point stays an empty directory.
    LeaveEmpty,
}

/// The devices a container can be given.
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
    /// Every device, by name.
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

    /// The name below `/dev`.
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

/// What of the network a job sees.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum NetworkMode {
    /// A namespace of its own in which not even loopback is up.
    Disabled,
    /// A namespace of its own with loopback only, see [`crate::sys::network`].
    #[default]
    Loopback,
    Local,
}

/// What a job may do inside its own namespaces.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum PrivilegeLevel {
    /// What an ordinary process has; user 0 also keeps power over files, users and low ports
    /// (`container(7)` engines' usual set). Such a job cannot alter the namespaces it runs in.
    Ordinary,
    /// Every capability over the container's namespaces (mounting, network set-up, host name), and
    /// all system calls, those included that no namespace holds ([`super::filter`]). Such a
    /// container serves one job only.
    Full,
}

/// One program to run in a container.
///
/// A run holds one of these for each of perhaps 100,000 tests, so what they have in common is
/// shared.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProcessSpec {
    /// The program. With a `/` it is a path, relative ones starting at the working directory;
    /// without one it is searched along `PATH` of [`Self::environment`].
    pub program: Arc<OsStr>,
    /// Its arguments, without the program itself.
    pub arguments: Vec<OsString>,
    /// Its whole environment; nothing is added.
    pub environment: Arc<BTreeMap<OsString, OsString>>,
    /// Where it starts, absolute in the container.
    pub working_directory: Arc<Path>,
}

/// How a job ended, as the kernel tells it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ExitStatus {
    /// It exited with this code.
    Code(i32),
    /// A signal ended it.
    Signal {
        number: i32,
        /// Whether the kernel wrote a core dump.
        core_dumped: bool,
    },
}

/// What a job used, itself and the children it waited for (`getrusage(2)`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResourceUsage {
    /// Time in user mode.
    pub user: Duration,
    /// Time in the kernel.
    pub system: Duration,
    /// The largest resident set of any one process, in bytes.
    pub memory_peak_bytes: u64,
}
