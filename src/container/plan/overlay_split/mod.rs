//! Splits an overlay of a host directory that has mounts below it into several overlays.
//!
//! In a user namespace the mounts of the host are locked to one another: nobody may look under
//! them. So the kernel refuses an overlay of a directory with a mount anywhere below it. Such a
//! directory is composed of a copy of itself without its subdirectories' contents (a **level**),
//! and of an overlay for each subdirectory, some of which are split in turn:
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
//! Everything is as writable as in one overlay. The differences: a rename from one overlay to
//! another crosses file systems, and the directories named in a level cannot be removed.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::io;
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};

use crate::mountinfo::{self, HostMount};
use crate::spec::{BindAccess, ContainerSpec, Mount, MountKind};

/// A larger file is bound, read-only, instead of being copied into every container's memory.
const COPY_BYTES_MAX: u64 = 16 * 1024 * 1024;

/// The most bytes that all copies of one split take, after which files are bound.
const COPIES_BYTES_MAX: u64 = 64 * 1024 * 1024;

/// The most mounts that one split makes: each costs every container some 50 µs. A directory that
/// needs more is shown read-only, as a whole.
const MOUNTS_MAX: usize = 400;

/// The maximum number of entries of a directory that becomes a level, for the same reason.
const ENTRIES_MAX: usize = 4000;

/// The kind of a directory entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HostEntryKind {
    Directory,
    /// A regular file of this many bytes.
    File(u64),
    /// A symbolic link or a named pipe.
    Small,
    Device,
    /// A socket, which nobody can connect to through an overlay either, or what cannot be told.
    Other,
}

/// Lists a directory of the host.
pub type DirectoryLister<'a> = &'a dyn Fn(&Path) -> io::Result<Vec<(OsString, HostEntryKind)>>;

/// A part of a level.
#[derive(Clone, Debug, PartialEq, Eq)]
enum LevelPart {
    /// A directory that is composed itself.
    Level(DirectoryLevel),
    /// A directory that is an overlay of its own.
    Overlay,
    /// A directory that is shown as it is.
    ReadOnlyDirectory,
    /// A directory without anything in it, where the kernel's own file systems are mounted.
    Empty,
    /// A file that is copied.
    Copy,
    /// A file that is bound.
    ReadOnlyFile,
}

/// A directory by its parts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct DirectoryLevel(BTreeMap<OsString, LevelPart>);

/// The splits of some directories of the host, by their paths.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OverlaySplits(BTreeMap<PathBuf, OverlaySplit>);

/// The split of a directory.
#[derive(Clone, Debug, PartialEq, Eq)]
enum OverlaySplit {
    Level(DirectoryLevel),
    /// Not at all: it is shown as it is, read-only.
    ReadOnly,
}

/// What is made of a directory to begin with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct LevelFiles {
    pub(super) directories: Vec<OsString>,
    pub(super) copies: Vec<OsString>,
    pub(super) points: Vec<OsString>,
}

/// A mount, and the level that it shows, if it is an overlay of one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct PlannedMount {
    pub(super) mount: Mount,
    pub(super) level: Option<LevelFiles>,
}

/// How much of its limits a split has used.
#[derive(Clone, Copy, Default)]
struct SplitUsage {
    mounts: usize,
    bytes: u64,
}

impl OverlaySplits {
    /// Those that a container needs on this machine.
    pub fn of_this_host(spec: &ContainerSpec) -> OverlaySplits {
        let overlays = spec.mounts.iter().any(is_overlay);
        let mounts = match overlays {
            true => mountinfo::of_this_host(),
            false => Vec::new(),
        };
        OverlaySplits::find(spec, &mounts, &list)
    }

    /// Those that a container needs on a host with these file systems.
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

    /// The mounts that a container has with these splits.
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

/// Splits a directory; `None` if the directory is to be shown whole instead.
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
    // The last of those that are mounted in one place is the one that is seen.
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
                    // As a whole the directory is one mount, however many mounts and copied bytes
                    // its parts would have needed.
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
        // One that is bound over a file, `/dev/null` mostly, to hide it.
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
        // Of what is mounted there, if something is.
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
    // What vanishes meanwhile is left out.
    Ok(entries
        .flatten()
        .filter_map(|found| entry(found).ok())
        .collect())
}

#[cfg(test)]
mod tests;
