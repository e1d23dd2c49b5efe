//! Jobs, which a backend executes, and the tests that become jobs.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::event::SourceLocation;
use crate::policy::{JobNeeds, TestPolicy};

pub use maelstrom_container::devices::{self, DevicePattern};
pub use maelstrom_container::message::LeakedProcesses;
pub use maelstrom_container::mountinfo;
pub use maelstrom_container::spec::{
    BindAccess, ContainerSpec, DeviceKind, ExitStatus, Mount, MountKind, NetworkMode,
    PrivilegeLevel, ProcessSpec, ResourceUsage, RootAccess, RootKind, ServiceSpec, SkeletonEntry,
    SkeletonKind, WhenForbidden,
};

/// One program to run in one container.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Job {
    /// The container. Shared, because thousands of jobs usually have the same one.
    pub container: Arc<ContainerSpec>,
    pub process: Arc<ProcessSpec>,
    /// A program that, once started in the container, can fork processes equivalent to
    /// [`Self::process`]. A backend may ignore it.
    pub resident: Option<ForkServerSpec>,
    /// The time after which the job gets SIGTERM, and SIGKILL after the grace period.
    pub timeout: Option<Duration>,
    /// The time between SIGTERM and SIGKILL. Without one, the backend's.
    pub grace: Option<Duration>,
    /// What the job needs besides a slot.
    pub needs: JobNeeds,
    /// What is added to the process of this job alone.
    pub additions: ProcessAdditions,
    /// Whether standard output and standard error are separate.
    pub output: OutputPipes,
    /// The machines on which the job can run.
    pub placement: PlacementConstraint,
}

/// The pipes of a job's standard output and standard error.
///
/// The order in which a program wrote to two pipes cannot be determined from the pipes. If both
/// streams are read together, that order matters more than knowing which stream was written to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OutputPipes {
    /// Two pipes: the stream is known, the order between the two is not.
    #[default]
    Separate,
    /// One pipe: all output is read in the order in which it was written, as
    /// [`OutputStream::Joined`](super::event::OutputStream::Joined).
    Joined,
}

/// What is added to the process of one job: the rest of [`ProcessSpec`] is shared by many.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ProcessAdditions {
    /// The variables that tell a test about itself. The run adds them to [`Self::own_variables`].
    pub test_variables: TestVariableSet,
    /// Environment variables of this job alone. They override those of its process, which many jobs
    /// share.
    pub own_variables: Vec<(OsString, OsString)>,
    /// Whether a variable tells the job its slot, too.
    pub tells_slot: bool,
    /// How a job shows what its threads do before it is stopped for its timeout.
    pub stack_dump: StackDumpMethod,
}

/// How a job shows what its threads do before it is stopped for its timeout.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum StackDumpMethod {
    /// It shows nothing.
    #[default]
    None,
    /// Its first process writes the stacks of its threads when it receives this signal, and may end.
    Signal(i32),
    /// The kernel says what each thread waits for.
    Threads,
}

/// The environment variables that tell a test about itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TestVariableSet {
    /// The job is no test, or its process runs several tests.
    #[default]
    None,
    /// Those that begin with `MAELSTROM_TEST_`.
    Own,
    /// The same, and those that nextest sets.
    WithNextest,
}

impl Job {
    /// Returns the fork server's process, if the job has one.
    pub fn forked_by(&self) -> Option<Arc<ProcessSpec>> {
        let resident = self.resident.as_ref()?;
        Some(Arc::clone(&resident.process))
    }
}

/// A program whose forks are equivalent to freshly started processes: see
/// `maelstrom_container::init::fork_server`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ForkServerSpec {
    pub process: Arc<ProcessSpec>,
    /// What happens if it cannot be a fork server.
    pub need: ForkServerNeed,
}

impl ForkServerSpec {
    /// Creates a spec whose failure to start is reported.
    pub fn wanted(process: Arc<ProcessSpec>) -> ForkServerSpec {
        let need = ForkServerNeed::Wanted;
        ForkServerSpec { process, need }
    }
}

/// What happens if a program cannot be a fork server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ForkServerNeed {
    /// The failure is reported once; no retry follows.
    Wanted,
    /// Nothing: the job itself then finds out why.
    Tried,
}

/// The machines on which a job can run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum PlacementConstraint {
    /// Only this machine: the job is part of the local work, or its inputs are not known.
    #[default]
    Here,
    /// Any machine that gets the job's inputs.
    Anywhere(Arc<JobInputs>),
}

/// The host paths in a container that another machine needs. Layers of the root are not listed:
/// they are always sent completely.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct JobInputs {
    /// Directories and files that are sent, with everything below them.
    pub carried: Vec<InputPath>,
    /// Paths that the other machine must have itself, with the same contents.
    pub toolbox: Vec<PathBuf>,
    /// Variables that a specification names: they are sent although they are the caller's.
    pub named: BTreeSet<OsString>,
}

/// A directory or file that is sent to other machines.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct InputPath {
    /// The path on this machine.
    pub source: PathBuf,
    /// Directories below it that are not sent, except for their entries in `built`.
    pub left_out: Vec<PathBuf>,
    /// Files and directories that are sent even if they are left out or ignored by version control.
    pub built: Vec<PathBuf>,
}

/// A test as its framework found it.
#[derive(Clone, Debug)]
pub struct TestCase {
    /// The test's key in the history.
    pub key: TestKey,
    /// The full name on one line, unique in the run.
    pub title: String,
    /// Set for a test that its author ignores: it is reported, not run.
    pub ignored: Option<IgnoredTest>,
    pub job: Job,
    /// How the run handles the test.
    pub policy: Arc<TestPolicy>,
    /// The test's result, if the build has determined it: the test is reported, not run.
    pub known: Option<KnownResult>,
}

/// The result of a test that the build has determined, such as whether an example in the
/// documentation compiles.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KnownResult {
    pub verdict: KnownVerdict,
    /// What the build tool printed about the test.
    pub output: Vec<u8>,
    /// The location in the source where the test failed, if known.
    pub location: Option<SourceLocation>,
}

/// The verdict of the build on a test.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KnownVerdict {
    Passed,
    Failed {
        /// The reason in one line.
        reason: String,
    },
    /// The test cannot be run, for reasons outside of it.
    Error {
        /// What went wrong, and what to do about it.
        message: String,
    },
}

/// Identifies a test across runs: the key of its history. Unique in a run.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TestKey {
    /// The package, module or project.
    pub package: Arc<str>,
    /// The binary or file, such as `cli(test)`.
    pub artifact: Arc<str>,
    /// The test's own name.
    pub name: String,
}

impl TestKey {
    /// Returns whether this is not a test but a location in the source that does not compile: it
    /// has no package. It is listed with the failures and neither counted nor remembered.
    pub fn is_place(&self) -> bool {
        self.package.is_empty()
    }
}

/// A test that is reported, but not run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IgnoredTest {
    /// The reason, if the author gives one.
    pub reason: Option<String>,
}

/// The result of a finished job.
#[derive(Clone, Debug)]
pub struct JobResult {
    /// How the process ended, or why there was none.
    pub end: JobOutcome,
    pub usage: ResourceUsage,
    pub prepared: Duration,
    /// Time from the program's start to its end.
    pub ran: Duration,
    /// The processes that the program left running. They were killed.
    pub leaked: LeakedProcesses,
}

impl JobResult {
    /// Creates the result of a job that never ran.
    pub fn not_run(end: JobOutcome) -> JobResult {
        JobResult {
            end,
            usage: ResourceUsage::default(),
            prepared: Duration::ZERO,
            ran: Duration::ZERO,
            leaked: LeakedProcesses::default(),
        }
    }
}

/// How a job ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum JobOutcome {
    /// The process ended by itself.
    Exited(ExitStatus),
    /// The job was stopped because it exceeded its timeout.
    TimedOut,
    /// The job was stopped on request.
    Cancelled,
    /// The job could not be run or not be followed to its end: an infrastructure failure.
    Error(String),
}
