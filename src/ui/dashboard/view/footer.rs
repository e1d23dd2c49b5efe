//! The last line: what is typed, a remark, or what the most useful keys do.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Modifier;

use super::super::app::{App, Overlay, Pane, Playback, Screen, SearchTarget, Source};
use super::super::keys::Action;
use super::super::theme::Role;
use super::paint::{put, put_right};
use super::text;

pub(super) fn draw(app: &App, buf: &mut Buffer, area: Rect) {
    let (y, end) = (area.y, area.right() - 1);
    match &app.overlay {
        Overlay::Search { prompt, target } => {
            let label = match target {
                SearchTarget::Names => format!("/{} ", app.rows.finder.syntax().word()),
                SearchTarget::Log => "/log ".to_owned(),
            };
            let x = put(buf, area.x + 1, y, end, &label, app.theme.style(Role::Key));
            let room = usize::from(end.saturating_sub(x + 1));
            let shown = text::keep_end(&prompt.text, room, app.glyphs.more());
            let x = put(buf, x, y, end, &shown, app.theme.style(Role::Text));
            let cursor = app.theme.style(Role::Text).add_modifier(Modifier::REVERSED);
            let x = put(buf, x, y, end, " ", cursor) + 1;
            let (fact, role) = match (&prompt.error, target) {
                (Some(error), _) => (error.clone(), Role::Failed),
                (None, SearchTarget::Names) => {
                    let found = app.rows.finder.found().len() as u64;
                    (
                        format!(
                            "{} found  Tab: {}",
                            text::grouped(found),
                            app.rows.finder.syntax().other().word()
                        ),
                        Role::Dim,
                    )
                }
                (None, SearchTarget::Log) => ("a regular expression".to_owned(), Role::Dim),
            };
            let room = usize::from(end.saturating_sub(x));
            let fact = text::keep_start(&fact, room, app.glyphs.more());
            put_right(buf, x, y, end, &fact, app.theme.style(role));
            return;
        }
        Overlay::ConfirmQuit => {
            let text = "Tests are still running. Cancel them and quit?  y yes  n no";
            put(buf, area.x + 1, y, end, text, app.theme.style(Role::Notice));
            return;
        }
        Overlay::None | Overlay::Help { .. } | Overlay::Palette { .. } => {}
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
        x = put(buf, x, y, end, &key, app.theme.style(Role::Key)) + 1;
        x = put(buf, x, y, end, &hint, app.theme.style(Role::Dim)) + 2;
    }
}

fn hints(app: &App) -> Vec<(String, String)> {
    let mut actions = vec![Action::Help, Action::Quit];
    let more: &[Action] = match (app.screen, app.focus) {
        (Screen::Detail, _) | (_, Pane::Log) => &[
            Action::Edit,
            Action::Rerun,
            Action::Search,
            Action::NextFailure,
            Action::Follow,
            Action::Streams,
            Action::Wrap,
            Action::Timestamps,
            Action::Pager,
            Action::Shell,
            Action::Zoom,
        ],
        (Screen::Overview | Screen::Tests, _) => &[
            Action::Open,
            Action::Edit,
            Action::Rerun,
            Action::RerunFailed,
            Action::CancelTest,
            Action::Search,
            Action::FailuresOnly,
            Action::Sort,
            Action::Mark,
            Action::Freeze,
            Action::PauseStarting,
            Action::Zoom,
        ],
        (Screen::Workers | Screen::Cluster, _) => &[
            Action::Overview,
            Action::Freeze,
            Action::PauseStarting,
            Action::CancelRun,
            Action::Palette,
        ],
    };
    // Of a recording nothing can be run, but it can be stepped through.
    let runs = |action: &&Action| action.info().group != "Running" || **action == Action::Edit;
    match app.source {
        Source::Live => actions.extend(more),
        Source::Recording => {
            actions.extend([Action::PauseStarting, Action::Step, Action::Freeze]);
            actions.extend(more.iter().filter(runs));
        }
    }
    let pair = |action: Action| {
        let hint = match (action, app.location()) {
            (Action::Edit, Some((path, line))) => {
                let file = path.rsplit('/').next().unwrap_or_default();
                format!("edit {file}:{line}")
            }
            (Action::Edit, None) => return None,
            (Action::PauseStarting, _)
                if app.model().paused || app.playback == Playback::Paused =>
            {
                "resume".to_owned()
            }
            (Action::Freeze, _) if app.frozen_events().is_some() => "thaw".to_owned(),
            (action, _) => action.info().hint.to_owned(),
        };
        Some((app.keys.key(action)?, hint))
    };
    actions.into_iter().filter_map(pair).collect()
}
