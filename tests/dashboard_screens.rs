//! The dashboard's checks that need no terminal: the numbered ones of its design, and a snapshot
//! of every screen in both sizes.

#[path = "support/harness.rs"]
mod harness;
#[path = "support/stream.rs"]
mod stream;

use crossterm::event::KeyCode;
use harness::{Harness, cpu_us};
use maelstrom::engine::event::{Command, EventKind, Outcome, RoundCause, Stream, Summary};
use maelstrom::engine::ids::TestId;
use maelstrom::ui::dashboard::app::{Effect, External, Mouse};
use maelstrom::ui::dashboard::pace::{Cause, DATA_GAP_US, INPUT_GAP_US, Pacer};
use maelstrom::ui::dashboard::theme::{ColorChoice, Glyphs};
use ratatui::style::{Color, Modifier};
use stream::{PANIC, Script};

/// What our own code may take longer where it is not optimised; measured, it is a factor of ten.
const UNOPTIMISED: u64 = if cfg!(debug_assertions) { 2 } else { 1 };

/// A small run: the first test fails, the second passes, the third runs.
fn small() -> Script {
    let mut script = Script::local();
    let tests = script.discover("demo", &["a::fails", "a::passes", "b::runs", "b::waits"]);
    script.begin_round(1, RoundCause::Start);
    for test in &tests {
        script.queue(*test);
    }
    script.start(tests[0]);
    script.write(tests[0], Stream::Stderr, PANIC);
    script.wait_ms(5);
    script.fail(tests[0]);
    script.start(tests[1]);
    script.wait_ms(5);
    script.pass(tests[1]);
    script.start(tests[2]);
    script.wait_ms(1000);
    script
}

fn shown(script: Script, columns: u16, rows: u16) -> Harness {
    let mut harness = Harness::new(columns, rows);
    harness.feed(script.events);
    harness
}

#[test]
fn every_screen_in_both_sizes() {
    for (columns, rows) in [(120, 36), (80, 24)] {
        let mut harness = shown(stream::showcase(), columns, rows);
        for (key, name) in [
            ('1', "overview"),
            ('2', "tests"),
            ('3', "detail"),
            ('4', "workers"),
            ('5', "cluster"),
            ('?', "help"),
        ] {
            if name == "detail" {
                harness.keys("1]");
            }
            harness.keys(&key.to_string());
            insta::assert_snapshot!(format!("{name}_{columns}x{rows}"), harness.screen());
        }
    }
}

#[test]
fn the_build_and_discovery_are_shown_before_there_are_tests() {
    let mut script = Script::local();
    let mut harness = Harness::new(100, 20);
    insta::assert_snapshot!("starting", harness.screen());
    script.push(EventKind::BuildStarted {
        command: vec!["cargo".to_owned(), "test".to_owned(), "--no-run".to_owned()],
    });
    script.push(EventKind::BuildOutput {
        text: maelstrom::engine::event::Text(b"   Compiling demo v0.1.0\n".to_vec()),
    });
    script.push(EventKind::BuildProgress {
        done: 30,
        total: Some(120),
        current: "serde_json".to_owned(),
    });
    harness.feed(script.events);
    insta::assert_snapshot!("building", harness.screen());
}

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
fn check_08_scrolling_up_stops_following_and_the_end_follows_again() {
    let mut script = small();
    let running = TestId(2);
    for line in 0..100 {
        script.write(running, Stream::Stdout, &format!("line {line}\n"));
    }
    let mut harness = shown(script, 120, 36);
    harness.tab(); // Running
    harness.tab(); // its log
    assert!(harness.screen().contains("FOLLOW") && harness.screen().contains("line 99"));
    harness.keys("k");
    let mut more = Script::local();
    more.events.clear();
    more.discover("x", &["1", "2", "3"]);
    more.events.clear();
    more.write(running, Stream::Stdout, "written later\n");
    let before = harness.screen();
    assert!(
        !before.contains("FOLLOW") && !before.contains("line 99"),
        "{before}"
    );
    harness.feed(more.events);
    assert!(!harness.screen().contains("written later"));
    harness.keys("G");
    assert!(harness.screen().contains("FOLLOW") && harness.screen().contains("written later"));
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
fn check_10_the_gauge_is_red_from_the_first_failure_and_its_segments_fill_the_bar() {
    for columns in 40..=140 {
        let mut script = small();
        let failing = script.events.iter().position(
            |event| matches!(&event.kind, EventKind::Finished(f) if f.outcome.is_failure()),
        );
        let failing = failing.unwrap();
        let rest = script.events.split_off(failing);
        let mut harness = shown(script, columns, 24);
        for (events, color) in [(Vec::new(), None), (rest, Some(Color::Indexed(203)))] {
            harness.feed(events);
            let buffer = harness.draw();
            let row: Vec<_> = (0..columns).map(|x| buffer[(x, 1)].clone()).collect();
            let open = row.iter().position(|cell| cell.symbol() == "[").unwrap();
            let close = row.iter().position(|cell| cell.symbol() == "]").unwrap();
            let bar = &row[open + 1..close];
            assert!(
                bar.iter().all(|cell| "█▓▒░".contains(cell.symbol())),
                "{columns}"
            );
            assert!(close > open + 10);
            let done = bar
                .iter()
                .filter(|cell| cell.symbol() == "█")
                .collect::<Vec<_>>();
            match color {
                None => assert!(bar.iter().all(|cell| cell.fg != Color::Indexed(203))),
                Some(red) => assert!(!done.is_empty() && done.iter().all(|cell| cell.fg == red)),
            }
        }
    }
}

#[test]
fn check_11_failed_timed_out_and_error_are_never_cut() {
    for columns in 60..=140 {
        let mut harness = shown(stream::showcase(), columns, 24);
        let counts = harness.screen().lines().nth(2).unwrap().to_owned();
        for words in ["✗ 2 failed", "⧖ 1 timed out", "! 1 error"] {
            assert!(counts.contains(words), "{columns}: {counts}");
        }
    }
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
fn check_18_reruns_name_exactly_what_is_selected_marked_or_failed() {
    let mut harness = shown(small(), 80, 24);
    harness.keys("2");
    harness.keys("/b::runs");
    harness.enter();
    harness.keys("r");
    assert_eq!(
        harness.commands(),
        [Command::Rerun {
            tests: vec![TestId(2)]
        }]
    );
    harness.esc();
    harness.keys("gg");
    harness.keys("jj "); // marks a::fails and goes to a::passes
    harness.keys("jj "); // marks b::runs
    harness.keys("r");
    let marked = vec![TestId(0), TestId(2)];
    assert_eq!(harness.commands(), [Command::Rerun { tests: marked }]);
    harness.keys("R");
    assert_eq!(
        harness.commands(),
        [Command::Rerun {
            tests: vec![TestId(0)]
        }]
    );
    harness.keys("gr"); // the package: all of its tests
    let all: Vec<TestId> = (0..4).map(TestId).collect();
    assert_eq!(harness.commands(), [Command::Rerun { tests: all }]);
}

#[test]
fn check_19_a_rerun_during_a_run_waits_and_says_so() {
    let mut harness = shown(small(), 80, 24);
    harness.keys("R");
    assert_eq!(
        harness.commands(),
        [Command::Rerun {
            tests: vec![TestId(0)]
        }]
    );
    let mut answer = Script::local();
    answer.events.clear();
    answer.push(EventKind::RerunQueued { tests: 1 });
    harness.feed(answer.events);
    harness.line(&["will run again when this round is over"]);
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
fn check_23_colours_in_logs_are_shown_and_nothing_else_disturbs_the_screen() {
    let mut script = small();
    let test = TestId(2);
    script.write(
        test,
        Stream::Stdout,
        "\x1b[31mred\x1b[0m \x1b[2J\x1b[1;1Hmoved\n",
    );
    script.write(test, Stream::Stdout, "\x1b]0;title\x07osc\n");
    script.write(test, Stream::Stdout, "\u{6f22}\u{5b57}|wide\n");
    script.write(test, Stream::Stdout, "ab  |narrow\n");
    let mut harness = shown(script, 120, 36);
    harness.tab();
    harness.tab();
    let buffer = harness.draw();
    let screen = harness.screen();
    assert!(
        screen.contains("red moved") && screen.contains(" osc"),
        "{screen}"
    );
    assert!(!screen.contains("title"));
    let cells = buffer.content().iter();
    let red: String = cells
        .filter(|cell| cell.fg == Color::Indexed(1))
        .map(|cell| cell.symbol())
        .collect();
    assert_eq!(red, "red");
    let column = |what: &str| {
        let y = (0..36).find(|y| row(&buffer, *y).contains(what)).unwrap();
        (7..80).find(|x| buffer[(*x, y)].symbol() == "|").unwrap()
    };
    assert_eq!(column("wide"), column("narrow"));
}

#[test]
fn a_colour_carries_on_to_the_lines_below_until_another_is_chosen() {
    let mut script = small();
    let test = TestId(2);
    script.write(test, Stream::Stdout, "\x1b[31mbegins\n");
    for line in 0..1_000 {
        script.write(test, Stream::Stdout, &format!("carried {line}\n"));
    }
    script.write(test, Stream::Stderr, "other\n");
    script.write(test, Stream::Stdout, "more\x1b[0m none\nplain\n");
    let mut harness = shown(script, 120, 36);
    harness.tab();
    harness.tab();
    let buffer = harness.draw();
    let red = |what: &str| {
        let y = (0..36).find(|y| row(&buffer, *y).contains(what));
        let y = y.unwrap_or_else(|| panic!("{what} is not on the screen"));
        let cells = (1..80).map(|x| &buffer[(x, y)]);
        let red = cells.filter(|cell| cell.fg == Color::Indexed(1));
        red.map(|cell| cell.symbol()).collect::<String>()
    };
    assert_eq!(red("carried 999"), "carried 999");
    assert_eq!(red("more none"), "more");
    assert_eq!(red("other") + &red("plain"), "");
}

#[test]
fn the_log_of_a_failure_opens_where_it_failed_and_a_running_one_at_its_end() {
    let mut script = small();
    let failing = TestId(2);
    let write_lines = |script: &mut Script, what: &str| {
        for line in 0..200 {
            script.write(failing, Stream::Stderr, &format!("{what} {line}\n"));
        }
    };
    write_lines(&mut script, "before");
    script.write(failing, Stream::Stderr, PANIC);
    write_lines(&mut script, "trace");
    script.fail(failing);
    let running = TestId(3);
    script.start(running);
    script.write(running, Stream::Stderr, PANIC);
    for line in 0..200 {
        script.write(running, Stream::Stderr, &format!("written {line}\n"));
    }
    let mut harness = shown(script, 120, 36);
    harness.keys("]]");
    let screen = harness.screen();
    assert!(
        screen.contains("panicked at net/src/tcp.rs:412:9") && screen.contains("trace 0 "),
        "{screen}"
    );
    assert!(!screen.contains("trace 199"), "{screen}");
    harness.keys("F");
    harness.line(&["trace 199"]);
    harness.keys("2G");
    harness.line(&["written 199"]);
}

fn row(buffer: &ratatui::buffer::Buffer, y: u16) -> String {
    (0..buffer.area.width)
        .map(|x| buffer[(x, y)].symbol())
        .collect()
}

#[test]
fn check_24_any_size_is_drawn_and_the_selection_survives_it() {
    let mut harness = shown(stream::showcase(), 120, 36);
    harness.keys("2/migrate");
    harness.enter();
    harness.esc();
    let selected = harness.selected();
    assert!(selected.contains("migrate"), "{selected}");
    for (columns, rows) in [
        (80, 24),
        (20, 5),
        (1, 1),
        (39, 10),
        (40, 10),
        (200, 60),
        (120, 36),
    ] {
        harness.resize(columns, rows);
        let screen = harness.screen();
        assert_eq!(
            columns < 40 || rows < 10,
            !screen.contains('┌'),
            "{columns}x{rows}"
        );
        if (columns, rows) == (20, 5) {
            assert!(screen.contains("too small"), "{screen}");
        }
        for screen in "12345?:q".chars() {
            harness.keys(&screen.to_string());
            harness.screen();
            harness.esc();
        }
        harness.keys("2");
    }
    assert_eq!(
        harness.selected().split_whitespace().nth(1),
        Some("migrate")
    );
}

#[test]
fn check_29_without_colour_the_selection_is_reversed_and_every_state_has_its_own_sign() {
    let mut script = stream::showcase();
    let red = "\x1b[31mred\x1b[0m\n";
    script.write(TestId(0), Stream::Stdout, red);
    for (color, glyphs) in [
        (ColorChoice::Monochrome, Glyphs::Unicode),
        (ColorChoice::Monochrome, Glyphs::Ascii),
    ] {
        let mut harness = Harness::with(120, 36, color, glyphs);
        harness.feed(script.events.clone());
        for key in "12345?".chars() {
            harness.keys(&key.to_string());
            let buffer = harness.draw();
            for cell in buffer.content() {
                assert_eq!((cell.fg, cell.bg), (Color::Reset, Color::Reset), "on {key}");
                if glyphs == Glyphs::Ascii {
                    assert!(cell.symbol().is_ascii(), "{:?} on {key}", cell.symbol());
                }
            }
        }
        harness.esc();
        harness.keys("1");
        let buffer = harness.draw();
        let reversed = buffer
            .content()
            .iter()
            .filter(|cell| cell.modifier.contains(Modifier::REVERSED));
        assert!(reversed.count() > 40);
    }
    use maelstrom::ui::model::TestState;
    for glyphs in [Glyphs::Unicode, Glyphs::Ascii] {
        let mut signs: Vec<&str> = TestState::ALL.map(|state| glyphs.state(state)).to_vec();
        signs.extend([glyphs.flaky(), glyphs.cached()]);
        signs.sort_unstable();
        let count = signs.len();
        signs.dedup();
        assert_eq!(signs.len(), count, "{glyphs:?}");
    }
}

#[test]
fn a_run_that_passed_closes_by_itself_and_one_that_failed_stays() {
    for (failed, closes) in [(0, true), (1, false)] {
        let mut script = small();
        let summary = Summary {
            failed,
            ..Summary::default()
        };
        script.end_round(1, summary);
        let mut harness = shown(script, 80, 24);
        assert_eq!(harness.commands() == [Command::Leave], closes);
        let mut end = Script::local();
        end.events.clear();
        end.end(failed as u8);
        harness.feed(end.events);
        assert_eq!(harness.effects == [Effect::Close], closes);
        if !closes {
            harness.keys("q");
            assert!(harness.effects.contains(&Effect::Close));
        }
    }
}

#[test]
fn quitting_a_run_asks_and_an_interrupt_cancels_and_then_kills() {
    let mut harness = shown(small(), 80, 24);
    harness.keys("qn");
    assert_eq!(harness.commands(), []);
    harness.keys("q");
    harness.line(&["Cancel them and quit?"]);
    harness.keys("y");
    assert_eq!(harness.commands(), [Command::Cancel, Command::Leave]);
    harness.control('c');
    assert_eq!(harness.commands(), [Command::Kill]);
}

#[test]
fn who_is_asked_whether_to_quit_when_the_run_ends_has_quit() {
    let mut script = small();
    let mut harness = Harness::new(80, 24);
    harness.feed(script.events.drain(..));
    harness.keys("q");
    script.end_round(
        1,
        Summary {
            failed: 1,
            ..Summary::default()
        },
    );
    harness.feed(script.events.drain(..));
    assert_eq!(harness.commands(), [Command::Leave]);
}

#[test]
fn nothing_that_is_told_after_the_end_moves_the_clock() {
    let mut script = small();
    script.end_round(1, Summary::default());
    let over = script.events.clone();
    script.wait_ms(60_000);
    script.push(EventKind::Notice(maelstrom::engine::event::Notice {
        severity: maelstrom::engine::event::Severity::Info,
        text: "told later".to_owned(),
        help: None,
        in_summary: false,
    }));
    let mut harness = Harness::new(80, 24);
    harness.feed(over);
    let before = harness.screen();
    harness.feed(script.events.pop());
    let after = harness.screen();
    assert!(after.contains("told later"));
    assert_eq!(before.lines().next(), after.lines().next());
}

#[test]
fn keys_that_need_the_outside_ask_for_it() {
    let mut harness = shown(stream::showcase(), 120, 36);
    harness.keys("]ey!M");
    let path = "/home/dev/project/net/src/tcp.rs".to_owned();
    let command = ["maelstrom-run", "--tty", "net"]
        .map(str::to_owned)
        .to_vec();
    assert_eq!(
        harness.effects,
        [
            Effect::Run(External::Editor { path, line: 412 }),
            Effect::Copy("net tcp::tests::reset_mid_write".to_owned()),
            Effect::Run(External::Shell { command }),
            Effect::Mouse(Mouse::Given),
        ]
    );
}

#[test]
fn the_palette_finds_a_command_by_its_words() {
    let mut harness = shown(small(), 80, 24);
    harness.keys(":run fail");
    assert!(harness.screen().contains("rerun-failed"));
    harness.enter();
    assert_eq!(
        harness.commands(),
        [Command::Rerun {
            tests: vec![TestId(0)]
        }]
    );
}

#[test]
fn another_outcome_than_a_failure_is_told_in_the_log() {
    let mut script = small();
    script.finish(
        TestId(2),
        Outcome::TimedOut {
            limit_us: 60_000_000,
        },
    );
    let mut harness = shown(script, 120, 36);
    harness.keys("]]");
    harness.line(&["timed out after 1m 00s"]);
}
