//! What the reports for machines make of retried tests.

use super::EventExport;
use super::junit::{JunitOptions, JunitReport};
use super::libtest::{LibtestFields, LibtestStream};
use super::testing::RunScript;
use crate::export::github::{GithubContext, GithubReport};
use crate::report::{
    LineReport, PassingOutputDisplay, ReportStyle, RunReport, RunReportOptions, SlowestTests,
};
use crate::style::OutputColor;
use crate::terminal_features::TerminalFeatureSet;
use maelstrom_model::event::{ExitStatus, RetryNext, RetryPosition, RoundCause, TestOutcome};

fn position(number: u32, next: RetryNext) -> Option<RetryPosition> {
    Some(RetryPosition {
        number,
        attempts_max: 2,
        next,
    })
}

/// Tests that are flaky and pass, are flaky and fail, and fail twice.
fn script() -> RunScript {
    let mut script = RunScript::new();
    script.discover("net", "net(library)", &["recovers", "is_flaky", "fails"]);
    script.round(1, RoundCause::Start);
    let failed = TestOutcome::Failed {
        exit: Some(ExitStatus::Code(101)),
        reason: None,
    };
    for (test, outcome, next) in [
        (0, TestOutcome::Passed, RetryNext::FlakyPassed),
        (1, TestOutcome::Passed, RetryNext::FlakyFailed),
        (2, failed, RetryNext::Done),
    ] {
        script.starts(test, 1);
        script.fails_and_retries(test, 1, 2);
        script.finishes_in_series((test, 2), outcome, position(2, next));
    }
    script.ends(101);
    script
}

#[test]
fn junit_has_flaky_failures_and_reruns() {
    let mut report = JunitReport::new(JunitOptions {
        hostname: String::new(),
        passing_output: PassingOutputDisplay::Hidden,
    });
    script().events.iter().for_each(|event| report.apply(event));
    let mut xml = Vec::new();
    report.write(&mut xml).unwrap();
    let xml = String::from_utf8(xml).unwrap();
    let elements: Vec<&str> = xml
        .lines()
        .filter_map(|line| line.trim().strip_prefix('<'))
        .map(|line| line.split([' ', '>']).next().unwrap_or_default())
        .filter(|name| *name == "testcase" || name.ends_with("ailure") && !name.starts_with('/'))
        .collect();
    let expected =
        "testcase flakyFailure testcase failure rerunFailure testcase failure rerunFailure";
    assert_eq!(elements.join(" "), expected, "{xml}");
    assert!(xml.contains("tests=\"3\" failures=\"2\""), "{xml}");
    assert!(xml.contains("type=\"flaky test\""), "{xml}");
}

#[test]
fn a_suite_of_libtest_counts_a_retried_test_once() {
    let mut stream = LibtestStream::new(LibtestFields::Libtest);
    let mut out = Vec::new();
    for event in &script().events {
        stream.apply(event, &mut out).unwrap();
    }
    let text = String::from_utf8(out).unwrap();
    let events: Vec<serde_json::Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let ends = events.iter().filter(|event| event["event"] != "started");
    let ends: Vec<String> = ends
        .map(|event| format!("{} {}", event["name"], event["event"]).replace('"', ""))
        .collect();
    let expected = [
        "net::net$recovers failed",
        "net::net$recovers#2 ok",
        "net::net$is_flaky failed",
        "net::net$is_flaky#2 failed",
        "net::net$fails failed",
        "net::net$fails#2 failed",
        "null failed",
    ];
    assert_eq!(ends, expected, "{text}");
    let suite = events.last().unwrap();
    assert_eq!((&suite["passed"], &suite["failed"]), (&1.into(), &2.into()));
}

#[test]
fn github_gets_a_warning_for_a_flaky_test() {
    let options = RunReportOptions {
        style: ReportStyle::Failures,
        color: OutputColor::Never,
        passing_output: PassingOutputDisplay::Hidden,
        slowest: SlowestTests::NONE,
        terminal: TerminalFeatureSet::NONE,
    };
    let context = GithubContext {
        workspace: None,
        summary: None,
        token: "secret".to_owned(),
    };
    let mut report = GithubReport::new(RunReport::new(options), context);
    let mut out = Vec::new();
    for event in &script().events {
        report.apply(event, &mut out).unwrap();
    }
    let text = String::from_utf8(out).unwrap();
    let annotations = text.lines().filter(|line| line.contains("title="));
    let annotations: Vec<&str> = annotations.collect();
    assert_eq!(
        annotations,
        [
            "::warning title=net recovers::flaky: passed after a failed attempt (exit code 101)",
            "::error title=net is_flaky::flaky: passed at attempt 2 of 2, which counts as failed",
            "::error title=net fails::exit code 101",
        ]
    );
}
