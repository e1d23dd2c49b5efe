//! The flags of pytest and of pytest-xdist.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::num::NonZeroU32;

use clap::error::ErrorKind;
use maelstrom_model::error::help_of;
use maelstrom_runners::peers::PeerTool;
use maelstrom_runners::pytest::PytestOptions;
use maelstrom_runners::pytest::peer_flags::{PYTEST, XDIST};

use super::{flags_in_help, help_of_peer, hold, hold_document};

/// Reads a command line as the program does, and returns the text of its error.
fn parse(words: &[&str]) -> Result<(), String> {
    let words = ["maelstrom-pytest"].iter().chain(words).map(OsString::from);
    let options = match PytestOptions::read(words) {
        Ok(options) => options,
        Err(error) => match error.kind() {
            ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => return Ok(()),
            _ => return Err(error.to_string()),
        },
    };
    let resolved = options.resolve(NonZeroU32::MIN);
    let told = |error| format!("{error} {}", help_of(&error).unwrap_or_default());
    resolved.map_or_else(|error| Err(told(error)), |_| Ok(()))
}

fn flags_of(arguments: &[&str]) -> BTreeSet<String> {
    let words = [&["-m", "pytest"], arguments, &["--help"]].concat();
    flags_in_help(&help_of_peer("python3", &words))
}

/// Holds a table against the flags of a help text. Versions before those of the table lack some of
/// its flags, and pytest leaves out a spelling that differs from another by its dashes only.
fn hold_table(tool: &PeerTool, mut help: BTreeSet<String>) {
    let known = tool.flags.iter().flat_map(|flag| flag.spellings);
    help.extend(known.map(|spelling| (*spelling).to_owned()));
    hold(tool, &help, parse);
}

#[test]
#[ignore = "needs Python with pytest"]
fn every_flag_of_pytest_is_handled_as_the_table_says() {
    let help = flags_of(&[
        "-p",
        "no:xdist",
        "-p",
        "no:xdist.looponfail",
        "-p",
        "no:cov",
    ]);
    assert!(
        help.contains("--junit-xml") && help.contains("-k"),
        "{help:?}"
    );
    // Flags of other plugins that are installed are not pytest's.
    let own = |flag: &String| PYTEST.flag(flag).is_some() || !is_of_a_plugin(flag);
    hold_table(&PYTEST, help.into_iter().filter(own).collect());
}

/// The plugins that tests of this project may find installed, by how their flags begin.
fn is_of_a_plugin(flag: &str) -> bool {
    ["--anyio", "--asyncio", "--hypothesis", "--cov", "--no-cov"]
        .iter()
        .any(|begin| flag.starts_with(begin))
}

#[test]
#[ignore = "needs Python with pytest and pytest-xdist"]
fn every_flag_of_xdist_is_handled_as_the_table_says() {
    let with = flags_of(&[]);
    let without = flags_of(&["-p", "no:xdist", "-p", "no:xdist.looponfail"]);
    let own: BTreeSet<String> = with.difference(&without).cloned().collect();
    assert!(own.contains("--numprocesses"), "{own:?}");
    hold_table(&XDIST, own);
}

#[test]
fn the_documentation_has_the_tables() {
    hold_document("docs/pytest.md", &[&PYTEST, &XDIST]);
}
