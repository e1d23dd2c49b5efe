//! Repeats without a known number.

use super::*;
use maelstrom_model::exit_code;

fn endless(slots: u32, time: Option<Duration>) -> RunOptions {
    RunOptions {
        repeat: RepeatPlan {
            copies: RepeatCount::Endless,
            time,
            slots,
        },
        ..wishes()
    }
}

#[test]
fn endless_copies_follow_one_another_and_fill_the_slots() {
    let mut world = World::new(endless(4, None));
    world.find(2);
    assert_eq!(world.jobs.len(), 2);
    world.end_discovery();
    assert_eq!(world.jobs.len(), 4, "two copies of each are under way");
    for ended in 1..9 {
        run_one(&mut world, passed());
        assert_eq!(world.jobs.len(), 4 + ended);
    }
    world.finish();
    assert_eq!(world.code, Some(exit_code::INTERRUPTED));
}

#[test]
fn endless_copies_end_with_a_failure_to_stop_after() {
    let mut world = World::new(RunOptions {
        stop_after: nth(1),
        ..endless(2, None)
    });
    world.find(2);
    world.end_discovery();
    for _ in 0..5 {
        run_one(&mut world, passed());
    }
    run_one(&mut world, failed());
    while !world.running.is_empty() {
        run_one(&mut world, passed());
    }
    assert_eq!(world.code, Some(101));
}

#[test]
fn what_cannot_run_is_not_repeated() {
    let mut world = World::new(endless(1, None));
    world.find(1);
    world.end_discovery();
    run_one(
        &mut world,
        JobOutcome::Error("no space left on device".into()),
    );
    assert_eq!(world.code, Some(exit_code::INFRASTRUCTURE));
}

#[test]
fn no_copy_starts_after_the_time() {
    let mut world = World::new(endless(1, Some(Duration::from_micros(100))));
    world.find(1);
    world.end_discovery();
    run_one(&mut world, passed());
    assert_eq!(world.jobs.len(), 2);
    world.now_us += 100;
    run_one(&mut world, passed());
    assert_eq!(world.jobs.len(), 2);
    assert_eq!(world.code, Some(exit_code::SUCCESS));
}

#[test]
fn a_time_limits_a_known_number_of_copies_too() {
    let mut world = World::new(RunOptions {
        repeat: RepeatPlan {
            time: Some(Duration::from_secs(9)),
            ..times(3)
        },
        ..wishes()
    });
    world.find(1);
    world.finish();
    assert_eq!(
        (world.jobs.len(), world.code),
        (3, Some(exit_code::SUCCESS))
    );
}
