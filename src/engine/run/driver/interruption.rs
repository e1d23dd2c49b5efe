//! Ends a run early: for a termination signal, or because it reached its time limit.

use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use super::RunDriver;
use crate::run::machine::RunState;
use crate::run::message::RunInput;
use crate::run::signals::TerminationSignal;
use maelstrom_model::backend::Backend;
use maelstrom_model::event::{EventKind, NoticeSeverity, UiCommand, UserNotice};
use maelstrom_model::framework::Framework;

impl<F: Framework, B: Backend> RunDriver<'_, F, B> {
    /// Cancels the run, or kills its tests if it is cancelled already.
    pub(super) fn interrupt(&mut self, interrupt: TerminationSignal) {
        tracing::debug!(?interrupt, "the run is to end");
        match self.machine.state() {
            RunState::Open | RunState::Closed => {
                self.handle_input(RunInput::Command(UiCommand::Cancel))
            }
            RunState::Stopping | RunState::Killing => {
                self.handle_input(RunInput::Command(UiCommand::Kill))
            }
            RunState::Idle | RunState::Over => {}
        }
        self.handle_input(RunInput::Command(UiCommand::Leave));
    }

    /// Cancels the run because of its time limit.
    pub(super) fn stop_for_limit(&mut self, notice: UserNotice) {
        self.handle_input(RunInput::Fact(EventKind::Notice(notice)));
        self.handle_input(RunInput::Command(UiCommand::Cancel));
        self.handle_input(RunInput::Command(UiCommand::Leave));
    }
}

/// A run's limit, which is reached at most once.
#[derive(Debug)]
pub(super) struct RunLimit {
    limit: Duration,
    due: Option<Instant>,
}

impl RunLimit {
    /// Starts the clock of a run that begins now.
    pub(super) fn start(limit: Option<Duration>) -> RunLimit {
        RunLimit {
            limit: limit.unwrap_or_default(),
            due: limit.and_then(|limit| Instant::now().checked_add(limit)),
        }
    }

    /// Waits until the run has reached its limit, and returns the notice about that. Cancel safe.
    pub(super) async fn reached(&mut self) -> UserNotice {
        match self.due {
            Some(due) => sleep_until(due).await,
            None => std::future::pending().await,
        }
        self.due = None;
        UserNotice {
            severity: NoticeSeverity::Error,
            text: format!(
                "the run was stopped: it took longer than its limit of {} s",
                self.limit.as_secs_f64()
            ),
            help: Some("--run-timeout sets the limit".to_owned()),
            in_summary: true,
        }
    }
}
