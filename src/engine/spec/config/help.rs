//! The short help of a program, `-h`: the options that most users need and a few examples, on one
//! screen of 80 columns and 24 lines.
//!
//! A program lists the options by their ids; how they are spelled, and what their values are called,
//! comes from the command line. `--help` describes all options and is not made here.

use std::fmt::Write as _;

use clap::builder::StyledStr;
use clap::{Arg, Command};

/// The maximum number of lines of a short help: a screen of 24 lines also shows the prompt.
pub const SHORT_HELP_LINES_MAX: usize = 23;

/// The maximum number of columns of a short help.
pub const SHORT_HELP_COLUMNS_MAX: usize = 80;

/// The parts of a program's short help. The default has none; `-h` then shows all options.
#[derive(Clone, Copy, Debug)]
pub struct ShortHelp {
    /// The options that it shows.
    pub rows: &'static [ShortHelpRow],
    /// Example command lines and their meanings.
    pub examples: &'static [(&'static str, &'static str)],
}

/// A line of a short help: options that belong together, and their meaning.
#[derive(Clone, Copy, Debug)]
pub struct ShortHelpRow {
    /// The ids of the options, or of positional arguments, on the command line.
    pub options: &'static [&'static str],
    pub text: &'static str,
}

impl ShortHelp {
    /// No short help of its own.
    pub const NONE: ShortHelp = ShortHelp {
        rows: &[],
        examples: &[],
    };

    /// Returns the ids that the command line does not have. For a test that expects none.
    pub fn unknown_options(&self, command: &Command) -> Vec<&'static str> {
        let ids = self.rows.iter().flat_map(|row| row.options);
        let known = |id: &&&str| argument(command, id).is_none();
        ids.filter(known).copied().collect()
    }

    /// Makes `-h` of a built command line show this help, unless it is empty.
    pub(super) fn apply(&self, command: Command, long: String) -> Command {
        if self.rows.is_empty() {
            return command.after_help(long);
        }
        let short = self.text(&command);
        let mut command = command.after_help(short).after_long_help(long);
        // The options that `build` adds, such as `--help`, exist only then.
        command.build();
        command.mut_args(|arg| arg.hide_short_help(true))
    }

    /// Returns the options and examples as text.
    fn text(&self, command: &Command) -> StyledStr {
        let styles = command.get_styles();
        let (header, literal) = (styles.get_header(), styles.get_literal());
        let rows: Vec<(String, &str)> = self
            .rows
            .iter()
            .map(|row| (spelled(row, command), row.text))
            .collect();
        let mut text = section(&rows, *literal);
        if !self.examples.is_empty() {
            let examples = self.examples.iter();
            let examples: Vec<(String, &str)> = examples
                .map(|(line, meaning)| ((*line).to_owned(), *meaning))
                .collect();
            // Writing to a string cannot fail.
            let _ = write!(text, "\n{header}Examples:{header:#}\n");
            text.push_str(&section(&examples, *literal));
        }
        let name = command.get_bin_name().unwrap_or(command.get_name());
        let _ = write!(
            text,
            "All options: {literal}{name} --help{literal:#}. Topics: {literal}{name} help{literal:#}."
        );
        StyledStr::from(text)
    }
}

/// Returns lines of two columns, the first of which is as wide as its widest text.
fn section(rows: &[(String, &str)], literal: clap::builder::styling::Style) -> String {
    let width = rows.iter().map(|(left, _)| left.chars().count()).max();
    let width = width.unwrap_or(0);
    let mut text = String::new();
    for (left, right) in rows {
        let pad = width - left.chars().count();
        // Writing to a string cannot fail.
        let _ = writeln!(text, "  {literal}{left}{literal:#}{:pad$}  {right}", "");
    }
    text
}

fn argument<'a>(command: &'a Command, id: &str) -> Option<&'a Arg> {
    command.get_arguments().find(|arg| arg.get_id() == id)
}

/// Returns the options of a row as one types them: `-p, --package SPEC  --workspace`.
fn spelled(row: &ShortHelpRow, command: &Command) -> String {
    let options = row.options.iter();
    let options = options.filter_map(|id| argument(command, id).map(option));
    options.collect::<Vec<_>>().join("  ")
}

fn option(arg: &Arg) -> String {
    let short = arg.get_short().map(|short| format!("-{short}"));
    let long = arg.get_long().map(|long| format!("--{long}"));
    let names: Vec<String> = short.into_iter().chain(long).collect();
    let value = arg.get_value_names().and_then(|names| names.first());
    let takes_value = arg.is_positional() || arg.get_action().takes_values();
    let value = value.filter(|_| takes_value).map(ToString::to_string);
    let names = (!names.is_empty()).then(|| names.join(", "));
    names.into_iter().chain(value).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::ArgAction;

    const HELP: ShortHelp = ShortHelp {
        rows: &[
            ShortHelpRow {
                options: &["name"],
                text: "What to count",
            },
            ShortHelpRow {
                options: &["slots", "quiet"],
                text: "How",
            },
        ],
        examples: &[("counter ants", "counts ants")],
    };

    fn counter() -> Command {
        Command::new("counter")
            .about("Counts")
            .arg(Arg::new("name").value_name("NAME"))
            .arg(Arg::new("slots").short('j').long("slots").value_name("N"))
            .arg(Arg::new("quiet").long("quiet").action(ArgAction::SetTrue))
            .arg(Arg::new("rare").long("rare").action(ArgAction::SetTrue))
    }

    #[test]
    fn the_short_help_shows_what_the_program_chooses_and_the_long_help_everything() {
        let mut command = HELP.apply(counter(), "More words.".to_owned());
        insta::assert_snapshot!(command.render_help(), @"
        Counts

        Usage: counter [OPTIONS] [NAME]

          NAME                    What to count
          -j, --slots N  --quiet  How

        Examples:
          counter ants  counts ants
        All options: counter --help. Topics: counter help.
        ");
        let long = command.render_long_help().to_string();
        assert!(
            long.contains("--rare") && long.contains("More words."),
            "{long}"
        );
    }

    #[test]
    fn an_unknown_option_is_named() {
        let only_name = Command::new("counter").arg(Arg::new("name"));
        assert_eq!(HELP.unknown_options(&only_name), ["slots", "quiet"]);
        assert_eq!(HELP.unknown_options(&counter()), [""; 0]);
    }

    #[test]
    fn without_a_short_help_both_are_the_same() {
        let mut command = ShortHelp::NONE.apply(counter(), "More words.".to_owned());
        let short = command.render_help().to_string();
        assert!(
            short.contains("--rare") && short.contains("More words."),
            "{short}"
        );
    }
}
