//! What goes into the run machine and what comes out of it, as data.

use std::num::NonZeroU32;
use std::time::Duration;

use maelstrom_model::backend::{JobId, JobPriority, StopMode};
use maelstrom_model::event::{EventKind, OutputStream, PreviousOutcome, UiCommand};
use maelstrom_model::framework::{BrokenEntry, DiscoverySummary, OutputAnalysis};
use maelstrom_model::ids::{Attempt, TestId, WorkerId};
use maelstrom_model::job::{Job, JobResult, TestCase};

/// What the user wants of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RunOptions {
    /// What becomes of the tests that are found.
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

/// What becomes of the tests that are found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RunMode {
    Run,
    /// They are only told of, for a list.
    List,
}

/// What happens when a round is over and no other waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AtEnd {
    /// The run is over.
    Leave,
    /// Somebody may ask for more, until [`UiCommand::Leave`].
    Stay,
    /// Files that change ask for more, until [`UiCommand::Leave`] or until none is watched any more.
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

/// Something that happened.
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
        /// What to do about it.
        help: Option<String>,
    },
    /// From now on a change of files is told.
    Watched {
        /// In how many directories.
        directories: u32,
    },
    /// From now on it is not.
    Unwatched {
        /// Why, for a person.
        message: String,
        /// What to do about it.
        help: Option<String>,
    },
    Changed(ChangedFiles),
    /// Something that is only passed on to those who watch.
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
        /// What to do about it.
        help: Option<String>,
    },
    /// A user interface or a signal asks for something.
    Command(UiCommand),
}

/// Something to do.
#[derive(Debug, PartialEq)]
pub enum RunEffect {
    /// Tell those who watch.
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
    /// Remember how a test did.
    Record {
        test: TestId,
        /// How it stands in this round.
        history: PreviousOutcome,
        /// How long the attempt took.
        ran: Duration,
    },
    /// Write down what is to be remembered.
    SaveHistory,
    /// The run is over.
    End {
        /// What the program exits with.
        exit_code: u8,
    },
}
