//! Ends a run early: for a termination signal, or because it reached its time limit.

use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use crate::run::machine::RunState;
use crate::run::message::RunInput;
use maelstrom_model::event::{EventKind, NoticeSeverity, UiCommand, UserNotice};

/// Returns the inputs that a termination signal stands for: the run is cancelled, and if it is
/// cancelled already, its tests are killed.
pub(super) fn inputs_of_signal(state: RunState) -> Vec<RunInput> {
    let command = match state {
        RunState::Open | RunState::Closed => Some(UiCommand::Cancel),
        RunState::Stopping | RunState::Killing => Some(UiCommand::Kill),
        RunState::Idle | RunState::Over => None,
    };
    let commands = command.into_iter().chain([UiCommand::Leave]);
    commands.map(RunInput::Command).collect()
}

/// Returns the inputs that cancel the run because of its time limit. A run that waits for changed
/// files has nothing to cancel.
pub(super) fn inputs_of_limit(state: RunState, notice: UserNotice) -> Vec<RunInput> {
    match state {
        RunState::Open | RunState::Closed | RunState::Stopping | RunState::Killing => vec![
            RunInput::Fact(EventKind::Notice(notice)),
            RunInput::Command(UiCommand::Cancel),
            RunInput::Command(UiCommand::Leave),
        ],
        RunState::Idle | RunState::Over => Vec::new(),
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
