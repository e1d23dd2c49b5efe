//! Runs `maelstrom-go-test` on copies of the Go projects among the fixtures.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use super::files::copy;
use super::homes::Homes;

pub const EXECUTABLE: &str = env!("CARGO_BIN_EXE_maelstrom-go-test");

const FIXTURES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/go");

/// A copy of a project of the fixtures, to be run on.
pub struct Project {
    pub directory: tempfile::TempDir,
    pub homes: Homes,
}

/// What a run left.
#[derive(Debug)]
pub struct Ran {
    pub code: Option<i32>,
    /// How each test ended, by its title.
    pub ends: BTreeMap<String, String>,
    /// What was recorded, line by line.
    pub events: Vec<serde_json::Value>,
    pub stdout: String,
    pub stderr: String,
}

impl Project {
    pub fn new(name: &str) -> Project {
        let directory = tempfile::tempdir().unwrap();
        copy(&Path::new(FIXTURES).join(name), directory.path());
        Project {
            directory,
            homes: Homes::new(),
        }
    }

    /// A project of these files, the module `example.com/m` unless they say otherwise.
    pub fn of(files: &[(&str, &str)]) -> Project {
        let directory = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| {
            let path = directory.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        write("go.mod", "module example.com/m\n\ngo 1.20\n");
        for (name, text) in files {
            write(name, text);
        }
        Project {
            directory,
            homes: Homes::new(),
        }
    }

    pub fn path(&self) -> &Path {
        self.directory.path()
    }

    /// The program, about to be called here with these words.
    pub fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(EXECUTABLE);
        command
            .args(words)
            .current_dir(self.path())
            .env_remove("GOFLAGS")
            .env("GOTOOLCHAIN", "local")
            .env("GOPROXY", "off");
        self.homes.tell(&mut command);
        command
    }

    /// Runs Go itself here.
    pub fn go(&self, words: &[&str]) -> Output {
        let mut command = Command::new("go");
        command
            .args(words)
            .current_dir(self.path())
            .env_remove("GOFLAGS")
            .env("GOTOOLCHAIN", "local")
            .env("GOPROXY", "off");
        command.output().unwrap()
    }

    /// Runs the tests that these words choose.
    pub fn run(&self, words: &[&str]) -> Ran {
        self.run_as(words, |_| {})
    }

    /// The same, of a command that is changed first.
    pub fn run_as(&self, words: &[&str], change: impl FnOnce(&mut Command)) -> Ran {
        let keep = tempfile::tempdir().unwrap();
        let record = keep.path().join("record");
        let mut command = self.command(&["--ui=plain", "--color=never", "--record"]);
        command.arg(&record).args(words);
        change(&mut command);
        let output = command.output().unwrap();
        let recorded = fs::read_to_string(&record).unwrap_or_default();
        let events: Vec<serde_json::Value> = recorded
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        Ran {
            code: output.status.code(),
            ends: ends(&events),
            events,
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }
}

impl Ran {
    /// How a test ended, asserted to be known.
    pub fn end(&self, title: &str) -> &str {
        match self.ends.get(title) {
            Some(end) => end,
            None => panic!("no {title}: {self:#?}"),
        }
    }

    pub fn titles(&self) -> Vec<&str> {
        self.ends.keys().map(String::as_str).collect()
    }

    /// What a test wrote, as far as a person is shown it.
    pub fn output(&self, title: &str) -> String {
        let id = self.id(title);
        let of_test =
            |event: &&serde_json::Value| event["event"] == "output" && event["test"] == id;
        let outputs = self.events.iter().filter(of_test);
        outputs.map(|event| text(&event["text"])).collect()
    }

    /// The events of a kind about a test.
    pub fn told(&self, kind: &str, title: &str) -> Vec<&serde_json::Value> {
        let id = self.id(title);
        let wanted = |event: &&serde_json::Value| event["event"] == kind && event["test"] == id;
        self.events.iter().filter(wanted).collect()
    }

    fn id(&self, title: &str) -> serde_json::Value {
        let all = ids(&self.events);
        let found = all.into_iter().find(|(_, known)| known == title);
        found.unwrap_or_else(|| panic!("no {title}")).0
    }
}

fn text(value: &serde_json::Value) -> String {
    value
        .as_str()
        .unwrap_or_else(|| panic!("no text: {value}"))
        .to_owned()
}

fn ids(events: &[serde_json::Value]) -> Vec<(serde_json::Value, String)> {
    let discovered = events.iter().filter(|event| event["event"] == "discovered");
    let tests = discovered.flat_map(|event| event["tests"].as_array().unwrap());
    tests
        .map(|test| (test["test"].clone(), text(&test["title"])))
        .collect()
}

/// `passed`, or what else and why.
fn ends(events: &[serde_json::Value]) -> BTreeMap<String, String> {
    let ids = ids(events);
    let finished = events.iter().filter(|event| event["event"] == "finished");
    finished
        .map(|event| {
            let (_, title) = ids.iter().find(|(id, _)| *id == event["test"]).unwrap();
            let outcome = &event["outcome"];
            let why = [&outcome["reason"], &outcome["message"]];
            let why = why.into_iter().find_map(|why| why.as_str());
            let kind = text(&outcome["kind"]);
            let end = why.map_or(kind.clone(), |why| format!("{kind}: {why}"));
            (title.clone(), end)
        })
        .collect()
}
