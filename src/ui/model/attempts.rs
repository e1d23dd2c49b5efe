//! Applies the events of attempts, and derives the state of a test from its attempts.

use maelstrom_model::event::{AttemptEvent, AttemptFinished, TestOutcome};
use maelstrom_model::ids::{Attempt, TestId, WorkerId};

use super::{RunModel, SubtestResult, TestStability, TestState};

/// The maximum number of subtests kept per test.
const SUBTESTS_MAX: usize = 4_096;

impl RunModel {
    pub(super) fn apply_attempt(&mut self, event: &AttemptEvent) {
        match event {
            AttemptEvent::Queued { test, attempt } => self.queued(*test, *attempt),
            AttemptEvent::Started {
                test,
                attempt,
                worker,
                slot,
            } => self.started(*test, *attempt, (*worker, *slot)),
            AttemptEvent::Output { .. } => {}
            AttemptEvent::Subtest {
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
            AttemptEvent::Finished(finished) => self.finished(finished),
        }
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
            // The slot may have started another test already.
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

    /// Sets the state of a test to its worst outcome in this round.
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
}
