//! What keys ask of the run and of the outside, and how a dashboard ends.

use crate::harness::Harness;
use crate::screens::{shown, small};
use crate::stream;
use crate::stream::Script;
use maelstrom_model::event::{
    BuildEvent, EventKind, RoundCause, RoundEvent, RoundSummary, UiCommand,
};
use maelstrom_model::ids::TestId;
use maelstrom_ui::dashboard::app::{AppEffect, ExternalProgram, MouseCapture};

#[test]
fn check_18_reruns_name_exactly_what_is_selected_marked_or_failed() {
    let mut harness = shown(small(), 80, 24);
    harness.keys("2");
    harness.keys("/b::runs");
    harness.enter();
    harness.keys("r");
    assert_eq!(
        harness.commands(),
        [UiCommand::Rerun {
            tests: vec![TestId(2)]
        }]
    );
    harness.esc();
    harness.keys("gg");
    harness.keys("jj "); // marks a::fails and goes to a::passes
    harness.keys("jj "); // marks b::runs
    harness.keys("r");
    let marked = vec![TestId(0), TestId(2)];
    assert_eq!(harness.commands(), [UiCommand::Rerun { tests: marked }]);
    harness.keys("R");
    assert_eq!(
        harness.commands(),
        [UiCommand::Rerun {
            tests: vec![TestId(0)]
        }]
    );
    harness.keys("gr"); // the package: all of its tests
    let all: Vec<TestId> = (0..4).map(TestId).collect();
    assert_eq!(harness.commands(), [UiCommand::Rerun { tests: all }]);
}

#[test]
fn check_19_a_rerun_during_a_run_waits_and_says_so() {
    let mut harness = shown(small(), 80, 24);
    harness.keys("R");
    assert_eq!(
        harness.commands(),
        [UiCommand::Rerun {
            tests: vec![TestId(0)]
        }]
    );
    let mut answer = Script::local();
    answer.events.clear();
    answer.push(RoundEvent::RerunQueued { tests: 1 });
    harness.feed(answer.events);
    harness.line(&["will run again when this round is over"]);
}

/// A round of one test, after what came before it.
fn one_test(before: &[EventKind], passes: bool) -> Script {
    let mut script = Script::local();
    for event in before {
        script.push(event.clone());
    }
    let tests = script.discover("demo", &["a::test"]);
    script.begin_round(1, RoundCause::Start);
    script.queue(tests[0]);
    script.start(tests[0]);
    match passes {
        true => script.pass(tests[0]),
        false => script.fail(tests[0]),
    };
    script
}

#[test]
fn a_run_that_is_green_closes_by_itself_and_any_other_stays() {
    let build_failed = [EventKind::Build(BuildEvent::Finished { succeeded: false })];
    for (before, passes, keys, closes) in [
        (&[][..], true, "", true),
        (&[][..], false, "", false),
        // What failed before this round's summary, or in another round, is red still.
        (&build_failed[..], true, "", false),
        // More keys may be on their way, which are not meant for a shell.
        (&[][..], true, "?", false),
    ] {
        let mut script = one_test(before, passes);
        let mut harness = Harness::new(80, 24);
        harness.feed(std::mem::take(&mut script.events));
        harness.keys(keys);
        script.end_round(1, RoundSummary::default());
        harness.feed(script.events);
        let case = format!("{before:?} {passes} {keys:?}");
        assert_eq!(harness.commands() == [UiCommand::Leave], closes, "{case}");
        let mut end = Script::local();
        end.events.clear();
        end.end(u8::from(!passes));
        harness.feed(end.events);
        assert_eq!(harness.effects == [AppEffect::Close], closes, "{case}");
    }
}

#[test]
fn quitting_a_run_asks_and_an_interrupt_cancels_and_then_kills() {
    let mut harness = shown(small(), 80, 24);
    harness.keys("qn");
    assert_eq!(harness.commands(), []);
    harness.keys("q");
    harness.line(&["Cancel them and quit?"]);
    harness.keys("y");
    assert_eq!(harness.commands(), [UiCommand::Cancel, UiCommand::Leave]);
    harness.control('c');
    assert_eq!(harness.commands(), [UiCommand::Kill]);
}

#[test]
fn who_is_asked_whether_to_quit_when_the_run_ends_has_quit() {
    let mut script = small();
    let mut harness = Harness::new(80, 24);
    harness.feed(script.events.drain(..));
    harness.keys("q");
    script.end_round(
        1,
        RoundSummary {
            failed: 1,
            ..RoundSummary::default()
        },
    );
    harness.feed(script.events.drain(..));
    assert_eq!(harness.commands(), [UiCommand::Leave]);
}

#[test]
fn nothing_that_is_told_after_the_end_moves_the_clock() {
    let mut script = small();
    script.end_round(1, RoundSummary::default());
    let over = script.events.clone();
    script.wait_ms(60_000);
    script.push(EventKind::Notice(maelstrom_model::event::UserNotice {
        severity: maelstrom_model::event::NoticeSeverity::Info,
        text: "told later".to_owned(),
        help: None,
        in_summary: false,
    }));
    let mut harness = Harness::new(80, 24);
    harness.feed(over);
    let before = harness.screen();
    harness.feed(script.events.pop());
    let after = harness.screen();
    assert!(after.contains("told later"));
    assert_eq!(before.lines().next(), after.lines().next());
}

#[test]
fn keys_that_need_the_outside_ask_for_it() {
    let mut harness = shown(stream::showcase(), 120, 36);
    harness.keys("]ey!M");
    let path = "/home/dev/project/net/src/tcp.rs".to_owned();
    let command = ["maelstrom-run", "--tty", "net"]
        .map(str::to_owned)
        .to_vec();
    assert_eq!(
        harness.effects,
        [
            AppEffect::Run(ExternalProgram::Editor { path, line: 412 }),
            AppEffect::Copy("net tcp::tests::reset_mid_write".to_owned()),
            AppEffect::Run(ExternalProgram::Shell { command }),
            AppEffect::Mouse(MouseCapture::Given),
        ]
    );
}
