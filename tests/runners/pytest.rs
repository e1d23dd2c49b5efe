//! `maelstrom-pytest` over small projects: outcomes, bad behavior, and what one test can leave to
//! the next, with forked processes and with fresh ones.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::support::executable;
use crate::support::files::copy;
use crate::support::pytest::{FIXTURES, Told, run, said};
use maelstrom_model::exit_code;

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
#[ignore = "needs Python with pytest"]
fn every_outcome_is_told_by_forks() {
    every_outcome_is_told(&[]);
}

#[test]
#[ignore = "needs Python with pytest"]
fn every_outcome_is_told_by_fresh_processes() {
    every_outcome_is_told(&["--fresh"]);
}

fn bad_behavior_hurts_nobody_else(arguments: &[&str]) -> Told {
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
        let title = format!("test_behavior.py::{name}");
        assert_eq!(
            told.outcome(&title),
            outcome,
            "{name}: {}",
            told.reason(&title)
        );
    }
    assert_eq!(
        told.reason("test_behavior.py::test_exits_at_once"),
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
#[ignore = "needs Python with pytest"]
fn bad_behavior_hurts_no_other_fork() {
    let told = bad_behavior_hurts_nobody_else(&[]);
    let notice = "the tests in test_thread.py start a Python each instead of a fork: it starts a \
                  thread when it is imported";
    assert!(
        told.notices.iter().any(|told| told == notice),
        "{:?}",
        told.notices
    );
}

#[test]
#[ignore = "needs Python with pytest"]
fn bad_behavior_hurts_no_other_process() {
    bad_behavior_hurts_nobody_else(&["--fresh"]);
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
#[ignore = "needs Python with pytest"]
fn a_fork_leaves_nothing_to_the_next() {
    nothing_is_left_to_the_next(&[]);
}

#[test]
#[ignore = "needs Python with pytest"]
fn a_process_leaves_nothing_to_the_next() {
    nothing_is_left_to_the_next(&["--fresh"]);
}

/// What is written while tests are collected belongs to each of them.
fn everybody_finds_what_was_written_at_import(arguments: &[&str]) {
    let told = run("heritage", &[&["--slots=1"], arguments].concat());
    for number in 0..4 {
        let title = format!("test_heritage.py::test_finds_what_was_written[{number}]");
        assert_eq!(told.outcome(&title), "passed", "{}", told.reason(&title));
    }
    assert_no_fallback(&told);
}

#[test]
#[ignore = "needs Python with pytest"]
fn a_fork_finds_what_was_written_at_import() {
    everybody_finds_what_was_written_at_import(&[]);
}

#[test]
#[ignore = "needs Python with pytest"]
fn a_process_finds_what_was_written_at_import() {
    everybody_finds_what_was_written_at_import(&["--fresh"]);
}

/// The fixture notices what it is there to notice: where every test runs in one process, all but the
/// first fail.
#[test]
#[ignore = "needs Python with pytest"]
fn tests_of_one_process_find_what_others_have_left() {
    let project = tempfile::tempdir().unwrap();
    copy(&Path::new(FIXTURES).join("poison"), project.path());
    let output = Command::new("python3")
        .args(["-m", "pytest", "-q", "-p", "no:cacheprovider"])
        .env("HOME", project.path())
        .env("TMPDIR", project.path())
        .env_remove("IN_A_CONTAINER")
        .current_dir(project.path())
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&output.stdout);
    assert!(told.contains("3 failed, 1 passed"), "{told}");
}

#[test]
#[ignore = "needs Python with pytest"]
fn a_file_that_cannot_be_collected_fails_the_run_and_no_other_file() {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("test_odd.py"), "def test_odd(:\n").unwrap();
    let good = "def test_good():\n    pass\n";
    fs::write(directory.path().join("test_good.py"), good).unwrap();
    let (told, code) = said(directory.path(), &[], |_| {});
    assert!(told.contains("1 passed, 0 failed, 1 error"), "{told}");
    assert!(told.contains("SyntaxError"), "{told}");
    assert_eq!(code, Some(i32::from(exit_code::TEST_FAILURE)), "{told}");
}

/// Runs two tests, and counts the containers that were made for that.
fn containers_of_two_tests(slots: &str) -> usize {
    let directory = tempfile::tempdir().unwrap();
    let tests = "def test_one():\n    pass\n\n\ndef test_two():\n    pass\n";
    fs::write(directory.path().join("test_them.py"), tests).unwrap();
    let (told, code) = said(directory.path(), &[slots, "-L", "debug"], |_| {});
    assert_eq!(code, Some(0), "{told}");
    assert!(told.contains("2 passed"), "{told}");
    told.matches("a container was made").count()
}

#[test]
#[ignore = "needs Python with pytest"]
fn what_lists_the_tests_forks_them() {
    assert_eq!(containers_of_two_tests("--slots=1"), 1);
}

#[test]
#[ignore = "needs Python with pytest"]
fn what_the_other_slots_make_ready_meanwhile_is_not_made_again() {
    assert_eq!(containers_of_two_tests("--slots=3"), 3);
}

/// Each test takes the same port, and the project uses the network when it is imported and has a
/// plugin's server beside it.
#[test]
#[ignore = "needs Python with pytest"]
fn tests_that_use_the_network_are_forked_in_one_container() {
    let directory = tempfile::tempdir().unwrap();
    copy(&Path::new(FIXTURES).join("network"), directory.path());
    let arguments = ["--slots=1", "-L", "debug"];
    let (told, code) = said(directory.path(), &arguments, |_| {});
    assert_eq!(code, Some(0), "{told}");
    assert!(told.contains("12 passed"), "{told}");
    assert!(!told.contains("instead of"), "{told}");
    assert_eq!(told.matches("a container was made").count(), 1, "{told}");
}

/// What the program says when it gives up before there is a test, and its exit code.
fn refusal(directory: &Path, arguments: &[&str]) -> (String, Option<i32>) {
    said(directory, arguments, |command| {
        command.env_remove("VIRTUAL_ENV").env("PATH", directory);
    })
}

/// A program that answers as an interpreter would, with this version and this pytest.
fn pretender(directory: &Path, version: &str, pytest: &str) {
    let script = format!(
        r#"#!/bin/sh
echo '{{"executable": "/old/python", "version": [{version}, 0], "implementation": "cpython",
    "pytest": {pytest}, "directories": []}}'
"#
    );
    let path = directory.join("pretender");
    executable::write(&path, &script);
}

#[test]
#[ignore = "needs Python with pytest"]
fn a_machine_without_the_right_python_is_told_what_is_missing() {
    let directory = tempfile::tempdir().unwrap();
    let place = directory.path();
    let (told, code) = refusal(place, &[]);
    assert!(told.contains("can't start `python3`"), "{told}");
    assert!(told.contains("--python"), "{told}");
    assert_eq!(code, Some(i32::from(exit_code::INFRASTRUCTURE)));
    let versions = [
        (
            "3, 8",
            "\"8.0\"",
            "cpython 3.8.0; CPython 3.9 or newer is needed",
        ),
        ("3, 12", "null", "/old/python has no pytest"),
        ("3, 12", "\"6.2\"", "has pytest 6.2; 7.0 or newer is needed"),
    ];
    for (version, pytest, expected) in versions {
        pretender(place, version, pytest);
        let (told, code) = refusal(place, &["--python=./pretender"]);
        assert!(told.contains(expected), "{told}");
        assert_eq!(code, Some(i32::from(exit_code::INFRASTRUCTURE)));
    }
}
