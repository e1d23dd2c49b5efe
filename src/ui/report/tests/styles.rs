//! Reports in each style.

use super::*;

fn styled(style: ReportStyle) -> RunReportOptions {
    RunReportOptions { style, ..PLAIN }
}

#[test]
fn every_outcome_as_a_character() {
    insta::assert_snapshot!(eventful(styled(ReportStyle::Dots)));
}

#[test]
fn every_outcome_as_a_name() {
    insta::assert_snapshot!(eventful(styled(ReportStyle::Names)));
}

#[test]
fn characters_fill_rows_that_end_with_the_counter() {
    let mut story = Story::new(styled(ReportStyle::Dots));
    let names: Vec<String> = (0..130).map(|number| format!("t{number}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    story.finds(&names);
    story.round(1, RoundCause::Start);
    for test in 0..130 {
        story.starts(test, 1);
        if test == 100 {
            // Another line ends the row.
            story.pass_ms(11_000);
        }
        story.ends(test, 1, 7, TestOutcome::Passed);
    }
    let text = story.text();
    let rows: Vec<&str> = text.lines().filter(|line| line.starts_with("..")).collect();
    let dots = |count: usize| ".".repeat(count);
    assert_eq!(
        rows,
        [
            format!("{} ( 60/130)", dots(60)),
            dots(40),
            rows[2].to_owned(),
            dots(30)
        ]
    );
    assert!(rows[2].starts_with("... nothing ended for 11s"), "{text}");
    assert_eq!(text.matches("F failed").count(), 1, "{text}");
}

#[test]
fn each_runner_has_its_word_for_ignored_tests() {
    for (program, expected) in [
        ("cargo-maelstrom", "i ignored  c cancelled\ni"),
        ("maelstrom-pytest", "s skipped  c cancelled\ns"),
        ("maelstrom-go-test", "s skipped  c cancelled\ns"),
    ] {
        let mut story = Story::new(styled(ReportStyle::Dots));
        story.emit(RunEvent::Started(RunStarted {
            schema: 1,
            run: RunId(7),
            program: program.to_owned(),
            version: "1".to_owned(),
            command: vec![program.to_owned()],
            directory: "/".to_owned(),
            started_unix_ms: 0,
            backend: BackendInfo::Local,
            isolation: IsolationMode::Container,
        }));
        story.finds(&["one"]);
        story.ends(0, 1, 0, TestOutcome::Ignored { reason: None });
        let text = story.text();
        assert!(text.ends_with(expected), "{text}");
    }
}
