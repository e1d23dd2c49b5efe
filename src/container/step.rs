//! The steps that turn new namespaces into a container.
//!
//! A [`ContainerStep`] is data: [`crate::plan`] turns a specification into a list of steps without
//! accessing the system, and [`crate::init`] executes it. Error messages show a step by its
//! `Display`.
//!
//! Relative paths are relative to the stash (see [`ContainerStep::EnterStash`]).

use std::ffi::{CStr, CString};
use std::fmt;

use serde::{Deserialize, Serialize};

use super::spec::{BindAccess, WhenForbidden};

/// A step of creating a container.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ContainerStep {
    /// Make the mounts of the namespace private, so that they do not propagate to the host.
    Privatize,
    /// Mount a tmpfs as the new root and make it `/`. The host's root remains accessible to
    /// [`ContainerStep::BindHost`] until [`ContainerStep::LeaveHost`].
    EnterEmptyRoot,
    /// Make a directory of the host, or an overlay of several, the new `/`.
    EnterLayers {
        /// The trees on the host, lowest first.
        trees: Vec<CString>,
        /// Empty files that it has below the trees, relative to the root: mount points.
        points: Vec<CString>,
        writes: RootWrites,
    },
    /// Make the mount at `/` read-only, but not the mounts below it.
    SealRoot,
    /// Detach the host's root. From here on, no file of the host can be opened by name.
    LeaveHost,

    /// Set the host name.
    SetHostName {
        name: CString,
    },
    BringLoopbackUp,

    /// Create a directory, unless it exists.
    MakeDirectory {
        path: CString,
        mode: u32,
    },
    /// Create an empty directory or file, depending on what will be mounted there.
    MakeMountPoint {
        path: CString,
        /// The source of the mount, relative to the stash.
        of: CString,
    },
    /// Create a file.
    WriteFile {
        path: CString,
        content: Vec<u8>,
    },
    /// Create a symbolic link.
    MakeSymlink {
        path: CString,
        target: CString,
    },

    /// Attach a copy of a mount tree of the host.
    BindHost {
        /// The path on the host. Symbolic links are resolved there.
        source: CString,
        /// The path in the container.
        target: CString,
        /// Whether jobs can write to it.
        access: BindAccess,
    },
    /// Attach a copy of a mount tree of the host in the stash, on a mount point created for it.
    StashHost {
        /// The path on the host. Symbolic links are resolved there.
        source: CString,
        /// The name in the stash.
        name: CString,
        /// Whether jobs can write to it.
        access: BindAccess,
    },
    /// Copy a directory of the host into the stash, without the contents of its subdirectories.
    StashLevel {
        /// The path on the host. Symbolic links are resolved there.
        source: CString,
        /// The name in the stash.
        name: CString,
        /// The entries that become empty directories.
        directories: Vec<CString>,
        /// The entries that are copied. Entries that no longer exist, or that cannot be copied, are
        /// skipped.
        copies: Vec<CString>,
        /// The entries that become empty files.
        points: Vec<CString>,
    },
    /// Attach a copy of a mount tree of the stash.
    BindStash {
        /// The path relative to the stash.
        source: CString,
        /// The path in the container.
        target: CString,
    },
    /// Mount a new file system.
    Mount {
        file_system: FileSystem,
        target: CString,
        /// What to do if the kernel refuses.
        when_forbidden: WhenForbidden,
    },
    /// Make the parts of a `proc` that control the whole machine read-only, if the job's user can
    /// write to them: there, the kernel checks the user id instead of capabilities.
    GuardProc {
        /// Its mount point.
        target: CString,
    },
    /// Mount an overlay whose directories are in the stash.
    MountOverlay {
        /// The directory of the host that it shows, for error messages.
        source: CString,
        /// The lower directory, which is only read.
        lower: CString,
        /// The upper directory, which receives the writes.
        upper: CString,
        /// The work directory of the kernel.
        work: CString,
        target: CString,
        /// What to do if the kernel does not support overlays of this file system.
        otherwise: OverlayFallback,
    },
    /// Hide what is at a path: a directory behind an empty, read-only one, a file behind the
    /// container's `/dev/null`. Does nothing if the path does not exist.
    Mask {
        target: CString,
    },

    /// Change into the stash: a directory with everything that the scratch steps need. A later
    /// mount hides it.
    EnterStash {
        /// Its path before it is hidden.
        path: CString,
    },
}

/// What to do about a directory that cannot be the lower directory of an overlay, which not every
/// file system supports.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum OverlayFallback {
    /// The container cannot be created.
    Fail,
    /// The directory is bound read-only.
    ReadOnly,
}

impl ContainerStep {
    /// Returns the path in the container that the step affects.
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

/// Where writes to a root made of layers go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum RootWrites {
    Refused,
    /// To a tmpfs that exists as long as the container.
    Tmpfs,
}

/// A type of file system that can be mounted in a container.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum FileSystem {
    /// A new instance of `devpts`.
    DevPts,
    MessageQueue,
    Proc,
    Sys,
    /// A `tmpfs` whose root directory has these permission bits.
    Tmp {
        mode: u32,
    },
}

impl FileSystem {
    /// Returns the kernel's name of the type.
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
            ContainerStep::EnterLayers {
                trees,
                points,
                writes,
            } => {
                let kind = match writes {
                    RootWrites::Refused => "read-only",
                    RootWrites::Tmpfs => "writable",
                };
                write!(out, "mount a {kind} root of {} layers:", trees.len())?;
                trees
                    .iter()
                    .try_for_each(|tree| write!(out, " {}", shown(tree)))?;
                points
                    .iter()
                    .try_for_each(|point| write!(out, ", with /{}", shown(point)))
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
