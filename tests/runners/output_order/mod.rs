//! What tests write comes in the order in which they wrote it, standard output and standard error
//! together, and without what their test framework writes around it.

use crate::support;
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::cluster::Cluster;
use crate::support::EXECUTABLE;
use crate::support::crates::built;
use crate::support::homes::Homes;
use serde_json::Value;

const LINES: u32 = 1000;

/// Lines on both streams by turns.
fn alternating() -> String {
    let line = |n| format!("out {n}\nerr {n}\n");
    (0..LINES).map(line).collect()
}

const CRATE: &str = r#"
fn alternate() { for n in 0..1000 { println!("out {n}"); eprintln!("err {n}"); } }
#[test] fn alternates() { alternate() }
#[test] fn alternates_and_fails() { alternate(); panic!("no") }
#[test] fn is_silent() {}
#[test] fn is_noisy_without_newlines() { eprint!("a FAILED"); print!("b"); eprint!("c ok") }
#[test] fn is_noisy_and_fails() { eprint!("ok"); panic!("no") }
#[test] #[should_panic] fn should_panic() {}
#[test] fn returns() -> Result<(), String> { Err("said by its value".to_owned()) }
#[test] fn shows_a_run_and_exits() {
    eprintln!("\nrunning 1 test\ntest other ... ok\n\ntest result: ok. 1 passed; 0 failed; 0 ignored; \
               0 measured; 7 filtered out; finished in 0.00s\n");
    std::process::exit(0)
}
"#;

/// What each test's last attempt ended as, and wrote: of which streams, and what.
type Told = BTreeMap<String, (String, Vec<String>, String)>;

fn recorded(record: &Path) -> Told {
    let text = fs::read_to_string(record).unwrap();
    let mut titles = BTreeMap::new();
    let mut told = Told::new();
    let mut written: BTreeMap<String, (Vec<String>, String)> = BTreeMap::new();
    for line in text.lines() {
        let event: Value = serde_json::from_str(line).unwrap();
        let test = event["test"].to_string();
        match event["event"].as_str().unwrap() {
            "discovered" => {
                for test in event["tests"].as_array().unwrap() {
                    let name = test["name"].as_str().unwrap().to_owned();
                    titles.insert(test["test"].to_string(), name);
                }
            }
            "output" => {
                let (streams, text) = written.entry(test).or_default();
                let stream = event["stream"].as_str().unwrap().to_owned();
                if !streams.contains(&stream) {
                    streams.push(stream);
                }
                text.push_str(event["text"].as_str().unwrap());
            }
            "finished" => {
                let kind = event["outcome"]["kind"].as_str().unwrap().to_owned();
                let (streams, text) = written.remove(&test).unwrap_or_default();
                told.insert(titles[&test].clone(), (kind, streams, text));
            }
            _ => {}
        }
    }
    told
}

/// What a run of this command told, which gets the option to record it and these words; and what it
/// said.
fn run(mut command: Command, words: &[&str]) -> (Told, String) {
    let keep = tempfile::tempdir().unwrap();
    let record = keep.path().join("record");
    command
        .args(["--ui=plain", "--color=never", "--record"])
        .arg(&record);
    command.args(words).stdin(Stdio::null());
    let output = command.output().unwrap();
    let texts = [output.stdout, output.stderr];
    let text = texts.map(|text| String::from_utf8_lossy(&text).into_owned());
    assert!(record.exists(), "{text:?}");
    (recorded(&record), text.concat())
}

fn check_rust(told: &Told) {
    let of = |name: &str| {
        let (kind, streams, text) = &told[name];
        assert_eq!(streams.is_empty(), text.is_empty(), "{name}: {text}");
        assert!(streams.iter().all(|stream| stream == "joined"), "{name}");
        (kind.as_str(), text.as_str())
    };
    assert_eq!(of("alternates"), ("passed", alternating().as_str()));
    let (kind, text) = of("alternates_and_fails");
    assert_eq!(kind, "failed");
    let rest = text.strip_prefix(&alternating()).unwrap();
    assert!(rest.contains("panicked at src/lib.rs"), "{rest}");
    assert!(!rest.contains("FAILED"), "{rest}");
    assert_eq!(of("is_silent"), ("passed", ""));
    assert_eq!(
        of("is_noisy_without_newlines"),
        // Rust itself keeps an unfinished line of standard output.
        ("passed", "a FAILEDc okb")
    );
    assert_eq!(of("is_noisy_and_fails").0, "failed");
    let (kind, text) = of("should_panic");
    assert_eq!(kind, "failed");
    assert!(
        text.starts_with("note: test did not panic as expected"),
        "{text}"
    );
    assert_eq!(text.lines().count(), 1, "{text}");
    let (kind, text) = of("returns");
    assert_eq!((kind, text), ("failed", "Error: \"said by its value\"\n"));
    let (kind, text) = of("shows_a_run_and_exits");
    assert_eq!(kind, "error");
    assert!(text.contains("running 1 test\ntest other ... ok"), "{text}");
}

#[test]
fn rust_tests_are_shown_as_they_wrote() {
    let project = built(CRATE);
    for isolation in ["--isolation=container", "--isolation=process"] {
        let mut command = Command::new(EXECUTABLE);
        command.current_dir(project.path());
        let words = ["--offline", isolation, "--", "--show-output"];
        let (told, report) = run(command, &words);
        check_rust(&told);
        check_report(&report);
        // What a passing test wrote is shown on demand, and what a failing one wrote is shown once.
        assert_eq!(report.matches("err 999\n").count(), 2, "{report}");
    }
    let cluster = Cluster::start(&[]);
    let _worker = cluster.worker("far");
    let command = cluster.client(EXECUTABLE, project.path());
    let (told, report) = run(command, &["--offline"]);
    check_rust(&told);
    check_report(&report);
}

/// Nothing of libtest's framing is there, but for the output of another run that a test has shown.
fn check_report(report: &str) {
    let ours = report
        .lines()
        .map(str::trim)
        .filter(|line| line.starts_with("test ") || ["failures:", "running 1 test"].contains(line));
    let ours: Vec<&str> = ours.collect();
    let other = ["running 1 test", "test other ... ok"];
    let expected =
        |line: &&&str| other.contains(line) || line.starts_with("test result: ok. 1 passed");
    let unexpected: Vec<&&str> = ours.iter().filter(|line| !expected(line)).collect();
    // The report's own heading.
    assert_eq!(unexpected, [&"failures:"], "{report}");
}

#[test]
fn a_program_that_runs_whole_keeps_what_it_writes() {
    let project = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| fs::write(project.path().join(name), text).unwrap();
    let manifest = "[package]\nname = \"victim\"\nversion = \"0.0.0\"\nedition = \"2024\"\n\
                    [[test]]\nname = \"own\"\nharness = false\n[workspace]\n";
    write("Cargo.toml", manifest);
    fs::create_dir_all(project.path().join("src")).unwrap();
    fs::create_dir_all(project.path().join("tests")).unwrap();
    write("src/lib.rs", "#[test] fn quiet() {}");
    let own = r#"fn main() {
        if std::env::args().any(|argument| argument == "--list") { return }
        println!("\nrunning 1 test\ntest main ... ok\n"); eprintln!("after");
    }"#;
    write("tests/own.rs", own);
    let whole = |which: &str| {
        let mut command = Command::new(EXECUTABLE);
        command.current_dir(project.path());
        let (mut told, _) = run(
            command,
            &["--offline", "--include", which, "--whole", "all"],
        );
        told.remove("main").unwrap().2
    };
    let own = whole("test.equals(own)");
    assert_eq!(own, "\nrunning 1 test\ntest main ... ok\n\nafter\n");
    let libtest = whole("library");
    assert!(
        libtest.starts_with("\nrunning 1 test\ntest quiet ... ok\n"),
        "{libtest}"
    );
}

#[test]
#[ignore = "needs Go"]
fn go_tests_are_shown_as_they_wrote() {
    let project = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| fs::write(project.path().join(name), text).unwrap();
    write("go.mod", "module example.com/victim\n\ngo 1.21\n");
    let source = r#"package victim
import ("fmt"; "os"; "testing")
func alternate() { for n := 0; n < 1000; n++ { fmt.Println("out", n); fmt.Fprintln(os.Stderr, "err", n) } }
func TestAlternates(t *testing.T) { alternate() }
func TestFails(t *testing.T) { alternate(); t.Error("no") }
func TestNoisy(t *testing.T) { fmt.Fprint(os.Stderr, "=== RUN   TestOther\n--- FAIL: TestNoisy (0.00s)\nFAIL") }
func TestSkips(t *testing.T) { defer fmt.Fprintln(os.Stderr, "closing"); t.Skip("why") }
func TestSubtests(t *testing.T) {
    t.Run("good", func(t *testing.T) { fmt.Fprintln(os.Stderr, "fine") })
    t.Run("bad", func(t *testing.T) { t.Error("broken") })
}
"#;
    write("victim_test.go", source);
    let homes = Homes::new();
    let mut command = Command::new(support::go::EXECUTABLE);
    command.current_dir(project.path());
    command
        .env_remove("GOFLAGS")
        .env("GOTOOLCHAIN", "local")
        .env("GOPROXY", "off");
    homes.tell(&mut command);
    let (told, report) = run(command, &[]);
    let of = |name: &str| {
        let (kind, streams, text) = &told[name];
        assert!(streams.iter().all(|stream| stream == "joined"), "{name}");
        (kind.as_str(), text.as_str())
    };
    assert_eq!(of("TestAlternates"), ("passed", alternating().as_str()));
    let (kind, text) = of("TestFails");
    assert_eq!(kind, "failed");
    let rest = text.strip_prefix(&alternating()).unwrap();
    assert_eq!(rest, "    victim_test.go:5: no\n");
    let noise = "=== RUN   TestOther\n--- FAIL: TestNoisy (0.00s)\nFAIL";
    assert_eq!(of("TestNoisy"), ("passed", noise));
    assert_eq!(of("TestSkips").0, "ignored");
    assert!(report.contains("why"), "{report}");
    assert_eq!(
        of("TestSubtests"),
        (
            "failed",
            "fine\n    victim_test.go:10: broken\n--- FAIL: TestSubtests/bad (0.00s)\n"
        )
    );
}

#[test]
#[ignore = "needs Python with pytest"]
fn pytest_s_own_order_is_kept() {
    let project = tempfile::tempdir().unwrap();
    let source = r#"import os
def alternate(flush):
    import sys
    for n in range(1000):
        print("out", n, flush=flush)
        print("err", n, file=sys.stderr, flush=flush)
def test_alternates(): alternate(True)
def test_fails(): alternate(False); os.write(2, b"late\n"); assert False
"#;
    fs::write(project.path().join("test_victim.py"), source).unwrap();
    let homes = Homes::new();
    let mut command = Command::new(env!("CARGO_BIN_EXE_maelstrom-pytest"));
    homes.tell(command.current_dir(project.path()));
    let (told, _) = run(command, &["--", "-s"]);
    let (kind, _, text) = &told["test_alternates"];
    assert_eq!(kind, "passed");
    assert!(text.contains(&alternating()), "{text}");
    // Captured, each stream is a section of its own.
    let mut command = Command::new(env!("CARGO_BIN_EXE_maelstrom-pytest"));
    homes.tell(command.current_dir(project.path()));
    let (told, _) = run(command, &[]);
    let (kind, streams, text) = &told["test_fails"];
    assert_eq!(kind, "failed");
    assert_eq!(streams, &["joined"]);
    let out = text.find("Captured stdout call").unwrap();
    let err = text.find("Captured stderr call").unwrap();
    assert!(out < err && err < text.rfind("late").unwrap(), "{text}");
}

#[test]
fn a_program_whose_streams_end_in_one_place_comes_in_order() {
    let script = "n=0; while [ $n -lt 1000 ]; do echo out $n; echo err $n >&2; n=$((n+1)); done";
    let program = env!("CARGO_BIN_EXE_maelstrom-run");
    let directory = tempfile::tempdir().unwrap();
    let homes = Homes::new();
    let call = |shell: &str| {
        let mut command = Command::new("sh");
        command
            .args(["-c", shell, program, script])
            .current_dir(directory.path());
        homes.tell(&mut command);
        command.stdin(Stdio::null()).output().unwrap()
    };
    let one = call("\"$0\" sh -c \"$1\" 2>&1");
    assert_eq!(String::from_utf8(one.stdout).unwrap(), alternating());
    let two = call("\"$0\" sh -c \"$1\"");
    let lines = |word: &str| -> String { (0..LINES).map(|n| format!("{word} {n}\n")).collect() };
    assert_eq!(String::from_utf8(two.stdout).unwrap(), lines("out"));
    assert_eq!(String::from_utf8(two.stderr).unwrap(), lines("err"));
}
