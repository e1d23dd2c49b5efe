//! How often is drawn, and a search as it is typed. What that costs is measured by the benchmark
//! `dashboard`: a time depends on the machine and on what else it does.

use crate::screens::shown;
use crate::stream;
use crossterm::event::KeyCode;
use maelstrom_ui::dashboard::frame_rate::{
    DATA_GAP_US, FrameRateLimiter, INPUT_GAP_US, RedrawCause,
};

#[test]
fn check_05_a_thousand_events_cause_a_draw_each_33_ms_and_the_last_state_is_drawn() {
    let mut pacer = FrameRateLimiter::default();
    let (mut drawn, mut state, mut shown) = (Vec::new(), 0, 0);
    let mut now_us = 0;
    for event in 1..=1000 {
        now_us = event * 100;
        state = event;
        pacer.want(RedrawCause::Data);
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
    pacer.want(RedrawCause::Data);
    pacer.want(RedrawCause::Input);
    assert_eq!(pacer.due_us(), Some(due_us + INPUT_GAP_US));
}

#[test]
fn check_14_a_search_follows_each_key_and_keeps_its_rows_while_a_pattern_is_broken() {
    let mut harness = shown(stream::big(100_000), 120, 36);
    harness.keys("/case_0420");
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
