//! The state of a run as its events define it: [`RunModel::apply`] is the only way to change it.
//!
//! Pure: no clock, no I/O, no randomness. An event updates one test and the groups above it,
//! whatever the number of tests. Times are those of the events; views pass the current time. An
//! event that contradicts earlier ones (a recording may be edited) is ignored where it does not
//! fit, and never causes a panic.
//!
//! Output is in [`super::log`]; screens are not modeled here.

mod arena;
mod cluster;
mod estimate;
mod phase;
mod rounds;
mod state;
mod table;
mod tree;
mod verdict;

use std::collections::{BTreeSet, HashMap};

use maelstrom_model::event::{
    AttemptFinished, BackendInfo, ClusterSample, Event, EventKind, RunStarted, TestDescription,
    TestOutcome, UserNotice,
};
use maelstrom_model::ids::{Attempt, TestId, WorkerId};

use estimate::{RunEstimator, RunningLoad};

pub use cluster::{InputTransfer, InputTransfers, SAMPLES_MAX, WorkerModel};
pub use phase::{BuildPhase, RunPhase, SubtestResult, TestRound};
pub use state::{StateCounts, TestState};
pub use table::{AttemptRecord, TestIdentity, TestStability, TestTable};
pub use tree::{GroupId, PreorderRow, TestTree, TreeRow};

/// Notices kept; a run that has more to say has said enough.
const NOTICES_MAX: usize = 1_000;
/// Parts kept of one test.
const SUBTESTS_MAX: usize = 4_096;
/// Workers that one run may have.
const WORKERS_MAX: u32 = 65_536;

/// See the module's documentation.
#[derive(Clone, Debug, Default)]
pub struct RunModel {
    /// What was known at the start.
    pub run: Option<RunStarted>,
    /// Where the run stands.
    pub phase: RunPhase,
    /// The moment of the latest event.
    pub now_us: u64,
    /// When the last round ended, while no other goes on.
    pub over_us: Option<u64>,
    /// How long the round stood still.
    pub suspended_us: u64,
    pub build: BuildPhase,
    /// The build's command line.
    pub build_command: Vec<String>,
    /// Whether all tests of the round are known.
    pub discovered: bool,
    /// Tests found since the last build and discovery began.
    pub found: u32,
    /// Tests that filters left out.
    pub deselected: u32,
    pub round: Option<TestRound>,
    pub tests: TestTable,
    /// How many tests are in each state.
    pub counts: StateCounts,
    /// Passes taken over from an earlier run.
    pub cached: u32,
    /// Tests that failed and passed in the present round.
    pub flaky: u32,
    /// Tests whose last finished round failed, in the order in which they did.
    pub failures: Vec<TestId>,
    running: BTreeSet<(u64, TestId)>,
    /// Notices to the user.
    pub notices: Vec<UserNotice>,
    /// Whether starting tests is paused.
    pub paused: bool,
    /// Tests that wait for the round's end to run again.
    pub rerun_queued: u32,
    /// Between rounds: how many directories are watched, if a change begins the next.
    pub awaiting: Option<u32>,
    workers: Vec<Option<WorkerModel>>,
    pub transfers: InputTransfers,
    /// The cluster's latest word.
    pub cluster: Option<ClusterSample>,
    descriptions: HashMap<TestId, TestDescription>,
    subtests: HashMap<TestId, Vec<SubtestResult>>,
    estimate: RunEstimator,
}

impl RunModel {
    /// A run of which nothing is known.
    pub fn new() -> Self {
        RunModel::default()
    }

    /// Takes an event in.
    pub fn apply(&mut self, event: &Event) {
        self.now_us = self.now_us.max(event.at_us);
        match &event.kind {
            EventKind::RunStarted(run) => {
                self.run = Some(run.clone());
                self.phase = RunPhase::Running;
            }
            EventKind::Notice(notice) => {
                // A round that begins anew says again what the one before it said.
                if self.notices.len() < NOTICES_MAX && !self.notices.contains(notice) {
                    self.notices.push(notice.clone());
                }
            }
            EventKind::BuildStarted { command } => {
                self.build_command = command.clone();
                self.build = BuildPhase::Going {
                    done: 0,
                    total: None,
                    current: String::new(),
                };
            }
            EventKind::BuildProgress {
                done,
                total,
                current,
            } => {
                self.build = BuildPhase::Going {
                    done: *done,
                    total: *total,
                    current: current.clone(),
                };
            }
            EventKind::BuildFinished { succeeded: true } => self.build = BuildPhase::Succeeded,
            EventKind::BuildFinished { succeeded: false } => self.build = BuildPhase::Failed,
            EventKind::Discovered { tests } => {
                for info in tests {
                    self.found = self.found.saturating_add(1);
                    if self.tests.add(info).is_some() {
                        self.counts.add(TestState::Waiting);
                        self.estimate.opened(info.expected_us);
                    }
                }
            }
            EventKind::DiscoveryFinished { deselected, .. } => {
                self.discovered = true;
                self.deselected = *deselected;
            }
            EventKind::Vanished { tests } => {
                for test in tests {
                    self.vanished(*test);
                }
            }
            EventKind::FilesChanged { .. } => self.awaiting = None,
            EventKind::AwaitingChange { directories } => self.awaiting = Some(*directories),
            EventKind::RoundStarted { round, cause } => self.round_started(*round, *cause),
            EventKind::Queued { test, attempt } => self.queued(*test, *attempt),
            EventKind::Started {
                test,
                attempt,
                worker,
                slot,
            } => self.started(*test, *attempt, (*worker, *slot)),
            EventKind::BuildOutput { .. } | EventKind::Output { .. } => {}
            EventKind::Subtest {
                test,
                attempt,
                name,
                outcome,
                duration_us,
            } => {
                let subtests = self.subtests.entry(*test).or_default();
                if subtests.len() < SUBTESTS_MAX {
                    subtests.push(SubtestResult {
                        attempt: *attempt,
                        name: name.clone(),
                        outcome: outcome.clone(),
                        duration_us: *duration_us,
                    });
                }
            }
            EventKind::Finished(finished) => self.finished(finished),
            EventKind::RoundFinished { round, summary } => {
                if let Some(current) = self.round.as_mut().filter(|r| r.number == *round) {
                    current.summary = Some(*summary);
                }
                self.phase = RunPhase::RoundOver;
                self.over_us = Some(event.at_us);
                self.rerun_queued = 0;
                self.rest_workers();
            }
            EventKind::WorkerJoined {
                worker,
                name,
                slots,
                architecture,
            } => {
                let joined = WorkerModel::new(*worker, name.clone(), *slots, architecture.clone());
                self.joined(joined);
            }
            EventKind::WorkerLeft { worker, reason } => {
                if let Some(worker) = self.worker_mut(*worker) {
                    worker.left = Some(reason.clone());
                    // Nothing runs there any more, which no sample will say.
                    worker.sampled(0);
                }
            }
            EventKind::WorkerSample {
                worker,
                state,
                busy,
                cpu_permille,
                memory_used_bytes,
                memory_total_bytes,
            } => {
                if let Some(worker) = self.worker_mut(*worker) {
                    worker.state = *state;
                    worker.cpu_permille = *cpu_permille;
                    worker.memory_used_bytes = *memory_used_bytes;
                    worker.memory_total_bytes = *memory_total_bytes;
                    worker.sampled(*busy);
                }
            }
            EventKind::Transfer {
                transfer,
                worker,
                name,
                done_bytes,
                total_bytes,
            } => self.transfers.update(InputTransfer {
                id: *transfer,
                worker: *worker,
                name: name.clone(),
                done_bytes: *done_bytes,
                total_bytes: *total_bytes,
            }),
            EventKind::ClusterSample(sample) => self.cluster = Some(sample.clone()),
            EventKind::Paused => self.paused = true,
            EventKind::Resumed => self.paused = false,
            EventKind::RerunQueued { tests } => self.rerun_queued = *tests,
            EventKind::Cancelling { grace_us } => {
                self.phase = RunPhase::Cancelling {
                    since_us: event.at_us,
                    grace_us: *grace_us,
                }
            }
            EventKind::Suspended => {}
            EventKind::Continued { suspended_us } => self.continued(*suspended_us),
            EventKind::Described(description) => {
                self.descriptions
                    .insert(description.test, description.as_ref().clone());
            }
            EventKind::RunFinished { exit_code } => {
                self.phase = RunPhase::Finished {
                    exit_code: *exit_code,
                }
            }
        }
    }

    /// Makes the tree's lines true after tests were found. Says whether it had to. To be called
    /// before [`TestTree::preorder`] is read.
    pub fn refresh(&mut self) -> bool {
        self.tests.refresh_tree()
    }

    /// Running tests, the longest running first, with the moment each began.
    pub fn running(&self) -> impl ExactSizeIterator<Item = (u64, TestId)> + DoubleEndedIterator {
        self.running.iter().copied()
    }

    /// All workers that ever joined.
    pub fn workers(&self) -> impl Iterator<Item = &WorkerModel> {
        self.workers.iter().flatten()
    }

    /// A worker.
    pub fn worker(&self, id: WorkerId) -> Option<&WorkerModel> {
        self.workers.get(id.index())?.as_ref()
    }

    /// What a detail screen asked for.
    pub fn description(&self, test: TestId) -> Option<&TestDescription> {
        self.descriptions.get(&test)
    }

    /// The parts of a test that its framework reported.
    pub fn subtests(&self, test: TestId) -> &[SubtestResult] {
        self.subtests.get(&test).map_or(&[], Vec::as_slice)
    }

    /// Whether something builds, is looked for or runs: whether time has to be shown passing.
    pub fn is_active(&self) -> bool {
        match self.phase {
            RunPhase::Starting | RunPhase::Running | RunPhase::Cancelling { .. } => true,
            RunPhase::RoundOver | RunPhase::Finished { .. } => false,
        }
    }

    /// Attempts that ended a second, over the last seconds.
    pub fn rate(&self, now_us: u64) -> u32 {
        self.estimate.rate(now_us)
    }

    /// How long the rest is expected to take, once there is something to go by.
    pub fn remaining_us(&self, now_us: u64) -> Option<u64> {
        if !self.discovered || self.counts.open() == 0 {
            return None;
        }
        let present = self.workers().filter(|worker| worker.is_present());
        let mut going = RunningLoad {
            slots: present.map(|worker| worker.slots.len() as u64).sum(),
            ..RunningLoad::default()
        };
        let mean_us = self.estimate.mean_us().unwrap_or(0);
        for (started_us, test) in self.running() {
            let so_far_us = now_us.saturating_sub(started_us);
            let expected_us = self.tests.expected_us(test).unwrap_or(mean_us);
            // What takes longer than expected makes the rest of the others no shorter.
            going.elapsed_us += so_far_us.min(expected_us);
            going.longest_us = going.longest_us.max(expected_us.saturating_sub(so_far_us));
        }
        self.estimate.remaining_us(going)
    }

    fn round_number(&self) -> u32 {
        self.round.as_ref().map_or(0, |round| round.number)
    }

    fn queued(&mut self, test: TestId, attempt: Attempt) {
        let now_us = self.now_us;
        if let Some(record) = self.tests.record(test, attempt)
            && record.finished.is_none()
        {
            record.queued_us = Some(now_us);
            self.set_state(test, TestState::Queued);
        }
    }

    fn started(&mut self, test: TestId, attempt: Attempt, place: (WorkerId, u32)) {
        let now_us = self.now_us;
        let Some(record) = self.tests.record(test, attempt) else {
            return;
        };
        if record.finished.is_some() || record.started_us.is_some() {
            return;
        }
        record.started_us = Some(now_us);
        record.place = Some(place);
        self.running.insert((now_us, test));
        self.set_state(test, TestState::Running);
        if let Some(slot) = self.slot_mut(place) {
            *slot = Some(test);
        }
    }

    fn finished(&mut self, finished: &AttemptFinished) {
        let (test, now_us, round) = (finished.test, self.now_us, self.round_number());
        let Some(record) = self.tests.record(test, finished.attempt) else {
            return;
        };
        if record.finished.is_some() {
            return;
        }
        record.finished = Some(finished.clone());
        record.finished_us = Some(now_us);
        let (started_us, place) = (record.started_us, record.place);
        if let Some(started_us) = started_us {
            self.running.remove(&(started_us, test));
        }
        if let Some(place) = place {
            // The slot may have another test by now.
            if let Some(slot) = self.slot_mut(place).filter(|slot| **slot == Some(test)) {
                *slot = None;
            }
            if let Some(worker) = self.worker_mut(place.0) {
                worker.finished = worker.finished.saturating_add(1);
            }
        }
        self.estimate.finished(now_us, finished.timings.ran_us);
        self.set_cached(
            test,
            finished.cached && finished.outcome == TestOutcome::Passed,
        );
        self.resolve_outcome(test, TestState::of(&finished.outcome), round);
    }

    /// Shows a test by its worst outcome in this round.
    fn resolve_outcome(&mut self, test: TestId, outcome: TestState, round: u32) {
        let index = test.index();
        let earlier = match self.tests.round.get(index) {
            Some(last) if *last == round => self.tests.worst[index],
            _ => TestState::Waiting,
        };
        let was_flaky =
            self.tests.round[index] == round && self.tests.stability[index] == TestStability::Flaky;
        let mixed = |a: TestState, b: TestState| a.is_failure() && b == TestState::Passed;
        let is_flaky = was_flaky || mixed(earlier, outcome) || mixed(outcome, earlier);
        if is_flaky && !was_flaky {
            self.flaky += 1;
        }
        let shown = if earlier.rank() > outcome.rank() {
            earlier
        } else {
            outcome
        };
        self.tests.stability[index] = if is_flaky {
            TestStability::Flaky
        } else {
            TestStability::Steady
        };
        self.tests.round[index] = round;
        self.tests.worst[index] = shown;
        self.set_state(test, shown);
        let was_listed = std::mem::replace(&mut self.tests.listed[index], shown.is_failure());
        match (was_listed, shown.is_failure()) {
            (false, true) => self.failures.push(test),
            (true, false) => self.failures.retain(|other| *other != test),
            (true, true) | (false, false) => {}
        }
    }

    fn set_state(&mut self, test: TestId, to: TestState) {
        let Some(state) = self.tests.state.get_mut(test.index()) else {
            return;
        };
        let from = std::mem::replace(state, to);
        self.counts.moved(from, to);
        self.tests.tree.moved(test, from, to);
        let expected_us = self.tests.expected_us(test);
        match (from.is_open(), to.is_open()) {
            (true, false) => self.estimate.closed(expected_us),
            (false, true) => self.estimate.opened(expected_us),
            (true, true) | (false, false) => {}
        }
    }

    fn set_cached(&mut self, test: TestId, cached: bool) {
        if let Some(known) = self.tests.cached.get_mut(test.index()) {
            match (std::mem::replace(known, cached), cached) {
                (false, true) => self.cached += 1,
                (true, false) => self.cached -= 1,
                (true, true) | (false, false) => {}
            }
        }
    }

    /// Time that stood still counts for no running test.
    fn continued(&mut self, suspended_us: u64) {
        if self.is_active() {
            self.suspended_us = self.suspended_us.saturating_add(suspended_us);
        }
        // The moment is what the set is ordered by.
        let shifted = std::mem::take(&mut self.running);
        for (started_us, test) in shifted {
            self.tests.shift_started(test, suspended_us);
            self.running
                .insert((started_us.saturating_add(suspended_us), test));
        }
    }

    /// Between rounds nobody samples this machine, and its slots are idle.
    fn rest_workers(&mut self) {
        let is_local = |run: &RunStarted| run.backend == BackendInfo::Local;
        if self.run.as_ref().is_some_and(is_local) {
            for worker in self.workers.iter_mut().flatten() {
                worker.busy = 0;
                worker.cpu_permille = 0;
            }
        }
    }

    fn joined(&mut self, worker: WorkerModel) {
        // An id is an index: a huge one, in a recording that was edited, must take no memory.
        if worker.id.0 >= WORKERS_MAX {
            return;
        }
        let index = worker.id.index();
        if self.workers.len() <= index {
            self.workers.resize_with(index + 1, || None);
        }
        self.workers[index] = Some(worker);
    }

    fn worker_mut(&mut self, id: WorkerId) -> Option<&mut WorkerModel> {
        self.workers.get_mut(id.index())?.as_mut()
    }

    fn slot_mut(&mut self, (worker, slot): (WorkerId, u32)) -> Option<&mut Option<TestId>> {
        self.worker_mut(worker)?.slots.get_mut(slot as usize)
    }
}

#[cfg(test)]
mod tests_of_model;
