//! Assigns the parts of a specification to the two stages of a plan.
//!
//! A mount belongs to the scratch stage if a job's changes to it are discarded (see
//! [`super::changes`]), or if it is mounted on top of such a mount. All other mounts belong to the
//! template.

use std::collections::BTreeSet;
use std::ffi::{CString, OsString};
use std::path::{Path, PathBuf};

use super::changes::{MountChanges, changes};
use super::container_plan::STASH_MODE;
use super::error::{LAYERS_MAX, PlanError, c_path, check_mount_point};
use super::overlay_split::{LevelFiles, PlannedMount};
use crate::devices::below_root;
use crate::spec::{
    BindAccess, ContainerSpec, Mount, MountKind, NetworkMode, RootAccess, RootKind, SkeletonEntry,
    SkeletonKind, WhenForbidden,
};
use crate::step::{ContainerStep, FileSystem, OverlayFallback, RootWrites};

/// The name of the scratch tmpfs in the stash.
const SCRATCH: &str = "scratch";

/// What a mount is mounted on, which determines its stage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum MountParent {
    /// A part of the template.
    Template,
    /// A directory of the scratch tmpfs, which holds the changes to the mount at this index.
    ScratchDirectory(usize),
    Overlay,
    /// Another mount of the scratch stage.
    ScratchMount,
}

fn is_scratch(kind: &MountKind) -> bool {
    match changes(kind) {
        MountChanges::Scratch { .. } | MountChanges::Overlay => true,
        MountChanges::Refused | MountChanges::Shown(_) | MountChanges::Host => false,
    }
}

/// Returns whether this mount may be skipped, so that something else is visible at its mount point.
pub(super) fn may_be_left_out(kind: &MountKind) -> bool {
    match kind {
        MountKind::Mask => true,
        MountKind::Sys { when_forbidden } => *when_forbidden == WhenForbidden::LeaveEmpty,
        MountKind::Bind { .. }
        | MountKind::Overlay { .. }
        | MountKind::Scratch { .. }
        | MountKind::Device(_)
        | MountKind::DevPts
        | MountKind::MessageQueue
        | MountKind::Proc
        | MountKind::Tmp => false,
    }
}

/// Removes mounts that a later one hides. The two stages create mounts in another order, so a
/// hidden one could otherwise become visible.
fn visible(mounts: Vec<PlannedMount>) -> Vec<PlannedMount> {
    let is_hidden = |index: usize, point: &Path| {
        mounts[index + 1..]
            .iter()
            .any(|PlannedMount { mount, .. }| {
                point.starts_with(&mount.mount_point) && !may_be_left_out(&mount.kind)
            })
    };
    let hidden: Vec<bool> = mounts
        .iter()
        .enumerate()
        .map(|(index, placed)| is_hidden(index, &placed.mount.mount_point))
        .collect();
    let shown = mounts.into_iter().zip(hidden);
    shown
        .filter(|(_, hidden)| !hidden)
        .map(|(placed, _)| placed)
        .collect()
}

/// Returns for each mount what it is mounted on: the innermost of the previous mounts that contain
/// its mount point.
fn what_is_under(mounts: &[PlannedMount]) -> Vec<MountParent> {
    let mut result: Vec<MountParent> = Vec::with_capacity(mounts.len());
    for (index, PlannedMount { mount, .. }) in mounts.iter().enumerate() {
        let cover = mounts[..index]
            .iter()
            .map(|other| &other.mount)
            .enumerate()
            .filter(|(_, other)| mount.mount_point.starts_with(&other.mount_point))
            .max_by_key(|(index, other)| (other.mount_point.components().count(), *index));
        result.push(match cover {
            None => MountParent::Template,
            Some((cover, other)) => match (changes(&other.kind), result[cover]) {
                (MountChanges::Scratch { .. }, _) => MountParent::ScratchDirectory(cover),
                (MountChanges::Overlay, _) => MountParent::Overlay,
                (
                    MountChanges::Refused | MountChanges::Shown(_) | MountChanges::Host,
                    MountParent::Template,
                ) => MountParent::Template,
                (MountChanges::Refused | MountChanges::Shown(_) | MountChanges::Host, _) => {
                    MountParent::ScratchMount
                }
            },
        });
    }
    result
}

/// Removes trees that occur again above. They would show nothing more, and the kernel refuses an
/// overlay that contains a directory twice (ELOOP).
fn uppermost(trees: &[PathBuf]) -> impl Iterator<Item = &Path> {
    let stands_above = |index: usize, tree| trees[index + 1..].contains(tree);
    let indexed = trees.iter().enumerate();
    indexed
        .filter(move |(index, tree)| !stands_above(*index, tree))
        .map(|(_, tree)| tree.as_path())
}

/// Collects the steps of both stages.
#[derive(Default)]
pub(super) struct ContainerPlanner {
    pub(super) template: Vec<ContainerStep>,
    pub(super) scratch: Vec<ContainerStep>,
    pub(super) scratch_mounts: Vec<ContainerStep>,
    pub(super) scratch_directories: Vec<CString>,
    pub(super) shown: Vec<CString>,
    stashed: usize,
}

impl ContainerPlanner {
    /// Enters the root. `points` are files that a root of layers has besides those of its trees.
    pub(super) fn root(
        &mut self,
        root: &RootKind,
        points: &BTreeSet<PathBuf>,
    ) -> Result<(), PlanError> {
        self.template.push(ContainerStep::Privatize);
        match root {
            RootKind::Skeleton(entries) => {
                self.template.push(ContainerStep::EnterEmptyRoot);
                self.skeleton(entries)
            }
            RootKind::Layers { trees, .. } if trees.is_empty() => Err(PlanError::NoLayers),
            RootKind::Layers { trees, .. } if trees.len() > LAYERS_MAX => {
                Err(PlanError::TooManyLayers(trees.len()))
            }
            RootKind::Layers { trees, access } => {
                let trees = uppermost(trees).map(c_path).collect::<Result<_, _>>()?;
                let writes = match access {
                    RootAccess::ReadOnly => RootWrites::Refused,
                    RootAccess::Ephemeral => RootWrites::Tmpfs,
                };
                let points = points.iter().map(|point| c_path(&below_root(point)));
                self.template.push(ContainerStep::EnterLayers {
                    trees,
                    points: points.collect::<Result<_, _>>()?,
                    writes,
                });
                Ok(())
            }
        }
    }

    fn skeleton(&mut self, entries: &[SkeletonEntry]) -> Result<(), PlanError> {
        let mut made = BTreeSet::new();
        let mut sorted: Vec<_> = entries.iter().collect();
        sorted.sort_by(|a, b| a.path.cmp(&b.path));
        for entry in sorted {
            check_mount_point(&entry.path)?;
            for parent in parents(&entry.path) {
                if made.insert(parent.to_owned()) {
                    self.template.push(make_directory(parent)?);
                }
            }
            if !made.insert(entry.path.clone()) {
                continue;
            }
            let path = c_path(&entry.path)?;
            self.template.push(match &entry.kind {
                SkeletonKind::Directory => ContainerStep::MakeDirectory { path, mode: 0o755 },
                SkeletonKind::File(content) => ContainerStep::WriteFile {
                    path,
                    content: content.clone(),
                },
                SkeletonKind::Symlink(target) => ContainerStep::MakeSymlink {
                    path,
                    target: c_path(target)?,
                },
            });
        }
        Ok(())
    }

    pub(super) fn mounts(&mut self, mounts: Vec<PlannedMount>) -> Result<(), PlanError> {
        let mounts = visible(mounts);
        let under = what_is_under(&mounts);
        let stash = mounts
            .iter()
            .position(|placed| is_scratch(&placed.mount.kind));
        // Mounts of the template come first, because the stash hides its mount point.
        for (PlannedMount { mount, .. }, under) in mounts.iter().zip(&under) {
            if *under == MountParent::Template {
                self.template.extend(plain_mount(mount)?);
            }
            if let MountChanges::Shown(paths) = changes(&mount.kind) {
                for path in paths {
                    let shown = mount.mount_point.join(path);
                    // Removes the trailing slash that joining an empty path adds.
                    self.shown
                        .push(c_path(&shown.components().collect::<PathBuf>())?);
                }
            }
        }
        let Some(stash) = stash else { return Ok(()) };
        let stash_path = c_path(&mounts[stash].mount.mount_point)?;
        self.template.extend([
            ContainerStep::Mount {
                file_system: FileSystem::Tmp { mode: STASH_MODE },
                target: stash_path.clone(),
                when_forbidden: WhenForbidden::Fail,
            },
            ContainerStep::EnterStash {
                path: stash_path.clone(),
            },
            ContainerStep::MakeDirectory {
                path: c"scratch".to_owned(),
                mode: 0o700,
            },
        ]);
        self.scratch.extend([
            ContainerStep::EnterStash { path: stash_path },
            ContainerStep::Mount {
                file_system: FileSystem::Tmp { mode: 0o711 },
                target: c"scratch".to_owned(),
                when_forbidden: WhenForbidden::Fail,
            },
        ]);
        for (index, placed) in mounts.iter().enumerate() {
            match (&under[index], is_scratch(&placed.mount.kind)) {
                (MountParent::Template, false) => {}
                (MountParent::Template | MountParent::ScratchMount, _) => {
                    self.scratch_mount(index, placed, None, OverlayFallback::Fail)?;
                }
                (MountParent::Overlay, _) => {
                    // A copy in the container's memory can always be overlaid, and must be
                    // writable.
                    let otherwise = match placed.level {
                        None => OverlayFallback::ReadOnly,
                        Some(_) => OverlayFallback::Fail,
                    };
                    self.scratch_mount(index, placed, None, otherwise)?;
                }
                (MountParent::ScratchDirectory(cover), _) => {
                    let cover_point = &mounts[*cover].mount.mount_point;
                    let point = placed.mount.mount_point.strip_prefix(cover_point);
                    let point = Path::new(SCRATCH)
                        .join(cover.to_string())
                        .join(point.unwrap_or(Path::new("")));
                    self.scratch_mount(index, placed, Some(&point), OverlayFallback::Fail)?;
                }
            }
        }
        Ok(())
    }

    /// Creates the mount point for a mount below a scratch directory: a file or directory like
    /// `source`, or a directory without a `source`.
    fn mount_point(
        &mut self,
        point: Option<&Path>,
        source: Option<&CString>,
    ) -> Result<(), PlanError> {
        let Some(point) = point else { return Ok(()) };
        // Its first two components are the scratch directory itself.
        for parent in point
            .ancestors()
            .skip(1)
            .collect::<Vec<_>>()
            .into_iter()
            .rev()
            .skip(3)
        {
            self.scratch_directory(parent, 0o755)?;
        }
        let Some(source) = source else {
            return self.scratch_directory(point, 0o755);
        };
        let path = c_path(point)?;
        if !self.scratch_directories.contains(&path) {
            self.scratch.push(ContainerStep::MakeMountPoint {
                path: path.clone(),
                of: source.clone(),
            });
            self.scratch_directories.push(path);
        }
        Ok(())
    }

    fn scratch_directory(&mut self, path: &Path, mode: u32) -> Result<(), PlanError> {
        let path = c_path(path)?;
        if !self.scratch_directories.contains(&path) {
            self.scratch.push(ContainerStep::MakeDirectory {
                path: path.clone(),
                mode,
            });
            self.scratch_directories.push(path);
        }
        Ok(())
    }

    /// Adds a mount of the scratch stage. `point` is its mount point in the scratch tmpfs, if it is
    /// below a scratch directory. `otherwise` applies if the kernel refuses an overlay.
    fn scratch_mount(
        &mut self,
        index: usize,
        placed: &PlannedMount,
        point: Option<&Path>,
        otherwise: OverlayFallback,
    ) -> Result<(), PlanError> {
        let mount = &placed.mount;
        let target = c_path(&mount.mount_point)?;
        match (changes(&mount.kind), &mount.kind) {
            (MountChanges::Scratch { mode }, _) => {
                self.mount_point(point, None)?;
                let directory = PathBuf::from(format!("{SCRATCH}/{index}"));
                self.scratch_directory(&directory, mode)?;
                self.scratch_mounts.push(ContainerStep::BindStash {
                    source: c_path(&directory)?,
                    target,
                });
            }
            (_, MountKind::Overlay { source }) => {
                self.mount_point(point, None)?;
                let lower = match &placed.level {
                    None => self.stash(source, BindAccess::ReadOnly)?,
                    Some(level) => self.stash_level(source, level)?,
                };
                let upper = PathBuf::from(format!("{SCRATCH}/{index}-upper"));
                let work = PathBuf::from(format!("{SCRATCH}/{index}-work"));
                self.scratch_directory(&upper, 0o755)?;
                self.scratch_directory(&work, 0o755)?;
                // The kernel creates this directory.
                self.scratch_directories.push(c_path(&work.join("work"))?);
                let (upper, work) = (c_path(&upper)?, c_path(&work)?);
                self.scratch_mounts.push(ContainerStep::MountOverlay {
                    source: c_path(source)?,
                    lower,
                    upper,
                    work,
                    target,
                    otherwise,
                });
            }
            (_, MountKind::Bind { source, access }) => {
                self.stashed_bind(source, *access, point, target)?
            }
            (_, MountKind::Device(device)) => {
                let source = PathBuf::from(format!("/dev/{}", device.name()));
                self.stashed_bind(&source, BindAccess::ReadOnly, point, target)?;
            }
            (
                MountChanges::Refused
                | MountChanges::Shown(_)
                | MountChanges::Host
                | MountChanges::Overlay,
                MountKind::Scratch { .. }
                | MountKind::Mask
                | MountKind::DevPts
                | MountKind::MessageQueue
                | MountKind::Proc
                | MountKind::Sys { .. }
                | MountKind::Tmp,
            ) => {
                self.mount_point(point, None)?;
                self.scratch_mounts.extend(plain_mount(mount)?);
            }
        }
        Ok(())
    }

    fn stashed_bind(
        &mut self,
        source: &Path,
        access: BindAccess,
        point: Option<&Path>,
        target: CString,
    ) -> Result<(), PlanError> {
        let source = self.stash(source, access)?;
        self.mount_point(point, Some(&source))?;
        self.scratch_mounts
            .push(ContainerStep::BindStash { source, target });
        Ok(())
    }

    /// Binds a path of the host into the stash, and returns its name there.
    fn stash(&mut self, source: &Path, access: BindAccess) -> Result<CString, PlanError> {
        let name = c_path(Path::new(&self.stashed.to_string()))?;
        self.stashed += 1;
        let source = c_path(source)?;
        self.template.push(ContainerStep::StashHost {
            source,
            name: name.clone(),
            access,
        });
        Ok(name)
    }

    /// Copies a directory of the host into the stash, without the contents of its subdirectories,
    /// and returns its name there.
    fn stash_level(&mut self, source: &Path, level: &LevelFiles) -> Result<CString, PlanError> {
        let name = c_path(Path::new(&self.stashed.to_string()))?;
        self.stashed += 1;
        let names = |names: &[OsString]| -> Result<Vec<CString>, PlanError> {
            names.iter().map(|name| c_path(Path::new(name))).collect()
        };
        self.template.push(ContainerStep::StashLevel {
            source: c_path(source)?,
            name: name.clone(),
            directories: names(&level.directories)?,
            copies: names(&level.copies)?,
            points: names(&level.points)?,
        });
        Ok(name)
    }

    pub(super) fn system(&mut self, spec: &ContainerSpec) -> Result<(), PlanError> {
        let name = CString::new(spec.hostname.as_str())
            .map_err(|_| PlanError::NulByte(PathBuf::from(&spec.hostname)))?;
        self.template.push(ContainerStep::SetHostName { name });
        match spec.network {
            NetworkMode::Loopback => self.template.push(ContainerStep::BringLoopbackUp),
            NetworkMode::Disabled | NetworkMode::Local => {}
        }
        Ok(())
    }
}

/// Returns the steps for a mount that does not need the stash; none for other mounts.
fn plain_mount(mount: &Mount) -> Result<Vec<ContainerStep>, PlanError> {
    match changes(&mount.kind) {
        MountChanges::Scratch { .. } | MountChanges::Overlay => return Ok(Vec::new()),
        MountChanges::Refused | MountChanges::Shown(_) | MountChanges::Host => {}
    }
    let target = c_path(&mount.mount_point)?;
    let new = |file_system, when_forbidden, target| ContainerStep::Mount {
        file_system,
        target,
        when_forbidden,
    };
    let fail = WhenForbidden::Fail;
    Ok(vec![match &mount.kind {
        MountKind::Bind { source, access } => ContainerStep::BindHost {
            source: c_path(source)?,
            target,
            access: *access,
        },
        MountKind::Device(device) => ContainerStep::BindHost {
            source: c_path(&Path::new("/dev").join(device.name()))?,
            target,
            access: BindAccess::ReadOnly,
        },
        MountKind::Mask => ContainerStep::Mask { target },
        MountKind::DevPts => new(FileSystem::DevPts, fail, target),
        MountKind::MessageQueue => new(FileSystem::MessageQueue, fail, target),
        MountKind::Proc => {
            let guard = ContainerStep::GuardProc {
                target: target.clone(),
            };
            return Ok(vec![new(FileSystem::Proc, fail, target), guard]);
        }
        MountKind::Sys { when_forbidden } => new(FileSystem::Sys, *when_forbidden, target),
        MountKind::Scratch { .. } | MountKind::Overlay { .. } | MountKind::Tmp => {
            return Ok(Vec::new());
        }
    }])
}

fn make_directory(path: &Path) -> Result<ContainerStep, PlanError> {
    Ok(ContainerStep::MakeDirectory {
        path: c_path(path)?,
        mode: 0o755,
    })
}

/// Returns the proper ancestors of an absolute path except `/`, outermost first.
fn parents(path: &Path) -> Vec<&Path> {
    let mut parents: Vec<_> = path
        .ancestors()
        .skip(1)
        .filter(|parent| parent.parent().is_some())
        .collect();
    parents.reverse();
    parents
}
