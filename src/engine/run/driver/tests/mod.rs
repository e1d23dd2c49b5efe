//! Tests the driver between a scripted framework and a scripted backend, both in memory.

mod backend;
mod framework;
mod stage;

use self::framework::Act;
use self::stage::{Played, Stage};
use crate::run::message::{AtEnd, HistoryFilter, RunOptions};
use crate::run::signals::TerminationSignal;
use maelstrom_model::event::{
    AttemptEvent, EventKind, OutputStream, PreviousOutcome, RoundEvent, RunEvent, TestEvent,
    TestOutcome, UiCommand,
};
use maelstrom_model::exit_code;
use maelstrom_model::job::{ExitStatus, JobOutcome};

#[test]
fn tests_run_and_failures_are_located() {
    let played = Stage::default().just_play(vec![
        Act::Say("building"),
        Act::List,
        Act::Find(&[("a", "pass"), ("b", "fail"), ("c", "broken")]),
        Act::Break,
    ]);
    assert_eq!(played.code, 101);
    let summary = played.summary();
    assert_eq!((summary.passed, summary.failed, summary.errors), (1, 1, 2));
    assert!(played.says("building"));
    let located: Vec<_> = played
        .events
        .iter()
        .filter_map(|event| match event {
            EventKind::Attempt(AttemptEvent::Finished(end)) => {
                end.location.as_ref().map(|at| (end.test.0, at.line))
            }
            _ => None,
        })
        .collect();
    assert_eq!(located, [(1, 7)]);
    let [listed] = &played.listed[..] else {
        panic!("listed once")
    };
    assert_eq!(listed.stdout, b"a: test\n");
    assert_eq!(listed.stderr, b"warn");
    assert_eq!(listed.result.end, JobOutcome::Exited(ExitStatus::Code(0)));
    assert_eq!(played.trace, ["discovery is over", "closed with 0 running"]);
}

#[test]
fn tests_of_the_first_binary_run_while_the_second_is_listed() {
    let acts = vec![Act::Find(&[("a", "pass")]), Act::ListForEver];
    let played = Stage::default().play(acts, |event, _, interrupts| {
        if let EventKind::Attempt(AttemptEvent::Finished(end)) = event {
            assert_eq!(end.outcome, TestOutcome::Passed);
            interrupts.send(TerminationSignal::Terminate).unwrap();
        }
    });
    assert_eq!(played.code, exit_code::INTERRUPTED);
    assert_eq!(played.summary().passed, 1);
    // The abandoned discovery's own job does not outlive it.
    assert_eq!(played.trace.last().unwrap(), "closed with 0 running");
}

#[test]
fn a_failed_build_is_told_with_its_own_code() {
    let played = Stage::default().just_play(vec![Act::Find(&[("a", "pass")]), Act::Fail]);
    assert_eq!(played.code, 77);
    assert!(played.says("could not compile `p`"));
}

#[test]
fn a_follower_decides_what_is_shown_and_how_it_ended() {
    let played = Stage::default().just_play(vec![Act::Find(&[("followed", "fail")])]);
    let shown: Vec<(OutputStream, String)> = played
        .events
        .iter()
        .filter_map(|event| match event {
            EventKind::Attempt(AttemptEvent::Output { stream, text, .. }) => {
                Some((*stream, String::from_utf8_lossy(&text.0).into_owned()))
            }
            _ => None,
        })
        .collect();
    let expected = [(OutputStream::Stderr, "!"), (OutputStream::Stdout, "!")];
    assert_eq!(
        shown,
        expected.map(|(stream, text)| (stream, text.to_owned()))
    );
    let told = |wanted: &dyn Fn(&EventKind) -> bool| played.events.iter().any(wanted);
    assert!(told(&|event| matches!(
        event,
        EventKind::Attempt(AttemptEvent::Subtest { name, duration_us: 3, .. }) if name == "half"
    )));
    assert_eq!((played.code, played.summary().ignored), (0, 1));
}

#[test]
fn a_follower_learns_of_a_test_that_could_not_be_started() {
    for (program, end) in [
        ("unstarted", "ended with None"),
        ("broken", "ended with None"),
        ("pass", "ended with Some(Code(0))"),
    ] {
        let tests: &'static [_] = vec![("logged", program)].leak();
        let played = Stage::default().just_play(vec![Act::Find(tests)]);
        let ends = played.trace.iter().filter(|call| call.starts_with("ended"));
        assert_eq!(ends.collect::<Vec<_>>(), [end], "{program}");
    }
}

#[test]
fn what_could_not_be_built_decides_the_code_and_the_rest_runs() {
    let acts = vec![Act::FailInPart(9), Act::Find(&[("a", "pass")])];
    let played = Stage::default().just_play(acts);
    assert_eq!((played.code, played.summary().passed), (9, 1));
}

#[test]
fn the_first_interrupt_asks_and_the_second_insists() {
    let acts = vec![Act::Find(&[("a", "hang"), ("b", "hang"), ("c", "hang")])];
    let mut started = 0;
    let played = Stage::default().play(acts, |event, _, interrupts| match event {
        EventKind::Attempt(AttemptEvent::Started { .. }) => {
            started += 1;
            if started == 2 {
                interrupts.send(TerminationSignal::Interrupt).unwrap();
            }
        }
        EventKind::Run(RunEvent::Cancelling { grace_us }) => {
            assert_eq!(*grace_us, 5_000_000);
            interrupts.send(TerminationSignal::Interrupt).unwrap();
        }
        _ => {}
    });
    assert_eq!(played.code, exit_code::INTERRUPTED);
    let summary = played.summary();
    assert_eq!((summary.cancelled, summary.not_run), (2, 1));
    let stops = &played.trace[1..];
    assert_eq!(
        stops,
        [
            "Terminate",
            "Terminate",
            "Kill",
            "Kill",
            "closed with 0 running"
        ]
    );
}

#[test]
fn an_interrupt_that_comes_first_lets_nothing_begin() {
    let stage = Stage {
        interrupts: vec![TerminationSignal::Hangup],
        ..Stage::default()
    };
    let played = stage.just_play(vec![Act::ListForEver, Act::Find(&[("a", "pass")])]);
    assert_eq!(played.code, exit_code::INTERRUPTED);
    assert_eq!(played.trace, ["closed with 0 running"]);
}

#[test]
fn a_lost_backend_ends_the_run_with_its_reason() {
    let stage = Stage {
        lose_at_start_of: Some("fail"),
        ..Stage::default()
    };
    let played = stage.just_play(vec![Act::Find(&[
        ("a", "hang"),
        ("b", "fail"),
        ("c", "pass"),
    ])]);
    assert_eq!(played.code, exit_code::INFRASTRUCTURE);
    assert!(played.says("the spawner died"));
    let summary = played.summary();
    assert_eq!((summary.errors, summary.not_run, summary.failed), (1, 2, 0));
}

#[test]
fn a_lost_backend_answers_a_waiting_discovery() {
    let stage = Stage {
        lose_at_start_of: Some("list"),
        ..Stage::default()
    };
    let played = stage.just_play(vec![Act::List, Act::Find(&[("a", "pass")])]);
    assert_eq!(played.code, exit_code::INFRASTRUCTURE);
}

#[test]
fn reruns_pauses_and_suspensions_reach_the_backend() {
    let stage = Stage {
        wishes: RunOptions {
            at_end: AtEnd::Stay,
            ..Stage::default().wishes
        },
        commands: vec![UiCommand::Suspend, UiCommand::Continue, UiCommand::Pause],
        ..Stage::default()
    };
    let acts = vec![Act::Find(&[("a", "fail"), ("b", "pass")])];
    let played = stage.play(acts, |event, commands, _| match event {
        EventKind::Test(TestEvent::DiscoveryFinished { .. }) => {
            commands.send(UiCommand::Resume).unwrap()
        }
        EventKind::Round(RoundEvent::Finished { round: 1, .. }) => {
            let tests = vec![maelstrom_model::ids::TestId(0)];
            commands.send(UiCommand::Rerun { tests }).unwrap();
            commands.send(UiCommand::Leave).unwrap();
        }
        _ => {}
    });
    assert_eq!(played.trace[..2], ["suspend", "resume"]);
    let index = |wanted: &dyn Fn(&EventKind) -> bool| played.events.iter().position(wanted);
    let resumed = index(&|event| matches!(event, EventKind::Run(RunEvent::Resumed))).unwrap();
    let started =
        index(&|event| matches!(event, EventKind::Attempt(AttemptEvent::Started { .. }))).unwrap();
    assert!(resumed < started, "a test was started during the pause");
    assert_eq!(played.summary().failed, 1);
    assert_eq!(played.code, 101);
}

#[test]
fn history_orders_the_next_run() {
    let home = tempfile::tempdir().unwrap();
    let stage = || Stage {
        state_directory: Some(home.path().to_owned()),
        ..Stage::default()
    };
    let found: &[_] = &[("a", "pass"), ("b", "fail"), ("c", "pass")];
    let started = |played: &Played| -> Vec<u32> {
        let events = played.events.iter();
        events
            .filter_map(|event| match event {
                EventKind::Attempt(AttemptEvent::Started { test, .. }) => Some(test.0),
                _ => None,
            })
            .collect()
    };
    assert_eq!(
        started(&stage().just_play(vec![Act::Find(found)])),
        [0, 1, 2]
    );
    let again = stage().just_play(vec![Act::Find(found), Act::Deselect(1)]);
    assert_eq!(started(&again), [1, 0, 2]);
    let seen = again.events.iter().find_map(|event| match event {
        EventKind::Test(TestEvent::Discovered { tests }) => Some(tests.clone()),
        _ => None,
    });
    let seen: Vec<_> = seen
        .unwrap()
        .iter()
        .map(|test| (test.history, test.expected_us))
        .collect();
    let expected = Some(2_000);
    assert_eq!(
        seen,
        [
            (PreviousOutcome::Success, expected),
            (PreviousOutcome::Failure, expected),
            (PreviousOutcome::Success, expected)
        ]
    );
}

#[test]
fn a_history_that_cannot_be_kept_is_a_notice() {
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("file");
    std::fs::write(&file, "").unwrap();
    let stage = Stage {
        state_directory: Some(file.clone()),
        ..Stage::default()
    };
    let played = stage.just_play(vec![Act::Find(&[("a", "pass")])]);
    assert_eq!(played.code, exit_code::SUCCESS);
    assert!(played.says(&file.display().to_string()));
}

#[test]
fn failed_tests_are_remembered_until_they_pass() {
    let home = tempfile::tempdir().unwrap();
    let run = |history: HistoryFilter, acts: Vec<Act>| {
        let stage = Stage {
            wishes: RunOptions {
                history,
                ..Stage::default().wishes
            },
            state_directory: Some(home.path().to_owned()),
            ..Stage::default()
        };
        let played = stage.just_play(acts);
        let ended = played.events.iter().filter_map(|event| match event {
            EventKind::Attempt(AttemptEvent::Finished(end)) => Some(end.test),
            _ => None,
        });
        let mut ended: Vec<_> = ended.collect();
        ended.sort_unstable();
        let names = played.events.iter().flat_map(|event| match event {
            EventKind::Test(TestEvent::Discovered { tests }) => tests.clone(),
            _ => Vec::new(),
        });
        let names: Vec<(_, String)> = names.map(|test| (test.test, test.name)).collect();
        let name = |id| {
            names
                .iter()
                .find(|(test, _)| *test == id)
                .unwrap()
                .1
                .clone()
        };
        ended.into_iter().map(name).collect::<Vec<String>>()
    };
    let find = |tests| vec![Act::Find(tests)];
    let all: &[_] = &[("a", "fail"), ("b", "pass"), ("c", "broken"), ("d", "fail")];
    assert_eq!(run(HistoryFilter::All, find(all)), ["a", "b", "c", "d"]);
    // A failure and an error. What filters leave out stays remembered, and so does what still fails.
    let some: &[_] = &[("a", "pass"), ("b", "pass"), ("d", "fail")];
    assert_eq!(run(HistoryFilter::Failed, find(some)), ["a", "d"]);
    let all: &[_] = &[("a", "pass"), ("b", "pass"), ("c", "pass"), ("d", "pass")];
    assert_eq!(run(HistoryFilter::Failed, find(all)), ["c", "d"]);
    // No failure is left.
    assert_eq!(run(HistoryFilter::Failed, find(all)), ["a", "b", "c", "d"]);
}
