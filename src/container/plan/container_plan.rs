//! The result of planning: the steps of both stages, and what the audit must check.

use std::ffi::{CStr, CString};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::limits::ContainerLimits;
use crate::message::ProcessImage;
use crate::spec::{NetworkMode, PrivilegeLevel};
use crate::step::{ContainerStep, FileSystem};

/// The permission bits of the stash, which no job sees.
pub(super) const STASH_MODE: u32 = 0o700;

/// How to create a container.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ContainerPlan {
    /// The user id of jobs in the container.
    pub user: u32,
    pub group: u32,
    /// The network namespace of the container.
    pub network: NetworkMode,
    /// The privileges of jobs.
    pub privileges: PrivilegeLevel,
    pub template: Vec<ContainerStep>,
    /// The second stage, up to the directories to which jobs write. Empty if they cannot write
    /// anywhere.
    pub scratch: Vec<ContainerStep>,
    /// The rest of the second stage: mounts from these directories, and mounts on top of them.
    pub scratch_mounts: Vec<ContainerStep>,
    /// The tmpfs for everything that jobs write, relative to the stash.
    pub scratch_file_system: Option<CString>,
    /// All directories in [`Self::scratch_file_system`] that exist before a job starts. If none of
    /// them has changed and no file was added, the job has written nothing.
    pub scratch_directories: Vec<CString>,
    /// Whether jobs can write to the root file system, so that the container serves only one job.
    pub root_is_ephemeral: bool,
    /// The paths in the root that a job can change, if the root is writable for user 0. If any of
    /// them has changed, or anything was added, the container is not reused.
    pub root_watched: Option<Vec<CString>>,
    /// The files and directories of other mounts whose state shows whether a job has changed
    /// anything there. If one of them has changed, the container is not reused.
    pub shown: Vec<CString>,
    /// The programs that run beside each job.
    pub services: Vec<PlannedService>,
    /// The limits of the container. Set by the caller, who knows the number of containers.
    pub limits: ContainerLimits,
}

/// A program that runs beside each job, in the form that the kernel takes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlannedService {
    pub name: String,
    pub image: ProcessImage,
    /// The program that says whether the service is ready.
    pub readiness: Option<ProcessImage>,
    pub ready_timeout: Duration,
}

impl ContainerPlan {
    /// Returns the mount points of the container's own file systems that jobs can write to, apart
    /// from [`Self::scratch_file_system`]. Together they share the limit
    /// [`ContainerLimits::scratch_bytes`].
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

    /// Returns the number of file systems that share the limit.
    pub fn writable_parts(&self) -> u64 {
        let scratch = u64::from(self.scratch_file_system.is_some());
        self.writable_file_systems().count() as u64 + scratch
    }
}
