//! What the dashboard costs: `cargo bench --bench dashboard`.
//!
//! Prints a figure a line: the time of a frame at 100,000 tests, the model's memory, the time of an
//! event, of a key in a search and of a jump in a log, and the bytes that an idle screen writes.

#[path = "../tests/support/harness.rs"]
mod harness;
#[path = "../tests/support/stream.rs"]
mod stream;

use harness::{Harness, cpu_us};
use maelstrom::engine::event::Stream;
use maelstrom::engine::ids::TestId;
use maelstrom::ui::dashboard::screen::Screen;
use maelstrom::ui::model::Model;

const TESTS: u32 = 100_000;

fn main() {
    model();
    frames();
    keys();
    log();
}

fn report(what: &str, figure: impl std::fmt::Display) {
    println!("{what:<58} {figure}");
}

fn model() {
    let mut script = stream::big(TESTS);
    stream::run_big(&mut script, TESTS);
    let events = script.events.len();
    let before_bytes = resident_bytes();
    let mut model = Model::new();
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
            let mut screen = Screen::new();
            let (app, now_us) = (&harness.app, harness.now_us);
            let us = cpu_us(50, || {
                screen.forget();
                screen.frame(app, now_us).expect("memory takes bytes");
            });
            report(
                &format!("a whole frame at {columns}x{rows} after {key:?}, µs"),
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
            &format!("typing {key:?} in a search of 100,000 names, µs"),
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
    for block in 0..1000 {
        let mut text = format!("needle {block}\n");
        for line in 0..999 {
            text.push_str(&format!(
                "block {block} line {line}: nothing to see in this line\n"
            ));
        }
        script.write(TestId(0), Stream::Stdout, &text);
    }
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
    report("the next match, µs", us);
}
