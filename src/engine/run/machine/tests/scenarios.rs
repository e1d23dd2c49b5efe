//! Single scenarios and their expected results.

use super::*;
use maelstrom_model::event::{NoticeSeverity, RunEvent, TestEvent};
use maelstrom_model::exit_code;
use maelstrom_model::job::{KnownResult, KnownVerdict};
use maelstrom_model::policy::{RetryPolicy, TestPolicy};

#[test]
fn a_run_of_passing_tests_exits_with_zero() {
    let mut world = World::new(wishes());
    world.find(7);
    world.finish();
    assert_eq!(world.code, Some(exit_code::SUCCESS));
    let [summary] = world.summaries()[..] else {
        panic!("one round")
    };
    assert_eq!((summary.passed, summary.ignored), (6, 1));
}

/// A doctest that does not compile, for example.
#[test]
fn a_result_that_the_build_has_determined_is_reported_without_a_job() {
    let known = |number, verdict| {
        let mut found = test(number);
        found.case.known = Some(KnownResult {
            verdict,
            output: b"error".to_vec(),
            location: None,
        });
        // What the build has determined stays, however often it is asked.
        found.case.policy = std::sync::Arc::new(TestPolicy {
            retry: RetryPolicy {
                retries: 2,
                ..RetryPolicy::default()
            },
            ..TestPolicy::default()
        });
        found
    };
    let reason = "it does not compile".to_owned();
    let mut world = World::new(wishes());
    let failed = KnownVerdict::Failed {
        reason: reason.clone(),
    };
    let found = vec![known(0, KnownVerdict::Passed), known(1, failed)];
    world.handle_input(RunInput::Found(found)).unwrap();
    world.finish();
    let failed = TestOutcome::Failed {
        exit: None,
        reason: Some(reason),
    };
    assert_eq!(world.outcomes(), [(0, TestOutcome::Passed), (1, failed)]);
    assert_eq!(world.code, Some(exit_code::TEST_FAILURE));
    let [summary] = world.summaries()[..] else {
        panic!("one round")
    };
    assert_eq!((summary.passed, summary.failed), (1, 1));
    testing::check_stream(&world.events).unwrap();
}

#[test]
fn the_first_failure_lends_its_code_unless_all_failures_have_one() {
    for (failure_code, expected) in [(None, 3), (Some(1), 1)] {
        let mut world = World::new(RunOptions {
            failure_code,
            ..wishes()
        });
        world.find(3);
        run_one(&mut world, JobOutcome::Exited(ExitStatus::Code(3)));
        run_one(&mut world, failed());
        world.finish();
        assert_eq!(world.code, Some(expected));
    }
}

#[test]
fn an_error_alone_is_an_infrastructure_failure_and_a_failing_test_outweighs_it() {
    let error = || JobOutcome::Error("no space left on device".into());
    let mut world = World::new(wishes());
    world.find(2);
    run_one(&mut world, error());
    world.finish();
    assert_eq!(world.code, Some(exit_code::INFRASTRUCTURE));

    let mut world = World::new(wishes());
    world.find(2);
    run_one(&mut world, error());
    run_one(&mut world, failed());
    world.finish();
    assert_eq!(world.code, Some(101));
}

#[test]
fn listed_tests_are_told_and_not_run() {
    let mut world = World::new(RunOptions {
        errand: RunMode::List,
        ..wishes()
    });
    world.find(9);
    world.finish();
    assert_eq!(world.code, Some(exit_code::SUCCESS));
    assert!(world.ends.is_empty());
    let told: usize = world
        .events
        .iter()
        .map(|event| match event {
            EventKind::Test(TestEvent::Discovered { tests }) => tests.len(),
            EventKind::Attempt(AttemptEvent::Finished(_))
            | EventKind::Attempt(AttemptEvent::Queued { .. }) => panic!("{event:?}"),
            _ => 0,
        })
        .sum();
    assert_eq!(told, 9);
}

#[test]
fn a_binary_that_cannot_be_listed_is_an_error_with_its_output() {
    let mut world = World::new(wishes());
    world.find_broken();
    world.find(1);
    world.finish();
    let summary = world.summaries()[0];
    assert_eq!((summary.errors, summary.passed), (1, 1));
    assert_eq!(world.code, Some(exit_code::INFRASTRUCTURE));
}

#[test]
fn time_spent_suspended_counts_for_nothing() {
    let mut world = World::new(wishes());
    world.find(1);
    world
        .handle_input(RunInput::Command(UiCommand::Suspend))
        .unwrap();
    world.now_us += 1_000_000;
    world
        .handle_input(RunInput::Command(UiCommand::Continue))
        .unwrap();
    world.finish();
    let queued = world.events.iter().find_map(|event| match event {
        EventKind::Attempt(AttemptEvent::Finished(finished)) => Some(finished.timings.queued_us),
        _ => None,
    });
    assert!(queued.unwrap() < 1_000, "{queued:?}");
    assert!(world.summaries()[0].duration_us < 1_000);
}

#[test]
fn a_run_without_tests_says_so_as_seriously_as_it_takes_it() {
    use NoticeSeverity::{Error, Info, Warning};
    for (no_tests, failure, severity) in [
        (None, None, Warning),
        (None, Some(4), Error),
        (Some(Info), None, Info),
        (Some(Warning), None, Warning),
        (Some(Error), Some(4), Error),
    ] {
        let mut world = World::new(RunOptions {
            no_tests,
            ..wishes()
        });
        let summary = DiscoverySummary {
            deselected: 0,
            failure,
        };
        world
            .handle_input(RunInput::DiscoveryFinished(summary))
            .unwrap();
        assert_eq!(world.code, Some(failure.unwrap_or(exit_code::SUCCESS)));
        assert_eq!(world.notices(), [(severity, "there are no tests to run")]);
    }
}

#[test]
fn repeats_count_once_by_the_worst() {
    let mut world = World::new(RunOptions {
        repeat: times(3),
        ..wishes()
    });
    world.find(1);
    run_one(&mut world, passed());
    run_one(&mut world, failed());
    world.finish();
    assert_eq!(world.outcomes().len(), 3);
    let summary = world.summaries()[0];
    assert_eq!((summary.failed, summary.flaky, summary.passed), (1, 1, 0));
}

#[test]
fn enough_failures_end_the_build_and_the_round() {
    let mut world = World::new(RunOptions {
        stop_after: nth(1),
        ..wishes()
    });
    world.find(5);
    run_one(&mut world, failed());
    assert!(!world.discovering, "the build was not abandoned");
    world.finish();
    let summary = world.summaries()[0];
    assert_eq!(
        (summary.failed, summary.cancelled, summary.not_run),
        (1, 1, 3)
    );
    assert_eq!(world.code, Some(101));
}

#[test]
fn a_failing_repeat_is_one_failure_to_stop_after() {
    let mut world = World::new(RunOptions {
        repeat: times(2),
        stop_after: nth(2),
        ..wishes()
    });
    world.find(2);
    world.end_discovery();
    run_one(&mut world, failed());
    run_one(&mut world, failed());
    assert_eq!(world.machine.state(), RunState::Closed);
    run_one(&mut world, failed());
    assert_eq!(world.machine.state(), RunState::Stopping);
}

#[test]
fn cancelling_terminates_and_killing_kills() {
    let mut world = World::new(wishes());
    world.find(4);
    world.start();
    world.deliver();
    world.deliver();
    world
        .handle_input(RunInput::Command(UiCommand::Cancel))
        .unwrap();
    assert_eq!(world.machine.state(), RunState::Stopping);
    let stops = |world: &World| -> Vec<_> { world.running.iter().map(|(_, how)| *how).collect() };
    assert_eq!(stops(&world), [Some(StopMode::Terminate); 2]);
    world
        .handle_input(RunInput::Command(UiCommand::Kill))
        .unwrap();
    assert_eq!(stops(&world), [Some(StopMode::Kill); 2]);
    assert_eq!(world.machine.state(), RunState::Killing);
    world.finish();
    let summary = world.summaries()[0];
    assert_eq!((summary.cancelled, summary.not_run), (2, 2));
    assert_eq!(world.code, Some(exit_code::INTERRUPTED));
}

#[test]
fn a_broken_build_lets_running_tests_end_and_starts_no_more() {
    let mut world = World::new(wishes());
    world.find(4);
    world.start();
    world.deliver();
    world.deliver();
    world.fail_discovery();
    assert!(world.running.iter().all(|(_, stop)| stop.is_none()));
    world.finish();
    let summary = world.summaries()[0];
    assert_eq!((summary.passed, summary.not_run), (2, 2));
    assert_eq!(world.code, Some(101));
}

#[test]
fn a_rerun_waits_for_the_round_and_its_verdict_counts() {
    let mut world = World::new(RunOptions {
        at_end: AtEnd::Stay,
        ..wishes()
    });
    world.find(2);
    world.end_discovery();
    run_one(&mut world, failed());
    let rerun = UiCommand::Rerun {
        tests: vec![TestId(0), TestId(99)],
    };
    world.handle_input(RunInput::Command(rerun)).unwrap();
    assert_eq!(
        world.events.last(),
        Some(&EventKind::Round(RoundEvent::RerunQueued { tests: 1 }))
    );
    run_one(&mut world, passed());
    assert_eq!(world.machine.state(), RunState::Closed);
    run_one(&mut world, passed());
    assert_eq!(world.machine.state(), RunState::Idle);
    world.finish();
    assert_eq!(world.summaries().len(), 2);
    assert_eq!(world.code, Some(exit_code::SUCCESS));
}

#[test]
fn whoever_stays_is_asked_before_the_run_ends() {
    let mut world = World::new(RunOptions {
        at_end: AtEnd::Stay,
        ..wishes()
    });
    world.end_discovery();
    assert_eq!((world.machine.state(), world.code), (RunState::Idle, None));
    world
        .handle_input(RunInput::Command(UiCommand::Leave))
        .unwrap();
    assert_eq!(world.code, Some(exit_code::SUCCESS));
}

#[test]
fn a_lost_backend_leaves_errors_where_something_ran() {
    let mut world = World::new(wishes());
    world.find(4);
    world.start();
    world.deliver();
    world.deliver();
    world.lose();
    let summary = world.summaries()[0];
    assert_eq!((summary.errors, summary.not_run, summary.failed), (2, 2, 0));
    assert_eq!(world.code, Some(exit_code::INFRASTRUCTURE));
}

#[test]
fn one_cancelled_test_leaves_the_others_alone() {
    let mut world = World::new(wishes());
    world.find(3);
    world.start();
    world.deliver();
    world.deliver();
    let cancel = UiCommand::CancelTest { test: TestId(1) };
    world.handle_input(RunInput::Command(cancel)).unwrap();
    world.finish();
    let summary = world.summaries()[0];
    assert_eq!((summary.passed, summary.cancelled), (2, 1));
    assert_eq!(world.code, Some(exit_code::INTERRUPTED));
}

#[test]
fn events_of_strangers_change_nothing() {
    let mut world = World::new(wishes());
    world.find(1);
    let before = world.events.len();
    let stranger = RunInput::Output {
        test: TestId(4),
        attempt: Attempt(1),
        stream: OutputStream::Stdout,
        bytes: b"x".to_vec(),
    };
    assert!(world.handle_input(stranger).is_err());
    let forged = RunInput::Fact(EventKind::Run(RunEvent::Finished { exit_code: 0 }));
    assert!(world.handle_input(forged).is_err());
    assert_eq!(world.events.len(), before);
}

#[test]
fn a_priority_that_was_given_counts_for_more_than_the_past() {
    let mut machine = RunStateMachine::new(wishes(), run_started());
    let found = |number, priority, history| FoundTest {
        priority,
        history,
        ..test(number)
    };
    let tests = vec![
        found(0, Some(-3), PreviousOutcome::New),
        found(1, None, PreviousOutcome::New),
        found(2, None, PreviousOutcome::Success),
        found(3, Some(0), PreviousOutcome::Failure),
    ];
    machine.handle(1, RunInput::Found(tests)).unwrap();
    let effects = std::iter::from_fn(|| machine.poll());
    let priorities: Vec<i8> = effects
        .filter_map(|effect| match effect {
            RunEffect::Submit { rank, .. } => Some(rank.priority),
            _ => None,
        })
        .collect();
    assert_eq!(priorities, [-3, 1, 0, 0]);
}
