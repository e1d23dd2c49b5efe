//! Colors for line-based output: reports and errors. The dashboard has themes instead.
//!
//! Whether to use colors is decided once per stream, by [`OutputColor::choose`] in all programs, and
//! passed on as a value.

use std::ffi::OsString;
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
    /// Returns whether to use colors on a stream, from this process's environment. For messages
    /// outside of a run, which `--color` does not concern.
    pub fn for_stream(stream: &impl IsTerminal) -> OutputColor {
        let environment = ColorEnvironment::of_process(None);
        OutputColor::choose(ColorWish::Auto, &environment, stream.is_terminal())
    }

    /// Returns whether to use colors. The first of these decides:
    ///
    /// 1. `--color`, and then the variable of the tool that the program replaces
    /// 2. `NO_COLOR`, unless it is empty: never
    /// 3. `FORCE_COLOR` or `CLICOLOR_FORCE`, unless it is empty, `0` or `false`: always
    /// 4. `CLICOLOR=0` or `FORCE_COLOR=0`: never
    /// 5. colors on a terminal whose `TERM` is set, or that belongs to a CI (`CI` is set), unless
    ///    it is `dumb`
    pub fn choose(
        wish: ColorWish,
        environment: &ColorEnvironment,
        is_terminal: bool,
    ) -> OutputColor {
        match (wish, environment.tool) {
            (ColorWish::Always, _) | (ColorWish::Auto, ColorWish::Always) => OutputColor::Always,
            (ColorWish::Never, _) | (ColorWish::Auto, ColorWish::Never) => OutputColor::Never,
            (ColorWish::Auto, ColorWish::Auto) => environment.automatic(is_terminal),
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

/// What is asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ColorWish {
    /// Colors where they are likely to be displayed.
    #[default]
    Auto,
    Always,
    Never,
}

/// The environment variables that decide about colors.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ColorEnvironment {
    /// The variable of the tool that the program replaces, such as `CARGO_TERM_COLOR`.
    tool: ColorWish,
    no_color: Option<OsString>,
    clicolor: Option<OsString>,
    clicolor_force: Option<OsString>,
    force_color: Option<OsString>,
    term: Option<OsString>,
    ci: Option<OsString>,
}

impl ColorEnvironment {
    /// Reads the variables of this process. `tool_variable` is the one of the tool that the program
    /// replaces: `always`, `never` or `auto`.
    pub fn of_process(tool_variable: Option<&str>) -> ColorEnvironment {
        ColorEnvironment::read(tool_variable, |name| std::env::var_os(name))
    }

    fn read(
        tool_variable: Option<&str>,
        variable: impl Fn(&str) -> Option<OsString>,
    ) -> ColorEnvironment {
        // An empty variable counts as unset.
        let set = |name: &str| variable(name).filter(|value| !value.is_empty());
        let tool = tool_variable.and_then(&set).unwrap_or_default();
        ColorEnvironment {
            tool: match tool.to_str() {
                Some("always") => ColorWish::Always,
                Some("never") => ColorWish::Never,
                Some(_) | None => ColorWish::Auto,
            },
            no_color: set("NO_COLOR"),
            clicolor: set("CLICOLOR"),
            clicolor_force: set("CLICOLOR_FORCE"),
            force_color: set("FORCE_COLOR"),
            term: set("TERM"),
            ci: set("CI"),
        }
    }

    fn automatic(&self, is_terminal: bool) -> OutputColor {
        let is_off = |value: &OsString| value == "0" || value == "false";
        let is_on = |value: &Option<OsString>| value.as_ref().is_some_and(|value| !is_off(value));
        let refused = [&self.clicolor, &self.force_color];
        let is_known = match &self.term {
            Some(term) => term != "dumb",
            None => is_on(&self.ci),
        };
        if self.no_color.is_some() {
            OutputColor::Never
        } else if is_on(&self.force_color) || is_on(&self.clicolor_force) {
            OutputColor::Always
        } else if refused.into_iter().flatten().any(is_off) || !is_terminal || !is_known {
            OutputColor::Never
        } else {
            OutputColor::Always
        }
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
    fn one_rule_decides_about_colors() {
        use ColorWish::{Always, Auto, Never};
        // The option, the variables, and whether colors are used on a terminal and elsewhere.
        let cases: [(ColorWish, &str, bool, bool); 23] = [
            (Auto, "TERM=xterm", true, false),
            (Auto, "", false, false),
            (Auto, "TERM=dumb", false, false),
            (Auto, "CI=true", true, false),
            (Auto, "CI=true TERM=xterm", true, false),
            (Auto, "CI=true TERM=dumb", false, false),
            (Auto, "TERM=xterm NO_COLOR=1", false, false),
            (Auto, "TERM=xterm NO_COLOR=", true, false),
            (Auto, "NO_COLOR=1 FORCE_COLOR=1", false, false),
            (Auto, "FORCE_COLOR=1", true, true),
            (Auto, "FORCE_COLOR=3 TERM=dumb", true, true),
            (Auto, "FORCE_COLOR=0 TERM=xterm", false, false),
            (Auto, "FORCE_COLOR=false TERM=xterm", false, false),
            (Auto, "CLICOLOR_FORCE=1", true, true),
            (Auto, "CLICOLOR_FORCE=0 TERM=xterm", true, false),
            (Auto, "CLICOLOR=0 TERM=xterm", false, false),
            (Auto, "CLICOLOR=1 TERM=xterm", true, false),
            (Auto, "CLICOLOR=0 CLICOLOR_FORCE=1", true, true),
            (Auto, "CARGO_TERM_COLOR=always NO_COLOR=1", true, true),
            (Auto, "CARGO_TERM_COLOR=never FORCE_COLOR=1", false, false),
            (Auto, "CARGO_TERM_COLOR=auto TERM=xterm", true, false),
            (Always, "NO_COLOR=1 CARGO_TERM_COLOR=never", true, true),
            (Never, "FORCE_COLOR=1 CARGO_TERM_COLOR=always", false, false),
        ];
        for (wish, variables, on_terminal, elsewhere) in cases {
            let variable = |name: &str| {
                let pairs = variables.split(' ').filter_map(|pair| pair.split_once('='));
                let mut values = pairs.filter(|(known, _)| *known == name);
                values.next().map(|(_, value)| OsString::from(value))
            };
            let environment = ColorEnvironment::read(Some("CARGO_TERM_COLOR"), variable);
            for (is_terminal, expected) in [(true, on_terminal), (false, elsewhere)] {
                let chosen = OutputColor::choose(wish, &environment, is_terminal);
                let expected = match expected {
                    true => OutputColor::Always,
                    false => OutputColor::Never,
                };
                assert_eq!(chosen, expected, "{wish:?} {variables} {is_terminal}");
            }
        }
        // The variable of another tool says nothing.
        let other = ColorEnvironment::read(None, |name| {
            (name == "CARGO_TERM_COLOR").then(|| OsString::from("always"))
        });
        assert_eq!(other, ColorEnvironment::default());
    }
}
