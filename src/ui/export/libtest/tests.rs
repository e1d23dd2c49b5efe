//! Streams of made-up runs.

use super::*;
use crate::export::testing::RunScript;
use maelstrom_model::event::{ExitStatus, OutputStream, RoundCause};

/// Two binaries whose tests run at the same time.
fn script() -> RunScript {
    let mut script = RunScript::new();
    script.discover("my-lib", "my_lib(library)", &["a::passes", "fails"]);
    script.discover("my-lib", "cli(test)", &["ignored", "hangs", "broken"]);
    script.round(1, RoundCause::Start);
    script.starts(0, 1);
    script.starts(3, 1);
    script.finishes(0, 1, TestOutcome::Passed);
    let reason = Some("slow".to_owned());
    script.finishes(2, 1, TestOutcome::Ignored { reason });
    script.starts(1, 1);
    script.writes(1, 1, OutputStream::Joined, b"said \"no\" \xff\x1b[0m\n");
    script.finishes(
        1,
        1,
        TestOutcome::Failed {
            exit: Some(ExitStatus::Code(101)),
            reason: None,
        },
    );
    script.starts(4, 1);
    script.finishes(
        4,
        1,
        TestOutcome::Error {
            message: "no space left".to_owned(),
        },
    );
    script.finishes(3, 1, TestOutcome::TimedOut { limit_us: 1 });
    script.ends(101);
    script
}

fn stream(script: &RunScript, fields: LibtestFields) -> String {
    let mut stream = LibtestStream::new(fields);
    let mut out = Vec::new();
    for event in &script.events {
        stream.apply(event, &mut out).unwrap();
    }
    String::from_utf8(out).unwrap()
}

#[test]
fn the_lines_of_a_suite_stay_together() {
    insta::assert_snapshot!(stream(&script(), LibtestFields::Libtest));
}

#[test]
fn with_nextests_fields_each_line_comes_at_once() {
    insta::assert_snapshot!(stream(&script(), LibtestFields::Plus));
}

#[test]
fn further_attempts_have_their_number() {
    let mut script = RunScript::new();
    script.discover("p", "p(library)", &["x"]);
    script.round(1, RoundCause::Start);
    script.starts(0, 1);
    script.starts(0, 2);
    script.finishes(0, 2, TestOutcome::Passed);
    script.finishes(0, 1, TestOutcome::Passed);
    let text = stream(&script, LibtestFields::Libtest);
    let names: Vec<&str> = text
        .lines()
        .filter_map(|line| line.split("\"name\":\"").nth(1)?.split('"').next())
        .collect();
    assert_eq!(names, ["p::p$x", "p::p$x#2", "p::p$x#2", "p::p$x"]);
    assert!(text.contains("\"passed\":2"), "{text}");
}

#[test]
fn tests_that_did_not_run_are_filtered_out() {
    let mut script = RunScript::new();
    script.discover("p", "p(library)", &["runs", "waits", "stopped"]);
    script.round(1, RoundCause::Start);
    script.starts(0, 1);
    script.finishes(0, 1, TestOutcome::Passed);
    script.finishes(2, 1, TestOutcome::Cancelled);
    script.ends(130);
    let text = stream(&script, LibtestFields::Libtest);
    assert!(text.contains("\"passed\":1,\"failed\":0"), "{text}");
    assert!(text.contains("\"filtered_out\":2"), "{text}");
    assert!(!text.contains("waits"), "{text}");
}
