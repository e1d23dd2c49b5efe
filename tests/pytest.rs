//! `maelstrom-pytest` over small projects: outcomes, bad behaviour, and what one test can leave to
//! the next, with forked processes and with fresh ones.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

const FIXTURES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/pytest");

/// What a run said: each test's outcome and its reason, and the notices.
struct Told {
    outcomes: BTreeMap<String, (String, String)>,
    notices: Vec<String>,
}

impl Told {
    fn outcome(&self, title: &str) -> &str {
        let known = self.outcomes.get(title);
        &known
            .unwrap_or_else(|| panic!("no {title} among {:?}", self.outcomes))
            .0
    }

    fn reason(&self, title: &str) -> &str {
        &self.outcomes[title].1
    }
}

fn copy(from: &Path, to: &Path) {
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        if entry.file_type().unwrap().is_file() {
            fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
        }
    }
}

/// Runs the program over a copy of a fixture.
fn run(fixture: &str, arguments: &[&str]) -> Told {
    let project = tempfile::tempdir().unwrap();
    copy(&Path::new(FIXTURES).join(fixture), project.path());
    let record = project.path().join("record");
    let output = Command::new(env!("CARGO_BIN_EXE_maelstrom-pytest"))
        .args(["--ui=plain", "--record"])
        .arg(&record)
        .args(arguments)
        .current_dir(project.path())
        .output()
        .unwrap();
    let text = fs::read_to_string(&record).unwrap_or_else(|error| {
        panic!("{error}: {}", String::from_utf8_lossy(&output.stderr));
    });
    let mut told = Told {
        outcomes: BTreeMap::new(),
        notices: Vec::new(),
    };
    let mut titles = BTreeMap::new();
    for line in text.lines() {
        let event: Value = serde_json::from_str(line).unwrap();
        match event["event"].as_str().unwrap() {
            "discovered" => {
                for test in event["tests"].as_array().unwrap() {
                    let title = test["title"].as_str().unwrap().to_owned();
                    titles.insert(test["test"].as_u64().unwrap(), title);
                }
            }
            "finished" => {
                let title = titles[&event["test"].as_u64().unwrap()].clone();
                let outcome = &event["outcome"];
                let said = |key: &str| outcome[key].as_str().unwrap_or("").to_owned();
                let reason = said("reason") + &said("message");
                let before = told.outcomes.insert(title, (said("kind"), reason));
                assert_eq!(before, None);
            }
            "notice" => told
                .notices
                .push(event["text"].as_str().unwrap().to_owned()),
            _ => {}
        }
    }
    told
}

fn every_outcome_is_told(arguments: &[&str]) {
    let told = run("outcomes", arguments);
    let expected = [
        ("conftest.py", None),
        ("test_outcomes.py::Case::test_unit", Some("passed")),
        ("test_outcomes.py::TestBox::test_lid[[q]]", Some("passed")),
        ("test_outcomes.py::TestBox::test_lid[\\xe4]", Some("passed")),
        ("test_outcomes.py::TestBox::test_lid[a b]", Some("passed")),
        ("test_outcomes.py::TestBox::test_lid[x::y]", Some("passed")),
        ("test_outcomes.py::test_fails", Some("failed")),
        ("test_outcomes.py::test_fails_as_expected", Some("passed")),
        ("test_outcomes.py::test_from_conftest", Some("passed")),
        ("test_outcomes.py::test_outcomes.double", Some("passed")),
        ("test_outcomes.py::test_passes", Some("passed")),
        (
            "test_outcomes.py::test_passes_against_all_expectation",
            Some("failed"),
        ),
        ("test_outcomes.py::test_passes_unexpectedly", Some("passed")),
        ("test_outcomes.py::test_skipped_by_mark", Some("ignored")),
        ("test_outcomes.py::test_skips_itself", Some("ignored")),
        ("test_outcomes.py::test_with_broken_set_up", Some("failed")),
        (
            "test_outcomes.py::test_with_broken_tear_down",
            Some("failed"),
        ),
        ("test_skipped.py", Some("ignored")),
    ];
    for (title, outcome) in expected {
        let known = told.outcomes.get(title).map(|(kind, _)| kind.as_str());
        assert_eq!(known, outcome, "{title}: {:?}", told.outcomes);
    }
    assert_eq!(told.outcomes.len(), expected.len() - 1);
    let reasons = [
        ("test_fails", "AssertionError: numbers differ"),
        ("test_skipped_by_mark", "not today"),
        ("test_skips_itself", "not now"),
        (
            "test_passes_against_all_expectation",
            "[XPASS(strict)] known",
        ),
        (
            "test_with_broken_set_up",
            "error in set-up: RuntimeError: no set-up",
        ),
        (
            "test_with_broken_tear_down",
            "error in tear-down: RuntimeError: no tear-down",
        ),
    ];
    for (name, reason) in reasons {
        assert_eq!(told.reason(&format!("test_outcomes.py::{name}")), reason);
    }
    assert_eq!(told.reason("test_skipped.py"), "the whole file");
    assert_no_fallback(&told);
}

/// Forked tests really are forked: anything else is told.
fn assert_no_fallback(told: &Told) {
    let fallback = |notice: &&String| notice.contains("instead of");
    assert_eq!(told.notices.iter().find(fallback), None);
}

#[test]
fn every_outcome_is_told_by_forks() {
    every_outcome_is_told(&[]);
}

#[test]
fn every_outcome_is_told_by_fresh_processes() {
    every_outcome_is_told(&["--fresh"]);
}

fn bad_behaviour_hurts_nobody_else(arguments: &[&str]) -> Told {
    let arguments = [&["--collection-timeout=5"], arguments].concat();
    let told = run("bad", &arguments);
    let expected = [
        ("test_exits_at_once", "failed"),
        ("test_exits", "failed"),
        ("test_crashes", "failed"),
        ("test_forks", "passed"),
        ("test_leaves_a_daemon", "passed"),
        ("test_sees_no_daemon", "passed"),
        ("test_deletes_its_directory", "passed"),
        ("test_changes_signal_handlers", "passed"),
        ("test_changes_limits", "passed"),
        ("test_kills_every_process_it_can", "passed"),
        ("test_stops_every_process_it_can", "passed"),
    ];
    for (name, outcome) in expected {
        let title = format!("test_behaviour.py::{name}");
        assert_eq!(
            told.outcome(&title),
            outcome,
            "{name}: {}",
            told.reason(&title)
        );
    }
    assert_eq!(
        told.reason("test_behaviour.py::test_exits_at_once"),
        "its process ended before pytest had a result"
    );
    let files = [
        ("test_syntax.py", "pytest could not collect it"),
        ("test_hangs.py", "took longer than 5 s"),
        ("test_gone.py", "its import ended pytest with exit code 3"),
    ];
    for (file, reason) in files {
        assert_eq!(told.outcome(file), "error");
        assert!(told.reason(file).contains(reason), "{}", told.reason(file));
    }
    assert_eq!(told.outcome("test_thread.py::test_with_a_thread"), "passed");
    assert_eq!(told.outcomes.len(), expected.len() + files.len() + 1);
    told
}

#[test]
fn bad_behaviour_hurts_no_other_fork() {
    let told = bad_behaviour_hurts_nobody_else(&[]);
    let notice = "the tests in test_thread.py start a Python each instead of a fork: it starts a \
                  thread when it is imported";
    assert!(
        told.notices.iter().any(|told| told == notice),
        "{:?}",
        told.notices
    );
}

#[test]
fn bad_behaviour_hurts_no_other_process() {
    bad_behaviour_hurts_nobody_else(&["--fresh"]);
}

/// One slot, so that each test follows another in the same container.
fn nothing_is_left_to_the_next(arguments: &[&str]) {
    let told = run("poison", &[&["--slots=1"], arguments].concat());
    for number in 0..4 {
        let title = format!("test_poison.py::test_finds_nothing[{number}]");
        assert_eq!(told.outcome(&title), "passed", "{}", told.reason(&title));
    }
    assert_no_fallback(&told);
}

#[test]
fn a_fork_leaves_nothing_to_the_next() {
    nothing_is_left_to_the_next(&[]);
}

#[test]
fn a_process_leaves_nothing_to_the_next() {
    nothing_is_left_to_the_next(&["--fresh"]);
}
