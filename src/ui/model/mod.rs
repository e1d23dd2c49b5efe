//! The state of a run as its events define it: [`RunModel::apply`] is the only way to change it.
//!
//! Pure: no clock, no I/O, no randomness. An event updates one test and the groups above it,
//! whatever the number of tests. Times are those of the events; views pass the current time. An
//! event that contradicts earlier ones (a recording may be edited) is ignored where it does not
//! fit, and never causes a panic.
//!
//! Output is in [`super::log`]; screens are not modeled here.

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
