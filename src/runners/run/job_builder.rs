//! Builds runnable jobs from their descriptions.
//!
//! A [`JobBuilder`] keeps the layers and images of its jobs from being evicted, and so must outlive
//! them. It caches containers: a stream has thousands of jobs, but few different containers.

use std::cell::RefCell;
use std::collections::{BTreeMap, VecDeque};
use std::ffi::OsString;
use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use miette::Diagnostic;

use crate::sandbox::invocation::Invocation;
use crate::sandbox::project_spec::{
    DefaultContainer, ProjectSpec, ProjectSpecError, TestContainer, stub_of,
};
use maelstrom_engine::layer_cache::{ImageProgressCallback, LayerCacheOptions};
use maelstrom_model::error::ProgramError;
use maelstrom_model::event::UserNotice;
use maelstrom_model::exit_code;
use maelstrom_model::job::{
    DeviceKind, Job, JobInputs, Mount, MountKind, OutputPipes, PlacementConstraint, ProcessSpec,
};
use maelstrom_model::policy::{DeviceNeed, JobNeeds};
use maelstrom_spec::job::JobSpecification;
use maelstrom_spec::{
    ContainerBase, ContainerDefinition, Layer, ResolvedSpec, RunnerLayers, SpecError, SpecResolver,
    TestSpecification, named,
};

use super::default_container::DefaultJobContainer;
use super::options::{JobCommand, NamedJob};

/// The place of a job that the command line defines, for error messages.
const PLACE: &str = "the command line";

/// The maximum number of cached containers.
const KNOWN_MAX: usize = 16;

/// The container of a job, and the host files that it needs on another machine.
type ContainerAndInputs = (TestContainer, Arc<JobInputs>);

/// A callback that is called once for each image that is being downloaded, on any thread.
pub type FetchCallback = Arc<dyn Fn(&str) + Send + Sync>;

/// Builds jobs. See the module documentation.
#[derive(Clone)]
pub struct JobBuilder {
    resolver: SpecResolver,
    specified: Rc<ProjectSpec>,
    inputs: Arc<JobInputs>,
    standard: Rc<DefaultContainer>,
    known: Rc<RefCell<VecDeque<(ResolvedSpec, ContainerAndInputs)>>>,
    tell: FetchCallback,
}

/// The reason why a job cannot be run.
#[derive(Debug, Diagnostic, thiserror::Error)]
pub enum JobBuilderError {
    /// The specification of its container is contradictory.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Specification(#[from] SpecError),
    /// Its container is invalid or unavailable.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Container(#[from] ProjectSpecError),
}

impl ProgramError for JobBuilderError {
    /// If there is no other job.
    fn exit_code(&self) -> u8 {
        match self {
            JobBuilderError::Specification(_) => exit_code::USAGE,
            JobBuilderError::Container(error) => error.exit_code(),
        }
    }
}

impl std::fmt::Debug for JobBuilder {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("JobBuilder").finish_non_exhaustive()
    }
}

impl JobBuilder {
    /// Returns a builder for the jobs of an invocation of this program.
    pub fn new(
        invocation: &Invocation,
        surroundings: DefaultJobContainer,
        sources: LayerCacheOptions,
        tell: FetchCallback,
    ) -> JobBuilder {
        JobBuilder {
            resolver: SpecResolver::new(TestSpecification::default(), None, RunnerLayers::None),
            specified: Rc::new(ProjectSpec::without_file(sources, &invocation.environment)),
            standard: Rc::new(DefaultContainer {
                container: surroundings.container,
                without_toolbox: None,
                environment: surroundings.environment,
                working_directory: surroundings.working_directory.into(),
                program: None,
            }),
            inputs: surroundings.inputs,
            known: Rc::default(),
            tell,
        }
    }

    /// Returns a warning about the isolation of the jobs so far, if one is due.
    pub fn notice(&self) -> Option<UserNotice> {
        self.specified.notice()
    }

    /// Defines named containers for the following jobs.
    pub fn define(&mut self, containers: BTreeMap<String, ContainerDefinition>) {
        self.resolver.define(containers);
    }

    /// Returns the job that the command line defines. Adds the mount points of its mounts.
    pub async fn named(&self, job: &NamedJob) -> Result<Job, JobBuilderError> {
        let mut container = job.container.clone();
        let missing = container
            .mounts
            .iter()
            .map(|own| &own.mount)
            .filter(|mount| self.is_to_be_made(&container.base, mount));
        let stubs: Vec<String> = missing.map(stub).collect();
        if !stubs.is_empty() {
            container.layers.push(Layer::Stubs { stubs });
        }
        let resolved = self
            .resolver
            .resolve_container(container, PLACE, job.timeout)?;
        self.make(resolved, PLACE, &job.command, &job.devices).await
    }

    /// Returns a job of an input, with `command` in place of its program if given.
    pub async fn job(
        &self,
        job: &JobSpecification,
        command: Option<&JobCommand>,
    ) -> Result<Job, JobBuilderError> {
        let resolved = self.resolver.resolve_job(job)?;
        let own = || JobCommand {
            program: job.program.clone().into(),
            arguments: job.arguments.iter().map(OsString::from).collect(),
        };
        let command = command.cloned().unwrap_or_else(own);
        self.make(resolved, &job.place, &command, &job.devices)
            .await
    }

    /// Returns whether the mount point of `mount` has to be created. Below another mount, nothing
    /// can be created.
    fn is_to_be_made(&self, base: &ContainerBase, mount: &Mount) -> bool {
        match base {
            ContainerBase::Nothing | ContainerBase::Image { .. } => true,
            ContainerBase::Parent { .. } => {
                let mut mounts = self.standard.container.mounts.iter();
                !mounts.any(|known| mount.mount_point.starts_with(&known.mount_point))
            }
        }
    }

    async fn make(
        &self,
        resolved: ResolvedSpec,
        place: &str,
        command: &JobCommand,
        devices: &[DeviceNeed],
    ) -> Result<Job, JobBuilderError> {
        let (given, inputs) = self.give(resolved, place).await?;
        let mut container = given.container;
        if !devices.is_empty() {
            let names = devices.iter().map(|need| need.device.clone());
            Arc::make_mut(&mut container).devices = names.collect();
        }
        Ok(Job {
            placement: PlacementConstraint::Anywhere(inputs),
            container,
            process: Arc::new(ProcessSpec {
                program: command.program.as_os_str().into(),
                arguments: command.arguments.clone(),
                environment: given.environment,
                working_directory: given.working_directory,
            }),
            resident: None,
            timeout: given.timeout,
            output: OutputPipes::Separate,
            grace: None,
            needs: JobNeeds {
                devices: devices.to_vec(),
                ..JobNeeds::default()
            },
            additions: Default::default(),
        })
    }

    async fn give(
        &self,
        resolved: ResolvedSpec,
        place: &str,
    ) -> Result<ContainerAndInputs, ProjectSpecError> {
        let known = self.known.borrow().iter().find_map(|(known, made)| {
            let is_known = *known == resolved;
            is_known.then(|| made.clone())
        });
        if let Some(made) = known {
            return Ok(made);
        }
        let watcher = |uri: &str| once(Arc::clone(&self.tell), uri);
        let given = self
            .specified
            .give_resolved(&resolved, place, &self.standard, &watcher)
            .await?;
        let named = named(&resolved.environment);
        let inputs = match named.is_empty() {
            true => Arc::clone(&self.inputs),
            false => Arc::new(JobInputs {
                named,
                ..JobInputs::clone(&self.inputs)
            }),
        };
        let made = (given, inputs);
        let mut known = self.known.borrow_mut();
        known.push_front((resolved, made.clone()));
        known.truncate(KNOWN_MAX);
        Ok(made)
    }
}

/// Returns the stub for a mount point: a file for a file, otherwise a directory.
fn stub(mount: &Mount) -> String {
    let stub = stub_of(&mount.mount_point.to_string_lossy());
    match &mount.kind {
        MountKind::Bind { source, .. } if is_file(source) => stub,
        MountKind::Device(device) if *device != DeviceKind::Shm => stub,
        _ => format!("{stub}/"),
    }
}

fn is_file(path: &Path) -> bool {
    path.metadata().is_ok_and(|metadata| !metadata.is_dir())
}

/// Returns a callback that calls `tell` once when an image is being downloaded.
fn once(tell: FetchCallback, uri: &str) -> ImageProgressCallback {
    let (uri, told) = (uri.to_owned(), AtomicBool::new(false));
    Arc::new(move |_| {
        if !told.swap(true, Ordering::Relaxed) {
            tell(&uri);
        }
    })
}
