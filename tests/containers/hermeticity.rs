//! Hermeticity (invariant 5), tested and not assumed: the tests of `tests/fixtures/hermetic` try to see the host
//! and one another, and this test prepares what they would find.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::support::EXECUTABLE;
use crate::support::files::{copy, tree};
use crate::support::traces::Traces;

const FIXTURE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/hermetic");

fn run_with(slots: &str) {
    let project = tempfile::tempdir().unwrap();
    copy(Path::new(FIXTURE), project.path());
    let traces = Traces::plant(slots);
    let mut command = Command::new(EXECUTABLE);
    command
        .args(["--no-tui", "--repeat", "3", "--slots", slots])
        .current_dir(project.path());
    traces.tell(&mut command);
    // Its lock file is made by the first build.
    let lock = Command::new("cargo")
        .arg("generate-lockfile")
        .current_dir(project.path())
        .status();
    assert!(lock.unwrap().success());
    let before = tree(project.path(), "target");
    let tests = before
        .iter()
        .find(|(path, _)| path.ends_with("src/lib.rs"))
        .map(|(_, source)| String::from_utf8_lossy(source).matches("#[test]").count())
        .unwrap();
    // The second run has a history of the first.
    for _ in 0..2 {
        let output = command.output().unwrap();
        let text = String::from_utf8_lossy(&output.stdout);
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{text}\n{errors}");
        assert!(text.contains(&format!("{tests} passed")), "{text}");
    }
    assert!(project.path().join("target/maelstrom/state").exists());
    assert_eq!(tree(project.path(), "target"), before);
    let variable = |name: &str| std::env::var_os(name).map(PathBuf::from);
    let below_home = || variable("HOME").map(|home| home.join(".cargo"));
    let cargo_home = variable("CARGO_HOME").or_else(below_home).unwrap();
    assert!(!cargo_home.join("registry/planted-by-a-test").exists());
}

#[test]
fn tests_that_follow_one_another_in_one_slot_see_nothing_of_each_other_or_the_host() {
    run_with("1");
}

#[test]
fn tests_that_run_side_by_side_see_nothing_of_each_other_or_the_host() {
    run_with("4");
}
