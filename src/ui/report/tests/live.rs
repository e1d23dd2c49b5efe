//! Output that is shown while it is written.

use super::*;
use maelstrom_model::event::WorkerStatusEvent;

const LIVE: RunReportOptions = RunReportOptions {
    passing_output: PassingOutputDisplay::Live,
    ..PLAIN
};

impl Story {
    fn has_slots(&mut self, slots: u32) {
        self.emit(WorkerStatusEvent::Joined {
            worker: WorkerId(0),
            name: "here".to_owned(),
            slots,
            architecture: "x86_64".to_owned(),
        });
    }

    /// What was written since the last call.
    fn new_text(&mut self) -> String {
        String::from_utf8(std::mem::take(&mut self.written)).unwrap()
    }
}

fn story(names: &[&str], slots: u32) -> Story {
    let mut story = Story::new(LIVE);
    story.has_slots(slots);
    story.round(1, RoundCause::Start);
    story.finds(names);
    for test in (0..).take(names.len()) {
        story.starts(test, 1);
    }
    story.new_text();
    story
}

#[test]
fn the_output_of_a_lone_test_is_shown_at_once_and_as_it_is() {
    let mut story = story(&["lone"], 4);
    for (written, shown) in [
        (&b"10 %"[..], "10 %"),
        (b"\r20 %\r", "\n20 %\n"),
        (b"\n", ""),
        (b"caf\xc3", "caf"),
        (b"\xa9\r\n", "\u{e9}\n"),
        (b"\x1b[2J\x1b]0;title", ""),
        (b"\x07no more", "no more"),
    ] {
        story.writes(0, 1, written);
        assert_eq!(story.new_text(), shown, "{}", written.escape_ascii());
    }
    story.ends(0, 1, 7, TestOutcome::Passed);
    assert_eq!(
        story.new_text(),
        "\nPASS         0.007s (1/1)  net tcp lone\n"
    );
}

#[test]
fn the_lines_of_several_tests_are_whole_and_have_titles() {
    let mut story = story(&["one", "two"], 2);
    let one = "---- net tcp one ----\n";
    let two = "---- net tcp two ----\n";
    for (test, written, shown) in [
        (0, "a", String::new()),
        (0, "b\nc", format!("{one}    ab\n")),
        (0, "d\n", "    cd\n".to_owned()),
        (1, "x\ny\n\nz", format!("{two}    x\n    y\n    \n")),
        (0, "e\n", format!("{one}    e\n")),
        (0, "f", String::new()),
    ] {
        story.writes(test, 1, written.as_bytes());
        assert_eq!(story.new_text(), shown, "{test} {written:?}");
    }
    // What has not ended is shown when the test ends, and a line of the report interrupts.
    story.ends(0, 1, 7, TestOutcome::Passed);
    assert_eq!(
        story.new_text(),
        "    f\nPASS         0.007s (1/2)  net tcp one\n"
    );
    story.ends(1, 1, 7, failed(ExitStatus::Code(1)));
    let told = story.new_text();
    let expected =
        format!("{two}    z\nFAIL         0.007s (2/2)  net tcp two\n  exit code 1, at ");
    assert!(told.starts_with(&expected), "{told}");
    // It is not shown twice.
    assert_eq!(told.matches('z').count(), 1, "{told}");
}

#[test]
fn with_one_slot_the_output_of_each_test_is_shown_as_it_is() {
    let mut story = story(&["one", "two"], 1);
    story.writes(0, 1, b"a");
    assert_eq!(story.new_text(), "---- net tcp one ----\na");
    // A progress line does not break it.
    story.pass_ms(11_000);
    let told = story.new_text();
    assert!(told.starts_with("\n... nothing ended for 11s"), "{told}");
    story.writes(0, 1, b"b");
    assert_eq!(story.new_text(), "---- net tcp one ----\nb");
    story.ends(0, 1, 7, TestOutcome::Passed);
    assert_eq!(
        story.new_text(),
        "\nPASS         0.007s (1/2)  net tcp one\n"
    );
}

#[test]
fn the_ending_has_the_message_that_may_have_left_the_screen() {
    let mut story = story(&["one", "two"], 2);
    story.writes(
        0,
        1,
        b"thread 'one' panicked at src/tcp.rs:412:9:\nthe message\n",
    );
    story.ends(0, 1, 7, failed(ExitStatus::Code(101)));
    story.new_text();
    story.round_ends(1, RoundSummary::default());
    let ending = story.new_text();
    let expected = "  FAIL    net tcp one at src/tcp.rs:412:9\n    the message\n";
    assert!(ending.contains(expected), "{ending}");
}

#[test]
fn an_endless_line_is_shown_in_pieces() {
    let mut story = story(&["one", "two"], 2);
    let piece = "y".repeat(10_000);
    for _ in 0..20 {
        story.writes(0, 1, piece.as_bytes());
    }
    let told = story.new_text();
    let shown = told.matches('y').count();
    assert!((130_000..200_000).contains(&shown), "{shown}");
    story.ends(0, 1, 7, TestOutcome::Passed);
    let rest = story.new_text();
    assert_eq!(shown + rest.matches('y').count(), 200_000);
}

#[test]
fn colors_end_with_each_block() {
    let mut story = Story::new(RunReportOptions {
        color: OutputColor::Always,
        ..LIVE
    });
    story.has_slots(2);
    story.finds(&["one", "two"]);
    story.starts(0, 1);
    story.new_text();
    story.writes(0, 1, b"\x1b[31mred\n");
    let told = story.new_text();
    assert!(told.ends_with("    \u{1b}[31mred\n\u{1b}[0m"), "{told:?}");
    story.ends(0, 1, 7, TestOutcome::Passed);
    // The reset did not begin a line.
    assert!(!story.new_text().starts_with('\n'));
}
