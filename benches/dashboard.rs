//! What the dashboard costs: `cargo bench --bench dashboard`.
//!
//! Prints a figure a line: the time of a frame at 100,000 tests, the model's memory, the time of an
//! event, of a key in a search and of a jump in a log, how fast a recording of 100,000 tests plays, and
//! the bytes that an idle screen writes.
//! Then, with programs on a terminal: how soon the first frame is shown, how long a key takes to the screen at 10,000 events a second,
//! what an idle dashboard writes and computes, and what it costs a run of 2,000 trivial tests
//! against `--no-tui`. `cargo bench --bench dashboard -- terminal` prints these alone.

// A benchmark fails by panicking.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used)]
// Helpers are shared by several binaries.
#![allow(unreachable_pub)]

#[path = "../tests/support/harness.rs"]
mod harness;
#[path = "../tests/support/pseudoterminal.rs"]
mod pseudoterminal;
#[path = "../tests/support/pty.rs"]
mod pty;
#[path = "../tests/support/stream.rs"]
mod stream;
#[path = "../tests/support/trivial.rs"]
mod trivial;

use std::path::Path;
use std::time::{Duration, Instant};

use harness::{Harness, cpu_us};
use maelstrom_model::event::RoundSummary;
use maelstrom_model::event::channel::{EventSender, channel};
use maelstrom_model::ids::TestId;
use maelstrom_ui::dashboard::app::AppMessage;
use maelstrom_ui::dashboard::screen::ScreenRenderer;
use maelstrom_ui::dashboard::settings::{DashboardSettings, ThemeChoice};
use maelstrom_ui::dashboard::theme::{ColorChoice, GlyphSet};
use maelstrom_ui::dashboard::{self, DashboardOptions, EventSource, OnFinish, PlaybackState};
use maelstrom_ui::model::RunModel;
use maelstrom_ui::record::{self, ReplaySpeed};
use maelstrom_ui::terminal_features::TerminalFeatureSet;
use nix::sys::resource::{UsageWho, getrusage};
use pty::Pty;
use tokio::sync::mpsc::unbounded_channel;

const TESTS: u32 = 100_000;
const MAELSTROM: &str = env!("CARGO_BIN_EXE_cargo-maelstrom");
/// Tells this program that it is the one on the terminal, and what it shows there.
const ROLE: &str = "MAELSTROM_BENCH_ROLE";

fn main() {
    if let Ok(role) = std::env::var(ROLE) {
        return on_the_terminal(&role);
    }
    if !std::env::args().any(|word| word == "terminal") {
        model();
        frames();
        keys();
        log();
        replay();
    }
    first_frame();
    delay();
    idle();
    cost();
}

fn report(what: &str, figure: impl std::fmt::Display) {
    println!("{what:<68} {figure}");
}

/// A recording of 100,000 tests, read and taken in by a dashboard as fast as that goes.
fn replay() {
    let mut script = stream::big(TESTS);
    stream::run_big(&mut script, TESTS);
    let file = tempfile::NamedTempFile::new().expect("a file");
    let mut out = std::io::BufWriter::new(file.as_file());
    for event in &script.events {
        record::write_event(&mut out, event).expect("a recording");
    }
    drop(out);
    let took_us = script.events.last().map_or(0, |event| event.at_us);
    let count = script.events.len();
    for (what, pace) in [
        ("at once", ReplaySpeed::AtOnce),
        ("10 times as fast", ReplaySpeed::Times(10.0)),
    ] {
        let mut replay = record::replay(file.path(), pace).expect("a recording");
        let mut harness = Harness::new(160, 48);
        let began = Instant::now();
        let mut shown = 0;
        while let Some(event) = replay.events.blocking_recv() {
            harness.app.update(AppMessage::Event(Box::new(event)), 0);
            shown += 1;
        }
        let took = began.elapsed();
        assert_eq!(shown, count);
        let times = took_us as f64 / 1e6 / took.as_secs_f64();
        report(
            &format!("replay of {TESTS} tests, {count} events, {what}"),
            format!("{took:.2?} ({times:.1} times as fast as the run)"),
        );
    }
}

fn model() {
    let mut script = stream::big(TESTS);
    stream::run_big(&mut script, TESTS);
    let events = script.events.len();
    let before_bytes = resident_bytes();
    let mut model = RunModel::new();
    let us = cpu_us(1, || {
        for event in &script.events {
            model.apply(event);
        }
        model.refresh();
    });
    let held_bytes = resident_bytes() - before_bytes;
    report("model of 100,000 finished tests, MiB", held_bytes >> 20);
    report("events", events);
    report("an event into the model, ns", us * 1000 / events as u64);
    let us = cpu_us(5, || drop(model.clone()));
    report("freezing the view (a copy of the model), µs", us);
}

/// What this process has in memory, from `/proc/self/statm` (proc_pid_statm(5)).
fn resident_bytes() -> u64 {
    const PAGE_BYTES: u64 = 4096;
    let statm = std::fs::read_to_string("/proc/self/statm").expect("Linux has this file");
    let pages = statm
        .split_whitespace()
        .nth(1)
        .and_then(|pages| pages.parse::<u64>().ok());
    pages.expect("its second number is the resident set") * PAGE_BYTES
}

fn frames() {
    for (columns, rows) in [(120, 36), (80, 24)] {
        let mut script = stream::big(TESTS);
        stream::run_big(&mut script, 50_000);
        let mut harness = Harness::new(columns, rows);
        harness.feed(script.events);
        for key in ["1", "2", "2G", "3", "4", "5"] {
            harness.keys(key);
            let mut screen = ScreenRenderer::new();
            let (app, now_us) = (&harness.app, harness.now_us);
            let us = cpu_us(50, || {
                screen.forget();
                screen.frame(app, now_us).expect("memory takes bytes");
            });
            report(
                &format!("a whole frame at {columns}x{rows} after {key:?}, µs (limit 2,000)"),
                us,
            );
            let idle = screen.frame(app, now_us).expect("memory takes bytes");
            report(
                "  and again, with nothing changed, bytes",
                idle.map_or(0, |bytes| bytes.len()),
            );
        }
    }
}

fn keys() {
    let mut harness = Harness::new(120, 36);
    harness.feed(stream::big(TESTS).events);
    harness.keys("2/");
    for key in "case_0420".chars() {
        let us = cpu_us(1, || harness.keys(&key.to_string()));
        report(
            &format!("typing {key:?} in a search of 100,000 names, µs (limit 16,000)"),
            us,
        );
    }
}

fn log() {
    let mut script = stream::Script::local();
    let tests = script.discover("demo", &["chatty"]);
    script.start(tests[0]);
    let mut harness = Harness::new(120, 36);
    harness.feed(script.events.drain(..));
    script.write_million_lines(TestId(0));
    let us = cpu_us(1, || harness.feed(script.events.drain(..)));
    report("taking in a million lines, ms", us / 1000);
    report(
        "  of which in memory, KiB",
        harness.app.logs().resident_bytes() >> 10,
    );
    harness.keys("3/needle 999");
    let us = cpu_us(1, || harness.enter());
    report("searching a million lines for the last, ms", us / 1000);
    let us = cpu_us(5, || harness.keys("n"));
    report("the next match, µs (limit 100,000)", us);
}

/// What this program does on a terminal: it shows a run that is made up.
fn on_the_terminal(role: &str) {
    let (sender, events) = channel();
    let (commands, _queue) = unbounded_channel();
    let engine: fn(&EventSender) = match role {
        "flood" => flood,
        _ => end,
    };
    std::thread::spawn(move || engine(&sender));
    let options = DashboardOptions {
        settings: DashboardSettings::standard(&ThemeChoice::dark(ColorChoice::Color))
            .expect("the built-in themes are right"),
        glyphs: GlyphSet::Unicode,
        on_finish: OnFinish::Stay,
        source: EventSource::Live,
        playback: PlaybackState::Going,
        step: None,
        terminal: TerminalFeatureSet::NONE,
    };
    dashboard::run(events, commands, options).expect("there is a terminal");
}

/// Ten thousand events a second.
fn flood(sender: &EventSender) {
    let mut script = stream::big(TESTS);
    script.events.drain(..).for_each(|event| sender.send(event));
    stream::run_big(&mut script, TESTS);
    let began = Instant::now();
    for (index, mut event) in (0_u32..).zip(script.events) {
        let due = Duration::from_micros(100) * index;
        #[expect(clippy::disallowed_methods, reason = "the pace of the stream")]
        std::thread::sleep(due.saturating_sub(began.elapsed()));
        event.at_us = began.elapsed().as_micros() as u64;
        sender.send(event);
    }
}

/// A run that is over, of which two tests failed.
fn end(sender: &EventSender) {
    let mut script = stream::showcase();
    let summary = RoundSummary {
        failed: 2,
        ..RoundSummary::default()
    };
    script.end_round(1, summary);
    script
        .events
        .into_iter()
        .for_each(|event| sender.send(event));
    // The stream stays open, as the one of a run that may be asked for another round.
    loop {
        std::thread::park();
    }
}

fn in_role(role: &str) -> Pty {
    let own = std::env::current_exe().expect("this program has a path");
    Pty::start(&[&own.to_string_lossy()], |command| {
        command.env(ROLE, role);
    })
}

fn first_frame() {
    const STARTS: usize = 15;
    let start = |_| {
        let began = Instant::now();
        let mut terminal = in_role("ended");
        let shown = terminal.wait_for("\x1b[?2026l") - began;
        terminal.stop();
        shown
    };
    let mut times: Vec<Duration> = (0..STARTS).map(start).collect();
    times.sort();
    report(
        &format!("start to first frame, median of {STARTS}, ms (limit 100)"),
        milliseconds(times[STARTS / 2]),
    );
}

fn delay() {
    let mut terminal = in_role("flood");
    terminal.wait_for("failed");
    let mut delays = Vec::new();
    for _ in 0..25 {
        for (key, shown) in [("2", "sort:name"), ("1", "Failures")] {
            let pressed = Instant::now();
            terminal.press(key);
            delays.push(terminal.wait_for(shown) - pressed);
        }
    }
    delays.sort();
    let (median, most) = (delays[delays.len() / 2], delays[delays.len() - 1]);
    report(
        "key to screen at 10,000 events/s, median, ms (limit 50)",
        milliseconds(median),
    );
    report("  the longest of 50, ms", milliseconds(most));
    terminal.stop();
}

fn idle() {
    const SECONDS: u64 = 10;
    let mut terminal = in_role("ended");
    terminal.wait_for("FAILED");
    terminal.watch_for(Duration::from_secs(5));
    let before = processor_time(terminal.id());
    let bytes = terminal.watch_for(Duration::from_secs(SECONDS));
    let used = processor_time(terminal.id()) - before;
    report("idle for 10 s, bytes written (limit 0)", bytes);
    let percent = used.as_secs_f64() / SECONDS as f64 * 100.0;
    report("  processor, % (limit 0.5)", format!("{percent:.3}"));
    terminal.stop();
}

fn milliseconds(time: Duration) -> String {
    format!("{:.1}", time.as_secs_f64() * 1e3)
}

/// What a process has computed, from its threads' `schedstat`, whose first number is nanoseconds.
fn processor_time(process: u32) -> Duration {
    let threads = std::fs::read_dir(format!("/proc/{process}/task")).expect("it runs");
    let times = threads.flatten().map(|thread| {
        let text = std::fs::read_to_string(thread.path().join("schedstat"));
        let text = text.expect("Linux has this file");
        let first = text.split_whitespace().next().map(str::parse::<u64>);
        first.and_then(Result::ok).expect("it begins with a number")
    });
    Duration::from_nanos(times.sum())
}

/// One run.
struct Sample {
    wall: Duration,
    processor: Duration,
    bytes: usize,
}

fn cost() {
    const ROUNDS: usize = 9;
    const TRIVIAL: usize = 2000;
    let scratch = tempfile::tempdir().expect("a temporary directory");
    trivial::make(scratch.path(), TRIVIAL).expect("writing the crate of trivial tests");
    let (mut plain, mut shown) = (Vec::new(), Vec::new());
    // The first round builds the crate and does not count.
    for round in 0..=ROUNDS {
        let samples = (
            sample(scratch.path(), &["--no-tui"]),
            sample(
                scratch.path(),
                &["--ui", "dashboard", "--on-finish", "exit"],
            ),
        );
        if round > 0 {
            plain.push(samples.0);
            shown.push(samples.1);
        }
    }
    for (name, samples) in [("--no-tui", &plain), ("the dashboard", &shown)] {
        let wall = median(samples, |sample| sample.wall);
        report(
            &format!("{TRIVIAL} tests, {name}, median of {ROUNDS}, ms"),
            milliseconds(wall),
        );
        let processor = median(samples, |sample| sample.processor);
        report("  processor time, ms", milliseconds(processor));
        let bytes = samples.iter().map(|sample| sample.bytes).max();
        report("  bytes written", bytes.unwrap_or(0));
    }
    let ratio = |figure: fn(&Sample) -> Duration| {
        let ratio = median(&shown, figure).as_secs_f64() / median(&plain, figure).as_secs_f64();
        format!("{ratio:.3}")
    };
    report(
        "the dashboard against --no-tui, wall time (limit 1.05)",
        ratio(|sample| sample.wall),
    );
    report("  processor time", ratio(|sample| sample.processor));
}

fn sample(project: &Path, arguments: &[&str]) -> Sample {
    let words = [&[MAELSTROM, "maelstrom"], arguments].concat();
    let before = children_time();
    let began = Instant::now();
    let terminal = Pty::start(&words, |command| {
        command.current_dir(project);
    });
    let (status, bytes) = terminal.finish();
    let wall = began.elapsed();
    assert!(status.success(), "{words:?} ended with {status}");
    Sample {
        wall,
        processor: children_time() - before,
        bytes,
    }
}

/// What all children that have ended have computed, theirs included.
fn children_time() -> Duration {
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN).expect("Linux tells it");
    let duration = |time: nix::sys::time::TimeVal| {
        Duration::from_micros((time.tv_sec() * 1_000_000 + time.tv_usec()) as u64)
    };
    duration(usage.user_time()) + duration(usage.system_time())
}

fn median(samples: &[Sample], figure: impl Fn(&Sample) -> Duration) -> Duration {
    let mut figures: Vec<Duration> = samples.iter().map(figure).collect();
    figures.sort();
    figures[figures.len() / 2]
}
