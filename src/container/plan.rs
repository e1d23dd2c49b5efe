//! Turns a [`ContainerSpec`] into the steps that make the container. Pure.
//!
//! A container is made in two stages, since most of it can serve many jobs and the rest cannot:
//!
//! - The **template** is everything that no job can change: the root, read-only binds, devices,
//!   `proc`. It is made once per container.
//! - The **scratch** stage is everything that a job may write to, and what is mounted on top of
//!   that. It is carried out in a copy of the template's mount namespace, and again whenever a job
//!   has written something.
//!
//! What the scratch stage needs from the host (the lower directories of overlays, binds below a
//! scratch directory) is put in the **stash** by the template: a tmpfs at the mount point of the
//! first scratch mount, which that mount then hides.

use std::ffi::CString;
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::spec::{
    BindAccess, ContainerSpec, Mount, MountKind, Network, Privileges, Root, RootAccess,
    SkeletonEntry, SkeletonKind, WhenForbidden,
};
use super::step::{FileSystem, RootWrites, Step};

/// The most trees a root may be stacked of: what one page of mount options holds, with a margin.
pub const LAYERS_MAX: usize = 400;

/// What makes a container.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// Who the job is inside.
    pub user: u32,
    /// Its group inside.
    pub group: u32,
    /// The network namespace to be in.
    pub network: Network,
    /// What the job may do.
    pub privileges: Privileges,
    /// The first stage.
    pub template: Vec<Step>,
    /// The second stage; empty when the job can write nowhere.
    pub scratch: Vec<Step>,
    /// The tmpfs, relative to the stash, that takes everything a job writes.
    pub scratch_file_system: Option<CString>,
    /// Every directory of [`Self::scratch_file_system`] that exists before a job starts: if none
    /// of them has changed and no file was added, the job has written nothing.
    pub scratch_directories: Vec<CString>,
    /// The root takes writes of its own, so that the container serves one job only.
    pub root_is_ephemeral: bool,
}

/// Why there is no plan for a spec.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PlanError {
    /// A path with a NUL byte.
    #[error("the path {0:?} contains a NUL byte")]
    NulByte(PathBuf),
    /// A mount point that is relative, or holds `.` or `..`.
    #[error("the path {0:?} must be absolute and without \".\" or \"..\"")]
    NotAbsolute(PathBuf),
    /// Something on `/`.
    #[error("nothing can be mounted on \"/\": the root is what the layers make it")]
    MountOnRoot,
    /// No layers.
    #[error("a container needs at least one layer")]
    NoLayers,
    /// Too many layers.
    #[error("{0} layers are more than the {LAYERS_MAX} that one root can be stacked of")]
    TooManyLayers(usize),
    /// `sys` shows the network's devices, which must be the container's own.
    #[error("a \"sys\" mount needs a network namespace of its own: the network must not be local")]
    SysWithHostNetwork,
}

/// Name of the scratch tmpfs in the stash.
const SCRATCH: &str = "scratch";

/// Makes the plan for a container.
pub fn plan(spec: &ContainerSpec) -> Result<Plan, PlanError> {
    for mount in &spec.mounts {
        check_mount_point(&mount.mount_point)?;
        if matches!(mount.kind, MountKind::Sys { .. }) && spec.network == Network::Local {
            return Err(PlanError::SysWithHostNetwork);
        }
    }
    let mut planner = Planner::default();
    planner.root(&spec.root)?;
    planner.mounts(&spec.mounts)?;
    planner.system(spec)?;
    planner.template.push(Step::LeaveHost);
    if matches!(spec.root, Root::Skeleton(_)) {
        planner.template.push(Step::SealRoot);
    }
    let has_scratch = !planner.scratch.is_empty();
    Ok(Plan {
        user: spec.user,
        group: spec.group,
        network: spec.network,
        privileges: spec.privileges,
        template: planner.template,
        scratch: planner.scratch,
        scratch_file_system: has_scratch.then(|| c"scratch".to_owned()),
        scratch_directories: planner.scratch_directories,
        root_is_ephemeral: matches!(
            spec.root,
            Root::Layers {
                access: RootAccess::Ephemeral,
                ..
            }
        ),
    })
}

fn check_mount_point(path: &Path) -> Result<(), PlanError> {
    let mut components = path.components();
    if components.next() != Some(Component::RootDir)
        || !components.all(|part| matches!(part, Component::Normal(_)))
    {
        return Err(PlanError::NotAbsolute(path.to_owned()));
    }
    if path == Path::new("/") {
        Err(PlanError::MountOnRoot)
    } else {
        Ok(())
    }
}

fn c_path(path: &Path) -> Result<CString, PlanError> {
    CString::new(path.as_os_str().as_bytes()).map_err(|_| PlanError::NulByte(path.to_owned()))
}

/// Which stage a mount belongs to, and what stands under its mount point.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Under {
    /// Something that no job writes to.
    Template,
    /// A directory of the scratch tmpfs: the mount at this index is [`MountKind::Scratch`].
    ScratchDirectory(usize),
    /// Another mount of the scratch stage.
    ScratchMount,
}

fn is_scratch(kind: &MountKind) -> bool {
    matches!(kind, MountKind::Scratch { .. } | MountKind::Overlay { .. })
}

/// For each mount, what stands under its mount point: the mount before it that covers it most
/// narrowly.
fn what_is_under(mounts: &[Mount]) -> Vec<Under> {
    let mut result: Vec<Under> = Vec::with_capacity(mounts.len());
    for (index, mount) in mounts.iter().enumerate() {
        let cover = mounts[..index]
            .iter()
            .enumerate()
            .filter(|(_, other)| mount.mount_point.starts_with(&other.mount_point))
            .max_by_key(|(index, other)| (other.mount_point.components().count(), *index));
        result.push(match cover {
            None => Under::Template,
            Some((cover, other)) => match (&other.kind, result[cover]) {
                (MountKind::Scratch { .. }, _) => Under::ScratchDirectory(cover),
                (MountKind::Overlay { .. }, _) => Under::ScratchMount,
                (_, Under::Template) => Under::Template,
                (_, Under::ScratchDirectory(_) | Under::ScratchMount) => Under::ScratchMount,
            },
        });
    }
    result
}

#[derive(Default)]
struct Planner {
    template: Vec<Step>,
    scratch: Vec<Step>,
    scratch_directories: Vec<CString>,
    stashed: usize,
}

impl Planner {
    fn root(&mut self, root: &Root) -> Result<(), PlanError> {
        self.template.push(Step::Privatize);
        match root {
            Root::Skeleton(entries) => {
                self.template.push(Step::EnterEmptyRoot);
                self.skeleton(entries)
            }
            Root::Layers { trees, .. } if trees.is_empty() => Err(PlanError::NoLayers),
            Root::Layers { trees, .. } if trees.len() > LAYERS_MAX => {
                Err(PlanError::TooManyLayers(trees.len()))
            }
            Root::Layers { trees, access } => {
                let trees = trees
                    .iter()
                    .map(|tree| c_path(tree))
                    .collect::<Result<_, _>>()?;
                let writes = match access {
                    RootAccess::ReadOnly => RootWrites::Refused,
                    RootAccess::Ephemeral => RootWrites::Tmpfs,
                };
                self.template.push(Step::EnterLayers { trees, writes });
                Ok(())
            }
        }
    }

    fn skeleton(&mut self, entries: &[SkeletonEntry]) -> Result<(), PlanError> {
        let mut made = std::collections::BTreeSet::new();
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
                SkeletonKind::Directory => Step::MakeDirectory { path, mode: 0o755 },
                SkeletonKind::File(content) => Step::WriteFile {
                    path,
                    content: content.clone(),
                },
                SkeletonKind::Symlink(target) => Step::MakeSymlink {
                    path,
                    target: c_path(target)?,
                },
            });
        }
        Ok(())
    }

    fn mounts(&mut self, mounts: &[Mount]) -> Result<(), PlanError> {
        let under = what_is_under(mounts);
        let stash = mounts.iter().position(|mount| is_scratch(&mount.kind));
        // Template mounts first, since the stash hides its mount point.
        for (mount, under) in mounts.iter().zip(&under) {
            if *under == Under::Template {
                self.template.extend(plain_mount(mount)?);
            }
        }
        let Some(stash) = stash else { return Ok(()) };
        let stash_path = c_path(&mounts[stash].mount_point)?;
        self.template.extend([
            Step::Mount {
                file_system: FileSystem::Tmp { mode: 0o700 },
                target: stash_path.clone(),
                when_forbidden: WhenForbidden::Fail,
            },
            Step::EnterStash {
                path: stash_path.clone(),
            },
            Step::MakeDirectory {
                path: c"scratch".to_owned(),
                mode: 0o700,
            },
        ]);
        self.scratch.extend([
            Step::EnterStash { path: stash_path },
            Step::Mount {
                file_system: FileSystem::Tmp { mode: 0o711 },
                target: c"scratch".to_owned(),
                when_forbidden: WhenForbidden::Fail,
            },
        ]);
        for (index, mount) in mounts.iter().enumerate() {
            match (&under[index], is_scratch(&mount.kind)) {
                (Under::Template, false) => {}
                (Under::Template | Under::ScratchMount, _) => {
                    self.scratch_mount(index, mount, None)?;
                }
                (Under::ScratchDirectory(cover), _) => {
                    let point = mount.mount_point.strip_prefix(&mounts[*cover].mount_point);
                    let point = Path::new(SCRATCH)
                        .join(cover.to_string())
                        .join(point.unwrap_or(Path::new("")));
                    self.scratch_mount(index, mount, Some(&point))?;
                }
            }
        }
        Ok(())
    }

    /// Makes what a mount below a scratch directory stands on; without a `source` it is a
    /// directory.
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
            self.scratch.push(Step::MakeMountPoint {
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
            self.scratch.push(Step::MakeDirectory {
                path: path.clone(),
                mode,
            });
            self.scratch_directories.push(path);
        }
        Ok(())
    }

    /// A mount of the scratch stage. `point` is its mount point in the scratch tmpfs, if it lies in
    /// a scratch directory.
    fn scratch_mount(
        &mut self,
        index: usize,
        mount: &Mount,
        point: Option<&Path>,
    ) -> Result<(), PlanError> {
        let target = c_path(&mount.mount_point)?;
        match &mount.kind {
            MountKind::Scratch { mode } => {
                self.mount_point(point, None)?;
                let directory = PathBuf::from(format!("{SCRATCH}/{index}"));
                self.scratch_directory(&directory, *mode)?;
                self.scratch.push(Step::BindStash {
                    source: c_path(&directory)?,
                    target,
                });
            }
            MountKind::Overlay { source } => {
                self.mount_point(point, None)?;
                let lower = self.stash(source, BindAccess::ReadOnly)?;
                let upper = PathBuf::from(format!("{SCRATCH}/{index}-upper"));
                let work = PathBuf::from(format!("{SCRATCH}/{index}-work"));
                self.scratch_directory(&upper, 0o755)?;
                self.scratch_directory(&work, 0o755)?;
                // The kernel makes this one.
                self.scratch_directories.push(c_path(&work.join("work"))?);
                let (upper, work) = (c_path(&upper)?, c_path(&work)?);
                self.scratch.push(Step::MountOverlay {
                    lower,
                    upper,
                    work,
                    target,
                });
            }
            MountKind::Bind { source, access } => {
                self.stashed_bind(source, *access, point, target)?
            }
            MountKind::Device(device) => {
                let source = PathBuf::from(format!("/dev/{}", device.name()));
                self.stashed_bind(&source, BindAccess::ReadWrite, point, target)?;
            }
            MountKind::Mask
            | MountKind::DevPts
            | MountKind::MessageQueue
            | MountKind::Proc
            | MountKind::Sys { .. }
            | MountKind::Tmp => {
                self.mount_point(point, None)?;
                self.scratch.extend(plain_mount(mount)?);
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
        self.scratch.push(Step::BindStash { source, target });
        Ok(())
    }

    /// Puts a path of the host in the stash, and returns its name there.
    fn stash(&mut self, source: &Path, access: BindAccess) -> Result<CString, PlanError> {
        let name = c_path(Path::new(&self.stashed.to_string()))?;
        self.stashed += 1;
        let source = c_path(source)?;
        self.template.push(Step::StashHost {
            source,
            name: name.clone(),
            access,
        });
        Ok(name)
    }

    fn system(&mut self, spec: &ContainerSpec) -> Result<(), PlanError> {
        let name = CString::new(spec.hostname.as_str())
            .map_err(|_| PlanError::NulByte(PathBuf::from(&spec.hostname)))?;
        self.template.push(Step::SetHostName { name });
        match spec.network {
            Network::Loopback => self.template.push(Step::BringLoopbackUp),
            Network::Disabled | Network::Local => {}
        }
        Ok(())
    }
}

/// The steps for a mount that needs nothing of the stash; none for those that do.
fn plain_mount(mount: &Mount) -> Result<Vec<Step>, PlanError> {
    let target = c_path(&mount.mount_point)?;
    let new = |file_system, when_forbidden, target| Step::Mount {
        file_system,
        target,
        when_forbidden,
    };
    let fail = WhenForbidden::Fail;
    Ok(vec![match &mount.kind {
        MountKind::Bind { source, access } => Step::BindHost {
            source: c_path(source)?,
            target,
            access: *access,
        },
        MountKind::Device(device) => Step::BindHost {
            source: c_path(&Path::new("/dev").join(device.name()))?,
            target,
            access: BindAccess::ReadWrite,
        },
        MountKind::Mask => Step::Mask { target },
        MountKind::DevPts => new(FileSystem::DevPts, fail, target),
        MountKind::MessageQueue => new(FileSystem::MessageQueue, fail, target),
        MountKind::Proc => {
            let guard = Step::GuardProc {
                target: target.clone(),
            };
            return Ok(vec![new(FileSystem::Proc, fail, target), guard]);
        }
        MountKind::Sys { when_forbidden } => new(FileSystem::Sys, *when_forbidden, target),
        MountKind::Tmp => new(FileSystem::Tmp { mode: 0o1777 }, fail, target),
        MountKind::Scratch { .. } | MountKind::Overlay { .. } => return Ok(Vec::new()),
    }])
}

fn make_directory(path: &Path) -> Result<Step, PlanError> {
    Ok(Step::MakeDirectory {
        path: c_path(path)?,
        mode: 0o755,
    })
}

/// The proper ancestors of an absolute path without `/`, outermost first.
fn parents(path: &Path) -> Vec<&Path> {
    let mut parents: Vec<_> = path
        .ancestors()
        .skip(1)
        .filter(|parent| parent.parent().is_some())
        .collect();
    parents.reverse();
    parents
}

/// The plan as a snapshot shows it.
#[cfg(test)]
fn shown(plan: &Plan) -> String {
    let lines = |steps: &[Step]| {
        steps
            .iter()
            .map(|step| format!("  {step}\n"))
            .collect::<String>()
    };
    format!(
        "template:\n{}scratch:\n{}scratch file system: {:?}\ndirectories: {:?}\n",
        lines(&plan.template),
        lines(&plan.scratch),
        plan.scratch_file_system,
        plan.scratch_directories,
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::container::spec::Device;

    fn spec(root: Root, mounts: Vec<(&str, MountKind)>) -> ContainerSpec {
        ContainerSpec {
            root,
            mounts: mounts
                .into_iter()
                .map(|(point, kind)| Mount {
                    mount_point: point.into(),
                    kind,
                })
                .collect(),
            network: Network::Loopback,
            hostname: "box".into(),
            user: 1000,
            group: 1000,
            privileges: Privileges::Ordinary,
        }
    }

    fn directory(path: &str) -> SkeletonEntry {
        SkeletonEntry {
            path: path.into(),
            kind: SkeletonKind::Directory,
        }
    }

    #[test]
    fn the_default_shape_of_a_test_container() {
        let root = Root::Skeleton(vec![
            directory("/usr"),
            directory("/tmp"),
            directory("/home/me"),
            directory("/proc"),
            SkeletonEntry {
                path: "/etc/hosts".into(),
                kind: SkeletonKind::File(b"127.0.0.1 localhost\n".to_vec()),
            },
            SkeletonEntry {
                path: "/bin".into(),
                kind: SkeletonKind::Symlink("usr/bin".into()),
            },
            SkeletonEntry {
                path: "/dev/null".into(),
                kind: SkeletonKind::File(Vec::new()),
            },
        ]);
        let read_only = |source: &str| MountKind::Bind {
            source: source.into(),
            access: BindAccess::ReadOnly,
        };
        let plan = plan(&spec(
            root,
            vec![
                ("/usr", read_only("/usr")),
                ("/proc", MountKind::Proc),
                ("/dev/null", MountKind::Device(Device::Null)),
                ("/tmp", MountKind::Scratch { mode: 0o1777 }),
                ("/home/me", MountKind::Scratch { mode: 0o755 }),
                ("/home/me/.cargo/bin", read_only("/home/me/.cargo/bin")),
                (
                    "/home/me/src",
                    MountKind::Overlay {
                        source: "/home/me/src".into(),
                    },
                ),
                ("/home/me/src/target/maelstrom", MountKind::Mask),
            ],
        ))
        .unwrap();
        insta::assert_snapshot!(shown(&plan));
    }

    #[test]
    fn a_root_of_layers() {
        let root = Root::Layers {
            trees: vec!["/cache/a".into(), "/cache/b".into()],
            access: RootAccess::Ephemeral,
        };
        let plan = plan(&spec(root, vec![("/tmp", MountKind::Tmp)])).unwrap();
        insta::assert_snapshot!(shown(&plan));
        assert!(plan.root_is_ephemeral);
    }

    #[test]
    fn what_cannot_be_planned_is_told() {
        let skeleton = || Root::Skeleton(Vec::new());
        let tmp = MountKind::Tmp;
        let error = |spec| plan(&spec).unwrap_err().to_string();
        assert_eq!(
            error(spec(skeleton(), vec![("/", tmp.clone())])),
            "nothing can be mounted on \"/\": the root is what the layers make it"
        );
        assert_eq!(
            error(spec(skeleton(), vec![("/a/../b", tmp.clone())])),
            "the path \"/a/../b\" must be absolute and without \".\" or \"..\""
        );
        assert_eq!(
            error(spec(skeleton(), vec![("tmp", tmp.clone())])),
            "the path \"tmp\" must be absolute and without \".\" or \"..\""
        );
        assert_eq!(
            error(spec(skeleton(), vec![("/a\0b", tmp)])),
            "the path \"/a\\0b\" contains a NUL byte"
        );
        let none = Root::Layers {
            trees: Vec::new(),
            access: RootAccess::ReadOnly,
        };
        assert_eq!(
            error(spec(none, vec![])),
            "a container needs at least one layer"
        );
        let sys = MountKind::Sys {
            when_forbidden: WhenForbidden::Fail,
        };
        let mut local = spec(skeleton(), vec![("/sys", sys)]);
        local.network = Network::Local;
        assert!(error(local).starts_with("a \"sys\" mount needs"));
    }
}
