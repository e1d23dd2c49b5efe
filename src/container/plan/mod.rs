//! Turns a [`ContainerSpec`] into the steps that create the container. Pure.
//!
//! A container is created in two stages, because most of it can serve many jobs:
//!
//! - The **template** is everything that no job can change: the root, read-only binds, devices,
//!   `proc`. It is created once per container.
//! - The **scratch** stage is everything that a job may write to, and the mounts on top of that. It
//!   is created in a copy of the template's mount namespace, and recreated whenever a job has
//!   written something.
//!
//! The scratch stage needs directories of the host (the lower directories of overlays, and binds
//! below a scratch directory). The template puts these into the **stash**: a tmpfs at the mount
//! point of the first scratch mount, which that mount then hides.
//!
//! Everything that a job can change is either in the scratch stage, or is checked by the audit
//! ([`ContainerPlan::shown`], [`ContainerPlan::root_watched`]), or ends the container: see
//! [`changes`].

mod changes;
mod container_plan;
mod error;
pub mod overlay_split;
mod planner;

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::ffi::CString;
use std::path::{Path, PathBuf};

pub use self::container_plan::{ContainerPlan, PlannedService};
pub use self::error::{LAYERS_MAX, PlanError, SERVICES_MAX};

use self::error::{c_path, check_mount_point};
use self::overlay_split::OverlaySplits;
use self::planner::{ContainerPlanner, may_be_left_out};
use super::limits::ContainerLimits;
use super::message::{NulByte, PackedStrings, ProcessImage};
use super::spec::{
    BindAccess, ContainerSpec, Mount, MountKind, NetworkMode, ProcessSpec, RootAccess, RootKind,
    ServiceSpec, SkeletonEntry, SkeletonKind,
};
use super::step::ContainerStep;

/// The user that owns the root of a container.
const ROOT: u32 = 0;

/// Plans a container without devices by name, whose overlays have no mounts below their source
/// directories.
pub fn plan(spec: &ContainerSpec) -> Result<ContainerPlan, PlanError> {
    plan_on_host(spec, &OverlaySplits::default(), &BTreeSet::new())
}

/// Plans a container with these splits of source directories, and with these devices for
/// [`ContainerSpec::devices`].
pub fn plan_on_host(
    spec: &ContainerSpec,
    divisions: &OverlaySplits,
    devices: &BTreeSet<PathBuf>,
) -> Result<ContainerPlan, PlanError> {
    let spec = &with_devices(spec, devices);
    for mount in &spec.mounts {
        check_mount_point(&mount.mount_point)?;
        if matches!(mount.kind, MountKind::Sys { .. }) && spec.network == NetworkMode::Local {
            return Err(PlanError::SysWithHostNetwork);
        }
    }
    let mut planner = ContainerPlanner::default();
    planner.root(&spec.root, devices)?;
    planner.mounts(divisions.place(&spec.mounts))?;
    planner.system(spec)?;
    planner.template.push(ContainerStep::LeaveHost);
    let mut root_watched = None;
    match &spec.root {
        RootKind::Skeleton(entries) if spec.user == ROOT => {
            root_watched = Some(uncovered(entries, &spec.mounts)?);
        }
        // The last step, because the previous ones may still create entries in the root.
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
        services: services(&spec.services)?,
        limits: ContainerLimits::default(),
    })
}

fn services(specs: &[ServiceSpec]) -> Result<Vec<PlannedService>, PlanError> {
    if specs.len() > SERVICES_MAX {
        return Err(PlanError::TooManyServices(specs.len()));
    }
    let image = |process: &ProcessSpec| -> Result<ProcessImage, NulByte> {
        let environment = PackedStrings::of_environment(&process.environment)?;
        ProcessImage::new(process, environment)
    };
    let service = |spec: &ServiceSpec| {
        Ok(PlannedService {
            name: spec.name.clone(),
            image: image(&spec.process)?,
            readiness: spec.readiness.as_ref().map(image).transpose()?,
            ready_timeout: spec.ready_timeout,
        })
    };
    specs.iter().map(service).collect()
}

/// Adds the mounts of devices, and their mount points to a skeleton. In a root of layers, they are
/// made with the root.
fn with_devices<'a>(
    spec: &'a ContainerSpec,
    devices: &BTreeSet<PathBuf>,
) -> Cow<'a, ContainerSpec> {
    if devices.is_empty() {
        return Cow::Borrowed(spec);
    }
    let mut spec = spec.clone();
    if let RootKind::Skeleton(entries) = &mut spec.root {
        entries.extend(devices.iter().map(|device| SkeletonEntry {
            path: device.clone(),
            kind: SkeletonKind::File(Vec::new()),
        }));
    }
    spec.mounts.extend(devices.iter().map(|device| Mount {
        mount_point: device.clone(),
        // Prevents changes to the device's file, but not writes to the device.
        kind: MountKind::Bind {
            source: device.clone(),
            access: BindAccess::ReadOnly,
        },
    }));
    Cow::Owned(spec)
}

/// Returns the entries of a skeleton and their parent directories that no mount hides, relative to
/// the root.
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

#[cfg(test)]
mod tests;
