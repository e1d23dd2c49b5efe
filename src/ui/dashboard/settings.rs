//! The user's wishes: theme and keys, from a TOML file.
//!
//! ```toml
//! theme = "light"            # dark, light, monochrome, or the path of a theme file
//!
//! [keys]
//! rerun = ["r", "f5"]        # the action's name, as the help shows it, and its keys
//! ```

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::keys::{KeyMap, KeysError};
use super::nearest::nearest;
use super::theme::{ColorChoice, Theme, ThemeError};

/// Why the user's wishes cannot be followed.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// The file, or a theme it names, cannot be read.
    #[error("cannot read {path}: {source}")]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file is not as it should be.
    #[error("{path} is not valid: {source}")]
    Syntax {
        /// The file.
        path: PathBuf,
        /// Why.
        source: toml::de::Error,
    },
    /// The file sets something that does not exist.
    #[error("{path} sets {name:?}, which does not exist; the nearest is {nearest:?}")]
    UnknownSetting {
        /// The file.
        path: PathBuf,
        /// What it sets.
        name: String,
        /// What may be meant.
        nearest: &'static str,
    },
    /// Its theme cannot be used.
    #[error("in {path}: {source}")]
    Theme {
        /// The file.
        path: PathBuf,
        /// Why.
        source: ThemeError,
    },
    /// Its keys cannot be used.
    #[error("in {path}: {source}")]
    Keys {
        /// The file.
        path: PathBuf,
        /// Why.
        source: KeysError,
    },
}

/// Theme and keys.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The theme.
    pub theme: Theme,
    /// The keys.
    pub keys: KeyMap,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct File {
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

impl Settings {
    /// What holds where the user wishes nothing.
    pub fn standard(color: ColorChoice) -> Result<Self, ThemeError> {
        Ok(Settings {
            theme: Theme::built_in(match color {
                ColorChoice::Color => "dark",
                ColorChoice::Monochrome => "monochrome",
            })?,
            keys: KeyMap::default(),
        })
    }

    /// Reads the user's file, which need not exist. Without colour the theme is monochrome,
    /// whatever the file says.
    pub fn read(path: &Path, color: ColorChoice) -> Result<Self, SettingsError> {
        let read_error = |path: &Path, source| SettingsError::Read {
            path: path.to_owned(),
            source,
        };
        match std::fs::read_to_string(path) {
            Ok(text) => Settings::parse(&text, path, color, &|theme| {
                std::fs::read_to_string(theme).map_err(|source| read_error(theme, source))
            }),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                Settings::parse("", path, color, &|_| Ok(String::new()))
            }
            Err(error) => Err(read_error(path, error)),
        }
    }

    fn parse(
        text: &str,
        path: &Path,
        color: ColorChoice,
        read_theme: &dyn Fn(&Path) -> Result<String, SettingsError>,
    ) -> Result<Self, SettingsError> {
        let file: File = toml::from_str(text).map_err(|source| SettingsError::Syntax {
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
        let theme_error = |source| SettingsError::Theme {
            path: path.to_owned(),
            source,
        };
        let theme = match &file.theme {
            Some(name) if name.contains(['/', '.']) => {
                let base = path.parent().unwrap_or(Path::new("."));
                Theme::parse(&read_theme(&base.join(name))?)
            }
            Some(name) => Theme::built_in(name),
            None => Theme::built_in("dark"),
        };
        let theme = match (theme.map_err(theme_error)?, color) {
            (theme, ColorChoice::Color) => theme,
            (_, ColorChoice::Monochrome) => Theme::built_in("monochrome").map_err(theme_error)?,
        };
        let replaced = file
            .keys
            .iter()
            .map(|(n, keys)| (n.as_str(), keys.as_strs()));
        let keys = KeyMap::with(replaced).map_err(|source| SettingsError::Keys {
            path: path.to_owned(),
            source,
        })?;
        Ok(Settings { theme, keys })
    }
}

#[cfg(test)]
mod tests {
    use super::super::keys::Action;
    use super::*;

    fn parse(text: &str) -> Result<Settings, SettingsError> {
        let theme = |path: &Path| {
            assert_eq!(path, Path::new("/home/u/mine.toml"));
            Ok("[styles]\nfailed = { fg = \"red\" }".to_owned())
        };
        Settings::parse(
            text,
            Path::new("/home/u/ui.toml"),
            ColorChoice::Color,
            &theme,
        )
    }

    #[test]
    fn theme_and_keys_are_taken_over() {
        let settings = parse("theme = \"./mine.toml\"\n[keys]\nrerun = \"f5\"").unwrap();
        assert_eq!(settings.keys.keys(Action::Rerun), "F5");
        assert_eq!(settings.theme.color, ColorChoice::Color);
        assert_eq!(parse("").unwrap().keys.keys(Action::Rerun), "r");
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
