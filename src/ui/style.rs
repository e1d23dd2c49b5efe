//! Colors for line-based output: reports and errors. The dashboard has themes instead.
//!
//! Whether to use colors is decided once per stream and passed on as a value.

use std::fmt;
use std::io::IsTerminal;

use anstyle::{AnsiColor, Style};

/// Whether output is colored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OutputColor {
    /// No escape sequences at all.
    Never,
    /// Colors, but no other escape sequences.
    Always,
}

impl OutputColor {
    /// Returns whether to use colors on a stream: only if it is a terminal, `TERM` is set and not
    /// `dumb`, and `NO_COLOR` (<https://no-color.org>) is unset or empty.
    pub fn for_stream(stream: &impl IsTerminal) -> OutputColor {
        let set = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
        let dumb = set("TERM").is_none_or(|term| term == "dumb");
        if stream.is_terminal() && !dumb && set("NO_COLOR").is_none() {
            OutputColor::Always
        } else {
            OutputColor::Never
        }
    }

    /// Wraps a text for display in the style of a role, or unstyled if colors are off.
    pub fn paint<T: fmt::Display>(self, paint: TextRole, text: T) -> StyledText<T> {
        let style = match self {
            OutputColor::Always => paint.style(),
            OutputColor::Never => Style::new(),
        };
        StyledText { style, text }
    }
}

/// The meaning of a styled text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TextRole {
    /// Success, such as a passed test.
    Good,
    Bad,
    /// Something to look at, such as a warning.
    Attention,
    Helpful,
    /// Secondary information.
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

/// A text with a style. Width and alignment in a format apply to the text without its escape
/// sequences.
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
