//! The log pane: the visible part of a log, and the search in it.

mod search;
mod view;
mod viewport;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use crate::log::{LogKey, LogStore, StreamFilter};
use crate::model::RunModel;
use maelstrom_model::ids::TestId;

use super::super::ansi;
use super::super::context::{ComponentEffect, Context, MoveDirection, ViewContext};
use super::super::keys::DashboardAction;
use super::super::message::{AppEffect, ExternalProgram};
use super::detail::failure_location;
use super::pane::DashboardPane;
use search::{LogSearch, SearchedLog};
use view::LogView;
use viewport::{LogViewport, PaneSize, ScrollPosition};

/// The log pane. See the [module](self) documentation.
#[derive(Debug, Default)]
pub(in super::super) struct LogPane {
    viewport: LogViewport,
    search: Option<LogSearch>,
    /// The test whose log is displayed. Several places that don't compile share one log.
    test: Option<TestId>,
}

/// Returns whether a line of output contains the message of a failure at `place`. Python output of
/// pytest marks such lines with an E and prints the location after them; other output contains the
/// location in the message.
fn is_failure_message(line: &[u8], place: &str) -> bool {
    let names = |place: &str| memchr::memmem::find(line, place.as_bytes()).is_some();
    let is_python = place
        .rsplit_once(':')
        .is_some_and(|(file, _)| file.ends_with(".py"));
    names(place) || (is_python && line.starts_with(b"E   "))
}

/// Returns the location of a test's failure as it appears in the output. The output may print the
/// path relative to another directory, so only the file name is used.
fn location_as_printed(test: TestId, model: &RunModel) -> Option<String> {
    let location = failure_location(test, model)?;
    let file = std::path::Path::new(&location.path).file_name()?;
    Some(format!("{}:{}", file.to_string_lossy(), location.line))
}

impl LogPane {
    /// Shows the log of a test, at its end or, once the location of the failure is known, at the
    /// message.
    pub(crate) fn show(&mut self, key: Option<LogKey>, test: Option<TestId>, ctx: &Context<'_>) {
        if (self.viewport.key(), self.test) != (key, test) {
            self.viewport.show(key);
            self.test = test;
            self.restart_search();
        }
        // The location is known only when the test has ended; its log may have been visible before.
        if self.viewport.is_opening()
            && let Some(place) = test.and_then(|test| location_as_printed(test, ctx.model()))
        {
            let says = |line: &[u8]| is_failure_message(line, &place);
            self.viewport.reveal(ctx.run.logs(), size(ctx), says);
        }
    }

    /// Returns which streams are displayed.
    pub(crate) fn streams(&self) -> StreamFilter {
        self.viewport.streams()
    }

    /// Returns the pattern of the search, if any.
    pub(crate) fn pattern(&self) -> Option<&str> {
        self.search.as_ref().map(LogSearch::pattern)
    }

    /// Starts a search, or ends it if the pattern is empty. If the pattern is invalid, returns an
    /// error message and keeps the previous search.
    pub(crate) fn set_search(&mut self, pattern: &str) -> Result<(), String> {
        self.search = match pattern {
            "" => None,
            pattern => Some(LogSearch::new(pattern)?),
        };
        Ok(())
    }

    /// Ends the search. Returns whether there was one.
    pub(crate) fn end_search(&mut self) -> bool {
        self.search.take().is_some()
    }

    /// Returns whether the search has not searched all lines.
    pub(crate) fn is_search_behind(&self, logs: &LogStore) -> bool {
        let search = self.search.as_ref();
        search.is_some_and(|search| search.is_behind(self.viewport.line_count(logs)))
    }

    /// Searches the next lines.
    pub(crate) fn search_on(&mut self, logs: &LogStore) {
        let log = self.searched(logs);
        if let Some(search) = &mut self.search {
            search.advance(log);
        }
    }

    fn searched<'a>(&self, logs: &'a LogStore) -> SearchedLog<'a> {
        SearchedLog {
            logs,
            key: self.viewport.key(),
            streams: self.viewport.streams(),
            lines: self.viewport.line_count(logs),
        }
    }

    fn restart_search(&mut self) {
        if let Some(search) = &mut self.search {
            search.restart();
        }
    }

    fn next_match(&mut self, direction: MoveDirection, ctx: &mut Context<'_>) {
        let log = self.searched(ctx.run.logs());
        let here = match self.viewport.position() {
            ScrollPosition::At { line, .. } => Some(line),
            ScrollPosition::Following => None,
        };
        match &mut self.search {
            None => ctx.notice("nothing is searched: / begins"),
            Some(search) => match search.jump(log, here, direction) {
                Some(line) => self.viewport.show_line(line, size(ctx)),
                None => ctx.notice("nothing in this log matches"),
            },
        }
    }

    fn next_streams(&mut self, ctx: &mut Context<'_>) {
        if self.viewport.is_joined(ctx.run.logs()) {
            ctx.notice(
                "stdout and stderr of this test are one stream, so that their order is kept",
            );
            return;
        }
        self.viewport.set_streams(match self.viewport.streams() {
            StreamFilter::Both => StreamFilter::Stdout,
            StreamFilter::Stdout => StreamFilter::Stderr,
            StreamFilter::Stderr => StreamFilter::Both,
        });
        self.restart_search();
    }

    fn copy(&self, ctx: &mut Context<'_>) {
        /// Terminals ignore longer texts, and some hang.
        const COPY_BYTES_MAX: usize = 1 << 20;
        let Some(key) = self.viewport.key() else {
            ctx.notice("there is no log to copy");
            return;
        };
        let mut text = String::new();
        let streams = self.viewport.streams();
        ctx.run
            .logs()
            .for_each_line(key, streams, 0..usize::MAX, |line| {
                if text.len() < COPY_BYTES_MAX {
                    text.push_str(&ansi::plain(line.bytes));
                    text.push('\n');
                }
            });
        ctx.notice("the log was copied");
        ctx.outside(AppEffect::Copy(text));
    }
}

impl DashboardPane for LogPane {
    fn view(&self, ctx: &ViewContext<'_>, area: Rect, buf: &mut Buffer) {
        let view = LogView {
            ctx,
            viewport: &self.viewport,
            search: self.search.as_ref(),
        };
        view.view(area, buf);
    }

    fn move_by(&mut self, by: isize, ctx: &mut Context<'_>) {
        self.viewport.scroll(ctx.run.logs(), size(ctx), by);
    }

    fn move_to_end(&mut self, direction: MoveDirection, _: &mut Context<'_>) {
        match direction {
            MoveDirection::Previous => self.viewport.rewind(),
            MoveDirection::Next => self.viewport.follow(),
        }
    }

    fn move_sideways(&mut self, direction: MoveDirection, ctx: &mut Context<'_>) {
        if !self.viewport.scroll_sideways(direction) {
            ctx.ask(ComponentEffect::OtherAttempt(direction));
        }
    }

    fn act(&mut self, action: DashboardAction, ctx: &mut Context<'_>) {
        match action {
            DashboardAction::Follow => self.viewport.toggle_follow(ctx.run.logs(), size(ctx)),
            DashboardAction::Wrap => self.viewport.toggle_wrap(),
            DashboardAction::Timestamps => self.viewport.toggle_timestamps(),
            DashboardAction::Streams => self.next_streams(ctx),
            DashboardAction::NextMatch => self.next_match(MoveDirection::Next, ctx),
            DashboardAction::PreviousMatch => self.next_match(MoveDirection::Previous, ctx),
            DashboardAction::Pager => match self.viewport.key() {
                Some(log) => ctx.outside(AppEffect::Run(ExternalProgram::Pager { log })),
                None => ctx.notice("there is no log to show"),
            },
            DashboardAction::CopyLog => self.copy(ctx),
            _ => {}
        }
    }
}

fn size(ctx: &Context<'_>) -> PaneSize {
    PaneSize {
        columns: usize::from(ctx.inside.width),
        rows: usize::from(ctx.inside.height),
    }
}
