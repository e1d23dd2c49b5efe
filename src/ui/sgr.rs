//! Parses the escape sequences that select a text style ("select graphic rendition", ECMA-48
//! 8.3.117).
//!
//! A style applies until another one is selected, even across lines. [`carried`] returns the style
//! in which the next line starts. Blinking, hidden text and all other sequences are ignored.

use ratatui::style::{Color, Modifier, Style};
use vte::{Params, Parser, Perform};

/// Returns the style at the end of text that starts in `style`.
pub(crate) fn carried(style: Style, text: &[u8]) -> Style {
    if memchr::memchr(b'\x1b', text).is_none() {
        return style;
    }
    let mut follower = SgrTracker(style);
    Parser::new().advance(&mut follower, text);
    follower.0
}

struct SgrTracker(Style);

impl Perform for SgrTracker {
    fn csi_dispatch(&mut self, params: &Params, intermediates: &[u8], ignore: bool, action: char) {
        if is_selection(intermediates, ignore, action) {
            self.0 = select(self.0, params);
        }
    }
}

/// Returns whether a control sequence selects a style.
pub(crate) fn is_selection(intermediates: &[u8], ignore: bool, action: char) -> bool {
    action == 'm' && intermediates.is_empty() && !ignore
}

/// Applies the parameters of a sequence to a style.
pub(crate) fn select(mut style: Style, params: &Params) -> Style {
    let mut params = params.iter();
    while let Some(param) = params.next() {
        let code = param.first().copied().unwrap_or(0);
        style = match code {
            0 => Style::new(),
            1 => style.add_modifier(Modifier::BOLD),
            2 => style.add_modifier(Modifier::DIM),
            3 => style.add_modifier(Modifier::ITALIC),
            4 => style.add_modifier(Modifier::UNDERLINED),
            7 => style.add_modifier(Modifier::REVERSED),
            9 => style.add_modifier(Modifier::CROSSED_OUT),
            // Code 22 ends both.
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
                // The color is in the same parameter (38:5:n) or in the following ones (38;5;n).
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
    style
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
