//! Sanitizes a line of output: keeps its colors and neutralizes everything else.
//!
//! Removes cursor movements, clears, operating system commands and all other sequences. Tabs become
//! spaces; other control characters and those that change the direction of text become visible
//! symbols, so output can neither disturb the screen nor imitate parts of it. A line starts in the
//! style in which the previous line of its stream ended, which the log stores.

use ratatui::style::Style;
use unicode_width::UnicodeWidthChar;
use vte::{Params, Parser, Perform};

use super::theme::ColorChoice;
use crate::sgr;
use maelstrom_model::event::untrusted_text::is_hostile;

const TAB_COLUMNS: usize = 8;

/// A piece of text in one style.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct StyledSpan {
    pub text: String,
    pub style: Style,
}

/// A line of text, divided at the changes of its style.
pub(super) type StyledLine = Vec<StyledSpan>;

/// Parses the bytes of a line that starts in the style `begins`.
pub(super) fn parse(bytes: &[u8], begins: Style, color: ColorChoice) -> StyledLine {
    let mut line = SpanBuilder {
        spans: Vec::new(),
        selected: begins,
        style: begins,
        column: 0,
        color,
    };
    line.set_style(begins);
    let bytes = bytes.strip_suffix(b"\r").unwrap_or(bytes);
    Parser::new().advance(&mut line, bytes);
    line.spans
}

/// Returns the text of a line without styles, for searches and for the clipboard.
pub(super) fn plain(bytes: &[u8]) -> String {
    let spans = parse(bytes, Style::new(), ColorChoice::Monochrome);
    spans.into_iter().map(|span| span.text).collect()
}

struct SpanBuilder {
    spans: StyledLine,
    /// The style that the output selected last.
    selected: Style,
    /// The displayed part of `selected`.
    style: Style,
    column: usize,
    color: ColorChoice,
}

impl SpanBuilder {
    fn push(&mut self, c: char) {
        self.column += c.width().unwrap_or(0);
        match self.spans.last_mut() {
            Some(span) if span.style == self.style => span.text.push(c),
            _ => self.spans.push(StyledSpan {
                text: c.into(),
                style: self.style,
            }),
        }
    }

    /// Sets the selected style, and drops its colors if the display is monochrome.
    fn set_style(&mut self, selected: Style) {
        self.selected = selected;
        self.style = match self.color {
            ColorChoice::Color => selected,
            ColorChoice::Monochrome => Style {
                fg: None,
                bg: None,
                ..selected
            },
        };
    }
}

impl Perform for SpanBuilder {
    fn print(&mut self, c: char) {
        if is_hostile(c) || c.width().is_none() {
            self.push(char::REPLACEMENT_CHARACTER);
        } else {
            self.push(c);
        }
    }

    fn execute(&mut self, byte: u8) {
        match byte {
            b'\t' => {
                for _ in 0..TAB_COLUMNS - self.column % TAB_COLUMNS {
                    self.push(' ');
                }
            }
            0..0x20 => {
                self.push('^');
                self.push(char::from(byte + 0x40));
            }
            _ => self.push(char::REPLACEMENT_CHARACTER),
        }
    }

    fn csi_dispatch(&mut self, params: &Params, intermediates: &[u8], ignore: bool, action: char) {
        if sgr::is_selection(intermediates, ignore, action) {
            self.set_style(sgr::select(self.selected, params));
        }
    }
}

/// Returns the number of columns that spans take.
pub(super) fn width(spans: &[StyledSpan]) -> usize {
    let chars = spans.iter().flat_map(|span| span.text.chars());
    chars.map(|c| c.width().unwrap_or(0)).sum()
}

/// Breaks a line into rows of at most `columns` columns. An empty line is one row.
pub(super) fn wrap(spans: StyledLine, columns: usize) -> Vec<StyledLine> {
    if width(&spans) <= columns.max(1) {
        return vec![spans];
    }
    let mut rows = vec![StyledLine::new()];
    let mut used = 0;
    for span in spans {
        let mut piece = String::new();
        for c in span.text.chars() {
            let wide = c.width().unwrap_or(0);
            if used + wide > columns.max(1) {
                push_piece(&mut rows, &mut piece, span.style);
                rows.push(StyledLine::new());
                used = 0;
            }
            piece.push(c);
            used += wide;
        }
        push_piece(&mut rows, &mut piece, span.style);
    }
    rows
}

fn push_piece(rows: &mut [StyledLine], piece: &mut String, style: Style) {
    if let (Some(row), false) = (rows.last_mut(), piece.is_empty()) {
        row.push(StyledSpan {
            text: std::mem::take(piece),
            style,
        });
    }
}

/// Drops the first `columns` columns of a line.
pub(super) fn skip_columns(spans: StyledLine, columns: usize) -> StyledLine {
    let mut left = columns;
    let mut kept = StyledLine::new();
    for span in spans {
        let mut text = String::new();
        for c in span.text.chars() {
            if left > 0 {
                left = left.saturating_sub(c.width().unwrap_or(0));
            } else {
                text.push(c);
            }
        }
        if !text.is_empty() {
            kept.push(StyledSpan { text, ..span });
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use ratatui::style::{Color, Modifier};

    use super::*;
    use proptest::prelude::*;

    #[test]
    fn colors_are_kept_in_all_their_spellings() {
        let red = Style::new().fg(Color::Indexed(1));
        for text in [
            "\x1b[31mx",
            "\x1b[38;5;1mx",
            "\x1b[38:5:1mx",
            "\x1b[1;31m\x1b[22mx",
        ] {
            let spans = parse(text.as_bytes(), Style::new(), ColorChoice::Color);
            assert_eq!(
                (spans[0].text.as_str(), spans[0].style),
                ("x", red),
                "{text:?}"
            );
        }
        let rgb = parse(b"\x1b[38;2;1;2;3;4mx", Style::new(), ColorChoice::Color);
        let expected = Style::new()
            .fg(Color::Rgb(1, 2, 3))
            .add_modifier(Modifier::UNDERLINED);
        assert_eq!(rgb[0].style, expected);
        assert_eq!(
            parse(b"\x1b[31mx", Style::new(), ColorChoice::Monochrome)[0].style,
            Style::new()
        );
    }

    #[test]
    fn nothing_but_text_is_left_of_what_would_disturb_the_screen() {
        for (bytes, shown) in [
            (&b"a\x1b[2Jb\x1b[10;10Hc"[..], "abc"),
            (b"\x1b]0;title\x07a\x1b]52;c;aGk=\x1b\\b", "ab"),
            (b"a\tb", "a       b"),
            (b"one\rtwo\r", "one^Mtwo"),
            (b"\x07\x00\x7f", "^G^@\u{fffd}"),
            ("x\u{202e}y".as_bytes(), "x\u{fffd}y"),
            (b"\xffok", "\u{fffd}ok"),
        ] {
            assert_eq!(plain(bytes), shown, "{bytes:?}");
        }
    }

    #[test]
    fn wide_characters_are_never_split_over_rows() {
        let rows = wrap(
            parse(
                "a\u{6f22}\u{5b57}b".as_bytes(),
                Style::new(),
                ColorChoice::Color,
            ),
            3,
        );
        let texts: Vec<&str> = rows.iter().map(|row| row[0].text.as_str()).collect();
        assert_eq!(texts, ["a\u{6f22}", "\u{5b57}b"]);
    }

    proptest! {
        #[test]
        fn no_bytes_make_a_control_character(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            prop_assert!(plain(&bytes).chars().all(|c| !c.is_control()));
        }

        #[test]
        fn wrapping_loses_nothing(text in "[a-z\u{6f22} ]{0,80}", columns in 2_usize..20) {
            let spans = parse(text.as_bytes(), Style::new(), ColorChoice::Color);
            let rows = wrap(spans, columns);
            prop_assert!(rows.iter().all(|row| width(row) <= columns));
            let joined: String = rows.into_iter().flatten().map(|span| span.text).collect();
            prop_assert_eq!(joined, text);
        }
    }
}
