//! What a word of a command line can be completed to. Pure: names of the project come from a
//! [`CompletionNames`].

use clap::{Arg, ArgAction, Command};

use maelstrom_model::event::untrusted_text::clean;

/// The exit code that asks the shell to complete file names.
pub const FILES: u8 = 3;

/// The maximum number of candidates: no shell can show more.
const CANDIDATES_MAX: usize = 1000;

/// The number of names from which on only their next part is offered: `module::` in place of all
/// tests of the module.
const WHOLE_NAMES_MAX: usize = 100;

/// Names that a project has.
pub trait CompletionNames {
    /// Returns names for the value of an argument, or `None` if it has no names in the project.
    fn names(&self, argument: &str) -> Option<Vec<String>>;
}

/// What a word can be completed to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WordCompletion {
    /// These words, each with a description, which may be empty.
    Words(Vec<(String, String)>),
    /// Names of files.
    Files,
}

/// Returns the lines that a completion script reads: word, tab, description.
pub fn lines(words: &[(String, String)]) -> String {
    let lines = words
        .iter()
        .map(|(word, description)| format!("{}\t{}\n", clean(word), clean(description)));
    lines.collect()
}

/// Returns what the word at `index` can be completed to. The words don't include the program's name.
pub fn complete(
    command: &Command,
    words: &[String],
    index: usize,
    names: &impl CompletionNames,
) -> WordCompletion {
    let index = index.min(words.len());
    let current = words.get(index).map_or("", String::as_str);
    let mut command = command;
    let mut pending: Option<&Arg> = None;
    let mut is_literal = false;
    for word in words.iter().take(index) {
        if pending.take().is_some() || is_literal {
            continue;
        }
        if word == "--" {
            is_literal = true;
        } else if let Some(inner) = command.find_subcommand(word) {
            command = inner;
        } else if !word.contains('=') {
            pending = option(command, word).filter(|arg| takes_value(arg));
        }
    }
    if let Some(arg) = pending {
        return values(arg, "", current, names);
    }
    if is_literal {
        return positional(command, current, names);
    }
    if let Some((name, value)) = current.split_once('=')
        && let Some(arg) = option(command, name)
    {
        return values(arg, &format!("{name}="), value, names);
    }
    if current.starts_with('-') {
        return options(command, current);
    }
    let subcommands: Vec<(String, String)> = command
        .get_subcommands()
        .filter(|inner| inner.get_name().starts_with(current) && !inner.is_hide_set())
        .map(|inner| (inner.get_name().to_owned(), about(inner.get_about())))
        .collect();
    match subcommands.is_empty() {
        true => positional(command, current, names),
        false => WordCompletion::Words(subcommands),
    }
}

fn about(text: Option<&clap::builder::StyledStr>) -> String {
    let text = text.map(ToString::to_string).unwrap_or_default();
    text.lines().next().unwrap_or_default().to_owned()
}

fn takes_value(arg: &Arg) -> bool {
    arg.get_action().takes_values()
}

/// Returns the option that a word is: `--package`, `-p`, or the last letter of `-vp`.
fn option<'a>(command: &'a Command, word: &str) -> Option<&'a Arg> {
    let mut arguments = command.get_arguments();
    if let Some(long) = word.strip_prefix("--") {
        return arguments.find(|arg| {
            let names = arg.get_long_and_visible_aliases().unwrap_or_default();
            names.contains(&long)
        });
    }
    let last = word.strip_prefix('-')?.chars().next_back()?;
    arguments.find(|arg| arg.get_short() == Some(last))
}

fn options(command: &Command, current: &str) -> WordCompletion {
    let mut words: Vec<(String, String)> = command
        .get_arguments()
        .filter(|arg| !arg.is_hide_set())
        .filter_map(|arg| Some((format!("--{}", arg.get_long()?), about(arg.get_help()))))
        .filter(|(name, _)| name.starts_with(current))
        .collect();
    words.sort();
    WordCompletion::Words(words)
}

fn positional(command: &Command, current: &str, names: &impl CompletionNames) -> WordCompletion {
    let first = command.get_positionals().find(|arg| !arg.is_last_set());
    match first {
        Some(arg) => values(arg, "", current, names),
        None => WordCompletion::Files,
    }
}

/// Returns the values of an argument that begin with `current`, each after `before`.
fn values(arg: &Arg, before: &str, current: &str, names: &impl CompletionNames) -> WordCompletion {
    let complete = |word: &str| format!("{before}{word}");
    let possible = arg.get_possible_values();
    if !possible.is_empty() {
        let fitting = possible.iter().filter(|value| !value.is_hide_set());
        let fitting = fitting.filter(|value| value.get_name().starts_with(current));
        let words = fitting.map(|value| (complete(value.get_name()), about(value.get_help())));
        return WordCompletion::Words(words.collect());
    }
    match names.names(arg.get_id().as_str()) {
        Some(names) => {
            let words = fitting(names, current).into_iter();
            WordCompletion::Words(words.map(|word| (complete(&word), String::new())).collect())
        }
        None if is_number(arg) => WordCompletion::Words(Vec::new()),
        None => WordCompletion::Files,
    }
}

/// Returns whether no file name can be a value of the argument.
fn is_number(arg: &Arg) -> bool {
    let value = arg.get_value_names().and_then(|names| names.first());
    let is_flag = matches!(arg.get_action(), ArgAction::SetTrue | ArgAction::Count);
    is_flag
        || value.is_some_and(|name| {
            matches!(
                name.as_str(),
                "N" | "SECONDS" | "SIZE" | "PORT" | "ID" | "TIMES"
            )
        })
}

/// Returns the names that begin with `current`, cut after the next separator if there are many.
fn fitting(mut names: Vec<String>, current: &str) -> Vec<String> {
    names.retain(|name| name.starts_with(current));
    names.sort();
    names.dedup();
    if names.len() > WHOLE_NAMES_MAX {
        for name in &mut names {
            let rest = name.get(current.len()..).unwrap_or_default();
            let end = rest.find("::").map(|at| at + "::".len());
            let end = end.or_else(|| rest.find('/').map(|at| at + 1));
            if let Some(end) = end {
                name.truncate(current.len() + end);
            }
        }
        names.dedup();
    }
    names.truncate(CANDIDATES_MAX);
    names
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::program::help::manual;

    struct FixedNames;

    impl CompletionNames for FixedNames {
        fn names(&self, argument: &str) -> Option<Vec<String>> {
            let names: &[&str] = match argument {
                "package" => &["core", "courier", "cli"],
                "names" => &["parse::empty", "parse::nested", "print::long"],
                _ => return None,
            };
            Some(names.iter().map(|name| (*name).to_owned()).collect())
        }
    }

    fn completed(manual: &manual::ProgramManual, line: &str) -> WordCompletion {
        let words: Vec<String> = line.split(' ').map(str::to_owned).collect();
        complete(&manual.command(), &words, words.len() - 1, &FixedNames)
    }

    fn words(manual: &manual::ProgramManual, line: &str) -> Vec<String> {
        match completed(manual, line) {
            WordCompletion::Words(words) => words.into_iter().map(|(word, _)| word).collect(),
            WordCompletion::Files => vec!["FILES".to_owned()],
        }
    }

    #[test]
    fn options_values_and_names_are_completed() {
        let cargo = &manual::CARGO;
        assert_eq!(words(cargo, "--worksp"), ["--workspace"]);
        assert_eq!(words(cargo, "-p co"), ["core", "courier"]);
        assert_eq!(words(cargo, "--package co"), ["core", "courier"]);
        assert_eq!(
            words(cargo, "--package=co"),
            ["--package=core", "--package=courier"]
        );
        assert_eq!(
            words(cargo, "--release parse::"),
            ["parse::empty", "parse::nested"]
        );
        assert_eq!(words(cargo, "-- print"), ["print::long"]);
        assert_eq!(words(cargo, "--isolation p"), ["process"]);
        assert_eq!(words(cargo, "--slots "), [""; 0]);
        assert_eq!(words(cargo, "--record "), ["FILES"]);
        assert_eq!(words(&manual::RUN, "--mount "), ["FILES"]);
        assert_eq!(words(&manual::BROKER, "stat"), ["status"]);
        assert_eq!(words(&manual::BROKER, "status --js"), ["--json"]);
    }

    #[test]
    fn many_names_are_offered_part_by_part() {
        let names: Vec<String> = (0..500)
            .map(|number| format!("a{}::b{}::test_{number}", number % 2, number % 5))
            .collect();
        assert_eq!(fitting(names.clone(), ""), ["a0::", "a1::"]);
        assert_eq!(fitting(names.clone(), "a0::").len(), 5);
        assert_eq!(fitting(names, "a0::b1::").len(), 50);
    }

    #[test]
    fn control_characters_of_names_do_not_reach_the_shell() {
        let words = [("a\u{1b}b\tc".to_owned(), String::new())];
        let text = lines(&words);
        assert_eq!(text.matches(['\t', '\u{1b}']).count(), 1, "{text:?}");
    }
}
