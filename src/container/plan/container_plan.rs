//! The result of planning: the steps of both stages, and what the audit checks.

use std::ffi::{CStr, CString};

use serde::{Deserialize, Serialize};

use crate::limits::ContainerLimits;
use crate::spec::{NetworkMode, PrivilegeLevel};
use crate::step::{ContainerStep, FileSystem};

/// The permission bits of the stash, which no job sees.
pub(super) const STASH_MODE: u32 = 0o700;

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
    /// nowhere.
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
    /// [`Self::scratch_file_system`]. They share the limit of [`ContainerLimits::scratch_bytes`]
    /// with it.
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
