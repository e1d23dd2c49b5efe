//! Lists the doctests of a program in which rustdoc has merged several.
//!
//! Such a program starts itself once for each doctest, with the doctest's number in
//! [`NUMBER`] and the path that it finds in [`BINARY`]. A stand-in at that path, which is this
//! program, shows the numbers without running a doctest: it writes each number to a file and exits.
//! With one thread, the order of the calls is that of the names in the program's report.
//!
//! A stand-in that succeeds makes the doctests fail that should panic. If there are any, or if it is
//! not clear which ones start nothing, the program runs again with a stand-in that fails.

use std::ffi::OsString;
use std::fs;
use std::io::{self, Write};
use std::path::Path;
use std::process::{Command, Stdio};

use maelstrom_container::private;

use super::captured::{CapturedDoctest, CapturedResult, DoctestProgram, PassCondition};
use super::protocol::RUNNER;
use super::report::{HarnessReport, ReportedDoctest, ReportedWord, WholeReport};

/// The variable with the number of the doctest that a program of merged doctests runs.
pub(in crate::cargo) const NUMBER: &str = "RUSTDOC_DOCTEST_RUN_NB_TEST";

/// The variable with the path of the program that such a program starts for each doctest.
const BINARY: &str = "RUSTDOC_DOCTEST_BIN_PATH";

/// The variable with the path of the stand-in's file.
const CALLS: &str = "MAELSTROM_DOCTESTS_CALLS";

/// The variable with the exit status of the stand-in.
const STATUS: &str = "MAELSTROM_DOCTESTS_STATUS";

/// The `main` of the stand-in: if this process is one, returns its exit status.
pub(super) fn run_if_stand_in() -> Option<u8> {
    let calls = std::env::var_os(CALLS)?;
    let number = std::env::var(NUMBER).ok()?;
    let status = std::env::var(STATUS).ok()?.parse().ok()?;
    let written = private::appended(Path::new(&calls))
        .and_then(|mut file| file.write_all(format!("{number}\n").as_bytes()));
    // Without the number, the counts differ, and the list is an error.
    drop(written);
    Some(status)
}

/// Returns the doctests of a program. `calls` is a path for the stand-in's file. The error says why
/// they are not known.
pub(super) fn list(program: &Path, calls: &Path) -> Result<Vec<CapturedDoctest>, String> {
    let fail = |error: io::Error| format!("the merged doctests can't be listed: {error}");
    let succeeding = ask(program, calls, 0).map_err(fail)?;
    let failing = match is_clear(&succeeding) {
        true => None,
        false => Some(ask(program, calls, 1).map_err(fail)?),
    };
    combine(program, succeeding, failing).map_err(|what| {
        format!("rustdoc has merged doctests into a program that can't be listed: {what}")
    })
}

/// A program's answer: its report, and the numbers of the doctests that it started, in order.
type MergedAnswer = (Result<WholeReport, String>, Vec<u32>);

/// Runs a program with a stand-in that exits with `status`.
fn ask(program: &Path, calls: &Path, status: u8) -> io::Result<MergedAnswer> {
    private::write(calls, b"")?;
    let runner = std::env::var(RUNNER).unwrap_or_default();
    let runner: Vec<OsString> = serde_json::from_str(&runner).unwrap_or_default();
    let mut words = runner.into_iter().chain([program.as_os_str().to_owned()]);
    let output = Command::new(words.next().unwrap_or_default())
        .args(words)
        .env(BINARY, std::env::current_exe()?)
        .env(CALLS, calls)
        .env(STATUS, status.to_string())
        .env("RUST_TEST_THREADS", "1")
        .env_remove("RUST_TEST_NOCAPTURE")
        .env_remove("RUST_TEST_SHUFFLE")
        .env_remove("RUST_TEST_SHUFFLE_SEED")
        .stdin(Stdio::null())
        .output()?;
    let numbers = fs::read_to_string(calls)?;
    let numbers = numbers.lines().filter_map(|line| line.parse().ok());
    let mut report = HarnessReport::default();
    for line in String::from_utf8_lossy(&output.stdout).lines() {
        report.line(line);
    }
    Ok((report.end(), numbers.collect()))
}

/// Returns whether the answer with a stand-in that succeeds is enough: no doctest should panic, and
/// as many were started as have no mode.
fn is_clear((report, numbers): &MergedAnswer) -> bool {
    let Ok(report) = report else {
        return true;
    };
    let tests = report.tests.iter();
    let passed = tests
        .clone()
        .filter(|test| test.word == ReportedWord::Ok && test.mode.is_empty());
    let mut all = tests.map(|test| &test.word);
    all.all(|word| *word != ReportedWord::Failed) && passed.count() == numbers.len()
}

/// Combines the answers with a stand-in that succeeds, and with one that fails.
fn combine(
    program: &Path,
    succeeding: MergedAnswer,
    failing: Option<MergedAnswer>,
) -> Result<Vec<CapturedDoctest>, String> {
    let (whole, numbers) = (succeeding.0?.tests, succeeding.1);
    let broken = match failing {
        None => None,
        Some((report, again)) => {
            let broken = report?.tests;
            let names = |tests: &[ReportedDoctest]| -> Vec<String> {
                tests.iter().map(|test| test.name.clone()).collect()
            };
            if names(&whole) != names(&broken) || numbers != again {
                return Err("it does not list the same ones each time".to_owned());
            }
            Some(broken)
        }
    };
    // Whether the test fails if the program that it starts does.
    let fails = |index: usize| {
        let broken = broken.as_ref()?.get(index)?;
        Some(broken.word == ReportedWord::Failed)
    };
    let mut numbers = numbers.into_iter();
    let mut doctests = Vec::new();
    for (index, test) in whole.into_iter().enumerate() {
        let ReportedDoctest { name, mode, word } = test;
        let mut runs = |passes| -> Result<CapturedResult, String> {
            let number = numbers.next().ok_or("it started too few of them")?;
            Ok(CapturedResult::Runs(DoctestProgram {
                path: program.to_owned(),
                number: Some(number),
                passes,
            }))
        };
        let result = match (word, fails(index)) {
            (ReportedWord::Ignored { reason }, _) => CapturedResult::Ignored { reason },
            (ReportedWord::Ok, _) if !mode.is_empty() => CapturedResult::Passed,
            (ReportedWord::Ok, None | Some(true)) => runs(PassCondition::Success)?,
            // With `--include-ignored`, rustdoc counts an ignored doctest as passed that it has not
            // compiled.
            (ReportedWord::Ok, Some(false)) => CapturedResult::Ignored {
                reason: Some("rustdoc compiles no ignored doctests here".to_owned()),
            },
            (ReportedWord::Failed, Some(false)) => runs(PassCondition::Failure)?,
            (ReportedWord::Failed, None | Some(true)) => runs(PassCondition::Panic)?,
        };
        doctests.push(CapturedDoctest { name, mode, result });
    }
    match numbers.next() {
        None => Ok(doctests),
        Some(_) => Err("it started too many of them".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An answer in which each word stands for a test: `ok`, `FAILED`, `ignored`, or `compiled`.
    fn answer(words: &str, numbers: &[u32]) -> MergedAnswer {
        let tests = words
            .split(' ')
            .zip("abcdefgh".chars())
            .map(|(word, name)| {
                let (mode, word) = match word {
                    "compiled" => ("compile", ReportedWord::Ok),
                    "ok" => ("", ReportedWord::Ok),
                    "ignored" => ("", ReportedWord::Ignored { reason: None }),
                    _ => ("", ReportedWord::Failed),
                };
                ReportedDoctest {
                    name: name.to_string(),
                    mode: mode.to_owned(),
                    word,
                }
            });
        let report = WholeReport {
            tests: tests.collect(),
            ..WholeReport::default()
        };
        (Ok(report), numbers.to_vec())
    }

    #[test]
    fn two_answers_tell_the_kinds_apart() {
        let doctests = combine(
            Path::new("/p"),
            answer("ok ignored compiled FAILED FAILED ok", &[0, 3, 4]),
            Some(answer("FAILED ignored compiled FAILED ok ok", &[0, 3, 4])),
        )
        .unwrap();
        for (words, numbers, clear) in [
            ("ok compiled ignored ok", &[0, 3][..], true),
            ("ok ok", &[0], false),
            ("ok FAILED", &[0, 1], false),
        ] {
            assert_eq!(is_clear(&answer(words, numbers)), clear, "{words}");
        }
        let lines: Vec<String> = doctests
            .iter()
            .map(|test| match &test.result {
                CapturedResult::Runs(program) => {
                    format!("{}: {:?} {:?}", test.name, program.number, program.passes)
                }
                other => format!("{}: {other:?}", test.shown_name()),
            })
            .collect();
        insta::assert_snapshot!(lines.join("\n"), @r#"
        a: Some(0) Success
        b: Ignored { reason: None }
        c - compile: Passed
        d: Some(3) Panic
        e: Some(4) Failure
        f: Ignored { reason: Some("rustdoc compiles no ignored doctests here") }
        "#);
    }

    #[test]
    fn answers_that_disagree_are_an_error() {
        let error = |one: MergedAnswer, other: MergedAnswer| {
            combine(Path::new("/p"), one, Some(other)).unwrap_err()
        };
        let table = [
            (answer("ok", &[0]), answer("FAILED ok", &[0])),
            (answer("ok", &[0]), answer("FAILED", &[1])),
            (answer("ok ok", &[0]), answer("FAILED FAILED", &[0])),
            (answer("ok", &[0, 1]), answer("FAILED", &[0, 1])),
            ((Err("cut".to_owned()), vec![]), answer("ok", &[0])),
        ];
        let errors = table.map(|(one, other)| error(one, other));
        insta::assert_snapshot!(errors.join("\n"), @r"
        it does not list the same ones each time
        it does not list the same ones each time
        it started too few of them
        it started too many of them
        cut
        ");
    }
}
