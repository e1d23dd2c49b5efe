//! Scenarios of `--failed`.

use super::*;
use maelstrom_model::event::{NoticeSeverity, TestEvent};

fn failed_only(at_end: AtEnd) -> World {
    World::new(RunOptions {
        history: HistoryFilter::Failed,
        at_end,
        ..wishes()
    })
}

fn remembered(number: u32, history: PreviousOutcome) -> FoundTest {
    FoundTest {
        history,
        ..test(number)
    }
}

impl World {
    fn find_remembered(&mut self, tests: &[(u32, PreviousOutcome)]) {
        let tests = tests.iter();
        let tests = tests.map(|(number, history)| remembered(*number, *history));
        self.handle_input(RunInput::Found(tests.collect())).unwrap();
    }

    fn ends_discovery_with(&mut self, summary: DiscoverySummary) {
        self.discovering = false;
        self.handle_input(RunInput::DiscoveryFinished(summary))
            .unwrap();
    }

    /// The names of the tests that were told, and the numbers of each end of a discovery.
    fn told(&self) -> (Vec<String>, Vec<(u32, u32)>) {
        let mut names = Vec::new();
        let mut ends = Vec::new();
        for event in &self.events {
            match event {
                EventKind::Test(TestEvent::Discovered { tests }) => {
                    names.extend(tests.iter().map(|test| test.name.clone()));
                }
                EventKind::Test(TestEvent::DiscoveryFinished {
                    selected,
                    deselected,
                }) => ends.push((*selected, *deselected)),
                _ => {}
            }
        }
        (names, ends)
    }

    pub(super) fn notices(&self) -> Vec<(NoticeSeverity, &str)> {
        let notices = self.events.iter().filter_map(|event| match event {
            EventKind::Notice(notice) => Some((notice.severity, notice.text.as_str())),
            _ => None,
        });
        notices.collect()
    }
}

use PreviousOutcome::{Failure, New, Success};

/// Found tests with their history.
type RememberedTests<'a> = &'a [(u32, PreviousOutcome)];

/// Found tests with their history, what filters leave out, the exit code of a part that could not be
/// built; the tests that run, and the tests that count as deselected.
type FailedOnlyCase = (
    &'static [(u32, PreviousOutcome)],
    u32,
    Option<u8>,
    &'static [&'static str],
    u32,
);

#[test]
fn the_failed_tests_run_and_if_there_are_none_all_do() {
    let cases: [FailedOnlyCase; 5] = [
        (&[(0, Success), (1, Failure), (2, New)], 5, None, &["t1"], 7),
        (&[(0, Failure), (1, Failure)], 0, None, &["t0", "t1"], 0),
        (&[(0, Success), (1, New)], 3, None, &["t0", "t1"], 3),
        // The failed tests may be in the part that could not be built.
        (&[(0, Success), (1, New)], 3, Some(101), &[], 5),
        (&[], 0, None, &[], 0),
    ];
    for (found, deselected, failure, ran, left_out) in cases {
        let mut world = failed_only(AtEnd::Leave);
        world.find_remembered(found);
        world.ends_discovery_with(DiscoverySummary {
            deselected,
            failure,
        });
        world.finish();
        let selected = u32::try_from(ran.len()).unwrap();
        let (names, ends) = world.told();
        assert_eq!(names, ran, "{found:?}");
        assert_eq!(ends, [(selected, left_out)], "{found:?}");
        assert_eq!(world.summaries()[0].passed, selected, "{found:?}");
        let none_failed = !found.is_empty() && found.iter().all(|(_, last)| *last != Failure);
        let told = world.notices().contains(&(
            NoticeSeverity::Info,
            "no selected test failed in the last run, so `--failed` selects all of them",
        ));
        assert_eq!(told, none_failed && failure.is_none(), "{found:?}");
    }
}

#[test]
fn a_broken_entry_is_told_and_may_stand_for_the_failed_tests() {
    let mut world = failed_only(AtEnd::Leave);
    world.find_remembered(&[(0, Success)]);
    world.find_broken();
    world.finish();
    assert_eq!(world.told().1, [(1, 1)]);
    assert_eq!(world.summaries()[0].errors, 1);
}

#[test]
fn each_round_goes_by_the_round_before_it() {
    let mut world = failed_only(AtEnd::Watch);
    world
        .handle_input(RunInput::Watched { directories: 1 })
        .unwrap();
    let passed = || JobOutcome::Exited(ExitStatus::Code(0));
    let failed = || JobOutcome::Exited(ExitStatus::Code(101));
    // The history is read for the first round only: later, all tests count as new.
    let rounds: [(RememberedTests<'_>, &[JobOutcome]); 4] = [
        (
            &[(0, Failure), (1, Failure), (2, Success)],
            &[passed(), failed()],
        ),
        (&[(0, New), (1, New), (2, New)], &[passed()]),
        // No test fails any more, so all run. The one that is known to pass runs last, and fails.
        (
            &[(0, New), (1, New), (2, New)],
            &[passed(), passed(), failed()],
        ),
        (&[(0, New), (1, New), (2, New)], &[passed()]),
    ];
    for (number, (found, outcomes)) in rounds.into_iter().enumerate() {
        if number > 0 {
            world.change("src/lib.rs").unwrap();
        }
        world.find_remembered(found);
        world.end_discovery();
        for outcome in outcomes {
            world.start();
            world.end(0, outcome.clone());
            while !world.mail.is_empty() {
                world.deliver();
            }
        }
    }
    world.finish();
    let (names, _) = world.told();
    assert_eq!(
        names,
        ["t0", "t1", "t1", "t0", "t1", "t2", "t1"].map(str::to_owned)
    );
    testing::check_stream(&world.events).unwrap();
}
