//! The dashboard's checks that need a terminal, in tmux: the numbered ones of its design.
//!
//! The program in the terminal is this test program itself, in the role that a variable gives it:
//! the dashboard over a run that is made up, whose thread answers commands as a real run does.
//! What depends on how tests are really run is tested with the real program.

#[path = "support/executable.rs"]
mod executable;
#[path = "support/pseudoterminal.rs"]
mod pseudoterminal;
#[path = "support/stream.rs"]
mod stream;
#[path = "support/tmux.rs"]
mod tmux;

use std::time::{Duration, Instant};

use maelstrom::engine::event::channel::{EventSender, channel};
use maelstrom::engine::event::{Command, Event, EventKind, RoundCause, Stream, Summary};
use maelstrom::engine::ids::TestId;
use maelstrom::ui::dashboard::settings::Settings;
use maelstrom::ui::dashboard::theme::{ColorChoice, Glyphs};
use maelstrom::ui::dashboard::{self, End, OnFinish, Options, Playback, Source};
use maelstrom::ui::report::write_ending;
use maelstrom::ui::style::Colour;
use stream::Script;
use tmux::Tmux;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

const ROLE: &str = "MAELSTROM_TEST_ROLE";
const TOLD: &str = "MAELSTROM_TEST_TOLD";
const FRAME_BEGIN: &[u8] = b"\x1b[?2026h";
const FRAME_END: &[u8] = b"\x1b[?2026l";

/// The command line that runs this program in a role.
fn program(role: &str) -> String {
    let own = std::env::current_exe().expect("this program has a path");
    let own = own.display();
    format!("{ROLE}={role} {own} --exact the_program_in_the_terminal --nocapture")
}

/// Not a check: what runs in the terminal when one of the checks asks for it.
#[test]
fn the_program_in_the_terminal() {
    let Ok(role) = std::env::var(ROLE) else {
        return;
    };
    let (sender, events) = channel();
    let (commands, queue) = unbounded_channel();
    let settings = Settings::standard(ColorChoice::Color).expect("the built-in themes are right");
    let engine = std::thread::spawn(move || match role.as_str() {
        "flood" => flood(&sender),
        "flood-and-tell" => {
            let began = Instant::now();
            flood(&sender);
            let status = std::fs::read_to_string("/proc/self/status").expect("Linux has it");
            let peak = status.lines().find(|line| line.starts_with("VmHWM:"));
            let peak = peak
                .and_then(|line| line.split_whitespace().nth(1))
                .expect("a number");
            let told = format!("{} {peak}", began.elapsed().as_millis());
            std::fs::write(std::env::var(TOLD).expect("a file to tell"), told).expect("it is ours");
            std::process::exit(0);
        }
        "long-log" => long_log(&sender, queue),
        role => answer(&sender, queue, role),
    });
    let options = Options {
        settings,
        glyphs: Glyphs::Unicode,
        on_finish: OnFinish::Auto,
        source: Source::Live,
        playback: Playback::Going,
        step: None,
    };
    let outcome = dashboard::run(events, commands, options).expect("there is a terminal");
    match outcome.end {
        End::Closed => {}
        End::Signal(number) => std::process::exit(128 + number),
    }
    let mut stdout = std::io::stdout();
    write_ending(&mut stdout, Colour::Never, &outcome.model, &outcome.logs)
        .expect("the terminal takes text");
    drop(engine);
    std::process::exit(1);
}

/// A run that has come to the middle, answers what is asked of it, and ends when it is left.
fn answer(sender: &EventSender, mut commands: UnboundedReceiver<Command>, role: &str) {
    let began = Instant::now();
    let mut script = stream::showcase();
    if role == "ended" {
        let summary = Summary {
            failed: 2,
            ..Summary::default()
        };
        script.end_round(1, summary);
    }
    let offset_us = script.at_us;
    script
        .events
        .into_iter()
        .for_each(|event| sender.send(event));
    let mut suspended = Instant::now();
    let tell = |kind| {
        let at_us = offset_us + began.elapsed().as_micros() as u64;
        sender.send(Event { at_us, kind });
    };
    while let Some(command) = commands.blocking_recv() {
        match command {
            Command::Pause if role == "panic" => panic!("as the check wants it"),
            Command::Pause => tell(EventKind::Paused),
            Command::Resume => tell(EventKind::Resumed),
            Command::Suspend => {
                suspended = Instant::now();
                tell(EventKind::Suspended);
            }
            Command::Continue => {
                let suspended_us = suspended.elapsed().as_micros() as u64;
                tell(EventKind::Continued { suspended_us });
            }
            Command::Cancel => tell(EventKind::Cancelling {
                grace_us: 10_000_000,
            }),
            Command::Rerun { tests } => tell(EventKind::RerunQueued {
                tests: tests.len() as u32,
            }),
            Command::Leave | Command::Kill => {
                tell(EventKind::RunFinished { exit_code: 1 });
                return;
            }
            Command::CancelTest { .. } | Command::Describe { .. } => {}
        }
    }
}

/// Ten thousand events a second, as long as somebody takes them.
fn flood(sender: &EventSender) {
    let count = 30_000;
    let mut script = stream::big(count);
    script.events.drain(..).for_each(|event| sender.send(event));
    stream::run_big(&mut script, count);
    let began = Instant::now();
    let (tick, rest) = std::sync::mpsc::channel::<()>();
    for (index, mut event) in (0_u32..).zip(script.events) {
        let due = Duration::from_micros(100) * index;
        // A wait on a channel that nobody writes to: the pace of the stream.
        let _ = rest.recv_timeout(due.saturating_sub(began.elapsed()));
        event.at_us = began.elapsed().as_micros() as u64;
        sender.send(event);
    }
    drop(tick);
}

/// A test that has written a million lines, one in a thousand of which says `needle`.
fn long_log(sender: &EventSender, mut commands: UnboundedReceiver<Command>) {
    let mut script = Script::local();
    let tests = script.discover("demo", &["chatty"]);
    script.begin_round(1, RoundCause::Start);
    script.start(tests[0]);
    for block in 0..1000 {
        let mut text = format!("needle {block}\n");
        for line in 0..999 {
            text.push_str(&format!(
                "block {block} line {line}: nothing to see in this line\n"
            ));
        }
        script.write(TestId(0), Stream::Stdout, &text);
    }
    script.fail(tests[0]);
    script
        .events
        .into_iter()
        .for_each(|event| sender.send(event));
    while commands
        .blocking_recv()
        .is_some_and(|command| command != Command::Leave)
    {}
}

/// A terminal with the program in it, showing the run.
fn showing(role: &str) -> Tmux {
    let mut tmux = Tmux::start(120, 36);
    tmux.type_line(&program(role));
    tmux.wait_for("the dashboard", |screen| screen.contains("Failures 1/4"));
    tmux
}

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
fn check_06_every_frame_is_a_synchronised_update() {
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
fn check_22_y_puts_the_exact_name_on_the_clipboard() {
    let mut tmux = showing("showcase");
    let from = tmux.raw.len();
    tmux.press("y");
    // The base64 form of `net tcp::tests::reset_mid_write`.
    let copied = b"\x1b]52;c;bmV0IHRjcDo6dGVzdHM6OnJlc2V0X21pZF93cml0ZQ==\x1b\\";
    tmux.wait_for_bytes(from, copied);
}

#[test]
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
fn check_30_help_lists_every_key_and_quitting_leaves_the_failures_behind() {
    let mut tmux = showing("ended");
    tmux.resize(120, 90);
    tmux.press("?");
    let actions = maelstrom::ui::dashboard::keys::ACTIONS;
    // All of it: a screen in the middle of the resizing shows a part.
    let help = tmux.wait_for("the help", |screen| {
        actions.iter().all(|info| screen.contains(info.help))
    });
    let keys = maelstrom::ui::dashboard::keys::KeyMap::default();
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
