//! Applies the events of attempts, and derives the state of a test from its attempts.

use maelstrom_model::event::{AttemptEvent, AttemptFinished, RetryStart, TestOutcome};
use maelstrom_model::ids::{Attempt, TestId, WorkerId};

use super::{RunModel, SubtestResult, TestStability, TestState};

/// The maximum number of subtests kept per test.
const SUBTESTS_MAX: usize = 4_096;

impl RunModel {
    pub(super) fn apply_attempt(&mut self, event: &AttemptEvent) {
        match event {
            AttemptEvent::Queued {
                test,
                attempt,
                retry,
            } => self.queued(*test, *attempt, retry.as_ref()),
            AttemptEvent::Started {
                test,
                attempt,
                worker,
                slot,
            } => self.started(*test, *attempt, (*worker, *slot)),
            AttemptEvent::Output { .. } => {}
            AttemptEvent::Slow { test, attempt, .. } => {
                if let Some(record) = self.tests.record(*test, *attempt) {
                    record.is_slow = true;
                }
            }
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

    fn queued(&mut self, test: TestId, attempt: Attempt, retry: Option<&RetryStart>) {
        let now_us = self.now_us;
        if let Some(record) = self.tests.record(test, attempt)
            && record.finished.is_none()
        {
            record.queued_us = Some(now_us);
            record.retry = retry.map(|retry| (retry.number, retry.attempts_max));
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
        if finished.is_retried() {
            return self.set_state(test, TestState::Queued);
        }
        let outcome = match (self.retried_failure(test), finished.retry) {
            // What does not pass does not make up for the failures before it.
            (Some(failure), Some(retry)) if retry.number > 1 && !finished.is_flaky() => failure,
            (Some(_) | None, _) => TestState::of(&finished.counted_outcome()),
        };
        self.resolve_outcome(test, outcome, finished.is_flaky(), round);
    }

    /// Returns the failure of the current round for which a test was retried. A test failure counts
    /// for more than a timeout.
    fn retried_failure(&self, test: TestId) -> Option<TestState> {
        let since_us = self.round.as_ref().map_or(0, |round| round.started_us);
        let attempts = self.tests.attempts(test);
        let recent =
            attempts.take_while(|record| record.finished_us.is_none_or(|at| at >= since_us));
        let retried = recent.filter_map(|record| {
            let finished = record.finished.as_ref()?;
            let state = TestState::of(&finished.outcome);
            let counts = finished.is_retried() || state.is_failure();
            counts.then_some(state)
        });
        let tests_own = retried.filter(|state| *state != TestState::Error);
        tests_own.min_by_key(|state| state.rank())
    }

    /// Sets the state of a test to its worst outcome in this round. `made_up` says whether the test
    /// passed after a failed attempt.
    fn resolve_outcome(&mut self, test: TestId, outcome: TestState, made_up: bool, round: u32) {
        let index = test.index();
        let earlier = match self.tests.round.get(index) {
            Some(last) if *last == round => self.tests.worst[index],
            _ => TestState::Waiting,
        };
        let was_flaky =
            self.tests.round[index] == round && self.tests.stability[index] == TestStability::Flaky;
        let mixed = |a: TestState, b: TestState| a.is_failure() && b == TestState::Passed;
        let is_flaky = made_up || was_flaky || mixed(earlier, outcome) || mixed(outcome, earlier);
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
