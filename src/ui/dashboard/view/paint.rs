//! Drawing primitives: text, rows, frames. Everything is clipped at the given edge.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

use super::super::app::{App, PaneKind};
use super::super::theme::StyleRole;
use super::text;
use maelstrom_model::event::untrusted_text::clean;

/// Writes a text from `x` on, no further than before `end`, and says where the next may begin.
pub(super) fn put(buf: &mut Buffer, x: u16, y: u16, end: u16, text: &str, style: Style) -> u16 {
    if x >= end || !buf.area.contains((x, y).into()) {
        return x;
    }
    // Names are shown that others have chosen: here, where no text passes by.
    let text = clean(text);
    buf.set_stringn(x, y, text, usize::from(end - x), style).0
}

/// Writes a text that ends before `end`, if there is room for it from `x` on. Says where it
/// begins.
pub(super) fn put_right(
    buf: &mut Buffer,
    x: u16,
    y: u16,
    end: u16,
    text: &str,
    style: Style,
) -> u16 {
    let text = &clean(text);
    let columns = text::columns(text) as u16;
    if x.saturating_add(columns) > end {
        return end;
    }
    put(buf, end - columns, y, end, text, style);
    end - columns
}

/// Marks a row as selected.
pub(super) fn select(app: &App, buf: &mut Buffer, area: Rect, y: u16, pane: PaneKind) {
    let role = if app.focus == pane {
        StyleRole::Selected
    } else {
        StyleRole::SelectedUnfocused
    };
    let row = Rect {
        y,
        height: 1,
        ..area
    };
    buf.set_style(row, app.theme.style(role));
}

/// Draws a frame with a title at its left and facts at its right, and gives back its inside.
pub(super) fn frame(
    app: &App,
    buf: &mut Buffer,
    area: Rect,
    pane: PaneKind,
    title: &str,
    facts: &str,
) -> Rect {
    let focused = app.focus == pane;
    let role = if focused {
        StyleRole::BorderFocused
    } else {
        StyleRole::Border
    };
    let style = app.theme.style(role);
    outline(app, buf, area, style);
    let end = area.right().saturating_sub(2);
    let more = app.glyphs.more();
    let room = usize::from(area.width.saturating_sub(4));
    let facts_columns = text::columns(facts);
    // The title is what the facts are about: they give way first.
    let title_room = if text::columns(title) + facts_columns + 2 <= room {
        room - facts_columns
    } else {
        room
    };
    let title = text::keep_end(title, title_room, more);
    let title_style = style.patch(app.theme.style(StyleRole::Title));
    let x = put(buf, area.x + 1, area.y, end, &title, title_style);
    if !facts.is_empty() {
        put_right(buf, x + 1, area.y, end, facts, style);
    }
    Rect {
        x: area.x + 1,
        y: area.y + 1,
        width: area.width.saturating_sub(2),
        height: area.height.saturating_sub(2),
    }
}

/// Draws a frame.
pub(super) fn outline(app: &App, buf: &mut Buffer, area: Rect, style: Style) {
    if area.width < 2 || area.height < 2 {
        return;
    }
    let [top_left, top_right, bottom_left, bottom_right] = app.glyphs.corners();
    let (right, bottom) = (area.right() - 1, area.bottom() - 1);
    for x in area.x + 1..right {
        buf.set_string(x, area.y, app.glyphs.rule(), style);
        buf.set_string(x, bottom, app.glyphs.rule(), style);
    }
    for y in area.y + 1..bottom {
        buf.set_string(area.x, y, app.glyphs.bar(), style);
        buf.set_string(right, y, app.glyphs.bar(), style);
    }
    buf.set_string(area.x, area.y, top_left, style);
    buf.set_string(right, area.y, top_right, style);
    buf.set_string(area.x, bottom, bottom_left, style);
    buf.set_string(right, bottom, bottom_right, style);
}

/// The levels of a sparkline, one for each value, 1000 being full.
pub(super) fn sparkline(app: &App, values: impl Iterator<Item = u16>) -> String {
    let levels = app.glyphs.levels();
    values
        .map(|permille| {
            let index = usize::from(permille.min(1000)) * (levels.len() - 1) / 1000;
            levels[index]
        })
        .collect()
}

/// A bar of `room` columns of which `part / whole` are full.
pub(super) fn bar(app: &App, part: u64, whole: u64, room: usize) -> String {
    let [full, _, _, empty] = app.glyphs.gauge();
    let filled = match whole {
        0 => 0,
        _ => (part.min(whole) as u128 * room as u128 / whole as u128) as usize,
    };
    full.repeat(filled) + &empty.repeat(room - filled)
}
