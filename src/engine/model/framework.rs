//! The trait that every test framework implements. The engine and the user interfaces know only
//! this trait.
//!
//! Discovery and test execution overlap: [`Framework::failure_location`] is called for the first
//! failures while [`Framework::discover`] is still running, so both borrow the framework shared.
//!
//! A framework knows nothing about slots, order, repeats or cancellation. Dropping the future of a
//! discovery cancels it; everything that it started (a build, for example) must end with it.

use std::future::Future;
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::error::ProgramError;
use super::event::{EventKind, ExitStatus, OutputStream, SourceLocation, TestOutcome, UserNotice};
use super::job::{Job, JobResult, TestCase, TestKey};
use crate::shared_process::TestGroupMember;

/// Builds a project's tests, lists them, and interprets their output.
pub trait Framework {
    /// The error of a failed discovery.
    type Error: ProgramError;

    /// Builds and lists the tests, and hands each one to `host` as soon as it is known, so that the
    /// tests of the first binary run while the second is still being built.
    ///
    /// An error means that the run is pointless (the build failed): tests that have not started
    /// will not. A problem with one test binary is not such an error: it goes to
    /// [`FrameworkHost::broken`], so that the results of the others are not lost.
    fn discover<H: FrameworkHost>(
        &self,
        host: &H,
    ) -> impl Future<Output = Result<DiscoverySummary, Self::Error>>;

    /// Returns the location in the source where a test failed, from the end of its output.
    fn failure_location(&self, stdout: &[u8], stderr: &[u8]) -> Option<SourceLocation>;

    /// Interprets a test whose process ended by itself, from its exit status and the end of its
    /// output. By default the exit status decides.
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

    /// Returns whether a file belongs to the project, so that changes that tests make to it are of
    /// interest to the user.
    fn is_own(&self, _path: &Path) -> bool {
        false
    }

    /// Returns the parser of one attempt's output. Without a parser, all output is shown and
    /// [`Framework::read`] interprets it; a parser does both.
    fn follow(&self, _test: &TestKey) -> Option<Box<dyn OutputParser>> {
        None
    }

    /// Returns the group of a test that shares a process, and thus a job, with others.
    fn together(&self, _test: &TestKey) -> Option<TestGroupMember> {
        None
    }

    /// Returns the exit code of a run in which a test failed. `None` means the first failing test's
    /// own.
    fn failure_code(&self) -> Option<u8> {
        None
    }

    /// Returns notices about a round's tests as a whole. Called once, at the end of the round.
    fn conclusions(&self) -> Vec<UserNotice> {
        Vec::new()
    }
}

/// Parses the output of one attempt while it is written.
pub trait OutputParser {
    /// Takes new output. Returns the part of it, and of output held back earlier, that is for the
    /// user.
    fn wrote(&mut self, stream: OutputStream, bytes: Vec<u8>) -> Vec<u8>;

    /// Ends the parsing. There is a status if the process ended by itself.
    fn ended(&mut self, status: Option<ExitStatus>) -> ParsedOutput;
}

/// The final result of an [`OutputParser`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ParsedOutput {
    /// Output that was held back, and is for the user after all.
    pub held: Option<(OutputStream, Vec<u8>)>,
    /// The interpretation of the output.
    pub reading: OutputAnalysis,
}

/// A framework's interpretation of a test whose process ended by itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OutputAnalysis {
    /// The verdict on the test.
    pub judgement: FrameworkVerdict,
    /// The location in the source where it failed, if known.
    pub location: Option<SourceLocation>,
    /// The parts of the test, in the order in which they ended.
    pub parts: Vec<SubtestReport>,
}

/// The verdict on a test whose process ended by itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum FrameworkVerdict {
    /// The exit status decides: 0 is a pass.
    #[default]
    ByStatus,
    /// The test passed, whatever the exit status: one that must panic, for example.
    Passed,
    /// The test failed, whatever the exit status.
    Failed {
        /// The reason in one line, if known.
        reason: Option<String>,
    },
    /// The test decided at run time not to run.
    Ignored {
        /// The reason, if the test gives one.
        reason: Option<String>,
    },
    /// The outcome is unknown: the process succeeded, but nothing shows that the test ran.
    Error {
        /// What is missing, and what to do about it.
        message: String,
    },
}

/// A part of a test that its framework reports separately, such as a Go subtest or a phase of
/// pytest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SubtestReport {
    pub name: String,
    pub outcome: TestOutcome,
    pub duration: Duration,
}

/// The result of a discovery.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DiscoverySummary {
    /// The number of tests that filters excluded.
    pub deselected: u32,
    /// The exit code of the program, if a part of the project could not be built although the rest
    /// was built and run.
    pub failure: Option<u8>,
}

/// The run, from the point of view of a framework.
pub trait FrameworkHost {
    /// Sends an event to the user interface (build output, progress, notices).
    fn emit(&self, event: impl Into<EventKind>);

    /// Sends a notice that every run of the project would repeat and that says nothing about this
    /// run's results. The user sees it once a day.
    fn remind(&self, notice: UserNotice) {
        self.emit(EventKind::Notice(notice));
    }

    /// Sets the directory for the project's history of earlier runs. Must come before the first
    /// test; without it, nothing is remembered.
    fn state_directory(&self, directory: PathBuf);

    /// Sets the files whose change makes the tests' results outdated, as far as is known. May be
    /// called again with more. Only used in watch mode.
    fn watch(&self, list: WatchPaths);

    /// Submits tests; they may start at once.
    fn found(&self, tests: Vec<TestCase>);

    /// Submits a test that the user gave a priority. Higher priorities start first, whatever is
    /// known from earlier runs.
    fn found_at(&self, priority: i8, test: TestCase);

    /// Submits an entry for tests that could not be listed (a test binary that crashes while its
    /// tests are listed). It is reported once, with [`TestOutcome::Error`], and makes the run fail.
    fn broken(&self, entry: BrokenEntry);

    /// Sets the number of failures after which the run stops, unless the user has set one.
    fn stop_after(&self, _failures: NonZeroU32) {}

    /// Runs a job that is not a test (listing a test binary, for example) and waits for its end.
    /// Dropping the future kills the job.
    fn run(&self, job: Job) -> impl Future<Output = CapturedOutput>;
}

/// The locations of a project's own files. All paths are absolute.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WatchPaths {
    /// Directories, with everything below them that version control does not ignore.
    pub directories: Vec<PathBuf>,
    /// Excluded directories and files: build output, and files of this program.
    pub without: Vec<PathBuf>,
    /// Excluded names in any directory, as patterns of a `.gitignore`.
    pub generated: &'static [&'static str],
    /// Files that a round itself may write; their changes count only between rounds.
    pub written: Vec<PathBuf>,
}

/// An entry that is reported in place of tests that could not be listed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BrokenEntry {
    /// Its key in the history, like a test's. The name may be empty. Without a package it does not
    /// represent tests: see [`TestKey::is_place`].
    pub key: TestKey,
    /// The full name on one line, unique in the run.
    pub title: String,
    /// What went wrong and where, and what to do about it.
    pub message: String,
    /// Its standard output, if it ran.
    pub stdout: Vec<u8>,
    /// Its standard error, if it ran.
    pub stderr: Vec<u8>,
    /// The location of the error in the source, if known.
    pub location: Option<SourceLocation>,
}

/// The result and output of a job that is not a test.
#[derive(Clone, Debug)]
pub struct CapturedOutput {
    pub result: JobResult,
    /// The complete standard output.
    pub stdout: Vec<u8>,
    /// The complete standard error.
    pub stderr: Vec<u8>,
}
