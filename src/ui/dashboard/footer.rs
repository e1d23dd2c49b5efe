//! Draws the last line of the screen: a prompt, a status message, or hints for the most useful
//! keys.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Modifier;
use ratatui::text::Line;
use ratatui::widgets::Widget;

use super::context::ViewContext;
use super::finder::TestFinder;
use super::keys::DashboardAction;
use super::message::{EventSource, PaneKind, PlaybackState, ScreenKind};
use super::overlay::{ScreenOverlay, SearchPrompt, SearchTarget};
use super::text;
use super::theme::StyleRole;
use super::widgets::row::RowLine;

/// What the footer needs to draw itself.
pub(super) struct FooterView<'a> {
    pub ctx: &'a ViewContext<'a>,
    pub screen: ScreenKind,
    pub playback: PlaybackState,
    pub overlay: Option<&'a ScreenOverlay>,
    pub finder: &'a TestFinder,
    pub message: Option<&'a str>,
    /// The file and line where the current test failed.
    pub location: Option<(String, u32)>,
}

impl FooterView<'_> {
    pub(super) fn view(&self, area: Rect, buf: &mut Buffer) {
        let line = match (self.overlay, self.message) {
            (Some(ScreenOverlay::Search(prompt)), _) => self.prompt_line(prompt, area.width),
            (Some(ScreenOverlay::ConfirmQuit), _) => self.question_line(area.width),
            (_, Some(message)) => self.notice_line(message, area.width),
            (_, None) => self.hints_line(area.width),
        };
        line.render(area, buf);
    }

    fn notice_line<'a>(&self, text: &'a str, columns: u16) -> Line<'a> {
        let mut row = RowLine::with_margins(columns);
        let text = text::keep_start(text, row.room(), self.ctx.glyphs.more());
        row.left(text, self.ctx.style(StyleRole::Notice));
        row.into_line()
    }

    fn question_line(&self, columns: u16) -> Line<'static> {
        let text = "Tests are still running. Cancel them and quit?  y yes  n no";
        let mut row = RowLine::with_margins(columns);
        row.left(text, self.ctx.style(StyleRole::Notice));
        row.into_line()
    }

    fn prompt_line<'a>(&self, prompt: &'a SearchPrompt, columns: u16) -> Line<'a> {
        let (ctx, finder, more) = (self.ctx, self.finder, self.ctx.glyphs.more());
        let label = match prompt.target() {
            SearchTarget::Names => format!("/{} ", finder.syntax().word()),
            SearchTarget::Log => "/log ".to_owned(),
        };
        let (fact, role) = match (prompt.error(), prompt.target()) {
            (Some(error), _) => (error.to_owned(), StyleRole::Failed),
            (None, SearchTarget::Names) => {
                let found = text::grouped(finder.found().len() as u64);
                let other = finder.syntax().other().word();
                (format!("{found} found  Tab: {other}"), StyleRole::Dim)
            }
            (None, SearchTarget::Log) => ("a regular expression".to_owned(), StyleRole::Dim),
        };
        let mut row = RowLine::with_margins(columns);
        row.left(label, ctx.style(StyleRole::Key));
        // One column is for the cursor.
        let shown = text::keep_end(prompt.text(), row.room().saturating_sub(1), more);
        let style = ctx.style(StyleRole::Text);
        row.left(shown, style)
            .left(" ", style.add_modifier(Modifier::REVERSED))
            .skip(1);
        let fact = text::keep_start(&fact, row.room(), more);
        row.right(fact, ctx.style(role), 0);
        row.into_line()
    }

    fn hints_line(&self, columns: u16) -> Line<'static> {
        let mut row = RowLine::with_margins(columns);
        for (key, hint) in self.hints() {
            if text::columns(&key) + 1 + text::columns(&hint) > row.room() {
                continue;
            }
            row.left(key, self.ctx.style(StyleRole::Key))
                .skip(1)
                .left(hint, self.ctx.style(StyleRole::Dim))
                .skip(2);
        }
        row.into_line()
    }

    /// Returns the most useful keys on the current screen, and their actions.
    fn hints(&self) -> Vec<(String, String)> {
        let ctx = self.ctx;
        let mut actions = vec![DashboardAction::Help, DashboardAction::Quit];
        let more: &[DashboardAction] = match (self.screen, ctx.focus) {
            (ScreenKind::Detail, _) | (_, PaneKind::Log) => &[
                DashboardAction::Edit,
                DashboardAction::Rerun,
                DashboardAction::Search,
                DashboardAction::NextFailure,
                DashboardAction::Follow,
                DashboardAction::Streams,
                DashboardAction::Wrap,
                DashboardAction::Timestamps,
                DashboardAction::Pager,
                DashboardAction::Shell,
                DashboardAction::Zoom,
            ],
            (ScreenKind::Overview | ScreenKind::Tests, _) => &[
                DashboardAction::Open,
                DashboardAction::Edit,
                DashboardAction::Rerun,
                DashboardAction::RerunFailed,
                DashboardAction::CancelTest,
                DashboardAction::Search,
                DashboardAction::FailuresOnly,
                DashboardAction::Sort,
                DashboardAction::Mark,
                DashboardAction::Freeze,
                DashboardAction::PauseStarting,
                DashboardAction::Zoom,
            ],
            (ScreenKind::Workers | ScreenKind::Cluster, _) => &[
                DashboardAction::Overview,
                DashboardAction::Freeze,
                DashboardAction::PauseStarting,
                DashboardAction::CancelRun,
                DashboardAction::Palette,
            ],
        };
        // No test of a recording can be run, but the recording can be stepped through.
        let runs = |action: &&DashboardAction| {
            action.info().group != "Running" || **action == DashboardAction::Edit
        };
        match ctx.run.source() {
            EventSource::Live => actions.extend(more),
            EventSource::Recording => {
                actions.extend([
                    DashboardAction::PauseStarting,
                    DashboardAction::Step,
                    DashboardAction::Freeze,
                ]);
                actions.extend(more.iter().filter(runs));
            }
        }
        let pair = |action: DashboardAction| {
            let hint = match (action, &self.location) {
                (DashboardAction::Edit, Some((path, line))) => {
                    let file = path.rsplit('/').next().unwrap_or_default();
                    format!("edit {file}:{line}")
                }
                (DashboardAction::Edit, None) => return None,
                (DashboardAction::PauseStarting, _)
                    if ctx.model().paused || self.playback == PlaybackState::Paused =>
                {
                    "resume".to_owned()
                }
                (DashboardAction::Freeze, _) if ctx.run.frozen_events().is_some() => {
                    "thaw".to_owned()
                }
                (action, _) => action.info().hint.to_owned(),
            };
            Some((ctx.settings.keys.key(action)?, hint))
        };
        actions.into_iter().filter_map(pair).collect()
    }
}
