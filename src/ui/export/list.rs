//! Lists of tests: titles, one binary and name per line, or JSON in the manner of `cargo nextest list
//! --message-format json`.

use std::collections::BTreeMap;
use std::io::{self, Write};

use serde::Serialize;

use maelstrom_model::event::TestInfo;
use maelstrom_model::event::untrusted_text::clean;

use super::names::{ReportNames, RustBinary};

/// The form of a list of tests.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TestListFormat {
    /// The titles, one per line.
    #[default]
    Plain,
    /// The binary, package or file and the name of a test, separated by a space; one test per line.
    Oneline,
    /// One JSON object for all tests.
    Json,
}

/// A list of tests in the making.
#[derive(Debug)]
pub struct TestListWriter {
    format: TestListFormat,
    program: String,
    list: JsonList,
}

/// The JSON object.
#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "kebab-case")]
struct JsonList {
    test_count: u64,
    /// The suites by their ids, for programs other than cargo's.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    suites: BTreeMap<String, ListedSuite>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    rust_suites: BTreeMap<String, ListedSuite>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
struct ListedSuite {
    package_name: String,
    binary_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    binary_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    kind: Option<&'static str>,
    status: &'static str,
    /// The tests by their names.
    testcases: BTreeMap<String, ListedCase>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
struct ListedCase {
    kind: &'static str,
    title: String,
    ignored: bool,
    filter_match: FilterMatch,
}

/// Whether a test is selected: only those that are appear in a list.
#[derive(Debug, Serialize)]
struct FilterMatch {
    status: &'static str,
}

impl TestListWriter {
    /// Creates an empty list.
    pub fn new(format: TestListFormat) -> TestListWriter {
        TestListWriter {
            format,
            program: String::new(),
            list: JsonList::default(),
        }
    }

    /// Sets the program that lists its tests.
    pub fn program(&mut self, program: &str) {
        self.program = program.to_owned();
    }

    /// Adds tests: lines are written at once.
    pub fn add(&mut self, tests: &[TestInfo], out: &mut dyn Write) -> io::Result<()> {
        for test in tests {
            match self.format {
                TestListFormat::Plain => writeln!(out, "{}", clean(&test.title))?,
                TestListFormat::Oneline => {
                    let names = ReportNames::of(&self.program, test);
                    writeln!(out, "{} {}", clean(&names.suite), clean(&test.name))?;
                }
                TestListFormat::Json => self.insert(test),
            }
        }
        Ok(())
    }

    fn insert(&mut self, test: &TestInfo) {
        let id = ReportNames::of(&self.program, test).suite;
        let binary = (self.program == super::names::CARGO).then(|| RustBinary::of(test));
        let suites = match &binary {
            Some(_) => &mut self.list.rust_suites,
            None => &mut self.list.suites,
        };
        let suite = suites.entry(id.clone()).or_insert_with(|| ListedSuite {
            package_name: test.package.clone(),
            binary_id: id,
            kind: binary.as_ref().map(|binary| binary.kind),
            binary_name: binary.map(|binary| binary.name),
            status: "listed",
            testcases: BTreeMap::new(),
        });
        let case = ListedCase {
            kind: "test",
            title: test.title.clone(),
            ignored: test.ignored,
            filter_match: FilterMatch { status: "matches" },
        };
        suite.testcases.insert(test.name.clone(), case);
        self.list.test_count += 1;
    }

    /// Writes the end of the list.
    pub fn finish(&self, out: &mut dyn Write) -> io::Result<()> {
        match self.format {
            TestListFormat::Plain | TestListFormat::Oneline => Ok(()),
            TestListFormat::Json => {
                serde_json::to_writer(&mut *out, &self.list)?;
                out.write_all(b"\n")
            }
        }
    }
}
