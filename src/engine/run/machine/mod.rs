//! The run machine: makes every decision of a run, as a function of its state and an input.
//!
//! Pure: no clock (time is an argument), no I/O, no randomness, no hash-map order.
//! [`RunStateMachine::handle`] takes an input, [`RunStateMachine::poll`] returns the effects to
//! run. Emitting events is one of the effects, so the event stream and its order are determined
//! here alone.
//!
//! ```text
//!            found                     all ended          rerun
//!          ┌──────┐  no more to find ┌──────────┐ ──────▶ ┌──────┐
//!  start ─▶│ Open │ ───────────────▶ │  Closed  │ ◀────── │ Idle │──leave─▶ Over
//!          └──┬───┘                  └────┬─────┘         └──▲───┘           ▲
//!             │ cancel, enough failures,  │                  │ all ended     │ all ended,
//!             │ build failed, lost        ▼                  │               │ nobody stays
//!             └───────────────────▶ Stopping ──kill──▶ Killing ──────────────┘
//! ```
//!
//! When files change, the current round is stopped, and `Idle` leads back to `Open` ([`watching`]).
//!
//! Invariants (3, 6 and 10 in ARCHITECTURE.md):
//! - Every attempt has exactly one `Finished` event, whose outcome is what the backend reported: an
//!   infrastructure failure is never reported as a test failure, nor vice versa.
//! - The events follow the four rules of [`maelstrom_model::event`], and contain everything that a
//!   user interface may show.
//! - Discovery runs only in `Open`.
//! - Each test of a round counts once. No attempt of it starts after one that passed (apart from
//!   the copies of `--repeat`), after the last of its retries, or once the round is stopped.
//!
//! The backend handles slots, the order of the queue, timeouts and grace periods; the driver
//! handles files, signals and the alarm.

mod alarm;
mod attempts;
mod failed_only;
mod partition;
mod repeats;
mod rounds;
mod stopping;
mod transitions;
mod watching;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use super::attempt_environment::AttemptEnvironments;
use super::message::{AtEnd, FoundTest, HistoryFilter, RunEffect, RunInput, RunOptions};
use super::partition::PartitionState;
use super::tally::{AttemptSeries, AttemptTally};
use maelstrom_model::backend::JobPriority;
use maelstrom_model::describe::describe;
use maelstrom_model::event::{
    EventKind, OutputStream, PreviousOutcome, RoundCause, RunEvent, RunStarted, SourceLocation,
    TestEvent, UiCommand,
};
use maelstrom_model::ids::{Attempt, TestId, WorkerId};
use maelstrom_model::job::KnownResult;
use maelstrom_model::job::{IgnoredTest, Job, TestKey};
use maelstrom_model::policy::TestPolicy;

/// An input that is invalid in the current state. The machine has not changed.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("{what} makes no sense while the run is {state:?}")]
pub struct UnexpectedInputError {
    pub what: &'static str,
    /// The state in which the input arrived.
    pub state: RunState,
}

/// The state of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RunState {
    /// Tests are found and run.
    Open,
    /// All tests are known, and some still wait or run.
    Closed,
    /// No test is started any more; running tests end.
    Stopping,
    /// Running tests were killed; their ends are awaited.
    Killing,
    Idle,
    /// The run is over.
    Over,
}

#[derive(Debug)]
struct TrackedTest {
    key: TestKey,
    work: TestAction,
    rank: JobPriority,
    policy: Arc<TestPolicy>,
    /// Whether it shares a process with other tests.
    is_shared: bool,
    attempts: u32,
    /// The number of copies that the round has queued.
    copies: u32,
    /// How the test ended when it last ran, in this run or an earlier one.
    last: PreviousOutcome,
    /// The round to which `tally` belongs.
    round: u32,
    tally: AttemptTally,
    /// The first failure in the test's last round: the ordinal of the attempt's end, and the exit
    /// code.
    failure: Option<(u32, u8)>,
}

/// What a round does with a test. Rare variants are boxed, since there may be 100,000 tests.
#[derive(Debug)]
enum TestAction {
    Run(Job),
    Ignore(Box<(IgnoredTest, Job)>),
    /// Report the result that the build has determined.
    Known(Box<(KnownResult, Job)>),
    /// Report an entry that cannot be run.
    Report(Box<BrokenTest>),
    /// The test no longer exists.
    Gone,
}

/// Why an entry cannot be run.
#[derive(Debug)]
struct BrokenTest {
    message: String,
    location: Option<SourceLocation>,
}

impl TestAction {
    fn job(&self) -> Option<&Job> {
        match self {
            TestAction::Run(job) => Some(job),
            TestAction::Ignore(ignored) => Some(&ignored.1),
            TestAction::Known(known) => Some(&known.1),
            TestAction::Report(_) | TestAction::Gone => None,
        }
    }

    fn is_there(&self) -> bool {
        match self {
            TestAction::Run(_)
            | TestAction::Ignore(_)
            | TestAction::Known(_)
            | TestAction::Report(_) => true,
            TestAction::Gone => false,
        }
    }
}

/// An attempt that has not ended.
#[derive(Debug)]
struct ActiveAttempt {
    /// The attempts that it repeats.
    series: AttemptSeries,
    /// Its time in the agenda.
    due_us: Option<u64>,
    phase: AttemptPhase,
}

#[derive(Clone, Copy, Debug)]
enum AttemptPhase {
    /// The attempt is a retry whose job is submitted later.
    Delayed {
        /// The worker that ran the attempt before.
        worker: Option<WorkerId>,
    },
    Queued {
        since_us: u64,
    },
    Running {
        worker: WorkerId,
        began_us: u64,
        queued_us: u64,
        written: WrittenBytes,
    },
}

/// The number of bytes that an attempt has written to each stream.
#[derive(Clone, Copy, Debug, Default)]
struct WrittenBytes {
    stdout: u64,
    stderr: u64,
    joined: u64,
}

impl WrittenBytes {
    fn add(&mut self, stream: OutputStream, bytes: u64) {
        let written = match stream {
            OutputStream::Stdout => &mut self.stdout,
            OutputStream::Stderr => &mut self.stderr,
            OutputStream::Joined => &mut self.joined,
        };
        *written = written.saturating_add(bytes);
    }
}

/// Whether the backend is available.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum BackendLink {
    Up,
    Lost,
}

/// The time that the program was suspended, which counts for no test and no round.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct SuspendedTime {
    since_us: Option<u64>,
    total_us: u64,
}

/// Whether the run was cancelled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum RunCancellation {
    None,
    Cancelled,
}

/// Whether changed files are reported.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum WatchState {
    Off,
    On {
        directories: u32,
    },
    /// Files should be watched but cannot be.
    Lost,
}

/// Whether a change waits for its round.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum PendingChange {
    None,
    Waits,
}

/// The state of a run. It lives as long as the run.
#[derive(Debug)]
pub struct RunStateMachine {
    wishes: RunOptions,
    state: RunState,
    link: BackendLink,
    interruption: RunCancellation,
    discovery_code: Option<u8>,
    tests: Vec<TrackedTest>,
    active: BTreeMap<(TestId, Attempt), ActiveAttempt>,
    /// Attempts of tests that the user stopped: nothing follows them.
    stopped: BTreeSet<(TestId, Attempt)>,
    /// When something is to happen to an attempt. Times are without the time of suspensions.
    agenda: BTreeSet<(u64, TestId, Attempt)>,
    /// The time at which the driver wakes the machine.
    alarm_us: Option<u64>,
    environments: AttemptEnvironments,
    rerun: BTreeSet<TestId>,
    watch: WatchState,
    change: PendingChange,
    /// The number of consecutive rounds that changes cut short.
    cut_short: u32,
    /// Tests of earlier rounds that the current discovery has not found yet.
    unclaimed: BTreeSet<(TestKey, TestId)>,
    /// The tests that the current discovery has found and [`HistoryFilter::Failed`] leaves out.
    held_back: Vec<FoundTest>,
    /// The part of the tests that the run takes, if not all.
    partition: Option<PartitionState>,
    round: u32,
    round_began_us: u64,
    /// When the first attempt of the round was started.
    first_start_us: Option<u64>,
    /// The number of tests that run in the round.
    round_tests: u32,
    stillness: SuspendedTime,
    round_failures: u32,
    ends: u32,
    effects: VecDeque<RunEffect>,
}

impl RunStateMachine {
    /// Creates the machine of a run that has just begun.
    pub fn new(wishes: RunOptions, run: RunStarted) -> Self {
        let mut machine = RunStateMachine {
            wishes,
            state: RunState::Open,
            link: BackendLink::Up,
            interruption: RunCancellation::None,
            discovery_code: None,
            tests: Vec::new(),
            active: BTreeMap::new(),
            stopped: BTreeSet::new(),
            agenda: BTreeSet::new(),
            alarm_us: None,
            environments: AttemptEnvironments::default(),
            rerun: BTreeSet::new(),
            watch: WatchState::Off,
            change: PendingChange::None,
            cut_short: 0,
            unclaimed: BTreeSet::new(),
            held_back: Vec::new(),
            partition: None,
            round: 0,
            round_began_us: 0,
            first_start_us: None,
            round_tests: 0,
            stillness: SuspendedTime::default(),
            round_failures: 0,
            ends: 0,
            effects: VecDeque::new(),
        };
        machine.emit(RunEvent::Started(run));
        machine.begin_round(0, RoundCause::Start);
        machine
    }

    /// Returns the next effect to run, or `None` if nothing is left until the next input.
    pub fn poll(&mut self) -> Option<RunEffect> {
        self.effects.pop_front()
    }

    /// Returns the state of the run.
    pub fn state(&self) -> RunState {
        self.state
    }

    /// Returns whether all tests that discovery finds are selected.
    pub fn selects_all(&self) -> bool {
        match self.wishes.history {
            HistoryFilter::All => self.partition.is_none(),
            HistoryFilter::Failed => false,
        }
    }

    /// Returns the keys of all existing tests, in the order of their ids.
    pub fn tests(&self) -> impl Iterator<Item = (TestId, &TestKey)> + Clone {
        (0..)
            .map(TestId)
            .zip(&self.tests)
            .filter(|(_, test)| test.work.is_there())
            .map(|(id, test)| (id, &test.key))
    }

    /// Returns the key of a test.
    pub fn key(&self, test: TestId) -> Option<&TestKey> {
        self.tests.get(test.index()).map(|test| &test.key)
    }

    /// Returns the job that runs a test, if it has one.
    pub fn job(&self, test: TestId) -> Option<&Job> {
        self.tests.get(test.index())?.work.job()
    }

    /// Handles an input that arrives `now_us` microseconds after the run began.
    pub fn handle(&mut self, now_us: u64, input: RunInput) -> Result<(), UnexpectedInputError> {
        use RunState::{Closed, Idle, Killing, Open, Over, Stopping};
        match (self.state, input) {
            (Open, RunInput::Found(tests)) => self.found(now_us, tests),
            (Open, RunInput::Broken(entry)) => self.broken(now_us, entry),
            (Open, RunInput::DiscoveryFinished(summary)) => {
                self.discovery_finished(now_us, summary);
                self.state = Closed;
            }
            (
                Open,
                RunInput::DiscoveryFailed {
                    exit_code,
                    message,
                    help,
                },
            ) => self.discovery_failed(now_us, exit_code, (message, help)),
            (
                Closed | Stopping | Killing | Idle | Over,
                RunInput::Found(_)
                | RunInput::Broken(_)
                | RunInput::DiscoveryFinished(_)
                | RunInput::DiscoveryFailed { .. },
            ) => return Err(self.unexpected("a discovery")),

            (Open | Closed | Stopping | Killing | Idle, RunInput::Watched { directories }) => {
                self.watched(directories);
            }
            (Open | Closed | Stopping | Killing | Idle, RunInput::Unwatched { message, help }) => {
                self.unwatched(message, help);
            }
            (Open | Closed | Stopping | Killing | Idle, RunInput::Changed(changes)) => {
                self.changed(now_us, changes);
            }
            (
                Over,
                RunInput::Watched { .. } | RunInput::Unwatched { .. } | RunInput::Changed(_),
            ) => {
                return Err(self.unexpected("news of files"));
            }

            (Open | Closed | Stopping | Killing | Idle, RunInput::Fact(event)) => {
                if !is_fact(&event) {
                    return Err(self.unexpected("an event that only the machine may tell"));
                }
                self.emit(event);
            }
            (Over, RunInput::Fact(_)) => return Err(self.unexpected("an event")),

            (
                Open | Closed | Stopping | Killing,
                RunInput::Started {
                    test,
                    attempt,
                    worker,
                    slot,
                },
            ) => self.started(now_us, (test, attempt), worker, slot)?,
            (
                Open | Closed | Stopping | Killing,
                RunInput::Output {
                    test,
                    attempt,
                    stream,
                    bytes,
                },
            ) => self.output((test, attempt), stream, bytes)?,
            (
                Open | Closed | Stopping | Killing,
                RunInput::Finished {
                    test,
                    attempt,
                    result,
                    reading,
                },
            ) => self.finished(now_us, (test, attempt), result, reading)?,
            (
                Idle | Over,
                RunInput::Started { .. } | RunInput::Output { .. } | RunInput::Finished { .. },
            ) => return Err(self.unexpected("a job's event")),

            (
                Open | Closed | Stopping | Killing | Idle,
                RunInput::BackendLost { message, help },
            ) => {
                self.lost(now_us, message, help);
            }
            (Over, RunInput::BackendLost { .. }) => {
                return Err(self.unexpected("the loss of the backend"));
            }

            (Open | Closed | Stopping | Killing | Idle, RunInput::Woke) => self.woke(now_us),
            (Over, RunInput::Woke) => return Err(self.unexpected("an alarm")),

            (Open | Closed | Stopping | Killing | Idle, RunInput::Command(command)) => {
                self.command(now_us, command)?;
            }
            (Over, RunInput::Command(_)) => return Err(self.unexpected("a command")),
        }
        self.finish_round(now_us);
        self.set_alarm();
        Ok(())
    }

    fn command(&mut self, now_us: u64, command: UiCommand) -> Result<(), UnexpectedInputError> {
        match command {
            UiCommand::Rerun { tests } => self.ask_rerun(tests),
            UiCommand::CancelTest { test } => self.cancel_test(now_us, test)?,
            UiCommand::Cancel => self.cancel(now_us)?,
            UiCommand::Kill => self.kill(now_us)?,
            UiCommand::Pause => self.emit_backend_effect(RunEffect::Hold, RunEvent::Paused),
            UiCommand::Resume => self.emit_backend_effect(RunEffect::Release, RunEvent::Resumed),
            UiCommand::Suspend => self.suspend(now_us),
            UiCommand::Continue => self.go_on(now_us),
            UiCommand::Describe { test } => {
                let Some(job) = self.job(test) else {
                    return Err(self.unexpected("a question about no job"));
                };
                let description = describe(test, job);
                self.emit(TestEvent::Described(Box::new(description)));
            }
            UiCommand::Leave => self.wishes.at_end = AtEnd::Leave,
        }
        Ok(())
    }

    fn unexpected(&self, what: &'static str) -> UnexpectedInputError {
        UnexpectedInputError {
            what,
            state: self.state,
        }
    }
}

/// Returns whether an event is only passed on. All other events are emitted by the machine itself.
fn is_fact(event: &EventKind) -> bool {
    match event {
        EventKind::Build(_)
        | EventKind::Worker(_)
        | EventKind::Cluster(_)
        | EventKind::Notice(_) => true,
        EventKind::Run(_)
        | EventKind::Test(_)
        | EventKind::Watch(_)
        | EventKind::Round(_)
        | EventKind::Attempt(_) => false,
    }
}

#[cfg(test)]
mod tests;
