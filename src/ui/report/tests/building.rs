//! Reports of builds.

use super::*;

fn build(options: RunReportOptions, succeeded: bool) -> String {
    let mut story = Story::new(options);
    story.begins(IsolationMode::Container);
    story.emit(BuildEvent::Started {
        command: vec!["cargo".to_owned(), "test".to_owned()],
    });
    story.emit(BuildEvent::Output {
        text: OutputText(b"   Compiling net v0.1.0\n".to_vec()),
    });
    for done in 0..25 {
        story.pass_ms(1_000);
        story.emit(BuildEvent::Progress {
            done,
            total: Some(120),
            current: format!("crate-{done}"),
        });
    }
    if !succeeded {
        story.emit(BuildEvent::Output {
            text: OutputText(
                b"error[E0425]: cannot find value `x`\n --> src/lib.rs:1:1\n".to_vec(),
            ),
        });
    }
    story.emit(BuildEvent::Finished { succeeded });
    if !succeeded {
        story.emit(TestEvent::DiscoveryFinished {
            selected: 0,
            deselected: 0,
        });
    }
    story.emit(RunEvent::Finished { exit_code: 101 });
    story.text()
}

#[test]
fn what_stands_right_above_the_summary_is_not_repeated_in_it() {
    for options in [PLAIN, QUIET] {
        let mut story = Story::new(options);
        story.begins(IsolationMode::Container);
        story.emit(EventKind::Notice(UserNotice {
            severity: NoticeSeverity::Error,
            text: "the build failed".to_owned(),
            help: None,
            in_summary: true,
        }));
        story.round(1, RoundCause::Start);
        story.round_ends(1, RoundSummary::default());
        let text = story.text();
        assert_eq!(text.matches("the build failed").count(), 1, "{text}");
    }
}

#[test]
fn a_long_build_shows_its_progress() {
    insta::assert_snapshot!(build(PLAIN, true));
}

#[test]
fn a_failed_build_shows_why_even_quietly() {
    insta::assert_snapshot!(build(PLAIN, false));
    insta::assert_snapshot!(build(QUIET, false));
    assert_eq!(build(QUIET, true), "");
}

#[test]
fn a_run_that_found_no_tests_because_of_an_error_does_not_say_that_there_are_none() {
    for severity in [NoticeSeverity::Warning, NoticeSeverity::Error] {
        let mut story = Story::new(PLAIN);
        story.begins(IsolationMode::Container);
        story.emit(EventKind::Notice(UserNotice {
            severity,
            text: "cannot start `cargo`".to_owned(),
            help: None,
            in_summary: true,
        }));
        story.emit(TestEvent::DiscoveryFinished {
            selected: 0,
            deselected: 3,
        });
        let text = story.text();
        let says_none = text.contains("no tests to run, 3 left out");
        assert_eq!(says_none, severity == NoticeSeverity::Warning, "{text}");
    }
}
