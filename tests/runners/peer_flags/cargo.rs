//! The tables of `cargo test` and `cargo nextest`.

use std::ffi::OsString;
use std::io;
use std::num::NonZeroU32;
use std::path::Path;

use maelstrom_model::error::{ProgramError, help_of};
use maelstrom_runners::cargo::options::CargoOptions;
use maelstrom_runners::cargo::peer_flags::{CARGO_TEST, LIBTEST, NEXTEST_LIST, NEXTEST_RUN};
use maelstrom_spec::config::{ConfigEnvironment, ConfigError};

use super::{flags_in_help, help_of_peer, hold, hold_document, hold_variables, variables_in_help};

/// A machine without variables and files.
struct BareMachine;

impl ConfigEnvironment for BareMachine {
    fn variable(&self, _name: &str) -> Option<OsString> {
        None
    }

    fn variable_names(&self) -> Vec<OsString> {
        Vec::new()
    }

    fn read(&self, _path: &Path) -> io::Result<String> {
        Err(io::ErrorKind::NotFound.into())
    }
}

/// Parses `cargo maelstrom PREFIX WORDS`.
fn parse(prefix: &[&str], words: &[&str]) -> Result<(), String> {
    let words = ["cargo-maelstrom", "maelstrom"]
        .iter()
        .chain(prefix)
        .chain(words);
    let resolved = match CargoOptions::resolved(words.map(OsString::from), &BareMachine) {
        // Help is what was asked for.
        Err(ConfigError::CommandLine(told)) if told.exit_code() == 0 => return Ok(()),
        resolved => resolved.map_err(|error| text_of(&error))?,
    };
    let settings = resolved.options.resolve(NonZeroU32::MIN);
    settings.map(drop).map_err(|error| text_of(&error))
}

fn text_of<E: ProgramError>(error: &E) -> String {
    format!("{error}\n{}", help_of(error).unwrap_or_default())
}

#[test]
fn every_flag_of_cargo_test_is_classified() {
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
    let help = flags_in_help(&help_of_peer(&cargo, &["test", "--help"]));
    hold(&CARGO_TEST, &help, |words| parse(&["test"], words));
    hold(&CARGO_TEST, &help, |words| parse(&[], words));
}

#[test]
fn every_flag_of_libtest_is_classified() {
    let own = std::env::current_exe().unwrap();
    let help = flags_in_help(&help_of_peer(own.to_str().unwrap(), &["--help"]));
    hold(&LIBTEST, &help, |words| parse(&["--"], words));
}

#[test]
#[ignore = "needs cargo-nextest"]
fn every_flag_of_cargo_nextest_is_classified() {
    for (command, tool) in [("run", &NEXTEST_RUN), ("list", &NEXTEST_LIST)] {
        let help = help_of_peer("cargo-nextest", &["nextest", command, "--help"]);
        let flags = flags_in_help(&help);
        hold(tool, &flags, |words| parse(&["nextest", command], words));
        hold(tool, &flags, |words| parse(&[command], words));
        hold_variables(tool, &variables_in_help(&help));
    }
}

#[test]
fn the_documentation_has_the_tables() {
    hold_document(
        "docs/command-lines.md",
        &[&CARGO_TEST, &LIBTEST, &NEXTEST_RUN, &NEXTEST_LIST],
    );
}
