//! The jobs of a test binary: all tests share a container definition, and each test has its own
//! process.

use std::collections::{BTreeSet, HashMap};
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use crate::sandbox::container::facts::{HostFacts, SharedLibraries, WorkspaceFacts};
use crate::sandbox::container::host_path::HostPath;
use crate::sandbox::container::inputs::{inputs, with_built};
use crate::sandbox::container::workspace::WorkspacePaths;
use crate::sandbox::container::{Toolbox, container, host, mountinfo, workspace};
use crate::sandbox::invocation::ProcessEnvironment;
use crate::sandbox::project_spec::{DefaultContainer, ProjectSpec, RunnerProgram, TestContainer};
use maelstrom_model::event::IsolationMode;
use maelstrom_model::job::{
    ContainerSpec, Job, JobInputs, OutputPipes, PlacementConstraint, ProcessSpec,
};
use maelstrom_model::job::{ProcessAdditions, StackDumpMethod, TestVariableSet};

use super::doctests::NUMBER;
use super::error::CargoError;
use super::listing::LIST;
use super::metadata::CargoPackage;
use super::project::CargoProject;
use super::target::{TestBinary, TestHarness};
use super::toolchain;

/// The arguments that make a test binary run one test and not capture its output.
const ONE_TEST: [&str; 2] = ["--exact", "--nocapture"];

/// Keeps libtest from determining the number of processors: it reads the control groups and every
/// mount of the container, which takes longer than many tests. With more than one thread, libtest
/// prints a test's name after running it.
const THREADS: &str = "--test-threads=2";

/// Makes a process run its tests one after another, so that their output can be told apart.
const ONE_THREAD: &str = "--test-threads=1";

/// Makes a process run also those of the named tests that are marked as ignored: no other is named.
const INCLUDE_IGNORED: &str = "--include-ignored";

/// Makes a process write no colors.
const PLAIN: &str = "--color=never";

/// The argument after which a test binary takes every argument as a test name.
const NAMES_FOLLOW: &str = "--";

/// The containers of a project's tests. With the toolbox there is one for all binaries; it is
/// replaced when a directory of sources outside the workspace appears during the build. Without the
/// toolbox there is one for each set of shared libraries.
#[derive(Debug)]
pub struct CargoContainers {
    sources: BTreeSet<PathBuf>,
    made: HashMap<(Toolbox, BTreeSet<PathBuf>), Arc<ContainerSpec>>,
    host: Option<HostFacts>,
    /// The host files that the containers made so far need on other machines.
    inputs: JobInputs,
}

impl CargoContainers {
    /// Returns the containers of a workspace, with the directories of its packages.
    pub fn new(project: &CargoProject<'_>) -> CargoContainers {
        let packages = project.workspace.packages.iter();
        CargoContainers {
            sources: packages
                .map(|package| package.directory().as_std_path().to_owned())
                .collect(),
            made: HashMap::new(),
            host: None,
            inputs: JobInputs {
                named: project
                    .specified
                    .map(ProjectSpec::named_variables)
                    .unwrap_or_default(),
                ..JobInputs::default()
            },
        }
    }

    /// Adds a directory of sources to all containers that are returned from now on.
    pub fn add_sources(&mut self, directory: PathBuf) {
        if self.sources.insert(directory) {
            self.made.clear();
        }
    }

    /// Returns the current container for programs that need these shared libraries. Creates it if
    /// necessary.
    pub fn get(
        &mut self,
        project: &CargoProject<'_>,
        toolbox: Toolbox,
        libraries: BTreeSet<PathBuf>,
    ) -> Result<Arc<ContainerSpec>, CargoError> {
        let key = (toolbox, libraries);
        if let Some(made) = self.made.get(&key) {
            return Ok(made.clone());
        }
        let container = Arc::new(self.make(project, toolbox, &key.1)?);
        self.made.insert(key, container.clone());
        Ok(container)
    }

    /// Returns those of `paths` that no container shows yet.
    pub fn outside(
        &mut self,
        project: &CargoProject<'_>,
        paths: impl IntoIterator<Item = PathBuf>,
    ) -> BTreeSet<PathBuf> {
        match project.settings.common.isolation() {
            IsolationMode::Container => {}
            IsolationMode::Process => return BTreeSet::new(),
        }
        let host = self.host.get_or_insert_with(|| host_facts(project));
        let root = project.workspace.root.as_std_path().to_owned();
        let built = built_directories(project);
        let own: Vec<PathBuf> = built.into_iter().chain([root]).collect();
        let toolbox = host.toolbox.iter().chain(&host.caches);
        let toolbox = toolbox.map(|path| path.canonical.as_path());
        let sources = self.sources.iter().chain(&own).map(PathBuf::as_path);
        let shown: Vec<&Path> = toolbox.chain(sources).collect();
        let home = project.invocation.path_variable("HOME");
        let is_outside = |path: &PathBuf| {
            let real = path.canonicalize().unwrap_or_else(|_| path.clone());
            let holds_home = home.as_ref().is_some_and(|home| home.starts_with(&real));
            // A symbolic link must be shown both at its own path and at its target's.
            let is_shown = shown
                .iter()
                .any(|place| real.starts_with(place) && path.starts_with(place));
            !holds_home && !is_shown && real.parent().is_some()
        };
        paths.into_iter().filter(is_outside).collect()
    }

    /// Returns where jobs in these containers can run, if they need these build outputs in addition
    /// to the sources.
    pub fn placement(&self, isolation: IsolationMode, built: &[PathBuf]) -> PlacementConstraint {
        match isolation {
            IsolationMode::Container => {
                PlacementConstraint::Anywhere(Arc::new(with_built(&self.inputs, built)))
            }
            IsolationMode::Process => PlacementConstraint::Here,
        }
    }

    fn make(
        &mut self,
        project: &CargoProject<'_>,
        toolbox: Toolbox,
        libraries: &BTreeSet<PathBuf>,
    ) -> Result<ContainerSpec, CargoError> {
        let settings = project.settings;
        let libraries = SharedLibraries {
            files: libraries
                .iter()
                .filter_map(|library| HostPath::resolve(library).ok())
                .collect(),
        };
        match settings.common.isolation() {
            IsolationMode::Container => {}
            // A plain process does not use it.
            IsolationMode::Process => {
                let (workspace, host) = (WorkspaceFacts::default(), HostFacts::default());
                let made = container(&workspace, &host, toolbox, &libraries);
                return Ok(made?);
            }
        }
        let host = match self.host.take() {
            Some(known) => known,
            None => host_facts(project),
        };
        let workspace = self.workspace_facts(project)?;
        let made = container(&workspace, &host, toolbox, &libraries);
        let built = built_directories(project);
        let inputs = inputs(&workspace, &host, &libraries, &built);
        // Jobs in earlier containers may still run, so their inputs stay.
        for carried in inputs.carried {
            if !self.inputs.carried.contains(&carried) {
                self.inputs.carried.push(carried);
            }
        }
        self.inputs.toolbox = inputs.toolbox;
        self.host = Some(host);
        Ok(made?)
    }

    fn workspace_facts(&self, project: &CargoProject<'_>) -> Result<WorkspaceFacts, CargoError> {
        let packages: Vec<PathBuf> = self.sources.iter().cloned().collect();
        let workspace = project.workspace;
        let built = built_directories(project);
        let home = project.invocation.path_variable("HOME");
        let places = WorkspacePaths {
            root: workspace.root.as_std_path(),
            packages: &packages,
            built: &built,
            own: &[workspace.own_directory()],
            home: home.as_deref(),
        };
        let mut facts = workspace::gather(&places, &mountinfo::of_this_host())?;
        workspace::follow_links(&mut facts, &places);
        Ok(facts)
    }
}

/// Gathers what a project's containers show of this machine.
fn host_facts(project: &CargoProject<'_>) -> HostFacts {
    let lent = toolchain::lent(project.toolchain);
    let mut facts = host::gather(project.invocation, lent);
    let downloads = toolchain::downloads(project.toolchain);
    let downloads = downloads.filter_map(|path| HostPath::resolve(&path).ok());
    let mounts = mountinfo::of_this_host();
    // The kernel does not accept a directory that contains mounts of the host for an overlay.
    let (caches, others): (Vec<_>, Vec<_>) =
        downloads.partition(|path| mountinfo::below(&mounts, &path.canonical).is_empty());
    facts.caches.extend(caches);
    facts.toolbox.extend(others);
    facts
}

/// Returns the target directory and the build directory.
fn built_directories(project: &CargoProject<'_>) -> [PathBuf; 2] {
    let workspace = project.workspace;
    [&workspace.target_directory, &workspace.build_directory]
        .map(|directory| directory.as_std_path().to_owned())
}

/// The jobs of one test binary.
#[derive(Clone, Debug)]
pub struct CargoBinaryJobs {
    container: Arc<ContainerSpec>,
    /// The command that starts the program, or nothing to start it directly.
    runner: Arc<[OsString]>,
    program: Arc<OsStr>,
    harness: TestHarness,
    environment: Arc<ProcessEnvironment>,
    working_directory: Arc<Path>,
    extra_arguments: Arc<[OsString]>,
    /// The arguments that select tests, for binaries whose harness is libtest.
    selection: Arc<[OsString]>,
    timeout: Option<Duration>,
}

impl CargoBinaryJobs {
    /// Returns the jobs of a package's test binary.
    pub fn new(
        project: &CargoProject<'_>,
        container: Arc<ContainerSpec>,
        package: &CargoPackage,
        binary: &TestBinary,
        environment: Arc<ProcessEnvironment>,
    ) -> CargoBinaryJobs {
        CargoBinaryJobs {
            container,
            environment,
            runner: project.runner.into(),
            harness: binary.harness,
            program: OsStr::new(binary.executable.as_str()).into(),
            working_directory: package.directory().as_std_path().into(),
            selection: match binary.harness {
                TestHarness::Libtest => {
                    let ignored = project.settings.ignored.to_argument();
                    let names = project.settings.names.to_arguments();
                    ignored.into_iter().chain(names).collect()
                }
                TestHarness::Own => Arc::default(),
            },
            extra_arguments: project.settings.extra_arguments.as_slice().into(),
            timeout: project.settings.timeout,
        }
    }

    /// Returns the jobs for tests with the container, environment and limits in `given`.
    pub fn with(&self, given: &TestContainer) -> CargoBinaryJobs {
        let program = given.program.as_ref();
        CargoBinaryJobs {
            container: given.container.clone(),
            runner: self.runner.clone(),
            harness: self.harness,
            program: program.map_or_else(|| self.program.clone(), |path| path.as_os_str().into()),
            environment: given.environment.clone(),
            working_directory: given.working_directory.clone(),
            extra_arguments: self.extra_arguments.clone(),
            selection: self.selection.clone(),
            timeout: given.timeout,
        }
    }

    /// Returns the default container of a binary's tests.
    pub fn standard(
        &self,
        binary: &TestBinary,
        without_toolbox: Option<Arc<ContainerSpec>>,
    ) -> DefaultContainer {
        let source = binary.executable.as_std_path().to_owned();
        let name = binary.executable.file_name().unwrap_or("test").to_owned();
        DefaultContainer {
            container: self.container.clone(),
            without_toolbox,
            environment: self.environment.clone(),
            working_directory: self.working_directory.clone(),
            program: Some(RunnerProgram { source, name }),
        }
    }

    /// Returns the job that lists the tests, or those that `which` selects.
    pub fn list(&self, which: &[&str], timeout: Duration) -> Job {
        let arguments = LIST.iter().chain(which).map(OsString::from).collect();
        Job {
            // Its stdout is parsed.
            output: OutputPipes::Separate,
            ..self.job(arguments, Some(timeout))
        }
    }

    /// Returns the job that runs one test.
    pub fn test(&self, name: &str, which: &[&str]) -> Job {
        let mut arguments: Vec<OsString> =
            ONE_TEST.iter().chain(which).map(OsString::from).collect();
        match self.harness {
            TestHarness::Libtest => arguments.push(THREADS.into()),
            TestHarness::Own => {}
        }
        arguments.extend(self.extra_arguments.iter().cloned());
        // Only if necessary: a project's own `main` may not know this argument.
        if name.starts_with('-') {
            arguments.push(NAMES_FOLLOW.into());
        }
        arguments.push(name.into());
        let mut job = self.job(arguments, self.timeout);
        job.additions.test_variables = TestVariableSet::WithNextest;
        job
    }

    /// Returns the job that runs several tests of libtest's, one after another.
    pub fn shared<'n>(&self, names: impl Iterator<Item = &'n str>) -> Job {
        let mut arguments: Vec<OsString> = ONE_TEST.map(OsString::from).to_vec();
        arguments.extend([INCLUDE_IGNORED.into(), ONE_THREAD.into()]);
        let mut extra = self.extra_arguments.iter();
        while let Some(word) = extra.next() {
            // Colors would be among what tells the tests apart.
            match word.to_str() {
                Some("--color") => drop(extra.next()),
                Some(word) if word.starts_with("--color=") => {}
                Some(_) | None => arguments.push(word.clone()),
            }
        }
        arguments.extend([PLAIN.into(), NAMES_FOLLOW.into()]);
        arguments.extend(names.map(OsString::from));
        self.job(arguments, self.timeout)
    }

    /// Returns whether tests of both can share a process.
    pub fn has_same_place(&self, other: &CargoBinaryJobs) -> bool {
        Arc::ptr_eq(&self.container, &other.container)
            && Arc::ptr_eq(&self.environment, &other.environment)
            && self.working_directory == other.working_directory
            && self.program == other.program
    }

    /// Returns the job that runs the whole program.
    pub fn whole(&self) -> Job {
        let arguments = [&*self.extra_arguments, &*self.selection].concat();
        self.job(arguments, self.timeout)
    }

    /// Returns the job that runs a doctest, by its number if the program contains several.
    pub fn doctest(&self, number: Option<u32>) -> Job {
        let mut job = self.job(Vec::new(), self.timeout);
        job.additions.test_variables = TestVariableSet::Own;
        if let Some(number) = number {
            let mut environment = (*self.environment).clone();
            environment.insert(NUMBER.into(), number.to_string().into());
            job.process = Arc::new(ProcessSpec {
                environment: Arc::new(environment),
                ..(*job.process).clone()
            });
        }
        job
    }

    fn job(&self, arguments: Vec<OsString>, timeout: Option<Duration>) -> Job {
        let (program, arguments) = match self.runner.split_first() {
            None => (self.program.clone(), arguments),
            Some((runner, words)) => {
                let words = words.iter().cloned().chain([(*self.program).to_owned()]);
                (runner.as_os_str().into(), words.chain(arguments).collect())
            }
        };
        Job {
            // A listing runs on this machine. Tests get their placement when they are handed over
            // to the engine: only then is it known which build outputs they need.
            placement: PlacementConstraint::Here,
            container: self.container.clone(),
            process: Arc::new(ProcessSpec {
                program,
                arguments,
                environment: self.environment.clone(),
                working_directory: self.working_directory.clone(),
            }),
            resident: None,
            timeout,
            output: OutputPipes::Joined,
            grace: None,
            needs: Default::default(),
            additions: ProcessAdditions {
                stack_dump: StackDumpMethod::Threads,
                ..ProcessAdditions::default()
            },
        }
    }
}
