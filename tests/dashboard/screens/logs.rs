//! What tests wrote, as the log shows it.

use crate::screens::{shown, small};
use crate::stream::{PANIC, Script};
use maelstrom_model::event::{OutputStream, TestOutcome};
use maelstrom_model::ids::TestId;
use ratatui::style::Color;

#[test]
fn check_08_scrolling_up_stops_following_and_the_end_follows_again() {
    let mut script = small();
    let running = TestId(2);
    for line in 0..100 {
        script.write(running, OutputStream::Stdout, &format!("line {line}\n"));
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
    more.write(running, OutputStream::Stdout, "written later\n");
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
fn check_23_colors_in_logs_are_shown_and_nothing_else_disturbs_the_screen() {
    let mut script = small();
    let test = TestId(2);
    script.write(
        test,
        OutputStream::Stdout,
        "\x1b[31mred\x1b[0m \x1b[2J\x1b[1;1Hmoved\n",
    );
    script.write(test, OutputStream::Stdout, "\x1b]0;title\x07osc\n");
    script.write(test, OutputStream::Stdout, "\u{6f22}\u{5b57}|wide\n");
    script.write(test, OutputStream::Stdout, "ab  |narrow\n");
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
fn a_color_carries_on_to_the_lines_below_until_another_is_chosen() {
    let mut script = small();
    let test = TestId(2);
    script.write(test, OutputStream::Stdout, "\x1b[31mbegins\n");
    for line in 0..1_000 {
        script.write(test, OutputStream::Stdout, &format!("carried {line}\n"));
    }
    script.write(test, OutputStream::Stderr, "other\n");
    script.write(test, OutputStream::Stdout, "more\x1b[0m none\nplain\n");
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
            script.write(failing, OutputStream::Stderr, &format!("{what} {line}\n"));
        }
    };
    write_lines(&mut script, "before");
    script.write(failing, OutputStream::Stderr, PANIC);
    write_lines(&mut script, "trace");
    script.fail(failing);
    let running = TestId(3);
    script.start(running);
    script.write(running, OutputStream::Stderr, PANIC);
    for line in 0..200 {
        script.write(running, OutputStream::Stderr, &format!("written {line}\n"));
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

/// The place is known only at the end, when the log has long been in view.
#[test]
fn a_log_that_is_watched_goes_to_the_failure_unless_it_was_moved() {
    for (keys, trace_is_shown) in [("", false), ("kG", true)] {
        let mut script = small();
        let failing = TestId(2);
        let mut harness = shown(std::mem::replace(&mut script, Script::local()), 120, 36);
        script.events.clear();
        script.discover("x", &["1", "2", "3"]);
        script.events.clear();
        harness.keys("2Gk");
        script.write(failing, OutputStream::Stderr, PANIC);
        for line in 0..200 {
            script.write(failing, OutputStream::Stderr, &format!("trace {line}\n"));
        }
        harness.feed(script.events.drain(..));
        assert!(harness.screen().contains("trace 199"));
        harness.tab(); // its log
        harness.keys(keys);
        script.fail(failing);
        harness.feed(script.events.drain(..));
        let screen = harness.screen();
        assert_eq!(screen.contains("trace 199"), trace_is_shown, "{screen}");
    }
}

fn row(buffer: &ratatui::buffer::Buffer, y: u16) -> String {
    (0..buffer.area.width)
        .map(|x| buffer[(x, y)].symbol())
        .collect()
}

#[test]
fn another_outcome_than_a_failure_is_told_in_the_log() {
    let mut script = small();
    script.finish(
        TestId(2),
        TestOutcome::TimedOut {
            limit_us: 60_000_000,
        },
    );
    let mut harness = shown(script, 120, 36);
    harness.keys("]]");
    harness.line(&["timed out after 1m 00s"]);
}
