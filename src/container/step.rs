//! The steps that turn fresh namespaces into a container.
//!
//! A [`ContainerStep`] is data: [`crate::plan`] makes a list of them from a spec without touching
//! the system, and [`crate::init`] executes it. Error messages show a step by its `Display`.
//!
//! Relative paths are relative to the stash (see [`ContainerStep::EnterStash`]).

use std::ffi::{CStr, CString};
use std::fmt;

use serde::{Deserialize, Serialize};

use super::spec::{BindAccess, WhenForbidden};

/// One thing to do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ContainerStep {
    /// Take the mount namespace out of the host's propagation.
    Privatize,
    /// Mount a tmpfs as the new root and make it `/`. The host's root stays open to
    /// [`ContainerStep::BindHost`] until [`ContainerStep::LeaveHost`].
    EnterEmptyRoot,
    /// Make one directory of the host, or an overlay of several, `/`.
    EnterLayers {
        /// Trees on the host, lowest first.
        trees: Vec<CString>,
        writes: RootWrites,
    },
    /// Make the mount at `/` read-only, leaving what is mounted below as it is.
    SealRoot,
    /// Detach the host's root: from here on nothing of the host can be reached by name.
    LeaveHost,

    /// Give the container its host name.
    SetHostName {
        name: CString,
    },
    BringLoopbackUp,

    /// Make a directory, unless there is one.
    MakeDirectory {
        path: CString,
        mode: u32,
    },
    /// Make an empty directory or an empty file, whichever the thing to be mounted there is.
    MakeMountPoint {
        path: CString,
        /// The thing, relative to the stash.
        of: CString,
    },
    /// Write a new file.
    WriteFile {
        path: CString,
        content: Vec<u8>,
    },
    /// Make a symbolic link.
    MakeSymlink {
        path: CString,
        target: CString,
    },

    /// Attach a copy of a mount of the host.
    BindHost {
        /// The path on the host; symbolic links are followed there.
        source: CString,
        /// Where to, in the container.
        target: CString,
        /// Whether jobs may write.
        access: BindAccess,
    },
    /// Attach a copy of a mount of the host in the stash, on a mount point made for it.
    StashHost {
        /// The path on the host; symbolic links are followed there.
        source: CString,
        /// The name in the stash.
        name: CString,
        /// Whether jobs may write.
        access: BindAccess,
    },
    /// Copy a directory of the host into the stash, without what is in its own directories.
    StashLevel {
        /// The path on the host; symbolic links are followed there.
        source: CString,
        /// The name in the stash.
        name: CString,
        /// What of it becomes an empty directory.
        directories: Vec<CString>,
        /// What of it is copied. What is gone by then, or is of no kind that can be copied, is left
        /// out.
        copies: Vec<CString>,
        /// What of it becomes an empty file.
        points: Vec<CString>,
    },
    /// Attach a copy of a mount of the stash.
    BindStash {
        /// The path, relative to the stash.
        source: CString,
        /// Where to, in the container.
        target: CString,
    },
    /// Mount a new file system.
    Mount {
        file_system: FileSystem,
        target: CString,
        /// What if the kernel refuses.
        when_forbidden: WhenForbidden,
    },
    /// Make the parts of a `proc` that govern the whole machine read-only, if the job's user could
    /// write to them: the kernel asks there for the user's id and not for capabilities.
    GuardProc {
        /// Where it is mounted.
        target: CString,
    },
    /// Mount an overlay whose three directories lie in the stash.
    MountOverlay {
        /// The directory of the host that it shows, for errors.
        source: CString,
        /// The directory that is read from.
        lower: CString,
        /// The directory that takes the writes.
        upper: CString,
        /// The directory that the kernel works in.
        work: CString,
        target: CString,
        /// What if the kernel cannot make an overlay of this file system.
        otherwise: OverlayFallback,
    },
    /// Hide what stands at a path: a directory behind an empty, read-only one, a file behind the
    /// container's `/dev/null`. Nothing if nothing stands there.
    Mask {
        target: CString,
    },

    /// Change into the stash: a directory that a later mount will hide, which holds what the
    /// scratch steps need.
    EnterStash {
        /// Where it is before it is hidden.
        path: CString,
    },
}

/// What becomes of a directory that the kernel makes no overlay of: not every file system can be
/// read through one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum OverlayFallback {
    /// The container cannot be made.
    Fail,
    /// It is shown as it is, read-only.
    ReadOnly,
}

impl ContainerStep {
    /// Where in the container it does something.
    pub fn place(&self) -> Option<&CStr> {
        match self {
            ContainerStep::MakeDirectory { path, mode: _ }
            | ContainerStep::MakeMountPoint { path, of: _ }
            | ContainerStep::WriteFile { path, content: _ }
            | ContainerStep::MakeSymlink { path, target: _ }
            | ContainerStep::EnterStash { path } => Some(path),
            ContainerStep::BindHost { target, .. }
            | ContainerStep::BindStash { target, .. }
            | ContainerStep::Mount { target, .. }
            | ContainerStep::GuardProc { target }
            | ContainerStep::MountOverlay { target, .. }
            | ContainerStep::Mask { target } => Some(target),
            ContainerStep::StashHost { name, .. } | ContainerStep::StashLevel { name, .. } => {
                Some(name)
            }
            ContainerStep::Privatize
            | ContainerStep::EnterEmptyRoot
            | ContainerStep::EnterLayers { .. }
            | ContainerStep::SealRoot
            | ContainerStep::LeaveHost
            | ContainerStep::SetHostName { .. }
            | ContainerStep::BringLoopbackUp => None,
        }
    }
}

/// Where writes to a root of layers go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum RootWrites {
    Refused,
    /// To a tmpfs that lives as long as the container.
    Tmpfs,
}

/// A type of file system that a container can mount.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum FileSystem {
    /// `devpts`, a new instance.
    DevPts,
    MessageQueue,
    Proc,
    Sys,
    /// `tmpfs` whose root has these permission bits.
    Tmp {
        mode: u32,
    },
}

impl FileSystem {
    /// The kernel's name of the type.
    pub fn type_name(self) -> &'static CStr {
        match self {
            FileSystem::DevPts => c"devpts",
            FileSystem::MessageQueue => c"mqueue",
            FileSystem::Proc => c"proc",
            FileSystem::Sys => c"sysfs",
            FileSystem::Tmp { .. } => c"tmpfs",
        }
    }
}

fn shown(path: &CStr) -> std::borrow::Cow<'_, str> {
    path.to_string_lossy()
}

fn kind_of(access: BindAccess) -> &'static str {
    match access {
        BindAccess::ReadOnly => "read-only",
        BindAccess::ReadWrite => "read-write",
    }
}

impl fmt::Display for ContainerStep {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ContainerStep::Privatize => {
                out.write_str("take the mounts out of the host's propagation")
            }
            ContainerStep::EnterEmptyRoot => out.write_str("mount an empty root"),
            ContainerStep::EnterLayers { trees, writes } => {
                let kind = match writes {
                    RootWrites::Refused => "read-only",
                    RootWrites::Tmpfs => "writable",
                };
                write!(out, "mount a {kind} root of {} layers:", trees.len())?;
                trees
                    .iter()
                    .try_for_each(|tree| write!(out, " {}", shown(tree)))
            }
            ContainerStep::SealRoot => out.write_str("make the root read-only"),
            ContainerStep::LeaveHost => out.write_str("detach the host's root"),
            ContainerStep::SetHostName { name } => {
                write!(out, "set the host name to {}", shown(name))
            }
            ContainerStep::BringLoopbackUp => out.write_str("bring up the loopback interface"),
            ContainerStep::MakeDirectory { path, mode } => {
                write!(out, "make directory {} with mode {mode:04o}", shown(path))
            }
            ContainerStep::MakeMountPoint { path, of } => {
                write!(
                    out,
                    "make mount point {} for stash:{}",
                    shown(path),
                    shown(of)
                )
            }
            ContainerStep::WriteFile { path, content } => {
                write!(out, "write {} ({} bytes)", shown(path), content.len())
            }
            ContainerStep::MakeSymlink { path, target } => {
                write!(out, "link {} to {}", shown(path), shown(target))
            }
            ContainerStep::BindHost {
                source,
                target,
                access,
            } => {
                let kind = kind_of(*access);
                write!(
                    out,
                    "bind {} of the host {kind} on {}",
                    shown(source),
                    shown(target)
                )
            }
            ContainerStep::StashHost {
                source,
                name,
                access,
            } => {
                let kind = kind_of(*access);
                write!(
                    out,
                    "bind {} of the host {kind} on stash:{}",
                    shown(source),
                    shown(name)
                )
            }
            ContainerStep::StashLevel {
                source,
                name,
                directories,
                copies,
                points,
            } => {
                write!(
                    out,
                    "copy {} of the host to stash:{}, where something is mounted below:",
                    shown(source),
                    shown(name)
                )?;
                for directory in directories {
                    write!(out, " {}/", shown(directory))?;
                }
                for file in copies.iter().chain(points) {
                    write!(out, " {}", shown(file))?;
                }
                Ok(())
            }
            ContainerStep::BindStash { source, target }
                if source.to_bytes().starts_with(b"scratch/") =>
            {
                write!(
                    out,
                    "mount an empty directory (stash:{}) on {}",
                    shown(source),
                    shown(target)
                )
            }
            ContainerStep::BindStash { source, target } => {
                write!(out, "bind stash:{} on {}", shown(source), shown(target))
            }
            ContainerStep::Mount {
                file_system,
                target,
                ..
            } => {
                write!(
                    out,
                    "mount {} on {}",
                    shown(file_system.type_name()),
                    shown(target)
                )
            }
            ContainerStep::MountOverlay {
                source,
                lower,
                upper,
                target,
                ..
            } => write!(
                out,
                "mount an overlay of {} (stash:{} under stash:{}) on {}",
                shown(source),
                shown(lower),
                shown(upper),
                shown(target)
            ),
            ContainerStep::Mask { target } => write!(out, "hide {}", shown(target)),
            ContainerStep::GuardProc { target } => {
                write!(
                    out,
                    "make the kernel's settings in {} read-only",
                    shown(target)
                )
            }
            ContainerStep::EnterStash { path } => {
                write!(out, "change into the stash {}", shown(path))
            }
        }
    }
}
