//! How a round is cut short: a test or all of it cancelled, enough failures, the backend gone.

use std::num::NonZeroU32;

use super::{Active, Interruption, Link, Machine, State, Unexpected};
use crate::run::attempt::Role;
use crate::run::ending::{blank, micros};
use crate::run::message::Effect;
use maelstrom_model::backend::Stop;
use maelstrom_model::event::{EventKind, Outcome, Severity};
use maelstrom_model::ids::{Attempt, TestId};

impl Machine {
    /// The round stops after so many failures, unless the user has said when.
    pub fn stop_after(&mut self, failures: NonZeroU32) {
        self.wishes.stop_after.get_or_insert(failures);
    }

    pub(super) fn stop_if_enough(&mut self) {
        let Some(limit) = self.wishes.stop_after else {
            return;
        };
        match self.state {
            State::Open | State::Closed => {}
            State::Stopping | State::Killing | State::Idle | State::Over => return,
        }
        if self.round_failures < limit.get() {
            return;
        }
        self.stop_round(State::Stopping, Some(Stop::Kill));
        let text = match limit.get() {
            1 => "stopped after the first failure".to_owned(),
            more => format!("stopped after {more} failures"),
        };
        self.notice(Severity::Info, text, None);
    }

    pub(super) fn cancel_test(&mut self, test: TestId) -> Result<(), Unexpected> {
        let attempts = (test, Attempt(0))..=(test, Attempt(u32::MAX));
        let active: Vec<_> = self.active.range(attempts).map(|(id, _)| *id).collect();
        if active.is_empty() {
            return Err(self.unexpected("cancelling a test that is not under way"));
        }
        for (test, attempt) in active {
            self.effects.push_back(Effect::Stop {
                id: Role::Attempt(test, attempt).job(),
                how: Stop::Terminate,
            });
        }
        Ok(())
    }

    pub(super) fn cancel(&mut self) -> Result<(), Unexpected> {
        match self.state {
            State::Open | State::Closed | State::Stopping => {}
            State::Killing | State::Idle | State::Over => {
                return Err(self.unexpected("cancelling"));
            }
        }
        self.interruption = Interruption::Cancelled;
        self.rerun.clear();
        self.emit(EventKind::Cancelling {
            grace_us: micros(self.wishes.grace),
        });
        self.stop_round(State::Stopping, Some(Stop::Terminate));
        Ok(())
    }

    pub(super) fn kill(&mut self) -> Result<(), Unexpected> {
        match self.state {
            State::Open | State::Closed | State::Stopping | State::Killing => {}
            State::Idle | State::Over => return Err(self.unexpected("killing")),
        }
        self.interruption = Interruption::Cancelled;
        self.rerun.clear();
        self.stop_round(State::Killing, Some(Stop::Kill));
        Ok(())
    }

    pub(super) fn lost(&mut self, message: String, help: Option<String>) {
        self.link = Link::Lost;
        self.rerun.clear();
        self.notice(Severity::Error, message.clone(), help);
        self.abandon_discovery();
        match self.state {
            State::Open | State::Closed => self.state = State::Stopping,
            State::Stopping | State::Killing | State::Idle | State::Over => {}
        }
        for ((test, attempt), active) in std::mem::take(&mut self.active) {
            let outcome = match active {
                Active::Queued { .. } => Outcome::Cancelled,
                Active::Running { .. } => Outcome::Error {
                    message: message.clone(),
                },
            };
            self.end(active, blank(test, attempt, outcome));
        }
    }

    pub(super) fn stop_round(&mut self, next: State, running: Option<Stop>) {
        self.abandon_discovery();
        self.state = next;
        self.stop_active(running);
    }

    fn abandon_discovery(&mut self) {
        match self.state {
            State::Open => self.effects.push_back(Effect::AbandonDiscovery),
            State::Closed | State::Stopping | State::Killing | State::Idle | State::Over => {}
        }
    }

    /// Takes everything out of the queue; what runs is stopped too if `running` says how.
    pub(super) fn stop_active(&mut self, running: Option<Stop>) {
        for (&(test, attempt), active) in &self.active {
            let how = match (active, running) {
                (Active::Queued { .. }, how) => how.unwrap_or(Stop::Terminate),
                (Active::Running { .. }, Some(how)) => how,
                (Active::Running { .. }, None) => continue,
            };
            let id = Role::Attempt(test, attempt).job();
            self.effects.push_back(Effect::Stop { id, how });
        }
    }
}
