//! Random inputs, after which the laws of the machine hold.

use proptest::prelude::*;

use super::*;
use maelstrom_model::policy::{FlakyVerdict, RetryDelay, RetryPolicy, TimeoutVerdict};

/// What happened to a test in a round.
#[derive(Debug, Default)]
struct CopyCounts {
    copies: u32,
    /// Ends of attempts that are not retried.
    ends: u32,
    /// Ends of attempts that are retried.
    retried: u32,
    retries: u32,
}

#[derive(Clone, Debug)]
enum Step {
    Find(u32),
    FindBroken,
    EndDiscovery,
    FailDiscovery,
    Start,
    Write(usize),
    End(usize, JobOutcome),
    Deliver,
    Wake,
    Lose,
    Watch,
    Unwatch,
    Change,
    Command(UiCommand),
}

fn end() -> impl Strategy<Value = JobOutcome> {
    prop_oneof![
        4 => Just(JobOutcome::Exited(ExitStatus::Code(0))),
        2 => Just(JobOutcome::Exited(ExitStatus::Code(101))),
        1 => Just(JobOutcome::TimedOut),
        1 => Just(JobOutcome::Error("mount proc on /proc: EPERM".into())),
    ]
}

fn command() -> impl Strategy<Value = UiCommand> {
    let some_test = (0u32..9).prop_map(TestId);
    prop_oneof![
        3 => prop::collection::vec((0u32..9).prop_map(TestId), 0..4)
            .prop_map(|tests| UiCommand::Rerun { tests }),
        2 => some_test.prop_map(|test| UiCommand::CancelTest { test }),
        1 => Just(UiCommand::Cancel),
        1 => Just(UiCommand::Kill),
        1 => Just(UiCommand::Pause),
        2 => Just(UiCommand::Resume),
        1 => Just(UiCommand::Describe { test: TestId(1) }),
        1 => Just(UiCommand::Suspend),
        1 => Just(UiCommand::Continue),
        1 => Just(UiCommand::Leave),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (0u32..4).prop_map(Step::Find),
        1 => Just(Step::FindBroken),
        2 => Just(Step::EndDiscovery),
        1 => Just(Step::FailDiscovery),
        8 => Just(Step::Start),
        3 => any::<usize>().prop_map(Step::Write),
        8 => (any::<usize>(), end()).prop_map(|(index, end)| Step::End(index, end)),
        16 => Just(Step::Deliver),
        3 => Just(Step::Wake),
        1 => Just(Step::Lose),
        1 => Just(Step::Watch),
        1 => Just(Step::Unwatch),
        2 => Just(Step::Change),
        3 => command().prop_map(Step::Command),
    ]
}

fn any_wishes() -> impl Strategy<Value = RunOptions> {
    let stop_after = prop::option::weighted(0.3, 1u32..3);
    let at_end = prop::sample::select(vec![AtEnd::Leave, AtEnd::Stay, AtEnd::Watch]);
    let history = prop::sample::select(vec![HistoryFilter::All, HistoryFilter::Failed]);
    let repeat = prop_oneof![
        4 => (1u32..3).prop_map(|times| RepeatCount::Times(NonZeroU32::new(times).unwrap())),
        1 => Just(RepeatCount::Endless),
    ];
    let time = prop::option::weighted(0.3, (0u64..300).prop_map(Duration::from_micros));
    let parts = (repeat, time, stop_after, at_end, history);
    parts.prop_map(|(copies, time, stop_after, at_end, history)| RunOptions {
        history,
        repeat: RepeatPlan {
            copies,
            time,
            slots: 2,
        },
        stop_after: stop_after.and_then(NonZeroU32::new),
        at_end,
        ..wishes()
    })
}

fn any_policy() -> impl Strategy<Value = TestPolicy> {
    let delay = prop_oneof![
        Just(Duration::ZERO),
        (1u64..500).prop_map(Duration::from_micros),
    ];
    let verdict = prop::sample::select(vec![FlakyVerdict::Pass, FlakyVerdict::Fail]);
    let on_timeout = prop::sample::select(vec![TimeoutVerdict::Fail, TimeoutVerdict::Pass]);
    let slow = prop::option::of((1u64..500).prop_map(Duration::from_micros));
    let parts = (0u32..3, delay, any::<bool>(), verdict, on_timeout, slow);
    parts.prop_map(
        |(retries, delay, jitter, on_flaky, on_timeout, slow_after)| TestPolicy {
            retry: RetryPolicy {
                retries,
                delay: RetryDelay::Fixed { delay, jitter },
                on_flaky,
            },
            on_timeout,
            slow_after,
            ..TestPolicy::default()
        },
    )
}

fn play(wishes: RunOptions, policy: TestPolicy, steps: &[Step]) -> World {
    let mut world = World::with_policy(wishes, policy);
    for step in steps {
        match step.clone() {
            Step::Find(count) => world.find(count),
            Step::FindBroken => world.find_broken(),
            Step::EndDiscovery => world.end_discovery(),
            Step::FailDiscovery => world.fail_discovery(),
            Step::Start => world.start(),
            Step::Write(index) => world.write(index),
            Step::End(index, end) => world.end(index, end),
            Step::Deliver => world.deliver(),
            Step::Wake => drop(world.wake()),
            Step::Lose => world.lose(),
            // File events may also arrive too late.
            Step::Watch => drop(world.handle_input(RunInput::Watched { directories: 1 })),
            Step::Unwatch => drop(world.handle_input(RunInput::Unwatched {
                message: "it vanished".into(),
                help: None,
            })),
            Step::Change => drop(world.change("src/lib.rs")),
            // A command may come at any time; an invalid one changes nothing.
            Step::Command(command) => drop(world.handle_input(RunInput::Command(command))),
        }
    }
    world.finish();
    world
}

/// Each copy of a test has one end that counts, the attempts of a copy are limited, and none of them
/// follows a pass.
fn check_copies(world: &World, repeat: RepeatPlan, retries: u32) -> Result<(), TestCaseError> {
    let mut counts: BTreeMap<(u32, TestId), CopyCounts> = BTreeMap::new();
    let mut round = 0;
    for event in &world.events {
        match event {
            EventKind::Round(RoundEvent::Started { .. }) => round += 1,
            EventKind::Attempt(AttemptEvent::Queued { test, retry, .. }) => {
                let counts = counts.entry((round, *test)).or_default();
                match retry {
                    None => counts.copies += 1,
                    Some(retry) => {
                        counts.retries += 1;
                        prop_assert!((2..=retries + 1).contains(&retry.number));
                    }
                }
            }
            EventKind::Attempt(AttemptEvent::Finished(end)) => {
                let counts = counts.entry((round, end.test)).or_default();
                match (end.is_retried(), &end.outcome) {
                    (true, TestOutcome::Failed { .. } | TestOutcome::TimedOut { .. }) => {
                        counts.retried += 1;
                    }
                    (true, outcome) => prop_assert!(false, "{outcome:?} is retried"),
                    (false, TestOutcome::Ignored { .. }) => {}
                    // An entry that is not run has no `Queued`.
                    (false, TestOutcome::Error { message }) if message.starts_with("signal") => {}
                    (false, _) => counts.ends += 1,
                }
            }
            _ => {}
        }
    }
    for (key, counts) in counts {
        prop_assert_eq!(counts.retries, counts.retried, "{:?}", key);
        prop_assert_eq!(counts.ends, counts.copies, "{:?}", key);
        prop_assert!(counts.retries <= counts.copies * retries, "{key:?}");
        if let RepeatCount::Times(times) = repeat.copies {
            prop_assert!(counts.copies <= times.get(), "{key:?}");
        }
    }
    Ok(())
}

proptest! {
    /// Invariant 3, and the rules of the event stream.
    #[test]
    fn every_run_keeps_the_rules(
        wishes in any_wishes(),
        policy in any_policy(),
        steps in prop::collection::vec(step(), 0..150),
    ) {
        let retries = policy.retry.retries;
        let world = play(wishes, policy, &steps);
        check_copies(&world, wishes.repeat, retries)?;
        testing::check_stream(&world.events).map_err(TestCaseError::fail)?;
        prop_assert_eq!(world.machine.state(), RunState::Over);
        prop_assert!(world.code.is_some());
        for event in &world.events {
            let EventKind::Attempt(AttemptEvent::Finished(finished)) = event else { continue };
            let told = match &finished.outcome {
                TestOutcome::Ignored { .. } => continue,
                TestOutcome::Passed if finished.passed_at_limit_us.is_some() => {
                    Some(JobOutcome::TimedOut)
                }
                TestOutcome::Passed => Some(JobOutcome::Exited(ExitStatus::Code(0))),
                TestOutcome::Failed { exit, reason: _ } => exit.map(JobOutcome::Exited),
                TestOutcome::TimedOut { .. } => Some(JobOutcome::TimedOut),
                TestOutcome::Cancelled => Some(JobOutcome::Cancelled),
                TestOutcome::Error { message } if message == "signal 11 while listing" => continue,
                TestOutcome::Error { message } => Some(JobOutcome::Error(message.clone())),
            };
            let said = world.ends.get(&(finished.test, finished.attempt));
            let job = JobRole::Attempt(finished.test, finished.attempt).job();
            if !world.jobs.iter().any(|(id, _)| *id == job) {
                // A retry that was cancelled before its time.
                prop_assert_eq!(&finished.outcome, &TestOutcome::Cancelled);
                continue;
            }
            // An attempt whose end the lost backend did not report is an error or was never
            // started.
            if !world.lost {
                prop_assert_eq!(told.as_ref(), said);
            } else if let (Some(JobOutcome::Exited(_) | JobOutcome::TimedOut), told) = (&told, &told) {
                prop_assert_eq!(told.as_ref(), said);
            }
        }
    }

    /// Invariant 6: the same calls return the same results.
    #[test]
    fn the_same_happenings_give_the_same_run(
        wishes in any_wishes(),
        policy in any_policy(),
        steps in prop::collection::vec(step(), 0..80),
    ) {
        let again = play(wishes, policy.clone(), &steps).events;
        prop_assert_eq!(play(wishes, policy, &steps).events, again);
    }

    /// Invariant 10: a recording contains everything in the event stream.
    #[test]
    fn the_stream_survives_being_recorded(
        policy in any_policy(),
        steps in prop::collection::vec(step(), 0..60),
    ) {
        for kind in play(wishes(), policy, &steps).events {
            let event = maelstrom_model::event::Event { at_us: 1, kind };
            let line = serde_json::to_string(&event).unwrap();
            let read: maelstrom_model::event::Event = serde_json::from_str(&line).unwrap();
            prop_assert_eq!(read, event);
        }
    }
}
