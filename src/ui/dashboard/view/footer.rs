//! Draws the last line: the prompt, a status message, or hints for the most useful keys.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Modifier;

use super::super::app::{
    App, EventSource, PaneKind, PlaybackState, ScreenKind, ScreenOverlay, SearchTarget,
};
use super::super::keys::DashboardAction;
use super::super::theme::StyleRole;
use super::paint::{put, put_right};
use super::text;

pub(super) fn draw(app: &App, buf: &mut Buffer, area: Rect) {
    let (y, end) = (area.y, area.right() - 1);
    match &app.overlay {
        ScreenOverlay::Search { prompt, target } => {
            let label = match target {
                SearchTarget::Names => format!("/{} ", app.rows.finder.syntax().word()),
                SearchTarget::Log => "/log ".to_owned(),
            };
            let x = put(
                buf,
                area.x + 1,
                y,
                end,
                &label,
                app.theme.style(StyleRole::Key),
            );
            let room = usize::from(end.saturating_sub(x + 1));
            let shown = text::keep_end(&prompt.text, room, app.glyphs.more());
            let x = put(buf, x, y, end, &shown, app.theme.style(StyleRole::Text));
            let cursor = app
                .theme
                .style(StyleRole::Text)
                .add_modifier(Modifier::REVERSED);
            let x = put(buf, x, y, end, " ", cursor) + 1;
            let (fact, role) = match (&prompt.error, target) {
                (Some(error), _) => (error.clone(), StyleRole::Failed),
                (None, SearchTarget::Names) => {
                    let found = app.rows.finder.found().len() as u64;
                    (
                        format!(
                            "{} found  Tab: {}",
                            text::grouped(found),
                            app.rows.finder.syntax().other().word()
                        ),
                        StyleRole::Dim,
                    )
                }
                (None, SearchTarget::Log) => ("a regular expression".to_owned(), StyleRole::Dim),
            };
            let room = usize::from(end.saturating_sub(x));
            let fact = text::keep_start(&fact, room, app.glyphs.more());
            put_right(buf, x, y, end, &fact, app.theme.style(role));
            return;
        }
        ScreenOverlay::ConfirmQuit => {
            let text = "Tests are still running. Cancel them and quit?  y yes  n no";
            put(
                buf,
                area.x + 1,
                y,
                end,
                text,
                app.theme.style(StyleRole::Notice),
            );
            return;
        }
        ScreenOverlay::None | ScreenOverlay::Help { .. } | ScreenOverlay::Palette { .. } => {}
    }
    if let Some(remark) = &app.remark {
        let text = text::keep_start(&remark.text, usize::from(area.width) - 2, app.glyphs.more());
        put(buf, area.x + 1, y, end, &text, app.theme.style(remark.role));
        return;
    }
    let mut x = area.x + 1;
    for (key, hint) in hints(app) {
        let columns = text::columns(&key) + 1 + text::columns(&hint);
        if usize::from(x) + columns > usize::from(end) {
            continue;
        }
        x = put(buf, x, y, end, &key, app.theme.style(StyleRole::Key)) + 1;
        x = put(buf, x, y, end, &hint, app.theme.style(StyleRole::Dim)) + 2;
    }
}

fn hints(app: &App) -> Vec<(String, String)> {
    let mut actions = vec![DashboardAction::Help, DashboardAction::Quit];
    let more: &[DashboardAction] = match (app.screen, app.focus) {
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
    // Of a recording nothing can be run, but it can be stepped through.
    let runs = |action: &&DashboardAction| {
        action.info().group != "Running" || **action == DashboardAction::Edit
    };
    match app.source {
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
        let hint = match (action, app.location()) {
            (DashboardAction::Edit, Some((path, line))) => {
                let file = path.rsplit('/').next().unwrap_or_default();
                format!("edit {file}:{line}")
            }
            (DashboardAction::Edit, None) => return None,
            (DashboardAction::PauseStarting, _)
                if app.model().paused || app.playback == PlaybackState::Paused =>
            {
                "resume".to_owned()
            }
            (DashboardAction::Freeze, _) if app.frozen_events().is_some() => "thaw".to_owned(),
            (action, _) => action.info().hint.to_owned(),
        };
        Some((app.keys.key(action)?, hint))
    };
    actions.into_iter().filter_map(pair).collect()
}
