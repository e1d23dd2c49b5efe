//! The table of what a job may leave behind, and what is said of each row.
//!
//! The rows stand in `tests/fixtures/leave-and-look`, beside the code that leaves and looks.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;
use std::sync::OnceLock;

const SOURCES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/leave-and-look");

/// The files of the project that rows change, and what is in them.
pub const FILES: [(&str, &str); 4] = [
    ("content", "as it was\n"),
    ("present", ""),
    ("replaced", ""),
    ("linked", ""),
];

/// What becomes of what a row leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// A job may leave it; no other job finds it.
    Undone,
    /// No job may leave it.
    Refused,
    /// One of the two, depending on the kernel, the user or the container.
    Either,
    /// A job may leave it; it is undone at the job's end, and seen by others until then.
    Shared,
}

/// One row.
#[derive(Clone, Debug)]
pub struct Row {
    pub name: String,
    pub fate: Fate,
    /// What it needs in its container.
    pub needs: Vec<String>,
    /// The refusal itself is what is looked for: nothing could be found afterwards.
    pub is_refusal_alone: bool,
}

/// The program that leaves and looks, linked statically: it runs where there is nothing else.
pub fn program() -> &'static [u8] {
    static PROGRAM: OnceLock<Vec<u8>> = OnceLock::new();
    PROGRAM.get_or_init(|| {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("helper");
        let mut sources: Vec<_> = std::fs::read_dir(SOURCES)
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .filter(|path| path.extension().is_some_and(|extension| extension == "c"))
            .collect();
        sources.sort();
        let output = Command::new("cc")
            .args(["-static", "-pthread", "-o"])
            .arg(&path)
            .args(sources)
            .output()
            .expect("a C compiler, as Rust needs one");
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{errors}");
        std::fs::read(path).unwrap()
    })
}

/// All rows, by asking the program at this path.
pub fn rows(program: &Path) -> Vec<Row> {
    let output = Command::new(program).arg("list").output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines().map(row).collect()
}

fn row(line: &str) -> Row {
    let columns: Vec<&str> = line.split('\t').collect();
    let [_, name, fate, needs, left_by, looked_for_by] = columns[..] else {
        panic!("no row of six columns: {line}");
    };
    assert!(!left_by.is_empty() && !looked_for_by.is_empty(), "{line}");
    Row {
        name: name.to_owned(),
        fate: match fate {
            "undone" => Fate::Undone,
            "refused" => Fate::Refused,
            "either" => Fate::Either,
            "shared" => Fate::Shared,
            other => panic!("no fate: {other}"),
        },
        needs: needs.split_whitespace().map(str::to_owned).collect(),
        is_refusal_alone: looked_for_by == "the refusal alone",
    }
}

/// When a job looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Time {
    /// When the job that leaves has ended; a third one has left and found it.
    Afterwards,
    /// The same without the third.
    AfterwardsUnchecked,
    /// While the job that leaves goes on.
    Meanwhile,
}

/// What jobs have said: for each verb and row, the outcome and the text.
#[derive(Debug, Default)]
pub struct Said(BTreeMap<(String, String), (String, String)>);

impl Said {
    /// Takes a line that a job has written.
    pub fn hear(&mut self, line: &str) {
        let words: Vec<&str> = line.splitn(4, ' ').collect();
        let [verb, row, outcome, text] = words[..] else {
            panic!("no line of the program's: {line}");
        };
        let key = (verb.to_owned(), row.to_owned());
        let before = self.0.insert(key, (outcome.to_owned(), text.to_owned()));
        assert!(before.is_none(), "it was said twice: {line}");
    }

    /// What is wrong with what was said of a row.
    pub fn complaints(&self, row: &Row, time: Time) -> String {
        let (leave, look, check) = match time {
            Time::Afterwards => ("leave", "look", Some("check")),
            Time::AfterwardsUnchecked => ("leave", "look", None),
            Time::Meanwhile => ("hold", "watch", None),
        };
        let mut complaints = String::new();
        let mut said = |verb: &str, expected: &dyn Fn(&str) -> bool| {
            let key = (verb.to_owned(), row.name.clone());
            let (outcome, text) = match self.0.get(&key) {
                Some((outcome, text)) => (outcome.as_str(), text.as_str()),
                None => ("", "nothing"),
            };
            if !expected(outcome) {
                let fate = row.fate;
                writeln!(
                    complaints,
                    "{} ({fate:?}): {verb}: {outcome} {text}",
                    row.name
                )
                .unwrap();
            }
            outcome.to_owned()
        };
        said(leave, &|outcome| match row.fate {
            Fate::Undone => outcome == "done",
            Fate::Refused => outcome == "denied",
            // Of what is shared somebody else may have a part already.
            Fate::Either | Fate::Shared => outcome == "done" || outcome == "denied",
        });
        let is_shared = row.fate == Fate::Shared && time == Time::Meanwhile;
        said(look, &|outcome| match is_shared {
            true => outcome == "found" || outcome == "done",
            false => outcome == "done",
        });
        // A look that finds nothing where there is something would show nothing above.
        if let Some(check) = check {
            let is_left = |outcome: &str| match row.is_refusal_alone {
                true => outcome == "done",
                false => outcome == "found",
            };
            said(check, &|outcome| match row.fate {
                Fate::Undone => is_left(outcome),
                Fate::Refused => outcome == "denied",
                Fate::Either | Fate::Shared => is_left(outcome) || outcome == "denied",
            });
        }
        complaints
    }
}
