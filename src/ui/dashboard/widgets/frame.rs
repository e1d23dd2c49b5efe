//! Frames for panes and windows.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::symbols::border;
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Clear, Widget};

use super::super::context::ViewContext;
use super::super::text;
use super::super::theme::{GlyphSet, StyleRole};
use super::row::{RowLine, span};

/// Draws the frame of a pane with a title on the left and facts on the right. Returns the area
/// inside the frame.
pub(in super::super) fn frame(
    ctx: &ViewContext<'_>,
    title: &str,
    facts: &str,
    area: Rect,
    buf: &mut Buffer,
) -> Rect {
    let style = ctx.style(match ctx.focus == ctx.pane {
        true => StyleRole::BorderFocused,
        false => StyleRole::Border,
    });
    let title_style = style.patch(ctx.style(StyleRole::Title));
    let room = usize::from(area.width.saturating_sub(4));
    let facts_columns = text::columns(facts);
    // The facts are dropped first, because they are useless without the title.
    let title_room = if text::columns(title) + facts_columns + 2 <= room {
        room - facts_columns
    } else {
        room
    };
    let title = text::keep_end(title, title_room, ctx.glyphs.more());
    // On a low terminal, a pane may have space only for its title.
    if area.height < 2 {
        let mut row = RowLine::new(area.width);
        row.skip(1).skip_right(2).left(title, title_style).skip(1);
        if !facts.is_empty() {
            row.right(facts, style, 0);
        }
        row.into_line().render(area, buf);
        return Rect { height: 0, ..area };
    }
    let title = span(title, title_style);
    let mut block = block(ctx.glyphs, style);
    if !facts.is_empty() && title.width() + facts_columns <= room {
        // Keep one column of the border visible before the corner.
        let rule = Span::styled(ctx.glyphs.rule(), style);
        let facts = Line::from(vec![span(facts, style), rule]);
        block = block.title_top(facts.right_aligned());
    }
    let block = block.title_top(title);
    let inside = block.inner(area);
    block.render(area, buf);
    inside
}

/// Clears a window in the middle of the screen and draws its frame. Returns the area inside the
/// frame.
pub(in super::super) fn window(
    ctx: &ViewContext<'_>,
    title: &str,
    (columns, rows): (u16, u16),
    screen: Rect,
    buf: &mut Buffer,
) -> Rect {
    let columns = columns.min(screen.width);
    let rows = rows.min(screen.height.saturating_sub(1));
    let area = Rect {
        x: screen.x + (screen.width - columns) / 2,
        y: screen.y + (screen.height - rows) / 2,
        width: columns,
        height: rows,
    };
    let style = ctx.style(StyleRole::Overlay);
    let border = style.patch(ctx.style(StyleRole::BorderFocused));
    let title_style = border.patch(ctx.style(StyleRole::Title));
    let title = Line::from(vec![
        Span::styled(ctx.glyphs.rule(), border),
        Span::styled(title, title_style),
    ]);
    let block = block(ctx.glyphs, border).style(style).title_top(title);
    Clear.render(area, buf);
    let inside = block.inner(area);
    block.render(area, buf);
    Rect {
        x: inside.x + 1,
        width: inside.width.saturating_sub(2),
        ..inside
    }
}

fn block<'a>(glyphs: GlyphSet, style: Style) -> Block<'a> {
    let [top_left, top_right, bottom_left, bottom_right] = glyphs.corners();
    Block::bordered()
        .border_style(style)
        .border_set(border::Set {
            top_left,
            top_right,
            bottom_left,
            bottom_right,
            vertical_left: glyphs.bar(),
            vertical_right: glyphs.bar(),
            horizontal_top: glyphs.rule(),
            horizontal_bottom: glyphs.rule(),
        })
}
