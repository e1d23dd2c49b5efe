//! The table of `tests/leave_and_look` with a fork server: Python tests, each in a fork of one process
//! that stays in the container, leave each row's thing behind and look for it.

#[path = "support/executable.rs"]
#[allow(dead_code)] // Each test binary uses its own part.
mod executable;
#[path = "support/homes.rs"]
#[allow(dead_code)]
mod homes;
#[path = "leave_and_look/table.rs"]
#[allow(dead_code)]
mod table;

use std::fs;
use std::process::{Command, Stdio};

use homes::Homes;
use table::{Fate, Said, Time};

/// What is said goes to standard output, which a test that fails has in the report.
const TESTS: &str = r#"
import os
import subprocess

import pytest

COLLECTED_BY = os.getpid()

with open("rows") as rows:
    ROWS = rows.read().split()


@pytest.mark.parametrize("row", ROWS)
@pytest.mark.parametrize("verb", ["leave", "look"])
def test_row(row, verb):
    assert os.getpid() != COLLECTED_BY, "it is no fork"
    helper = os.path.abspath("helper")
    print("SAID", subprocess.run([helper, verb, row], stdout=subprocess.PIPE).stdout.decode())
    assert False, "so that it is told"
"#;

/// Each row is left by one test and looked for by the next, which pytest's order of parameters has
/// side by side: the decorator that stands last varies first.
#[test]
fn nothing_passes_from_fork_to_fork() {
    let project = tempfile::tempdir().unwrap();
    let at = |name: &str| project.path().join(name);
    executable::write_bytes(&at("helper"), table::program());
    let mut rows = table::rows(&at("helper"));
    // A test that is told has its descriptors captured by pytest, in files of its own; and what the
    // default container has no `tmp` mount for is not tried.
    rows.retain(|row| !row.needs.iter().any(|need| need == "added-tmp"));
    let names: Vec<&str> = rows.iter().map(|row| row.name.as_str()).collect();
    fs::write(at("rows"), names.join("\n")).unwrap();
    fs::write(at("content"), "as it was\n").unwrap();
    fs::write(at("present"), "").unwrap();
    fs::write(at("test_rows.py"), TESTS).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_maelstrom-pytest"));
    Homes::new().tell(&mut command);
    let output = command
        .args(["--no-tui", "--color=never", "--slots=1"])
        .current_dir(project.path())
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    let mut said = Said::default();
    for line in text
        .lines()
        .filter_map(|line| line.trim().strip_prefix("SAID "))
    {
        said.hear(line);
    }
    let wrong = |row| said.complaints(row, Time::AfterwardsUnchecked);
    let complaints: String = rows.iter().map(wrong).collect();
    assert!(complaints.is_empty(), "\n{complaints}\n{text}");
    assert!(rows.iter().any(|row| row.fate == Fate::Undone));
    assert!(!text.contains("it is no fork"), "{text}");
}
