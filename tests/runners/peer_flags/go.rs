//! The flags of `go test` and of the test binaries that it makes.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::num::NonZeroU32;

use maelstrom_model::error::help_of;
use maelstrom_runners::go::GoOptions;
use maelstrom_runners::go::peer_flags::{GO_TEST, TEST_BINARY};

use super::{flags_in_help, help_of_peer, hold, hold_document};
use crate::support::go::Project;

fn parse(words: &[&str]) -> Result<(), String> {
    let words = ["maelstrom-go-test"].iter().chain(words);
    let options = GoOptions::read(words.map(OsString::from)).map_err(|error| error.to_string())?;
    match options.resolve(NonZeroU32::MIN) {
        Ok(_) => Ok(()),
        Err(error) => Err(format!("{error}: {}", help_of(&error).unwrap_or_default())),
    }
}

#[test]
#[ignore = "needs Go"]
fn every_flag_of_go_test_means_what_the_table_says() {
    let topics = ["build", "test", "testflag"];
    let help: BTreeSet<String> = topics
        .iter()
        .flat_map(|topic| flags_in_help(&help_of_peer("go", &["help", topic])))
        .collect();
    hold(&GO_TEST, &help, parse);
}

#[test]
#[ignore = "needs Go"]
fn every_flag_of_a_test_binary_means_what_the_table_says() {
    let test = "package p\n\nimport \"testing\"\n\nfunc TestIt(t *testing.T) {}\n";
    let project = Project::of(&[("p_test.go", test)]);
    let made = project.go(&["test", "-c", "-o", "p.test"]);
    assert!(made.status.success(), "{made:?}");
    let binary = project.path().join("p.test");
    let help = help_of_peer(binary.to_str().unwrap(), &["-help"]);
    let flags = help.lines().filter(|line| line.starts_with("  -test."));
    let help = flags.filter_map(|line| line.split_whitespace().next());
    let help = help.map(str::to_owned).collect();
    hold(&TEST_BINARY, &help, parse);
}

#[test]
fn the_documentation_has_the_tables() {
    hold_document("docs/go.md", &[&GO_TEST]);
}
