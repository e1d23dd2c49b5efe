//! `--log-level`: what is logged, and that it never gets in the way of what has the terminal.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use tempfile::TempDir;

use crate::pty::Pty;

const RUN: &str = env!("CARGO_BIN_EXE_maelstrom-run");
const CARGO: &str = env!("CARGO_BIN_EXE_cargo-maelstrom");

/// Runs a program to its end, with nothing to read, and returns what it wrote to standard output
/// and to standard error.
fn written(program: &str, directory: &Path, arguments: &[&str]) -> [String; 2] {
    let mut command = Command::new(program);
    command.args(arguments).current_dir(directory);
    let Output {
        status,
        stdout,
        stderr,
    } = command.output().unwrap();
    let [stdout, stderr] = [stdout, stderr].map(|text| String::from_utf8(text).unwrap());
    assert!(status.success(), "{stderr}");
    [stdout, stderr]
}

/// What it wrote to standard error.
fn stderr(program: &str, directory: &Path, arguments: &[&str]) -> String {
    let [_, stderr] = written(program, directory, arguments);
    stderr
}

/// The lines of a log among others.
fn logged(text: &str) -> String {
    let is_logged = |line: &&str| line.contains("s DEBUG ");
    text.lines()
        .filter(is_logged)
        .collect::<Vec<_>>()
        .join("\n")
}

/// The lines without the time: level, message, fields.
fn lines(log: &str) -> Vec<&str> {
    let without_time = |line| {
        let (time, rest) = str::split_once(line, "s ").expect("a time");
        let _seconds: f64 = time.trim().parse().expect("a time");
        rest.trim_start()
    };
    log.lines().map(without_time).collect()
}

/// Holds that a log has lines that begin so, in this order.
fn assert_tells(log: &str, beginnings: &[&str]) {
    let lines = lines(log);
    let mut left = lines.iter();
    for beginning in beginnings {
        let found = left.any(|line| line.starts_with(beginning));
        assert!(found, "{beginning:?} is not where it should be in:\n{log}");
    }
}

fn here() -> TempDir {
    tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap()
}

#[test]
fn what_happens_to_a_job_is_logged_when_it_is_asked_for() {
    let directory = here();
    let log = stderr(RUN, directory.path(), &["-L", "debug", "--", "true"]);
    assert_tells(
        &log,
        &[
            "DEBUG containers can be made slots=1 took=",
            "DEBUG a container was made slot=0 took=",
            "DEBUG a job has ended job=0 slot=0 container=",
        ],
    );
    for level in ["error", "warning", "info"] {
        let arguments = [&format!("--log-level={level}"), "--", "true"];
        assert_eq!(stderr(RUN, directory.path(), &arguments), "", "{level}");
    }
    assert_eq!(stderr(RUN, directory.path(), &["--", "true"]), "");
}

#[test]
fn why_a_container_serves_no_further_job_is_logged() {
    let directory = here();
    let jobs = r#"
        { "program": "ipcmk", "arguments": ["-M", "64"], "parent": "default" }
        { "program": "true", "parent": "default" }"#;
    fs::write(directory.path().join("jobs"), jobs).unwrap();
    let arguments = ["--log-level=debug", "--slots=1", "--file=jobs"];
    let log = stderr(RUN, directory.path(), &arguments);
    assert_tells(
        &log,
        &[
            "DEBUG a container was made slot=0",
            "DEBUG the container serves no further job job=1 slot=0 reason=shared memory, \
             semaphores or message queues of System V are left",
            "DEBUG a job has ended job=1 slot=0",
            "DEBUG a container was made slot=0",
            "DEBUG a job has ended job=2 slot=0",
        ],
    );
}

#[test]
fn a_job_has_its_terminal_to_itself() {
    let directory = here();
    let arguments = "--tty --log-level=debug --cache-root=cache -- echo hello";
    let words: Vec<&str> = [RUN].into_iter().chain(arguments.split(' ')).collect();
    let pty = Pty::start(&words, |command| {
        command.current_dir(directory.path());
    });
    let (status, written) = pty.finish();
    assert!(status.success());
    assert_eq!(written, "hello\r\n".len());
    let log = fs::read_to_string(directory.path().join("cache/log.txt")).unwrap();
    assert_tells(&log, &["DEBUG containers can be made", "DEBUG a job has"]);
}

#[test]
fn the_log_of_a_dashboard_is_a_file_beside_the_history() {
    let directory = here();
    let manifest = "[package]\nname = \"pond\"\nedition = \"2024\"\n[workspace]\n";
    fs::write(directory.path().join("Cargo.toml"), manifest).unwrap();
    fs::create_dir(directory.path().join("src")).unwrap();
    let library = "#[test]\nfn depth() {}\n";
    fs::write(directory.path().join("src/lib.rs"), library).unwrap();
    let told = [
        "DEBUG containers can be made",
        "DEBUG the build begins command=",
        "DEBUG a program is run to find tests job=0 program=",
        "DEBUG all tests are found selected=1 deselected=0",
        "DEBUG a test starts job=1 slot=0 package=pond artifact=pond(library) name=\"depth\"",
        "DEBUG a job has ended job=1 slot=0",
        "DEBUG a round has ended round=1",
    ];
    let file = directory.path().join("target/maelstrom/state/log.txt");
    let arguments = ["maelstrom", "--lib", "--offline", "--no-tui", "-L", "debug"];
    let [stdout, stderr] = written(CARGO, directory.path(), &arguments);
    assert_tells(&logged(&stdout), &told);
    assert_eq!(logged(&stderr), "");
    assert!(!file.exists());
    // The report is there as well, and no line is broken.
    let log = logged(&stdout);
    let report: Vec<&str> = stdout.lines().filter(|line| !log.contains(line)).collect();
    assert!(
        report
            .iter()
            .any(|line| line.starts_with("summary: 1 passed")),
        "{report:?}"
    );

    // Somebody reads what is listed, line by line.
    let arguments = ["maelstrom", "--offline", "--list-tests", "-L", "debug"];
    let [stdout, stderr] = written(CARGO, directory.path(), &arguments);
    assert_eq!(stdout, "pond depth\n");
    assert_tells(&logged(&stderr), &["DEBUG all tests are found selected=1"]);

    let shown = |level: &str| {
        let words = [
            CARGO,
            "maelstrom",
            "--lib",
            "--offline",
            "--ui=dashboard",
            "-L",
            level,
        ];
        let pty = Pty::start(&words, |command| {
            command.current_dir(directory.path());
        });
        let (status, _) = pty.finish();
        assert!(status.success());
    };
    shown("debug");
    assert_tells(&fs::read_to_string(&file).unwrap(), &told);
    shown("info");
    assert!(!file.exists());
}
