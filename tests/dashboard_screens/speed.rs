//! What drawing and searching cost, and how often is drawn.

use crate::harness::cpu_us;
use crate::{shown, stream};
use crossterm::event::KeyCode;
use maelstrom::ui::dashboard::pace::{Cause, DATA_GAP_US, INPUT_GAP_US, Pacer};

/// What our own code may take longer where it is not optimised; measured, it is a factor of ten.
const UNOPTIMISED: u64 = if cfg!(debug_assertions) { 2 } else { 1 };

#[test]
fn check_03_a_frame_at_100_000_tests_takes_2_ms_or_less() {
    let mut script = stream::big(100_000);
    stream::run_big(&mut script, 2_000);
    let mut harness = shown(script, 120, 36);
    harness.keys("2G");
    let (app, terminal) = (&harness.app, &mut harness.terminal);
    let now_us = harness.now_us;
    let us = cpu_us(20, || {
        terminal
            .draw(|frame| maelstrom::ui::dashboard::view::view(app, frame, now_us))
            .unwrap();
    });
    assert!(us <= 2_000 * UNOPTIMISED, "a frame takes {us} µs");
}

#[test]
fn check_05_a_thousand_events_cause_a_draw_each_33_ms_and_the_last_state_is_drawn() {
    let mut pacer = Pacer::default();
    let (mut drawn, mut state, mut shown) = (Vec::new(), 0, 0);
    let mut now_us = 0;
    for event in 1..=1000 {
        now_us = event * 100;
        state = event;
        pacer.want(Cause::Data);
        if pacer.due_us().is_some_and(|due_us| due_us <= now_us) {
            (shown, _) = (state, drawn.push(now_us));
            pacer.drawn(now_us);
        }
    }
    let due_us = pacer.due_us().expect("the last state is still to be drawn");
    assert!(shown < state && due_us <= now_us + DATA_GAP_US);
    drawn.push(due_us);
    pacer.drawn(due_us);
    assert_eq!(pacer.due_us(), None, "nothing is drawn for nothing");
    assert!(
        drawn
            .windows(2)
            .all(|pair| pair[1] - pair[0] >= DATA_GAP_US),
        "{drawn:?}"
    );
    // A key does not wait for the run's turn.
    pacer.want(Cause::Data);
    pacer.want(Cause::Input);
    assert_eq!(pacer.due_us(), Some(due_us + INPUT_GAP_US));
}

#[test]
fn check_14_a_keystroke_of_a_search_over_100_000_names_takes_16_ms_or_less() {
    let mut harness = shown(stream::big(100_000), 120, 36);
    harness.keys("/");
    let mut took = Vec::new();
    for key in "case_0420".chars() {
        // The least of several tries, the letter being taken back in between.
        let mut least = cpu_us(1, || harness.keys(&key.to_string()));
        for _ in 0..3 {
            harness.key(KeyCode::Backspace, crossterm::event::KeyModifiers::NONE);
            least = least.min(cpu_us(1, || harness.keys(&key.to_string())));
        }
        took.push(least);
    }
    assert!(
        took.iter().all(|us| *us <= 16_000 * UNOPTIMISED),
        "the keystrokes take {took:?} µs"
    );
    let found = harness.screen();
    assert!(found.contains("case_042000"), "{found}");
    harness.key(KeyCode::Tab, crossterm::event::KeyModifiers::NONE);
    let regex = harness.screen();
    harness.keys("[");
    let bad = harness.screen();
    assert!(bad.contains("unclosed character class"), "{bad}");
    let rows = |screen: &str| {
        screen
            .lines()
            .skip(4)
            .take(30)
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    assert_eq!(rows(&bad), rows(&regex), "the old result stays");
}
