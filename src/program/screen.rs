//! The thread that shows a run: the dashboard, a report in lines, or a list.
//!
//! Whatever ends that thread, the run hears of it: a run that nobody can watch any more is stopped
//! rather than left running unseen.

use std::io::{self, IsTerminal, Write};
use std::thread::JoinHandle;

use tokio::sync::mpsc::UnboundedSender;

use maelstrom_engine::log::Log;
use maelstrom_engine::run::message::AtEnd;
use maelstrom_engine::run::watch::Watching;
use maelstrom_model::event::channel::EventReceiver;
use maelstrom_model::event::foreign::{clean, clean_lines};
use maelstrom_model::event::{Command, EventKind, Outcome};
use maelstrom_runners::cargo::options::ReportOptions;
use maelstrom_ui::style::Colour;
use maelstrom_ui::{dashboard, report};

/// What a run is shown on.
#[derive(Debug)]
pub enum Screen {
    /// The full-screen dashboard; what is left of it afterwards has this colour.
    Dashboard(Box<dashboard::Options>, Colour),
    /// Lines.
    Report(report::Options),
    /// The titles of the tests.
    List(Listing),
}

/// What a list shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Listing {
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
pub type ScreenError = Box<dyn std::error::Error + Send + Sync>;

/// A screen at work.
pub type Shown = JoinHandle<Result<(), ScreenError>>;

impl Screen {
    /// Whether changed files begin rounds. A list is printed once.
    pub fn watching(&self, options: &ReportOptions) -> Watching {
        match self {
            Screen::Dashboard(..) | Screen::Report(_) if options.watch => Watching::On,
            Screen::Dashboard(..) | Screen::Report(_) | Screen::List(_) => Watching::Off,
        }
    }

    /// What happens when a round is over.
    pub fn at_end(&self, watching: Watching) -> AtEnd {
        match (self, watching) {
            (Screen::Dashboard(..), _) => AtEnd::Stay,
            (Screen::Report(_) | Screen::List(_), Watching::On) => AtEnd::Watch,
            (Screen::Report(_) | Screen::List(_), Watching::Off) => AtEnd::Leave,
        }
    }

    /// Shows events until the last one on a thread of its own, and tells the log where to go.
    pub fn start(
        self,
        events: EventReceiver,
        commands: UnboundedSender<Command>,
        log: &Log,
    ) -> Result<Shown, ScreenError> {
        let showing = match self {
            // It has the terminal; the log's file is beside the run's state.
            Screen::Dashboard(options, colour) => Showing::Dashboard(options, colour),
            Screen::Report(options) => {
                let output = report::Output::start(io::stdout())?;
                log.to_stdout(Box::new(output.beside()));
                Showing::Report(options, output)
            }
            // Standard output is what somebody reads, perhaps a program.
            Screen::List(listing) => {
                log.to_stderr();
                Showing::List(listing)
            }
        };
        let thread = std::thread::Builder::new()
            .name("screen".to_owned())
            .spawn(move || {
                let stop = StopOnDrop(commands.clone());
                let shown = showing.show(events, commands);
                drop(stop);
                shown
            })?;
        Ok(thread)
    }
}

/// A screen, and what it writes to.
enum Showing {
    Dashboard(Box<dashboard::Options>, Colour),
    Report(report::Options, report::Output),
    List(Listing),
}

impl Showing {
    fn show(
        self,
        events: EventReceiver,
        commands: UnboundedSender<Command>,
    ) -> Result<(), ScreenError> {
        match self {
            Showing::Dashboard(options, colour) => {
                show_dashboard(events, commands, *options, colour).map_err(|error| {
                    // One that has been hung up is none any more, whatever failed first.
                    if io::stdout().is_terminal() {
                        error
                    } else {
                        TerminalGone.into()
                    }
                })
            }
            Showing::Report(options, output) => Ok(report::run(events, options, output)?),
            Showing::List(listing) => Ok(list(events, listing)?),
        }
    }
}

/// The dashboard, and what is left of it afterwards.
fn show_dashboard(
    events: EventReceiver,
    commands: UnboundedSender<Command>,
    options: dashboard::Options,
    colour: Colour,
) -> Result<(), ScreenError> {
    let left = dashboard::run(events, commands, options)?;
    let mut stdout = io::stdout().lock();
    report::write_build(&mut stdout, colour, (&left.model, &left.logs))?;
    report::write_ending(
        &mut stdout,
        colour,
        report::Before::Nothing,
        (&left.model, &left.logs),
    )?;
    Ok(stdout.flush()?)
}

/// When the run is over this reaches nobody; when it is not, nobody watches it any more.
struct StopOnDrop(UnboundedSender<Command>);

impl Drop for StopOnDrop {
    fn drop(&mut self) {
        for command in [Command::Kill, Command::Leave] {
            drop(self.0.send(command));
        }
    }
}

/// What is listed goes to standard output, everything else to standard error.
fn list(mut events: EventReceiver, listing: Listing) -> io::Result<()> {
    let mut stdout = io::BufWriter::new(io::stdout().lock());
    // Not locked: between two events the log writes there, too.
    let mut stderr = io::stderr();
    let colour = Colour::for_stream(&stderr);
    while let Some(event) = events.blocking_recv() {
        match event.kind {
            EventKind::Discovered { tests } => match listing {
                Listing::Tests => {
                    for test in tests {
                        writeln!(stdout, "{}", clean(&test.title))?;
                    }
                }
                Listing::Nothing => {}
            },
            EventKind::BuildOutput { text } | EventKind::Output { text, .. } => {
                report::write_build_output(&mut stderr, colour, &text.0)?;
            }
            EventKind::Notice(notice) => report::write_notice(&mut stderr, colour, &notice)?,
            EventKind::Finished(finished) => match finished.outcome {
                Outcome::Error { message } => writeln!(stderr, "{}", clean_lines(&message))?,
                Outcome::Passed
                | Outcome::Failed { .. }
                | Outcome::TimedOut { .. }
                | Outcome::Ignored { .. }
                | Outcome::Cancelled => {}
            },
            EventKind::RunStarted(_)
            | EventKind::BuildStarted { .. }
            | EventKind::BuildProgress { .. }
            | EventKind::BuildFinished { .. }
            | EventKind::DiscoveryFinished { .. }
            | EventKind::Vanished { .. }
            | EventKind::FilesChanged { .. }
            | EventKind::AwaitingChange { .. }
            | EventKind::RoundStarted { .. }
            | EventKind::Queued { .. }
            | EventKind::Started { .. }
            | EventKind::Subtest { .. }
            | EventKind::RoundFinished { .. }
            | EventKind::WorkerJoined { .. }
            | EventKind::WorkerLeft { .. }
            | EventKind::WorkerSample { .. }
            | EventKind::Transfer { .. }
            | EventKind::ClusterSample(_)
            | EventKind::Paused
            | EventKind::Resumed
            | EventKind::RerunQueued { .. }
            | EventKind::Cancelling { .. }
            | EventKind::Suspended
            | EventKind::Continued { .. }
            | EventKind::Described(_) => {}
            EventKind::RunFinished { .. } => break,
        }
    }
    stdout.flush()
}
