//! Retries and marks of slow tests: their times, and what they count for.

use super::*;
use maelstrom_model::event::RetryNext;
use maelstrom_model::exit_code;
use maelstrom_model::policy::{FlakyVerdict, RetryDelay, RetryPolicy, TimeoutVerdict};

fn retried(retries: u32, delay_us: u64) -> TestPolicy {
    TestPolicy {
        retry: RetryPolicy {
            retries,
            delay: RetryDelay::Fixed {
                delay: Duration::from_micros(delay_us),
                jitter: false,
            },
            on_flaky: FlakyVerdict::Pass,
        },
        ..TestPolicy::default()
    }
}

fn nexts(world: &World) -> Vec<Option<RetryNext>> {
    let next = |end: &AttemptFinished| end.retry.map(|retry| retry.next);
    world.finished().map(next).collect()
}

#[test]
fn a_pass_after_a_failure_is_flaky_and_counts_as_passed() {
    let mut world = World::with_policy(wishes(), retried(2, 0));
    world.find(1);
    world.end_discovery();
    run_one(&mut world, failed());
    run_one(&mut world, passed());
    let expected = [Some(RetryNext::Again), Some(RetryNext::FlakyPassed)];
    assert_eq!(nexts(&world), expected);
    let summary = world.summaries()[0];
    assert_eq!((summary.passed, summary.flaky_passed), (1, 1));
    assert_eq!((summary.failed, summary.flaky), (0, 0));
    assert_eq!(world.code, Some(exit_code::SUCCESS));
}

#[test]
fn what_another_test_of_its_process_kept_from_running_is_retried() {
    let error = || JobOutcome::Error("did not run".to_owned());
    for (group, code) in [
        (Some("g"), exit_code::SUCCESS),
        (None, exit_code::INFRASTRUCTURE),
    ] {
        let mut world = World::with_policy(wishes(), retried(1, 0));
        let mut found = test(0);
        found.group = group.map(Into::into);
        found.case.policy = Arc::new(retried(1, 0));
        world.handle_input(RunInput::Found(vec![found])).unwrap();
        world.end_discovery();
        run_one(&mut world, error());
        if group.is_some() {
            run_one(&mut world, passed());
        }
        assert_eq!(world.code, Some(code));
    }
}

#[test]
fn a_flaky_test_can_count_as_failed() {
    let mut policy = retried(2, 0);
    policy.retry.on_flaky = FlakyVerdict::Fail;
    let mut world = World::with_policy(wishes(), policy);
    world.find(1);
    world.end_discovery();
    run_one(&mut world, failed());
    run_one(&mut world, passed());
    let summary = world.summaries()[0];
    assert_eq!((summary.failed, summary.flaky), (1, 1));
    assert_eq!(world.code, Some(101));
}

#[test]
fn only_the_last_attempt_counts_against_the_failure_limit() {
    let wishes = RunOptions {
        stop_after: nth(1),
        ..wishes()
    };
    let mut world = World::with_policy(wishes, retried(1, 0));
    world.find(1);
    run_one(&mut world, failed());
    assert_eq!(world.machine.state(), RunState::Open);
    run_one(&mut world, failed());
    assert_eq!(world.summaries().len(), 1, "the round is over");
    assert_eq!(world.code, Some(101));
}

#[test]
fn a_retry_waits_for_its_time_without_that_of_a_suspension() {
    let mut world = World::with_policy(wishes(), retried(1, 1_000));
    world.find(1);
    world.end_discovery();
    run_one(&mut world, failed());
    let due_us = world.alarm_us.unwrap();
    assert_eq!(due_us, world.now_us + 1_000);
    assert_eq!(world.jobs.len(), 1, "it is not submitted yet");
    let command = |command| RunInput::Command(command);
    world.handle_input(command(UiCommand::Suspend)).unwrap();
    assert_eq!(world.alarm_us, None);
    world.now_us += 5_000;
    world.handle_input(command(UiCommand::Continue)).unwrap();
    assert_eq!(world.alarm_us, Some(due_us + 5_010));
    assert!(world.wake());
    assert_eq!(world.jobs.len(), 2);
    run_one(&mut world, passed());
    assert_eq!(world.code, Some(exit_code::SUCCESS));
}

#[test]
fn what_stops_a_run_or_a_test_cancels_its_waiting_retry() {
    type Stop = fn(&mut World);
    fn command(world: &mut World, command: UiCommand) {
        world.handle_input(RunInput::Command(command)).unwrap();
    }
    let cancel: Stop = |world| command(world, UiCommand::Cancel);
    let kill: Stop = |world| command(world, UiCommand::Kill);
    let cancel_test: Stop = |world| command(world, UiCommand::CancelTest { test: TestId(0) });
    let lose: Stop = World::lose;
    for (stop, code) in [
        (cancel, exit_code::INTERRUPTED),
        (kill, exit_code::INTERRUPTED),
        (lose, exit_code::INFRASTRUCTURE),
        // The test failed, and nothing else made up for it.
        (cancel_test, 101),
    ] {
        let mut world = World::with_policy(wishes(), retried(1, 1_000));
        world.find(1);
        world.end_discovery();
        run_one(&mut world, failed());
        stop(&mut world);
        assert_eq!(world.code, Some(code));
        assert_eq!(world.summaries()[0].failed, 1);
        assert_eq!(world.outcomes()[1].1, TestOutcome::Cancelled);
        assert_eq!(world.jobs.len(), 1);
    }
}

#[test]
fn a_stopped_test_that_fails_before_the_stop_arrives_is_not_retried() {
    let mut world = World::with_policy(wishes(), retried(1, 0));
    world.find(1);
    world.end_discovery();
    world.start();
    world.deliver();
    world.end(0, failed());
    let cancel = UiCommand::CancelTest { test: TestId(0) };
    world.handle_input(RunInput::Command(cancel)).unwrap();
    world.deliver();
    assert_eq!(nexts(&world), [Some(RetryNext::Done)]);
}

#[test]
fn a_retry_avoids_the_worker_of_the_failure_and_can_have_it_alone() {
    for (retry_placement, exclusive) in [
        (RetryPlacement::Anywhere, false),
        (RetryPlacement::Alone, true),
    ] {
        let wishes = RunOptions {
            retry_placement,
            ..wishes()
        };
        let mut world = World::with_policy(wishes, retried(1, 30));
        world.find(1);
        run_one(&mut world, failed());
        assert!(world.wake());
        let needs = |index: usize| &world.jobs[index].1.needs;
        assert_eq!((needs(0).avoided_worker, needs(0).exclusive), (None, false));
        assert_eq!(needs(1).avoided_worker, Some(WorkerId(0)));
        assert_eq!(needs(1).exclusive, exclusive);
    }
}

#[test]
fn attempts_are_numbered_for_tests_with_retries_only() {
    let number = |world: &World, index: usize| {
        let environment = &world.jobs[index].1.process.environment;
        let number = environment.get(std::ffi::OsStr::new("MAELSTROM_ATTEMPT"));
        number.map(|number| number.display().to_string())
    };
    let mut world = World::with_policy(wishes(), retried(1, 0));
    world.find(1);
    run_one(&mut world, failed());
    assert_eq!(number(&world, 0).as_deref(), Some("1"));
    assert_eq!(number(&world, 1).as_deref(), Some("2"));
    let mut world = World::new(wishes());
    world.find(1);
    assert_eq!(number(&world, 0), None);
}

#[test]
fn a_timeout_can_be_a_pass() {
    let policy = TestPolicy {
        on_timeout: TimeoutVerdict::Pass,
        ..TestPolicy::default()
    };
    let mut world = World::with_policy(wishes(), policy);
    world.find(1);
    run_one(&mut world, JobOutcome::TimedOut);
    world.finish();
    assert_eq!(world.summaries()[0].passed, 1);
    assert_eq!(world.finished().next().unwrap().passed_at_limit_us, Some(0));
    assert_eq!(world.code, Some(exit_code::SUCCESS));
}

#[test]
fn a_running_test_is_slow_at_each_multiple_of_its_threshold() {
    let policy = TestPolicy {
        slow_after: Some(Duration::from_micros(100)),
        ..TestPolicy::default()
    };
    let mut world = World::with_policy(wishes(), policy);
    world.find(1);
    world.start();
    world.deliver();
    let marks = |world: &World| -> Vec<u64> {
        let marks = world.events.iter();
        marks
            .filter_map(|event| match event {
                EventKind::Attempt(AttemptEvent::Slow { after_us, .. }) => Some(*after_us),
                _ => None,
            })
            .collect()
    };
    assert!(world.wake());
    assert!(world.wake());
    assert_eq!(marks(&world), [100, 200]);
    // A late alarm gives one mark.
    world.now_us += 250;
    assert!(world.wake());
    assert_eq!(marks(&world), [100, 200, 400]);
    world.finish();
    assert_eq!(marks(&world).len(), 3);
    assert_eq!(world.alarm_us, None);
}
