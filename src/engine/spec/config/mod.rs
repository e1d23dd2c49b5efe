//! Configuration values: resolves a program's options from all sources.
//!
//! A program declares its options once, as a `clap` command line, and lists in a [`ConfigSchema`]
//! which of them are configuration values. [`resolve`] then looks for each value
//!
//! 1. on the command line,
//! 2. in the program's own variable, such as `CARGO_MAELSTROM_SLOTS`,
//! 3. in the variable of all programs, such as `MAELSTROM_SLOTS`,
//! 4. in the variable of a tool that the program replaces, such as `RUST_TEST_THREADS`,
//! 5. in the project's own files, such as in a profile,
//! 6. in the configuration files under the key `slots`, in the first file that has it,
//! 7. in the option's default.
//!
//! The first source that has the value determines it; values from several sources are never merged.
//! Values from variables and files are added to the command line as if they had been typed, so that
//! there is one parser, one set of checks and one result type. A value that conflicts with one of
//! higher precedence is dropped.
//!
//! On the command line, `--no-NAME` sets a boolean to false and empties a list.
//!
//! - [`schema`]: what a program declares.
//! - [`command`]: the command line. [`help`]: its short help.
//! - [`project`]: values in the project's own files.
//! - [`sources`]: reads variables and files; [`found`]: a value from one of them.
//! - [`print`]: prints the resolved values as TOML.
//!
//! This module does not interpret the values, and accesses variables and files only through a
//! [`ConfigEnvironment`].

mod command;
mod environment;
mod error;
mod found;
mod help;
mod print;
pub mod project;
mod schema;
mod sources;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::ffi::OsString;

use clap::{Command, FromArgMatches, Parser};

pub use maelstrom_model::address::{Address, AddressError};
pub use maelstrom_model::byte_size::{ByteSize, ByteSizeError};

pub use self::command::COMPLETIONS;
pub use self::environment::{ConfigEnvironment, ThisProcess};
pub use self::error::{ConfigError, ConfigWarning};
pub use self::help::{SHORT_HELP_COLUMNS_MAX, SHORT_HELP_LINES_MAX, ShortHelp, ShortHelpRow};
pub use self::project::{ConfigDialect, KnownValues, ProjectValue, ProjectValues, ReadProject};
pub use self::schema::{ConfigOption, ConfigOptionKind, ConfigSchema, LogLevel, ReplacedVariable};

use self::found::FoundOption;
use self::schema::LOG_LEVEL;

/// The resolved configuration of a program.
#[derive(Debug)]
pub struct ResolvedConfig<P> {
    /// The program's options.
    pub options: P,
    /// The least severe level that is logged.
    pub log_level: LogLevel,
    /// Warnings to show to the user.
    pub warnings: Vec<ConfigWarning>,
    /// Where each value comes from that is not typed, as shown to users.
    pub origins: OptionOrigins,
    /// With `--print-config`: the text to print instead of running, once the options have been
    /// validated.
    pub print: Option<String>,
}

/// The variable, or the position in a file, of each value that has one, by the value's name.
pub type OptionOrigins = BTreeMap<&'static str, String>;

/// Returns the whole command line of a program, with the options that all programs have.
pub fn command_line<P: Parser>(program: &ConfigSchema, system: &impl ConfigEnvironment) -> Command {
    command::extended(program, P::command(), system)
}

/// Resolves all values of a program. The first of `arguments` is the program's name.
pub fn resolve<P: Parser>(
    program: &ConfigSchema,
    arguments: &[OsString],
    system: &impl ConfigEnvironment,
) -> Result<ResolvedConfig<P>, ConfigError> {
    let dialect = ConfigDialect {
        command: P::command(),
        variables: &[],
        project: None,
    };
    resolve_dialect(program, dialect, arguments, system)
}

/// Resolves all values of a program whose command line is in the words of another tool.
pub fn resolve_dialect<P: FromArgMatches>(
    program: &ConfigSchema,
    dialect: ConfigDialect<'_>,
    arguments: &[OsString],
    system: &impl ConfigEnvironment,
) -> Result<ResolvedConfig<P>, ConfigError> {
    let ConfigDialect {
        command,
        variables,
        project,
    } = dialect;
    let command = command::extended(program, command, system);
    let typed = command::typed(&command, arguments)?;
    let files = sources::files(program, typed.config_file(), system)?;
    let mut warnings = sources::unknown_variables(program, system);
    warnings.extend(files.unknown_keys(program));
    let before = ValuesBefore {
        program,
        variables,
        system,
        typed: &typed,
        files: &files,
    };
    let project = project.map(|read| read(&before)).transpose()?;
    let project = project.unwrap_or_default();
    warnings.extend(project.warnings);
    let own = || program.values().chain([&LOG_LEVEL]);
    let other = variables.iter().map(|variable| &variable.option);
    let other = other.chain(project.values.iter().map(|value| value.option));
    let other = other.filter(|option| own().all(|own| own.name != option.name));
    let mut found: Vec<FoundOption> = Vec::new();
    for value in own().chain(other) {
        let again = found.iter().any(|found| found.value.name == value.name);
        if again || typed.decides(&command, value) {
            continue;
        }
        let is_own = own().any(|own| own.name == value.name);
        let mut here = None;
        if is_own {
            here = sources::from_variables(program, value, system)?;
        }
        if here.is_none() {
            here = sources::from_replaced_tool(variables, value, system)?;
        }
        if here.is_none() {
            let mut values = project.values.iter();
            let of_project = values.find(|of_project| of_project.option.name == value.name);
            here = of_project.map(ProjectValue::found).transpose()?;
        }
        if here.is_none() && is_own {
            here = files.find(value)?;
        }
        if let Some(here) = here {
            // Each value is checked by itself while its source is known. An error of the whole
            // command line would name an option that nobody typed.
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
        origins: found
            .iter()
            .map(|found| (found.value.name, found.origin.name.clone()))
            .collect(),
        print,
    })
}

/// What is known before the project's files are read.
struct ValuesBefore<'a, S> {
    program: &'a ConfigSchema,
    variables: &'static [ReplacedVariable],
    system: &'a S,
    typed: &'a command::CommandLineMatches,
    files: &'a sources::ConfigFiles,
}

impl<S: ConfigEnvironment> KnownValues for ValuesBefore<'_, S> {
    fn text(&self, name: &str) -> Option<String> {
        if let Some(text) = self.typed(&name.replace('-', "_")).pop() {
            return Some(text);
        }
        let value = self.program.values().find(|value| value.name == name)?;
        // Mistakes are reported when all values are resolved.
        let own = || sources::from_variables(self.program, value, self.system).ok();
        let tool = || sources::from_replaced_tool(self.variables, value, self.system).ok();
        let found = own().flatten().or_else(|| tool().flatten());
        let found = found.or_else(|| self.files.find(value).ok().flatten());
        found?.items.pop()?.into_string().ok()
    }

    fn typed(&self, id: &str) -> Vec<String> {
        self.typed.texts(id)
    }
}
