//! Parses pytest's collection of tests.
//!
//! `runner.py collect` prints one JSON object per line: files as their import begins, files that
//! could not be collected, tests, and finally the session. A collection that ends in the middle of
//! a file (by a crash, a hang or `sys.exit`) has no session; [`CollectionReport::stopped_in`] names
//! that file, and the next collection ignores it. Pure.

use std::collections::BTreeMap;
use std::path::PathBuf;

use nix::sys::signal::Signal;
use serde::Deserialize;

use super::junit::{ReportFrame, Testcases};
use maelstrom_model::framework::CapturedOutput;
use maelstrom_model::job::{ExitStatus, JobOutcome};
use maelstrom_spec::filter::PastResults;

/// A test as pytest lists it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct PytestItem {
    pub node: String,
    /// The number of tests before it with the same node id.
    pub nth: u32,
    /// A word with which `runner.py` finds the test in another process, even if node ids are
    /// ambiguous or change.
    pub which: String,
    /// The group that it runs with, if any.
    #[serde(default)]
    pub group: Option<TestGroup>,
    /// Its file, relative to the project's directory.
    pub file: String,
    /// pytest's report name, such as `TestBox.test_lid`.
    pub name: String,
    /// The names of its own marks.
    pub markers: Vec<String>,
    /// The reason why its marks skip it, if they do.
    pub skip: Option<String>,
    /// What pytest would report of it, if its marks skip it and a report is wanted.
    #[serde(default)]
    pub testcases: Option<Testcases>,
    /// What earlier runs say of it, if a pattern asks for that.
    #[serde(skip)]
    pub past: Option<PastResults>,
}

/// A group of tests that depend on one another.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct TestGroup {
    pub name: String,
    pub reason: String,
    /// Whether the tests depend on the whole session rather than on their files.
    pub whole: bool,
    /// Whether the project wants the tests to share.
    #[serde(skip)]
    pub is_chosen: bool,
}

/// An option of pytest that is set and concerns a whole session.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct SessionOption {
    pub option: String,
    pub value: String,
    /// Whether it is on the command line rather than in `addopts`.
    pub typed: bool,
}

/// The facts about all tests of a collection.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct CollectionSession {
    /// The root directory, to which node ids are relative.
    pub root: PathBuf,
    pub settings: Option<PathBuf>,
    /// The number of tests that pytest itself deselected (`-k`, `-m`).
    pub deselected: u32,
    /// Arguments with which another process collects the same tests.
    #[serde(default)]
    pub again: Vec<String>,
    /// Options that concern a whole session.
    #[serde(default)]
    pub settled: Vec<SessionOption>,
    /// The report of all tests, if one is wanted.
    #[serde(default)]
    pub report: Option<ReportFrame>,
}

/// A file that could not be collected.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct BrokenFile {
    /// The file, relative to the project's directory.
    pub file: String,
    /// pytest's output about it.
    pub text: String,
}

/// A file that skips itself.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct SkippedFile {
    /// The file, relative to the project's directory.
    pub file: String,
    pub reason: String,
}

/// A reason why a process cannot be forked after it has collected.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct ForkObstacle {
    /// The file whose import causes it, if one does.
    pub file: Option<String>,
    pub reason: String,
}

/// Which files of the project its Python files import.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct ImportGraph {
    /// The files that each file imports. All paths are absolute, without symbolic links.
    pub files: BTreeMap<PathBuf, Vec<PathBuf>>,
    /// The files that had been loaded before the first file with tests was imported.
    #[serde(default)]
    pub early: Vec<PathBuf>,
}

#[derive(Debug, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
enum CollectionRecord {
    Begin { file: Option<String> },
    Broken(BrokenFile),
    Skipped(SkippedFile),
    Item(PytestItem),
    Unfit(ForkObstacle),
    Warning { text: String },
    Imports(ImportGraph),
    Session(CollectionSession),
    End {},
}

/// The output of one collection.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CollectionReport {
    /// The tests, in pytest's order.
    pub tests: Vec<PytestItem>,
    /// Files that could not be collected.
    pub broken: Vec<BrokenFile>,
    /// Files that skip themselves.
    pub skipped: Vec<SkippedFile>,
    /// Reasons why a process that has collected all files cannot be forked.
    pub unfit: Vec<ForkObstacle>,
    /// Warnings that were issued before the first test.
    pub warnings: Vec<String>,
    /// What the project's files import, if it was asked for.
    pub imports: Option<ImportGraph>,
    /// The facts about all tests; `None` if the collection did not complete.
    pub session: Option<CollectionSession>,
    /// The file that was being imported when the collection ended.
    pub stopped_in: Option<String>,
}

impl CollectionReport {
    /// Parses the output of `runner.py`. Ignores a truncated line, the last one of a process that
    /// was killed.
    pub fn read(stdout: &[u8]) -> CollectionReport {
        let mut listing = CollectionReport::default();
        let lines = stdout.split(|byte| *byte == b'\n');
        for line in lines.filter_map(|line| serde_json::from_slice(line).ok()) {
            match line {
                CollectionRecord::Begin { file } => listing.stopped_in = file,
                CollectionRecord::Broken(broken) => listing.broken.push(broken),
                CollectionRecord::Skipped(skipped) => listing.skipped.push(skipped),
                CollectionRecord::Item(test) => listing.tests.push(test),
                CollectionRecord::Unfit(unfit) => listing.unfit.push(unfit),
                CollectionRecord::Warning { text } => listing.warnings.push(text),
                CollectionRecord::Imports(imports) => listing.imports = Some(imports),
                CollectionRecord::Session(session) => {
                    listing.session = Some(session);
                    listing.stopped_in = None;
                }
                CollectionRecord::End {} => {}
            }
        }
        listing
    }
}

/// Describes how an incomplete collection ended. `limit` is the time limit for one file, in
/// seconds.
pub fn how_it_ended(captured: &CapturedOutput, limit: u64) -> String {
    match &captured.result.end {
        JobOutcome::Exited(ExitStatus::Code(code)) => {
            format!("its import ended pytest with exit code {code}")
        }
        // The alarm that `runner.py` sets.
        JobOutcome::Exited(ExitStatus::Signal { number, .. })
            if *number == Signal::SIGALRM as i32 =>
        {
            format!("its import took longer than {limit} s (--collection-timeout)")
        }
        JobOutcome::Exited(ExitStatus::Signal { number, .. }) => {
            let name = Signal::try_from(*number).map_or("unknown", Signal::as_str);
            format!("its import ended pytest by signal {number} ({name})")
        }
        JobOutcome::TimedOut => "pytest took too long to collect".to_owned(),
        JobOutcome::Cancelled => "the collection was stopped".to_owned(),
        JobOutcome::Error(message) => message.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_whole_collection_is_read() {
        let listing = CollectionReport::read(
            br#"{"kind": "begin", "file": "a.py"}
{"kind": "begin", "file": null}
{"kind": "broken", "file": "a.py", "text": "SyntaxError"}
{"kind": "skipped", "file": "c.py", "reason": "not here"}
{"kind": "item", "node": "b.py::f[\u00e4 b]", "nth": 0, "which": "0,0/1", "file": "b.py", "name": "f[\u00e4 b]", "markers": ["slow"], "skip": "no"}
{"kind": "unfit", "file": null, "reason": "threads"}
{"kind": "imports", "files": {"/w/b.py": ["/w/c.py"], "/w/c.py": []}, "early": ["/w/c.py"]}
{"kind": "session", "root": "/w", "settings": "/w/tox.ini", "pytest": "8.0", "deselected": 2}
{"kind": "end", "code": 1}
"#,
        );
        assert_eq!(listing.tests.len(), 1);
        assert_eq!(listing.tests[0].node, "b.py::f[\u{e4} b]");
        assert_eq!(listing.broken[0].text, "SyntaxError");
        assert_eq!(listing.skipped[0].file, "c.py");
        assert_eq!(listing.unfit[0].file, None);
        let imports = listing.imports.unwrap();
        assert_eq!((imports.files.len(), imports.early.len()), (2, 1));
        assert_eq!(listing.session.unwrap().deselected, 2);
        assert_eq!(listing.stopped_in, None);
    }

    #[test]
    fn the_file_in_which_a_collection_stopped_is_known() {
        let listing = CollectionReport::read(
            b"{\"kind\": \"begin\", \"file\": null}\n{\"kind\": \"begin\", \"file\": \"x.py\"}\n{\"ki",
        );
        assert_eq!(listing.stopped_in.as_deref(), Some("x.py"));
        assert_eq!(listing.session, None);
    }

    proptest! {
        #[test]
        fn anything_can_be_read(stdout: Vec<u8>) {
            prop_assert_eq!(CollectionReport::read(&stdout).session, None);
        }
    }
}
