//! The states in which tests are displayed, and the number of tests in each.

use maelstrom_model::event::TestOutcome;

/// The state in which a test is displayed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum TestState {
    /// Discovered, but not queued yet.
    #[default]
    Waiting,
    /// Waiting for a slot.
    Queued,
    Running,
    Passed,
    Failed,
    TimedOut,
    /// The test could not be run.
    Error,
    /// Not run, because the author marked it as ignored.
    Ignored,
    /// Stopped, because the user cancelled the run.
    Cancelled,
}

impl TestState {
    /// All states, in the order in which their counts are displayed.
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

    /// Returns the state that corresponds to an outcome.
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

    /// Returns whether a test in this state makes the run fail.
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

    /// Returns whether a test in this state has not ended yet.
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

    /// Returns the severity of the state: if a test runs several times in a round, the highest one
    /// is displayed.
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

    /// Returns the displayed word for the state.
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

/// The number of tests in each state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StateCounts([u32; TestState::ALL.len()]);

impl StateCounts {
    /// Returns the number of tests in `state`.
    pub fn get(&self, state: TestState) -> u32 {
        self.0[state as usize]
    }

    /// Returns the total number of tests.
    pub fn total(&self) -> u32 {
        self.0.iter().sum()
    }

    /// Returns the number of tests that make the run fail.
    pub fn failures(&self) -> u32 {
        self.get(TestState::Failed) + self.get(TestState::TimedOut) + self.get(TestState::Error)
    }

    /// Returns the number of tests that have ended.
    pub fn done(&self) -> u32 {
        self.total() - self.open()
    }

    /// Returns the number of tests that have not ended.
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
