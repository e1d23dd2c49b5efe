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
    /// How often each test is run in a round.
    pub repeat: NonZeroU32,
    /// After how many failing tests a round ends.
    pub stop_after: Option<NonZeroU32>,
    /// What happens when a round is over and no other waits.
    pub at_end: AtEnd,
    /// How long cancelled tests have between SIGTERM and SIGKILL. The backend keeps it; here it is
    /// only told.
    pub grace: Duration,
}

/// Whether tests are run or only listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RunMode {
    Run,
    /// They are only listed.
    List,
}

/// What happens when a round is over and no other waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AtEnd {
    /// The run is over.
    Leave,
    /// Somebody may ask for more, until [`UiCommand::Leave`].
    Stay,
    /// Files that change ask for more, until [`UiCommand::Leave`] or until none is watched any
    /// more.
    Watch,
}

/// A test and what is known of it from earlier runs.
#[derive(Clone, Debug)]
pub struct FoundTest {
    pub case: TestCase,
    /// What somebody gave it; without it, how it ended last time says which comes first.
    pub priority: Option<i8>,
    /// How it ended last time.
    pub history: PreviousOutcome,
    /// How long it is expected to take.
    pub estimate: Option<Duration>,
}

/// Files that changed, as a person reads it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChangedFiles {
    pub paths: Vec<String>,
    /// How many more there are.
    pub more: u32,
}

/// An input of the run machine.
#[derive(Debug)]
pub enum RunInput {
    Found(Vec<FoundTest>),
    /// There should have been tests, but they can't be run.
    Broken(BrokenEntry),
    /// There are no more.
    DiscoveryFinished(DiscoverySummary),
    DiscoveryFailed {
        /// The code the program will exit with.
        exit_code: u8,
        /// Why, for a person.
        message: String,
        /// How to fix it.
        help: Option<String>,
    },
    /// From now on changed files are reported.
    Watched {
        /// In how many directories.
        directories: u32,
    },
    /// From now on it is not.
    Unwatched {
        /// Why, for a person.
        message: String,
        /// How to fix it.
        help: Option<String>,
    },
    Changed(ChangedFiles),
    /// An event that is only passed on to the user interface.
    Fact(EventKind),
    /// The backend started an attempt.
    Started {
        test: TestId,
        attempt: Attempt,
        worker: WorkerId,
        slot: u32,
    },
    /// An attempt wrote something.
    Output {
        test: TestId,
        attempt: Attempt,
        stream: OutputStream,
        bytes: Vec<u8>,
    },
    /// An attempt is over.
    Finished {
        test: TestId,
        attempt: Attempt,
        result: JobResult,
        /// What its framework makes of its output.
        reading: OutputAnalysis,
    },
    /// The backend is gone, and all it ran.
    BackendLost {
        /// Why, for a person.
        message: String,
        /// How to fix it.
        help: Option<String>,
    },
    /// A user interface or a signal asks for something.
    Command(UiCommand),
}

/// An effect of the run machine.
#[derive(Debug, PartialEq)]
pub enum RunEffect {
    /// Emit an event.
    Emit(EventKind),
    /// Hand a job to the backend.
    Submit {
        id: JobId,
        job: Job,
        /// Its place in the queue.
        rank: JobPriority,
    },
    /// Have the backend stop a job.
    Stop {
        id: JobId,
        how: StopMode,
    },
    /// Drop the discovery with everything it started, and what it had to say.
    AbandonDiscovery,
    Discover,
    /// Have the backend start nothing.
    Hold,
    /// Have it start jobs again.
    Release,
    /// Have it suspend what runs.
    Suspend,
    /// Have it go on.
    Resume,
    /// Record a test's result.
    Record {
        test: TestId,
        /// How it stands in this round.
        history: PreviousOutcome,
        /// How long the attempt took.
        ran: Duration,
    },
    /// Save the history.
    SaveHistory,
    /// The run is over.
    End {
        /// What the program exits with.
        exit_code: u8,
    },
}
