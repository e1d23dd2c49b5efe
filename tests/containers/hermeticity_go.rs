//! Hermeticity (invariant 5) of Go's tests: those of `tests/fixtures/hermetic-go` try to see the host
//! and one another, and this test prepares what they would find.

use std::path::Path;
use std::process::Command;

use crate::support::files::{copy, tree};
use crate::support::go::EXECUTABLE;
use crate::support::homes::Homes;
use crate::support::traces::Traces;

const FIXTURE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/hermetic-go");

fn run_with(slots: &str) {
    let project = tempfile::tempdir().unwrap();
    copy(Path::new(FIXTURE), project.path());
    let traces = Traces::plant(&format!("go-{slots}"));
    let mut command = Command::new(EXECUTABLE);
    command
        .args(["--no-tui", "--repeat", "3", "--slots", slots])
        .current_dir(project.path())
        .env("GOTOOLCHAIN", "local");
    traces.tell(&mut command);
    let homes = Homes::new();
    homes.tell(&mut command);
    let state = homes.state();
    command.env("HOST_STATE", &state);
    let before = tree(project.path(), "");
    let source = before
        .iter()
        .find(|(path, _)| path.ends_with("hermetic_test.go"));
    let source = source.map(|(_, source)| String::from_utf8_lossy(source));
    let tests = source.unwrap().matches("\nfunc Test").count();
    // The second run has a history of the first.
    for _ in 0..2 {
        let output = command.output().unwrap();
        let text = String::from_utf8_lossy(&output.stdout);
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{text}\n{errors}");
        assert!(text.contains(&format!("{tests} passed")), "{text}");
    }
    let state = Homes::of_project(&state, "maelstrom-go-test");
    assert!(state.join("test-listing.toml").exists());
    assert_eq!(tree(project.path(), ""), before);
}

#[test]
#[ignore = "needs Go"]
fn tests_that_follow_one_another_in_one_slot_see_nothing_of_each_other_or_the_host() {
    run_with("1");
}

#[test]
#[ignore = "needs Go"]
fn tests_that_run_side_by_side_see_nothing_of_each_other_or_the_host() {
    run_with("4");
}
