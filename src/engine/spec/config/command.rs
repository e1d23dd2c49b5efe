//! The command line: adds the options that all programs have, parses it, and merges in values from
//! other sources.

use std::error::Error;
use std::ffi::OsString;
use std::num::ParseIntError;
use std::path::PathBuf;

use clap::builder::EnumValueParser;
use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::parser::ValueSource;
use clap::{Arg, ArgAction, ArgMatches, Command};

use super::environment::ConfigEnvironment;
use super::error::ConfigError;
use super::found::{FoundOption, lossy};
use super::schema::{ConfigOption, ConfigOptionKind, ConfigSchema, LogLevel, variable};
use super::sources::{ConfigFileChoice, search_list};

const CONFIG_FILE: &str = "config-file";
const PRINT_CONFIG: &str = "print-config";
const LOG_LEVEL: &str = "log-level";
/// The option that prints a completion script, handled before the command line is parsed.
pub const COMPLETIONS: &str = "completions";

/// Returns the program's command line with the options that all programs have, and with the
/// negating option for every boolean and list.
pub(super) fn extended(
    program: &ConfigSchema,
    command: Command,
    system: &impl ConfigEnvironment,
) -> Command {
    let heading = "Configuration";
    let negations: Vec<Arg> = program
        .values()
        .filter(|value| {
            matches!(
                value.kind,
                ConfigOptionKind::Boolean | ConfigOptionKind::List | ConfigOptionKind::Words
            )
        })
        .filter_map(|value| Some(negation(value, argument(&command, value)?)))
        .collect();
    let shared = [
        Arg::new(CONFIG_FILE)
            .short('c')
            .long(CONFIG_FILE)
            .value_name("FILE")
            .value_parser(clap::value_parser!(PathBuf))
            .help("Read only this configuration file; `-` reads none")
            .help_heading(heading),
        Arg::new(PRINT_CONFIG)
            .short('P')
            .long(PRINT_CONFIG)
            .action(ArgAction::SetTrue)
            .help("Print all configuration values and the source of each, and exit")
            .help_heading(heading),
        Arg::new(LOG_LEVEL)
            .short('L')
            .long(LOG_LEVEL)
            .value_name("LEVEL")
            .value_parser(EnumValueParser::<LogLevel>::new())
            .default_value("info")
            .help(
                "What to log: to standard error, or to log.txt beside the run's history while the \
                 dashboard is open",
            )
            .help_heading(heading),
        // The program handles it before it parses its command line, so that it needs no other
        // argument.
        Arg::new(COMPLETIONS)
            .long(COMPLETIONS)
            .value_name("SHELL")
            .value_parser(["bash", "zsh", "fish"])
            .exclusive(true)
            .help("Print the script with which a shell completes this command line, and exit")
            .help_heading(heading),
    ];
    // A program that replaces a tool may give these options names that the tool does not use.
    let is_new = |arg: &Arg| {
        let mut own = command.get_arguments();
        own.all(|own| own.get_id() != arg.get_id())
    };
    let shared: Vec<Arg> = shared
        .into_iter()
        .filter(is_new)
        .map(|arg| without_spellings_of(&command, arg))
        .collect();
    let command = command.args(shared).args(negations);
    let own_help = command.get_after_help().map(ToString::to_string);
    let paragraphs = [own_help, Some(help(program, system))];
    let after_help: Vec<String> = paragraphs.into_iter().flatten().collect();
    let mut command = program.help.apply(command, after_help.join("\n\n"));
    command.build();
    command
}

/// Returns an argument of all programs without the spellings that the program itself uses: it may
/// replace a tool that gives them another meaning.
fn without_spellings_of(command: &Command, arg: Arg) -> Arg {
    let uses_short = |other: &Arg| {
        let aliases = other.get_all_short_aliases().unwrap_or_default();
        other.get_short() == arg.get_short()
            || arg
                .get_short()
                .is_some_and(|short| aliases.contains(&short))
    };
    let uses_long = |other: &Arg| {
        let aliases = other.get_all_aliases().unwrap_or_default();
        other.get_long() == arg.get_long()
            || arg.get_long().is_some_and(|long| aliases.contains(&long))
    };
    let uses_short = command.get_arguments().any(uses_short);
    let uses_long = command.get_arguments().any(uses_long);
    let arg = match uses_short {
        true => arg.short(None),
        false => arg,
    };
    match uses_long {
        // One spelling must be left.
        true if !uses_short => arg.long(None),
        true | false => arg,
    }
}

fn help(program: &ConfigSchema, system: &impl ConfigEnvironment) -> String {
    let names: Vec<&str> = program.values().map(|value| value.name).collect();
    let files: Vec<String> = search_list(program, system)
        .iter()
        .map(|path| format!("  {}", path.display()))
        .collect();
    let example = program
        .values()
        .next()
        .map_or(LOG_LEVEL, |value| value.name);
    format!(
        "You can also set configuration values by environment variables ({own}, or {generic} for all \
         programs) and as keys of TOML files (`{example} = …`). The command line takes precedence \
         over variables, and variables over files. `--no-NAME` sets a boolean to false and empties a \
         list. The values are: {names}.\n\nConfiguration files, highest precedence first:\n{files}",
        own = variable(program.prefix, example),
        generic = variable("MAELSTROM", example),
        names = names.join(", "),
        files = files.join("\n"),
    )
}

/// Returns the command-line argument of a configuration value: that with its id, because a dialect
/// may give its name to another one.
pub(super) fn argument<'a>(command: &'a Command, value: &ConfigOption) -> Option<&'a Arg> {
    let with_id = |id: &str| command.get_arguments().find(|arg| arg.get_id() == id);
    match value.positional {
        Some(id) => with_id(id),
        None => with_id(&value.name.replace('-', "_"))
            .or_else(|| with_id(value.name))
            .or_else(|| {
                let mut arguments = command.get_arguments();
                arguments.find(|arg| arg.get_long() == Some(value.name))
            }),
    }
}

fn negation_id(value: &ConfigOption) -> String {
    format!("no {}", value.name)
}

fn negation(value: &ConfigOption, argument: &Arg) -> Arg {
    let long = match value.name.strip_prefix("no-") {
        Some(positive) => positive.to_owned(),
        None => format!("no-{}", value.name),
    };
    Arg::new(negation_id(value))
        .long(long)
        .action(ArgAction::SetTrue)
        .conflicts_with(argument.get_id())
        .hide(true)
}

/// A parsed command line.
pub(super) struct CommandLineMatches {
    matches: ArgMatches,
    ids: Vec<String>,
}

/// Parses the arguments before values from other sources are known. Required arguments may still be
/// missing.
pub(super) fn typed(
    command: &Command,
    arguments: &[OsString],
) -> Result<CommandLineMatches, ConfigError> {
    let lenient = || {
        let command = command.clone().ignore_errors(true);
        command.try_get_matches_from(arguments)
    };
    let matches = match command.clone().try_get_matches_from(arguments) {
        // A variable or a file may still provide a missing argument.
        Err(error) if error.kind() == ErrorKind::MissingRequiredArgument => lenient(),
        other => other,
    };
    let matches = matches.map_err(|error| ConfigError::CommandLine(Box::new(error)))?;
    let ids = command
        .get_arguments()
        .map(|arg| arg.get_id().to_string())
        .filter(|id| {
            let known = matches.try_contains_id(id).is_ok();
            known && matches.value_source(id) == Some(ValueSource::CommandLine)
        })
        .collect();
    Ok(CommandLineMatches { matches, ids })
}

impl CommandLineMatches {
    /// Returns all typed texts of an option, by its id.
    pub(super) fn texts(&self, id: &str) -> Vec<String> {
        if !self.ids.iter().any(|typed| typed == id) {
            return Vec::new();
        }
        let values = self.matches.get_raw(id).into_iter().flatten();
        values.map(lossy).collect()
    }

    pub(super) fn config_file(&self) -> ConfigFileChoice {
        match self.matches.get_one::<PathBuf>(CONFIG_FILE) {
            None => ConfigFileChoice::Search,
            Some(path) if path.as_os_str() == "-" => ConfigFileChoice::None,
            Some(path) => ConfigFileChoice::Only(path.clone()),
        }
    }

    /// Returns whether the command line sets or negates a value.
    pub(super) fn decides(&self, command: &Command, value: &ConfigOption) -> bool {
        let own = argument(command, value).map(|arg| arg.get_id().as_str());
        let negation = negation_id(value);
        self.ids
            .iter()
            .any(|id| Some(id.as_str()) == own || *id == negation)
    }

    /// Removes values that conflict with a value of higher precedence.
    pub(super) fn without_contradictions(
        &self,
        command: &Command,
        mut found: Vec<FoundOption>,
    ) -> Vec<FoundOption> {
        found.sort_by_key(|found| found.origin.strength);
        let mut said: Vec<(usize, &Arg)> = command
            .get_arguments()
            .filter(|arg| self.ids.iter().any(|id| arg.get_id() == id.as_str()))
            .map(|arg| (1, arg))
            .collect();
        found.retain(|found| {
            let Some(arg) = argument(command, found.value) else {
                return false;
            };
            let strength = found.origin.strength;
            let contradicts = |(other_strength, other): &(usize, &Arg)| {
                // Conflicting values of equal precedence come from the same source, which is a
                // mistake there. The final parse reports it.
                *other_strength < strength && contradict(command, arg, other)
            };
            // A boolean that is false, or an empty list, conflicts with nothing.
            let kept = found.items.is_empty() || !said.iter().any(contradicts);
            if kept && !found.items.is_empty() {
                said.push((strength, arg));
            }
            kept
        });
        found
    }
}

fn contradict(command: &Command, a: &Arg, b: &Arg) -> bool {
    let lists = |one: &Arg, other: &Arg| {
        let conflicts = command.get_arg_conflicts_with(one);
        conflicts.iter().any(|arg| arg.get_id() == other.get_id())
    };
    lists(a, b) || lists(b, a)
}

/// Checks whether the command line accepts a value. Returns the error message if not.
pub(super) fn check(command: &Command, found: &FoundOption) -> Result<(), String> {
    let words = [OsString::from("check")]
        .into_iter()
        .chain(as_typed(command, found));
    match command.clone().try_get_matches_from(words) {
        Ok(_) => Ok(()),
        Err(error) => match error.kind() {
            // Other errors are not about the value: required arguments are missing in this test.
            ErrorKind::InvalidValue | ErrorKind::ValueValidation | ErrorKind::InvalidUtf8 => {
                Err(refusal(&error, found))
            }
            _ => Ok(()),
        },
    }
}

fn refusal(error: &clap::Error, found: &FoundOption) -> String {
    let value = match error.get(ContextKind::InvalidValue) {
        Some(ContextValue::String(value)) => value.clone(),
        _ => found
            .items
            .first()
            .map_or(String::new(), |item| lossy(item)),
    };
    let reason = match (error.get(ContextKind::ValidValue), error.source()) {
        (Some(ContextValue::Strings(valid)), _) => {
            let valid = crate::snippet::alternatives(valid);
            format!("expected {valid}")
        }
        (_, Some(source)) if source.is::<ParseIntError>() => "expected a whole number".to_owned(),
        (_, Some(source)) => source.to_string(),
        (_, None) => "it is not UTF-8".to_owned(),
    };
    format!("invalid value `{value}`: {reason}")
}

/// Returns a value as command-line arguments.
fn as_typed(command: &Command, found: &FoundOption) -> Vec<OsString> {
    let ConfigOption {
        name,
        kind,
        positional,
    } = found.value;
    if positional.is_some() {
        if found.items.is_empty() {
            return Vec::new();
        }
        let items = found.items.iter().cloned();
        return [OsString::from("--")].into_iter().chain(items).collect();
    }
    let long = argument(command, found.value).and_then(Arg::get_long);
    let long = long.unwrap_or(name);
    let typed = |item: &OsString| {
        let mut word = OsString::from(format!("--{long}"));
        // Name and value are one argument, so that a value that begins with `-` is not taken for an
        // option.
        if *kind != ConfigOptionKind::Boolean {
            word.push("=");
            word.push(item);
        }
        word
    };
    found.items.iter().map(typed).collect()
}

/// Parses the command line together with the values from other sources.
pub(super) fn parse(
    command: &Command,
    arguments: &[OsString],
    found: &[FoundOption],
) -> Result<ArgMatches, ConfigError> {
    let (first, rest) = arguments.split_at(arguments.len().min(1));
    let (trailing, options): (Vec<&FoundOption>, Vec<&FoundOption>) = found
        .iter()
        .partition(|found| found.value.positional.is_some());
    let ends_options = rest.iter().any(|word| word == "--");
    let words = first
        .iter()
        .cloned()
        .chain(
            options
                .into_iter()
                .flat_map(|found| as_typed(command, found)),
        )
        .chain(rest.iter().cloned())
        .chain(
            trailing
                .into_iter()
                .flat_map(|found| as_typed(command, found))
                // The first argument is `--`, and a second one would be an item of the list.
                .skip(usize::from(ends_options)),
        );
    command
        .clone()
        .try_get_matches_from(words)
        .map_err(|error| ConfigError::CommandLine(Box::new(error)))
}

pub(super) fn wants_print(matches: &ArgMatches) -> bool {
    matches.get_flag(PRINT_CONFIG)
}

pub(super) fn log_level(matches: &ArgMatches) -> LogLevel {
    let level = matches.get_one::<LogLevel>(LOG_LEVEL);
    level.copied().unwrap_or_default()
}

impl ConfigSchema {
    /// Returns the differences between the schema and the command line. For a test that expects
    /// none.
    pub fn disagreements(&self, command: &Command) -> Vec<String> {
        let of = |value: &ConfigOption| {
            let Some(arg) = argument(command, value) else {
                return Some(format!("there is no option --{}", value.name));
            };
            let fits = match value.kind {
                ConfigOptionKind::Boolean => matches!(arg.get_action(), ArgAction::SetTrue),
                ConfigOptionKind::List | ConfigOptionKind::Words => {
                    matches!(arg.get_action(), ArgAction::Append)
                }
                ConfigOptionKind::Text
                | ConfigOptionKind::Number
                | ConfigOptionKind::NumberOrText
                | ConfigOptionKind::Size
                | ConfigOptionKind::Character => {
                    matches!(arg.get_action(), ArgAction::Set)
                }
            };
            let disagreement = format!(
                "--{} is no {:?} on the command line",
                value.name, value.kind
            );
            (!fits).then_some(disagreement)
        };
        self.values().filter_map(of).collect()
    }
}
