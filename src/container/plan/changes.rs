//! Classifies the changes that a job can make to a mount, and where they go.
//!
//! The match covers every kind of mount, and the planner relies on it alone: a new kind does not
//! compile until it is classified here.

use crate::spec::{BindAccess, DeviceKind, MountKind};

/// The permission bits of a directory that everybody can write to, such as `/tmp`.
const EVERYBODY: u32 = 0o1777;

/// What happens to a job's changes to a mount.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum MountChanges {
    /// The kernel refuses all changes.
    Refused,
    /// Changes go to a directory of the scratch tmpfs with these initial permission bits.
    Scratch { mode: u32 },
    /// Changes go to the upper directory of an overlay, on the scratch tmpfs.
    Overlay,
    /// Changes persist, and each is visible in one of these paths relative to the mount point
    /// (empty for the mount point itself). If one of them has changed, the container is not reused.
    Shown(&'static [&'static str]),
    /// Changes reach the host, as the specification requests.
    Host,
}

/// Returns what happens to a job's changes to a mount of this kind.
pub(super) fn changes(kind: &MountKind) -> MountChanges {
    match kind {
        MountKind::Bind {
            access: BindAccess::ReadOnly,
            source: _,
        } => MountChanges::Refused,
        MountKind::Bind {
            access: BindAccess::ReadWrite,
            source: _,
        } => MountChanges::Host,
        MountKind::Overlay { source: _ } => MountChanges::Overlay,
        MountKind::Scratch { mode } => MountChanges::Scratch { mode: *mode },
        MountKind::Tmp => MountChanges::Scratch { mode: EVERYBODY },
        // A read-only tmpfs, or a copy of the container's own `/dev/null`.
        MountKind::Mask => MountChanges::Refused,
        MountKind::Device(device) => match device {
            // The host's own would show the files of other jobs and of the host.
            DeviceKind::Shm => MountChanges::Scratch { mode: EVERYBODY },
            // A read-only mount prevents changes to the device's file, but not writes to the
            // device.
            DeviceKind::Full
            | DeviceKind::Fuse
            | DeviceKind::Null
            | DeviceKind::Random
            | DeviceKind::Tty
            | DeviceKind::Urandom
            | DeviceKind::Zero => MountChanges::Refused,
        },
        // Terminals end with the processes that hold them. Their directory and `ptmx` have modes
        // and times that their owner may change.
        MountKind::DevPts => MountChanges::Shown(&["", "ptmx"]),
        MountKind::MessageQueue => MountChanges::Shown(&[""]),
        // The directories of processes disappear with the processes; the rest is guarded.
        MountKind::Proc => MountChanges::Refused,
        // Mounted read-only.
        MountKind::Sys { when_forbidden: _ } => MountChanges::Refused,
    }
}
