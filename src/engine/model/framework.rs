//! The trait that every test framework implements: the engine and the user interfaces know only
//! this.
//!
//! Discovery and test execution overlap: while [`Framework::discover`] is running,
//! [`Framework::failure_location`] is called for the first failures, so both borrow the framework
//! shared.
//!
//! A framework knows nothing of slots, order, repeats or cancellation. Dropping a discovery cancels
//! it, and everything it started (a build, say) must end with the future.

use std::future::Future;
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::error::ProgramError;
use super::event::{EventKind, ExitStatus, OutputStream, SourceLocation, TestOutcome, UserNotice};
use super::job::{Job, JobResult, TestCase, TestKey};
use crate::backend::TestGroupMember;

/// Builds a project's tests, lists them, and reads what they say.
pub trait Framework {
    /// Why discovery failed.
    type Error: ProgramError;

    /// Builds and lists, telling `host` of each thing as soon as it is known, so that the tests of
    /// the first binary run while the second is still being built.
    ///
    /// An error means that the run is pointless (the build failed): tests that have not started
    /// will not. Trouble with one test binary alone is no such error: it goes to
    /// [`FrameworkHost::broken`], so that the others' results are not lost.
    fn discover<H: FrameworkHost>(
        &self,
        host: &H,
    ) -> impl Future<Output = Result<DiscoverySummary, Self::Error>>;

    /// Where in the source a test failed, from the end of what it wrote.
    fn failure_location(&self, stdout: &[u8], stderr: &[u8]) -> Option<SourceLocation>;

    /// What became of a test whose process ended by itself, from the ends of what it wrote. Unless
    /// a framework knows better, its exit status says everything.
    fn read(&self, status: ExitStatus, stdout: &[u8], stderr: &[u8]) -> OutputAnalysis {
        OutputAnalysis {
            judgement: FrameworkVerdict::ByStatus,
            location: match status {
                ExitStatus::Code(0) => None,
                ExitStatus::Code(_) | ExitStatus::Signal { .. } => {
                    self.failure_location(stdout, stderr)
                }
            },
            parts: Vec::new(),
        }
    }

    /// Whether a file is the project's own, so that whoever has tests change it wants to keep that.
    fn is_own(&self, _path: &Path) -> bool {
        false
    }

    /// The parser of one attempt's output. Without one, all output is shown and [`Framework::read`]
    /// judges it; a parser does both.
    fn follow(&self, _test: &TestKey) -> Option<Box<dyn OutputParser>> {
        None
    }

    /// With which others a test runs in one process, if it does: they have the same job.
    fn together(&self, _test: &TestKey) -> Option<TestGroupMember> {
        None
    }

    /// What there is to say of a round's tests as a whole. It is asked once, at the round's end.
    fn conclusions(&self) -> Vec<UserNotice> {
        Vec::new()
    }
}

/// Parses the output of one attempt as it is written.
pub trait OutputParser {
    /// Takes in what was written; returns what of it, and of what was held back, is for a person.
    fn wrote(&mut self, stream: OutputStream, bytes: Vec<u8>) -> Vec<u8>;

    /// The attempt is over. There is a status if its process ended by itself.
    fn ended(&mut self, status: Option<ExitStatus>) -> ParsedOutput;
}

/// The result of an [`OutputParser`] at the end.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ParsedOutput {
    /// What was held back of a stream, and is for a person after all.
    pub held: Option<(OutputStream, Vec<u8>)>,
    /// The analysis of the output.
    pub reading: OutputAnalysis,
}

/// What a framework reads in the output of a test whose process ended by itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OutputAnalysis {
    /// How the test did.
    pub judgement: FrameworkVerdict,
    /// Where in the source it failed, if that can be told.
    pub location: Option<SourceLocation>,
    /// Its parts, in the order in which they ended.
    pub parts: Vec<SubtestReport>,
}

/// How a test did whose process ended by itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum FrameworkVerdict {
    /// As the exit status says: 0 is a pass.
    #[default]
    ByStatus,
    /// It failed, whatever the exit status.
    Failed {
        /// What there is to say of it in one line.
        reason: Option<String>,
    },
    /// It decided not to run.
    Ignored {
        /// Why, if it said so.
        reason: Option<String>,
    },
    /// It cannot be told: although the process succeeded, nothing says that the test ran.
    Error {
        /// What is missing, and what to do.
        message: String,
    },
}

/// A part of a test that its framework reports by itself, such as a Go subtest or a phase of
/// pytest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SubtestReport {
    pub name: String,
    pub outcome: TestOutcome,
    /// How long it took.
    pub duration: Duration,
}

/// The result of discovery.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DiscoverySummary {
    /// Tests that filters left out.
    pub deselected: u32,
    /// With which code the program is to end because something could not be built, although the
    /// rest could and was run.
    pub failure: Option<u8>,
}

/// The run as a framework sees it.
pub trait FrameworkHost {
    /// Sends an event to the user interface (build output, progress, notices).
    fn emit(&self, event: impl Into<EventKind>);

    /// Tells where the project keeps what is known of earlier runs. Before the first test is handed
    /// over; without it, nothing is remembered.
    fn state_directory(&self, directory: PathBuf);

    /// Says what a change of which makes the tests' results worthless, as far as is known. May be
    /// said again with more. It matters only where somebody waits for changes.
    fn watch(&self, list: WatchPaths);

    /// Submits tests that were found; they may start at once.
    fn found(&self, tests: Vec<TestCase>);

    /// Hands over a test that somebody gave a priority: higher ones start first, whatever is known
    /// of earlier runs.
    fn found_at(&self, priority: i8, test: TestCase);

    /// Hands over what should have been tests and can't be run (a test binary that crashes while
    /// its tests are listed). It is reported once, with [`TestOutcome::Error`], and makes the run
    /// fail.
    fn broken(&self, entry: BrokenEntry);

    /// Says after how many failures the run stops, if the user has said nothing of that.
    fn stop_after(&self, _failures: NonZeroU32) {}

    /// Runs a job that is no test (listing a test binary, say) and waits for its end. Dropping the
    /// future kills the job.
    fn run(&self, job: Job) -> impl Future<Output = CapturedOutput>;
}

/// Where a project's own files are. All paths are absolute.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WatchPaths {
    /// Directories, with everything below them that the version control does not ignore.
    pub directories: Vec<PathBuf>,
    /// Directories and files that are left out: what is built, and our own.
    pub without: Vec<PathBuf>,
    /// Names that are left out wherever they are, as patterns of a `.gitignore`.
    pub generated: &'static [&'static str],
    /// Files that a round may write itself; only between rounds is a change of them somebody
    /// else's.
    pub written: Vec<PathBuf>,
}

/// Reported in place of tests that could not be listed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BrokenEntry {
    /// Its name in the history, like a test's. The test's own name may be empty. Without a package
    /// it is no test: see [`TestKey::is_place`].
    pub key: TestKey,
    /// The whole name on one line, unique in the run.
    pub title: String,
    /// What went wrong, naming the thing, and what to do.
    pub message: String,
    /// What it wrote to standard output, if it ran.
    pub stdout: Vec<u8>,
    /// What it wrote to standard error, if it ran.
    pub stderr: Vec<u8>,
    /// Where in the source it is wrong, if that is known.
    pub location: Option<SourceLocation>,
}

/// What a job that is no test left behind.
#[derive(Clone, Debug)]
pub struct CapturedOutput {
    pub result: JobResult,
    /// Its standard output, whole.
    pub stdout: Vec<u8>,
    /// Its standard error, whole.
    pub stderr: Vec<u8>,
}
