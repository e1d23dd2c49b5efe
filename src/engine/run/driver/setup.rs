//! What the caller of a run provides: the run's options, its framework and backend, and the
//! channels to and from it.

use std::path::PathBuf;

use tokio::sync::mpsc::UnboundedReceiver;

use crate::log::ProgramLog;
use crate::run::event_sink::EventSink;
use crate::run::message::RunOptions;
use crate::run::signals::TerminationSignal;
use crate::run::watch::WatchMode;
use maelstrom_model::event::{RunStarted, UiCommand, UserNotice};

/// Everything a run needs.
#[derive(Debug)]
pub struct RunSetup<'a, F, B> {
    /// The options of the run.
    pub wishes: RunOptions,
    /// What is known at the start; told first.
    pub run: RunStarted,
    /// What the user should know from the start.
    pub notices: Vec<UserNotice>,
    /// What finds the tests.
    pub framework: &'a F,
    pub backend: B,
    pub outlet: EventSink,
    /// The user interface's commands. When it is closed, the run ends after the round.
    pub commands: UnboundedReceiver<UiCommand>,
    /// The program's log, which may want to know where the run's state is.
    pub log: &'a ProgramLog,
    /// The program that opens a shell in a test's container, where there is one.
    pub shell: Option<PathBuf>,
    /// The signals that may end the run.
    pub interrupts: UnboundedReceiver<TerminationSignal>,
    /// Whether changed files begin rounds.
    pub watching: WatchMode,
}
