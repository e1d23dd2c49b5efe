//! Assigns the programs that the run tool keeps to the names that rustdoc reports.
//!
//! rustdoc does not tell its run tool the name of a doctest. Two things do:
//!
//! - The run tool fails, and prints the program's id. rustdoc then reports the doctest as failed,
//!   with that output.
//! - A doctest marked `should_panic` passes that way, without its output. The wrapper lets one run
//!   tool at a time end, and waits for a line about a test before the next, so that the order in
//!   which programs ended and lines were printed shows which is which.
//!
//! Pure. A program whose name remains open is an error, never a guess.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use super::captured::{CapturedDoctest, CapturedResult, DoctestProgram, PassCondition};
use super::report::{ReportedDoctest, ReportedWord, SHOULD_PANIC, WholeReport};

/// The beginning of the line that the run tool prints.
const MARK: &str = "maelstrom-doctest: ";

/// The file name of a program, as rustdoc chooses it.
pub(super) const PROGRAM: &str = "rust_out";

/// What happened, in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum NamingEvent {
    /// The run tool with this program may end.
    Released { id: String },
    /// A doctest that may have a program passed.
    Passed { name: String },
}

/// Returns the line that the run tool prints.
pub(super) fn marked(id: &str) -> String {
    format!("{MARK}{id}")
}

/// Returns the id in a doctest's output.
fn mark(output: &str) -> Option<&str> {
    output.lines().find_map(|line| line.strip_prefix(MARK))
}

/// Returns the path of a program.
pub(super) fn program(directory: &Path, id: &str) -> PathBuf {
    directory.join(id).join(PROGRAM)
}

/// Returns whether a test with this line may have a program.
pub(super) fn may_have_program(test: &ReportedDoctest) -> bool {
    matches!(test.mode.as_str(), "" | SHOULD_PANIC)
        && match test.word {
            ReportedWord::Ok | ReportedWord::Failed => true,
            ReportedWord::Ignored { .. } => false,
        }
}

/// Returns the doctests of a report, and what could not be found out. The programs are in
/// `directory`.
pub(super) fn assign(
    report: WholeReport,
    events: &[NamingEvent],
    directory: &Path,
) -> (Vec<CapturedDoctest>, Vec<String>) {
    let WholeReport {
        tests, mut outputs, ..
    } = report;
    let marked: BTreeSet<String> = outputs
        .values()
        .filter_map(|output| mark(output).map(str::to_owned))
        .collect();
    let mut panicking = panicking(events, &marked);
    let mut problems = Vec::new();
    let mut doctests = Vec::new();
    for test in tests {
        let output = outputs.remove(&test.name).unwrap_or_default();
        let ran = |id: &str, passes| {
            CapturedResult::Runs(DoctestProgram {
                path: program(directory, id),
                number: None,
                passes,
            })
        };
        let has_program = may_have_program(&test);
        let result = match test.word {
            ReportedWord::Ignored { reason } => CapturedResult::Ignored { reason },
            ReportedWord::Failed => match mark(&output) {
                Some(id) => ran(id, PassCondition::Success),
                None => CapturedResult::Failed { output },
            },
            ReportedWord::Ok if has_program => match panicking.remove(&test.name) {
                Some(id) => ran(&id, PassCondition::Failure),
                None => {
                    problems.push(format!(
                        "it is not certain which program belongs to `{}`",
                        test.name
                    ));
                    continue;
                }
            },
            ReportedWord::Ok => CapturedResult::Passed,
        };
        doctests.push(CapturedDoctest {
            name: test.name,
            mode: test.mode,
            result,
        });
    }
    (doctests, problems)
}

/// Returns the programs of the doctests that passed although the run tool failed, by name, where
/// they are certain. `marked` are the programs of the others.
fn panicking(events: &[NamingEvent], marked: &BTreeSet<String>) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    let mut open: Vec<&String> = Vec::new();
    for event in events {
        match event {
            NamingEvent::Released { id } if marked.contains(id) => {}
            NamingEvent::Released { id } => open.push(id),
            NamingEvent::Passed { name } => match open.as_slice() {
                [] => {}
                [id] => {
                    found.insert(name.clone(), (*id).clone());
                    open.clear();
                }
                // From here on, it is not certain which is which.
                [_, _, ..] => return found,
            },
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn test(name: &str, mode: &str, word: ReportedWord) -> ReportedDoctest {
        ReportedDoctest {
            name: name.to_owned(),
            mode: mode.to_owned(),
            word,
        }
    }

    fn released(id: &str) -> NamingEvent {
        NamingEvent::Released { id: id.to_owned() }
    }

    fn passed(name: &str) -> NamingEvent {
        NamingEvent::Passed {
            name: name.to_owned(),
        }
    }

    #[test]
    fn each_name_gets_its_program() {
        use ReportedWord::{Failed, Ignored, Ok};
        let said = |id: &str| format!("Test executable failed.\n\nstdout:\n{}\n", marked(id));
        let report = WholeReport {
            tests: vec![
                test("a", "", Failed),
                test("b", "", Ok),
                test("c", "compile fail", Ok),
                test("d", "compile fail", Failed),
                test("e", "", Ignored { reason: None }),
                test("f", "", Failed),
                test("g", "", Ok),
            ],
            outputs: BTreeMap::from([
                ("a".to_owned(), said("1")),
                ("d".to_owned(), "it compiles".to_owned()),
                ("f".to_owned(), "error: no\n".to_owned()),
            ]),
            filtered_out: 0,
        };
        let events = [
            released("1"),
            released("3"),
            passed("b"),
            released("2"),
            passed("g"),
        ];
        let (doctests, problems) = assign(report, &events, Path::new("/d"));
        assert_eq!(problems, [""; 0]);
        let lines: Vec<String> = doctests
            .iter()
            .map(|test| format!("{}: {:?}", test.shown_name(), test.result))
            .collect();
        insta::assert_snapshot!(lines.join("\n"), @r#"
        a: Runs(DoctestProgram { path: "/d/1/rust_out", number: None, passes: Success })
        b: Runs(DoctestProgram { path: "/d/3/rust_out", number: None, passes: Failure })
        c - compile fail: Passed
        d - compile fail: Failed { output: "it compiles" }
        e: Ignored { reason: None }
        f: Failed { output: "error: no\n" }
        g: Runs(DoctestProgram { path: "/d/2/rust_out", number: None, passes: Failure })
        "#);
    }

    /// Names and ids.
    type NamedPrograms = &'static [(&'static str, &'static str)];

    /// Where a doctest that does not compile comes between, a second program may end before the
    /// line of the first.
    #[test]
    fn what_is_uncertain_is_a_problem() {
        let table: [(&[NamingEvent], NamedPrograms); 5] = [
            (&[released("1"), released("9"), passed("a")], &[("a", "1")]),
            (
                &[released("1"), released("2"), passed("a"), passed("b")],
                &[],
            ),
            (
                &[
                    released("1"),
                    passed("a"),
                    released("2"),
                    released("3"),
                    passed("b"),
                ],
                &[("a", "1")],
            ),
            (&[passed("a"), released("1"), passed("b")], &[("b", "1")]),
            (&[released("9"), passed("a")], &[]),
        ];
        let marked = BTreeSet::from(["9".to_owned()]);
        for (events, expected) in table {
            let expected = expected.iter();
            let expected = expected.map(|(name, id)| ((*name).to_owned(), (*id).to_owned()));
            assert_eq!(panicking(events, &marked), expected.collect(), "{events:?}");
        }
    }
}
