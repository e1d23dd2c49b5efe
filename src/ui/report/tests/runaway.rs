//! Reports of tests with endless output.

use super::*;
use crate::report::extent::SHOWN_BYTES_MAX;

fn reported(lines: usize, line: &str, outcome: TestOutcome) -> String {
    reported_as(lines, line, outcome, ReportStyle::Lines)
}

fn reported_as(lines: usize, line: &str, outcome: TestOutcome, style: ReportStyle) -> String {
    let mut story = Story::new(RunReportOptions {
        style,
        passing_output: PassingOutputDisplay::AtEnd,
        ..PLAIN
    });
    story.begins(IsolationMode::Container);
    story.round(1, RoundCause::Start);
    story.finds(&["runs_away"]);
    story.starts(0, 1);
    for number in 0..lines {
        story.writes(0, 1, format!("{number} {line}\n").as_bytes());
    }
    story.ends(0, 1, 7, outcome);
    if !style.tells_failures_at_once() {
        story.emit(RoundEvent::Finished {
            round: 1,
            summary: RoundSummary::default(),
        });
    }
    String::from_utf8(story.written).unwrap()
}

#[test]
fn the_beginning_and_the_end_are_shown_with_where_the_rest_is() {
    let line = "x".repeat(100);
    for outcome in [TestOutcome::Passed, failed(ExitStatus::Code(1))] {
        let report = reported(40_000, &line, outcome);
        assert!(
            report.len() < SHOWN_BYTES_MAX + SHOWN_BYTES_MAX / 4,
            "{}",
            report.len()
        );
        for shown in ["    0 xxx", "    39999 xxx"] {
            assert!(report.contains(shown), "{shown}");
        }
        let mut cut = report.lines().filter(|line| line.contains("left out here"));
        let told = cut.next().unwrap();
        assert!(told.contains("shows 1 MiB of what a test wrote"), "{told}");
        assert!(told.contains("`--record FILE` keeps all of it"), "{told}");
        assert_eq!(cut.next(), None);
        // The lines shown and the lines left out add up to all lines.
        let numbers: String = told.chars().filter(char::is_ascii_digit).collect();
        let left_out: usize = numbers.strip_suffix('1').unwrap().parse().unwrap();
        assert_eq!(report.matches(" xxx").count() + left_out, 40_000);
    }
}

#[test]
fn what_fits_is_shown_whole() {
    let report = reported(9_000, &"x".repeat(100), TestOutcome::Passed);
    assert_eq!(report.matches(" xxx").count(), 9_000);
    assert!(!report.contains("left out here"));
}

#[test]
fn a_long_line_stays_one_line() {
    for length in [100, 16 << 10, 40_000] {
        let line = "y".repeat(length);
        let report = reported(2, &line, TestOutcome::Passed);
        for number in 0..2 {
            let whole = format!("    {number} {line}\n");
            assert!(report.contains(&whole), "{length}");
        }
        // In the ending it is cut, once.
        for (style, cuts_expected) in [
            (ReportStyle::Lines, 0),
            (ReportStyle::Dots, usize::from(length > 2_000)),
            (ReportStyle::Names, usize::from(length > 2_000)),
        ] {
            let outcome = failed(ExitStatus::Code(1));
            let report = reported_as(1, &line, outcome, style);
            let cuts = report.matches("[cut]").count();
            assert_eq!(cuts, cuts_expected, "{length}");
            let long = report.lines().filter(|line| line.contains("yyy"));
            assert!(
                long.clone().all(|line| line.starts_with("    ")),
                "{length}"
            );
            assert_eq!(long.count(), 1, "{length}");
        }
    }
}

#[test]
fn output_is_whole_when_a_test_ends_and_bounded_in_the_ending() {
    let mut flood = String::new();
    for number in 0..10_000 {
        writeln!(flood, "line {number}").unwrap();
    }
    let of_flood = |report: &str| {
        let lines = report.lines().filter(|line| line.starts_with("    "));
        let lines = lines.filter(|line| !line.contains("run it alone"));
        lines.map(str::to_owned).collect::<Vec<String>>()
    };
    for style in [ReportStyle::Lines, ReportStyle::Names] {
        let mut story = Story::new(RunReportOptions { style, ..PLAIN });
        story.begins(IsolationMode::Container);
        story.finds(&["flood"]);
        story.round(1, RoundCause::Start);
        story.starts(0, 1);
        story.writes(0, 1, flood.as_bytes());
        story.ends(0, 1, 5, failed(ExitStatus::Code(1)));
        let whole = String::from_utf8(std::mem::take(&mut story.written)).unwrap();
        story.round_ends(1, RoundSummary::default());
        let ending = of_flood(&story.text());
        let (at_once, bounded) = match style.tells_failures_at_once() {
            true => (10_000, 0),
            false => (0, 151),
        };
        assert_eq!(of_flood(&whole).len(), at_once);
        if bounded > 0 {
            assert_eq!(ending[29], "    line 29");
            assert_eq!(ending[30], "    [9850 lines left out here]");
            assert_eq!(ending[31], "    line 9880");
            assert_eq!(ending[150], "    line 9999");
        }
        // The list at the end has the last lines, which are most likely the message.
        assert_eq!(ending[bounded..].len(), 8);
        assert_eq!(ending[bounded], "    line 9992");
        assert_eq!(ending[bounded + 7], "    line 9999");
    }
}
