//! The settings of the dashboard: theme and keys, read from a TOML file.
//!
//! ```toml
//! theme = "light"            # dark, light, monochrome, or the path of a theme file; the default
//!                            # depends on the background of the terminal
//!
//! [keys]
//! rerun = ["r", "f5"]        # an action's name, as in the command palette, and its keys
//! ```

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::keys::{KeyMap, KeysError};
use super::nearest::nearest;
use super::theme::{ColorChoice, Theme, ThemeError};

/// Errors in the settings of the dashboard.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// The settings file, or a theme file, can't be read.
    #[error("cannot read {path}: {source}")]
    Read {
        path: PathBuf,
        source: std::io::Error,
    },
    /// The settings file is not valid TOML, or has a value of the wrong type.
    #[error("{path} is not valid: {source}")]
    Syntax {
        path: PathBuf,
        source: toml::de::Error,
    },
    /// The settings file contains an unknown setting.
    #[error("{path} sets {name:?}, which does not exist; the nearest is {nearest:?}")]
    UnknownSetting {
        path: PathBuf,
        name: String,
        /// The most similar setting.
        nearest: &'static str,
    },
    /// The theme of the settings file is invalid.
    #[error("in {path}: {source}")]
    Theme { path: PathBuf, source: ThemeError },
    /// The theme given with `--theme` is invalid.
    #[error("--theme: {0}")]
    NamedTheme(#[source] ThemeError),
    /// The keys in the settings file are invalid.
    #[error("in {path}: {source}")]
    Keys { path: PathBuf, source: KeysError },
}

/// The theme and the keys of a dashboard.
#[derive(Clone, Debug)]
pub struct DashboardSettings {
    pub theme: Theme,
    pub keys: KeyMap,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct SettingsFile {
    theme: Option<String>,
    keys: BTreeMap<String, OneOrMany>,
    #[serde(flatten)]
    unknown: BTreeMap<String, toml::Value>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum OneOrMany {
    One(String),
    Many(Vec<String>),
}

impl OneOrMany {
    fn as_strs(&self) -> Vec<&str> {
        match self {
            OneOrMany::One(key) => vec![key],
            OneOrMany::Many(keys) => keys.iter().map(String::as_str).collect(),
        }
    }
}

/// The inputs that determine the theme of a dashboard.
#[derive(Clone, Debug)]
pub struct ThemeChoice {
    /// The theme given with `--theme`.
    pub named: Option<String>,
    /// Whether the theme may use colors.
    pub color: ColorChoice,
    /// Returns the built-in theme that fits the terminal. Called only if no theme is named.
    pub fits: fn() -> &'static str,
}

impl ThemeChoice {
    /// Creates a choice for a terminal with a dark background, without a named theme.
    pub fn dark(color: ColorChoice) -> ThemeChoice {
        ThemeChoice {
            named: None,
            color,
            fits: || "dark",
        }
    }

    /// Returns the theme. `in_file` is the path of the settings file and the theme that it names.
    fn theme(
        &self,
        in_file: Option<(&Path, &str)>,
        read: &dyn Fn(&Path) -> Result<String, SettingsError>,
    ) -> Result<Theme, SettingsError> {
        let here = Path::new(".");
        let named = self.named.as_deref().map(|name| (here, name));
        let chosen = named.or(in_file.map(|(path, name)| (path.parent().unwrap_or(here), name)));
        let theme = match chosen {
            Some((base, name)) if name.contains(['/', '.']) => {
                Theme::parse(&read(&base.join(name))?)
            }
            Some((_, name)) => Theme::built_in(name),
            // The background doesn't matter without colors, and querying the terminal may take a
            // while.
            None if self.color == ColorChoice::Monochrome => Theme::built_in("monochrome"),
            None => Theme::built_in((self.fits)()),
        };
        let theme_error = |source| match (&self.named, in_file) {
            (None, Some((path, _))) => SettingsError::Theme {
                path: path.to_owned(),
                source,
            },
            _ => SettingsError::NamedTheme(source),
        };
        let theme = theme.map_err(theme_error)?;
        // The named theme is parsed in both cases, so that an error in it is reported with and
        // without colors.
        match self.color {
            ColorChoice::Color => Ok(theme),
            ColorChoice::Monochrome => Theme::built_in("monochrome").map_err(theme_error),
        }
    }
}

impl DashboardSettings {
    /// Returns the settings for a user without a settings file.
    pub fn standard(theme: &ThemeChoice) -> Result<Self, SettingsError> {
        Ok(DashboardSettings {
            theme: theme.theme(None, &read_text)?,
            keys: KeyMap::default(),
        })
    }

    /// Reads the settings file at `path`, or returns the standard settings if it doesn't exist.
    /// Without color, the theme is monochrome, whatever the file says.
    pub fn read(path: &Path, theme: &ThemeChoice) -> Result<Self, SettingsError> {
        match std::fs::read_to_string(path) {
            Ok(text) => DashboardSettings::parse(&text, path, theme, &read_text),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                DashboardSettings::standard(theme)
            }
            Err(source) => Err(SettingsError::Read {
                path: path.to_owned(),
                source,
            }),
        }
    }

    fn parse(
        text: &str,
        path: &Path,
        theme: &ThemeChoice,
        read_theme: &dyn Fn(&Path) -> Result<String, SettingsError>,
    ) -> Result<Self, SettingsError> {
        let file: SettingsFile = toml::from_str(text).map_err(|source| SettingsError::Syntax {
            path: path.to_owned(),
            source,
        })?;
        if let Some(name) = file.unknown.keys().next() {
            return Err(SettingsError::UnknownSetting {
                path: path.to_owned(),
                name: name.clone(),
                nearest: nearest(name, ["theme", "keys"].into_iter()),
            });
        }
        let theme = theme.theme(file.theme.as_deref().map(|name| (path, name)), read_theme)?;
        let replaced = file
            .keys
            .iter()
            .map(|(n, keys)| (n.as_str(), keys.as_strs()));
        let keys = KeyMap::with(replaced).map_err(|source| SettingsError::Keys {
            path: path.to_owned(),
            source,
        })?;
        Ok(DashboardSettings { theme, keys })
    }
}

fn read_text(path: &Path) -> Result<String, SettingsError> {
    std::fs::read_to_string(path).map_err(|source| SettingsError::Read {
        path: path.to_owned(),
        source,
    })
}

#[cfg(test)]
mod tests {
    use super::super::keys::DashboardAction;
    use super::*;

    fn parse(text: &str) -> Result<DashboardSettings, SettingsError> {
        let theme = |path: &Path| {
            assert_eq!(path, Path::new("/home/u/mine.toml"));
            Ok("[styles]\nfailed = { fg = \"red\" }".to_owned())
        };
        DashboardSettings::parse(text, Path::new("/home/u/ui.toml"), &wish(None), &theme)
    }

    fn wish(named: Option<&str>) -> ThemeChoice {
        ThemeChoice {
            named: named.map(str::to_owned),
            color: ColorChoice::Color,
            fits: || "light",
        }
    }

    #[test]
    fn the_command_line_comes_before_the_file_and_the_terminal_last() {
        let role = super::super::theme::StyleRole::Selected;
        let style = |theme: &str| Theme::built_in(theme).unwrap().style(role);
        let chosen = |named, in_file: Option<&str>| {
            let in_file = in_file.map(|name| (Path::new("/home/u/ui.toml"), name));
            let theme = wish(named).theme(in_file, &read_text).unwrap();
            theme.style(role)
        };
        assert_eq!(chosen(None, None), style("light"));
        assert_eq!(chosen(None, Some("dark")), style("dark"));
        assert_eq!(chosen(Some("light"), Some("dark")), style("light"));
        let refused = wish(Some("drak")).theme(None, &read_text).unwrap_err();
        assert_eq!(
            refused.to_string(),
            "--theme: there is no theme \"drak\"; the nearest is \"dark\""
        );
    }

    #[test]
    fn theme_and_keys_are_taken_over() {
        let settings = parse("theme = \"./mine.toml\"\n[keys]\nrerun = \"f5\"").unwrap();
        assert_eq!(settings.keys.keys(DashboardAction::Rerun), "F5");
        assert_eq!(settings.theme.color, ColorChoice::Color);
        assert_eq!(parse("").unwrap().keys.keys(DashboardAction::Rerun), "r");
    }

    #[test]
    fn mistakes_name_the_file_and_the_nearest_right_word() {
        let message = |text| parse(text).unwrap_err().to_string();
        assert_eq!(
            message("thme = \"dark\""),
            "/home/u/ui.toml sets \"thme\", which does not exist; the nearest is \"theme\""
        );
        assert_eq!(
            message("[keys]\nrerunn = \"r\""),
            "in /home/u/ui.toml: there is no action \"rerunn\"; the nearest is \"rerun\""
        );
        assert_eq!(
            message("theme = \"lihgt\""),
            "in /home/u/ui.toml: there is no theme \"lihgt\"; the nearest is \"light\""
        );
    }
}
