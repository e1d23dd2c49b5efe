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
//!
//! What a job can change belongs to the scratch stage, shows in what the audit looks at
//! ([`ContainerPlan::shown`], [`ContainerPlan::root_watched`]), or ends the container: see [`changes`].

mod changes;
pub mod overlay_split;
mod planner;

use std::collections::BTreeSet;
use std::ffi::{CStr, CString};
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path, PathBuf};

use serde::{Deserialize, Serialize};

use self::overlay_split::OverlaySplits;
use self::planner::{ContainerPlanner, may_be_left_out};
use super::limits::ContainerLimits;
use super::spec::{
    ContainerSpec, Mount, MountKind, NetworkMode, PrivilegeLevel, RootAccess, RootKind,
    SkeletonEntry,
};
use super::step::{ContainerStep, FileSystem};

/// The user to whom the root of a container belongs.
const ROOT: u32 = 0;

/// The most trees a root may be stacked of: what one page of mount options holds, with a margin.
pub const LAYERS_MAX: usize = 400;

/// What makes a container.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ContainerPlan {
    /// Who the job is inside.
    pub user: u32,
    pub group: u32,
    /// The network namespace to be in.
    pub network: NetworkMode,
    /// What the job may do.
    pub privileges: PrivilegeLevel,
    pub template: Vec<ContainerStep>,
    /// The second stage, up to the directories that a job's writes go to; empty when it can write
    pub scratch: Vec<ContainerStep>,
    /// The rest of the second stage: what is mounted from these directories, and on them.
    pub scratch_mounts: Vec<ContainerStep>,
    /// The tmpfs, relative to the stash, that takes everything a job writes.
    pub scratch_file_system: Option<CString>,
    /// Every directory of [`Self::scratch_file_system`] that exists before a job starts: if none
    /// of them has changed and no file was added, the job has written nothing.
    pub scratch_directories: Vec<CString>,
    /// The root takes writes of its own, so that the container serves one job only.
    pub root_is_ephemeral: bool,
    /// What of the root a job can change, in a container whose root takes the writes of user 0: if
    /// any of it has changed, or anything was added, the container serves no further job.
    pub root_watched: Option<Vec<CString>>,
    /// Files and directories of other mounts that show whether a job has changed anything there. If
    /// one of them has changed, the container serves no further job.
    pub shown: Vec<CString>,
    /// What the container may take of the machine; whoever starts it knows how many there are.
    pub limits: ContainerLimits,
}

impl ContainerPlan {
    /// Where file systems of the container's own stand that jobs write to, besides
    /// [`Self::scratch_file_system`]. They share the limit of [`ContainerLimits::scratch_bytes`] with it.
    pub fn writable_file_systems(&self) -> impl Iterator<Item = &CStr> {
        let steps = self.template.iter().chain(&self.scratch_mounts);
        let mounted = steps.filter_map(|step| match step {
            ContainerStep::Mount {
                file_system: FileSystem::Tmp { mode },
                target,
                when_forbidden: _,
            } if *mode != STASH_MODE => Some(target.as_c_str()),
            _ => None,
        });
        let root = self.root_is_ephemeral || self.root_watched.is_some();
        mounted.chain(root.then_some(c"/"))
    }

    /// How many file systems share the limit.
    pub fn writable_parts(&self) -> u64 {
        let scratch = u64::from(self.scratch_file_system.is_some());
        self.writable_file_systems().count() as u64 + scratch
    }
}

/// The permission bits of the stash, which no job sees.
const STASH_MODE: u32 = 0o700;

/// Why there is no plan for a spec.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PlanError {
    /// A path with a NUL byte.
    #[error("the path {0:?} contains a NUL byte")]
    NulByte(PathBuf),
    /// A mount point that is relative, or holds `.` or `..`.
    #[error("the path {0:?} must be absolute and without \".\" or \"..\"")]
    NotAbsolute(PathBuf),
    #[error("nothing can be mounted on \"/\": the root is what the layers make it")]
    MountOnRoot,
    #[error("a container needs at least one layer")]
    NoLayers,
    #[error("{0} layers are more than the {LAYERS_MAX} that one root can be stacked of")]
    TooManyLayers(usize),
    /// `sys` shows the network's devices, which must be the container's own.
    #[error("a \"sys\" mount needs a network namespace of its own: the network must not be local")]
    SysWithHostNetwork,
}

/// Makes the plan for a container, of directories of the host below which nothing is mounted.
pub fn plan(spec: &ContainerSpec) -> Result<ContainerPlan, PlanError> {
    plan_with_splits(spec, &OverlaySplits::default())
}

/// Makes the plan for a container, of directories of the host that are divided like this.
pub fn plan_with_splits(
    spec: &ContainerSpec,
    divisions: &OverlaySplits,
) -> Result<ContainerPlan, PlanError> {
    for mount in &spec.mounts {
        check_mount_point(&mount.mount_point)?;
        if matches!(mount.kind, MountKind::Sys { .. }) && spec.network == NetworkMode::Local {
            return Err(PlanError::SysWithHostNetwork);
        }
    }
    let mut planner = ContainerPlanner::default();
    planner.root(&spec.root)?;
    planner.mounts(divisions.place(&spec.mounts))?;
    planner.system(spec)?;
    planner.template.push(ContainerStep::LeaveHost);
    let mut root_watched = None;
    match &spec.root {
        RootKind::Skeleton(entries) if spec.user == ROOT => {
            root_watched = Some(uncovered(entries, &spec.mounts)?);
        }
        RootKind::Skeleton(_) => planner.template.push(ContainerStep::SealRoot),
        RootKind::Layers { .. } => {}
    }
    let has_scratch = !planner.scratch.is_empty();
    Ok(ContainerPlan {
        user: spec.user,
        group: spec.group,
        network: spec.network,
        privileges: spec.privileges,
        template: planner.template,
        scratch: planner.scratch,
        scratch_mounts: planner.scratch_mounts,
        scratch_file_system: has_scratch.then(|| c"scratch".to_owned()),
        scratch_directories: planner.scratch_directories,
        root_is_ephemeral: matches!(
            spec.root,
            RootKind::Layers {
                access: RootAccess::Ephemeral,
                ..
            }
        ),
        root_watched,
        shown: planner.shown,
        limits: ContainerLimits::default(),
    })
}

/// Everything of a skeleton, its directories included, that no mount hides; relative to the root.
fn uncovered(entries: &[SkeletonEntry], mounts: &[Mount]) -> Result<Vec<CString>, PlanError> {
    let paths: BTreeSet<&Path> = entries
        .iter()
        .flat_map(|entry| entry.path.ancestors())
        .filter(|path| {
            let mut mounts = mounts.iter();
            !mounts
                .any(|mount| path.starts_with(&mount.mount_point) && !may_be_left_out(&mount.kind))
        })
        .collect();
    let relative = |path: &Path| match path.strip_prefix("/") {
        Ok(rest) if !rest.as_os_str().is_empty() => c_path(rest),
        Ok(_) | Err(_) => c_path(Path::new(".")),
    };
    paths.into_iter().map(relative).collect()
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

#[cfg(test)]
mod tests;
