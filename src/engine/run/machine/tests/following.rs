//! Scenarios in which files change.

use super::*;
use crate::run::message::ChangedFiles;
use maelstrom_model::event::{TestEvent, WatchEvent};
use maelstrom_model::exit_code;

fn watching(at_end: AtEnd) -> World {
    let mut world = World::new(RunOptions { at_end, ..wishes() });
    world
        .handle_input(RunInput::Watched { directories: 3 })
        .unwrap();
    world
}

/// Ends all running and waiting tests as passed, without ending the run.
fn drain(world: &mut World) {
    world.end_discovery();
    loop {
        world.start();
        world.end(0, JobOutcome::Exited(ExitStatus::Code(0)));
        if world.mail.is_empty() {
            break;
        }
        world.deliver();
    }
}

fn causes(world: &World) -> Vec<RoundCause> {
    let causes = world.events.iter().filter_map(|event| match event {
        EventKind::Round(RoundEvent::Started { cause, .. }) => Some(*cause),
        _ => None,
    });
    causes.collect()
}

fn count(world: &World, wanted: impl Fn(&EventKind) -> bool) -> usize {
    world.events.iter().filter(|event| wanted(event)).count()
}

#[test]
fn without_a_change_the_run_waits_and_tells_so() {
    let mut world = watching(AtEnd::Watch);
    world.find(2);
    drain(&mut world);
    assert_eq!(world.code, None);
    let last = EventKind::Watch(WatchEvent::AwaitingChange { directories: 3 });
    assert_eq!(world.events.last(), Some(&last));
    world
        .handle_input(RunInput::Command(UiCommand::Leave))
        .unwrap();
    assert_eq!(world.code, Some(exit_code::SUCCESS));
}

#[test]
fn a_change_between_rounds_begins_one_that_finds_everything_anew() {
    let mut world = watching(AtEnd::Watch);
    world.find(3);
    drain(&mut world);
    world.change("src/lib.rs").unwrap();
    assert!(world.discovering);
    assert_eq!(world.machine.state(), RunState::Open);
    // The third test is gone, and a new one has come.
    let found = [test(0), test(1), test(9)];
    world.handle_input(RunInput::Found(found.into())).unwrap();
    drain(&mut world);
    assert_eq!(causes(&world), [RoundCause::Start, RoundCause::Watch]);
    let ids: Vec<Vec<u32>> = world
        .events
        .iter()
        .filter_map(|event| match event {
            EventKind::Test(TestEvent::Discovered { tests }) => {
                Some(tests.iter().map(|t| t.test.0).collect())
            }
            _ => None,
        })
        .collect();
    assert_eq!(ids, [vec![0, 1, 2], vec![0, 1, 3]]);
    let vanished = vec![TestId(2)];
    let told = EventKind::Test(TestEvent::Vanished { tests: vanished });
    assert_eq!(count(&world, |event| *event == told), 1);
    assert_eq!(world.summaries()[1].passed, 3);
    // The attempt numbers of a test continue.
    let again = EventKind::Attempt(AttemptEvent::Queued {
        test: TestId(0),
        attempt: Attempt(2),
        retry: None,
    });
    assert_eq!(count(&world, |event| *event == again), 1);
    let there: Vec<u32> = world.machine.tests().map(|(id, _)| id.0).collect();
    assert_eq!(there, [0, 1, 3]);
    testing::check_stream(&{
        world.finish();
        world.events
    })
    .unwrap();
}

#[test]
fn a_change_during_a_round_cuts_it_short_and_another_begins() {
    let mut world = watching(AtEnd::Watch);
    world.find(5);
    world.start();
    assert_eq!(world.running.len(), 2);
    world.change("src/lib.rs").unwrap();
    assert!(!world.discovering, "the build is abandoned");
    assert_eq!(world.machine.state(), RunState::Stopping);
    // An attempt that ended by itself is reported with its own outcome.
    world.running[0].1 = None;
    world.end(0, JobOutcome::Exited(ExitStatus::Code(101)));
    while world.machine.state() == RunState::Stopping {
        world.end(0, JobOutcome::Exited(ExitStatus::Code(0)));
        world.deliver();
    }
    assert!(world.discovering, "a new discovery has begun");
    world.find(5);
    world.finish();
    let [first, second] = world.summaries()[..] else {
        panic!("two rounds")
    };
    assert_eq!((first.failed, first.cancelled, first.not_run), (1, 1, 3));
    assert_eq!(second.passed, 5);
    // The failure was about outdated files, and nobody cancelled the run.
    assert_eq!(world.code, Some(exit_code::SUCCESS));
    testing::check_stream(&world.events).unwrap();
}

#[test]
fn a_build_that_changes_its_own_sources_is_left_to_end() {
    let mut world = watching(AtEnd::Watch);
    for _ in 0..3 {
        world.change("src/generated.rs").unwrap();
    }
    assert_eq!(causes(&world).len(), 4, "each change began a round");
    world.find(1);
    world.change("src/generated.rs").unwrap();
    world.change("src/generated.rs").unwrap();
    assert_eq!(world.machine.state(), RunState::Open, "this one goes on");
    let told = count(&world, |event| match event {
        EventKind::Notice(notice) => notice
            .help
            .as_ref()
            .is_some_and(|help| help.contains("src/generated.rs")),
        _ => false,
    });
    assert_eq!(told, 1);
    drain(&mut world);
    assert_eq!(world.summaries()[3].passed, 1);
    assert_eq!(causes(&world).len(), 5, "and what changed meanwhile counts");
    // From here on changes stop the round at once again.
    world.change("src/lib.rs").unwrap();
    assert_eq!(causes(&world).len(), 6);
    world.find(1);
    world.finish();
    testing::check_stream(&world.events).unwrap();
}

#[test]
fn a_broken_build_is_cured_by_the_next_change() {
    let mut world = watching(AtEnd::Watch);
    world.find(2);
    drain(&mut world);
    world.change("src/lib.rs").unwrap();
    world.fail_discovery();
    assert_eq!(world.code, None, "a build that fails ends nothing");
    assert_eq!(
        count(&world, |e| matches!(
            e,
            EventKind::Test(TestEvent::Vanished { .. })
        )),
        0
    );
    world.change("src/lib.rs").unwrap();
    world.find(2);
    drain(&mut world);
    assert_eq!(world.summaries()[2].passed, 2);
    world
        .handle_input(RunInput::Command(UiCommand::Leave))
        .unwrap();
    assert_eq!(world.code, Some(exit_code::SUCCESS));
}

#[test]
fn leaving_between_rounds_exits_as_the_last_round_did() {
    let mut world = watching(AtEnd::Watch);
    world.find(1);
    drain(&mut world);
    world.change("src/lib.rs").unwrap();
    world.fail_discovery();
    world
        .handle_input(RunInput::Command(UiCommand::Leave))
        .unwrap();
    assert_eq!(world.code, Some(101));
}

#[test]
fn what_can_be_watched_no_more_ends_the_wait_but_no_dashboard() {
    let lost = || RunInput::Unwatched {
        message: "/project was watched and is there no more".into(),
        help: None,
    };
    let mut world = watching(AtEnd::Watch);
    drain(&mut world);
    world.handle_input(lost()).unwrap();
    assert_eq!(world.code, Some(exit_code::INFRASTRUCTURE));

    let mut world = watching(AtEnd::Stay);
    drain(&mut world);
    world.handle_input(lost()).unwrap();
    assert_eq!(world.code, None);
    world
        .handle_input(RunInput::Command(UiCommand::Leave))
        .unwrap();
    assert_eq!(world.code, Some(exit_code::INFRASTRUCTURE));
}

#[test]
fn without_anything_to_watch_the_run_ends() {
    let mut world = World::new(RunOptions {
        at_end: AtEnd::Watch,
        ..wishes()
    });
    world.fail_discovery();
    assert_eq!(world.code, Some(101));
}

#[test]
fn a_change_takes_the_place_of_a_rerun() {
    let mut world = watching(AtEnd::Stay);
    world.find(2);
    let tests = vec![TestId(0)];
    world
        .handle_input(RunInput::Command(UiCommand::Rerun { tests }))
        .unwrap();
    world.change("src/lib.rs").unwrap();
    drain(&mut world);
    assert_eq!(causes(&world), [RoundCause::Start, RoundCause::Watch]);
    world.find(1);
    drain(&mut world);
    // A vanished test cannot be rerun.
    let tests = vec![TestId(1)];
    world
        .handle_input(RunInput::Command(UiCommand::Rerun { tests }))
        .unwrap();
    assert_eq!(causes(&world).len(), 2);
    world.finish();
    testing::check_stream(&world.events).unwrap();
}

#[test]
fn where_nobody_waits_for_changes_they_change_nothing() {
    let mut world = World::new(wishes());
    world.find(1);
    let changes = ChangedFiles {
        paths: Vec::new(),
        more: 1,
    };
    world.handle_input(RunInput::Changed(changes)).unwrap();
    world.finish();
    assert_eq!(causes(&world), [RoundCause::Start]);
}
