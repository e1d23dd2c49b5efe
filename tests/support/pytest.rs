//! `maelstrom-pytest` over a copy of a fixture or over a project, and what it says of each test.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use super::files::{copy, tree};
use super::homes::Homes;

pub const FIXTURES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/pytest");

/// What a run said: each test's outcome and its reason, and the notices.
pub struct Told {
    /// By title.
    pub outcomes: BTreeMap<String, (String, String)>,
    pub notices: Vec<String>,
    pub code: Option<i32>,
}

impl Told {
    pub fn outcome(&self, title: &str) -> &str {
        let known = self.outcomes.get(title);
        &known
            .unwrap_or_else(|| panic!("no {title} among {:?}", self.outcomes))
            .0
    }

    pub fn reason(&self, title: &str) -> &str {
        &self.outcomes[title].1
    }
}

/// Runs the program over a copy of a fixture, which it leaves as it is.
pub fn run(fixture: &str, arguments: &[&str]) -> Told {
    let project = tempfile::tempdir().unwrap();
    copy(&Path::new(FIXTURES).join(fixture), project.path());
    let before = tree(project.path(), "");
    let homes = Homes::new();
    let record = homes.state().with_file_name("record");
    let mut command = Command::new(env!("CARGO_BIN_EXE_maelstrom-pytest"));
    homes.tell(&mut command);
    let output = command
        .args(["--ui=plain", "--record"])
        .arg(&record)
        .args(arguments)
        .env("IN_A_CONTAINER", "1")
        .current_dir(project.path())
        .output()
        .unwrap();
    assert_eq!(tree(project.path(), ""), before);
    let text = fs::read_to_string(&record).unwrap_or_else(|error| {
        panic!("{error}: {}", String::from_utf8_lossy(&output.stderr));
    });
    let mut told = Told {
        outcomes: BTreeMap::new(),
        notices: Vec::new(),
        code: output.status.code(),
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

/// What the program says in a directory, and its exit code.
pub fn said(
    directory: &Path,
    arguments: &[&str],
    adapt: impl FnOnce(&mut Command),
) -> (String, Option<i32>) {
    let homes = Homes::new();
    let mut command = Command::new(env!("CARGO_BIN_EXE_maelstrom-pytest"));
    homes.tell(&mut command);
    command
        .args(["--ui=plain", "--color=never"])
        .args(arguments)
        .current_dir(directory);
    adapt(&mut command);
    let output = command.output().unwrap();
    let told = [output.stdout, output.stderr].concat();
    (
        String::from_utf8_lossy(&told).into_owned(),
        output.status.code(),
    )
}
