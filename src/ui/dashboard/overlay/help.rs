//! The help overlay, which lists every action with its keys.

use crossterm::event::KeyEvent;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::Line;

use super::super::context::{Context, OverlayState, ViewContext};
use super::super::keys::{ACTIONS, DashboardAction, KeyMap};
use super::super::theme::StyleRole;
use super::super::widgets::frame::window;
use super::super::widgets::row::{RowLine, list};

const KEYS_COLUMNS: usize = 12;
const WINDOW_COLUMNS: u16 = 78;

/// The state of the help overlay.
#[derive(Debug, Default)]
pub(in super::super) struct HelpOverlay {
    top: usize,
}

impl HelpOverlay {
    /// Handles a key: scrolls, or closes the help.
    pub(crate) fn on_key(&mut self, key: KeyEvent, ctx: &mut Context<'_>) -> OverlayState {
        let step = usize::from(ctx.inside.height / 2).max(1);
        let top = match ctx.action(key) {
            Some(DashboardAction::Down) => self.top + 1,
            Some(DashboardAction::Up) => self.top.saturating_sub(1),
            Some(DashboardAction::PageDown) => self.top + step,
            Some(DashboardAction::PageUp) => self.top.saturating_sub(step),
            Some(DashboardAction::Top) => 0,
            _ => return OverlayState::Closed,
        };
        self.top = top.min(top_max(&ctx.settings.keys, ctx.inside.height));
        OverlayState::Open
    }

    /// Draws the help over the screen.
    pub(crate) fn view(&self, ctx: &ViewContext<'_>, screen: Rect, buf: &mut Buffer) {
        let lines = help_lines(&ctx.settings.keys);
        let rows = window_rows(lines.len(), screen.height);
        let title = match lines.len() > usize::from(rows.saturating_sub(2)) {
            false => " Help: any key closes ",
            true => " Help: j/k scroll, any other key closes ",
        };
        let inside = window(ctx, title, (WINDOW_COLUMNS, rows), screen, buf);
        let shown = lines.into_iter().skip(self.top);
        let lines = shown.map(|(keys, help)| help_line(ctx, &keys, help, inside.width));
        list(lines, None, Style::new(), inside, buf);
    }
}

fn help_line<'a>(ctx: &ViewContext<'_>, keys: &str, help: &'a str, columns: u16) -> Line<'a> {
    let mut row = RowLine::new(columns);
    if keys.is_empty() {
        row.left(help, ctx.style(StyleRole::Title));
    } else {
        let keys = format!("{keys:>KEYS_COLUMNS$}  ");
        row.left(keys, ctx.style(StyleRole::Key))
            .left(help, Style::new());
    }
    row.into_line()
}

/// Returns the lines of the help: keys and their action, or an empty string and a heading.
fn help_lines(keys: &KeyMap) -> Vec<(String, &'static str)> {
    let mut lines = Vec::new();
    let mut group = "";
    for info in ACTIONS {
        if info.group != group {
            if !lines.is_empty() {
                lines.push((String::new(), ""));
            }
            group = info.group;
            lines.push((String::new(), group));
        }
        let keys = keys.keys(info.action);
        if !keys.is_empty() {
            lines.push((keys, info.help));
        }
    }
    lines
}

/// Returns the height of the help window, including its frame.
fn window_rows(lines: usize, screen_rows: u16) -> u16 {
    (lines as u16 + 2).min(screen_rows.saturating_sub(1))
}

/// Returns the maximum scroll position.
fn top_max(keys: &KeyMap, screen_rows: u16) -> usize {
    let lines = help_lines(keys).len();
    let room = window_rows(lines, screen_rows).saturating_sub(2);
    lines.saturating_sub(usize::from(room))
}
