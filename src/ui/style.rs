//! Colors of line-based output: reports and errors. The dashboard has its own theme.
//!
//! Whether to use colors is decided once, when a stream is opened, and passed on as a value.

use std::fmt;
use std::io::IsTerminal;

use anstyle::{AnsiColor, Style};

/// Whether colors may be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OutputColor {
    /// Not one escape byte.
    Never,
    /// Colors, and no other escape sequence.
    Always,
}

impl OutputColor {
    /// What suits a stream: colors on a terminal that is no `dumb` one, unless `NO_COLOR`
    /// (<https://no-color.org>) is set to anything but the empty string.
    pub fn for_stream(stream: &impl IsTerminal) -> OutputColor {
        let set = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
        let dumb = set("TERM").is_none_or(|term| term == "dumb");
        if stream.is_terminal() && !dumb && set("NO_COLOR").is_none() {
            OutputColor::Always
        } else {
            OutputColor::Never
        }
    }

    /// The text, in this style if colors may be written.
    pub fn paint<T: fmt::Display>(self, paint: TextRole, text: T) -> StyledText<T> {
        let style = match self {
            OutputColor::Always => paint.style(),
            OutputColor::Never => Style::new(),
        };
        StyledText { style, text }
    }
}

/// What a color means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TextRole {
    /// It is as it should be.
    Good,
    Bad,
    /// It deserves a look.
    Attention,
    Helpful,
    /// It stands back behind the rest.
    Faint,
    Strong,
}

impl TextRole {
    fn style(self) -> Style {
        let style = Style::new();
        match self {
            TextRole::Good => style.fg_color(Some(AnsiColor::Green.into())),
            TextRole::Bad => style.fg_color(Some(AnsiColor::Red.into())).bold(),
            TextRole::Attention => style.fg_color(Some(AnsiColor::Yellow.into())),
            TextRole::Helpful => style.fg_color(Some(AnsiColor::Cyan.into())),
            TextRole::Faint => style.dimmed(),
            TextRole::Strong => style.bold(),
        }
    }
}

/// A text in a style. Width and alignment of a format apply to the text, not to the escapes.
#[derive(Clone, Copy, Debug)]
pub struct StyledText<T> {
    style: Style,
    text: T,
}

impl<T: fmt::Display> fmt::Display for StyledText<T> {
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
        let never = format!("[{:>5}]", OutputColor::Never.paint(TextRole::Bad, "no"));
        assert_eq!(never, "[   no]");
        let always = format!("[{:>5}]", OutputColor::Always.paint(TextRole::Good, "yes"));
        assert_eq!(always, "[\u{1b}[32m  yes\u{1b}[0m]");
    }

    #[test]
    fn what_is_no_terminal_gets_no_color() {
        let file = tempfile::tempfile().unwrap();
        assert_eq!(OutputColor::for_stream(&file), OutputColor::Never);
    }
}
