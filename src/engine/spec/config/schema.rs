//! What a program declares: its configuration values, and the names of their variables.

use crate::snippet::nearest;

/// A program that has configuration values.
#[derive(Debug)]
pub struct ConfigSchema {
    /// Its name.
    pub name: &'static str,
    /// What its own variables begin with, such as `CARGO_MAELSTROM`.
    pub prefix: &'static str,
    /// Where its `config.toml` stands below each configuration directory, such as
    /// `maelstrom/run`; of several the first is the strongest.
    pub directories: &'static [&'static str],
    /// Its values, in groups: what several programs share stands in one place.
    pub values: &'static [&'static [ConfigOption]],
}

impl ConfigSchema {
    /// Its values, one by one.
    pub fn values(&self) -> impl Iterator<Item = &'static ConfigOption> + Clone {
        self.values.iter().copied().flatten()
    }
}

/// A configuration value.
#[derive(Debug, PartialEq, Eq)]
pub struct ConfigOption {
    /// Its name: the key in files, and the option's long name unless `positional` says otherwise.
    pub name: &'static str,
    /// What it is.
    pub kind: ConfigOptionKind,
    /// The id of the positional argument that it is on the command line, for a list that stands
    /// after `--`.
    pub positional: Option<&'static str>,
}

impl ConfigOption {
    /// A value that is an option.
    pub const fn new(name: &'static str, kind: ConfigOptionKind) -> ConfigOption {
        ConfigOption {
            name,
            kind,
            positional: None,
        }
    }

    /// A list that stands after `--` on the command line.
    pub const fn trailing(name: &'static str, id: &'static str) -> ConfigOption {
        ConfigOption {
            name,
            kind: ConfigOptionKind::List,
            positional: Some(id),
        }
    }
}

/// What a value is, for its form in files and variables. The command line's own parser checks what
/// may be in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConfigOptionKind {
    /// A string.
    Text,
    /// An integer.
    Number,
    /// A number that files may also have as a string.
    NumberOrText,
    /// A byte size: a string, or an integer.
    Size,
    /// A character: a string, or its code.
    Character,
    /// A boolean, false by default.
    Boolean,
    /// A list of strings.
    List,
    /// A list that may also be one string, in which the program itself finds the items.
    Words,
}

/// The least important messages that are logged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum LogLevel {
    /// What went wrong
    Error,
    /// What may go wrong, too
    Warning,
    /// What happens, too
    #[default]
    Info,
    /// How it happens, too
    Debug,
}

/// The value that every program has.
pub(super) static LOG_LEVEL: ConfigOption = ConfigOption::new("log-level", ConfigOptionKind::Text);

/// The name of a variable.
pub(super) fn variable(prefix: &str, name: &str) -> String {
    format!("{prefix}_{}", name.replace('-', "_").to_ascii_uppercase())
}

/// The names of all values that the program has.
pub(super) fn known_names(program: &ConfigSchema) -> Vec<&'static str> {
    let values = program.values().chain([&LOG_LEVEL]);
    values.map(|value| value.name).collect()
}

pub(super) fn did_you_mean(name: &str, program: &ConfigSchema) -> Option<String> {
    nearest(name, known_names(program)).map(|name| format!("did you mean `{name}`?"))
}
