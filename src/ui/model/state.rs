//! The display states of a test, and counts of them.

use maelstrom_model::event::TestOutcome;

/// What a test is shown as.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum TestState {
    /// Known, and nothing more.
    #[default]
    Waiting,
    /// Waits for a slot.
    Queued,
    Running,
    /// Ended as it should.
    Passed,
    /// Says that something is wrong.
    Failed,
    TimedOut,
    /// Could not be run.
    Error,
    /// Was not run, as its author wished.
    Ignored,
    /// Was stopped, as the user wished.
    Cancelled,
}

impl TestState {
    /// Every state, in the order in which counts are shown.
    pub const ALL: [TestState; 9] = [
        TestState::Waiting,
        TestState::Queued,
        TestState::Running,
        TestState::Passed,
        TestState::Failed,
        TestState::TimedOut,
        TestState::Error,
        TestState::Ignored,
        TestState::Cancelled,
    ];

    /// The state that an outcome leads to.
    pub fn of(outcome: &TestOutcome) -> Self {
        match outcome {
            TestOutcome::Passed => TestState::Passed,
            TestOutcome::Failed { .. } => TestState::Failed,
            TestOutcome::TimedOut { .. } => TestState::TimedOut,
            TestOutcome::Ignored { .. } => TestState::Ignored,
            TestOutcome::Cancelled => TestState::Cancelled,
            TestOutcome::Error { .. } => TestState::Error,
        }
    }

    /// Whether it makes the run fail.
    pub fn is_failure(self) -> bool {
        match self {
            TestState::Failed | TestState::TimedOut | TestState::Error => true,
            TestState::Waiting
            | TestState::Queued
            | TestState::Running
            | TestState::Passed
            | TestState::Ignored
            | TestState::Cancelled => false,
        }
    }

    /// Whether the test has still to come to an end.
    pub fn is_open(self) -> bool {
        match self {
            TestState::Waiting | TestState::Queued | TestState::Running => true,
            TestState::Passed
            | TestState::Failed
            | TestState::TimedOut
            | TestState::Error
            | TestState::Ignored
            | TestState::Cancelled => false,
        }
    }

    /// Order of badness: a test that ran several times in a round is shown by its worst outcome.
    pub fn rank(self) -> u8 {
        match self {
            TestState::Waiting => 0,
            TestState::Queued => 1,
            TestState::Ignored => 2,
            TestState::Passed => 3,
            TestState::Running => 4,
            TestState::Cancelled => 5,
            TestState::Failed => 6,
            TestState::TimedOut => 7,
            TestState::Error => 8,
        }
    }

    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            TestState::Waiting => "waiting",
            TestState::Queued => "queued",
            TestState::Running => "running",
            TestState::Passed => "passed",
            TestState::Failed => "failed",
            TestState::TimedOut => "timed out",
            TestState::Error => "error",
            TestState::Ignored => "ignored",
            TestState::Cancelled => "cancelled",
        }
    }
}

/// How many tests are in each state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StateCounts([u32; TestState::ALL.len()]);

impl StateCounts {
    /// How many are in `state`.
    pub fn get(&self, state: TestState) -> u32 {
        self.0[state as usize]
    }

    /// All together.
    pub fn total(&self) -> u32 {
        self.0.iter().sum()
    }

    /// Those that make the run fail.
    pub fn failures(&self) -> u32 {
        self.get(TestState::Failed) + self.get(TestState::TimedOut) + self.get(TestState::Error)
    }

    /// Those that have come to an end.
    pub fn done(&self) -> u32 {
        self.total() - self.open()
    }

    /// Those that have still to come to an end.
    pub fn open(&self) -> u32 {
        self.get(TestState::Waiting) + self.get(TestState::Queued) + self.get(TestState::Running)
    }

    pub(super) fn add(&mut self, state: TestState) {
        self.0[state as usize] += 1;
    }

    pub(super) fn removed(&mut self, state: TestState) {
        let count = &mut self.0[state as usize];
        *count = count.saturating_sub(1);
    }

    pub(super) fn moved(&mut self, from: TestState, to: TestState) {
        self.0[from as usize] -= 1;
        self.0[to as usize] += 1;
    }
}
