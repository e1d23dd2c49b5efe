//! The cost of a dashboard frame, measured in allocations, which don't vary with the load of the
//! machine. They are counted for the whole process, so this test is a program of its own.

// A test fails by panicking.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used)]
// Helpers are shared by several binaries.
#![allow(unreachable_pub)]

#[path = "../../../tests/support/harness.rs"]
mod harness;
#[path = "../../../tests/support/stream.rs"]
mod stream;

use std::alloc::System;

use harness::Harness;
use maelstrom_ui::dashboard::view::view;
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// Returns the allocations of a frame with this many tests, a fiftieth of which have run.
fn of_a_frame(tests: u32) -> usize {
    let mut script = stream::big(tests);
    stream::run_big(&mut script, tests / 50);
    let mut harness = Harness::new(120, 36);
    harness.feed(script.events);
    harness.keys("2G");
    let region = Region::new(ALLOCATOR);
    harness
        .terminal
        .draw(|frame| view(&harness.app, frame, harness.now_us))
        .unwrap();
    region.change().allocations
}

#[test]
fn check_03_a_frame_costs_no_more_with_100_000_tests_than_with_a_thousand() {
    let (few, many) = (of_a_frame(1_000), of_a_frame(100_000));
    assert!(few > 0, "a frame is made of strings");
    assert!(many <= few * 2, "{few} allocations, and then {many}");
}
