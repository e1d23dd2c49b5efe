//! A line of output as it may be shown: colours kept, everything else neutralised.
//!
//! Cursor moves, clears, operating system commands and every other sequence vanish; tabs become
//! spaces; other control characters and such as change the direction of writing become visible
//! signs, so that no output can disturb the screen or pretend to be part of it. Each line begins
//! in the default style, since a window into a log does not know what stands before it.

use ratatui::style::{Color, Modifier, Style};
use unicode_width::UnicodeWidthChar;
use vte::{Params, Parser, Perform};

use super::theme::ColorChoice;

const TAB_COLUMNS: usize = 8;

/// A stretch of text in one style.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Span {
    pub text: String,
    pub style: Style,
}

/// A line, in as many stretches as it has styles.
pub(super) type Spans = Vec<Span>;

/// Reads a line's bytes.
pub(super) fn parse(bytes: &[u8], color: ColorChoice) -> Spans {
    let mut line = Line {
        spans: Vec::new(),
        style: Style::new(),
        column: 0,
        color,
    };
    let bytes = bytes.strip_suffix(b"\r").unwrap_or(bytes);
    Parser::new().advance(&mut line, bytes);
    line.spans
}

/// A line's text alone, for searching and for the clipboard.
pub(super) fn plain(bytes: &[u8]) -> String {
    let spans = parse(bytes, ColorChoice::Monochrome);
    spans.into_iter().map(|span| span.text).collect()
}

struct Line {
    spans: Spans,
    style: Style,
    column: usize,
    color: ColorChoice,
}

impl Line {
    fn push(&mut self, c: char) {
        self.column += c.width().unwrap_or(0);
        match self.spans.last_mut() {
            Some(span) if span.style == self.style => span.text.push(c),
            _ => self.spans.push(Span {
                text: c.into(),
                style: self.style,
            }),
        }
    }

    fn select_graphic_rendition(&mut self, params: &Params) {
        let mut params = params.iter();
        while let Some(param) = params.next() {
            let code = param.first().copied().unwrap_or(0);
            let style = self.style;
            self.style = match code {
                0 => Style::new(),
                1 => style.add_modifier(Modifier::BOLD),
                2 => style.add_modifier(Modifier::DIM),
                3 => style.add_modifier(Modifier::ITALIC),
                4 => style.add_modifier(Modifier::UNDERLINED),
                7 => style.add_modifier(Modifier::REVERSED),
                9 => style.add_modifier(Modifier::CROSSED_OUT),
                22 => without(style, Modifier::BOLD | Modifier::DIM),
                23 => without(style, Modifier::ITALIC),
                24 => without(style, Modifier::UNDERLINED),
                27 => without(style, Modifier::REVERSED),
                29 => without(style, Modifier::CROSSED_OUT),
                30..=37 => style.fg(Color::Indexed(code as u8 - 30)),
                90..=97 => style.fg(Color::Indexed(code as u8 - 90 + 8)),
                40..=47 => style.bg(Color::Indexed(code as u8 - 40)),
                100..=107 => style.bg(Color::Indexed(code as u8 - 100 + 8)),
                39 => Style { fg: None, ..style },
                49 => Style { bg: None, ..style },
                38 | 48 => {
                    // The colour follows in the same parameter (38:5:n) or in the next (38;5;n).
                    let mut rest = param.get(1..).unwrap_or_default().to_vec();
                    let wanted = |rest: &[u16]| match rest.first() {
                        Some(5) => 2,
                        Some(2) => 4,
                        _ => 1,
                    };
                    while rest.len() < wanted(&rest) {
                        let Some(next) = params.next() else { break };
                        rest.extend_from_slice(next);
                    }
                    match (extended_color(&rest), code) {
                        (Some(color), 38) => style.fg(color),
                        (Some(color), _) => style.bg(color),
                        (None, _) => style,
                    }
                }
                _ => style,
            };
        }
        if self.color == ColorChoice::Monochrome {
            self.style.fg = None;
            self.style.bg = None;
        }
    }
}

fn without(mut style: Style, modifier: Modifier) -> Style {
    style.add_modifier -= modifier;
    style
}

fn extended_color(params: &[u16]) -> Option<Color> {
    let byte = |value: &u16| u8::try_from(*value).ok();
    match params {
        [5, index] => Some(Color::Indexed(byte(index)?)),
        [2, r, g, b] | [2, _, r, g, b] => Some(Color::Rgb(byte(r)?, byte(g)?, byte(b)?)),
        _ => None,
    }
}

/// Characters that change the direction of what follows, or take no room and hide.
fn is_deceptive(c: char) -> bool {
    matches!(c, '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

impl Perform for Line {
    fn print(&mut self, c: char) {
        if is_deceptive(c) || c == '\u{7f}' || c.width().is_none() {
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
        if action == 'm' && intermediates.is_empty() && !ignore {
            self.select_graphic_rendition(params);
        }
    }
}

/// The columns that spans take.
pub(super) fn width(spans: &[Span]) -> usize {
    let chars = spans.iter().flat_map(|span| span.text.chars());
    chars.map(|c| c.width().unwrap_or(0)).sum()
}

/// Breaks a line into rows of at most `columns`. A line without text is one row.
pub(super) fn wrap(spans: Spans, columns: usize) -> Vec<Spans> {
    if width(&spans) <= columns.max(1) {
        return vec![spans];
    }
    let mut rows = vec![Spans::new()];
    let mut used = 0;
    for span in spans {
        let mut piece = String::new();
        for c in span.text.chars() {
            let wide = c.width().unwrap_or(0);
            if used + wide > columns.max(1) {
                push_piece(&mut rows, &mut piece, span.style);
                rows.push(Spans::new());
                used = 0;
            }
            piece.push(c);
            used += wide;
        }
        push_piece(&mut rows, &mut piece, span.style);
    }
    rows
}

fn push_piece(rows: &mut [Spans], piece: &mut String, style: Style) {
    if let (Some(row), false) = (rows.last_mut(), piece.is_empty()) {
        row.push(Span {
            text: std::mem::take(piece),
            style,
        });
    }
}

/// Leaves out a line's first columns.
pub(super) fn skip_columns(spans: Spans, columns: usize) -> Spans {
    let mut left = columns;
    let mut kept = Spans::new();
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
            kept.push(Span { text, ..span });
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn colours_are_kept_in_all_their_spellings() {
        let red = Style::new().fg(Color::Indexed(1));
        for text in [
            "\x1b[31mx",
            "\x1b[38;5;1mx",
            "\x1b[38:5:1mx",
            "\x1b[1;31m\x1b[22mx",
        ] {
            let spans = parse(text.as_bytes(), ColorChoice::Color);
            assert_eq!(
                (spans[0].text.as_str(), spans[0].style),
                ("x", red),
                "{text:?}"
            );
        }
        let rgb = parse(b"\x1b[38;2;1;2;3;4mx", ColorChoice::Color);
        let expected = Style::new()
            .fg(Color::Rgb(1, 2, 3))
            .add_modifier(Modifier::UNDERLINED);
        assert_eq!(rgb[0].style, expected);
        assert_eq!(
            parse(b"\x1b[31mx", ColorChoice::Monochrome)[0].style,
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
            parse("a\u{6f22}\u{5b57}b".as_bytes(), ColorChoice::Color),
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
            let spans = parse(text.as_bytes(), ColorChoice::Color);
            let rows = wrap(spans, columns);
            prop_assert!(rows.iter().all(|row| width(row) <= columns));
            let joined: String = rows.into_iter().flatten().map(|span| span.text).collect();
            prop_assert_eq!(joined, text);
        }
    }
}
