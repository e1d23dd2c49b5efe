//! The JUnit report of pytest's own form (`--junitxml`), put together from the elements that pytest
//! makes in the process of each test (`testcases.py`).
//!
//! The file's frame is pytest's as well. Only the counts, the time and the host's name are filled in,
//! and elements of tests that ended without one are added. Pure, except for [`ReportFile`].

use std::collections::BTreeMap;
use std::fs::Permissions;
use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;
use tempfile::NamedTempFile;

/// The elements that pytest made in one process.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct Testcases {
    /// The `<testcase>` elements.
    cases: Vec<String>,
    counts: TestcaseCounts,
    /// The names and values that the suite has as properties.
    #[serde(default)]
    properties: Vec<(String, String)>,
}

/// pytest's counts of elements.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
struct TestcaseCounts {
    error: u64,
    failure: u64,
    skipped: u64,
    passed: u64,
    /// The tests that are counted twice.
    #[serde(default)]
    double: i64,
}

/// A report without tests, as pytest writes it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct ReportFrame {
    /// The file to write.
    pub path: PathBuf,
    /// Its text without tests.
    frame: String,
    /// The value of `--junit-prefix`.
    prefix: Option<String>,
    /// The elements of files that could not be collected.
    collected: Testcases,
}

/// The report of a round, while its tests run.
#[derive(Clone, Debug)]
pub struct JunitReport {
    frame: ReportFrame,
    /// The elements by the place of their test in pytest's order.
    tests: BTreeMap<usize, Vec<Testcases>>,
}

impl Testcases {
    /// Returns an element for what ended without one of pytest's.
    fn error(node: &str, prefix: Option<&str>, message: &str, text: &str) -> Testcases {
        let (class, name) = address(node, prefix);
        let case = format!(
            "<testcase classname=\"{}\" name=\"{}\" time=\"0.000\"><error message=\"{}\">{}</error>\
             </testcase>",
            escaped(&class),
            escaped(&name),
            escaped(message),
            escaped(text)
        );
        Testcases {
            cases: vec![case],
            counts: TestcaseCounts {
                error: 1,
                ..TestcaseCounts::default()
            },
            properties: Vec::new(),
        }
    }
}

impl JunitReport {
    pub fn new(frame: ReportFrame) -> JunitReport {
        JunitReport {
            frame,
            tests: BTreeMap::new(),
        }
    }

    /// Returns the file to write.
    pub fn path(&self) -> &Path {
        &self.frame.path
    }

    /// Adds the elements of an attempt at a test, whose place in pytest's order is `place`.
    pub fn add(&mut self, place: usize, testcases: Testcases) {
        self.tests.entry(place).or_default().push(testcases);
    }

    /// Adds an element for an attempt that ended before pytest had one.
    pub fn add_error(&mut self, place: usize, node: &str, message: &str, text: &str) {
        let prefix = self.frame.prefix.clone();
        self.add(
            place,
            Testcases::error(node, prefix.as_deref(), message, text),
        );
    }

    /// Adds an element for a file whose import ended the collection.
    pub fn add_broken(&mut self, file: &str, text: &str) {
        let error = Testcases::error(
            file,
            self.frame.prefix.as_deref(),
            "collection failure",
            text,
        );
        let Testcases { cases, counts, .. } = error;
        self.frame.collected.cases.extend(cases);
        self.frame.collected.counts.error += counts.error;
    }

    /// Returns the text of the file, and removes the elements of the tests, for the next round.
    pub fn take_text(&mut self, took: Duration, host: &str) -> String {
        let tests = std::mem::take(&mut self.tests);
        let all = || {
            [&self.frame.collected]
                .into_iter()
                .chain(tests.values().flatten())
        };
        let count = |of: fn(&TestcaseCounts) -> u64| all().map(|one| of(&one.counts)).sum::<u64>();
        let (errors, failures) = (count(|counts| counts.error), count(|counts| counts.failure));
        let (skipped, passed) = (
            count(|counts| counts.skipped),
            count(|counts| counts.passed),
        );
        let double: i64 = all().map(|one| one.counts.double).sum();
        let number = (errors + failures + skipped + passed).saturating_add_signed(-double);
        let mut text = self.frame.frame.clone();
        for (name, value) in [
            ("errors", errors.to_string()),
            ("failures", failures.to_string()),
            ("skipped", skipped.to_string()),
            ("tests", number.to_string()),
            ("time", format!("{:.3}", took.as_secs_f64())),
            ("hostname", escaped(host)),
        ] {
            set_attribute(&mut text, name, &value);
        }
        let mut inside = String::new();
        let mut properties: Vec<&(String, String)> = Vec::new();
        for property in all().flat_map(|one| &one.properties) {
            if !properties.contains(&property) {
                properties.push(property);
            }
        }
        if !properties.is_empty() {
            inside.push_str("<properties>");
            for (name, value) in properties {
                let (name, value) = (escaped(name), escaped(value));
                inside.push_str(&format!("<property name=\"{name}\" value=\"{value}\" />"));
            }
            inside.push_str("</properties>");
        }
        inside.extend(all().flat_map(|one| &one.cases).map(String::as_str));
        fill(&text, &inside)
    }
}

/// Returns the class and the name that pytest gives a node id.
fn address(node: &str, prefix: Option<&str>) -> (String, String) {
    let (path, parameters) = match node.find('[') {
        Some(start) => node.split_at(start),
        None => (node, ""),
    };
    let mut names = path.split("::");
    let file = names.next().unwrap_or_default().replace('/', ".");
    let file = file.strip_suffix(".py").unwrap_or(&file).to_owned();
    let mut names: Vec<String> = [file].into_iter().chain(names.map(str::to_owned)).collect();
    let name = names.pop().unwrap_or_default() + parameters;
    if let Some(prefix) = prefix.filter(|prefix| !prefix.is_empty()) {
        names.insert(0, prefix.to_owned());
    }
    (names.join("."), name)
}

/// Returns a text as part of an XML document. As pytest does it, characters that a document cannot
/// contain are written as `#x1B`.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\t' | '\n' | ' '..='\u{7e}' | '\u{80}'..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' => {
                escaped.push(character);
            }
            '\u{10000}'..='\u{10ffff}' => escaped.push(character),
            other => escaped.push_str(&format!("#x{:02X}", u32::from(other))),
        }
    }
    escaped
}

/// Replaces the value of an attribute of the element `testsuite`.
fn set_attribute(text: &mut String, name: &str, value: &str) {
    let mark = format!(" {name}=\"");
    let Some(element) = text.find("<testsuite ") else {
        return;
    };
    let begin = text.get(element..).and_then(|rest| rest.find(&mark));
    let Some(begin) = begin.map(|begin| element + begin + mark.len()) else {
        return;
    };
    if let Some(length) = text.get(begin..).and_then(|rest| rest.find('"')) {
        text.replace_range(begin..begin + length, value);
    }
}

/// Returns the frame with these elements in the element `testsuite`, which is empty.
fn fill(frame: &str, inside: &str) -> String {
    let element = frame.find("<testsuite ").unwrap_or(frame.len());
    let (before, suite) = frame.split_at(element);
    match suite.split_once("/>") {
        Some((suite, after)) if !inside.is_empty() => {
            format!("{before}{}>{inside}</testsuite>{after}", suite.trim_end())
        }
        Some(_) | None => frame.to_owned(),
    }
}

/// A file that replaces the report when it is complete.
#[derive(Debug)]
pub struct ReportFile(NamedTempFile);

impl ReportFile {
    /// Creates a file beside `path`, and the directory of both.
    pub fn begin(path: &Path) -> io::Result<ReportFile> {
        if path.is_dir() {
            return Err(io::ErrorKind::IsADirectory.into());
        }
        let directory = path.parent().unwrap_or(Path::new("/"));
        std::fs::create_dir_all(directory)?;
        let mut builder = tempfile::Builder::new();
        // Those of a new file: the mask of the process still takes from them.
        builder
            .prefix(".junit-")
            .permissions(Permissions::from_mode(0o666));
        builder.tempfile_in(directory).map(ReportFile)
    }

    /// Writes the file and renames it to `path`.
    pub fn finish(mut self, path: &Path, text: &str) -> io::Result<()> {
        self.0.write_all(text.as_bytes())?;
        self.0.flush()?;
        self.0.persist(path)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FRAME: &str = "<?xml version=\"1.0\" encoding=\"utf-8\"?><testsuites name=\"pytest tests\">\
                         <testsuite name=\"errors=&quot;\" errors=\"0\" failures=\"0\" skipped=\"0\" \
                         tests=\"0\" time=\"0.000\" timestamp=\"2026\" hostname=\"box\" /></testsuites>";

    fn frame() -> ReportFrame {
        ReportFrame {
            path: "/w/r.xml".into(),
            frame: FRAME.to_owned(),
            prefix: Some("pre".to_owned()),
            collected: Testcases::default(),
        }
    }

    fn testcases(case: &str, counts: TestcaseCounts) -> Testcases {
        Testcases {
            cases: vec![case.to_owned()],
            counts,
            properties: vec![("a".to_owned(), "b&amp;".replace("&amp;", "&"))],
        }
    }

    #[test]
    fn elements_are_put_together_in_pytests_order() {
        let mut report = JunitReport::new(frame());
        let failed = TestcaseCounts {
            failure: 1,
            error: 1,
            double: 1,
            ..TestcaseCounts::default()
        };
        let passed = TestcaseCounts {
            passed: 1,
            ..TestcaseCounts::default()
        };
        report.add(7, testcases("<b />", failed));
        report.add(2, testcases("<a />", passed));
        report.add_error(3, "t/x.py::T::f[a/b::c\u{1b}]", "why \"", "more <");
        report.add_broken("t/bad.py", "exit");
        let text = report.take_text(Duration::from_millis(1234), "host");
        assert_eq!(
            text,
            "<?xml version=\"1.0\" encoding=\"utf-8\"?><testsuites name=\"pytest tests\"><testsuite \
             name=\"errors=&quot;\" errors=\"3\" failures=\"1\" skipped=\"0\" tests=\"4\" \
             time=\"1.234\" timestamp=\"2026\" hostname=\"host\"><properties><property name=\"a\" \
             value=\"b&amp;\" /></properties><testcase classname=\"pre\" name=\"t.bad\" \
             time=\"0.000\"><error message=\"collection failure\">exit</error></testcase><a />\
             <testcase classname=\"pre.t.x.T\" name=\"f[a/b::c#x1B]\" time=\"0.000\"><error \
             message=\"why &quot;\">more &lt;</error></testcase><b /></testsuite></testsuites>"
        );
        // The next round begins with what was collected.
        assert!(
            report
                .take_text(Duration::ZERO, "host")
                .contains("tests=\"1\"")
        );
    }

    #[test]
    fn a_report_without_tests_is_pytests_own() {
        let mut report = JunitReport::new(frame());
        assert_eq!(report.take_text(Duration::ZERO, "box"), FRAME);
    }

    #[test]
    fn a_file_is_replaced_as_a_whole() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("sub/r.xml");
        let file = ReportFile::begin(&path).unwrap();
        assert!(!path.exists());
        file.finish(&path, "text").unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "text");
        assert!(ReportFile::begin(directory.path()).is_err());
        assert!(ReportFile::begin(&path.join("below")).is_err());
        let left = std::fs::read_dir(path.parent().unwrap()).unwrap();
        assert_eq!(left.count(), 1);
    }
}
