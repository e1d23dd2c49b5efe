//! What jobs of a client are, in plain data.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use super::{
    ContainerSpec, Mount, MountKind, NetworkMode, PrivilegeLevel, RootAccess, RootKind,
    SkeletonEntry,
};
use maelstrom_model::backend::JobPriority;
use maelstrom_model::job::{
    BindAccess, InputPath, Job, JobInputs, OutputPipes, PlacementConstraint, ProcessSpec,
};
use maelstrom_wire::session::prepare::LocalTemplate;

/// What many jobs have in common: a container, and how programs start in it.
#[derive(Clone, Debug)]
pub struct JobTemplate {
    /// The container. Host paths that it shows and that nobody else has spoken of go along.
    pub container: ContainerSpec,
    pub environment: BTreeMap<OsString, OsString>,
    pub working_directory: PathBuf,
    /// Paths that the workers must have themselves, the same as this machine; they are not sent.
    pub toolbox: Vec<PathBuf>,
}

impl JobTemplate {
    /// A container of these directories of this machine, stacked, the lowest first. Jobs may write to
    /// it, and what they write is thrown away.
    pub fn of_directories<P: Into<PathBuf>>(trees: impl IntoIterator<Item = P>) -> JobTemplate {
        JobTemplate::with_root(RootKind::Layers {
            trees: trees.into_iter().map(Into::into).collect(),
            access: RootAccess::Ephemeral,
        })
    }

    /// A container with nothing but these entries, to be mounted on.
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
            },
            environment: BTreeMap::new(),
            working_directory: PathBuf::from("/"),
            toolbox: Vec::new(),
        }
    }

    /// Mounts something over the root, where one of its directories must have a directory (or, for a
    /// device or a file, a file) to mount on.
    pub fn mount(mut self, mount_point: impl Into<PathBuf>, kind: MountKind) -> JobTemplate {
        self.container.mounts.push(Mount {
            mount_point: mount_point.into(),
            kind,
        });
        self
    }

    /// Shows a directory or file of this machine, read-only. It is uploaded.
    pub fn show(self, source: impl Into<PathBuf>, mount_point: impl Into<PathBuf>) -> JobTemplate {
        self.mount(
            mount_point,
            MountKind::Bind {
                source: source.into(),
                access: BindAccess::ReadOnly,
            },
        )
    }

    /// Sets a variable.
    pub fn variable(
        mut self,
        name: impl Into<OsString>,
        value: impl Into<OsString>,
    ) -> JobTemplate {
        self.environment.insert(name.into(), value.into());
        self
    }

    /// Starts programs here.
    pub fn working_directory(mut self, directory: impl Into<PathBuf>) -> JobTemplate {
        self.working_directory = directory.into();
        self
    }

    /// Expects this path on the workers instead of sending it.
    pub fn toolbox(mut self, path: impl Into<PathBuf>) -> JobTemplate {
        self.toolbox.push(path.into());
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

/// A template that jobs can be submitted against. Cheap to clone.
#[derive(Clone, Debug)]
pub struct TemplateHandle(LocalTemplate);

impl TemplateHandle {
    pub(super) fn job(&self, request: JobRequest) -> (Job, JobPriority, LocalTemplate) {
        let common = self.0.clone();
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
        };
        let rank = JobPriority {
            priority: request.priority,
            estimate: request.estimate,
        };
        (job, rank, common)
    }
}

/// A program to run.
#[derive(Clone, Debug)]
pub struct JobRequest {
    /// A path in the container, or a name that `PATH` of the template finds.
    pub program: OsString,
    pub arguments: Vec<OsString>,
    /// After this long it is stopped.
    pub timeout: Option<Duration>,
    pub priority: i8,
    /// How long it is expected to take: the unknown and the longest start first.
    pub estimate: Option<Duration>,
}

impl JobRequest {
    /// This program, without arguments.
    pub fn new(program: impl AsRef<OsStr>) -> JobRequest {
        JobRequest {
            program: program.as_ref().to_owned(),
            arguments: Vec::new(),
            timeout: None,
            priority: 0,
            estimate: None,
        }
    }

    /// With one more argument.
    pub fn argument(mut self, argument: impl Into<OsString>) -> JobRequest {
        self.arguments.push(argument.into());
        self
    }

    /// Stopped after this long.
    pub fn timeout(mut self, timeout: Duration) -> JobRequest {
        self.timeout = Some(timeout);
        self
    }
}
