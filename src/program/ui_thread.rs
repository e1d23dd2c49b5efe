//! The thread of the user interface: the dashboard, a line-based report, a stream for machines, or a
//! list.
//!
//! However the thread ends, the run is notified: a run without a user interface is stopped.

use std::io::{self, IsTerminal, Write};
use std::thread::JoinHandle;

use tokio::sync::mpsc::UnboundedSender;

use super::failure::ProgramFailure;
use maelstrom_engine::log::ProgramLog;
use maelstrom_engine::run::message::AtEnd;
use maelstrom_engine::run::watch::WatchMode;
use maelstrom_model::event::channel::EventReceiver;
use maelstrom_model::event::untrusted_text::clean_lines;
use maelstrom_model::event::{
    AttemptEvent, BuildEvent, EventKind, NoticeSeverity, RunEvent, TestEvent, TestOutcome,
    UiCommand, UserNotice,
};
use maelstrom_runners::options::EventStreamFormat;
use maelstrom_runners::options::report::ReportOptions;
use maelstrom_ui::export::github::{GithubContext, GithubReport};
use maelstrom_ui::export::libtest::{LibtestFields, LibtestStream};
use maelstrom_ui::export::list::{TestListFormat, TestListWriter};
use maelstrom_ui::export::{EventExport, GoListStream, Test2JsonStream};
use maelstrom_ui::style::OutputColor;
use maelstrom_ui::{dashboard, report};

/// The user interface of a run.
#[derive(Debug)]
pub enum RunUi {
    /// The full-screen dashboard; the color is that of the summary printed after it closes.
    Dashboard(Box<dashboard::DashboardOptions>, OutputColor),
    Report(report::RunReportOptions),
    /// Lines for machines on standard output; notices and the build's output on standard error.
    Stream(EventStreamFormat),
    /// Lines for machines about a list of tests, in the same way.
    ListStream(EventStreamFormat),
    /// A list of tests.
    List(ListContent),
}

/// The content of a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ListContent {
    /// The tests.
    Tests(TestListFormat),
    /// Nothing but the build's output.
    Nothing,
}

/// The error of a dashboard whose terminal has disappeared.
#[derive(Debug, thiserror::Error)]
#[error("the terminal is gone, so the run was stopped")]
pub struct TerminalGone;

/// An error of the user interface.
pub type UiThreadError = Box<dyn std::error::Error + Send + Sync>;

/// The running thread of a user interface.
pub type UiThread = JoinHandle<Result<(), UiThreadError>>;

impl RunUi {
    /// Returns whether changed files start a new round. A list is printed once.
    pub fn watching(&self, options: &ReportOptions) -> WatchMode {
        match self {
            RunUi::Dashboard(..) | RunUi::Report(_) | RunUi::Stream(_) if options.watch => {
                WatchMode::On
            }
            RunUi::Dashboard(..)
            | RunUi::Report(_)
            | RunUi::Stream(_)
            | RunUi::ListStream(_)
            | RunUi::List(_) => WatchMode::Off,
        }
    }

    /// Returns what happens at the end of a round.
    pub fn at_end(&self, watching: WatchMode) -> AtEnd {
        match (self, watching) {
            (RunUi::Dashboard(..), _) => AtEnd::Stay,
            (_, WatchMode::On) => AtEnd::Watch,
            (_, WatchMode::Off) => AtEnd::Leave,
        }
    }

    /// Starts the thread, which shows events up to the last one, and sets the log's destination. A
    /// report in lines is also for GitHub Actions if there is a context.
    pub fn start(
        self,
        events: EventReceiver,
        commands: UnboundedSender<UiCommand>,
        log: &ProgramLog,
        github: Option<GithubContext>,
    ) -> Result<UiThread, UiThreadError> {
        let showing = match self {
            // The dashboard has the terminal, so the log stays in its file, next to the run's
            // state.
            RunUi::Dashboard(options, color) => UiRenderer::Dashboard(options, color),
            RunUi::Report(options) => {
                let output = report::BackgroundWriter::start(io::stdout())?;
                log.to_stdout(Box::new(output.whole_line_writer()));
                UiRenderer::Report(options, output, github)
            }
            RunUi::Stream(format) | RunUi::ListStream(format) => {
                log.to_stderr();
                let is_list = matches!(self, RunUi::ListStream(_));
                let output = report::BackgroundWriter::start(io::stdout())?;
                UiRenderer::Stream(event_export(format, is_list), output)
            }
            // Standard output carries the list, perhaps to another program.
            RunUi::List(listing) => {
                log.to_stderr();
                UiRenderer::List(listing)
            }
        };
        let thread = std::thread::Builder::new()
            .name("screen".to_owned())
            .spawn(move || {
                // Dropped on a panic as well, which ends the run.
                let stop = StopOnDrop(commands.clone());
                let shown = showing.show(events, commands);
                drop(stop);
                shown
            })?;
        Ok(thread)
    }
}

/// Waits for the user interface to end, and returns its error.
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

/// A user interface with its output.
enum UiRenderer {
    Dashboard(Box<dashboard::DashboardOptions>, OutputColor),
    Report(
        report::RunReportOptions,
        report::BackgroundWriter,
        Option<GithubContext>,
    ),
    Stream(Box<dyn EventExport>, report::BackgroundWriter),
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
                    // If the terminal is gone, that is the cause of whichever error came first.
                    if io::stdout().is_terminal() {
                        error
                    } else {
                        TerminalGone.into()
                    }
                })
            }
            UiRenderer::Report(options, output, None) => Ok(report::run(events, options, output)?),
            UiRenderer::Report(options, output, Some(github)) => {
                let lines = GithubReport::new(report::RunReport::new(options), github);
                Ok(report::run_lines(events, lines, options.terminal, output)?)
            }
            UiRenderer::Stream(export, output) => Ok(stream(events, export, output)?),
            UiRenderer::List(listing) => Ok(list(events, listing)?),
        }
    }
}

/// Shows the dashboard, and prints the build's output and the summary after it closes.
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

/// Stops the run when it is dropped. After the end of the run, the commands reach nobody.
struct StopOnDrop(UnboundedSender<UiCommand>);

impl Drop for StopOnDrop {
    fn drop(&mut self) {
        for command in [UiCommand::Kill, UiCommand::Leave] {
            drop(self.0.send(command));
        }
    }
}

/// Returns the writer of a stream for machines, of a run or of a list.
fn event_export(format: EventStreamFormat, is_list: bool) -> Box<dyn EventExport> {
    match (format, is_list) {
        (EventStreamFormat::LibtestJson, _) => Box::new(LibtestStream::new(LibtestFields::Libtest)),
        (EventStreamFormat::LibtestJsonPlus, _) => {
            Box::new(LibtestStream::new(LibtestFields::Plus))
        }
        (EventStreamFormat::Test2Json, false) => Box::new(Test2JsonStream::default()),
        (EventStreamFormat::Test2Json, true) => Box::new(Test2JsonStream::of_list()),
        (EventStreamFormat::GoList, _) => Box::new(GoListStream::default()),
    }
}

/// Writes a stream to standard output and everything else to standard error. A reader that closes
/// the stream ends the run.
fn stream(
    events: EventReceiver,
    export: Box<dyn EventExport>,
    output: report::BackgroundWriter,
) -> Result<(), report::BackgroundWriteError> {
    let mut buffered = io::BufWriter::new(output);
    let written = write_stream(events, export, &mut buffered).and_then(|()| buffered.flush());
    let (output, _) = buffered.into_parts();
    output.finish()?;
    written.map_err(report::BackgroundWriteError::Write)
}

fn write_stream(
    mut events: EventReceiver,
    mut export: Box<dyn EventExport>,
    out: &mut dyn Write,
) -> io::Result<()> {
    let mut stderr = MessageWriter::new();
    while let Some(event) = events.blocking_recv() {
        export.apply(&event, out)?;
        match &event.kind {
            EventKind::Build(BuildEvent::Output { text }) => {
                stderr.output(&text.0)?;
            }
            // Readers of streams show what is on standard error as errors.
            EventKind::Notice(notice) if notice.severity != NoticeSeverity::Info => {
                stderr.notice(notice)?;
            }
            EventKind::Run(RunEvent::Finished { .. }) => break,
            EventKind::Run(_)
            | EventKind::Build(_)
            | EventKind::Test(_)
            | EventKind::Attempt(_)
            | EventKind::Watch(_)
            | EventKind::Round(_)
            | EventKind::Worker(_)
            | EventKind::Cluster(_)
            | EventKind::Notice(_) => {}
        }
        if events.is_empty() {
            out.flush()?;
        }
    }
    Ok(())
}

/// Prints the list to standard output and everything else to standard error.
fn list(mut events: EventReceiver, listing: ListContent) -> io::Result<()> {
    let mut stdout = io::BufWriter::new(io::stdout().lock());
    let mut stderr = MessageWriter::new();
    let mut writer = match listing {
        ListContent::Tests(format) => Some(TestListWriter::new(format)),
        ListContent::Nothing => None,
    };
    while let Some(event) = events.blocking_recv() {
        match event.kind {
            EventKind::Run(RunEvent::Started(run)) => {
                if let Some(writer) = &mut writer {
                    writer.program(&run.program);
                }
            }
            EventKind::Test(TestEvent::Discovered { tests }) => {
                if let Some(writer) = &mut writer {
                    writer.add(&tests, &mut stdout)?;
                }
            }
            EventKind::Build(BuildEvent::Output { text })
            | EventKind::Attempt(AttemptEvent::Output { text, .. }) => stderr.output(&text.0)?,
            EventKind::Notice(notice) => stderr.notice(&notice)?,
            EventKind::Attempt(AttemptEvent::Finished(finished)) => match finished.outcome {
                TestOutcome::Error { message } => stderr.error(&message)?,
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
    if let Some(writer) = &writer {
        writer.finish(&mut stdout)?;
    }
    stdout.flush()
}

/// Writes messages for people to standard error, while standard output carries something else.
struct MessageWriter {
    // Not locked, because the log writes to it between events.
    stderr: io::Stderr,
    color: OutputColor,
}

impl MessageWriter {
    fn new() -> MessageWriter {
        let stderr = io::stderr();
        MessageWriter {
            color: OutputColor::for_stream(&stderr),
            stderr,
        }
    }

    fn output(&mut self, text: &[u8]) -> io::Result<()> {
        report::write_build_output(&mut self.stderr, self.color, text)
    }

    fn notice(&mut self, notice: &UserNotice) -> io::Result<()> {
        report::write_notice(&mut self.stderr, self.color, notice)
    }

    fn error(&mut self, message: &str) -> io::Result<()> {
        writeln!(self.stderr, "{}", clean_lines(message))
    }
}
