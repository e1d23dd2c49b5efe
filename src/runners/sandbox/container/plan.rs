//! Plans mounts and root entries: which candidate gets a path, what exists anyway, and what needs a
//! mount point.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use maelstrom_model::job::{BindAccess, Mount, MountKind, SkeletonEntry, SkeletonKind};

use super::host_path::{FileKind, HostPath, HostSymlink};

/// Mounts and entries as they come; the first to name a place has it.
#[derive(Clone, Debug, Default)]
pub struct MountPlanner {
    mounts: BTreeMap<PathBuf, MountCandidate>,
    entries: BTreeMap<PathBuf, SkeletonKind>,
    links: Vec<(HostSymlink, HostPath)>,
}

#[derive(Clone, Debug)]
struct MountCandidate {
    kind: MountKind,
    point: FileKind,
    need: MountRequirement,
}

/// Whether a mount may be left out where its place shows the host's files anyway.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum MountRequirement {
    Always,
    UnlessShown,
}

impl MountPlanner {
    /// Mounts something in a place.
    pub fn mount(&mut self, place: PathBuf, kind: MountKind, point: FileKind) {
        self.plan(place, kind, point, MountRequirement::Always);
    }

    /// Mounts something where a directory of the host is.
    pub fn mount_at(&mut self, path: &HostPath, kind: MountKind) {
        self.plan(
            path.canonical.clone(),
            kind,
            path.kind,
            MountRequirement::Always,
        );
        self.link(path);
    }

    /// Shows a directory of the host, writable, unless it lies in another that is shown so.
    pub fn overlay(&mut self, path: &HostPath) {
        self.plan_overlay(path, MountRequirement::UnlessShown);
    }

    /// Shows a directory of the host, writable, on a file system of its own.
    pub fn mount_overlay(&mut self, path: &HostPath) {
        self.plan_overlay(path, MountRequirement::Always);
    }

    fn plan_overlay(&mut self, path: &HostPath, need: MountRequirement) {
        let kind = MountKind::Overlay {
            source: path.canonical.clone(),
        };
        self.plan(path.canonical.clone(), kind, path.kind, need);
        self.link(path);
    }

    /// Shows a file or directory of the host, read-only, unless its place shows it anyway.
    pub fn bind(&mut self, path: &HostPath) {
        let kind = MountKind::Bind {
            source: path.canonical.clone(),
            access: BindAccess::ReadOnly,
        };
        self.plan(
            path.canonical.clone(),
            kind,
            path.kind,
            MountRequirement::UnlessShown,
        );
        self.link(path);
    }

    /// Puts an entry into the root.
    pub fn entry(&mut self, place: PathBuf, kind: SkeletonKind) {
        self.entries.entry(place).or_insert(kind);
    }

    fn plan(&mut self, place: PathBuf, kind: MountKind, point: FileKind, need: MountRequirement) {
        // Nothing can be mounted over the root itself.
        if place.parent().is_some() {
            let planned = MountCandidate { kind, point, need };
            self.mounts.entry(place).or_insert(planned);
        }
    }

    fn link(&mut self, path: &HostPath) {
        let links = path.links.iter().cloned();
        self.links.extend(links.map(|link| (link, path.clone())));
    }

    /// The mounts, outermost first, and the root's entries.
    pub fn finish(mut self) -> (Vec<Mount>, Vec<SkeletonEntry>) {
        // Links may add mounts, and a mount that is left out needs no mount point.
        self.place_links();
        self.leave_out_what_is_shown();
        self.make_mount_points();
        let mut mounts: Vec<Mount> = self
            .mounts
            .into_iter()
            .map(|(mount_point, planned)| Mount {
                mount_point,
                kind: planned.kind,
            })
            .collect();
        // Stable: places of one depth stay in the order of their names.
        mounts.sort_by_key(|mount| mount.mount_point.components().count());
        let entries = self.entries.into_iter();
        let entries = entries.map(|(path, kind)| SkeletonEntry { path, kind });
        (mounts, entries.collect())
    }

    /// What of the host is found through a link is found in the container, too.
    fn place_links(&mut self) {
        for (link, path) in std::mem::take(&mut self.links) {
            let around = self.around(&link.path).map(|(_, planned)| planned);
            match around.map(|planned| &planned.kind) {
                None => {
                    let link_entry = SkeletonKind::Symlink(link.target);
                    self.entries.insert(link.path, link_entry);
                }
                // The link itself is among the host's files there.
                Some(MountKind::Overlay { .. } | MountKind::Bind { .. }) => {}
                // Everything there is the test's own; what the link leads to takes its place.
                Some(
                    MountKind::Scratch { .. }
                    | MountKind::Mask
                    | MountKind::Device(_)
                    | MountKind::DevPts
                    | MountKind::MessageQueue
                    | MountKind::Proc
                    | MountKind::Sys { .. }
                    | MountKind::Tmp,
                ) => self.bind_behind(&link, &path),
            }
        }
    }

    fn bind_behind(&mut self, link: &HostSymlink, path: &HostPath) {
        // A link in the middle of the way would need everything it leads to.
        let leads_to_it = path.links.last() == Some(link);
        if leads_to_it {
            let kind = MountKind::Bind {
                source: path.canonical.clone(),
                access: BindAccess::ReadOnly,
            };
            self.plan(link.path.clone(), kind, path.kind, MountRequirement::Always);
        }
    }

    fn leave_out_what_is_shown(&mut self) {
        // All are compared before any goes: what shows one of them may go as well, and is then
        // shown itself.
        let shown: Vec<PathBuf> = self
            .mounts
            .iter()
            .filter(|(place, planned)| {
                planned.need == MountRequirement::UnlessShown && self.is_shown(place, &planned.kind)
            })
            .map(|(place, _)| place.clone())
            .collect();
        for place in shown {
            self.mounts.remove(&place);
        }
    }

    /// Whether the place has the same files, and the same access to them, without this mount.
    fn is_shown(&self, place: &Path, kind: &MountKind) -> bool {
        let Some((around, planned)) = self.around(place) else {
            return false;
        };
        let same_place = |source: &Path| source == around;
        match (kind, &planned.kind) {
            (MountKind::Overlay { .. }, MountKind::Overlay { source }) => same_place(source),
            (MountKind::Overlay { .. }, _) => false,
            (_, MountKind::Overlay { source } | MountKind::Bind { source, .. }) => {
                same_place(source)
            }
            (
                _,
                MountKind::Scratch { .. }
                | MountKind::Mask
                | MountKind::Device(_)
                | MountKind::DevPts
                | MountKind::MessageQueue
                | MountKind::Proc
                | MountKind::Sys { .. }
                | MountKind::Tmp,
            ) => false,
        }
    }

    /// The innermost mount that a place lies in, other than one in the place itself.
    fn around(&self, place: &Path) -> Option<(&Path, &MountCandidate)> {
        place.ancestors().skip(1).find_map(|parent| {
            self.mounts
                .get_key_value(parent)
                .map(|(place, planned)| (place.as_path(), planned))
        })
    }

    /// What is mounted directly in the root needs a mount point there; elsewhere the container
    /// makes one, or the host has it. Entries that a mount hides are dropped.
    fn make_mount_points(&mut self) {
        for (place, planned) in &self.mounts {
            if self.around(place).is_none() {
                let kind = match planned.point {
                    FileKind::Directory => SkeletonKind::Directory,
                    FileKind::File => SkeletonKind::File(Vec::new()),
                };
                self.entries.insert(place.clone(), kind);
            }
        }
        let mounts = std::mem::take(&mut self.mounts);
        self.entries.retain(|place, _| {
            !place
                .ancestors()
                .skip(1)
                .any(|parent| mounts.contains_key(parent))
        });
        self.mounts = mounts;
    }
}
