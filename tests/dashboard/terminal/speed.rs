//! What is done whatever else the run does, and what is not done at all. How soon is measured by the
//! benchmark `dashboard`: a time depends on the machine and on what else it does.

use crate::pseudoterminal;
use crate::terminal::{ROLE, ROLE_WORDS, TOLD, program, showing};
use crate::tmux::Tmux;
use std::time::Duration;

#[test]
#[ignore = "needs tmux"]
fn check_02_nothing_is_written_and_nothing_computed_when_idle() {
    let mut tmux = showing("ended");
    tmux.wait_for("the end", |screen| screen.contains("FAILED"));
    tmux.watch_for(Duration::from_secs(5));
    let processor_ms = |pid: &str| {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).expect("it runs");
        let fields: Vec<&str> = stat
            .rsplit(')')
            .next()
            .unwrap()
            .split_whitespace()
            .collect();
        // utime and stime, in ticks of 10 ms.
        let ticks: u64 = fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap();
        ticks * 10
    };
    let shell = tmux.command("display-message -p '#{pane_pid}'");
    let children = format!("/proc/{0}/task/{0}/children", shell.trim());
    let child = std::fs::read_to_string(children).expect("the shell runs");
    let before_ms = processor_ms(child.trim());
    assert_eq!(tmux.watch_for(Duration::from_secs(4)), 0);
    let used_ms = processor_ms(child.trim()) - before_ms;
    assert!(used_ms <= 20, "{used_ms} ms of 4 s");
}

#[test]
#[ignore = "needs tmux"]
fn check_04_a_key_is_answered_while_events_flood_in() {
    let mut tmux = Tmux::start(120, 36);
    // Its events come until it is left: a screen that takes them first never comes to the key.
    tmux.type_line(&program("endless-flood"));
    tmux.wait_for("results", |screen| screen.contains("failed"));
    for _ in 0..3 {
        tmux.press("?");
        tmux.wait_for("the help", |screen| screen.contains("Help:"));
        tmux.press("?");
        tmux.wait_for("the overview", |screen| !screen.contains("Help:"));
    }
}

#[test]
#[ignore = "needs tmux"]
fn check_15_each_match_in_a_log_of_a_million_lines_is_reached_in_both_directions() {
    let mut tmux = Tmux::start(120, 36);
    tmux.type_line(&program("long-log"));
    tmux.wait_for("the end of the log", |screen| screen.contains("/1,000,000"));
    tmux.press("Enter g / n e e d l e");
    tmux.press("Enter");
    tmux.wait_for("all matches", |screen| screen.contains("1/1000 "));
    for (key, number) in [
        ("n", 2),
        ("n", 3),
        ("N", 2),
        ("N", 1),
        ("N", 1000),
        ("n", 1),
    ] {
        tmux.press(key);
        tmux.wait_for("the match's number", |screen| {
            screen.contains(&format!("/needle {number}/1000 "))
        });
    }
}

#[test]
fn a_slow_terminal_slows_no_event_and_grows_no_memory() {
    use std::io::Read;
    let directory = tempfile::tempdir().unwrap();
    let told = directory.path().join("told");
    let (mut terminal, programs) = pseudoterminal::open(120, 36);
    let end = || std::process::Stdio::from(programs.try_clone().unwrap());
    let mut child = std::process::Command::new(std::env::current_exe().unwrap())
        .args(ROLE_WORDS)
        .env(ROLE, "flood-and-tell")
        .env(TOLD, &told)
        .stdin(end())
        .stdout(end())
        .stderr(end())
        .spawn()
        .unwrap();
    drop(programs);
    // A terminal that takes a kilobyte a second: a wait on a channel that nobody writes to.
    let (tick, rest) = std::sync::mpsc::channel::<()>();
    let mut taken = [0; 128];
    let mut bytes = 0;
    while child.try_wait().unwrap().is_none() {
        bytes += terminal.read(&mut taken).unwrap_or(0);
        let _ = rest.recv_timeout(Duration::from_millis(125));
    }
    drop(tick);
    let told = std::fs::read_to_string(told).unwrap();
    let peak_kib: u64 = told.parse().unwrap();
    assert!(bytes > 1_000, "something was shown");
    // A screen that holds up the stream would show all of it, a kilobyte a second, before its end.
    assert!(bytes < 1 << 20, "{bytes} bytes");
    assert!(peak_kib < 400 << 10, "{peak_kib} KiB");
}
