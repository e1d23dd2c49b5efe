//! Fixtures of all test programs: commands that run once, and services beside each test.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use tempfile::TempDir;

use crate::cluster::Cluster;
use crate::support::EXECUTABLE;
use crate::support::crates::built;
use crate::support::homes::Homes;

const GO: &str = env!("CARGO_BIN_EXE_maelstrom-go-test");
const PYTEST: &str = env!("CARGO_BIN_EXE_maelstrom-pytest");

/// Begins with a value that is another one each time that the command runs.
const DATA: &str = r#"
[fixtures.data]
filter = "name.contains(data_)"
command = """
read -r id < /proc/sys/kernel/random/uuid
echo "made of $(cat schema.txt)"
echo "DATA_ID=$id"
echo "$id" > $MAELSTROM_FIXTURE_DIR/id
chmod 600 $MAELSTROM_FIXTURE_DIR/id
echo gone > /tmp/elsewhere
echo gone > elsewhere.txt
"""
inputs = ["schema.txt"]
"#;

const SERVED: &str = r#"
[[directives]]
leak = "fail"

[fixtures.served]
filter = "name.contains(served_)"
command = "echo 4711 > $MAELSTROM_FIXTURE_DIR/number; echo WORD=printed"
service = """
echo "it serves"
cp $MAELSTROM_FIXTURE_DIR/number /tmp/copy
echo "$WORD" >> /tmp/copy
mv /tmp/copy /tmp/ready
(sleep 1000; true)
"""
ready = ["test", "-e", "/tmp/ready"]

[fixtures.never]
filter = "name.contains(never_)"
command = "true"
service = "echo 'the port is taken'; exit 7"
ready = "exit 1"

[fixtures.slow]
filter = "name.contains(slow_)"
command = "true"
service = "echo 'still starting'; exec sleep 1000"
ready = "echo 'no answer' >&2; exit 2"
ready_timeout = "100ms"
"#;

/// Each test holds with its fixture. Tests with `shown` fail and show what they found.
const SOURCE: &str = r#"
    use std::{env, fs, path::Path, process::Command};

    fn own_copy() -> String {
        let id = fs::read_to_string("/fixtures/data/id").unwrap();
        assert_eq!(env::var("DATA_ID").unwrap(), id.trim_end());
        assert!(!Path::new("/fixtures/data/mark").exists());
        assert!(!Path::new("/tmp/elsewhere").exists() && !Path::new("elsewhere.txt").exists());
        fs::write("/fixtures/data/mark", "").unwrap();
        fs::write("/fixtures/data/id", "another").unwrap();
        id
    }
    #[test] fn data_a() { own_copy(); }
    #[test] fn data_b() { own_copy(); }
    #[test] fn data_shown() { panic!("id={};", own_copy().trim_end()); }

    #[test] fn plain() {
        assert!(!Path::new("/fixtures").exists() && env::var("DATA_ID").is_err());
    }

    fn ready() -> String { fs::read_to_string("/tmp/ready").unwrap() }
    #[test] fn served_a() { assert_eq!(ready(), "4711\nprinted\n"); fs::remove_file("/tmp/ready").unwrap(); }
    #[test] fn served_b() { assert_eq!(ready(), "4711\nprinted\n"); fs::remove_file("/tmp/ready").unwrap(); }
    #[test] fn served_shown() { panic!("{}", ready()); }
    #[test] fn served_leaking() { Command::new("sleep").arg("1000").spawn().unwrap(); }
    #[test] fn never_runs() { println!("it ran"); }
    #[test] fn slow_runs() { println!("it ran"); }
"#;

fn project(source: &str, file: &str) -> TempDir {
    let project = built(source);
    fs::write(project.path().join("schema.txt"), "one\n").unwrap();
    fs::write(project.path().join("cargo-maelstrom.toml"), file).unwrap();
    project
}

/// Runs a test program. Returns everything that it printed, and its exit code.
fn run(homes: &Homes, program: &str, project: &Path, arguments: &[&str]) -> (String, i32) {
    let mut command = Command::new(program);
    command.current_dir(project).stdin(Stdio::null());
    homes.tell(&mut command);
    finish(command.args(["--no-tui", "--color=never"]).args(arguments))
}

fn finish(command: &mut Command) -> (String, i32) {
    let output = command.output().unwrap();
    let text = [output.stdout, output.stderr].concat();
    let text = String::from_utf8_lossy(&text).into_owned();
    (text, output.status.code().unwrap())
}

/// Returns the value that the failing test has shown.
fn shown_id(text: &str) -> String {
    let shown = text.split_once("id=").map(|(_, rest)| rest);
    let id = shown.and_then(|rest| rest.split_once(';'));
    id.unwrap_or_else(|| panic!("{text}")).0.to_owned()
}

#[test]
fn a_command_runs_once_and_each_test_has_its_own_copy() {
    let project = project(SOURCE, DATA);
    let homes = Homes::new();
    let words = ["--offline", "data_", "plain"];
    let run = || run(&homes, EXECUTABLE, project.path(), &words);
    let made = "fixture `data`: made in";
    let cached = "fixture `data`: taken from the cache";

    let (text, code) = run();
    assert_eq!(code, 101, "{text}");
    assert!(text.contains("3 passed, 1 failed"), "{text}");
    assert!(text.contains(made) && !text.contains(cached), "{text}");
    let first = shown_id(&text);

    let (text, _) = run();
    assert!(text.contains("3 passed, 1 failed"), "{text}");
    assert!(text.contains(cached) && !text.contains(made), "{text}");
    assert_eq!(shown_id(&text), first);

    // What it is made of has changed: an input, and then the command.
    fs::write(project.path().join("schema.txt"), "two\n").unwrap();
    let (text, _) = run();
    assert!(text.contains(made), "{text}");
    let second = shown_id(&text);
    let file = project.path().join("cargo-maelstrom.toml");
    fs::write(&file, DATA.replace("made of", "made from")).unwrap();
    let (text, _) = run();
    assert!(text.contains(made), "{text}");
    let third = shown_id(&text);

    // What is back is known.
    fs::write(&file, DATA).unwrap();
    fs::write(project.path().join("schema.txt"), "one\n").unwrap();
    let (text, _) = run();
    assert_eq!(shown_id(&text), first);

    // Without the cache, each run makes it.
    fs::write(&file, format!("{DATA}cache = false\n")).unwrap();
    let mut ids = BTreeSet::from([first, second, third]);
    for number in 4..6 {
        let (text, _) = run();
        assert!(text.contains(made), "{text}");
        ids.insert(shown_id(&text));
        assert_eq!(ids.len(), number);
    }
}

#[test]
fn a_fixture_that_fails_fails_the_tests_that_need_it() {
    let source = r#"
        #[test] fn broken_a() { panic!("it ran"); }
        #[test] fn broken_b() { panic!("it ran"); }
        #[test] fn late() { panic!("it ran"); }
        #[test] fn reserved() { panic!("it ran"); }
        #[test] fn absent() { panic!("it ran"); }
        #[test] fn other() {}
    "#;
    let file = r#"
        [fixtures.broken]
        filter = "name.starts_with(broken_)"
        command = "echo said; echo reason >&2; echo X=1 > $MAELSTROM_FIXTURE_DIR/x; exit 3"
        [fixtures.late]
        filter = "name.equals(late)"
        command = ["sleep", "1000"]
        timeout = "100ms"
        [fixtures.reserved]
        filter = "name.equals(reserved)"
        command = "echo MAELSTROM_SLOT=1"
        [fixtures.absent]
        filter = "name.equals(absent)"
        command = ["/no/such/program"]
    "#;
    let project = project(source, file);
    let homes = Homes::new();
    for round in ["first", "second"] {
        let (text, code) = run(&homes, EXECUTABLE, project.path(), &["--offline"]);
        assert_eq!(code, 125, "{round}: {text}");
        assert!(
            text.contains("1 passed, 0 failed, 5 errors"),
            "{round}: {text}"
        );
        for expected in [
            "cargo-maelstrom.toml:2:19: the fixture `broken` could not be made: its command ended \
             with exit code 3",
            "    said\n    reason\n",
            "the fixture `late` could not be made: its command was stopped after 0.1 s",
            "its command printed a variable `MAELSTROM_SLOT`",
            "the fixture `absent` could not be made: cannot execute /no/such",
        ] {
            assert!(text.contains(expected), "{round}, {expected:?}: {text}");
        }
        assert!(!text.contains("it ran"), "{round}: {text}");
        // A failure is not kept.
        assert!(
            text.contains("fixture `broken`: its command runs"),
            "{text}"
        );
    }
}

#[test]
fn a_service_runs_beside_each_test() {
    let project = project(SOURCE, SERVED);
    let words = ["--offline", "served_", "never_", "slow_"];
    let (text, code) = run(&Homes::new(), EXECUTABLE, project.path(), &words);
    // The code is that of the first failure: 101 or 1.
    assert_ne!(code, 0, "{text}");
    assert!(text.contains("2 passed, 2 failed, 2 errors"), "{text}");
    let (_, leaking) = text.split_once("served_leaking").unwrap();
    assert!(leaking.contains("sleep"), "{text}");
    for expected in [
        "maelstrom: the end of what the service `served` printed:\n    it serves\n",
        "the service `never` has ended before it was ready: exit code 7",
        "the port is taken",
        "the service `slow` was not ready after 0.1 s: the check ended with exit code 2: no answer",
        "still starting",
    ] {
        assert!(text.contains(expected), "{expected:?}: {text}");
    }
    assert!(!text.contains("it ran"), "{text}");
}

#[test]
fn fixtures_go_to_workers() {
    let project = project(SOURCE, &format!("{SERVED}{DATA}"));
    let cluster = Cluster::start(&[]);
    let _worker = cluster.worker("far");
    let run = |project: &Path| {
        let mut command = cluster.client(EXECUTABLE, project);
        finish(command.args(["--no-tui", "--offline", "data_", "served_", "never_"]))
    };
    let (text, code) = run(project.path());
    assert_ne!(code, 0, "{text}");
    assert!(text.contains("4 passed, 3 failed, 1 error"), "{text}");
    assert!(!text.contains("on this machine"), "{text}");
    assert!(text.contains("fixture `data`: made in"), "{text}");
    assert!(
        text.contains("what the service `served` printed:\n    it serves"),
        "{text}"
    );
    assert!(text.contains("the port is taken"), "{text}");
    let first = shown_id(&text);
    let (text, _) = run(project.path());
    assert!(
        text.contains("fixture `data`: taken from the cache"),
        "{text}"
    );
    assert_eq!(shown_id(&text), first);
}

#[test]
fn a_run_without_containers_has_no_fixtures() {
    let source = "#[test] fn data_a() { assert!(std::env::var(\"DATA_ID\").is_err()); }";
    let project = project(source, DATA);
    let words = ["--offline", "--isolation=process"];
    let (text, code) = run(&Homes::new(), EXECUTABLE, project.path(), &words);
    assert_eq!(code, 0, "{text}");
    assert!(
        text.contains("only `ignore` and how tests run count"),
        "{text}"
    );
}

#[test]
fn a_fixture_is_explained_with_its_tests() {
    let project = project(SOURCE, SERVED);
    let words = ["--offline", "--explain", "served_a"];
    let (text, code) = run(&Homes::new(), EXECUTABLE, project.path(), &words);
    assert_eq!(code, 0, "{text}");
    let expected = "# It begins with what these fixtures have made:\n\
                    #   cargo-maelstrom.toml:5:11  served: /fixtures/served, with a service\n";
    assert!(text.contains(expected), "{text}");
}

#[test]
#[ignore = "needs Go"]
fn go_tests_begin_with_fixtures() {
    let project = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| fs::write(project.path().join(name), text).unwrap();
    write("go.mod", "module victim\n\ngo 1.20\n");
    write("schema.txt", "one\n");
    write("maelstrom-go-test.toml", &format!("{SERVED}{DATA}"));
    let source = r#"package victim

import (
	"os"
	"strings"
	"testing"
)

func ownCopy(t *testing.T) string {
	text, err := os.ReadFile("/fixtures/data/id")
	if err != nil || os.Getenv("DATA_ID") != strings.TrimSpace(string(text)) {
		t.Fatal(err, os.Getenv("DATA_ID"), string(text))
	}
	if err := os.WriteFile("/fixtures/data/id", nil, 0o600); err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(text))
}

func Test_data_a(t *testing.T) { ownCopy(t) }
func Test_data_b(t *testing.T) { ownCopy(t) }
func Test_data_shown(t *testing.T) { t.Fatalf("id=%s;", ownCopy(t)) }
func Test_served_a(t *testing.T) {
	text, err := os.ReadFile("/tmp/ready")
	if err != nil || string(text) != "4711\nprinted\n" {
		t.Fatal(err, string(text))
	}
}
func Test_never_runs(t *testing.T) {}
"#;
    write("victim_test.go", source);
    let homes = Homes::new();
    let mut ids = BTreeSet::new();
    for notice in ["made in", "taken from the cache"] {
        let (text, code) = run(&homes, GO, project.path(), &[]);
        assert_eq!(code, 1, "{text}");
        assert!(text.contains("3 passed, 1 failed, 1 error"), "{text}");
        assert!(
            text.contains(&format!("fixture `data`: {notice}")),
            "{text}"
        );
        ids.insert(shown_id(&text));
    }
    assert_eq!(ids.len(), 1);
}

#[test]
#[ignore = "needs Python with pytest"]
fn python_tests_begin_with_fixtures() {
    let project = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| fs::write(project.path().join(name), text).unwrap();
    write("pytest.ini", "[pytest]\n");
    write("schema.txt", "one\n");
    let broken = "[fixtures.broken]\nfilter = \"name.contains(broken)\"\ncommand = \"exit 3\"\n";
    write("maelstrom-pytest.toml", &format!("{SERVED}{DATA}{broken}"));
    let source = r#"
import os
from pathlib import Path

ID = Path("/fixtures/data/id")

def own_copy():
    text = ID.read_text()
    assert os.environ["DATA_ID"] == text.strip()
    ID.write_text("another")
    return text.strip()

def test_data_a():
    own_copy()

def test_data_b():
    own_copy()

def test_data_shown():
    raise Exception(f"id={own_copy()};")

def test_served_a():
    assert Path("/tmp/ready").read_text() == "4711\nprinted\n"

def test_broken():
    pass

def test_never_runs():
    pass

def test_plain():
    assert not Path("/fixtures").exists()
"#;
    write("test_victim.py", source);
    let homes = Homes::new();
    let mut ids = BTreeSet::new();
    for notice in ["made in", "taken from the cache"] {
        let (text, code) = run(&homes, PYTEST, project.path(), &[]);
        assert_eq!(code, 1, "{text}");
        assert!(text.contains("4 passed, 1 failed, 2 errors"), "{text}");
        assert!(
            text.contains(&format!("fixture `data`: {notice}")),
            "{text}"
        );
        ids.insert(shown_id(&text));
    }
    assert_eq!(ids.len(), 1);
}
