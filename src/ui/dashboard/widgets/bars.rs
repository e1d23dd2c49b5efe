//! Bars and sparklines for use in lines and panes.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::symbols::bar;
use ratatui::widgets::{Sparkline, Widget};

use super::super::theme::GlyphSet;

/// The number of levels of a sparkline.
const LEVELS: u64 = 8;

/// Draws a sparkline with one column per value, from 0 to 1000.
pub(in super::super) fn sparkline(
    glyphs: GlyphSet,
    values: impl Iterator<Item = u16>,
    style: Style,
    area: Rect,
    buf: &mut Buffer,
) {
    // ratatui draws nothing for zero. Zero is mapped to the lowest level here, so that it differs
    // from a time without data.
    let level = |permille: u16| u64::from(permille.min(1000)) * (LEVELS - 1) / 1000 + 1;
    let [one, two, three, four, five, six, seven, full] = glyphs.levels();
    let sparkline = Sparkline::default()
        .data(values.map(level))
        .max(LEVELS)
        .style(style)
        .bar_set(bar::Set {
            full,
            seven_eighths: seven,
            three_quarters: six,
            five_eighths: five,
            half: four,
            three_eighths: three,
            one_quarter: two,
            one_eighth: one,
            empty: " ",
        });
    sparkline.render(area, buf);
}

/// Returns a bar of `room` columns, of which `part / whole` are filled. ratatui's gauges can't be
/// part of a line: they draw an area of their own, with a label.
pub(in super::super) fn bar_text(glyphs: GlyphSet, part: u64, whole: u64, room: usize) -> String {
    let [full, _, _, empty] = glyphs.gauge();
    let filled = match whole {
        0 => 0,
        _ => (part.min(whole) as u128 * room as u128 / whole as u128) as usize,
    };
    full.repeat(filled) + &empty.repeat(room - filled)
}
