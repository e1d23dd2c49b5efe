//! Tests of the model with streams of events.

use super::*;
use maelstrom_model::event::{
    AttemptEvent, AttemptFinished, BackendInfo, Event, EventKind, ExitStatus, IsolationMode,
    NoticeSeverity, PreviousOutcome, RoundCause, RoundEvent, RoundSummary, RunEvent, RunStarted,
    SCHEMA_VERSION, TestEvent, TestInfo, TestOutcome, UserNotice, WatchEvent, WorkerStatusEvent,
};
use maelstrom_model::ids::{Attempt, RunId};

fn apply(model: &mut RunModel, at_us: u64, kind: impl Into<EventKind>) {
    let kind = kind.into();
    model.apply(&Event { at_us, kind });
}

fn discovered(names: &[&str]) -> EventKind {
    let tests = names.iter().enumerate().map(|(index, name)| TestInfo {
        test: TestId(index as u32),
        package: "pkg".to_owned(),
        artifact: String::new(),
        name: (*name).to_owned(),
        title: format!("pkg {name}"),
        expected_us: None,
        history: PreviousOutcome::New,
        ignored: false,
    });
    EventKind::Test(TestEvent::Discovered {
        tests: tests.collect(),
    })
}

fn started(test: u32, attempt: u32) -> EventKind {
    EventKind::Attempt(AttemptEvent::Started {
        test: TestId(test),
        attempt: Attempt(attempt),
        worker: WorkerId(0),
        slot: 0,
    })
}

fn finished(test: u32, attempt: u32, outcome: TestOutcome) -> EventKind {
    EventKind::Attempt(AttemptEvent::Finished(Box::new(AttemptFinished::new(
        TestId(test),
        Attempt(attempt),
        outcome,
    ))))
}

fn failed() -> TestOutcome {
    TestOutcome::Failed {
        exit: Some(ExitStatus::Code(101)),
        reason: None,
    }
}

fn model_with(names: &[&str]) -> RunModel {
    let mut model = RunModel::new();
    apply(
        &mut model,
        0,
        RunEvent::Started(RunStarted {
            schema: SCHEMA_VERSION,
            run: RunId(7),
            program: "cargo-maelstrom".to_owned(),
            version: "0".to_owned(),
            command: vec!["cargo-maelstrom".to_owned()],
            directory: "/project".to_owned(),
            started_unix_ms: 0,
            backend: BackendInfo::Local,
            isolation: IsolationMode::Container,
        }),
    );
    apply(
        &mut model,
        0,
        WorkerStatusEvent::Joined {
            worker: WorkerId(0),
            name: "local".to_owned(),
            slots: 2,
            architecture: "x86_64".to_owned(),
        },
    );
    apply(&mut model, 0, discovered(names));
    let cause = RoundCause::Start;
    apply(&mut model, 0, RoundEvent::Started { round: 1, cause });
    model
}

#[test]
fn a_test_that_is_repeated_without_end_takes_a_limited_place() {
    let mut model = model_with(&["a"]);
    for attempt in 1..2_000 {
        let outcome = match attempt {
            700 => TestOutcome::TimedOut { limit_us: 1 },
            _ => TestOutcome::Passed,
        };
        let at_us = u64::from(attempt);
        apply(&mut model, at_us, started(0, attempt));
        apply(&mut model, at_us, finished(0, attempt, outcome));
    }
    let attempts = model.tests.attempts(TestId(0));
    let attempts: Vec<u32> = attempts.map(|record| record.attempt.0).collect();
    assert_eq!(attempts.len(), 256);
    assert!(attempts.is_sorted_by(|later, earlier| later > earlier));
    assert_eq!(attempts.first(), Some(&1_999));
    assert_eq!(attempts.last(), Some(&700), "a failure stays");
}

#[test]
fn a_test_is_shown_by_its_worst_outcome_of_the_round_and_is_flaky_when_they_differ() {
    let mut model = model_with(&["a", "b"]);
    apply(&mut model, 1, started(0, 1));
    apply(&mut model, 2, finished(0, 1, failed()));
    apply(&mut model, 3, started(0, 2));
    assert_eq!(model.tests.state(TestId(0)), TestState::Running);
    apply(&mut model, 4, finished(0, 2, TestOutcome::Passed));
    assert_eq!(model.tests.state(TestId(0)), TestState::Failed);
    assert_eq!(
        (model.flaky, model.failures.as_slice()),
        (1, [TestId(0)].as_slice())
    );

    let cause = RoundCause::Rerun;
    apply(&mut model, 5, RoundEvent::Started { round: 2, cause });
    apply(&mut model, 6, started(0, 3));
    assert_eq!(
        model.failures,
        [TestId(0)],
        "it stays listed until it passes"
    );
    apply(&mut model, 7, finished(0, 3, TestOutcome::Passed));
    assert_eq!(model.tests.state(TestId(0)), TestState::Passed);
    assert_eq!((model.flaky, model.failures.len()), (0, 0));
    assert_eq!(model.tests.attempts(TestId(0)).count(), 3);
}

#[test]
fn counts_of_groups_follow_their_tests() {
    let mut model = model_with(&["m::a", "m::b", "n::c"]);
    apply(&mut model, 1, started(0, 1));
    apply(&mut model, 2, finished(0, 1, failed()));
    apply(&mut model, 3, started(1, 1));
    assert!(model.refresh());
    let counts: Vec<_> = model
        .tests
        .tree()
        .preorder()
        .iter()
        .filter_map(|line| match line.row {
            TreeRow::Group(group) => Some(group),
            TreeRow::Test(_) => None,
        })
        .map(|group| model.tests.tree().counts(group))
        .map(|counts| {
            (
                counts.failures(),
                counts.get(TestState::Running),
                counts.total(),
            )
        })
        .collect();
    assert_eq!(counts, [(1, 1, 3), (1, 1, 2), (0, 0, 1)]);
    assert_eq!(model.counts.total(), 3);
}

#[test]
fn time_that_stood_still_counts_for_no_test() {
    let mut model = model_with(&["a"]);
    apply(&mut model, 1_000, started(0, 1));
    apply(&mut model, 9_000, RunEvent::Suspended);
    let suspended_us = 100_000;
    apply(&mut model, 109_000, RunEvent::Continued { suspended_us });
    assert_eq!(model.tests.duration_us(TestId(0), 110_000), Some(9_000));
    assert_eq!(model.running().collect::<Vec<_>>(), [(101_000, TestId(0))]);
    apply(&mut model, 110_000, finished(0, 1, TestOutcome::Passed));
    assert_eq!(model.running().len(), 0);
}

#[test]
fn the_clock_is_the_rounds_and_stands_still_between_two() {
    let mut model = model_with(&["a"]);
    let begin = |round, cause| EventKind::Round(RoundEvent::Started { round, cause });
    let end = |round| {
        EventKind::Round(RoundEvent::Finished {
            round,
            summary: RoundSummary::default(),
        })
    };
    apply(&mut model, 1_000, begin(1, RoundCause::Start));
    assert_eq!(model.round_us(4_000), 3_000);
    apply(&mut model, 5_000, RunEvent::Continued { suspended_us: 500 });
    apply(&mut model, 6_000, end(1));
    assert_eq!(model.over_us, Some(6_000));
    assert_eq!(model.round_us(6_000), 4_500);
    // No slot runs a test.
    apply(
        &mut model,
        50_000,
        RunEvent::Continued {
            suspended_us: 40_000,
        },
    );
    assert_eq!(model.round_us(6_000), 4_500);
    apply(&mut model, 60_000, begin(2, RoundCause::Watch));
    assert_eq!((model.over_us, model.round_us(60_500)), (None, 500));
}

#[test]
fn events_that_fit_nothing_change_nothing() {
    let mut model = model_with(&["a"]);
    apply(&mut model, 1, finished(0, 1, TestOutcome::Passed));
    let before = model.counts;
    apply(&mut model, 2, finished(0, 1, failed()));
    apply(&mut model, 2, started(0, 1));
    apply(&mut model, 2, started(77, 1));
    apply(&mut model, 2, finished(u32::MAX, 1, failed()));
    apply(&mut model, 2, discovered(&["again"]));
    let worker = WorkerId(u32::MAX);
    let (name, reason) = (String::new(), String::new());
    let (slots, architecture) = (u32::MAX, String::new());
    apply(
        &mut model,
        3,
        WorkerStatusEvent::Joined {
            worker,
            name,
            slots,
            architecture,
        },
    );
    apply(&mut model, 3, WorkerStatusEvent::Left { worker, reason });
    assert_eq!(model.counts, before);
    assert_eq!(model.workers().count(), 1);
    assert_eq!(model.tests.len(), 1);
}

#[test]
fn a_round_after_a_change_begins_anew_and_what_vanished_is_shown_nowhere() {
    let mut model = model_with(&["a::stays", "b::goes", "a::breaks"]);
    let watch = |round| {
        EventKind::Round(RoundEvent::Started {
            round,
            cause: RoundCause::Watch,
        })
    };
    for (test, outcome) in [(0, TestOutcome::Passed), (1, failed()), (2, failed())] {
        apply(&mut model, 10, started(test, 1));
        apply(&mut model, 20, finished(test, 1, outcome));
    }
    let wrong = EventKind::Notice(UserNotice {
        severity: NoticeSeverity::Error,
        text: "could not compile".to_owned(),
        help: None,
        in_summary: true,
    });
    apply(&mut model, 25, wrong.clone());
    apply(&mut model, 26, wrong);
    assert_eq!(model.notices.len(), 1, "said twice is said once");
    apply(
        &mut model,
        27,
        WatchEvent::AwaitingChange { directories: 2 },
    );
    assert_eq!(model.awaiting, Some(2));

    apply(&mut model, 30, watch(2));
    assert_eq!((model.awaiting, model.notices.len()), (None, 0));
    assert_eq!((model.counts.open(), model.counts.total()), (3, 3));
    assert!(model.failures.is_empty() && !model.discovered);
    assert!(
        model.tests.latest(TestId(2)).is_some(),
        "its log is still shown"
    );
    apply(&mut model, 40, discovered(&["a::stays"]));
    let tests = vec![TestId(1)];
    apply(
        &mut model,
        41,
        TestEvent::Vanished {
            tests: tests.clone(),
        },
    );
    apply(&mut model, 42, TestEvent::Vanished { tests });
    assert_eq!((model.found, model.counts.total()), (1, 2));
    model.refresh();
    let rows = model.tests.tree().preorder().iter();
    let names: Vec<&str> = rows.map(|line| model.tests.row_name(line.row)).collect();
    assert_eq!(names, ["pkg", "a", "breaks", "stays"]);
    let ids: Vec<u32> = model.tests.ids().map(|test| test.0).collect();
    assert_eq!(ids, [0, 2]);
}

/// Invariant 8: memory doesn't grow with the number of rounds.
#[test]
fn of_earlier_rounds_only_the_latest_attempt_is_kept() {
    let mut model = model_with(&["a"]);
    for round in 2..50 {
        let attempt = round - 1;
        apply(&mut model, 10, started(0, attempt));
        apply(&mut model, 20, finished(0, attempt, TestOutcome::Passed));
        let cause = RoundCause::Watch;
        apply(&mut model, 30, RoundEvent::Started { round, cause });
        let kept = model
            .tests
            .attempts(TestId(0))
            .map(|record| record.attempt.0);
        assert_eq!(kept.collect::<Vec<_>>(), [attempt]);
        let next = model.tests.ordinal(TestId(0), Attempt(attempt + 1));
        assert_eq!(next, 1, "it is the first of its round");
    }
}

#[test]
fn what_is_told_of_a_vanished_test_changes_nothing() {
    let mut model = model_with(&["a::stays", "b::goes"]);
    apply(&mut model, 10, started(1, 1));
    apply(
        &mut model,
        20,
        TestEvent::Vanished {
            tests: vec![TestId(1)],
        },
    );
    assert_eq!(model.running().len(), 0);
    let counts = model.counts;
    apply(&mut model, 30, finished(1, 1, failed()));
    apply(&mut model, 40, started(1, 2));
    apply(&mut model, 50, finished(1, 2, TestOutcome::Passed));
    assert_eq!((model.running().len(), model.counts), (0, counts));
    assert!(model.failures.is_empty());
}
