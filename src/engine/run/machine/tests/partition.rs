//! Scenarios of `--partition`.

use super::*;
use crate::run::partition::{PartitionScheme, TestPartition};
use maelstrom_model::event::{NoticeSeverity, TestEvent};
use maelstrom_model::exit_code;

fn part(part: u32, parts: u32, scheme: PartitionScheme) -> TestPartition {
    TestPartition {
        part,
        parts,
        scheme,
    }
}

fn world(wishes: RunOptions, partition: TestPartition) -> World {
    let mut world = World::new(wishes);
    world.events.clear();
    world.machine = RunStateMachine::new(wishes, run_started()).with_partition(Some(partition));
    world.run_effects();
    world
}

impl World {
    /// The names of the tests that were told, in the order of their discovery.
    fn names(&self) -> Vec<&str> {
        let told = self.events.iter().filter_map(|event| match event {
            EventKind::Test(TestEvent::Discovered { tests }) => Some(tests),
            _ => None,
        });
        told.flatten().map(|test| test.name.as_str()).collect()
    }

    fn ends_of_discovery(&self) -> Vec<(u32, u32)> {
        let ends = self.events.iter().filter_map(|event| match event {
            EventKind::Test(TestEvent::DiscoveryFinished {
                selected,
                deselected,
            }) => Some((*selected, *deselected)),
            _ => None,
        });
        ends.collect()
    }
}

#[test]
fn a_part_runs_and_says_of_how_many_tests_it_is() {
    let time = PartitionScheme::Time(Default::default());
    for scheme in [PartitionScheme::Slice, PartitionScheme::Count, time] {
        let mut world = world(wishes(), part(1, 2, scheme));
        world.find(3);
        assert_eq!(world.names(), [""; 0], "nothing is known before the end");
        world.find(2);
        world.finish();
        assert_eq!(world.names(), ["t0", "t2", "t4"]);
        assert_eq!(world.ends_of_discovery(), [(3, 2)]);
        let notices = world.notices();
        assert_eq!(
            notices,
            [(NoticeSeverity::Info, "part 1 of 2: 3 of 5 tests")]
        );
        assert_eq!(world.code, Some(exit_code::SUCCESS));
    }
}

#[test]
fn the_tests_of_a_part_by_hash_start_at_once() {
    let mut all = Vec::new();
    for number in 1..=3 {
        let mut world = world(wishes(), part(number, 3, PartitionScheme::Hash));
        world.find(20);
        let names: Vec<String> = world.names().into_iter().map(str::to_owned).collect();
        assert!(!names.is_empty());
        world.finish();
        assert_eq!(world.names(), names);
        all.extend(names);
    }
    all.sort();
    all.dedup();
    assert_eq!(all.len(), 20);
}

#[test]
fn a_part_without_tests_is_a_success_unless_that_is_asked_for() {
    for (no_tests, code) in [
        (None, exit_code::SUCCESS),
        (Some(NoticeSeverity::Info), exit_code::SUCCESS),
        (Some(NoticeSeverity::Error), exit_code::NO_TESTS),
    ] {
        let wishes = RunOptions {
            no_tests,
            ..wishes()
        };
        let mut world = world(wishes, part(3, 3, PartitionScheme::Slice));
        world.find(2);
        world.finish();
        assert_eq!((world.code, world.names().len()), (Some(code), 0));
        let notices = world.notices();
        assert_eq!(notices[0].1, "part 3 of 3: 0 of 2 tests");
        assert_eq!(notices.len(), 2);
    }
}

#[test]
fn failed_tests_are_selected_within_the_part() {
    let wishes = RunOptions {
        history: HistoryFilter::Failed,
        ..wishes()
    };
    let mut world = world(wishes, part(1, 2, PartitionScheme::Slice));
    let tests = (0..5).map(|number| FoundTest {
        history: match number {
            1 | 2 => PreviousOutcome::Failure,
            _ => PreviousOutcome::Success,
        },
        ..test(number)
    });
    let found = RunInput::Found(tests.collect());
    world.handle_input(found).unwrap();
    world.finish();
    assert_eq!(world.names(), ["t2"]);
    assert_eq!(world.ends_of_discovery(), [(1, 4)]);
}

#[test]
fn each_round_divides_the_tests_that_it_finds() {
    let wishes = RunOptions {
        at_end: AtEnd::Watch,
        ..wishes()
    };
    let mut world = world(wishes, part(2, 2, PartitionScheme::Slice));
    let watched = RunInput::Watched { directories: 1 };
    world.handle_input(watched).unwrap();
    world.find(4);
    // The first discovery is abandoned.
    world.change("a").unwrap();
    world.find(3);
    world.finish();
    let last = world.ends_of_discovery();
    assert_eq!(last.last(), Some(&(1, 2)), "{last:?}");
}

#[test]
fn a_failed_build_leaves_out_what_was_held_back() {
    let mut world = world(wishes(), part(1, 2, PartitionScheme::Slice));
    world.find(4);
    world.fail_discovery();
    world.finish();
    assert_eq!(world.ends_of_discovery(), [(0, 4)]);
    assert_eq!(world.names(), [""; 0]);
}
