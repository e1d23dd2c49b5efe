//! Reports of made-up runs: whole documents as snapshots, and their parts in tables.

use proptest::prelude::*;

use super::*;
use crate::export::testing::RunScript;
use crate::report::PassingOutputDisplay;
use maelstrom_model::event::{
    ExitStatus, NoticeSeverity, OutputStream, RoundCause, SourceLocation, TestEvent, TestOutcome,
    UserNotice,
};
use maelstrom_model::ids::TestId;

fn options() -> JunitOptions {
    JunitOptions {
        hostname: "build-7".to_owned(),
        passing_output: PassingOutputDisplay::Hidden,
    }
}

fn document(script: &RunScript) -> String {
    let mut report = JunitReport::new(options());
    script.events.iter().for_each(|event| report.apply(event));
    written(&report)
}

fn written(report: &JunitReport) -> String {
    let mut xml = Vec::new();
    report.write(&mut xml).unwrap();
    String::from_utf8(xml).unwrap()
}

fn failed() -> TestOutcome {
    TestOutcome::Failed {
        exit: Some(ExitStatus::Code(101)),
        reason: None,
    }
}

fn error(message: &str) -> TestOutcome {
    TestOutcome::Error {
        message: message.to_owned(),
    }
}

#[test]
fn every_outcome_has_its_element() {
    let mut script = RunScript::new();
    script.discover("net", "net(library)", &["passes", "fails", "hangs"]);
    script.discover(
        "net",
        "tcp(test)",
        &["ignored", "broken", "stopped", "waiting"],
    );
    script.round(1, RoundCause::Start);
    script.starts(0, 1);
    script.writes(0, 1, OutputStream::Joined, b"not shown\n");
    script.finishes(0, 1, TestOutcome::Passed);
    script.starts(1, 1);
    script.writes(1, 1, OutputStream::Stdout, b"to stdout <&>\x1b[31m]]>\n");
    script.writes(1, 1, OutputStream::Stderr, b"to stderr \xff\n");
    script.location = Some(SourceLocation {
        path: "src/lib.rs".to_owned(),
        line: 7,
        column: Some(5),
    });
    script.finishes(1, 1, failed());
    script.location = None;
    script.starts(2, 1);
    script.finishes(
        2,
        1,
        TestOutcome::TimedOut {
            limit_us: 2_000_000,
        },
    );
    let reason = Some("not on \"CI\"".to_owned());
    script.finishes(3, 1, TestOutcome::Ignored { reason });
    script.starts(4, 1);
    script.finishes(4, 1, error("no space left\nfree some"));
    script.starts(5, 1);
    script.finishes(5, 1, TestOutcome::Cancelled);
    script.finishes(6, 1, TestOutcome::Cancelled);
    script.ends(101);
    insta::assert_snapshot!(document(&script));
}

/// What becomes of the attempts at one test: the rounds of them, and the elements.
#[test]
fn attempts_are_flaky_or_reruns() {
    let pass = || TestOutcome::Passed;
    for (rounds, elements, flaky) in [
        (vec![vec![pass()]], "", false),
        (vec![vec![pass(), pass()]], "", false),
        (
            vec![vec![failed(), failed()]],
            "failure rerunFailure",
            false,
        ),
        (
            vec![vec![error("e"), failed()]],
            "failure rerunError",
            false,
        ),
        (vec![vec![pass(), failed()]], "failure", true),
        (vec![vec![failed()], vec![pass()]], "flakyFailure", true),
        (vec![vec![error("e")], vec![pass()]], "flakyError", true),
        (
            vec![vec![failed()], vec![failed()]],
            "failure rerunFailure",
            false,
        ),
    ] {
        let mut script = RunScript::new();
        script.discover("net", "net(library)", &["test"]);
        let mut attempt = 0;
        for (round, outcomes) in (1..).zip(rounds) {
            let cause = if round == 1 {
                RoundCause::Start
            } else {
                RoundCause::Rerun
            };
            script.round(round, cause);
            for outcome in outcomes {
                attempt += 1;
                script.starts(0, attempt);
                script.finishes(0, attempt, outcome);
            }
        }
        let xml = document(&script);
        let found: Vec<&str> = xml
            .lines()
            .filter_map(|line| line.trim().strip_prefix('<'))
            .map(|line| line.split([' ', '>', '/']).next().unwrap_or_default())
            .filter(|name| {
                ["failure", "error", "rerun", "flaky", "skipped"]
                    .iter()
                    .any(|prefix| name.starts_with(prefix))
            })
            .collect();
        assert_eq!(found.join(" "), elements, "{xml}");
        assert_eq!(
            xml.contains("name=\"flaky\" value=\"true\""),
            flaky,
            "{xml}"
        );
    }
}

#[test]
fn a_changed_file_begins_a_new_report() {
    let mut script = RunScript::new();
    script.discover("net", "net(library)", &["stays", "goes"]);
    script.round(1, RoundCause::Start);
    script.starts(0, 1);
    script.finishes(0, 1, failed());
    script.push(TestEvent::Vanished {
        tests: vec![TestId(1)],
    });
    script.round(2, RoundCause::Watch);
    script.starts(0, 2);
    script.finishes(0, 2, TestOutcome::Passed);
    let xml = document(&script);
    assert!(
        xml.contains("tests=\"1\" failures=\"0\" errors=\"0\""),
        "{xml}"
    );
    assert!(!xml.contains("Failure") && !xml.contains("goes"), "{xml}");
}

#[test]
fn a_failure_is_never_green() {
    // The build fails, with a place and without.
    let mut script = RunScript::new();
    script.builds(b"error[E0308]: mismatched types\n", false);
    script.discover("", "src/lib.rs:1", &["mismatched types"]);
    script.location = Some(SourceLocation {
        path: "src/lib.rs".to_owned(),
        line: 1,
        column: None,
    });
    script.finishes(0, 1, error("it does not compile"));
    script.ends(101);
    insta::assert_snapshot!(document(&script));

    // Nothing but the exit code or a notice says what is wrong.
    let mut script = RunScript::new();
    script.ends(4);
    let xml = document(&script);
    assert!(
        xml.contains("message=\"the run ended with exit code 4\""),
        "{xml}"
    );
    script.push(UserNotice {
        severity: NoticeSeverity::Error,
        text: "the backend is lost".to_owned(),
        help: None,
        in_summary: false,
    });
    let xml = document(&script);
    assert!(xml.contains("message=\"the backend is lost\""), "{xml}");

    // The events break off.
    let mut report = JunitReport::new(options());
    report.close();
    assert!(written(&report).contains("errors=\"1\""));
}

#[test]
fn endless_output_is_cut_and_the_report_says_so() {
    let mut script = RunScript::new();
    script.discover("net", "net(library)", &["loud"]);
    script.round(1, RoundCause::Start);
    script.starts(0, 1);
    let mut report = JunitReport::new(options());
    script.events.iter().for_each(|event| report.apply(event));
    // As many lines as a test can write, in pieces that end anywhere.
    let lines: String = (0..300_000).map(|line| format!("line {line}\n")).collect();
    for piece in lines.as_bytes().chunks(60_000) {
        let event = script.output(0, 1, OutputStream::Joined, piece);
        report.apply(&event);
    }
    script.events.clear();
    script.finishes(0, 1, failed());
    script.events.iter().for_each(|event| report.apply(event));
    let xml = written(&report);
    assert!(xml.len() < 3 << 20, "{}", xml.len());
    assert!(xml.contains("line 0\n") && xml.contains("line 299999\n"));
    assert!(xml.contains(" lines left out here: a report has 1 MiB of what a test wrote]"));
}

#[test]
fn the_file_has_every_round_and_the_end() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("report.xml");
    let target = ReportTarget::check(&path).unwrap();
    let mut file = JunitFile::new(options(), target);
    let mut script = RunScript::new();
    script.discover("net", "net(library)", &["test"]);
    script.round(1, RoundCause::Start);
    script.starts(0, 1);
    script.finishes(0, 1, TestOutcome::Passed);
    script
        .events
        .iter()
        .for_each(|event| file.apply(event).unwrap());
    assert!(!path.exists());
    script.events.clear();
    script.round_ends(1);
    script
        .events
        .iter()
        .for_each(|event| file.apply(event).unwrap());
    let green = std::fs::read_to_string(&path).unwrap();
    assert!(green.contains("errors=\"0\""), "{green}");
    script.events.clear();
    script.push(RunEvent::Finished { exit_code: 130 });
    script
        .events
        .iter()
        .for_each(|event| file.apply(event).unwrap());
    file.finish().unwrap();
    let interrupted = std::fs::read_to_string(&path).unwrap();
    assert!(interrupted.contains("exit code 130"), "{interrupted}");
}

proptest! {
    /// Whatever tests are called and write, the document is well-formed and nothing of it is taken
    /// for markup.
    #[test]
    fn hostile_text_is_text(name in any::<String>(), bytes in any::<Vec<u8>>()) {
        let mut script = RunScript::new();
        script.discover("net", &name, &[&name]);
        script.round(1, RoundCause::Start);
        script.starts(0, 1);
        script.writes(0, 1, OutputStream::Stdout, &bytes);
        script.writes(0, 1, OutputStream::Stderr, name.as_bytes());
        let reason = Some(name.clone());
        script.finishes(0, 1, TestOutcome::Failed { exit: None, reason });
        script.ends(1);
        let xml = document(&script);
        let mut reader = quick_xml::Reader::from_str(&xml);
        reader.config_mut().check_end_names = true;
        let mut cases = 0;
        loop {
            match reader.read_event().unwrap() {
                quick_xml::events::Event::Start(start) => {
                    cases += u32::from(start.name().as_ref() == "testcase");
                    for attribute in start.attributes() {
                        attribute.unwrap();
                    }
                }
                quick_xml::events::Event::Eof => break,
                _ => {}
            }
        }
        prop_assert_eq!(cases, 1);
        prop_assert!(xml.chars().all(|character| character >= ' ' || character == '\n' || character == '\t'));
    }
}
