//! Plans the mounts and root entries of a container: which candidate gets a path, which files are
//! visible without a mount, and which mounts need a mount point.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use maelstrom_model::job::{BindAccess, Mount, MountKind, SkeletonEntry, SkeletonKind};

use super::host_path::{FileKind, HostPath, HostSymlink};

/// Collects mounts and root entries. The first mount or entry for a path wins.
#[derive(Clone, Debug, Default)]
pub(super) struct MountPlanner {
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

/// Whether a mount may be left out if the same files are already visible at its path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum MountRequirement {
    Always,
    UnlessShown,
}

impl MountPlanner {
    /// Adds a mount at the path `place`.
    pub(super) fn mount(&mut self, place: PathBuf, kind: MountKind, point: FileKind) {
        self.plan(place, kind, point, MountRequirement::Always);
    }

    /// Adds a mount at the path of a host directory, which it hides.
    pub(super) fn mount_at(&mut self, path: &HostPath, kind: MountKind) {
        self.plan(
            path.canonical.clone(),
            kind,
            path.kind,
            MountRequirement::Always,
        );
        self.link(path);
    }

    /// Adds a writable overlay of a host directory, unless it is part of another overlay.
    pub(super) fn overlay(&mut self, path: &HostPath) {
        self.plan_overlay(path, MountRequirement::UnlessShown);
    }

    /// Adds a writable overlay of a host directory that is on a file system of its own, so that
    /// overlays around it don't contain it.
    pub(super) fn mount_overlay(&mut self, path: &HostPath) {
        self.plan_overlay(path, MountRequirement::Always);
    }

    fn plan_overlay(&mut self, path: &HostPath, need: MountRequirement) {
        let kind = MountKind::Overlay {
            source: path.canonical.clone(),
        };
        self.plan(path.canonical.clone(), kind, path.kind, need);
        self.link(path);
    }

    /// Adds a read-only bind mount of a host file or directory, unless it is visible without one.
    pub(super) fn bind(&mut self, path: &HostPath) {
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

    /// Adds an entry to the root.
    pub(super) fn entry(&mut self, place: PathBuf, kind: SkeletonKind) {
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

    /// Returns the mounts, outermost first, and the root's entries.
    pub(super) fn finish(mut self) -> (Vec<Mount>, Vec<SkeletonEntry>) {
        // In this order: links may add mounts, and a mount that is left out needs no mount point.
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
        // The sort is stable: mounts of the same depth stay ordered by path.
        mounts.sort_by_key(|mount| mount.mount_point.components().count());
        let entries = self.entries.into_iter();
        let entries = entries.map(|(path, kind)| SkeletonEntry { path, kind });
        (mounts, entries.collect())
    }

    /// Makes host paths that lead through symbolic links work in the container, too.
    fn place_links(&mut self) {
        for (link, path) in std::mem::take(&mut self.links) {
            let around = self.around(&link.path).map(|(_, planned)| planned);
            match around.map(|planned| &planned.kind) {
                None => {
                    let link_entry = SkeletonKind::Symlink(link.target);
                    self.entries.insert(link.path, link_entry);
                }
                // The mount contains the link itself.
                Some(MountKind::Overlay { .. } | MountKind::Bind { .. }) => {}
                // The mount hides the link, so mount the link's target in its place.
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
        // A link to a parent directory would need everything below its target.
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
        // Collect all before removing any: the mount that shows one of them may be removed as well,
        // but then it is itself shown by another.
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

    /// Returns whether the same files, with the same access, are visible at `place` without this
    /// mount.
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

    /// Returns the innermost mount that contains `place`, not counting a mount at `place` itself.
    fn around(&self, place: &Path) -> Option<(&Path, &MountCandidate)> {
        place.ancestors().skip(1).find_map(|parent| {
            self.mounts
                .get_key_value(parent)
                .map(|(place, planned)| (place.as_path(), planned))
        })
    }

    /// Adds mount points for mounts directly in the root. Elsewhere the container creates the mount
    /// point, or the host has it. Drops entries that a mount hides.
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
