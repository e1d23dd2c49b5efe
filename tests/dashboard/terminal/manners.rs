//! What the terminal is given, and how it is left: frames, other programs, sizes, stops and ends.

use crate::executable;
use crate::terminal::{ENDS_WHILE_STOPPED, FRAME_BEGIN, FRAME_END, program, showing};
use crate::tmux::Tmux;
use std::time::{Duration, Instant};

/// Every byte that is not part of a frame.
fn outside_frames(mut bytes: &[u8]) -> Vec<u8> {
    let find = |bytes: &[u8], what: &[u8]| bytes.windows(what.len()).position(|w| w == what);
    let mut outside = Vec::new();
    while let Some(begin) = find(bytes, FRAME_BEGIN) {
        outside.extend_from_slice(&bytes[..begin]);
        let frame = &bytes[begin + FRAME_BEGIN.len()..];
        let end = find(frame, FRAME_END).expect("each frame ends");
        let nested = find(&frame[..end], FRAME_BEGIN);
        assert_eq!(nested, None, "a frame begins before the last one ended");
        bytes = &frame[end + FRAME_END.len()..];
    }
    outside.extend_from_slice(bytes);
    outside
}

#[test]
#[ignore = "needs tmux"]
fn check_06_every_frame_is_a_synchronized_update() {
    let mut tmux = Tmux::start(120, 36);
    let from = tmux.raw.len();
    tmux.type_line(&program("showcase"));
    tmux.wait_for("the dashboard", |screen| screen.contains("Failures 1/4"));
    for (keys, shown) in [
        ("2", "sort:name"),
        ("3", "Detail"),
        ("4", "Slots"),
        ("1", "Failures"),
    ] {
        tmux.press(keys);
        tmux.wait_for(shown, |screen| screen.contains(shown));
    }
    let raw = &tmux.raw[from..];
    // What comes after the last whole frame may be a part of a mark.
    let mut ends = raw.windows(FRAME_END.len());
    let end = ends.rposition(|window| window == FRAME_END).unwrap();
    let raw = raw[..end + FRAME_END.len()].to_vec();
    let outside = String::from_utf8_lossy(&outside_frames(&raw)).into_owned();
    // The shell's echo and the test program's first words, and then the terminal being taken.
    let (_, taken) = outside
        .split_once("\x1b[?1049h")
        .expect("the alternate screen");
    let entered = "\x1b[?25l\x1b[?2004h\x1b[2J\x1b[H\x1b[?1000h\x1b[?1002h\x1b[?1006h";
    assert_eq!(taken, entered);
    assert!(
        raw.windows(8)
            .filter(|window| *window == FRAME_BEGIN)
            .count()
            >= 5
    );
}

#[test]
#[ignore = "needs tmux"]
fn check_17_e_opens_the_editor_at_the_line_and_the_screen_is_intact_afterwards() {
    let directory = tempfile::tempdir().unwrap();
    let (editor, told) = (
        directory.path().join("editor"),
        directory.path().join("told"),
    );
    let script = format!(
        "#!/bin/sh\necho \"$@\" > {}\necho editing\nread answer\n",
        told.display()
    );
    executable::write(&editor, &script);
    let mut tmux = Tmux::start(120, 36);
    tmux.type_line(&format!("export EDITOR={}", editor.display()));
    tmux.type_line(&program("ended"));
    let before = tmux.wait_for("the end", |screen| {
        screen.contains("Failures 1/4")
            && screen
                .lines()
                .next()
                .is_some_and(|line| line.contains("FAILED"))
    });
    tmux.press("e");
    tmux.wait_for("the editor", |screen| screen.contains("editing"));
    tmux.press("Enter");
    tmux.wait_for("the same screen", |screen| screen == before);
    let told = std::fs::read_to_string(told).unwrap();
    assert_eq!(told, "+412 /home/dev/project/net/src/tcp.rs\n");
    tmux.press("2");
    tmux.wait_for("keys to work", |screen| screen.contains("sort:name"));
}

#[test]
#[ignore = "needs tmux"]
fn check_22_y_puts_the_exact_name_on_the_clipboard() {
    let mut tmux = showing("showcase");
    let from = tmux.raw.len();
    tmux.press("y");
    // The base64 form of `net tcp::tests::reset_mid_write`.
    let copied = b"\x1b]52;c;bmV0IHRjcDo6dGVzdHM6OnJlc2V0X21pZF93cml0ZQ==\x1b\\";
    tmux.wait_for_bytes(from, copied);
}

#[test]
#[ignore = "needs tmux"]
fn check_24_the_terminal_may_have_any_size() {
    let mut tmux = showing("showcase");
    tmux.press("] ]");
    tmux.wait_for("the second failure", |screen| {
        screen.contains("Failures 2/4")
    });
    tmux.resize(80, 24);
    tmux.wait_for("80x24", |screen| screen.contains("12 workers (1 degraded)"));
    tmux.resize(20, 5);
    tmux.wait_for("20x5", |screen| screen.contains("too small"));
    tmux.resize(120, 36);
    tmux.wait_for("120x36", |screen| {
        screen.contains("Failures 2/4") && screen.contains("Workers 12 (1 degraded)")
    });
}

#[test]
#[ignore = "needs tmux"]
fn check_25_the_program_stops_and_goes_on_and_the_pause_counts_for_no_test() {
    let mut tmux = Tmux::start(120, 36);
    tmux.type_line(&program("showcase"));
    let seconds = |screen: &str| -> Option<u64> {
        let line = screen
            .lines()
            .find(|line| line.contains("index::tests::split"))?;
        let time = line.split_whitespace().find(|word| {
            word.ends_with('s') && word.len() > 1 && word[..word.len() - 1].parse::<u64>().is_ok()
        })?;
        time[..time.len() - 1].parse().ok()
    };
    tmux.wait_for("a running test", |screen| seconds(screen).is_some());
    let began = Instant::now();
    let before = seconds(&tmux.screen()).unwrap();
    tmux.press("C-z");
    tmux.wait_for("the shell", |screen| screen.contains("Stopped"));
    tmux.type_line("echo still $((6 * 7))");
    tmux.wait_for("the shell's answer", |screen| screen.contains("still 42"));
    let stopped = Instant::now();
    tmux.watch_for(Duration::from_secs(4));
    let pause = stopped.elapsed();
    tmux.type_line("fg");
    let screen = tmux.wait_for("the dashboard", |screen| seconds(screen).is_some());
    let ran = (began.elapsed() - pause).as_secs();
    let after = seconds(&screen).unwrap();
    assert!(
        after <= before + ran + 1,
        "{before} s, and {after} s after {ran} s"
    );
    tmux.press("2");
    tmux.wait_for("keys to work", |screen| screen.contains("sort:name"));
}

#[test]
#[ignore = "needs tmux"]
fn check_26_the_terminal_is_as_before_after_a_panic_and_after_signals() {
    for (end, exit) in [("panic", 1), ("TERM", 143), ("HUP", 129)] {
        let mut tmux = Tmux::start(120, 36);
        tmux.type_line("stty -g");
        let settings = tmux.wait_for("the settings", |screen| screen.contains(':'));
        let settings = settings
            .lines()
            .find(|line| line.contains(':'))
            .unwrap()
            .to_owned();
        tmux.type_line(&program(if end == "panic" { end } else { "showcase" }));
        tmux.wait_for("the dashboard", |screen| screen.contains("Failures 1/4"));
        if end == "panic" {
            tmux.press("P");
        } else {
            let shell = tmux.command("display-message -p '#{pane_pid}'");
            let children = format!("/proc/{0}/task/{0}/children", shell.trim());
            let child = std::fs::read_to_string(children).unwrap();
            let child = nix::unistd::Pid::from_raw(child.trim().parse().unwrap());
            let signal: nix::sys::signal::Signal = format!("SIG{end}").parse().unwrap();
            nix::sys::signal::kill(child, signal).unwrap();
        }
        tmux.wait_for("the shell", |screen| screen.trim_end().ends_with('$'));
        tmux.type_line("echo exit=$?; clear; stty -g; echo end");
        let screen = tmux.wait_for("the settings", |screen| screen.contains("\nend"));
        assert!(screen.contains(&settings), "{end}: {settings} in {screen}");
        let raw = String::from_utf8_lossy(&tmux.raw).into_owned();
        assert!(raw.contains(&format!("exit={exit}")), "{end}: {raw:?}");
        let left = raw
            .rfind("\x1b[?1049l")
            .expect("the primary screen is back");
        assert!(
            raw.rfind("\x1b[?1049h") < Some(left)
                && raw.rfind("\x1b[?25l") < raw.rfind("\x1b[?25h")
        );
        assert_eq!(
            tmux.command("display-message -p '#{alternate_on} #{cursor_flag}'"),
            "0 1\n"
        );
    }
}

#[test]
#[ignore = "needs tmux"]
fn check_30_help_lists_every_key_and_quitting_leaves_the_failures_behind() {
    let mut tmux = showing("ended");
    tmux.resize(120, 90);
    tmux.press("?");
    let actions = maelstrom_ui::dashboard::keys::ACTIONS;
    // All of it: a screen in the middle of the resizing shows a part.
    let help = tmux.wait_for("the help", |screen| {
        actions.iter().all(|info| screen.contains(info.help))
    });
    let keys = maelstrom_ui::dashboard::keys::KeyMap::default();
    for info in actions {
        let line = help.lines().find(|line| line.contains(info.help));
        let line = line.unwrap_or_else(|| panic!("{} is not in\n{help}", info.name));
        assert!(line.contains(&keys.keys(info.action)), "{line}");
    }
    tmux.press("?");
    tmux.wait_for("the overview", |screen| !screen.contains("Help:"));
    tmux.press("q");
    tmux.wait_for("the shell", |screen| screen.trim_end().ends_with('$'));
    let left = tmux.scrollback();
    for part in [
        "net tcp::tests::reset_mid_write",
        "assertion `left == right` failed",
        "summary: ",
        "rerun the failures: cargo maelstrom",
    ] {
        assert!(left.contains(part), "{part:?} is not in\n{left}");
    }
}

#[test]
#[ignore = "needs tmux"]
fn a_run_that_ends_while_the_dashboard_is_stopped_closes_it_afterwards() {
    let mut tmux = showing(ENDS_WHILE_STOPPED);
    tmux.press("C-z");
    tmux.wait_for("the shell", |screen| screen.contains("Stopped"));
    tmux.type_line("fg");
    tmux.wait_for("what is left behind", |screen| {
        screen.contains("failures:") && screen.trim_end().ends_with('$')
    });
}
