//! Lines with left-aligned and right-aligned parts, and lists of such lines.

use std::borrow::Cow;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span};
use ratatui::widgets::{List, ListState, StatefulWidget};

use super::super::text;
use maelstrom_model::event::untrusted_text::clean;

const BLANKS: &str = "                                                                ";

/// The initial capacity: the number of parts and gaps of most lines. A frame creates a line for
/// each visible row.
const PARTS: usize = 12;

/// Returns a styled text. Sanitizes it, because it may be a name that the user's project has
/// chosen.
pub(in super::super) fn span<'a>(text: impl Into<Cow<'a, str>>, style: Style) -> Span<'a> {
    let text = match text.into() {
        Cow::Borrowed(text) => clean(text),
        Cow::Owned(text) => {
            let cleaned = match clean(&text) {
                Cow::Borrowed(_) => None,
                Cow::Owned(cleaned) => Some(cleaned),
            };
            Cow::Owned(cleaned.unwrap_or(text))
        }
    };
    Span::styled(text, style)
}

/// A line to which parts are added from the left or from the right, each in the space that the
/// previous ones have left.
#[derive(Debug)]
pub(in super::super) struct RowLine<'a> {
    left: Vec<Span<'a>>,
    /// The parts on the right, in reverse order.
    right: Vec<Span<'a>>,
    /// The column of the next part on the left, and the end of the last one.
    x: usize,
    ended: usize,
    /// The end of the next part on the right, and the column of the last one.
    end: usize,
    began: usize,
}

impl<'a> RowLine<'a> {
    /// Creates a line of `columns` columns.
    pub(crate) fn new(columns: u16) -> Self {
        RowLine {
            left: Vec::with_capacity(PARTS),
            right: Vec::with_capacity(PARTS / 2),
            x: 0,
            ended: 0,
            end: usize::from(columns),
            began: usize::from(columns),
        }
    }

    /// Creates a line with an empty column at both ends, like those of the header and footer.
    pub(crate) fn with_margins(columns: u16) -> Self {
        let mut row = RowLine::new(columns);
        row.skip(1).skip_right(1);
        row
    }

    /// Returns the number of columns that are left.
    pub(crate) fn room(&self) -> usize {
        self.end.saturating_sub(self.x)
    }

    /// Skips columns on the left.
    pub(crate) fn skip(&mut self, columns: usize) -> &mut Self {
        self.x += columns;
        self
    }

    /// Skips columns on the right.
    pub(crate) fn skip_right(&mut self, columns: usize) -> &mut Self {
        self.end = self.end.saturating_sub(columns);
        self
    }

    /// Adds a text on the left, cut at the end if it doesn't fit.
    pub(crate) fn left(&mut self, text: impl Into<Cow<'a, str>>, style: Style) -> &mut Self {
        let room = self.room();
        if room == 0 {
            return self;
        }
        let mut part = span(text, style);
        let mut columns = part.width();
        if columns > room {
            part.content = Cow::Owned(text::keep_start(&part.content, room, ""));
            columns = part.width();
        }
        if self.x > self.ended {
            self.left.push(blanks(self.x - self.ended));
        }
        self.left.push(part);
        self.x += columns;
        self.ended = self.x;
        self
    }

    /// Adds a text on the left, cut at its beginning if it doesn't fit.
    pub(crate) fn left_end_of(&mut self, text: &'a str, more: &str, style: Style) -> &mut Self {
        let shown = text::keep_end(text, self.room(), more);
        self.left(shown, style)
    }

    /// Adds a text on the right if it fits, and skips `gap` columns before it.
    pub(crate) fn right(
        &mut self,
        text: impl Into<Cow<'a, str>>,
        style: Style,
        gap: usize,
    ) -> &mut Self {
        let part = span(text, style);
        let columns = part.width();
        if self.x + columns <= self.end {
            if self.began > self.end {
                self.right.push(blanks(self.began - self.end));
            }
            self.right.push(part);
            self.end -= columns;
            self.began = self.end;
        }
        self.skip_right(gap)
    }

    /// Converts the row to a ratatui line.
    pub(crate) fn into_line(mut self) -> Line<'a> {
        if !self.right.is_empty() {
            let room = self.began.saturating_sub(self.ended);
            self.left.push(blanks(room));
        }
        self.left.extend(self.right.into_iter().rev());
        Line::from(self.left)
    }
}

fn blanks(columns: usize) -> Span<'static> {
    match BLANKS.get(..columns) {
        Some(blanks) => Span::raw(blanks),
        None => Span::raw(" ".repeat(columns)),
    }
}

/// Draws a list of lines, and highlights the selected one across its full width.
pub(in super::super) fn list<'a>(
    lines: impl Iterator<Item = Line<'a>>,
    selected: Option<usize>,
    style: Style,
    area: Rect,
    buf: &mut Buffer,
) {
    // Only the visible lines are created, so the list doesn't scroll.
    let height = usize::from(area.height);
    let list = List::new(lines.take(height)).highlight_style(style);
    // ratatui would move a selection outside the view to the last line.
    let selected = selected.filter(|index| *index < height);
    let mut state = ListState::default().with_selected(selected);
    StatefulWidget::render(list, area, buf, &mut state);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text_of(row: RowLine<'_>) -> String {
        row.into_line().to_string()
    }

    #[test]
    fn parts_take_the_room_that_those_before_them_left() {
        let style = Style::new();
        let mut row = RowLine::new(20);
        row.right("1.2s", style, 1)
            .right("w07", style, 1)
            .left("*", style)
            .skip(1)
            .left_end_of("net tcp::half_close", "…", style);
        assert_eq!(text_of(row), "* …lf_close w07 1.2s");
    }

    #[test]
    fn what_has_no_room_is_cut_at_the_left_and_left_out_at_the_right() {
        let style = Style::new();
        let mut row = RowLine::with_margins(10);
        row.left("\u{6f22}\u{5b57}", style)
            .right("too long", style, 2)
            .right("b", style, 0)
            .left("cdef", style);
        assert_eq!(text_of(row), " \u{6f22}\u{5b57}cb   ");
        let mut row = RowLine::new(3);
        row.left("abc\u{1b}", style).skip(5).left("d", style);
        assert_eq!(text_of(row), "abc");
    }
}
