//! The jobs of a test binary: all of a project's packages share a container definition, and each
//! test has its own process.
//!
//! The test binaries are mounted read-only at [`PLACE`], the only addition of Maelstrom's to the
//! container. Since all packages share one container definition, a container can be reused across
//! packages.

use std::collections::{BTreeSet, HashMap};
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use crate::sandbox::container::facts::{BindDirectory, HostFacts, SharedLibraries, WorkspaceFacts};
use crate::sandbox::container::host_path::HostPath;
use crate::sandbox::container::inputs::{inputs, with_built};
use crate::sandbox::container::workspace::WorkspacePaths;
use crate::sandbox::container::{Toolbox, container, host, mountinfo, workspace};
use crate::sandbox::environment::{announce, go_offline, invoking};
use crate::sandbox::invocation::ProcessEnvironment;
use crate::sandbox::project_spec::{DefaultContainer, ProjectSpec, RunnerProgram, TestContainer};
use maelstrom_engine::libraries::{ElfError, shared_libraries};
use maelstrom_model::error::help_of;
use maelstrom_model::event::IsolationMode;
use maelstrom_model::job::{ContainerSpec, Job, OutputPipes, PlacementConstraint, ProcessSpec};
use maelstrom_model::job::{ProcessAdditions, StackDumpMethod, TestVariableSet};
use nix::sys::signal::Signal;

use super::collector::OfferedBinary;
use super::error::GoError;
use super::listing::LIST;
use super::project::GoProject;
use super::run_pattern::exactly;

/// The mount point of test binaries in a container.
const PLACE: &str = "/run/maelstrom-go-test";

/// Arguments of `go test` for a test binary that are dropped: they select tests or control output,
/// which this program does itself.
const DROPPED: [&str; 9] = [
    "-test.count",
    "-test.failfast",
    "-test.fuzz",
    CORPUS,
    "-test.list",
    "-test.run",
    "-test.skip",
    "-test.testlogfile",
    "-test.v",
];

/// The argument with the directory for the inputs that fuzzing generates.
const CORPUS: &str = "-test.fuzzcachedir";

/// Makes a process run parallel tests one at a time.
const ONE_AT_A_TIME: &str = "-test.parallel=1";
/// The beginning of the word that gives the number of parallel tests.
const PARALLEL: &[u8] = b"-test.parallel=";

/// The argument that selects no test.
const NO_TEST: &str = "-test.run=^$";

/// Runs a program (`$2`), and then prints the inputs that it added to the corpus of a fuzz test
/// (`$1`), because the container discards them.
const SHOW_NEW_INPUTS: &str = r#"
corpus="testdata/fuzz/$1"; shift
known=" $(echo $(ls "$corpus" 2>/dev/null)) "
"$@"; code=$?
for file in $(ls "$corpus" 2>/dev/null); do
    case "$known" in
        *" $file "*) ;;
        *) printf '
%s:
' "$corpus/$file"; cat "$corpus/$file" ;;
    esac
done
exit $code
"#;

/// The argument that makes a test binary write output for [`super::reader`].
const FRAMED: &str = "-test.v=test2json";

/// The containers of a project. With the toolbox there is one; without it there is one for each set
/// of shared libraries.
#[derive(Debug)]
pub struct GoContainers {
    workspace: WorkspaceFacts,
    host: HostFacts,
    toolbox: Toolbox,
    isolation: IsolationMode,
    made: HashMap<(Toolbox, BTreeSet<PathBuf>), Arc<ContainerSpec>>,
    /// The environment variables that the specification file names.
    named: BTreeSet<OsString>,
}

/// The reason why no container can be made for a test binary.
#[derive(Debug, thiserror::Error)]
pub enum GoContainerError {
    /// The shared libraries that it needs cannot be determined.
    #[error("can't be run without the toolbox: {0}; {help}", help = help_of(.0).unwrap_or_default())]
    Libraries(#[from] ElfError),
    /// No container can be made for the project.
    #[error(transparent)]
    Project(#[from] GoError),
}

impl GoContainers {
    /// Gathers the facts about the project and the host that determine the containers.
    pub fn new(project: &GoProject<'_>) -> Result<GoContainers, GoError> {
        let settings = project.settings;
        let (workspace, host) = match settings.common.isolation() {
            IsolationMode::Container => (workspace_facts(project)?, host_facts(project)),
            // Plain processes do not use them.
            IsolationMode::Process => (WorkspaceFacts::default(), HostFacts::default()),
        };
        Ok(GoContainers {
            workspace,
            host,
            toolbox: settings.toolbox,
            isolation: settings.common.isolation(),
            made: HashMap::new(),
            named: project
                .specified
                .map(ProjectSpec::named_variables)
                .unwrap_or_default(),
        })
    }

    /// Returns the container for a test binary.
    pub fn get(&mut self, binary: &Path) -> Result<Arc<ContainerSpec>, GoContainerError> {
        self.with(self.toolbox, binary)
    }

    /// Returns where the tests of a binary can run.
    pub fn placement(&self, binary: &Path) -> PlacementConstraint {
        match self.isolation {
            IsolationMode::Container => {
                let libraries = SharedLibraries {
                    files: self
                        .made
                        .keys()
                        .flat_map(|(_, libraries)| libraries)
                        .filter_map(|library| HostPath::resolve(library).ok())
                        .collect(),
                };
                let mut inputs = inputs(&self.workspace, &self.host, &libraries, &[]);
                inputs.named = self.named.clone();
                PlacementConstraint::Anywhere(Arc::new(with_built(&inputs, &[binary.to_owned()])))
            }
            IsolationMode::Process => PlacementConstraint::Here,
        }
    }

    /// Returns the container for a test binary without this machine's programs.
    pub fn without_toolbox(
        &mut self,
        binary: &Path,
    ) -> Result<Arc<ContainerSpec>, GoContainerError> {
        self.with(Toolbox::Absent, binary)
    }

    fn with(
        &mut self,
        toolbox: Toolbox,
        binary: &Path,
    ) -> Result<Arc<ContainerSpec>, GoContainerError> {
        let libraries = match (toolbox, self.isolation) {
            (Toolbox::Absent, IsolationMode::Container) => {
                shared_libraries(binary, &[])?.into_iter().collect()
            }
            (Toolbox::Present, _) | (Toolbox::Absent, IsolationMode::Process) => BTreeSet::new(),
        };
        let key = (toolbox, libraries);
        if let Some(made) = self.made.get(&key) {
            return Ok(made.clone());
        }
        let files = key.1.iter();
        let files = files.filter_map(|library| HostPath::resolve(library).ok());
        let needed = SharedLibraries {
            files: files.collect(),
        };
        let made = container(&self.workspace, &self.host, toolbox, &needed);
        let made = Arc::new(made.map_err(GoError::from)?);
        self.made.insert(key, made.clone());
        Ok(made)
    }
}

fn workspace_facts(project: &GoProject<'_>) -> Result<WorkspaceFacts, GoError> {
    let home = project.invocation.path_variable("HOME");
    let places = WorkspacePaths {
        root: project.root,
        packages: project.directories,
        built: &[],
        own: &project.own.hidden(),
        home: home.as_deref(),
    };
    let mut facts = workspace::gather(&places, &mountinfo::of_this_host())?;
    workspace::follow_links(&mut facts, &places);
    facts.lent.push(BindDirectory {
        place: PLACE.into(),
        source: project.binaries.to_owned(),
    });
    Ok(facts)
}

fn host_facts(project: &GoProject<'_>) -> HostFacts {
    let mut facts = host::gather(project.invocation, project.toolchain.lent());
    facts
        .caches
        .extend(HostPath::resolve(project.toolchain.cache()).ok());
    facts
}

/// The signal at which Go's runtime writes the stacks of all goroutines, and ends (os/signal).
const GO_STACKS: i32 = Signal::SIGQUIT as i32;

/// The jobs of one package's test binary.
#[derive(Clone, Debug)]
pub struct GoBinaryJobs {
    container: Arc<ContainerSpec>,
    program: Arc<OsStr>,
    environment: Arc<ProcessEnvironment>,
    working_directory: Arc<Path>,
    arguments: Arc<[OsString]>,
    /// The argument with the directory for generated inputs, if Go has set one.
    corpus: Option<OsString>,
    shell: ShellPresence,
    timeout: Option<Duration>,
    placement: PlacementConstraint,
}

/// Whether the container certainly has `/bin/sh`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ShellPresence {
    Present,
    Absent,
}

impl GoBinaryJobs {
    /// Returns the jobs of a test binary at the path `place` in the directory of test binaries.
    pub fn new(
        project: &GoProject<'_>,
        (container, placement): (Arc<ContainerSpec>, PlacementConstraint),
        directory: &Path,
        place: &Path,
        offer: &OfferedBinary,
    ) -> GoBinaryJobs {
        let settings = project.settings;
        let binaries = match settings.common.isolation() {
            IsolationMode::Container => Path::new(PLACE),
            IsolationMode::Process => project.binaries,
        };
        let kept = offer.arguments.iter().filter(|word| !is_dropped(word));
        let mut dropped = offer.arguments.iter().filter(|word| is_dropped(word));
        let corpus = dropped.find(|word| word.to_string_lossy().starts_with(CORPUS));
        GoBinaryJobs {
            container,
            program: binaries.join(place).into_os_string().into(),
            environment: Arc::new(environment(project, directory, offer)),
            working_directory: directory.into(),
            arguments: kept.chain(&settings.extra_arguments).cloned().collect(),
            corpus: corpus.cloned(),
            shell: match (settings.common.isolation(), settings.toolbox) {
                (IsolationMode::Container, Toolbox::Present) => ShellPresence::Present,
                (IsolationMode::Container, Toolbox::Absent) | (IsolationMode::Process, _) => {
                    ShellPresence::Absent
                }
            },
            timeout: settings.timeout,
            placement,
        }
    }

    /// Returns the jobs for tests with the container, environment and limits in `given`.
    pub fn with(&self, given: &TestContainer) -> GoBinaryJobs {
        let program = given.program.as_ref();
        GoBinaryJobs {
            container: given.container.clone(),
            program: program.map_or_else(|| self.program.clone(), |path| path.as_os_str().into()),
            environment: given.environment.clone(),
            working_directory: given.working_directory.clone(),
            arguments: self.arguments.clone(),
            corpus: self.corpus.clone(),
            shell: ShellPresence::Absent,
            timeout: given.timeout,
            placement: self.placement.clone(),
        }
    }

    /// Returns the default container of a test binary's tests. `binary` is its path on the host.
    pub fn standard(
        &self,
        binary: PathBuf,
        without_toolbox: Option<Arc<ContainerSpec>>,
    ) -> DefaultContainer {
        let name = binary.file_name().unwrap_or(OsStr::new("test"));
        let name = name.to_string_lossy().into_owned();
        DefaultContainer {
            container: self.container.clone(),
            without_toolbox,
            environment: self.environment.clone(),
            working_directory: self.working_directory.clone(),
            program: Some(RunnerProgram {
                source: binary,
                name,
            }),
        }
    }

    /// Returns the job that lists the tests.
    pub fn list(&self, timeout: Duration) -> Job {
        Job {
            // Listing is short, and everything waits for it.
            placement: PlacementConstraint::Here,
            // Its stdout is parsed.
            output: OutputPipes::Separate,
            ..self.job(vec![LIST.into()], Some(timeout))
        }
    }

    /// Returns the job that runs the parts of one test that the pattern `run` selects.
    pub fn test(&self, run: &str, skip: Option<&str>) -> Job {
        let mut own = vec![FRAMED.into(), format!("-test.run={run}").into()];
        own.extend(skip.map(|skip| format!("-test.skip={skip}").into()));
        self.job(own, self.timeout)
    }

    /// Returns the job that runs several tests in Go's own order.
    pub fn shared<'n>(&self, names: impl Iterator<Item = &'n str>, skip: Option<&str>) -> Job {
        let names = names.collect::<Vec<_>>().join("|");
        let mut job = self.test(&exactly(&format!("({names})")), skip);
        let process = Arc::make_mut(&mut job.process);
        // Otherwise what parallel tests print is mixed.
        let is_parallel = |word: &OsString| word.as_encoded_bytes().starts_with(PARALLEL);
        process.arguments.retain(|word| !is_parallel(word));
        process.arguments.insert(0, ONE_AT_A_TIME.into());
        job.additions.test_variables = TestVariableSet::None;
        job
    }

    /// Returns whether tests of both can share a process.
    pub fn has_same_place(&self, other: &GoBinaryJobs) -> bool {
        Arc::ptr_eq(&self.container, &other.container)
            && Arc::ptr_eq(&self.environment, &other.environment)
            && self.working_directory == other.working_directory
            && self.program == other.program
    }

    /// Returns the job that runs the benchmarks that the pattern `bench` selects.
    pub fn benchmark(&self, bench: &str, skip: Option<&str>) -> Job {
        let bench = format!("-test.bench={bench}").into();
        let mut own = vec![FRAMED.into(), NO_TEST.into(), bench];
        own.extend(skip.map(|skip| format!("-test.skip={skip}").into()));
        self.job(own, self.timeout)
    }

    /// Returns the job that fuzzes one test.
    pub fn fuzz(&self, name: &str) -> Job {
        let fuzz = format!("-test.fuzz={}", exactly(name)).into();
        let mut own = vec![FRAMED.into(), NO_TEST.into(), fuzz];
        own.extend(self.corpus.clone());
        let job = self.job(own, self.timeout);
        match self.shell {
            ShellPresence::Absent => job,
            ShellPresence::Present => with_new_inputs(job, name),
        }
    }

    fn job(&self, mut arguments: Vec<OsString>, timeout: Option<Duration>) -> Job {
        // The other arguments come last, since the user's may contain one that ends Go's flags.
        arguments.extend(self.arguments.iter().cloned());
        Job {
            placement: self.placement.clone(),
            container: self.container.clone(),
            process: Arc::new(ProcessSpec {
                program: self.program.clone(),
                arguments,
                environment: self.environment.clone(),
                working_directory: self.working_directory.clone(),
            }),
            timeout,
            resident: None,
            output: OutputPipes::Joined,
            grace: None,
            needs: Default::default(),
            additions: ProcessAdditions {
                test_variables: TestVariableSet::Own,
                stack_dump: StackDumpMethod::Signal(GO_STACKS),
                ..ProcessAdditions::default()
            },
        }
    }
}

/// Returns the job that also prints the inputs that a fuzz test finds.
fn with_new_inputs(job: Job, name: &str) -> Job {
    let words = ["-c", SHOW_NEW_INPUTS, "sh", name].map(OsString::from);
    let program = [job.process.program.to_os_string()];
    let all = words.into_iter().chain(program);
    let process = ProcessSpec {
        program: OsStr::new("/bin/sh").into(),
        arguments: all.chain(job.process.arguments.iter().cloned()).collect(),
        environment: job.process.environment.clone(),
        working_directory: job.process.working_directory.clone(),
    };
    Job {
        process: Arc::new(process),
        additions: ProcessAdditions {
            // The shell would get the signal.
            stack_dump: StackDumpMethod::None,
            ..job.additions
        },
        ..job
    }
}

fn is_dropped(word: &OsStr) -> bool {
    let word = word.to_string_lossy();
    let name = word.split('=').next().unwrap_or_default();
    DROPPED.contains(&name)
}

/// Returns the environment that `go test` would set: that of the invocation, with Go's programs on
/// `PATH` and the test's directory as `PWD`.
fn environment(
    project: &GoProject<'_>,
    directory: &Path,
    offer: &OfferedBinary,
) -> ProcessEnvironment {
    let invocation = &project.invocation.environment;
    let mut variables = invoking(invocation, project.settings.common.isolation());
    if let Some(path) = &offer.path {
        variables.insert("PATH".into(), path.clone());
    }
    // As `go test` does. `os.Getwd` returns `PWD` if it is valid, so an inherited one with symbolic
    // links would be its result.
    variables.insert("PWD".into(), directory.into());
    go_offline(&mut variables, project.settings.common.isolation());
    announce(&mut variables);
    variables
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_go_says_about_selection_is_dropped_and_the_rest_kept() {
        let kept = |word: &str| !is_dropped(OsStr::new(word));
        for word in [
            "-test.paniconexit0",
            "-test.timeout=10m0s",
            "-test.short=true",
            "-update",
        ] {
            assert!(kept(word), "{word}");
        }
        for word in [
            "-test.v=true",
            "-test.count=1",
            "-test.run=A",
            "-test.testlogfile=/x",
        ] {
            assert!(!kept(word), "{word}");
        }
    }
}
