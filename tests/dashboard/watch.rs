//! The dashboard while files change: it stays, and so does what a person looks at.

use crate::harness::Harness;
use crate::stream::Script;
use maelstrom_model::event::{
    BuildEvent, OutputStream, PreviousOutcome, RoundCause, RoundEvent, RoundSummary, TestEvent,
    TestInfo, WatchEvent,
};
use maelstrom_model::ids::TestId;
use maelstrom_ui::dashboard::app::AppEffect;

/// Two tests pass and one fails, and the next change is awaited.
fn first_round() -> Script {
    let mut script = Script::local();
    let tests = script.discover("demo", &["a::kept", "b::broken", "c::gone"]);
    script.begin_round(1, RoundCause::Start);
    for test in &tests {
        script.start(*test);
        script.write(*test, OutputStream::Stderr, "words of the first round\n");
        script.wait_ms(5);
        match test.0 {
            1 => script.fail(*test),
            _ => script.pass(*test),
        }
    }
    script.end_round(
        1,
        RoundSummary {
            passed: 2,
            failed: 1,
            ..RoundSummary::default()
        },
    );
    script.push(WatchEvent::AwaitingChange { directories: 4 });
    script
}

fn again(id: u32, name: &str) -> TestInfo {
    TestInfo {
        test: TestId(id),
        package: "demo".to_owned(),
        artifact: String::new(),
        name: name.to_owned(),
        title: format!("demo {name}"),
        expected_us: None,
        history: PreviousOutcome::Success,
        ignored: false,
    }
}

#[test]
fn a_change_begins_a_round_and_the_selection_stays() {
    let mut script = first_round();
    let mut harness = Harness::new(100, 30);
    harness.feed(std::mem::take(&mut script.events));
    assert!(harness.line(&["FAILED"]).contains("WATCHING"));
    harness.keys("2/broken");
    harness.enter();
    harness.esc();
    assert!(harness.selected().contains("broken"));

    script.push(WatchEvent::FilesChanged {
        paths: vec!["src/lib.rs".to_owned()],
        more: 2,
    });
    script.push(RoundEvent::Started {
        round: 2,
        cause: RoundCause::Watch,
    });
    script.push(BuildEvent::Started {
        command: vec!["cargo".to_owned()],
    });
    harness.feed(std::mem::take(&mut script.events));
    let screen = harness.screen();
    assert!(screen.contains("BUILDING") && !screen.contains("WATCHING"));
    harness.line(&["src/lib.rs and 2 more changed: running again"]);
    harness.line(&["words of the first round"]);

    script.push(BuildEvent::Finished { succeeded: true });
    let tests = vec![again(0, "a::kept"), again(1, "b::broken")];
    script.push(TestEvent::Discovered { tests });
    let tests = vec![TestId(2)];
    script.push(TestEvent::Vanished { tests });
    script.push(TestEvent::DiscoveryFinished {
        selected: 2,
        deselected: 0,
    });
    script.start_on(TestId(1), 2, 0, 0);
    harness.feed(std::mem::take(&mut script.events));
    assert!(harness.selected().contains("broken"));
    let screen = harness.screen();
    assert!(screen.contains("RUNNING") && !screen.contains("gone"));
    assert!(screen.contains("2 total"), "{screen}");
    let left = |effect: &AppEffect| matches!(effect, AppEffect::Close | AppEffect::Send(_));
    assert!(!harness.effects.iter().any(left), "{:?}", harness.effects);
}

#[test]
fn what_vanished_is_in_no_list_and_found_by_no_search() {
    let mut script = first_round();
    script.push(RoundEvent::Started {
        round: 2,
        cause: RoundCause::Watch,
    });
    let tests = vec![again(0, "a::kept"), again(1, "b::broken")];
    script.push(TestEvent::Discovered { tests });
    let mut harness = Harness::new(100, 30);
    harness.feed(std::mem::take(&mut script.events));
    harness.keys("2/gone");
    harness.line(&["/fuzzy gone", "1 found"]);
    let tests = vec![TestId(2)];
    script.push(TestEvent::Vanished { tests });
    harness.feed(std::mem::take(&mut script.events));
    harness.line(&["/fuzzy gone", "0 found"]);
    harness.esc();
    // By name, by time and by state.
    for _ in 0..3 {
        assert!(!harness.screen().contains("gone"));
        harness.keys("s");
    }
}
