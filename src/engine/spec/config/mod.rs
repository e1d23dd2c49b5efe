//! Configuration values: one program's options, from wherever they are said.
//!
//! A program declares its options once, as a `clap` command line, and lists in a [`ConfigSchema`] which
//! of them are configuration values. [`settle`] then looks for each value
//!
//! 1. on the command line,
//! 2. in the program's own variable, such as `CARGO_MAELSTROM_SLOTS`,
//! 3. in the variable of all programs, such as `MAELSTROM_SLOTS`,
//! 4. in the configuration files, key `slots`, the first file that has it,
//! 5. in the option's default,
//!
//! and the first that has it decides alone. What was found elsewhere than on the command line is
//! put there as if it had been typed, so that there is one parser, one set of checks and one result
//! type. A found value that contradicts a stronger one is left out, as if it had not been said.
//!
//! On the command line `--no-NAME` sets a boolean to false and empties a list.
//!
//! - [`sources`]: variables and files. - [`command`]: the command line. - [`print`]: the settled
//!   values as TOML.
//!
//! Deliberately absent: what any value means, and the environment of this process, which comes in
//! as a [`ConfigEnvironment`].

mod command;
mod print;
mod sources;

#[cfg(test)]
mod tests;

use std::ffi::{OsStr, OsString};
use std::io;
use std::path::{Path, PathBuf};

use clap::Parser;

use super::document::DocumentError;
use crate::snippet::nearest;

pub use maelstrom_model::address::{Address, AddressError};
pub use maelstrom_model::byte_size::{ByteSize, ByteSizeError};

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

/// What a program is told besides its own options.
#[derive(Debug)]
pub struct ResolvedConfig<P> {
    /// The program's options.
    pub options: P,
    /// What it logs.
    pub log_level: LogLevel,
    /// What deserves attention and is no error.
    pub warnings: Vec<ConfigWarning>,
    /// With `--print-config`: what to print, once the options have proved to make sense, instead
    /// of running.
    pub print: Option<String>,
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

/// Something in a configuration file or a variable that has no effect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigWarning {
    /// What.
    pub text: String,
    /// What to do about it.
    pub help: Option<String>,
}

/// Why there are no settled values.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The command line: a mistake, or a wish for help. `clap` prints both, to where each belongs.
    #[error(transparent)]
    CommandLine(Box<clap::Error>),
    /// A configuration file cannot be read.
    #[error("cannot read the configuration file `{}`", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Something in a configuration file is wrong.
    #[error(transparent)]
    File(DocumentError),
    /// Something in a variable is wrong.
    #[error("the variable {name}: {reason}")]
    Variable {
        /// The variable.
        name: String,
        /// What is wrong.
        reason: String,
    },
}

impl ConfigError {
    /// What to do about it.
    pub fn help(&self) -> Option<String> {
        match self {
            ConfigError::CommandLine(_) | ConfigError::Variable { .. } => None,
            ConfigError::Read { .. } => {
                Some("name another one by --config-file, or `-` for none".to_owned())
            }
            ConfigError::File(error) => error.help.clone(),
        }
    }
}

/// The environment and the files that values come from.
pub trait ConfigEnvironment {
    /// A variable.
    fn variable(&self, name: &str) -> Option<OsString>;

    /// The names of all variables.
    fn variable_names(&self) -> Vec<OsString>;

    /// A file's text.
    fn read(&self, path: &Path) -> io::Result<String>;
}

/// This process's environment and files.
#[derive(Clone, Copy, Debug)]
pub struct ThisProcess;

impl ConfigEnvironment for ThisProcess {
    fn variable(&self, name: &str) -> Option<OsString> {
        std::env::var_os(name)
    }

    fn variable_names(&self) -> Vec<OsString> {
        std::env::vars_os().map(|(name, _)| name).collect()
    }

    fn read(&self, path: &Path) -> io::Result<String> {
        std::fs::read_to_string(path)
    }
}

/// Settles all values of a program. `arguments` begin with the program's name.
pub fn resolve<P: Parser>(
    program: &ConfigSchema,
    arguments: &[OsString],
    system: &impl ConfigEnvironment,
) -> Result<ResolvedConfig<P>, ConfigError> {
    let command = command::extended(program, P::command(), system);
    let typed = command::typed(&command, arguments)?;
    let files = sources::files(program, typed.config_file(), system)?;
    let mut warnings = sources::unknown_variables(program, system);
    warnings.extend(files.unknown_keys(program));
    let mut found = Vec::new();
    for value in program.values().chain([&LOG_LEVEL]) {
        if typed.decides(&command, value) {
            continue;
        }
        let here = match sources::from_variables(program, value, system)? {
            Some(here) => Some(here),
            None => files.find(value)?,
        };
        if let Some(here) = here {
            command::check(&command, &here).map_err(|reason| here.refused(reason))?;
            found.push(here);
        }
    }
    let found = typed.without_contradictions(&command, found);
    let matches = command::parse(&command, arguments, &found)?;
    let print = command::wants_print(&matches).then(|| print::print(program, &matches, &found));
    let options = P::from_arg_matches(&matches)
        .map_err(|error| ConfigError::CommandLine(Box::new(error.with_cmd(&command))))?;
    Ok(ResolvedConfig {
        options,
        log_level: command::log_level(&matches),
        warnings,
        print,
    })
}

/// The value that every program has.
static LOG_LEVEL: ConfigOption = ConfigOption::new("log-level", ConfigOptionKind::Text);

/// A value found elsewhere than on the command line.
#[derive(Clone, Debug)]
struct FoundOption {
    value: &'static ConfigOption,
    /// What it would be on the command line: the items of a list, one item otherwise. A boolean
    /// has one empty item when it is true, and none when it is false.
    items: Vec<OsString>,
    origin: OptionOrigin,
}

/// Where a value was found.
#[derive(Clone, Debug)]
struct OptionOrigin {
    /// 2 for the program's variable, 3 for the variable of all programs, from 4 on for files.
    strength: usize,
    /// For a person: a variable's name, or the place in a file.
    name: String,
    /// How to complain about it.
    complaint: OptionOriginKind,
}

#[derive(Clone, Debug)]
enum OptionOriginKind {
    Variable,
    File(Box<DocumentError>),
}

impl FoundOption {
    fn refused(&self, reason: String) -> ConfigError {
        match &self.origin.complaint {
            OptionOriginKind::Variable => ConfigError::Variable {
                name: self.origin.name.clone(),
                reason,
            },
            OptionOriginKind::File(at) => {
                let mut error = at.as_ref().clone();
                error.message = format!("`{}`: {reason}", self.value.name);
                ConfigError::File(error)
            }
        }
    }
}

/// The name of a variable.
fn variable(prefix: &str, name: &str) -> String {
    format!("{prefix}_{}", name.replace('-', "_").to_ascii_uppercase())
}

fn known_names(program: &ConfigSchema) -> Vec<&'static str> {
    let values = program.values().chain([&LOG_LEVEL]);
    values.map(|value| value.name).collect()
}

fn did_you_mean(name: &str, program: &ConfigSchema) -> Option<String> {
    nearest(name, known_names(program)).map(|name| format!("did you mean `{name}`?"))
}

fn lossy(text: &OsStr) -> String {
    text.to_string_lossy().into_owned()
}
