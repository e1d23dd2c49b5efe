//! What is done in time, whatever else the run does, and what is not done at all.

use crate::tmux::Tmux;
use crate::{FRAME_END, ROLE, TOLD, program, pseudoterminal, showing};
use std::time::{Duration, Instant};

#[test]
fn check_01_the_first_frame_is_shown_within_100_ms() {
    // A machine that does much else delays this and that start, but not each of so many.
    let mut starts = 0..30;
    let mut fastest = Duration::MAX;
    while fastest > Duration::from_millis(100) && starts.next().is_some() {
        let mut tmux = Tmux::start(120, 36);
        let from = tmux.raw.len();
        let began = Instant::now();
        tmux.type_line(&program("showcase"));
        let shown = tmux.wait_for_bytes(from, FRAME_END);
        fastest = fastest.min(shown - began);
    }
    assert!(fastest <= Duration::from_millis(100), "{fastest:?}");
}

#[test]
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
fn check_04_a_key_reaches_the_screen_within_50_ms_at_10_000_events_a_second() {
    let limit = Duration::from_millis(50);
    let mut medians = Vec::new();
    // A machine that does much else spoils this and that flood, but not each of so many.
    while medians.len() < 5 && medians.iter().all(|median| *median > limit) {
        let mut tmux = Tmux::start(120, 36);
        tmux.type_line(&program("flood"));
        tmux.wait_for("results", |screen| screen.contains("failed"));
        let mut delays = Vec::new();
        for _ in 0..9 {
            let from = tmux.raw.len();
            let began = Instant::now();
            tmux.press("?");
            let shown = tmux.wait_for_bytes(from, b"Help");
            delays.push(shown - began);
            tmux.press("?");
            tmux.wait_for("the overview", |screen| !screen.contains("Help:"));
        }
        delays.sort();
        medians.push(delays[4]);
    }
    assert!(medians.iter().any(|median| *median <= limit), "{medians:?}");
}

#[test]
fn check_15_matches_in_a_log_of_a_million_lines_are_100_ms_apart() {
    let mut tmux = Tmux::start(120, 36);
    tmux.type_line(&program("long-log"));
    tmux.wait_for("the end of the log", |screen| screen.contains("/1,000,000"));
    tmux.press("Enter g / n e e d l e");
    tmux.press("Enter");
    tmux.wait_for("all matches", |screen| screen.contains("1/1000 "));
    let limit = Duration::from_millis(100);
    let mut number = 1;
    for (key, step) in [("n", 1), ("N", -1)] {
        let mut delays = Vec::new();
        // A machine that does much else delays this and that step, but not each of so many.
        while delays.len() < 3 || (delays.len() < 30 && delays.iter().all(|delay| *delay > limit)) {
            number = (number - 1 + step + 1000) % 1000 + 1;
            let from = tmux.raw.len();
            let began = Instant::now();
            tmux.press(key);
            delays.push(tmux.wait_for_bytes(from, FRAME_END) - began);
            tmux.wait_for("k/N", |screen| {
                screen.contains(&format!("/needle {number}/1000 "))
            });
        }
        assert!(
            delays.iter().any(|delay| *delay <= limit),
            "{key}: {delays:?}"
        );
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
        .args(["--exact", "the_program_in_the_terminal", "--nocapture"])
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
    let (took_ms, peak_kib) = told.split_once(' ').unwrap();
    let (took_ms, peak_kib): (u64, u64) = (took_ms.parse().unwrap(), peak_kib.parse().unwrap());
    assert!(bytes > 1_000, "something was shown");
    // The stream lasts ten seconds by itself; a screen that held it up would make it many minutes.
    assert!(took_ms < 90_000, "{took_ms} ms");
    assert!(peak_kib < 400 << 10, "{peak_kib} KiB");
}
