//! Jobs, which a backend executes, and the tests that become jobs.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

pub use maelstrom_container::mountinfo;
pub use maelstrom_container::spec::{
    BindAccess, ContainerSpec, DeviceKind, ExitStatus, Mount, MountKind, NetworkMode,
    PrivilegeLevel, ProcessSpec, ResourceUsage, RootAccess, RootKind, SkeletonEntry, SkeletonKind,
    WhenForbidden,
};

/// One program to run in one container.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Job {
    /// The container. Shared, since thousands of jobs usually have one.
    pub container: Arc<ContainerSpec>,
    pub process: Arc<ProcessSpec>,
    /// A program that, once it has started in the container, can fork a process that is as good as
    /// [`Self::process`]. A backend may do without.
    pub resident: Option<ForkServerSpec>,
    /// After this long it gets SIGTERM, and after the grace period SIGKILL.
    pub timeout: Option<Duration>,
    /// How its standard output and its standard error are told apart.
    pub output: OutputPipes,
    /// On which machines it can run.
    pub placement: PlacementConstraint,
}

/// What a job's standard output and standard error are.
///
/// The order in which a program wrote to two pipes cannot be told from the pipes. Where somebody
/// reads both together, that order matters more than which was which.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OutputPipes {
    /// A pipe each: which stream was written to is known, and the order between the two is not.
    #[default]
    Separate,
    /// One pipe: everything comes in the order in which it was written, as
    /// [`OutputStream::Joined`](super::event::OutputStream::Joined).
    Joined,
}

impl Job {
    /// The program that may fork it, if there is one.
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
    /// What it means if it turns out that there can't be one.
    pub need: ForkServerNeed,
}

impl ForkServerSpec {
    /// One whose failure to start is reported.
    pub fn wanted(process: Arc<ProcessSpec>) -> ForkServerSpec {
        let need = ForkServerNeed::Wanted;
        ForkServerSpec { process, need }
    }
}

/// What it means if a program can't fork what is wanted of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ForkServerNeed {
    /// It is reported once, and not tried again.
    Wanted,
    /// Nothing: the job finds out why itself.
    Tried,
}

/// On which machines a job can run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum PlacementConstraint {
    /// On this one alone: it is part of the work here, or nobody knows what it would need
    /// elsewhere.
    #[default]
    Here,
    /// On any that is given its inputs.
    Anywhere(Arc<JobInputs>),
}

/// What a machine elsewhere needs of the host paths that a container shows. Layers of the root need
/// no mention: they go along whole.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct JobInputs {
    /// Directories and files that are sent along, and what lies below them.
    pub carried: Vec<InputPath>,
    /// What the other machine must have itself, the same as here.
    pub toolbox: Vec<PathBuf>,
    /// Variables that a specification names: they go along although they are the caller's.
    pub named: BTreeSet<OsString>,
}

/// A directory that is sent along, or a file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct InputPath {
    /// Where it is on this machine.
    pub source: PathBuf,
    /// Directories below it that stay, apart from what is built.
    pub left_out: Vec<PathBuf>,
    /// Files and directories, wherever they are, that go along although they are left out or the
    /// version control ignores them.
    pub built: Vec<PathBuf>,
}

/// A test as its framework found it.
#[derive(Clone, Debug)]
pub struct TestCase {
    /// What it is called.
    pub key: TestKey,
    /// The whole name on one line, unique in the run.
    pub title: String,
    /// Why it is only to be reported, when its author ignores it.
    pub ignored: Option<IgnoredTest>,
    pub job: Job,
}

/// Names a test through all its runs: the key of its history. Unique in a run.
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
    /// Whether this is no test but a place in the source that does not compile: it has no package.
    /// It is listed with the failures and neither counted nor remembered.
    pub fn is_place(&self) -> bool {
        self.package.is_empty()
    }
}

/// A test that is listed, not run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IgnoredTest {
    /// Why, if its author said so.
    pub reason: Option<String>,
}

/// The result of a finished job.
#[derive(Clone, Debug)]
pub struct JobResult {
    /// How its process ended, or why there was none.
    pub end: JobOutcome,
    pub usage: ResourceUsage,
    pub prepared: Duration,
    /// From the program's start to its end.
    pub ran: Duration,
}

impl JobResult {
    /// Of a job that never ran.
    pub fn not_run(end: JobOutcome) -> JobResult {
        JobResult {
            end,
            usage: ResourceUsage::default(),
            prepared: Duration::ZERO,
            ran: Duration::ZERO,
        }
    }
}

/// How a job ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum JobOutcome {
    /// Its process ended by itself.
    Exited(ExitStatus),
    /// It was stopped for taking longer than its timeout.
    TimedOut,
    /// It was stopped because somebody asked.
    Cancelled,
    /// It could not be run or not be followed to its end: an infrastructure failure.
    Error(String),
}
