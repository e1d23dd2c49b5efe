//! Readers that have seen enough, as `head -1`, and readers that wait, as a pager: the first end a
//! program without a word, the second hold up nothing.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::cluster::Cluster;
use crate::support::crates::built;
use nix::sys::signal::Signal;

const BROKER: &str = env!("CARGO_BIN_EXE_maelstrom-broker");
const CARGO: &str = env!("CARGO_BIN_EXE_cargo-maelstrom");
const GO: &str = env!("CARGO_BIN_EXE_maelstrom-go-test");
const PYTEST: &str = env!("CARGO_BIN_EXE_maelstrom-pytest");
const RUN: &str = env!("CARGO_BIN_EXE_maelstrom-run");
const WORKER: &str = env!("CARGO_BIN_EXE_maelstrom-worker");

/// Runs a program whose standard output nobody reads, and which has nothing else to tell.
fn unread(program: &str, arguments: &[&str], directory: &Path) {
    let told = ended(program, arguments, directory);
    assert_eq!(told, "", "{program} {arguments:?}");
}

/// Runs a program whose standard output nobody reads; what it wrote to standard error.
fn ended(program: &str, arguments: &[&str], directory: &Path) -> String {
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let output = Command::new(program)
        .args(arguments)
        .current_dir(directory)
        .stdin(Stdio::null())
        .stdout(writer)
        .stderr(Stdio::piped())
        .output()
        .unwrap();
    let signal = output.status.signal();
    let told = String::from_utf8(output.stderr).unwrap();
    let expected = Some(Signal::SIGPIPE as i32);
    assert_eq!(signal, expected, "{program} {arguments:?}: {told}");
    told
}

#[test]
fn whoever_is_not_read_any_more_ends_without_a_word() {
    let directory = tempfile::tempdir().unwrap();
    let here = directory.path();
    for program in [BROKER, CARGO, GO, PYTEST, RUN, WORKER] {
        for option in ["--help", "--version"] {
            unread(program, &[option], here);
        }
    }
    for program in [BROKER, CARGO, GO, PYTEST, RUN] {
        unread(program, &["--print-config"], here);
    }
    unread(WORKER, &["--print-config", "--broker=localhost:1"], here);
    unread(BROKER, &["--cache-root=cache", "--log-level=error"], here);
    unread(
        BROKER,
        &["credentials", "init", "team", "--name=host"],
        here,
    );
    let one = ["--", "sh", "-c", "while echo y; do :; done"];
    unread(RUN, &one, here);
    let job = |number: u32| {
        let script = format!("seq 20000; exit {}", number % 2);
        format!(r#"{{"program": "sh", "arguments": ["-c", "{script}"], "parent": "default"}}"#)
    };
    let jobs: Vec<String> = (0..40).map(|number| job(2 * number)).collect();
    fs::write(here.join("jobs"), jobs.join("\n")).unwrap();
    unread(RUN, &["--no-tui", "--slots=1", "--file=jobs"], here);
}

#[test]
fn lists_and_states_end_without_a_word_too() {
    let project = built("#[test] fn passes() {}");
    // Cargo tells of its build, and of nothing else.
    let told = ended(CARGO, &["--list-tests", "--offline"], project.path());
    let wrong = ["error", "panicked"].iter().any(|word| told.contains(word));
    assert!(!wrong, "{told}");
    for list in ["--list-packages", "--list-binaries"] {
        unread(CARGO, &[list, "--offline"], project.path());
    }
    let cluster = Cluster::start(&[]);
    let broker = ["--broker", cluster.address.as_str()];
    for command in [vec!["status"], vec!["status", "--json"], vec!["drain"]] {
        unread(BROKER, &[&command[..], &broker].concat(), project.path());
    }
}

#[test]
fn a_reader_that_waits_holds_up_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let jobs = r#"
        {"program": "seq", "arguments": ["200000"], "parent": "default"}
        {"program": "false", "parent": "default"}"#;
    fs::write(directory.path().join("jobs"), jobs).unwrap();
    let mut program = Command::new(RUN)
        .args(["--no-tui", "--slots=1", "--file=jobs"])
        .current_dir(directory.path())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // More than a pipe holds is written before the second job begins, and nobody has read it.
    let mut told = BufReader::new(program.stderr.take().unwrap());
    let mut line = String::new();
    told.read_line(&mut line).unwrap();
    assert_eq!(line, "job 2: exited with code 1\n");
    let mut written = String::new();
    let mut stdout = program.stdout.take().unwrap();
    stdout.read_to_string(&mut written).unwrap();
    assert_eq!(written.lines().count(), 200_000);
    assert_eq!(program.wait().unwrap().code(), Some(1));
}
