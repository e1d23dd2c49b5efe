//! The lists of tests: what is selected, what is shown, and what stands still.

use crate::harness::Harness;
use crate::screens::{shown, small};
use crate::stream;
use crate::stream::Script;
use maelstrom_model::event::RoundCause;
use maelstrom_model::ids::TestId;

#[test]
fn check_07_the_selection_stays_on_its_test_while_rows_come_above_it() {
    let mut script = Script::local();
    script.discover("pkg", &["m::b", "m::d"]);
    let mut harness = shown(script, 80, 24);
    harness.keys("2G");
    assert_eq!(harness.selected(), "· d");
    let mut more = Script::local();
    more.events.clear();
    more.discover("pkg", &["x", "x"]);
    more.events.clear();
    more.discover("pkg", &["m::a", "m::c"]);
    more.discover("early", &["z"]);
    harness.feed(more.events);
    assert_eq!(harness.selected(), "· d");
    let order = ["early", "m", "a", "b", "c", "d"];
    let screen = harness.screen();
    let places: Vec<_> = order
        .iter()
        .map(|name| screen.find(&format!(" {name} ")))
        .collect();
    assert!(
        places.is_sorted() && places[0].is_some(),
        "{places:?}\n{screen}"
    );
}

#[test]
fn check_09_the_first_failure_is_shown_in_the_next_frame_and_the_selection_stays() {
    let mut script = Script::local();
    let tests = script.discover("demo", &["one", "two"]);
    script.begin_round(1, RoundCause::Start);
    script.start(tests[0]);
    script.start_on(tests[1], 1, 0, 1);
    let mut harness = Harness::new(120, 36);
    harness.feed(script.events.drain(..));
    harness.tab();
    harness.keys("j");
    let selected = harness.selected();
    assert!(selected.contains("demo two"), "{selected}");
    script.fail(tests[0]);
    harness.feed(script.events.drain(..));
    let screen = harness.screen();
    assert!(
        screen.contains("Failures 1/1") && screen.contains("✗ demo one"),
        "{screen}"
    );
    assert!(harness.selected().contains("demo two"));
}

#[test]
fn check_12_what_runs_is_listed_longest_first_and_its_list_never_shrinks() {
    let mut script = Script::broker();
    script.worker(0, "w0", 12);
    let names: Vec<String> = (0..12).map(|i| format!("t{i:02}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let tests = script.discover("p", &names);
    script.begin_round(1, RoundCause::Start);
    let mut harness = Harness::new(120, 36);
    let mut height = 0;
    let mut pane_height = |harness: &mut Harness| {
        let buffer = harness.draw();
        let end = (5..36).find(|y| buffer[(119, *y)].symbol() == "┘").unwrap();
        assert!(end >= height, "{end} after {height}");
        height = end;
        height
    };
    for (slot, test) in (0..).zip(&tests) {
        script.start_on(*test, 1, 0, slot);
        script.wait_ms(1000);
        harness.feed(script.events.drain(..));
        pane_height(&mut harness);
    }
    let screen = harness.screen();
    let places: Vec<_> = names.iter().map(|name| screen.find(name)).collect();
    assert!(
        places.is_sorted() && places.iter().all(Option::is_some),
        "{screen}"
    );
    let full = pane_height(&mut harness);
    for test in &tests {
        script.pass(*test);
        harness.feed(script.events.drain(..));
        assert_eq!(pane_height(&mut harness), full);
    }
}

#[test]
fn check_13_f_shows_failures_with_what_is_above_them_and_then_what_was_folded_before() {
    let mut harness = shown(small(), 80, 24);
    harness.keys("2jj");
    harness.keys("h"); // to the group a
    harness.keys("h"); // folded
    let before = harness.screen();
    assert!(
        !before.contains("fails") && before.contains("waits"),
        "{before}"
    );
    harness.keys("f");
    let failures = harness.screen();
    assert!(
        failures.contains("fails") && failures.contains("▾ ✗ demo"),
        "{failures}"
    );
    assert!(
        !failures.contains("waits") && !failures.contains("passes"),
        "{failures}"
    );
    harness.keys("f");
    assert_eq!(harness.screen(), before);
}

#[test]
fn check_16_each_failure_is_visited_once_and_then_the_first_again_with_a_notice() {
    let mut harness = shown(stream::showcase(), 120, 36);
    let failures = ["reset_mid_write", "half_close", "idle_timeout", "case_36"];
    for screen in ["1", "2"] {
        harness.keys(screen);
        let mut seen = Vec::new();
        for _ in &failures {
            harness.keys("]");
            seen.push(harness.selected());
            assert!(!harness.screen().contains("back to the first"));
        }
        for (row, name) in seen.iter().zip(failures) {
            assert!(row.contains(name), "{seen:?}");
        }
        harness.keys("]");
        assert!(harness.screen().contains("back to the first"));
        assert!(harness.selected().contains(failures[0]));
        harness.keys("[");
        assert!(harness.selected().contains(failures[3]));
        // The other screen begins anew.
        harness.keys("2g");
        harness = shown(stream::showcase(), 120, 36);
    }
}

#[test]
fn check_20_frozen_rows_stand_still_while_events_are_counted_and_one_frame_catches_up() {
    let mut script = small();
    let mut harness = Harness::new(120, 36);
    harness.feed(script.events.drain(..));
    harness.keys("2p");
    let frozen = harness.screen();
    script.pass(TestId(2));
    script.start(TestId(3));
    script.wait_ms(500);
    script.fail(TestId(3));
    harness.feed(script.events.drain(..));
    let later = harness.screen();
    assert!(later.contains("FROZEN +3 events"), "{later}");
    assert_eq!(
        later.lines().skip(1).collect::<Vec<_>>(),
        frozen.lines().skip(1).collect::<Vec<_>>()
    );
    harness.keys("p");
    let caught_up = harness.screen();
    assert!(
        !caught_up.contains("FROZEN") && caught_up.contains("✗ 2 failed"),
        "{caught_up}"
    );
}

#[test]
fn a_click_in_a_list_of_workers_selects_what_is_shown_there() {
    let mut script = Script::broker();
    for number in 0..60 {
        script.worker(number, &format!("build-{number:02}"), 4);
    }
    let mut harness = shown(script, 120, 36);
    harness.keys("4G");
    let screen = harness.screen();
    let list = screen.lines().enumerate();
    let mut rows = list.filter(|(_, line)| line.contains(" build-") && line.contains("online"));
    let (row, line) = rows.nth(1).expect("some workers are listed");
    let at = line.find("build-").unwrap();
    let name = &line[at..at + "build-00".len()];
    assert_ne!(name, "build-01", "the list is scrolled: {screen}");
    harness.click(10, row as u16);
    let slots = harness.screen();
    assert!(
        slots.contains(&format!("Slots of {name}")),
        "{name}: {slots}"
    );
    // The heading is no worker.
    harness.click(10, row as u16 - 2);
    assert_eq!(harness.screen(), slots);
}

#[test]
fn a_list_of_workers_stays_where_it_is_when_one_of_its_rows_is_clicked() {
    let mut script = Script::broker();
    for number in 0..60 {
        script.worker(number, &format!("build-{number:02}"), 4);
    }
    let mut harness = shown(script, 120, 36);
    harness.keys("4G");
    let names = |screen: &str| -> Vec<String> {
        let lines = screen.lines().filter(|line| line.contains("online"));
        lines.map(|line| line[..20].trim().to_owned()).collect()
    };
    let before = harness.screen();
    let first = before
        .lines()
        .position(|line| line.contains("online"))
        .expect("some workers are listed");
    harness.click(10, first as u16 + 1);
    let after = harness.screen();
    assert_eq!(names(&after), names(&before));
    // And it follows the keys no further than it must.
    harness.keys("k");
    assert_eq!(names(&harness.screen()), names(&before));
    harness.keys("k");
    assert_ne!(names(&harness.screen()), names(&before));
}

#[test]
fn a_list_stands_where_it_stood_when_one_comes_back_to_its_screen() {
    let mut harness = shown(stream::showcase(), 80, 24);
    harness.keys("2");
    harness.keys(&"j".repeat(30));
    harness.keys("kkkkk");
    let before = harness.screen();
    harness.keys("42");
    assert_eq!(harness.screen(), before);
    harness.enter();
    harness.esc();
    assert_eq!(harness.screen(), before);
}
