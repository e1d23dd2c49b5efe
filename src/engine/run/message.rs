//! The inputs and effects of the run machine, as data.

use std::num::NonZeroU32;
use std::time::Duration;

use maelstrom_model::backend::{JobId, JobPriority, StopMode};
use maelstrom_model::event::{EventKind, OutputStream, PreviousOutcome, UiCommand};
use maelstrom_model::framework::{BrokenEntry, DiscoverySummary, OutputAnalysis};
use maelstrom_model::ids::{Attempt, TestId, WorkerId};
use maelstrom_model::job::{Job, JobResult, TestCase};

/// The options of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RunOptions {
    /// Whether tests are run or only listed.
    pub errand: RunMode,
    /// Which of the tests that discovery finds are selected, by their results in earlier runs.
    pub history: HistoryFilter,
    /// How often each test runs in a round.
    pub repeat: NonZeroU32,
    /// The number of failed tests after which a round stops.
    pub stop_after: Option<NonZeroU32>,
    /// What happens when a round is over and no other round is pending.
    pub at_end: AtEnd,
    /// How long cancelled tests have between SIGTERM and SIGKILL. The backend enforces it; the
    /// machine only reports it.
    pub grace: Duration,
}

/// Whether tests are run or only listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RunMode {
    Run,
    /// Tests are found and listed, but not run.
    List,
}

/// Which of the tests that discovery finds are selected, by their results in earlier runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum HistoryFilter {
    /// All tests are selected.
    #[default]
    All,
    /// Only tests that failed when they last ran are selected. If there are none, all tests are.
    Failed,
}

/// What happens when a round is over and no other round is pending.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AtEnd {
    /// The run ends.
    Leave,
    /// The run waits for commands, until [`UiCommand::Leave`].
    Stay,
    /// The run waits for changed files or commands, until [`UiCommand::Leave`] or until files can
    /// no longer be watched.
    Watch,
}

/// A test with its results from earlier runs.
#[derive(Clone, Debug)]
pub struct FoundTest {
    pub case: TestCase,
    /// The priority that the framework assigned. Without it, the previous outcome decides.
    pub priority: Option<i8>,
    /// How the test ended last time.
    pub history: PreviousOutcome,
    /// How long the test is expected to take.
    pub estimate: Option<Duration>,
}

/// Changed files, formatted for display.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChangedFiles {
    pub paths: Vec<String>,
    /// How many more files changed.
    pub more: u32,
}

/// An input of the run machine.
#[derive(Debug)]
pub enum RunInput {
    Found(Vec<FoundTest>),
    /// An entry in place of tests that cannot be listed or run.
    Broken(BrokenEntry),
    /// Discovery has ended.
    DiscoveryFinished(DiscoverySummary),
    DiscoveryFailed {
        /// The exit code of the program.
        exit_code: u8,
        /// The error message.
        message: String,
        /// How to fix it.
        help: Option<String>,
    },
    /// Changed files are reported from now on.
    Watched {
        /// The number of watched directories.
        directories: u32,
    },
    /// Changed files are no longer reported.
    Unwatched {
        /// The error message.
        message: String,
        /// How to fix it.
        help: Option<String>,
    },
    Changed(ChangedFiles),
    /// An event that the machine only passes on to the user interface.
    Fact(EventKind),
    /// The backend started an attempt.
    Started {
        test: TestId,
        attempt: Attempt,
        worker: WorkerId,
        slot: u32,
    },
    /// An attempt wrote output.
    Output {
        test: TestId,
        attempt: Attempt,
        stream: OutputStream,
        bytes: Vec<u8>,
    },
    /// An attempt ended.
    Finished {
        test: TestId,
        attempt: Attempt,
        result: JobResult,
        /// The framework's analysis of the output.
        reading: OutputAnalysis,
    },
    /// The backend is gone, with all jobs that it ran.
    BackendLost {
        /// The error message.
        message: String,
        /// How to fix it.
        help: Option<String>,
    },
    /// A request from a user interface or a signal.
    Command(UiCommand),
}

/// An effect that the run machine asks the driver to run.
#[derive(Debug, PartialEq)]
pub enum RunEffect {
    /// Emit an event.
    Emit(EventKind),
    /// Submit a job to the backend.
    Submit {
        id: JobId,
        job: Job,
        /// The job's place in the queue.
        rank: JobPriority,
    },
    /// Stop a job.
    Stop {
        id: JobId,
        how: StopMode,
    },
    /// Drop the running discovery, its helper jobs and its unread events about tests.
    AbandonDiscovery,
    Discover,
    /// Keep the backend from starting jobs.
    Hold,
    /// Let the backend start jobs again.
    Release,
    /// Suspend the running jobs.
    Suspend,
    /// Resume the suspended jobs.
    Resume,
    /// Record a test's result in the history.
    Record {
        test: TestId,
        /// The outcome to record.
        history: PreviousOutcome,
        /// How long the attempt ran.
        ran: Duration,
    },
    /// Save the history.
    SaveHistory,
    /// End the run.
    End {
        /// The exit code of the program.
        exit_code: u8,
    },
}
