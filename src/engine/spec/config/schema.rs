//! Describes the configuration values of a program and names their variables.

use super::help::ShortHelp;
use crate::snippet::nearest;

/// A program with configuration values.
#[derive(Debug)]
pub struct ConfigSchema {
    /// The name of the program.
    pub name: &'static str,
    /// The prefix of the program's own variables, such as `CARGO_MAELSTROM`.
    pub prefix: &'static str,
    /// The directories that may contain the program's `config.toml`, relative to each configuration
    /// directory, such as `maelstrom/run`. The first has the highest precedence.
    pub directories: &'static [&'static str],
    /// The short help, `-h`.
    pub help: &'static ShortHelp,
    /// The program's values, in groups, so that values shared by several programs are listed once.
    pub values: &'static [&'static [ConfigOption]],
}

impl ConfigSchema {
    /// Returns all values of the program.
    pub fn values(&self) -> impl Iterator<Item = &'static ConfigOption> + Clone {
        self.values.iter().copied().flatten()
    }
}

/// A configuration value.
#[derive(Debug, PartialEq, Eq)]
pub struct ConfigOption {
    /// The name of the value: the key in files, and the option's long name unless `positional` is
    /// set.
    pub name: &'static str,
    /// The type of the value.
    pub kind: ConfigOptionKind,
    /// The id of the positional argument that sets the value on the command line, for a list after
    /// `--`.
    pub positional: Option<&'static str>,
}

impl ConfigOption {
    /// Creates a value that is set by an option.
    pub const fn new(name: &'static str, kind: ConfigOptionKind) -> ConfigOption {
        ConfigOption {
            name,
            kind,
            positional: None,
        }
    }

    /// Creates a list that is set by the arguments after `--`.
    pub const fn trailing(name: &'static str, id: &'static str) -> ConfigOption {
        ConfigOption {
            name,
            kind: ConfigOptionKind::List,
            positional: Some(id),
        }
    }
}

/// A variable of a replaced tool that sets a value here.
#[derive(Debug)]
pub struct ReplacedVariable {
    pub name: &'static str,
    /// The value that it sets: one of the schema, or one that no other variable and no file sets.
    pub option: ConfigOption,
    /// Returns the text as a variable of this program has it; `None` if it means the default.
    pub read: fn(&str) -> Option<String>,
}

/// The type of a value in files and variables. The parser of the command line checks the contents.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConfigOptionKind {
    /// A string.
    Text,
    /// An integer.
    Number,
    /// A number that files may also contain as a string.
    NumberOrText,
    /// A byte size: a string, or an integer.
    Size,
    /// A character: a string, or its ASCII code as an integer.
    Character,
    /// A boolean, false by default.
    Boolean,
    /// A list of strings.
    List,
    /// A list that may also be a single string, which the program splits itself.
    Words,
}

/// The lowest severity that is logged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum LogLevel {
    /// Errors
    Error,
    /// Also warnings
    Warning,
    /// Also what happens
    #[default]
    Info,
    /// Also how it happens
    Debug,
}

/// The value that every program has.
pub(super) static LOG_LEVEL: ConfigOption = ConfigOption::new("log-level", ConfigOptionKind::Text);

/// Returns the name of the variable for a value.
pub(super) fn variable(prefix: &str, name: &str) -> String {
    format!("{prefix}_{}", name.replace('-', "_").to_ascii_uppercase())
}

/// Returns the names of all values of a program.
pub(super) fn known_names(program: &ConfigSchema) -> Vec<&'static str> {
    let values = program.values().chain([&LOG_LEVEL]);
    values.map(|value| value.name).collect()
}

pub(super) fn did_you_mean(name: &str, program: &ConfigSchema) -> Option<String> {
    nearest(name, known_names(program)).map(|name| format!("did you mean `{name}`?"))
}
