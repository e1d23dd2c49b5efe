//! Cuts a round short: a test or the round is cancelled, the failure limit is reached, or the
//! backend is lost.

use std::num::NonZeroU32;

use super::{
    ActiveAttempt, AttemptPhase, BackendLink, RunCancellation, RunState, RunStateMachine,
    UnexpectedInputError,
};
use crate::run::attempt::JobRole;
use crate::run::ending::micros;
use crate::run::message::RunEffect;
use maelstrom_model::backend::StopMode;
use maelstrom_model::event::{AttemptFinished, NoticeSeverity, RunEvent, TestOutcome};
use maelstrom_model::ids::{Attempt, TestId};

impl RunStateMachine {
    /// Sets the number of failures after which a round stops, unless the user set one.
    pub fn stop_after(&mut self, failures: NonZeroU32) {
        self.wishes.stop_after.get_or_insert(failures);
    }

    pub(super) fn stop_if_enough(&mut self, now_us: u64) {
        let Some(limit) = self.wishes.stop_after else {
            return;
        };
        match self.state {
            RunState::Open | RunState::Closed => {}
            RunState::Stopping | RunState::Killing | RunState::Idle | RunState::Over => return,
        }
        if self.round_failures < limit.get() {
            return;
        }
        self.stop_round(now_us, RunState::Stopping, Some(StopMode::Kill));
        let text = match limit.get() {
            1 => "stopped after the first failure".to_owned(),
            more => format!("stopped after {more} failures"),
        };
        self.notice(NoticeSeverity::Info, text, None);
    }

    pub(super) fn cancel_test(
        &mut self,
        now_us: u64,
        test: TestId,
    ) -> Result<(), UnexpectedInputError> {
        let attempts = (test, Attempt(0))..=(test, Attempt(u32::MAX));
        let active: Vec<_> = self.active.range(attempts).map(|(id, _)| *id).collect();
        if active.is_empty() {
            return Err(self.unexpected("cancelling a test that is not under way"));
        }
        for (test, attempt) in active {
            // The end of another attempt may have stopped the round, and this attempt with it.
            if !self.active.contains_key(&(test, attempt)) {
                continue;
            }
            self.stopped.insert((test, attempt));
            self.stop_attempt(now_us, (test, attempt), StopMode::Terminate);
        }
        Ok(())
    }

    pub(super) fn cancel(&mut self, now_us: u64) -> Result<(), UnexpectedInputError> {
        match self.state {
            RunState::Open | RunState::Closed | RunState::Stopping => {}
            RunState::Killing | RunState::Idle | RunState::Over => {
                return Err(self.unexpected("cancelling"));
            }
        }
        self.interruption = RunCancellation::Cancelled;
        self.rerun.clear();
        let own = |(test, _): &(TestId, Attempt)| self.job(*test)?.grace;
        let graces = self.active.keys();
        let graces = graces.map(|id| own(id).unwrap_or(self.wishes.grace));
        let grace = graces.max().unwrap_or(self.wishes.grace);
        self.emit(RunEvent::Cancelling {
            grace_us: micros(grace),
        });
        self.stop_round(now_us, RunState::Stopping, Some(StopMode::Terminate));
        Ok(())
    }

    pub(super) fn kill(&mut self, now_us: u64) -> Result<(), UnexpectedInputError> {
        match self.state {
            RunState::Open | RunState::Closed | RunState::Stopping | RunState::Killing => {}
            RunState::Idle | RunState::Over => return Err(self.unexpected("killing")),
        }
        self.interruption = RunCancellation::Cancelled;
        self.rerun.clear();
        self.stop_round(now_us, RunState::Killing, Some(StopMode::Kill));
        Ok(())
    }

    pub(super) fn lost(&mut self, now_us: u64, message: String, help: Option<String>) {
        self.link = BackendLink::Lost;
        self.rerun.clear();
        self.notice(NoticeSeverity::Error, message.clone(), help);
        self.abandon_discovery();
        match self.state {
            RunState::Open | RunState::Closed => self.state = RunState::Stopping,
            RunState::Stopping | RunState::Killing | RunState::Idle | RunState::Over => {}
        }
        for ((test, attempt), active) in std::mem::take(&mut self.active) {
            let outcome = match active.phase {
                AttemptPhase::Delayed { .. } | AttemptPhase::Queued { .. } => {
                    TestOutcome::Cancelled
                }
                AttemptPhase::Running { .. } => TestOutcome::Error {
                    message: message.clone(),
                },
            };
            self.end(now_us, active, AttemptFinished::new(test, attempt, outcome));
        }
    }

    pub(super) fn stop_round(&mut self, now_us: u64, next: RunState, running: Option<StopMode>) {
        self.abandon_discovery();
        self.state = next;
        self.stop_active(now_us, running);
    }

    fn abandon_discovery(&mut self) {
        match self.state {
            RunState::Open => self.effects.push_back(RunEffect::AbandonDiscovery),
            RunState::Closed
            | RunState::Stopping
            | RunState::Killing
            | RunState::Idle
            | RunState::Over => {}
        }
    }

    /// Takes all waiting attempts out of the queue. Running attempts are stopped too if `running`
    /// says how.
    pub(super) fn stop_active(&mut self, now_us: u64, running: Option<StopMode>) {
        let how = |active: &ActiveAttempt| match active.phase {
            AttemptPhase::Delayed { .. } | AttemptPhase::Queued { .. } => {
                Some(running.unwrap_or(StopMode::Terminate))
            }
            AttemptPhase::Running { .. } => running,
        };
        let stops = self.active.iter();
        let stops = stops.filter_map(|(&id, active)| Some((id, how(active)?)));
        for (id, how) in stops.collect::<Vec<_>>() {
            self.stop_attempt(now_us, id, how);
        }
    }

    /// Stops an attempt. One that has no job yet ends at once.
    fn stop_attempt(&mut self, now_us: u64, id: (TestId, Attempt), how: StopMode) {
        let delayed = self
            .active
            .get(&id)
            .is_some_and(|active| match active.phase {
                AttemptPhase::Delayed { .. } => true,
                AttemptPhase::Queued { .. } | AttemptPhase::Running { .. } => false,
            });
        let (test, attempt) = id;
        if !delayed {
            let id = JobRole::Attempt(test, attempt).job();
            self.effects.push_back(RunEffect::Stop { id, how });
        } else if let Some(active) = self.active.remove(&id) {
            self.end(
                now_us,
                active,
                AttemptFinished::new(test, attempt, TestOutcome::Cancelled),
            );
        }
    }
}
