//! The dashboard's checks that need no terminal: the numbered ones of its design, and a snapshot
//! of every screen in both sizes.

mod commands;
mod logs;
mod pictures;
mod rows;
mod speed;

use crate::harness::Harness;
use crate::stream::{PANIC, Script};
use maelstrom_model::event::{OutputStream, RoundCause};

/// A small run: the first test fails, the second passes, the third runs.
fn small() -> Script {
    let mut script = Script::local();
    let tests = script.discover("demo", &["a::fails", "a::passes", "b::runs", "b::waits"]);
    script.begin_round(1, RoundCause::Start);
    for test in &tests {
        script.queue(*test);
    }
    script.start(tests[0]);
    script.write(tests[0], OutputStream::Stderr, PANIC);
    script.wait_ms(5);
    script.fail(tests[0]);
    script.start(tests[1]);
    script.wait_ms(5);
    script.pass(tests[1]);
    script.start(tests[2]);
    script.wait_ms(1000);
    script
}

/// This much of a run, on a screen of this size.
fn shown(script: Script, columns: u16, rows: u16) -> Harness {
    let mut harness = Harness::new(columns, rows);
    harness.feed(script.events);
    harness
}
