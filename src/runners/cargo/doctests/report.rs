//! Parses the report of libtest that rustdoc, or a program of merged doctests, prints.
//!
//! ```text
//! running 3 tests
//! test src/lib.rs - a (line 3) ... ok
//! test src/lib.rs - b (line 9) - compile fail ... FAILED
//! test src/lib.rs - c (line 15) ... ignored
//!
//! failures:
//!
//! ---- src/lib.rs - b (line 9) stdout ----
//! Test compiled successfully, but it's marked `compile_fail`.
//!
//! failures:
//!     src/lib.rs - b (line 9)
//!
//! test result: FAILED. 1 passed; 1 failed; 1 ignored; 0 measured; 0 filtered out
//! ```
//!
//! Pure. A report that is cut short, or counts other tests than it lists, is an error.

use std::collections::BTreeMap;

/// The mode of doctests that must panic. Some versions of rustdoc print none for them.
pub(super) const SHOULD_PANIC: &str = "should panic";

/// The modes that libtest appends to the name of a doctest.
const MODES: [&str; 3] = ["compile fail", "compile", SHOULD_PANIC];

/// The line before the output of failed tests, and before the list of their names.
const FAILURES: &str = "failures:";

/// A line about one test.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ReportedDoctest {
    pub name: String,
    /// The mode, or an empty text.
    pub mode: String,
    pub word: ReportedWord,
}

/// The result in a line about one test.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum ReportedWord {
    Ok,
    Failed,
    Ignored { reason: Option<String> },
}

/// A report, as far as it has been read.
#[derive(Clone, Debug, Default)]
pub(super) struct HarnessReport {
    announced: Option<usize>,
    tests: Vec<ReportedDoctest>,
    /// The lines after the tests.
    failures: Vec<String>,
    /// The last line, if no test failed.
    end: String,
    stage: ReportStage,
}

/// The part of the report that the next line belongs to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum ReportStage {
    #[default]
    Before,
    Tests,
    Failures,
    After,
}

/// A whole report.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct WholeReport {
    pub tests: Vec<ReportedDoctest>,
    /// The output of each failed test, by its name.
    pub outputs: BTreeMap<String, String>,
    /// The number of tests that the names on the command line left out.
    pub filtered_out: u32,
}

impl HarnessReport {
    /// Reads the next line. Returns the test if the line is about one.
    pub(super) fn line(&mut self, line: &str) -> Option<&ReportedDoctest> {
        match self.stage {
            ReportStage::Before | ReportStage::After => {
                if let Some(count) = announced(line) {
                    // There is one report at most.
                    self.announced = match self.stage {
                        ReportStage::After => None,
                        _ => Some(count),
                    };
                    self.stage = ReportStage::Tests;
                }
                None
            }
            ReportStage::Tests => match reported(line) {
                Some(test) => {
                    self.tests.push(test);
                    self.tests.last()
                }
                None => {
                    if line == FAILURES {
                        self.stage = ReportStage::Failures;
                    } else if is_end(line) {
                        self.end = line.to_owned();
                        self.stage = ReportStage::After;
                    }
                    None
                }
            },
            ReportStage::Failures => {
                // The last such line is the end: the output of a test may contain one as well.
                self.failures.push(line.to_owned());
                None
            }
        }
    }

    /// Returns whether no report has begun.
    pub(super) fn is_absent(&self) -> bool {
        self.stage == ReportStage::Before
    }

    /// Returns the whole report. The error says what is wrong with it.
    pub(super) fn end(self) -> Result<WholeReport, String> {
        let ended = match self.stage {
            ReportStage::Failures => self.failures.iter().any(|line| is_end(line)),
            ReportStage::After => true,
            ReportStage::Before | ReportStage::Tests => false,
        };
        if !ended {
            return Err("its report is incomplete".to_owned());
        }
        let listed = self.tests.len();
        match self.announced {
            Some(announced) if announced == listed => {}
            announced => {
                let announced = announced.unwrap_or_default();
                return Err(format!(
                    "it announced {announced} tests and reported {listed}"
                ));
            }
        }
        let outputs = outputs(&self.tests, &self.failures);
        let last = self.failures.iter().rfind(|line| is_end(line));
        let filtered_out = filtered_out(last.unwrap_or(&self.end));
        Ok(WholeReport {
            tests: self.tests,
            outputs,
            filtered_out,
        })
    }
}

/// Parses `running 3 tests`.
fn announced(line: &str) -> Option<usize> {
    let rest = line.strip_prefix("running ")?;
    let count = rest
        .strip_suffix(" tests")
        .or_else(|| rest.strip_suffix(" test"))?;
    count.parse().ok()
}

fn is_end(line: &str) -> bool {
    line.starts_with("test result: ")
}

/// Returns the number in `...; 7 filtered out; finished in 0.00s`, the end of the last line.
fn filtered_out(end: &str) -> u32 {
    let mut parts = end.split(';').map(str::trim);
    let number = parts.find_map(|part| part.strip_suffix(" filtered out"));
    number.and_then(|number| number.parse().ok()).unwrap_or(0)
}

/// Parses a line about one test.
fn reported(line: &str) -> Option<ReportedDoctest> {
    let (shown, word) = line.strip_prefix("test ")?.rsplit_once(" ... ")?;
    let word = match word {
        "ok" => ReportedWord::Ok,
        "FAILED" => ReportedWord::Failed,
        "ignored" => ReportedWord::Ignored { reason: None },
        other => ReportedWord::Ignored {
            reason: Some(other.strip_prefix("ignored, ")?.to_owned()),
        },
    };
    let (name, mode) = split_mode(shown);
    Some(ReportedDoctest {
        name: name.to_owned(),
        mode: mode.to_owned(),
        word,
    })
}

/// Splits a name as it is printed into the name itself and the mode.
fn split_mode(shown: &str) -> (&str, &str) {
    MODES
        .iter()
        .find_map(|mode| {
            let name = shown.strip_suffix(mode)?.strip_suffix(" - ")?;
            Some((name, *mode))
        })
        .unwrap_or((shown, ""))
}

/// Returns the output of each failed test.
fn outputs(tests: &[ReportedDoctest], lines: &[String]) -> BTreeMap<String, String> {
    let failed = |name: &str| {
        let mut failed = tests
            .iter()
            .filter(|test| test.word == ReportedWord::Failed);
        failed.any(|test| test.name == name)
    };
    let end = lines.iter().rposition(|line| line == FAILURES);
    let lines = lines.get(..end.unwrap_or(lines.len())).unwrap_or_default();
    let mut outputs: BTreeMap<String, String> = BTreeMap::new();
    let mut current: Option<&str> = None;
    for line in lines {
        let header = line
            .strip_prefix("---- ")
            .and_then(|rest| rest.strip_suffix(" stdout ----"))
            .filter(|name| failed(name) && !outputs.contains_key(*name));
        match (header, current) {
            (Some(name), _) => {
                outputs.insert(name.to_owned(), String::new());
                current = Some(name);
            }
            (None, Some(name)) => {
                if let Some(output) = outputs.get_mut(name) {
                    output.push_str(line);
                    output.push('\n');
                }
            }
            (None, None) => {}
        }
    }
    for output in outputs.values_mut() {
        output.truncate(output.trim_end().len());
        if !output.is_empty() {
            output.push('\n');
        }
    }
    outputs
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<WholeReport, String> {
        let mut report = HarnessReport::default();
        for line in text.lines() {
            report.line(line);
        }
        report.end()
    }

    #[test]
    fn a_report_is_read_to_its_end() {
        let report = read(
            "\nrunning 5 tests\n\
             test src/lib.rs - a (line 3) ... ok\n\
             test src/lib.rs - b (line 9) - compile fail ... FAILED\n\
             test src/lib.rs - slow (line 7) has been running for over 60 seconds\n\
             test src/lib.rs - c (line 15) ... ignored\n\
             test src/lib.rs - d (line 20) - compile ... ok\n\
             test src/lib.rs - e (line 25) ... FAILED\n\n\
             failures:\n\n\
             ---- src/lib.rs - b (line 9) stdout ----\n\
             error: x\n---- nobody stdout ----\n failures:\nfailures:\n\n\n\
             ---- src/lib.rs - e (line 25) stdout ----\n\n\
             failures:\n    src/lib.rs - b (line 9)\n    src/lib.rs - e (line 25)\n\n\
             test result: FAILED. 2 passed; 2 failed; 1 ignored; 0 measured; 7 filtered out; finished in 0.0s\n\n",
        )
        .unwrap();
        assert_eq!(report.filtered_out, 7);
        let lines: Vec<String> = report
            .tests
            .iter()
            .map(|test| format!("{} [{}] {:?}", test.name, test.mode, test.word))
            .collect();
        insta::assert_snapshot!(lines.join("\n"), @r"
        src/lib.rs - a (line 3) [] Ok
        src/lib.rs - b (line 9) [compile fail] Failed
        src/lib.rs - c (line 15) [] Ignored { reason: None }
        src/lib.rs - d (line 20) [compile] Ok
        src/lib.rs - e (line 25) [] Failed
        ");
        let output = &report.outputs["src/lib.rs - b (line 9)"];
        assert_eq!(
            output,
            "error: x\n---- nobody stdout ----\n failures:\nfailures:\n"
        );
        assert_eq!(report.outputs["src/lib.rs - e (line 25)"], "");
    }

    #[test]
    fn a_report_that_does_not_add_up_is_an_error() {
        let begun = "running 2 tests\ntest a ... ok\n";
        let result = "test result: ok. 1 passed; 0 failed; 0 ignored\n";
        for (text, expected) in [
            ("", "its report is incomplete"),
            (begun, "its report is incomplete"),
            (
                &format!("{begun}{result}"),
                "it announced 2 tests and reported 1",
            ),
            (
                &format!("{begun}test b ... ok\n{result}{begun}test b ... ok\n{result}"),
                "it announced 0 tests and reported 4",
            ),
        ] {
            assert_eq!(read(text).unwrap_err(), expected, "{text}");
        }
        assert!(HarnessReport::default().is_absent());
        assert_eq!(
            read(&format!("running 0 tests\n{result}")).unwrap().tests,
            []
        );
    }
}
