//! Classifies what a job can change of a mount, and where the changes go.
//!
//! The match covers every kind of mount, and the planner relies on it alone: a new kind does not
//! compile until it is classified here.

use crate::spec::{BindAccess, DeviceKind, MountKind};

/// Permission bits of a directory for everybody, such as `/tmp`.
const EVERYBODY: u32 = 0o1777;

/// What becomes of a job's changes to a mount.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum MountChanges {
    /// The kernel refuses them all.
    Refused,
    /// They go to a directory of the scratch tmpfs, which has these permission bits at first.
    Scratch { mode: u32 },
    /// They go to an overlay's upper directory, on the scratch tmpfs.
    Overlay,
    /// They stay. These paths below the mount point, the empty one for itself, show all of them:
    /// if one of them has changed, the container serves no further job.
    Shown(&'static [&'static str]),
    /// They reach the host, since the container was asked to let them.
    Host,
}

/// What becomes of a job's changes to a mount of this kind.
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
            // The host's own would show jobs each other's files, and the host's.
            DeviceKind::Shm => MountChanges::Scratch { mode: EVERYBODY },
            // What a read-only mount refuses is to change the device's file, not to write to the
            // device.
            DeviceKind::Full
            | DeviceKind::Fuse
            | DeviceKind::Null
            | DeviceKind::Random
            | DeviceKind::Tty
            | DeviceKind::Urandom
            | DeviceKind::Zero => MountChanges::Refused,
        },
        // Terminals end with the processes that hold them; their directory and the file that makes
        // them have modes and times, which whoever owns them may change.
        MountKind::DevPts => MountChanges::Shown(&["", "ptmx"]),
        MountKind::MessageQueue => MountChanges::Shown(&[""]),
        // The directories of processes end with these; the rest is guarded.
        MountKind::Proc => MountChanges::Refused,
        // Read-only.
        MountKind::Sys { when_forbidden: _ } => MountChanges::Refused,
    }
}
