//! The state of a run, computed from its events. [`RunModel::apply`] is the only way to change it.
//!
//! The model is pure: it uses no clock, no I/O and no randomness. Times come from the events; views
//! pass the current time. The cost of applying an event is independent of the number of tests,
//! since it updates one test and the groups that contain it. An event that contradicts earlier
//! ones, as in an edited recording, is ignored and never causes a panic.
//!
//! Captured output is in [`super::log`]; the state of screens is not part of the model.

mod apply;
mod arena;
mod attempts;
mod cluster;
mod estimate;
mod phase;
mod rounds;
mod state;
mod table;
mod tree;
mod verdict;

use std::collections::{BTreeSet, HashMap};

use maelstrom_model::event::{ClusterSample, RunStarted, TestDescription, UserNotice};
use maelstrom_model::ids::{TestId, WorkerId};

use estimate::{RunEstimator, RunningLoad};

pub use cluster::{InputTransfer, InputTransfers, SAMPLES_MAX, WorkerModel};
pub use phase::{BuildPhase, RunPhase, SubtestResult, TestRound};
pub use state::{StateCounts, TestState};
pub use table::{AttemptRecord, TestIdentity, TestStability, TestTable};
pub use tree::{GroupId, PreorderRow, TestTree, TreeRow};

/// The state of a run. See the [module](self) documentation.
#[derive(Clone, Debug, Default)]
pub struct RunModel {
    /// The start event of the run, if it has arrived.
    pub run: Option<RunStarted>,
    pub phase: RunPhase,
    /// The time of the latest event.
    pub now_us: u64,
    /// The time at which the last round ended, while no other round is running.
    pub over_us: Option<u64>,
    /// The total time for which the current round was suspended.
    pub suspended_us: u64,
    pub build: BuildPhase,
    /// The command line of the build.
    pub build_command: Vec<String>,
    /// Whether discovery has found all tests of the round.
    pub discovered: bool,
    /// The number of tests found since the last build and discovery began.
    pub found: u32,
    /// The number of tests left out by filters.
    pub deselected: u32,
    pub round: Option<TestRound>,
    pub tests: TestTable,
    /// The number of tests in each state.
    pub counts: StateCounts,
    /// The number of tests whose pass was taken from the cache of an earlier run.
    pub cached: u32,
    /// The number of tests that both failed and passed in the current round.
    pub flaky: u32,
    /// The tests whose last result is a failure, in the order in which they failed. Includes places
    /// in the source that don't compile.
    pub failures: Vec<TestId>,
    running: BTreeSet<(u64, TestId)>,
    pub notices: Vec<UserNotice>,
    /// Whether the start of further tests is paused.
    pub paused: bool,
    /// The number of tests that run again when the round ends.
    pub rerun_queued: u32,
    /// The number of watched directories, while the run waits for a file to change.
    pub awaiting: Option<u32>,
    workers: Vec<Option<WorkerModel>>,
    pub transfers: InputTransfers,
    /// The latest state of the cluster.
    pub cluster: Option<ClusterSample>,
    descriptions: HashMap<TestId, TestDescription>,
    subtests: HashMap<TestId, Vec<SubtestResult>>,
    estimate: RunEstimator,
}

impl RunModel {
    /// Creates the model of a run without any events.
    pub fn new() -> Self {
        RunModel::default()
    }

    /// Updates the preorder of the tree after tests were found or removed, and returns whether it
    /// had changed. Call this before you read [`TestTree::preorder`].
    pub fn refresh(&mut self) -> bool {
        self.tests.refresh_tree()
    }

    /// Returns the running tests with their start times, the longest-running first.
    pub fn running(&self) -> impl ExactSizeIterator<Item = (u64, TestId)> + DoubleEndedIterator {
        self.running.iter().copied()
    }

    /// Returns all workers that ever joined.
    pub fn workers(&self) -> impl Iterator<Item = &WorkerModel> {
        self.workers.iter().flatten()
    }

    /// Returns the worker with this id, if it ever joined.
    pub fn worker(&self, id: WorkerId) -> Option<&WorkerModel> {
        self.workers.get(id.index())?.as_ref()
    }

    /// Returns the description of a test, if a detail screen has requested it.
    pub fn description(&self, test: TestId) -> Option<&TestDescription> {
        self.descriptions.get(&test)
    }

    /// Returns the subtests that the framework of a test reported.
    pub fn subtests(&self, test: TestId) -> &[SubtestResult] {
        self.subtests.get(&test).map_or(&[], Vec::as_slice)
    }

    /// Returns whether a build, discovery or tests are going on, so that a screen must update
    /// times.
    pub fn is_active(&self) -> bool {
        match self.phase {
            RunPhase::Starting | RunPhase::Running | RunPhase::Cancelling { .. } => true,
            RunPhase::RoundOver | RunPhase::Finished { .. } => false,
        }
    }

    /// Returns the number of attempts that ended per second, over the last few seconds.
    pub fn rate(&self, now_us: u64) -> u32 {
        self.estimate.rate(now_us)
    }

    /// Returns the estimated remaining time of the round, or `None` without a basis for an
    /// estimate.
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
            // A test that exceeds its expected time doesn't reduce the remaining time of the
            // others.
            going.elapsed_us += so_far_us.min(expected_us);
            going.longest_us = going.longest_us.max(expected_us.saturating_sub(so_far_us));
        }
        self.estimate.remaining_us(going)
    }

    fn round_number(&self) -> u32 {
        self.round.as_ref().map_or(0, |round| round.number)
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

    fn worker_mut(&mut self, id: WorkerId) -> Option<&mut WorkerModel> {
        self.workers.get_mut(id.index())?.as_mut()
    }

    fn slot_mut(&mut self, (worker, slot): (WorkerId, u32)) -> Option<&mut Option<TestId>> {
        self.worker_mut(worker)?.slots.get_mut(slot as usize)
    }
}

#[cfg(test)]
mod tests_of_model;
