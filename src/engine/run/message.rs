//! The inputs and effects of the run machine, as data.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use super::tally::ResultStability;
use maelstrom_model::backend::{JobId, JobPriority, StopMode};
use maelstrom_model::event::{EventKind, NoticeSeverity, OutputStream, PreviousOutcome, UiCommand};
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
    pub repeat: RepeatPlan,
    /// Where retries run.
    pub retry_placement: RetryPlacement,
    /// Decides what is random in the run: the jitter of delays.
    pub seed: u64,
    /// The number of failed tests after which a round stops.
    pub stop_after: Option<NonZeroU32>,
    /// What happens when a round is over and no other round is pending.
    pub at_end: AtEnd,
    /// How serious it is if no test is selected. Without a value, the exit code of the discovery
    /// decides: it is an error if that fails, else a warning.
    pub no_tests: Option<NoticeSeverity>,
    /// The exit code of a run in which a test failed. Without a value, the first failing test's own.
    pub failure_code: Option<u8>,
    /// How long cancelled tests have between SIGTERM and SIGKILL. The backend enforces it; the
    /// machine only reports it.
    pub grace: Duration,
}

/// How often each test runs in a round.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RepeatPlan {
    /// The number of copies of each test.
    pub copies: RepeatCount,
    /// The time after which no further copy starts, counted from the start of the round's first
    /// attempt.
    pub time: Option<Duration>,
    /// The number of jobs that the backend runs at a time. If the copies are not all queued at
    /// once, as many are under way.
    pub slots: u32,
}

/// The number of copies of each test in a round.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RepeatCount {
    Times(NonZeroU32),
    /// Copies follow one another until the round is stopped.
    Endless,
}

impl RepeatPlan {
    /// Each test runs once.
    pub const ONCE: RepeatPlan = RepeatPlan {
        copies: RepeatCount::Times(NonZeroU32::MIN),
        time: None,
        slots: 1,
    };

    /// Returns whether a copy is queued when another one has ended.
    pub fn is_continuous(self) -> bool {
        match self.copies {
            RepeatCount::Times(_) => self.time.is_some(),
            RepeatCount::Endless => true,
        }
    }

    /// Returns the number of copies of each test that are queued when it is found.
    pub fn at_once(self) -> u32 {
        match self.copies {
            RepeatCount::Times(times) if self.time.is_none() => times.get(),
            RepeatCount::Times(_) | RepeatCount::Endless => 1,
        }
    }
}

/// Where the retries of failed tests run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RetryPlacement {
    /// Among other tests; on another worker than the failed attempt if there is one.
    #[default]
    Anywhere,
    /// Also while no other test runs on that worker.
    Alone,
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
    /// The name of the group of tests that it shares a process with.
    pub group: Option<Arc<str>>,
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
    /// The time of the last [`RunEffect::WakeAt`] has come.
    Woke,
    /// A request from a user interface or a signal.
    Command(UiCommand),
}

/// What an attempt took.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AttemptCost {
    pub ran: Duration,
    /// The largest resident set of any one process.
    pub memory_peak_bytes: u64,
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
    /// Send [`RunInput::Woke`] at this time since the run began, in place of the time asked for
    /// before. `None` means never.
    WakeAt {
        at_us: Option<u64>,
    },
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
        /// Whether the test has both passed and failed in the round.
        stability: ResultStability,
        /// What the attempt took.
        cost: AttemptCost,
    },
    /// Save the history.
    SaveHistory,
    /// End the run.
    End {
        /// The exit code of the program.
        exit_code: u8,
    },
}
