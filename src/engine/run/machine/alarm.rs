//! What happens at a time: delayed retries are submitted, and running attempts are reported as slow.
//!
//! Times are those of the run without the time that it was suspended, so a suspended run has no
//! alarm. The driver keeps one alarm, the earliest time of the agenda.

use super::{AttemptPhase, RunStateMachine};
use crate::run::ending::micros;
use crate::run::message::RunEffect;
use maelstrom_model::event::AttemptEvent;
use maelstrom_model::ids::{Attempt, TestId};

impl RunStateMachine {
    /// Handles what is due.
    pub(super) fn woke(&mut self, now_us: u64) {
        // The alarm has gone off, so the next one has to be set even if it is for the same time.
        self.alarm_us = None;
        let moving_us = self.stillness.moving_us(now_us);
        while let Some(&(due_us, test, attempt)) = self.agenda.first()
            && due_us <= moving_us
        {
            self.agenda.pop_first();
            self.fall_due(now_us, moving_us, (test, attempt));
        }
    }

    fn fall_due(&mut self, now_us: u64, moving_us: u64, (test, attempt): (TestId, Attempt)) {
        let slow_after_us = self.slow_after_us(test);
        let Some(active) = self.active.get_mut(&(test, attempt)) else {
            return;
        };
        active.due_us = None;
        match active.phase {
            AttemptPhase::Delayed { worker } => {
                let series = active.series;
                self.submit(now_us, (test, attempt), series, worker);
            }
            AttemptPhase::Running { began_us, .. } => {
                let Some(interval_us) = slow_after_us else {
                    return;
                };
                // The program may have been kept from running for several intervals.
                let elapsed_us = moving_us.saturating_sub(began_us);
                let after_us = elapsed_us - elapsed_us % interval_us;
                let due_us = began_us
                    .saturating_add(after_us)
                    .saturating_add(interval_us);
                active.due_us = Some(due_us);
                self.agenda.insert((due_us, test, attempt));
                self.emit(AttemptEvent::Slow {
                    test,
                    attempt,
                    after_us,
                });
            }
            AttemptPhase::Queued { since_us: _ } => {}
        }
    }

    /// Has the driver wake the machine at the earliest time of the agenda.
    pub(super) fn set_alarm(&mut self) {
        let next = self.agenda.first().map(|&(due_us, _, _)| due_us);
        let at_us = match (self.stillness.since_us, next) {
            (None, Some(due_us)) => Some(due_us.saturating_add(self.stillness.total_us)),
            (Some(_), _) | (None, None) => None,
        };
        if at_us != self.alarm_us {
            self.alarm_us = at_us;
            self.effects.push_back(RunEffect::WakeAt { at_us });
        }
    }

    /// Returns the interval after which an attempt of a test is reported as slow.
    pub(super) fn slow_after_us(&self, test: TestId) -> Option<u64> {
        let test = self.tests.get(test.index())?;
        let interval_us = micros(test.policy.slow_after?);
        (interval_us > 0).then_some(interval_us)
    }
}
