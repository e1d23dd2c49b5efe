//! What a user gets when something is wrong: a message that names the thing, a documented exit
//! code, and nothing lost of the other tests' results.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

use crate::support::{EXECUTABLE, executable};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tempfile::TempDir;

const MANIFEST: &str =
    "[package]\nname = \"victim\"\nversion = \"0.0.0\"\nedition = \"2024\"\n\n[workspace]\n";

fn project(manifest: &str, source: &str) -> TempDir {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("Cargo.toml"), manifest).unwrap();
    fs::create_dir(directory.path().join("src")).unwrap();
    fs::write(directory.path().join("src/lib.rs"), source).unwrap();
    directory
}

fn maelstrom(project: &TempDir, arguments: &[&str]) -> Command {
    let mut command = Command::new(EXECUTABLE);
    command
        .arg("--no-tui")
        .args(arguments)
        .current_dir(project.path())
        .stdin(Stdio::null());
    command
}

/// Standard output and error together, and the exit code.
fn run(command: &mut Command) -> (String, i32) {
    let Output {
        status,
        stdout,
        stderr,
    } = command.output().unwrap();
    let text = format!(
        "{}{}",
        String::from_utf8_lossy(&stdout),
        String::from_utf8_lossy(&stderr)
    );
    (text, status.code().unwrap())
}

#[track_caller]
fn assert_told(told: &(String, i32), code: i32, texts: &[&str]) {
    assert_eq!(told.1, code, "{}", told.0);
    for text in texts {
        assert!(told.0.contains(text), "{text:?} is not in:\n{}", told.0);
    }
}

#[test]
fn a_broken_manifest() {
    let project = project(&format!("{MANIFEST}nonsense [\n"), "");
    let told = run(&mut maelstrom(&project, &[]));
    assert_told(&told, 101, &["Cargo.toml:7", "\n7 | nonsense [\n"]);
    assert_eq!(told.0.matches("key with no value").count(), 1, "{}", told.0);
    assert!(!told.0.contains("no tests to run"), "{}", told.0);
}

#[test]
fn a_compile_error() {
    let project = project(MANIFEST, "fn f() -> u8 { \"x\" }");
    let told = run(&mut maelstrom(&project, &[]));
    assert_told(
        &told,
        101,
        &[
            "error[E0308]",
            "src/lib.rs:1:16",
            "summary: the build failed",
        ],
    );
    // The compiler has said it; it is no test that failed, and none to run again.
    for absent in [
        "does not compile",
        "no tests to run",
        "failures:",
        "rerun",
        "1 error in",
    ] {
        assert!(!told.0.contains(absent), "{absent:?} is in:\n{}", told.0);
    }
}

#[test]
fn no_project() {
    let directory = tempfile::tempdir().unwrap();
    let told = run(&mut maelstrom(&directory, &[]));
    assert_told(&told, 101, &["could not find `Cargo.toml`"]);
}

#[test]
fn no_tests_and_filters_that_match_nothing() {
    let none = project(MANIFEST, "pub fn f() {}");
    assert_told(
        &run(&mut maelstrom(&none, &[])),
        0,
        &["there are no tests to run"],
    );
    let one = project(MANIFEST, "#[test] fn a() {}");
    let told = run(&mut maelstrom(&one, &["no_such_test"]));
    assert_told(&told, 4, &["no test was selected", "1"]);
    let told = run(&mut maelstrom(&one, &["--include", "name.eqals(a)"]));
    assert_told(&told, 2, &["eqals", "     ^^^^^", "did you mean `equals`?"]);
    let told = run(&mut maelstrom(&one, &["--no-such-option"]));
    assert_told(&told, 2, &["--no-such-option"]);
}

#[test]
fn a_test_binary_that_vanishes() {
    let manifest = format!("{MANIFEST}\n[[bin]]\nname = \"other\"\npath = \"src/other.rs\"\n");
    let project = project(&manifest, "#[test] fn vanished() {}");
    fs::write(
        project.path().join("src/other.rs"),
        "fn main() {} #[test] fn stays() {}",
    )
    .unwrap();
    let cargo = project.path().join("cargo");
    // What cargo says of a binary is passed on once the binary is gone: it is listed as soon as it
    // is named.
    let text = r#"#!/bin/sh
case "$*" in *--no-run*) ;; *) exec cargo "$@" ;; esac
cargo "$@" >cargo.out || exit
rm -f target/debug/deps/victim-*[0-9a-f]
exec cat cargo.out
"#;
    executable::write(&cargo, text);
    let told = run(maelstrom(&project, &[]).env("CARGO", &cargo));
    assert_told(&told, 125, &["victim", "other stays", "1 passed"]);
}

#[test]
fn tests_that_misbehave_do_not_cost_the_others_their_results() {
    let source = r#"
        use std::{fs, io::Write, process::Command};
        fn sh(script: &str) { Command::new("sh").args(["-c", script]).status().unwrap(); }
        #[test] fn passes() {}
        #[test] fn floods() {
            let line = [b'x'; 4096];
            for _ in 0..10_000 { std::io::stdout().write_all(&line).unwrap(); }
        }
        #[test] fn deaf() { sh("trap '' TERM INT HUP; sleep 1000 & wait; sleep 1000") }
        #[test] fn daemons() { sh("for i in 1 2 3; do setsid sleep 1000 & done") }
        #[test] fn parricide() { sh("kill -9 1; kill -9 $PPID; sleep 1000") }
        #[test] fn closes() { sh("exec 0<&- 1<&- 2<&-"); }
        #[test] fn aborts() { std::process::abort() }
        #[test] fn exits() { std::process::exit(7) }
        #[test] fn overflows() { fn f(n: u64) -> u64 { if n == 0 { 0 } else { f(n - 1) + std::hint::black_box(n) } } f(1 << 40); }
        #[test] fn removes_its_directory() { fs::remove_dir_all(".").ok(); }
        #[test] fn panics() { panic!("as it should") }
    "#;
    let project = project(MANIFEST, source);
    // Whoever may take long on a slow machine has the time.
    let limits = "[[directives]]\nparent = \"default\"\n\n\
                  [[directives]]\nfilter = \"name.equals(deaf)\"\ntimeout = 2\n";
    fs::write(project.path().join("cargo-maelstrom.toml"), limits).unwrap();
    let told = run(&mut maelstrom(&project, &[]));
    assert_told(
        &told,
        told.1,
        &[
            "5 passed",
            "5 failed",
            "1 timed out",
            "as it should",
            "has overflowed its stack",
            "SIGABRT",
            "exit code 7",
            "SIGKILL",
            "rerun the failures: ",
        ],
    );
    assert_ne!(told.1, 0);
}

#[test]
fn a_state_directory_that_cannot_be_used() {
    let project = project(MANIFEST, "#[test] fn a() {}");
    fs::create_dir(project.path().join("target")).unwrap();
    fs::write(project.path().join("target/maelstrom"), "no directory").unwrap();
    let told = run(&mut maelstrom(&project, &[]));
    assert_told(&told, 0, &["1 passed", "target/maelstrom"]);
    fs::remove_file(project.path().join("target/maelstrom")).unwrap();
    let state = project.path().join("target/maelstrom/state");
    fs::create_dir_all(&state).unwrap();
    fs::write(state.join("test-listing.toml"), [0xff, 0, 1]).unwrap();
    let told = run(&mut maelstrom(&project, &[]));
    assert_told(&told, 0, &["1 passed", "test-listing.toml"]);
    let told = run(&mut maelstrom(&project, &[]));
    assert_told(&told, 0, &["1 passed"]);
    assert!(!told.0.contains("test-listing.toml"), "{}", told.0);
}

#[test]
fn two_runs_at_once_do_not_disturb_each_other() {
    let source = r#"
        #[test] fn a() { let _port = std::net::TcpListener::bind("127.0.0.1:4444").unwrap(); std::fs::write("/tmp/x", "x").unwrap(); }
        #[test] fn b() { assert!(!std::path::Path::new("/tmp/x").exists()); std::fs::write("Cargo.toml", "").unwrap(); }
    "#;
    let project = project(MANIFEST, source);
    let arguments = ["--repeat", "10"];
    let start = || {
        let mut command = maelstrom(&project, &arguments);
        command
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap()
    };
    let runs: Vec<Child> = (0..3).map(|_| start()).collect();
    for run in runs {
        let output = run.wait_with_output().unwrap();
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "{text}");
        assert!(text.contains("2 passed, 0 failed"), "{text}");
    }
    assert_eq!(
        fs::read_to_string(project.path().join("Cargo.toml")).unwrap(),
        MANIFEST
    );
}

/// A run of one test of which a part listens to no signal, once that has said that it runs.
struct Stubborn {
    program: Child,
    lines: std::io::Lines<BufReader<std::process::ChildStdout>>,
    project: TempDir,
}

impl Stubborn {
    fn start() -> Stubborn {
        let source = r#"
            #[test] fn passes() {}
            #[test] fn stubborn() { std::process::Command::new("sh").args(["-c", "trap '' TERM INT; echo up and deaf; sleep 1000; sleep 1000"]).status().unwrap(); }
        "#;
        let project = project(MANIFEST, source);
        let record = project.path().join("record");
        let arguments = ["--slots", "1", "--record", record.to_str().unwrap()];
        let mut program = maelstrom(&project, &arguments)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let lines = BufReader::new(program.stdout.take().unwrap()).lines();
        // What the test writes is shown when it has ended, but recorded at once.
        while !fs::read_to_string(&record).is_ok_and(|told| told.contains("up and deaf\\n")) {
            assert!(program.try_wait().unwrap().is_none(), "it has ended");
            std::thread::yield_now();
        }
        Stubborn {
            program,
            lines,
            project,
        }
    }

    fn interrupt(&self) {
        kill(Pid::from_raw(self.program.id() as i32), Signal::SIGINT).unwrap();
    }

    fn wait_for(&mut self, text: &str) {
        let found = self.lines.by_ref().any(|line| line.unwrap().contains(text));
        assert!(found, "{text:?} was never said");
    }

    fn end(mut self) -> (String, i32) {
        let rest: Vec<String> = self.lines.by_ref().map(Result::unwrap).collect();
        let code = self.program.wait().unwrap().code().unwrap();
        assert!(Path::new(self.project.path()).exists());
        (rest.join("\n"), code)
    }
}

#[test]
fn one_interrupt_ends_the_run_after_the_grace_period() {
    let run = Stubborn::start();
    run.interrupt();
    let told = run.end();
    assert_told(&told, 130, &["1 passed", "1 cancelled"]);
}

#[test]
fn a_second_interrupt_kills_at_once() {
    let mut run = Stubborn::start();
    run.interrupt();
    run.wait_for("cancel");
    run.interrupt();
    let told = run.end();
    assert_told(&told, 130, &["1 passed", "1 cancelled"]);
}

/// In a user namespace whose own limit is zero, as on a machine where nobody may make them.
fn where_containers_are_forbidden(project: &TempDir, options: &str) -> (String, i32) {
    let script = format!(
        "echo 0 > /proc/sys/user/max_user_namespaces && exec {EXECUTABLE} --no-tui {options}"
    );
    let mut command = Command::new("unshare");
    command
        .args(["--user", "--map-root-user", "sh", "-c", &script])
        .current_dir(project.path())
        .stdin(Stdio::null());
    run(&mut command)
}

#[test]
fn a_machine_that_forbids_containers() {
    let project = project(MANIFEST, "#[test] fn a() {} #[test] fn b() { panic!() }");
    let told = where_containers_are_forbidden(&project, "");
    assert_told(
        &told,
        125,
        &[
            "this machine allows no user namespaces (user.max_user_namespaces is 0)",
            "sudo sysctl -w user.max_user_namespaces=15000",
            "--isolation=process",
        ],
    );
    // Invariant 2: never in silence, but by choice, which the summary repeats.
    assert!(!told.0.contains("PASS"), "{}", told.0);
    let told = where_containers_are_forbidden(&project, "--isolation=process");
    assert_told(&told, 101, &["1 passed, 1 failed"]);
    let summary = told.0.split("failures:").last().unwrap();
    assert!(summary.contains("process"), "{}", told.0);
}
