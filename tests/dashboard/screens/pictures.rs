//! What the screens look like: a snapshot of each in both sizes, and what no size may lose.

use crate::harness::Harness;
use crate::screens::{shown, small};
use crate::stream;
use crate::stream::Script;
use maelstrom_model::event::{AttemptEvent, BuildEvent, EventKind, OutputStream, UiCommand};
use maelstrom_model::ids::TestId;
use maelstrom_ui::dashboard::theme::{ColorChoice, GlyphSet};
use ratatui::style::{Color, Modifier};

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
    script.push(BuildEvent::Started {
        command: vec!["cargo".to_owned(), "test".to_owned(), "--no-run".to_owned()],
    });
    script.push(BuildEvent::Output {
        text: maelstrom_model::event::OutputText(b"   Compiling demo v0.1.0\n".to_vec()),
    });
    script.push(BuildEvent::Progress {
        done: 30,
        total: Some(120),
        current: "serde_json".to_owned(),
    });
    harness.feed(script.events);
    insta::assert_snapshot!("building", harness.screen());
}

#[test]
fn check_10_the_gauge_is_red_from_the_first_failure_and_its_segments_fill_the_bar() {
    for columns in 40..=140 {
        let mut script = small();
        let failing = script.events.iter().position(
            |event| matches!(&event.kind, EventKind::Attempt(AttemptEvent::Finished(f)) if f.outcome.is_failure()),
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
fn check_29_without_color_the_selection_is_reversed_and_every_state_has_its_own_sign() {
    let mut script = stream::showcase();
    let red = "\x1b[31mred\x1b[0m\n";
    script.write(TestId(0), OutputStream::Stdout, red);
    for (color, glyphs) in [
        (ColorChoice::Monochrome, GlyphSet::Unicode),
        (ColorChoice::Monochrome, GlyphSet::Ascii),
    ] {
        let mut harness = Harness::with(120, 36, color, glyphs);
        harness.feed(script.events.clone());
        for key in "12345?".chars() {
            harness.keys(&key.to_string());
            let buffer = harness.draw();
            for cell in buffer.content() {
                assert_eq!((cell.fg, cell.bg), (Color::Reset, Color::Reset), "on {key}");
                if glyphs == GlyphSet::Ascii {
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
    use maelstrom_ui::model::TestState;
    for glyphs in [GlyphSet::Unicode, GlyphSet::Ascii] {
        let mut signs: Vec<&str> = TestState::ALL.map(|state| glyphs.state(state)).to_vec();
        signs.extend([glyphs.flaky(), glyphs.cached()]);
        signs.sort_unstable();
        let count = signs.len();
        signs.dedup();
        assert_eq!(signs.len(), count, "{glyphs:?}");
    }
}

#[test]
fn the_palette_finds_a_command_by_its_words() {
    let mut harness = shown(small(), 80, 24);
    harness.keys(":run fail");
    assert!(harness.screen().contains("rerun-failed"));
    harness.enter();
    assert_eq!(
        harness.commands(),
        [UiCommand::Rerun {
            tests: vec![TestId(0)]
        }]
    );
}

#[test]
fn on_the_smallest_terminal_no_pane_writes_over_another_or_over_the_last_line() {
    let mut harness = shown(small(), 40, 10);
    harness.tab();
    let screen = harness.screen();
    let lines: Vec<&str> = screen.lines().collect();
    let [.., running, workers, keys] = lines[..] else {
        panic!("there are ten lines: {screen}");
    };
    assert_eq!(running, " Running 1");
    assert_eq!(workers, " local 1/2 slots  cpu 0%  mem 0B");
    assert!(keys.starts_with(" ? help  q quit  "), "{screen}");
}
