//! The ends of reports: what is on the screen when the program has ended.

use super::*;

/// The rows and columns of a small terminal.
const SCREEN: (usize, usize) = (24, 80);

const STYLES: [ReportStyle; 4] = [
    ReportStyle::Lines,
    ReportStyle::Dots,
    ReportStyle::Failures,
    ReportStyle::Names,
];

/// Output with the message in its middle.
fn panicking(number: usize) -> String {
    let mut text = String::new();
    for line in 0..100 {
        writeln!(text, "before {line}").unwrap();
    }
    writeln!(text, "thread 't{number}' panicked at src/tcp.rs:412:9:").unwrap();
    writeln!(text, "message of {number}").unwrap();
    writeln!(text, "stack backtrace:").unwrap();
    for line in 0..60 {
        writeln!(text, "  {line}: core::something").unwrap();
    }
    text
}

/// A run of 200 tests whose first ones fail.
fn run_of(failures: usize, style: ReportStyle) -> String {
    let mut story = Story::new(RunReportOptions { style, ..PLAIN });
    story.begins(IsolationMode::Container);
    let names: Vec<String> = (0..200).map(|number| format!("t{number}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    story.finds(&names);
    story.round(1, RoundCause::Start);
    for test in 0..200 {
        let number = test as usize;
        story.starts(test, 1);
        if number < failures {
            story.writes(test, 1, panicking(number).as_bytes());
            story.ends(test, 1, 7, failed(ExitStatus::Code(101)));
        } else {
            story.ends(test, 1, 7, TestOutcome::Passed);
        }
    }
    story.round_ends(
        1,
        RoundSummary {
            passed: 200 - failures as u32,
            failed: failures as u32,
            ..RoundSummary::default()
        },
    );
    story.text()
}

/// The last lines of a text that fit on the screen.
fn last_screen(text: &str) -> String {
    let (rows, columns) = SCREEN;
    let mut left = rows;
    let mut lines: Vec<&str> = Vec::new();
    for line in text.lines().rev() {
        let taken = line.chars().count().div_ceil(columns).max(1);
        match left.checked_sub(taken) {
            Some(less) => left = less,
            None => break,
        }
        lines.push(line);
    }
    lines.reverse();
    lines.join("\n")
}

#[test]
fn the_messages_of_few_failures_are_on_the_last_screen() {
    for style in STYLES {
        for failures in 1..=3 {
            let report = run_of(failures, style);
            let screen = last_screen(&report);
            for number in 0..failures {
                let name = format!("FAIL    net tcp t{number} at src/tcp.rs:412:9");
                let message = format!("    message of {number}");
                let command = format!("name.equals(t{number})'");
                for part in [name, message, command] {
                    assert!(
                        screen.contains(&part),
                        "{style:?} {part:?} is not in\n{screen}"
                    );
                }
            }
            assert!(screen.contains("\nfailures:\n"), "{style:?}\n{screen}");
            assert!(
                style != ReportStyle::Lines || !screen.contains("core::something"),
                "{style:?}\n{screen}"
            );
        }
    }
}

#[test]
fn the_names_of_all_failures_are_in_one_list_at_the_end() {
    for style in STYLES {
        for (failures, messages) in [(4, 4), (10, 10), (11, 0), (150, 0)] {
            let report = run_of(failures, style);
            let (_, list) = report.rsplit_once("\nfailures:\n").unwrap();
            let (list, _) = list.split_once("\n\nsummary: ").unwrap();
            assert_eq!(list.lines().count(), failures + messages, "{style:?}");
            for number in 0..failures {
                let name = format!("  FAIL    net tcp t{number} at ");
                assert_eq!(list.matches(&name).count(), 1, "{style:?} {name}");
            }
            assert_eq!(list.matches("message of").count(), messages);
        }
    }
}

#[test]
fn what_is_still_on_the_screen_is_not_repeated() {
    let mut story = Story::new(PLAIN);
    story.begins(IsolationMode::Container);
    story.finds(&["early", "late"]);
    story.round(1, RoundCause::Start);
    for (test, lines) in [(0, 40), (1, 3)] {
        story.starts(test, 1);
        let output: String = (0..lines)
            .map(|line| format!("{test} wrote {line}\n"))
            .collect();
        story.writes(test, 1, output.as_bytes());
        story.ends(test, 1, 7, failed(ExitStatus::Code(1)));
    }
    story.round_ends(1, RoundSummary::default());
    let report = story.text();
    let (above, list) = report.rsplit_once("\nfailures:\n").unwrap();
    assert_eq!(above.matches("run it alone: ").count(), 2);
    assert_eq!(list.matches("run it alone: ").count(), 1);
    assert!(list.contains("    0 wrote 39\n"), "{list}");
    assert!(!list.contains("1 wrote"), "{list}");
}

#[test]
fn the_slowest_tests_are_listed() {
    let report = |style: ReportStyle, wanted: Option<u32>| {
        let slowest = SlowestTests::wanted(wanted, style);
        let mut story = Story::new(RunReportOptions {
            style,
            slowest,
            ..PLAIN
        });
        story.begins(IsolationMode::Container);
        story.finds(&["a", "b", "c", "d", "e", "f", "g", "h"]);
        story.round(1, RoundCause::Start);
        for (test, ran_ms) in [1_000, 999, 3_000, 0, 2_000, 5_000, 4_000, 6_000]
            .into_iter()
            .enumerate()
        {
            let test = u32::try_from(test).unwrap();
            story.starts(test, 1);
            story.ends(test, 1, ran_ms, TestOutcome::Passed);
        }
        story.round_ends(1, RoundSummary::default());
        let text = story.text();
        let list = text.split_once("\nslowest tests:\n").map(|(_, list)| list);
        let list = list.map_or("", |list| list.split("\n\n").next().unwrap());
        list.split_whitespace()
            .filter(|word| word.len() == 1)
            .collect::<String>()
    };
    assert_eq!(report(ReportStyle::Lines, None), "hfgce");
    assert_eq!(report(ReportStyle::Dots, Some(2)), "hf");
    // What is asked for has no threshold. A cached result took no time.
    assert_eq!(report(ReportStyle::Lines, Some(100)), "hfgceab");
    assert_eq!(report(ReportStyle::Lines, Some(0)), "");
    assert_eq!(report(ReportStyle::Failures, None), "");
    assert_eq!(report(ReportStyle::Failures, Some(1)), "h");
}

#[test]
fn a_test_that_was_cancelled_before_it_started_has_no_line() {
    for style in STYLES {
        let mut story = Story::new(RunReportOptions { style, ..PLAIN });
        story.begins(IsolationMode::Container);
        story.finds(&["one", "two"]);
        story.round(1, RoundCause::Start);
        story.ends(0, 1, 0, TestOutcome::Cancelled);
        story.starts(1, 1);
        story.ends(1, 1, 3, TestOutcome::Cancelled);
        let text = story.text();
        assert!(!text.contains("net tcp one"), "{text}");
        let told = match style {
            ReportStyle::Lines | ReportStyle::Names => "CANCELLED",
            ReportStyle::Dots => "c cancelled\nc",
            ReportStyle::Failures => "",
        };
        assert!(text.contains(told), "{text}");
    }
}
