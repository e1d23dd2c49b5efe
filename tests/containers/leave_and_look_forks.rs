//! The table of `tests/leave_and_look` with a fork server: Python tests, each a fork of one process that
//! stays in the container, leave each row's thing behind and look for it.

use crate::leave_and_look::table;
use crate::support::{executable, homes};
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use homes::Homes;
use serde_json::Value;
use table::{Row, Said, Time};

/// How many rows one test leaves. A container that does not serve again costs a new Python, so a test
/// for each row would take a minute; rows beside each other are of one subject, and leave the same
/// kind of thing.
const ROWS_AT_ONCE: usize = 5;

/// A test that looks comes right after the one that leaves.
const TESTS: &str = r#"
import os
import subprocess

import pytest

COLLECTED_BY = os.getpid()

with open("rows") as rows:
    GROUPS = [line.split() for line in rows]


@pytest.mark.parametrize("verb,rows", [(verb, rows) for rows in GROUPS for verb in ("leave", "look")])
def test_rows(verb, rows):
    assert os.getpid() != COLLECTED_BY, "it is no fork"
    print(flush=True)
    for row in rows:
        subprocess.run([os.path.abspath("helper"), verb, row])
"#;

fn project(rows: &[Row]) -> tempfile::TempDir {
    let project = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| fs::write(project.path().join(name), text).unwrap();
    let groups = rows.chunks(ROWS_AT_ONCE).map(|rows| {
        let names: Vec<&str> = rows.iter().map(|row| row.name.as_str()).collect();
        names.join(" ")
    });
    write("rows", &groups.collect::<Vec<_>>().join("\n"));
    for (name, text) in table::FILES {
        write(name, text);
    }
    write("test_rows.py", TESTS);
    executable::write_bytes(&project.path().join("helper"), table::program());
    project
}

/// The rows that the default container has what they need for.
fn rows() -> Vec<Row> {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("helper");
    executable::write_bytes(&path, table::program());
    let mut rows = table::rows(&path);
    rows.retain(|row| !row.needs.iter().any(|need| need == "added-tmp"));
    rows
}

/// What the tests of a recorded run wrote, in the order in which they began.
fn written(record: &Path) -> String {
    let mut texts: BTreeMap<u64, String> = BTreeMap::new();
    let mut order = Vec::new();
    for line in fs::read_to_string(record).unwrap().lines() {
        let event: Value = serde_json::from_str(line).unwrap();
        let test = event["test"].as_u64().unwrap_or_default();
        match event["event"].as_str().unwrap() {
            "started" => order.push(test),
            "output" if event["stream"] == "joined" => {
                let text = event["text"].as_str().unwrap_or_default();
                texts.entry(test).or_default().push_str(text);
            }
            _ => {}
        }
    }
    let text = |test: &u64| texts.get(test).cloned().unwrap_or_default();
    order.iter().map(text).collect()
}

#[test]
#[ignore = "needs Python with pytest"]
fn nothing_passes_from_fork_to_fork() {
    let rows = rows();
    let project = project(&rows);
    let homes = Homes::new();
    let record = homes.state().with_file_name("record");
    let mut command = Command::new(env!("CARGO_BIN_EXE_maelstrom-pytest"));
    homes.tell(&mut command);
    let output = command
        .args(["--ui=plain", "--slots=1", "--record"])
        .arg(&record)
        .args(["--", "-s"])
        .current_dir(project.path())
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{told}");
    let mut said = Said::default();
    let mut left: Vec<String> = Vec::new();
    for line in written(&record).lines() {
        let mut words = line.split(' ');
        match (words.next(), words.next()) {
            (Some("leave"), Some(row)) => left.push(row.to_owned()),
            (Some("look"), Some(row)) => assert!(
                left.iter().rev().take(ROWS_AT_ONCE).any(|one| one == row),
                "it was not left right before: {line}"
            ),
            _ => continue,
        }
        said.hear(line);
    }
    let wrong = |row| said.complaints(row, Time::AfterwardsUnchecked);
    let complaints: String = rows.iter().map(wrong).collect();
    assert!(complaints.is_empty(), "\n{complaints}\n{told}");
}
