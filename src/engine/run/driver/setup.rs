//! The inputs of a run: its options, its framework and backend, and the channels to and from it.

use std::path::PathBuf;
use std::time::Duration;

use tokio::sync::mpsc::UnboundedReceiver;

use crate::log::ProgramLog;
use crate::run::event_sink::EventSink;
use crate::run::message::RunOptions;
use crate::run::partition::TestPartition;
use crate::run::signals::TerminationSignal;
use crate::run::watch::WatchMode;
use maelstrom_model::event::{RunStarted, UiCommand, UserNotice};

/// Everything that a run needs.
#[derive(Debug)]
pub struct RunSetup<'a, F, B> {
    /// The options of the run.
    pub wishes: RunOptions,
    /// The first event: what is known when the run starts.
    pub run: RunStarted,
    /// The part of the tests that the run takes, if not all.
    pub partition: Option<TestPartition>,
    /// Notices to show when the run starts.
    pub notices: Vec<UserNotice>,
    /// The test framework, which finds the tests.
    pub framework: &'a F,
    pub backend: B,
    pub outlet: EventSink,
    /// The commands of the user interface. When the channel is closed, the run ends after the
    /// round.
    pub commands: UnboundedReceiver<UiCommand>,
    /// The program's log, which moves to the run's state directory once that is known.
    pub log: &'a ProgramLog,
    /// The program that opens a shell in a test's container, if available.
    pub shell: Option<PathBuf>,
    /// The termination signals that the process receives.
    pub interrupts: UnboundedReceiver<TerminationSignal>,
    /// Whether changed files start rounds.
    pub watching: WatchMode,
    /// The time after which the run is cancelled.
    pub limit: Option<Duration>,
    /// Whether variables tell tests the id of the run and their slot.
    pub tells_run: bool,
}
