//! The short help of all programs, and requests for help.

use super::manual::PROGRAM_MANUALS;
use super::*;
use maelstrom_spec::config::{SHORT_HELP_COLUMNS_MAX, SHORT_HELP_LINES_MAX};

#[test]
fn the_short_help_of_each_program_fits_a_screen() {
    for manual in PROGRAM_MANUALS {
        let mut command = manual.command().term_width(SHORT_HELP_COLUMNS_MAX);
        let help = manual.schema.help;
        let name = manual.schema.name;
        assert_eq!(help.unknown_options(&command), [""; 0], "{name}");
        assert_eq!(help.examples.len(), 3, "{name}");
        let text = command.render_help().to_string();
        let lines = text.lines().count();
        assert!(
            lines <= SHORT_HELP_LINES_MAX,
            "{name} has {lines} lines:\n{text}"
        );
        for line in text.lines() {
            assert!(
                line.chars().count() <= SHORT_HELP_COLUMNS_MAX,
                "{name}: {line}"
            );
        }
    }
}

#[test]
fn the_short_help_of_the_test_runners_shows_twenty_options() {
    for manual in PROGRAM_MANUALS {
        let rows = manual.schema.help.rows.iter();
        let options: usize = rows.map(|row| row.options.len()).sum();
        let name = manual.schema.name;
        let is_test_runner = name.contains("test") || name.contains("cargo");
        let least = if is_test_runner { 20 } else { 8 };
        assert!(options >= least, "{name} shows {options} options");
    }
}

#[test]
fn the_long_help_shows_every_option() {
    for manual in PROGRAM_MANUALS {
        let mut command = manual.command();
        let text = command.render_long_help().to_string();
        for arg in command.get_arguments().filter(|arg| !arg.is_hide_set()) {
            if let Some(long) = arg.get_long() {
                assert!(text.contains(&format!("--{long}")), "--{long}");
            }
            assert!(arg.get_help().is_some(), "{} has no help", arg.get_id());
        }
    }
}

#[test]
fn the_short_help_of_cargo_maelstrom() {
    let manual = PROGRAM_MANUALS[0];
    let mut command = manual.command().term_width(SHORT_HELP_COLUMNS_MAX);
    insta::assert_snapshot!(command.render_help());
}

fn asked(manual: &ProgramManual, line: &str) -> Option<Result<HelpRequest, HelpRequestError>> {
    request(manual, &line.split_whitespace().collect::<Vec<_>>())
}

#[test]
fn topics_are_found_by_name() {
    for (line, expected) in [("help", "Topics"), ("help --no-pager", "Topics")] {
        let found = asked(&manual::RUN, line).unwrap().unwrap();
        assert_eq!(format!("{found:?}"), expected);
    }
    for topic in &topics::HELP_TOPICS {
        let found = asked(&manual::CARGO, &format!("help {}", topic.name));
        assert!(matches!(found, Some(Ok(HelpRequest::Topic(found))) if found.name == topic.name));
    }
    assert!(matches!(
        asked(&manual::CARGO, "help pattern"),
        Some(Err(HelpRequestError::UnknownTopic { .. }))
    ));
}

#[test]
fn other_command_lines_are_left_to_the_program() {
    for line in [
        "",
        "x help",
        "-- help",
        "help -p core",
        "--comp",
        "--completionsx",
    ] {
        assert!(asked(&manual::CARGO, line).is_none(), "{line}");
    }
    assert!(asked(&manual::BROKER, "help status").is_none());
}

#[test]
fn completions_need_a_known_shell() {
    for line in ["--completions zsh", "--completions=zsh"] {
        let found = asked(&manual::RUN, line);
        assert!(matches!(
            found,
            Some(Ok(HelpRequest::Script(CompletionShell::Zsh)))
        ));
    }
    for line in ["--completions", "--completions tcsh"] {
        assert_eq!(
            asked(&manual::RUN, line).unwrap().unwrap_err(),
            HelpRequestError::Shell
        );
    }
}
