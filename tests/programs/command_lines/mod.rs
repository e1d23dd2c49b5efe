//! Command lines that public Makefiles and CI files call, given to the programs that replace their
//! tools: each is understood word by word, or refused.
//!
//! The lines are in the tables beside this file. A word that has no effect on the program's settings
//! would let a run succeed without what the word asks for, so each must change them.

use std::ffi::OsString;
use std::fmt::{Debug, Display};
use std::io;
use std::num::NonZeroU32;
use std::path::Path;

use maelstrom_runners::cargo::options::CargoOptions;
use maelstrom_runners::go::options::GoOptions;
use maelstrom_runners::pytest::options::PytestOptions;
use maelstrom_spec::config::ConfigEnvironment;

/// Words that may have no effect: they ask for what the program does anyway, or for a detail of
/// output that it does not have.
const WITHOUT_EFFECT: [&str; 10] = [
    // Failures don't stop a run, except with options that ask for it.
    "--no-fail-fast",
    // There is no such bar outside of the dashboard.
    "--hide-progress-bar",
    // nextest's log has no counterpart: the documentation says so.
    "--verbose",
    // All packages of the module are the default.
    "./...",
    // Each test runs once, and is always run.
    "-count=1",
    // What failed last time runs first in any case.
    "--ff",
    // As many tests at a time as there are CPUs are the default.
    "-nauto",
    "--numprocesses=auto",
    // Tests don't share worker processes.
    "--dist=loadfile",
    // Options of the test binaries are understood before it as well.
    "--",
];

/// A line of a table.
struct CommandLine {
    source: &'static str,
    command: &'static str,
    expected: &'static str,
}

fn lines(table: &'static str) -> Vec<CommandLine> {
    let rows = table.lines().filter(|line| !line.starts_with('#'));
    rows.map(|row| {
        let columns: Vec<&str> = row.split('\t').collect();
        let [source, command, expected] = columns[..] else {
            panic!("three columns are expected in {row:?}");
        };
        CommandLine {
            source,
            command,
            expected,
        }
    })
    .collect()
}

/// A machine without variables and configuration files.
struct EmptyMachine;

impl ConfigEnvironment for EmptyMachine {
    fn variable(&self, _: &str) -> Option<OsString> {
        None
    }

    fn variable_names(&self) -> Vec<OsString> {
        Vec::new()
    }

    fn read(&self, _: &Path) -> io::Result<String> {
        Err(io::ErrorKind::NotFound.into())
    }
}

/// The settings that a program derives from its words, as text, or its error.
type Understood = Result<String, String>;

fn text(error: impl Display) -> String {
    error.to_string()
}

fn settings(settings: &impl Debug) -> String {
    format!("{settings:?}")
}

const CPUS: NonZeroU32 = NonZeroU32::new(4).unwrap();

fn cargo(words: &[String]) -> Understood {
    let words = words.iter().map(OsString::from).collect::<Vec<_>>();
    let resolved = CargoOptions::resolved(words, &EmptyMachine).map_err(text)?;
    let resolved = resolved.options.resolve(CPUS).map_err(text)?;
    Ok(settings(&resolved))
}

fn go(words: &[String]) -> Understood {
    let words = words.iter().map(OsString::from).collect::<Vec<_>>();
    let resolved = GoOptions::resolved(words, &EmptyMachine).map_err(text)?;
    let resolved = resolved.options.resolve(CPUS).map_err(text)?;
    Ok(settings(&resolved))
}

fn pytest(words: &[String]) -> Understood {
    let words = words.iter().map(OsString::from).collect::<Vec<_>>();
    let resolved =
        PytestOptions::resolved(words, &EmptyMachine, Path::new("/"), CPUS).map_err(text)?;
    let resolved = resolved.options.resolve(CPUS).map_err(text)?;
    Ok(settings(&resolved))
}

/// Returns what differs from the expectation for a line whose first `fixed` words call the tool.
fn difference(
    line: &CommandLine,
    words: &[String],
    fixed: usize,
    understand: fn(&[String]) -> Understood,
) -> Option<String> {
    let CommandLine {
        source,
        command,
        expected,
    } = line;
    let whole = match (understand(words), expected.strip_prefix("refused: ")) {
        (Ok(settings), None) if *expected == "runs" => settings,
        (Err(error), Some(part)) if error.contains(part) => return None,
        (Err(error), _) => {
            return Some(format!(
                "{source}: {command}: expected {expected}, got {error}"
            ));
        }
        (Ok(_), _) => return Some(format!("{source}: {command}: runs, expected {expected}")),
    };
    let idle = (fixed..words.len()).find(|position| {
        let mut rest = words.to_vec();
        let word = rest.remove(*position);
        !WITHOUT_EFFECT.contains(&word.as_str()) && understand(&rest).as_ref() == Ok(&whole)
    })?;
    let word = &words[idle];
    Some(format!("{source}: {command}: `{word}` is ignored"))
}

/// Checks a table of `count` lines. `called` turns a line's words into those of the program, and
/// returns how many of them call the tool.
fn check(
    table: &'static str,
    count: usize,
    called: fn(Vec<String>) -> (Vec<String>, usize),
    understand: fn(&[String]) -> Understood,
) {
    let lines = lines(table);
    assert_eq!(lines.len(), count);
    let differences: Vec<String> = lines
        .iter()
        .filter_map(|line| {
            let words = shlex::split(line.command).expect("balanced quotes");
            let (words, fixed) = called(words);
            difference(line, &words, fixed, understand)
        })
        .collect();
    assert!(differences.is_empty(), "{}", differences.join("\n"));
}

/// `cargo test …` becomes `cargo maelstrom test …`, as cargo calls it.
fn through_cargo(words: Vec<String>) -> (Vec<String>, usize) {
    let program = ["cargo-maelstrom", "maelstrom"].map(str::to_owned);
    let tool = match words[1].as_str() {
        "nextest" => 2,
        _ => 1,
    };
    let words = program.into_iter().chain(words.into_iter().skip(1));
    (words.collect(), 2 + tool)
}

/// `go test …` becomes `maelstrom-go-test …`.
fn as_go(words: Vec<String>) -> (Vec<String>, usize) {
    let words = words.into_iter().skip(2);
    let program = std::iter::once("maelstrom-go-test".to_owned());
    (program.chain(words).collect(), 1)
}

/// `pytest …` and `python -m pytest …` become `maelstrom-pytest …`.
fn as_pytest(words: Vec<String>) -> (Vec<String>, usize) {
    let words = words.into_iter().skip_while(|word| word != "pytest");
    let program = std::iter::once("maelstrom-pytest".to_owned());
    (program.chain(words.skip(1)).collect(), 1)
}

#[test]
fn lines_of_cargo_test_run_what_they_name() {
    let table = include_str!("cargo_test.tsv");
    check(table, 40, through_cargo, cargo);
}

/// `cargo test` is also spelled without the name of the tool, which is what a program's name alone
/// changes.
#[test]
fn lines_of_cargo_test_mean_the_same_without_the_word_test() {
    let short = |words: Vec<String>| {
        let (mut words, _) = through_cargo(words);
        words.remove(2);
        (words, 2)
    };
    check(include_str!("cargo_test.tsv"), 40, short, cargo);
}

#[test]
fn lines_of_cargo_nextest_run_what_they_name() {
    let table = include_str!("cargo_nextest.tsv");
    check(table, 20, through_cargo, cargo);
}

#[test]
fn lines_of_go_test_run_what_they_name() {
    check(include_str!("go_test.tsv"), 30, as_go, go);
}

#[test]
fn lines_of_pytest_run_what_they_name() {
    check(include_str!("pytest.tsv"), 30, as_pytest, pytest);
}

#[test]
fn lines_of_editors_run_what_they_name() {
    check(include_str!("editors_cargo.tsv"), 5, through_cargo, cargo);
    check(include_str!("editors_go.tsv"), 4, as_go, go);
}
