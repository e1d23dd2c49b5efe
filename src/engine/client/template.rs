//! Templates and job requests, as plain data.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use super::{
    ContainerSpec, DevicePattern, Mount, MountKind, NetworkMode, PrivilegeLevel, RootAccess,
    RootKind, SkeletonEntry,
};
use maelstrom_model::backend::JobPriority;
use maelstrom_model::job::{
    BindAccess, InputPath, Job, JobInputs, OutputPipes, PlacementConstraint, ProcessSpec,
};
use maelstrom_model::policy::JobNeeds;
use maelstrom_wire::session::prepare::LocalTemplate;

/// What many jobs share: a container, an environment and a working directory.
#[derive(Clone, Debug)]
pub struct JobTemplate {
    /// The container. Host paths that it mounts are uploaded unless [`Self::toolbox`] covers them.
    pub container: ContainerSpec,
    pub environment: BTreeMap<OsString, OsString>,
    pub working_directory: PathBuf,
    /// Paths that each worker must provide itself, identical to the local ones; never uploaded.
    pub toolbox: Vec<PathBuf>,
}

impl JobTemplate {
    /// A container whose root is a stack of local directories, the lowest layer first. The root is
    /// writable, and what jobs write to it is discarded.
    pub fn of_directories<P: Into<PathBuf>>(trees: impl IntoIterator<Item = P>) -> JobTemplate {
        JobTemplate::with_root(RootKind::Layers {
            trees: trees.into_iter().map(Into::into).collect(),
            access: RootAccess::Ephemeral,
        })
    }

    /// A container whose root has only these entries, for use as mount points.
    pub fn of_skeleton(entries: impl IntoIterator<Item = SkeletonEntry>) -> JobTemplate {
        JobTemplate::with_root(RootKind::Skeleton(entries.into_iter().collect()))
    }

    fn with_root(root: RootKind) -> JobTemplate {
        JobTemplate {
            container: ContainerSpec {
                root,
                mounts: Vec::new(),
                network: NetworkMode::Loopback,
                hostname: "maelstrom".to_owned(),
                user: 0,
                group: 0,
                privileges: PrivilegeLevel::Ordinary,
                services: Vec::new(),
                devices: Vec::new(),
            },
            environment: BTreeMap::new(),
            working_directory: PathBuf::from("/"),
            toolbox: Vec::new(),
        }
    }

    /// Adds a mount. The mount point must exist in the root: a directory, or for a device or a
    /// file, a file.
    pub fn mount(mut self, mount_point: impl Into<PathBuf>, kind: MountKind) -> JobTemplate {
        self.container.mounts.push(Mount {
            mount_point: mount_point.into(),
            kind,
        });
        self
    }

    /// Mounts a local directory or file read-only. It is uploaded.
    pub fn show(self, source: impl Into<PathBuf>, mount_point: impl Into<PathBuf>) -> JobTemplate {
        self.mount(
            mount_point,
            MountKind::Bind {
                source: source.into(),
                access: BindAccess::ReadOnly,
            },
        )
    }

    /// Sets an environment variable.
    pub fn variable(
        mut self,
        name: impl Into<OsString>,
        value: impl Into<OsString>,
    ) -> JobTemplate {
        self.environment.insert(name.into(), value.into());
        self
    }

    /// Sets the working directory, a path in the container. The default is `/`.
    pub fn working_directory(mut self, directory: impl Into<PathBuf>) -> JobTemplate {
        self.working_directory = directory.into();
        self
    }

    /// Requires workers to provide this path, instead of uploading it.
    pub fn toolbox(mut self, path: impl Into<PathBuf>) -> JobTemplate {
        self.toolbox.push(path.into());
        self
    }

    /// Gives jobs a device of the worker's machine, such as `/dev/kvm`. Only workers that offer it
    /// run them, and a machine runs one job with it at a time.
    pub fn device(mut self, device: DevicePattern) -> JobTemplate {
        self.container.devices.push(device);
        self
    }

    pub(super) fn defined(self) -> TemplateHandle {
        let is_tool = |path: &Path| self.toolbox.iter().any(|tool| path.starts_with(tool));
        let mounts = self.container.mounts.iter();
        let shown = mounts.filter_map(|mount| mount.kind.source());
        let carried = shown
            .filter(|source| !is_tool(source))
            .map(|source| InputPath {
                source: source.clone(),
                ..InputPath::default()
            });
        let inputs = JobInputs {
            carried: carried.collect(),
            toolbox: self.toolbox.clone(),
            ..JobInputs::default()
        };
        TemplateHandle(LocalTemplate {
            container: Arc::new(self.container),
            inputs: Arc::new(inputs),
            environment: Arc::new(self.environment),
            working_directory: Arc::from(self.working_directory),
            resident: None,
        })
    }
}

/// A defined template, which jobs are submitted against. Cheap to clone.
#[derive(Clone, Debug)]
pub struct TemplateHandle(LocalTemplate);

impl TemplateHandle {
    pub(super) fn job(&self, request: JobRequest) -> (Job, JobPriority, LocalTemplate) {
        let common = self.0.clone();
        let mut needs = JobNeeds::default();
        needs.include_devices(&common.container.devices);
        let job = Job {
            container: Arc::clone(&common.container),
            process: Arc::new(ProcessSpec {
                program: Arc::from(request.program.as_os_str()),
                arguments: request.arguments,
                environment: Arc::clone(&common.environment),
                working_directory: Arc::clone(&common.working_directory),
            }),
            resident: None,
            timeout: request.timeout,
            output: OutputPipes::Separate,
            placement: PlacementConstraint::Anywhere(Arc::clone(&common.inputs)),
            grace: None,
            needs,
            additions: Default::default(),
        };
        let rank = JobPriority {
            priority: request.priority,
            estimate: request.estimate,
        };
        (job, rank, common)
    }
}

/// A program to run in a template's container.
#[derive(Clone, Debug)]
pub struct JobRequest {
    /// A path in the container, or a name that is looked up in the template's `PATH`.
    pub program: OsString,
    pub arguments: Vec<OsString>,
    /// How long the job may run before it is stopped; `None` means without limit.
    pub timeout: Option<Duration>,
    pub priority: i8,
    /// The expected duration. Among jobs of equal priority, those without an estimate start first,
    /// then the longest.
    pub estimate: Option<Duration>,
}

impl JobRequest {
    /// Runs this program without arguments, without a timeout and with priority 0.
    pub fn new(program: impl AsRef<OsStr>) -> JobRequest {
        JobRequest {
            program: program.as_ref().to_owned(),
            arguments: Vec::new(),
            timeout: None,
            priority: 0,
            estimate: None,
        }
    }

    /// Appends an argument.
    pub fn argument(mut self, argument: impl Into<OsString>) -> JobRequest {
        self.arguments.push(argument.into());
        self
    }

    /// Sets how long the job may run before it is stopped.
    pub fn timeout(mut self, timeout: Duration) -> JobRequest {
        self.timeout = Some(timeout);
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn devices_of_a_template_count() {
        let device: DevicePattern = "/dev/kvm".parse().unwrap();
        let template = JobTemplate::of_skeleton([]).device(device.clone());
        let (job, _, _) = template
            .device(device)
            .defined()
            .job(JobRequest::new("true"));
        assert_eq!(job.needs.devices, ["/dev/kvm".parse().unwrap()]);
    }
}
