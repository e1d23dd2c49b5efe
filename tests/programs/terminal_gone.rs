//! A terminal that goes away, as when a connection breaks or a window is closed: what is told of it,
//! and that nothing of the job stays.

use crate::pseudoterminal;
use std::fs::{self, File};
use std::io::Read;
use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};

const PROGRAM: &str = env!("CARGO_BIN_EXE_maelstrom-run");

/// Runs the program on a terminal that goes away as soon as this is read on it. Returns how the
/// program ended, and what it wrote to standard error, which is a file.
fn abandoned(directory: &Path, arguments: &[&str], sign: &str) -> (ExitStatus, String) {
    let (mut person, programs) = pseudoterminal::open(80, 24);
    let end = || Stdio::from(programs.try_clone().unwrap());
    let told = directory.join("told.txt");
    // It becomes the program itself, after having made the terminal its own.
    let mut command = Command::new("setsid");
    command
        .args(["--ctty", PROGRAM])
        .args(arguments)
        .current_dir(directory)
        .env_remove("CI")
        .env("TERM", "xterm-256color")
        .env("XDG_CONFIG_HOME", directory)
        .env("XDG_CACHE_HOME", directory);
    command.stdin(end()).stdout(end());
    let mut program = command
        .stderr(File::create(&told).unwrap())
        .spawn()
        .expect("util-linux is installed");
    drop((command, programs));
    let mut seen = Vec::new();
    let mut chunk = [0; 4096];
    while !String::from_utf8_lossy(&seen).contains(sign) {
        let length = person.read(&mut chunk).expect("the program shows the sign");
        seen.extend_from_slice(&chunk[..length]);
    }
    drop(person);
    let status = program.wait().unwrap();
    (status, fs::read_to_string(told).unwrap())
}

/// Whether a process with this word on its command line is there.
fn runs(word: &str) -> bool {
    let processes = fs::read_dir("/proc").unwrap().flatten();
    let mut lines = processes.filter_map(|process| fs::read(process.path().join("cmdline")).ok());
    lines.any(|line| {
        line.split(|&byte| byte == 0)
            .any(|part| part == word.as_bytes())
    })
}

#[test]
fn a_job_ends_with_its_terminal() {
    let directory = tempfile::tempdir().unwrap();
    // As an argument of the job it is seen from outside as well.
    let name = format!("{}-job", directory.path().display());
    let script = "echo ready; while :; do sleep 1000; done";
    let arguments = ["--tty", "--", "sh", "-c", script, &name];
    let (status, told) = abandoned(directory.path(), &arguments, "ready");
    assert!(!runs(&name));
    insta::assert_snapshot!(format!("{:?}\n{told}", status.code()), @"
    Some(130)
    error: the terminal is gone, so the job was stopped
    help: run it again on a terminal that stays, in tmux or screen for instance
    ");
}

#[test]
fn jobs_in_a_dashboard_end_with_its_terminal() {
    let directory = tempfile::tempdir().unwrap();
    let name = format!("{}-job", directory.path().display());
    let job = serde_json::json!({
        "program": "sh",
        "arguments": ["-c", "echo ready; while :; do sleep 1000; done", name],
        "parent": "default",
    });
    fs::write(directory.path().join("jobs.json"), job.to_string()).unwrap();
    let arguments = ["--file=jobs.json", "--ui=dashboard"];
    let (status, told) = abandoned(directory.path(), &arguments, "running");
    assert!(!runs(&name));
    insta::assert_snapshot!(format!("{:?}\n{told}", status.code()), @"
    Some(130)
    error: the terminal is gone, so the run was stopped
    help: run it again on a terminal that stays, in tmux or screen for instance
    ");
}
