//! Begins and ends rounds, and resets the model when a watch round begins.
//!
//! When files change and tests are discovered again, a test keeps its id, its position and its
//! latest attempt, so that screens can continue to show it; everything else about it is reset.

use super::{BuildPhase, RunModel, RunPhase, TestRound, TestState};
use maelstrom_model::event::{BackendInfo, RoundCause, RoundEvent, RunStarted};
use maelstrom_model::ids::TestId;

impl RunModel {
    pub(super) fn apply_round(&mut self, at_us: u64, event: &RoundEvent) {
        match event {
            RoundEvent::Started { round, cause } => self.round_started(*round, *cause),
            RoundEvent::RerunQueued { tests } => self.rerun_queued = *tests,
            RoundEvent::Finished { round, summary } => {
                if let Some(current) = self.round.as_mut().filter(|r| r.number == *round) {
                    current.summary = Some(*summary);
                }
                self.phase = RunPhase::RoundOver;
                self.over_us = Some(at_us);
                self.rerun_queued = 0;
                self.rest_workers();
            }
        }
    }

    fn round_started(&mut self, number: u32, cause: RoundCause) {
        match cause {
            RoundCause::Start | RoundCause::Rerun => {}
            RoundCause::Watch => self.reset_results(),
        }
        self.awaiting = None;
        self.round = Some(TestRound {
            number,
            cause,
            started_us: self.now_us,
            summary: None,
        });
        self.phase = RunPhase::Running;
        self.over_us = None;
        self.suspended_us = 0;
        self.rerun_queued = 0;
        self.flaky = 0;
    }

    /// Sets the local worker to idle, because this machine is not sampled between rounds.
    fn rest_workers(&mut self) {
        let is_local = |run: &RunStarted| run.backend == BackendInfo::Local;
        if self.run.as_ref().is_some_and(is_local) {
            for worker in self.workers.iter_mut().flatten() {
                worker.busy = 0;
                worker.cpu_permille = 0;
            }
        }
    }

    /// Returns the elapsed time of the round at `run_us`, without suspended time. Before the first
    /// round, this is the elapsed time of the run. The summary reports the same duration.
    pub fn round_us(&self, run_us: u64) -> u64 {
        let began_us = self.round.as_ref().map_or(0, |round| round.started_us);
        let passed_us = run_us.saturating_sub(began_us);
        passed_us.saturating_sub(self.suspended_us)
    }

    /// Resets the results of all tests, because the files have changed. Keeps only the latest
    /// attempt of each test, so that memory use doesn't grow with the number of rounds.
    fn reset_results(&mut self) {
        self.build = BuildPhase::None;
        self.discovered = false;
        self.found = 0;
        self.notices.retain(|notice| !notice.in_summary);
        self.descriptions.clear();
        self.failures.clear();
        let tests: Vec<TestId> = self.tests.ids().collect();
        for test in tests {
            self.set_state(test, TestState::Waiting);
            self.set_cached(test, false);
            self.tests.listed[test.index()] = false;
        }
        self.tests.forget_earlier_attempts();
        let tests = &self.tests;
        self.subtests.retain(|test, subtests| {
            let latest = tests.latest(*test).map(|record| record.attempt);
            subtests.retain(|subtest| Some(subtest.attempt) == latest);
            !subtests.is_empty()
        });
    }

    pub(super) fn vanished(&mut self, test: TestId) {
        let state = self.tests.state(test);
        if !self.tests.remove(test) {
            return;
        }
        self.counts.removed(state);
        if state.is_open() {
            self.estimate.closed(self.tests.expected_us(test));
        }
        self.failures.retain(|other| *other != test);
        self.running.retain(|(_, other)| *other != test);
        self.subtests.remove(&test);
    }
}
