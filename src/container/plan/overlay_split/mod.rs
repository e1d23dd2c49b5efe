//! Splits an overlay of a host directory that has mounts below it into several overlays.
//!
//! In a user namespace the mounts of the host are locked to one another, so that nobody can look
//! under them. So the kernel refuses an overlay of a directory with a mount anywhere below it. Such
//! a directory is composed of a copy of itself without the contents of its subdirectories (a
//! **level**) and an overlay for each subdirectory, some of which are split in turn:
//!
//! ```text
//! /w                  level: copies of Cargo.toml and Cargo.lock, empty src, data, target
//! /w/src              overlay
//! /w/data             level: a copy of README, empty old, new
//! /w/data/old         overlay
//! /w/data/new         overlay of what is mounted there
//! /w/target           overlay of what is mounted there
//! ```
//!
//! Everything is as writable as in a single overlay. The differences: a rename between overlays
//! crosses file systems, and the directories in a level cannot be removed.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::io;
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};

use crate::mountinfo::{self, HostMount};
use crate::spec::{BindAccess, ContainerSpec, Mount, MountKind};

/// The maximum size in bytes of a file that is copied. A larger file is bound read-only instead of
/// being copied into every container's memory.
const COPY_BYTES_MAX: u64 = 16 * 1024 * 1024;

/// The maximum size in bytes of all copies of one split. Further files are bound.
const COPIES_BYTES_MAX: u64 = 64 * 1024 * 1024;

/// The maximum number of mounts of one split, each of which costs every container about 50 µs. A
/// directory that needs more is shown read-only as a whole.
const MOUNTS_MAX: usize = 400;

/// The maximum number of entries of a directory that becomes a level, for the same reason.
const ENTRIES_MAX: usize = 4000;

/// The kind of a directory entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HostEntryKind {
    Directory,
    /// A regular file, with its size in bytes.
    File(u64),
    /// A symbolic link or a FIFO.
    Small,
    Device,
    /// A socket, which nobody can connect to through an overlay, or an unknown kind.
    Other,
}

/// Lists a directory of the host.
pub type DirectoryLister<'a> = &'a dyn Fn(&Path) -> io::Result<Vec<(OsString, HostEntryKind)>>;

/// How an entry of a level is provided.
#[derive(Clone, Debug, PartialEq, Eq)]
enum LevelPart {
    /// A directory that is itself split.
    Level(DirectoryLevel),
    /// A directory with an overlay of its own.
    Overlay,
    /// A directory that is bound read-only.
    ReadOnlyDirectory,
    /// An empty directory, at mount points of the kernel's own file systems.
    Empty,
    /// A file that is copied.
    Copy,
    /// A file that is bound read-only.
    ReadOnlyFile,
}

/// A split directory, by its entries.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct DirectoryLevel(BTreeMap<OsString, LevelPart>);

/// The splits of some directories of the host, by path.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OverlaySplits(BTreeMap<PathBuf, OverlaySplit>);

/// The split of a directory.
#[derive(Clone, Debug, PartialEq, Eq)]
enum OverlaySplit {
    Level(DirectoryLevel),
    /// The directory is not split but bound read-only.
    ReadOnly,
}

/// The files and directories that a level is created with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct LevelFiles {
    pub(super) directories: Vec<OsString>,
    pub(super) copies: Vec<OsString>,
    pub(super) points: Vec<OsString>,
}

/// A mount, and the level if it is an overlay of one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct PlannedMount {
    pub(super) mount: Mount,
    pub(super) level: Option<LevelFiles>,
}

/// The resources that a split has used so far, compared with its limits.
#[derive(Clone, Copy, Default)]
struct SplitUsage {
    mounts: usize,
    bytes: u64,
}

impl OverlaySplits {
    /// Returns the splits that a container needs on this machine.
    pub fn of_this_host(spec: &ContainerSpec) -> OverlaySplits {
        let overlays = spec.mounts.iter().any(is_overlay);
        let mounts = match overlays {
            true => mountinfo::of_this_host(),
            false => Vec::new(),
        };
        OverlaySplits::find(spec, &mounts, &list)
    }

    /// Returns the splits that a container needs on a host with these mounts.
    pub fn find(
        spec: &ContainerSpec,
        mounts: &[HostMount],
        list: DirectoryLister<'_>,
    ) -> OverlaySplits {
        let mut divisions = OverlaySplits::default();
        for mount in spec.mounts.iter().filter(|mount| is_overlay(mount)) {
            let Some(source) = mount.kind.source() else {
                continue;
            };
            let below = mountinfo::all_below(mounts, source);
            if !below.is_empty() {
                let level = level(source, &below, list, &mut SplitUsage::default());
                let division = level.map_or(OverlaySplit::ReadOnly, OverlaySplit::Level);
                divisions.0.insert(source.clone(), division);
            }
        }
        divisions
    }

    /// Returns the mounts of a container with these splits applied.
    pub(super) fn place(&self, mounts: &[Mount]) -> Vec<PlannedMount> {
        let mut placed = Vec::with_capacity(mounts.len());
        for mount in mounts {
            let source = mount.kind.source().filter(|_| is_overlay(mount));
            let division = source.and_then(|source| Some((source, self.0.get(source)?)));
            let whole = |kind: &MountKind| PlannedMount {
                mount: Mount {
                    mount_point: mount.mount_point.clone(),
                    kind: kind.clone(),
                },
                level: None,
            };
            match division {
                None => placed.push(whole(&mount.kind)),
                Some((source, OverlaySplit::ReadOnly)) => placed.push(whole(&MountKind::Bind {
                    source: source.clone(),
                    access: BindAccess::ReadOnly,
                })),
                Some((source, OverlaySplit::Level(level))) => {
                    level.place(source, &mount.mount_point, &mut placed);
                }
            }
        }
        placed
    }
}

fn is_overlay(mount: &Mount) -> bool {
    matches!(mount.kind, MountKind::Overlay { .. })
}

/// Splits a directory. Returns `None` if it must be shown as a whole instead.
fn level(
    directory: &Path,
    below: &[&HostMount],
    list: DirectoryLister<'_>,
    used: &mut SplitUsage,
) -> Option<DirectoryLevel> {
    let entries = list(directory).ok()?;
    if entries.len() > ENTRIES_MAX {
        return None;
    }
    let mut level = DirectoryLevel::default();
    for (name, entry) in entries {
        let path = directory.join(&name);
        if let Some(part) = part(&path, entry, below, list, used) {
            level.0.insert(name, part);
        }
        if used.mounts > MOUNTS_MAX {
            return None;
        }
    }
    Some(level)
}

fn part(
    path: &Path,
    entry: HostEntryKind,
    below: &[&HostMount],
    list: DirectoryLister<'_>,
    used: &mut SplitUsage,
) -> Option<LevelPart> {
    // Of several mounts on one mount point, the last one is visible.
    let own = below.iter().rfind(|mount| mount.mount_point == path);
    let is_in =
        |mount: &&&HostMount| mount.mount_point != path && mount.mount_point.starts_with(path);
    let inner = below.iter().filter(is_in).copied().collect::<Vec<_>>();
    match entry {
        HostEntryKind::Directory if own.is_some_and(|own| !own.has_files()) => {
            Some(LevelPart::Empty)
        }
        HostEntryKind::Directory => {
            used.mounts += 1;
            let as_one = *used;
            if inner.is_empty() {
                return Some(LevelPart::Overlay);
            }
            let divided = level(path, &inner, list, used);
            Some(divided.map_or_else(
                || {
                    // The whole directory is one mount, however many mounts and bytes its parts
                    // would have used.
                    *used = as_one;
                    LevelPart::ReadOnlyDirectory
                },
                LevelPart::Level,
            ))
        }
        HostEntryKind::File(bytes) => {
            let total = used.bytes.saturating_add(bytes);
            if bytes <= COPY_BYTES_MAX && total <= COPIES_BYTES_MAX {
                used.bytes = total;
                return Some(LevelPart::Copy);
            }
            used.mounts += 1;
            Some(LevelPart::ReadOnlyFile)
        }
        HostEntryKind::Small => Some(LevelPart::Copy),
        // A device bound over a file to hide it, usually `/dev/null`.
        HostEntryKind::Device if own.is_some() => {
            used.mounts += 1;
            Some(LevelPart::ReadOnlyFile)
        }
        HostEntryKind::Device | HostEntryKind::Other => None,
    }
}

impl DirectoryLevel {
    fn files(&self) -> LevelFiles {
        let named = |wanted: fn(&LevelPart) -> bool| {
            let parts = self.0.iter().filter(move |(_, part)| wanted(part));
            parts.map(|(name, _)| name.clone()).collect()
        };
        LevelFiles {
            directories: named(|part| match part {
                LevelPart::Level(_)
                | LevelPart::Overlay
                | LevelPart::ReadOnlyDirectory
                | LevelPart::Empty => true,
                LevelPart::Copy | LevelPart::ReadOnlyFile => false,
            }),
            copies: named(|part| *part == LevelPart::Copy),
            points: named(|part| *part == LevelPart::ReadOnlyFile),
        }
    }

    fn place(&self, source: &Path, point: &Path, placed: &mut Vec<PlannedMount>) {
        let overlay = |name: &OsStr| MountKind::Overlay {
            source: source.join(name),
        };
        placed.push(PlannedMount {
            mount: Mount {
                mount_point: point.to_owned(),
                kind: MountKind::Overlay {
                    source: source.to_owned(),
                },
            },
            level: Some(self.files()),
        });
        for (name, part) in &self.0 {
            let kind = match part {
                LevelPart::Level(level) => {
                    level.place(&source.join(name), &point.join(name), placed);
                    continue;
                }
                LevelPart::Empty | LevelPart::Copy => continue,
                LevelPart::Overlay => overlay(name),
                LevelPart::ReadOnlyDirectory | LevelPart::ReadOnlyFile => MountKind::Bind {
                    source: source.join(name),
                    access: BindAccess::ReadOnly,
                },
            };
            placed.push(PlannedMount {
                mount: Mount {
                    mount_point: point.join(name),
                    kind,
                },
                level: None,
            });
        }
    }
}

/// Lists a directory of this machine.
fn list(directory: &Path) -> io::Result<Vec<(OsString, HostEntryKind)>> {
    let entry = |entry: fs::DirEntry| -> io::Result<(OsString, HostEntryKind)> {
        // If something is mounted there, these are the attributes of the mount.
        let metadata = fs::symlink_metadata(entry.path())?;
        let kind = metadata.file_type();
        let entry_kind = if kind.is_dir() {
            HostEntryKind::Directory
        } else if kind.is_file() {
            HostEntryKind::File(metadata.len())
        } else if kind.is_symlink() || kind.is_fifo() {
            HostEntryKind::Small
        } else if kind.is_char_device() || kind.is_block_device() {
            HostEntryKind::Device
        } else {
            HostEntryKind::Other
        };
        Ok((entry.file_name(), entry_kind))
    };
    let entries = fs::read_dir(directory)?;
    // Entries that disappear meanwhile are skipped.
    Ok(entries
        .flatten()
        .filter_map(|found| entry(found).ok())
        .collect())
}

#[cfg(test)]
mod tests;
