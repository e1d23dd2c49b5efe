//! Begins and ends rounds, and ends the run.

use super::{
    BackendLink, PendingChange, RunCancellation, RunState, RunStateMachine, SuspendedTime,
    WatchState,
};
use crate::run::ending::count;
use crate::run::message::{AtEnd, RunEffect};
use crate::run::tally::TestStatus;
use maelstrom_model::event::{
    NoticeSeverity, RoundCause, RoundEvent, RoundSummary, RunEvent, WatchEvent,
};
use maelstrom_model::exit_code;
use maelstrom_model::ids::TestId;

impl RunStateMachine {
    pub(super) fn ask_rerun(&mut self, tests: Vec<TestId>) {
        if self.link == BackendLink::Lost {
            let text = "nothing can be run again: the backend is gone".to_owned();
            return self.notice(NoticeSeverity::Error, text, None);
        }
        let known = &self.tests;
        let is_there = |test: &TestId| known.get(test.index()).is_some_and(|t| t.work.is_there());
        self.rerun.extend(tests.into_iter().filter(is_there));
        match self.state {
            RunState::Open | RunState::Closed | RunState::Stopping | RunState::Killing => {
                let tests = count(self.rerun.len());
                self.emit(RoundEvent::RerunQueued { tests });
            }
            // `next_round` starts the rerun at once.
            RunState::Idle | RunState::Over => {}
        }
    }

    pub(super) fn suspend(&mut self, now_us: u64) {
        self.stillness.since_us.get_or_insert(now_us);
        self.emit_backend_effect(RunEffect::Suspend, RunEvent::Suspended);
    }

    pub(super) fn go_on(&mut self, now_us: u64) {
        let since_us = self.stillness.since_us.take().unwrap_or(now_us);
        let suspended_us = now_us.saturating_sub(since_us);
        self.stillness.total_us += suspended_us;
        self.emit_backend_effect(RunEffect::Resume, RunEvent::Continued { suspended_us });
    }

    pub(super) fn begin_round(&mut self, now_us: u64, cause: RoundCause) {
        self.round += 1;
        self.round_began_us = self.stillness.moving_us(now_us);
        self.first_start_us = None;
        self.round_tests = 0;
        self.round_failures = 0;
        let round = self.round;
        self.emit(RoundEvent::Started { round, cause });
    }

    /// Ends the round if no attempt is left, and then ends the run or starts the next round.
    pub(super) fn finish_round(&mut self, now_us: u64) {
        let before = self.state;
        match self.state {
            RunState::Open | RunState::Over => return,
            RunState::Closed | RunState::Stopping | RunState::Killing => {
                if !self.active.is_empty() {
                    return;
                }
                self.emit(RoundEvent::Finished {
                    round: self.round,
                    summary: self.summary(now_us),
                });
                self.effects.push_back(RunEffect::SaveHistory);
                // Only consecutive rounds that changes cut short count. This round ran to its end,
                // or something other than a change cut it short.
                if self.state == RunState::Closed || self.change == PendingChange::None {
                    self.cut_short = 0;
                }
                self.state = RunState::Idle;
            }
            RunState::Idle => {}
        }
        match self.wishes.at_end {
            AtEnd::Leave => self.end_run(),
            AtEnd::Watch if !self.is_watched() => self.end_run(),
            AtEnd::Stay | AtEnd::Watch => self.next_round(now_us, before),
        }
    }

    fn end_run(&mut self) {
        self.state = RunState::Over;
        let exit_code = self.exit_code();
        self.emit(RunEvent::Finished { exit_code });
        self.effects.push_back(RunEffect::End { exit_code });
    }

    /// Starts the next round, if one was requested. A change takes precedence over a rerun, because
    /// it reruns everything.
    fn next_round(&mut self, now_us: u64, before: RunState) {
        match (self.change, self.watch) {
            (PendingChange::Waits, _) if self.link == BackendLink::Up => {
                self.begin_watch_round(now_us)
            }
            (PendingChange::Waits | PendingChange::None, _) if !self.rerun.is_empty() => {
                self.state = RunState::Closed;
                self.begin_round(now_us, RoundCause::Rerun);
                for test in std::mem::take(&mut self.rerun) {
                    self.queue(now_us, test);
                }
                self.fill_slots(now_us);
                // Ignored tests end as soon as they are queued, so the round may be over already.
                self.finish_round(now_us);
            }
            (_, WatchState::On { directories }) if before != RunState::Idle => {
                self.emit(WatchEvent::AwaitingChange { directories });
            }
            (
                PendingChange::Waits | PendingChange::None,
                WatchState::On { .. } | WatchState::Off | WatchState::Lost,
            ) => {}
        }
    }

    fn summary(&self, now_us: u64) -> RoundSummary {
        let mut summary = RoundSummary {
            duration_us: self
                .stillness
                .moving_us(now_us)
                .saturating_sub(self.round_began_us),
            ..RoundSummary::default()
        };
        for test in &self.tests {
            if test.round == self.round && !test.key.is_place() {
                test.tally.count_into(&mut summary);
            }
        }
        summary
    }

    /// Returns the exit code of the run. See [`exit_code`] for the precedence.
    fn exit_code(&self) -> u8 {
        if self.interruption == RunCancellation::Cancelled {
            return exit_code::INTERRUPTED;
        }
        if self.link == BackendLink::Lost {
            return exit_code::INFRASTRUCTURE;
        }
        if let Some(code) = self.discovery_code {
            return code;
        }
        // Each pair begins with the ordinal of the failed attempt's end, so the minimum belongs to
        // the first failure.
        if let Some((_, code)) = self.tests.iter().filter_map(|test| test.failure).min() {
            return self.wishes.failure_code.unwrap_or(code);
        }
        let stands = |standing| self.tests.iter().any(|t| t.tally.standing() == standing);
        if stands(TestStatus::Error) || self.watch == WatchState::Lost {
            exit_code::INFRASTRUCTURE
        } else if stands(TestStatus::Cancelled) || stands(TestStatus::NotRun) {
            exit_code::INTERRUPTED
        } else {
            exit_code::SUCCESS
        }
    }
}

impl SuspendedTime {
    /// Returns `now_us` without the time that the run was suspended.
    pub(super) fn moving_us(self, now_us: u64) -> u64 {
        self.since_us
            .unwrap_or(now_us)
            .saturating_sub(self.total_us)
    }
}
