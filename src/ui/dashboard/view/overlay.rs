//! Draws overlays: the help and the command palette, both derived from the table of actions.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

use super::super::app::{App, ScreenOverlay};
use super::super::keys::{ACTIONS, proposals};
use super::super::prompt::TextPrompt;
use super::super::theme::StyleRole;
use super::paint::{outline, put};
use super::text;

const KEYS_COLUMNS: usize = 12;

pub(super) fn draw(app: &App, buf: &mut Buffer, area: Rect) {
    match &app.overlay {
        ScreenOverlay::None | ScreenOverlay::Search { .. } | ScreenOverlay::ConfirmQuit => {}
        ScreenOverlay::Help { top } => help(app, buf, area, *top),
        ScreenOverlay::Palette { prompt, selected } => palette(app, buf, area, prompt, *selected),
    }
}

/// Empties a window in the middle of the screen and frames it.
fn window(app: &App, buf: &mut Buffer, screen: Rect, columns: u16, rows: u16, title: &str) -> Rect {
    let columns = columns.min(screen.width);
    let rows = rows.min(screen.height.saturating_sub(1));
    let area = Rect {
        x: screen.x + (screen.width - columns) / 2,
        y: screen.y + (screen.height - rows) / 2,
        width: columns,
        height: rows,
    };
    let style = app.theme.style(StyleRole::Overlay);
    for y in area.y..area.bottom() {
        for x in area.x..area.right() {
            if let Some(cell) = buf.cell_mut((x, y)) {
                cell.reset();
                cell.set_style(style);
            }
        }
    }
    let border = style.patch(app.theme.style(StyleRole::BorderFocused));
    outline(app, buf, area, border);
    let title_style = border.patch(app.theme.style(StyleRole::Title));
    put(buf, area.x + 2, area.y, area.right(), title, title_style);
    Rect {
        x: area.x + 2,
        y: area.y + 1,
        width: area.width.saturating_sub(4),
        height: area.height.saturating_sub(2),
    }
}

/// The help's lines: keys and what they do, or a heading.
fn help_lines(app: &App) -> Vec<(String, &'static str)> {
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
        let keys = app.keys.keys(info.action);
        if !keys.is_empty() {
            lines.push((keys, info.help));
        }
    }
    lines
}

fn help_height(app: &App) -> u16 {
    let lines = help_lines(app).len() as u16 + 2;
    lines.min(app.terminal_rows.saturating_sub(1))
}

/// How far the help can be scrolled.
pub(in super::super) fn help_top_max(app: &App) -> usize {
    let room = usize::from(help_height(app).saturating_sub(2));
    help_lines(app).len().saturating_sub(room)
}

fn help(app: &App, buf: &mut Buffer, screen: Rect, top: usize) {
    let title = match help_top_max(app) {
        0 => " Help: any key closes ",
        _ => " Help: j/k scroll, any other key closes ",
    };
    let inside = window(app, buf, screen, 78, help_height(app), title);
    for (y, (keys, help)) in (inside.y..inside.bottom()).zip(help_lines(app).into_iter().skip(top))
    {
        if keys.is_empty() {
            put(
                buf,
                inside.x,
                y,
                inside.right(),
                help,
                app.theme.style(StyleRole::Title),
            );
            continue;
        }
        let shown = format!("{keys:>KEYS_COLUMNS$}  ");
        let x = put(
            buf,
            inside.x,
            y,
            inside.right(),
            &shown,
            app.theme.style(StyleRole::Key),
        );
        put(buf, x, y, inside.right(), help, Style::new());
    }
}

fn palette(app: &App, buf: &mut Buffer, screen: Rect, prompt: &TextPrompt, selected: usize) {
    let inside = window(app, buf, screen, 70, 18, " Commands ");
    let x = put(
        buf,
        inside.x,
        inside.y,
        inside.right(),
        ": ",
        app.theme.style(StyleRole::Key),
    );
    let room = usize::from(inside.right().saturating_sub(x + 1));
    let typed = text::keep_end(&prompt.text, room, app.glyphs.more());
    let x = put(buf, x, inside.y, inside.right(), &typed, Style::new());
    let cursor = Style::new().add_modifier(ratatui::style::Modifier::REVERSED);
    put(buf, x, inside.y, inside.right(), " ", cursor);
    let found = proposals(&prompt.text);
    if found.is_empty() {
        let dim = app.theme.style(StyleRole::Dim);
        put(
            buf,
            inside.x,
            inside.y + 1,
            inside.right(),
            "there is no such command",
            dim,
        );
    }
    let height = usize::from(inside.height.saturating_sub(1));
    let top = super::super::scroll::top(0, selected, found.len(), height);
    let lines = found.iter().enumerate().skip(top);
    for (y, (index, info)) in (inside.y + 1..inside.bottom()).zip(lines) {
        let keys = format!("{:>KEYS_COLUMNS$}  ", app.keys.keys(info.action));
        let x = put(
            buf,
            inside.x,
            y,
            inside.right(),
            &keys,
            app.theme.style(StyleRole::Key),
        );
        let name = format!("{:<18}", info.name);
        let x = put(
            buf,
            x,
            y,
            inside.right(),
            &name,
            app.theme.style(StyleRole::Title),
        );
        put(
            buf,
            x,
            y,
            inside.right(),
            info.help,
            app.theme.style(StyleRole::Dim),
        );
        if index == selected {
            let row = Rect {
                y,
                height: 1,
                ..inside
            };
            buf.set_style(row, app.theme.style(StyleRole::Selected));
        }
    }
}
