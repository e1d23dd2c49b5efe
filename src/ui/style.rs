//! Colours of what is printed line by line: reports and errors. The dashboard has its own theme.
//!
//! Whether to colour is decided once, where a stream is opened, and passed on as a value.

use std::fmt;
use std::io::IsTerminal;

use anstyle::{AnsiColor, Style};

/// Whether colours may be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Colour {
    /// Not one escape byte.
    Never,
    /// Colours, and no other escape sequence.
    Always,
}

impl Colour {
    /// What suits a stream: colours on a terminal that is no `dumb` one, unless `NO_COLOR`
    /// (<https://no-color.org>) is set to anything but the empty string.
    pub fn for_stream(stream: &impl IsTerminal) -> Colour {
        let set = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
        let dumb = set("TERM").is_none_or(|term| term == "dumb");
        if stream.is_terminal() && !dumb && set("NO_COLOR").is_none() {
            Colour::Always
        } else {
            Colour::Never
        }
    }

    /// The text, in this style if colours may be written.
    pub fn paint<T: fmt::Display>(self, paint: Paint, text: T) -> Painted<T> {
        let style = match self {
            Colour::Always => paint.style(),
            Colour::Never => Style::new(),
        };
        Painted { style, text }
    }
}

/// What a colour means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Paint {
    /// It is as it should be.
    Good,
    /// It is not.
    Bad,
    /// It deserves a look.
    Attention,
    /// It may help.
    Helpful,
    /// It stands back behind the rest.
    Faint,
    /// It stands out.
    Strong,
}

impl Paint {
    fn style(self) -> Style {
        let style = Style::new();
        match self {
            Paint::Good => style.fg_color(Some(AnsiColor::Green.into())),
            Paint::Bad => style.fg_color(Some(AnsiColor::Red.into())).bold(),
            Paint::Attention => style.fg_color(Some(AnsiColor::Yellow.into())),
            Paint::Helpful => style.fg_color(Some(AnsiColor::Cyan.into())),
            Paint::Faint => style.dimmed(),
            Paint::Strong => style.bold(),
        }
    }
}

/// A text in a style. Width and alignment of a format apply to the text, not to the escapes.
#[derive(Clone, Copy, Debug)]
pub struct Painted<T> {
    style: Style,
    text: T,
}

impl<T: fmt::Display> fmt::Display for Painted<T> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}", self.style.render())?;
        self.text.fmt(formatter)?;
        write!(formatter, "{}", self.style.render_reset())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_are_written_only_when_allowed_and_take_no_width() {
        let never = format!("[{:>5}]", Colour::Never.paint(Paint::Bad, "no"));
        assert_eq!(never, "[   no]");
        let always = format!("[{:>5}]", Colour::Always.paint(Paint::Good, "yes"));
        assert_eq!(always, "[\u{1b}[32m  yes\u{1b}[0m]");
    }

    #[test]
    fn what_is_no_terminal_gets_no_colour() {
        let file = tempfile::tempfile().unwrap();
        assert_eq!(Colour::for_stream(&file), Colour::Never);
    }
}
