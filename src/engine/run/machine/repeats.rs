//! Repeats tests within a round (`--repeat`).
//!
//! A known number of copies is queued at once. Without such a number, or with a time after which no
//! further copy starts, a copy is queued when another one of the same test has ended. A project with
//! fewer tests than the backend has slots gets several copies of each test under way, so that no
//! slot is idle.

use super::{RunStateMachine, TestAction};
use crate::run::ending::{count, micros};
use crate::run::message::{RepeatCount, RunMode};
use maelstrom_model::ids::TestId;

impl RunStateMachine {
    /// Queues a further copy of a test, one of whose copies has ended.
    pub(super) fn queue_next_copy(&mut self, now_us: u64, id: TestId) {
        if self.may_repeat(now_us, id) {
            self.queue_copy(now_us, id);
        }
    }

    /// Queues copies of the round's tests, so that all slots are taken. All tests of the round are
    /// queued.
    pub(super) fn fill_slots(&mut self, now_us: u64) {
        let plan = self.wishes.repeat;
        let further = plan
            .slots
            .div_ceil(self.round_tests.max(1))
            .saturating_sub(1);
        if further == 0 || !plan.is_continuous() || self.wishes.errand == RunMode::List {
            return;
        }
        for index in 0..count(self.tests.len()) {
            for _ in 0..further {
                if self.may_repeat(now_us, TestId(index)) {
                    self.queue_copy(now_us, TestId(index));
                }
            }
        }
    }

    fn may_repeat(&self, now_us: u64, id: TestId) -> bool {
        let Some(test) = self.tests.get(id.index()) else {
            return false;
        };
        let TestAction::Run(_) = test.work else {
            return false;
        };
        let plan = self.wishes.repeat;
        let copies_left = match plan.copies {
            RepeatCount::Times(times) => test.copies < times.get(),
            RepeatCount::Endless => true,
        };
        let began_us = self.first_start_us.unwrap_or(u64::MAX);
        let elapsed_us = self.stillness.moving_us(now_us).saturating_sub(began_us);
        let time_left = plan.time.is_none_or(|time| elapsed_us < micros(time));
        self.may_start() && test.round == self.round && copies_left && time_left
    }
}
