//! The thread of the user interface: the dashboard, a line-based report, or a list.
//!
//! Whatever ends that thread, the run is notified: a run that nobody can watch any more is stopped.

use std::io::{self, IsTerminal, Write};
use std::thread::JoinHandle;

use tokio::sync::mpsc::UnboundedSender;

use super::failure::ProgramFailure;
use maelstrom_engine::log::ProgramLog;
use maelstrom_engine::run::message::AtEnd;
use maelstrom_engine::run::watch::WatchMode;
use maelstrom_model::event::channel::EventReceiver;
use maelstrom_model::event::untrusted_text::{clean, clean_lines};
use maelstrom_model::event::{
    AttemptEvent, BuildEvent, EventKind, RunEvent, TestEvent, TestOutcome, UiCommand,
};
use maelstrom_runners::options::report::ReportOptions;
use maelstrom_ui::style::OutputColor;
use maelstrom_ui::{dashboard, report};

/// What a run is shown on.
#[derive(Debug)]
pub enum RunUi {
    /// The full-screen dashboard; what is left of it afterwards has this color.
    Dashboard(Box<dashboard::DashboardOptions>, OutputColor),
    Report(report::RunReportOptions),
    /// The titles of the tests.
    List(ListContent),
}

/// What a list shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ListContent {
    /// The tests' titles, one a line.
    Tests,
    /// Nothing but what the build says.
    Nothing,
}

/// The dashboard's terminal was there, and is no more.
#[derive(Debug, thiserror::Error)]
#[error("the terminal is gone, so the run was stopped")]
pub struct TerminalGone;

/// Why a screen failed.
pub type UiThreadError = Box<dyn std::error::Error + Send + Sync>;

/// A screen at work.
pub type UiThread = JoinHandle<Result<(), UiThreadError>>;

impl RunUi {
    /// Whether changed files begin rounds. A list is printed once.
    pub fn watching(&self, options: &ReportOptions) -> WatchMode {
        match self {
            RunUi::Dashboard(..) | RunUi::Report(_) if options.watch => WatchMode::On,
            RunUi::Dashboard(..) | RunUi::Report(_) | RunUi::List(_) => WatchMode::Off,
        }
    }

    /// What happens when a round is over.
    pub fn at_end(&self, watching: WatchMode) -> AtEnd {
        match (self, watching) {
            (RunUi::Dashboard(..), _) => AtEnd::Stay,
            (RunUi::Report(_) | RunUi::List(_), WatchMode::On) => AtEnd::Watch,
            (RunUi::Report(_) | RunUi::List(_), WatchMode::Off) => AtEnd::Leave,
        }
    }

    /// Shows events until the last one on a thread of its own, and tells the log where to go.
    pub fn start(
        self,
        events: EventReceiver,
        commands: UnboundedSender<UiCommand>,
        log: &ProgramLog,
    ) -> Result<UiThread, UiThreadError> {
        let showing = match self {
            // It has the terminal; the log's file is beside the run's state.
            RunUi::Dashboard(options, color) => UiRenderer::Dashboard(options, color),
            RunUi::Report(options) => {
                let output = report::BackgroundWriter::start(io::stdout())?;
                log.to_stdout(Box::new(output.whole_line_writer()));
                UiRenderer::Report(options, output)
            }
            // Standard output is what somebody reads, perhaps a program.
            RunUi::List(listing) => {
                log.to_stderr();
                UiRenderer::List(listing)
            }
        };
        let thread = std::thread::Builder::new()
            .name("screen".to_owned())
            .spawn(move || {
                // A panic drops it as well, and so ends the run.
                let stop = StopOnDrop(commands.clone());
                let shown = showing.show(events, commands);
                drop(stop);
                shown
            })?;
        Ok(thread)
    }
}

/// Waits for the end of a screen.
pub fn wait_for(shown: UiThread) -> Result<(), ProgramFailure> {
    match shown.join() {
        Ok(Ok(())) => Ok(()),
        Ok(Err(error)) => Err(if error.is::<TerminalGone>() {
            ProgramFailure::terminal_gone(&*error)
        } else if let Some(error) = error.downcast_ref::<std::io::Error>() {
            ProgramFailure::writing(error)
        } else {
            ProgramFailure::infrastructure(&*error)
        }),
        Err(panic) => std::panic::resume_unwind(panic),
    }
}

/// A screen, and what it writes to.
enum UiRenderer {
    Dashboard(Box<dashboard::DashboardOptions>, OutputColor),
    Report(report::RunReportOptions, report::BackgroundWriter),
    List(ListContent),
}

impl UiRenderer {
    fn show(
        self,
        events: EventReceiver,
        commands: UnboundedSender<UiCommand>,
    ) -> Result<(), UiThreadError> {
        match self {
            UiRenderer::Dashboard(options, color) => {
                show_dashboard(events, commands, *options, color).map_err(|error| {
                    // One that has been hung up is none any more, whatever failed first.
                    if io::stdout().is_terminal() {
                        error
                    } else {
                        TerminalGone.into()
                    }
                })
            }
            UiRenderer::Report(options, output) => Ok(report::run(events, options, output)?),
            UiRenderer::List(listing) => Ok(list(events, listing)?),
        }
    }
}

/// The dashboard, and what is left of it afterwards.
fn show_dashboard(
    events: EventReceiver,
    commands: UnboundedSender<UiCommand>,
    options: dashboard::DashboardOptions,
    color: OutputColor,
) -> Result<(), UiThreadError> {
    let left = dashboard::run(events, commands, options)?;
    let mut stdout = io::stdout().lock();
    report::write_build(&mut stdout, color, (&left.model, &left.logs))?;
    report::write_ending(
        &mut stdout,
        color,
        report::PrecedingOutput::Nothing,
        (&left.model, &left.logs),
    )?;
    Ok(stdout.flush()?)
}

/// When the run is over this reaches nobody; when it is not, nobody watches it any more.
struct StopOnDrop(UnboundedSender<UiCommand>);

impl Drop for StopOnDrop {
    fn drop(&mut self) {
        for command in [UiCommand::Kill, UiCommand::Leave] {
            drop(self.0.send(command));
        }
    }
}

/// What is listed goes to standard output, everything else to standard error.
fn list(mut events: EventReceiver, listing: ListContent) -> io::Result<()> {
    let mut stdout = io::BufWriter::new(io::stdout().lock());
    // Not locked: between two events the log writes there, too.
    let mut stderr = io::stderr();
    let color = OutputColor::for_stream(&stderr);
    while let Some(event) = events.blocking_recv() {
        match event.kind {
            EventKind::Test(TestEvent::Discovered { tests }) => match listing {
                ListContent::Tests => {
                    for test in tests {
                        writeln!(stdout, "{}", clean(&test.title))?;
                    }
                }
                ListContent::Nothing => {}
            },
            EventKind::Build(BuildEvent::Output { text })
            | EventKind::Attempt(AttemptEvent::Output { text, .. }) => {
                report::write_build_output(&mut stderr, color, &text.0)?;
            }
            EventKind::Notice(notice) => report::write_notice(&mut stderr, color, &notice)?,
            EventKind::Attempt(AttemptEvent::Finished(finished)) => match finished.outcome {
                TestOutcome::Error { message } => writeln!(stderr, "{}", clean_lines(&message))?,
                TestOutcome::Passed
                | TestOutcome::Failed { .. }
                | TestOutcome::TimedOut { .. }
                | TestOutcome::Ignored { .. }
                | TestOutcome::Cancelled => {}
            },
            EventKind::Run(RunEvent::Finished { .. }) => break,
            EventKind::Test(_)
            | EventKind::Build(_)
            | EventKind::Attempt(_)
            | EventKind::Run(_)
            | EventKind::Watch(_)
            | EventKind::Round(_)
            | EventKind::Worker(_)
            | EventKind::Cluster(_) => {}
        }
    }
    stdout.flush()
}
