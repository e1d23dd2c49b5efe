//! Themes, which are TOML files with a style for each role, and the glyphs that the terminal
//! supports.
//!
//! The built-in themes are in `assets/themes`. A user's theme has the same format and may omit
//! roles, which then have no style. No style is hard-coded.

use std::collections::BTreeMap;

use ratatui::style::{Color, Modifier, Style};
use serde::Deserialize;

use crate::model::TestState;

use super::nearest::nearest;

/// Errors in a theme or its name.
#[derive(Debug, thiserror::Error)]
pub enum ThemeError {
    /// The file is not valid TOML, or has an unknown field.
    #[error("a theme is not valid TOML: {0}")]
    Syntax(#[from] toml::de::Error),
    /// The theme has a style for an unknown role.
    #[error("a theme has no style {name:?}; the nearest is {nearest:?}")]
    UnknownRole {
        name: String,
        /// The most similar role.
        nearest: &'static str,
    },
    /// The theme contains an invalid color.
    #[error("{color:?} in style {role:?} is not a color: expected a name, 0 to 255, or #rrggbb")]
    UnknownColor { role: String, color: String },
    /// No built-in theme has this name.
    #[error("there is no theme {name:?}; the nearest is {nearest:?}")]
    UnknownTheme {
        name: String,
        /// The most similar name of a built-in theme.
        nearest: &'static str,
    },
}

macro_rules! roles {
    ($($variant:ident $name:literal)*) => {
        /// The purpose of a style.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[allow(missing_docs)] // The names say it; a theme file lists them all.
        #[repr(u8)]
        pub enum StyleRole { $($variant),* }

        const ROLE_NAMES: &[&str] = &[$($name),*];
    };
}

roles! {
    Text "text"
    Dim "dim"
    Title "title"
    Border "border"
    BorderFocused "border-focused"
    Selected "selected"
    SelectedUnfocused "selected-unfocused"
    Marked "marked"
    Tab "tab"
    TabActive "tab-active"
    Key "key"
    Notice "notice"
    SearchMatch "search-match"
    Passed "passed"
    Failed "failed"
    TimedOut "timed-out"
    Error "error"
    Flaky "flaky"
    Ignored "ignored"
    Cancelled "cancelled"
    Cached "cached"
    Running "running"
    Queued "queued"
    GaugePassed "gauge-passed"
    GaugeFailed "gauge-failed"
    GaugeRunning "gauge-running"
    GaugeQueued "gauge-queued"
    Stderr "stderr"
    LineNumber "line-number"
    Overlay "overlay"
}

/// Whether colors may be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ColorChoice {
    Color,
    /// No colors, because of `NO_COLOR` or a theme without colors.
    Monochrome,
}

/// The styles of the dashboard.
#[derive(Clone, Debug)]
pub struct Theme {
    styles: Vec<Style>,
    /// Whether the colors in the output of tests are displayed.
    pub color: ColorChoice,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ThemeFile {
    #[allow(dead_code)] // For the reader of the file.
    name: Option<String>,
    #[serde(default)]
    styles: BTreeMap<String, FileStyle>,
}

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct FileStyle {
    fg: Option<String>,
    bg: Option<String>,
    bold: bool,
    dim: bool,
    italic: bool,
    underlined: bool,
    reversed: bool,
}

const BUILT_IN: &[(&str, &str)] = &[
    ("dark", include_str!("../../../assets/themes/dark.toml")),
    ("light", include_str!("../../../assets/themes/light.toml")),
    (
        "monochrome",
        include_str!("../../../assets/themes/monochrome.toml"),
    ),
];

impl Theme {
    /// Returns the built-in theme with this name.
    pub fn built_in(name: &str) -> Result<Theme, ThemeError> {
        match BUILT_IN.iter().find(|(known, _)| *known == name) {
            Some((_, text)) => Theme::parse(text),
            None => Err(ThemeError::UnknownTheme {
                name: name.to_owned(),
                nearest: nearest(name, BUILT_IN.iter().map(|(known, _)| *known)),
            }),
        }
    }

    /// Parses the text of a theme file.
    pub fn parse(text: &str) -> Result<Theme, ThemeError> {
        let file: ThemeFile = toml::from_str(text)?;
        let mut styles = vec![Style::new(); ROLE_NAMES.len()];
        for (name, style) in &file.styles {
            let slot = ROLE_NAMES.iter().position(|role| role == name);
            match slot.and_then(|index| styles.get_mut(index)) {
                Some(slot) => *slot = style.resolve(name)?,
                None => {
                    return Err(ThemeError::UnknownRole {
                        name: name.clone(),
                        nearest: nearest(name, ROLE_NAMES.iter().copied()),
                    });
                }
            }
        }
        let colored = styles.iter().any(|s| s.fg.is_some() || s.bg.is_some());
        Ok(Theme {
            styles,
            color: if colored {
                ColorChoice::Color
            } else {
                ColorChoice::Monochrome
            },
        })
    }

    /// Returns the style for a role.
    pub fn style(&self, role: StyleRole) -> Style {
        self.styles.get(role as usize).copied().unwrap_or_default()
    }

    /// Returns the style for the state of a test.
    pub fn state(&self, state: TestState) -> Style {
        self.style(match state {
            TestState::Waiting | TestState::Queued => StyleRole::Queued,
            TestState::Running => StyleRole::Running,
            TestState::Passed => StyleRole::Passed,
            TestState::Failed => StyleRole::Failed,
            TestState::TimedOut => StyleRole::TimedOut,
            TestState::Error => StyleRole::Error,
            TestState::Ignored => StyleRole::Ignored,
            TestState::Cancelled => StyleRole::Cancelled,
        })
    }
}

impl FileStyle {
    fn resolve(&self, role: &str) -> Result<Style, ThemeError> {
        let color = |text: &String| {
            text.parse::<Color>().map_err(|_| ThemeError::UnknownColor {
                role: role.to_owned(),
                color: text.clone(),
            })
        };
        let mut style = Style::new();
        style.fg = self.fg.as_ref().map(color).transpose()?;
        style.bg = self.bg.as_ref().map(color).transpose()?;
        for (wanted, modifier) in [
            (self.bold, Modifier::BOLD),
            (self.dim, Modifier::DIM),
            (self.italic, Modifier::ITALIC),
            (self.underlined, Modifier::UNDERLINED),
            (self.reversed, Modifier::REVERSED),
        ] {
            if wanted {
                style = style.add_modifier(modifier);
            }
        }
        Ok(style)
    }
}

/// The characters that the terminal can display.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum GlyphSet {
    #[default]
    Unicode,
    Ascii,
}

impl GlyphSet {
    fn pick<T>(self, unicode: T, ascii: T) -> T {
        match self {
            GlyphSet::Unicode => unicode,
            GlyphSet::Ascii => ascii,
        }
    }

    /// Returns the sign of a state. Each state has its own, so that no state is identified by color
    /// alone.
    pub fn state(self, state: TestState) -> &'static str {
        match state {
            TestState::Waiting => self.pick("·", "."),
            TestState::Queued => self.pick("…", ":"),
            TestState::Running => self.pick("▶", ">"),
            TestState::Passed => self.pick("✓", "+"),
            TestState::Failed => self.pick("✗", "x"),
            TestState::TimedOut => self.pick("⧖", "T"),
            TestState::Error => "!",
            TestState::Ignored => self.pick("⊘", "-"),
            TestState::Cancelled => self.pick("◌", "c"),
        }
    }

    /// Returns the sign of a flaky test.
    pub fn flaky(self) -> &'static str {
        self.pick("↻", "~")
    }

    /// Returns the sign of a cached pass.
    pub fn cached(self) -> &'static str {
        self.pick("≡", "=")
    }

    /// Returns the sign of a transfer.
    pub fn transfer(self) -> &'static str {
        self.pick("↓", "v")
    }

    /// Returns the sign of omitted text.
    pub fn more(self) -> &'static str {
        self.pick("…", "...")
    }

    /// Returns the separator between two parts of a line.
    pub fn dot(self) -> &'static str {
        self.pick("·", "|")
    }

    /// Returns the arrow between two phases.
    pub fn arrow(self) -> &'static str {
        self.pick("→", "->")
    }

    /// Returns the sign of an open or closed group.
    pub fn fold(self, open: FoldState) -> &'static str {
        match open {
            FoldState::Open => self.pick("▾", "v"),
            FoldState::Closed => self.pick("▸", ">"),
        }
    }

    /// Returns a horizontal line.
    pub fn rule(self) -> &'static str {
        self.pick("─", "-")
    }

    /// Returns a vertical line.
    pub fn bar(self) -> &'static str {
        self.pick("│", "|")
    }

    /// Returns the corners of a frame: top left, top right, bottom left, bottom right.
    pub fn corners(self) -> [&'static str; 4] {
        self.pick(["┌", "┐", "└", "┘"], ["+", "+", "+", "+"])
    }

    /// Returns the characters of the progress bar's segments: done, failed, running, queued.
    pub fn gauge(self) -> [&'static str; 4] {
        self.pick(["█", "▓", "▒", "░"], ["#", "X", ">", "."])
    }

    /// Returns the levels of a sparkline, the lowest first.
    pub fn levels(self) -> [&'static str; 8] {
        self.pick(
            ["▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"],
            ["_", ".", ":", "-", "=", "+", "*", "#"],
        )
    }
}

/// Whether a group displays its rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FoldState {
    Open,
    Closed,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_built_in_themes_style_every_role_and_only_monochrome_is_without_color() {
        for (name, text) in BUILT_IN {
            let theme = Theme::built_in(name).unwrap();
            for role in ROLE_NAMES {
                assert!(text.contains(&format!("\n{role} = ")), "{name}: {role}");
            }
            assert_eq!(
                theme.color == ColorChoice::Monochrome,
                *name == "monochrome",
                "{name}"
            );
        }
    }

    #[test]
    fn no_background_is_without_its_foreground() {
        // Otherwise the terminal's default foreground is used, which may be the same color.
        for (name, text) in BUILT_IN {
            let file: ThemeFile = toml::from_str(text).unwrap();
            for (role, style) in file.styles {
                assert!(style.bg.is_none() || style.fg.is_some(), "{name}: {role}");
            }
        }
    }

    #[test]
    fn mistakes_name_the_nearest_right_word() {
        let message = |text: &str| Theme::parse(text).unwrap_err().to_string();
        assert_eq!(
            message("[styles]\nfialed = {}"),
            "a theme has no style \"fialed\"; the nearest is \"failed\""
        );
        assert_eq!(
            message("[styles]\nfailed = { fg = \"redd\" }"),
            "\"redd\" in style \"failed\" is not a color: expected a name, 0 to 255, or #rrggbb"
        );
        assert_eq!(
            Theme::built_in("drak").unwrap_err().to_string(),
            "there is no theme \"drak\"; the nearest is \"dark\""
        );
    }
}
