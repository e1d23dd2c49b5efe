//! Counts the attempts of a round: how many have ended, and how many there are as far as is known.
//! The attempts of a test that is retried count once.
//!
//! Tests are found while others run, so the total grows until discovery has ended.

use std::fmt;

use maelstrom_model::event::{
    AttemptEvent, EventKind, RoundCause, RoundEvent, TestEvent, TestInfo,
};
use maelstrom_model::ids::TestId;

/// Counts the attempts of a round.
#[derive(Clone, Debug, Default)]
pub(super) struct AttemptCounter {
    ended: u32,
    /// The attempts that were queued, or have ended without that.
    announced: u32,
    /// The tests of the round that have no attempt yet.
    unannounced: u32,
    discovery: TotalKnowledge,
    /// For each test, by its number, what the counter knows of it.
    tests: Vec<CountedTest>,
}

/// Whether all tests of the round are known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum TotalKnowledge {
    #[default]
    Growing,
    Final,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum CountedTest {
    #[default]
    Unknown,
    /// The test was found, and has no attempt yet.
    Found,
    /// The test has an attempt in this round.
    Announced,
    /// The entry is a place in the source that does not compile, not a test.
    Place,
}

impl AttemptCounter {
    /// Updates the counter with an event.
    pub(super) fn apply(&mut self, event: &EventKind) {
        match event {
            EventKind::Round(RoundEvent::Started { cause, .. }) => self.begin(*cause),
            EventKind::Test(TestEvent::Discovered { tests }) => {
                tests.iter().for_each(|test| self.found(test));
            }
            EventKind::Test(TestEvent::DiscoveryFinished { .. }) => {
                self.discovery = TotalKnowledge::Final;
            }
            // A test that is retried counts when its last attempt has ended.
            EventKind::Attempt(AttemptEvent::Queued { retry: Some(_), .. }) => {}
            EventKind::Attempt(AttemptEvent::Finished(finished)) if finished.is_retried() => {}
            EventKind::Attempt(AttemptEvent::Queued { test, .. }) => self.announce(*test),
            EventKind::Attempt(AttemptEvent::Finished(finished)) => self.ended(finished.test),
            EventKind::Round(_)
            | EventKind::Test(_)
            | EventKind::Attempt(_)
            | EventKind::Run(_)
            | EventKind::Build(_)
            | EventKind::Watch(_)
            | EventKind::Worker(_)
            | EventKind::Cluster(_)
            | EventKind::Notice(_) => {}
        }
    }

    fn begin(&mut self, cause: RoundCause) {
        match cause {
            // The counter is new.
            RoundCause::Start => return,
            // Everything is discovered again.
            RoundCause::Watch => self.discovery = TotalKnowledge::Growing,
            RoundCause::Rerun => {}
        }
        self.ended = 0;
        self.announced = 0;
        self.unannounced = 0;
        for test in &mut self.tests {
            *test = match test {
                CountedTest::Place => CountedTest::Place,
                CountedTest::Unknown | CountedTest::Found | CountedTest::Announced => {
                    CountedTest::Unknown
                }
            };
        }
    }

    fn found(&mut self, info: &TestInfo) {
        let index = info.test.index();
        // Ids are consecutive; another one comes from an edited recording.
        if index > self.tests.len() {
            return;
        }
        if index == self.tests.len() {
            self.tests.push(CountedTest::Unknown);
        }
        if let Some(test) = self.tests.get_mut(index)
            && *test == CountedTest::Unknown
        {
            if info.package.is_empty() {
                *test = CountedTest::Place;
            } else {
                *test = CountedTest::Found;
                self.unannounced += 1;
            }
        }
    }

    /// Counts an attempt that was queued, or that ends without having been queued.
    fn announce(&mut self, test: TestId) {
        let Some(known) = self.tests.get_mut(test.index()) else {
            return;
        };
        match known {
            CountedTest::Place => return,
            CountedTest::Found => self.unannounced -= 1,
            CountedTest::Unknown | CountedTest::Announced => {}
        }
        *known = CountedTest::Announced;
        self.announced += 1;
    }

    fn ended(&mut self, test: TestId) {
        match self.tests.get(test.index()) {
            None | Some(CountedTest::Place) => return,
            // An ignored test, for instance.
            Some(CountedTest::Unknown | CountedTest::Found) => self.announce(test),
            Some(CountedTest::Announced) => {}
        }
        self.ended += 1;
    }

    fn total(&self) -> u32 {
        let total = self.announced.saturating_add(self.unannounced);
        total.max(self.ended)
    }

    /// Returns whether the round has a single attempt.
    pub(super) fn is_lone(&self) -> bool {
        self.discovery == TotalKnowledge::Final && self.total() == 1
    }
}

/// Formats the counter with a fixed width, such as `(  5/268) ` or, if more tests may be found,
/// `(  5/268+)`.
impl fmt::Display for AttemptCounter {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let total = self.total().to_string();
        let end = match self.discovery {
            TotalKnowledge::Growing => "+)",
            TotalKnowledge::Final => ") ",
        };
        write!(
            formatter,
            "({ended:>width$}/{total}{end}",
            ended = self.ended,
            width = total.len()
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use maelstrom_model::event::{AttemptFinished, PreviousOutcome, TestOutcome};
    use maelstrom_model::ids::Attempt;

    fn found(tests: &[(u32, &str)]) -> EventKind {
        let tests = tests.iter().map(|(test, package)| TestInfo {
            test: TestId(*test),
            package: (*package).to_owned(),
            artifact: String::new(),
            name: "name".to_owned(),
            title: "title".to_owned(),
            expected_us: None,
            history: PreviousOutcome::New,
            ignored: false,
        });
        TestEvent::Discovered {
            tests: tests.collect(),
        }
        .into()
    }

    fn queued(test: u32, attempt: u32) -> EventKind {
        let (test, attempt) = (TestId(test), Attempt(attempt));
        AttemptEvent::Queued {
            test,
            attempt,
            retry: None,
        }
        .into()
    }

    fn ended(test: u32, attempt: u32) -> EventKind {
        let finished = AttemptFinished::new(TestId(test), Attempt(attempt), TestOutcome::Passed);
        AttemptEvent::Finished(Box::new(finished)).into()
    }

    fn round(cause: RoundCause) -> EventKind {
        RoundEvent::Started { round: 1, cause }.into()
    }

    fn all_found() -> EventKind {
        TestEvent::DiscoveryFinished {
            selected: 0,
            deselected: 0,
        }
        .into()
    }

    #[test]
    fn the_total_grows_until_all_tests_are_found() {
        let mut counter = AttemptCounter::default();
        let script = [
            (round(RoundCause::Start), "(0/0+)"),
            (found(&[(0, "p"), (1, "p"), (2, "p")]), "(0/3+)"),
            (queued(0, 1), "(0/3+)"),
            // An ignored test ends without having been queued.
            (ended(1, 1), "(1/3+)"),
            // With `--repeat`, each attempt counts.
            (queued(2, 1), "(1/3+)"),
            (queued(2, 2), "(1/4+)"),
            (ended(2, 2), "(2/4+)"),
            // A place in the source that does not compile is no test.
            (found(&[(3, ""), (4, "q")]), "(2/5+)"),
            (ended(3, 1), "(2/5+)"),
            // Unknown tests count for nothing.
            (ended(9, 1), "(2/5+)"),
            (found(&[(12, "q")]), "(2/5+)"),
            (all_found(), "(2/5) "),
            (queued(4, 1), "(2/5) "),
            (ended(0, 1), "(3/5) "),
            (ended(2, 1), "(4/5) "),
            (ended(4, 1), "(5/5) "),
            (round(RoundCause::Rerun), "(0/0) "),
            (queued(0, 2), "(0/1) "),
            (ended(0, 2), "(1/1) "),
            (round(RoundCause::Watch), "(0/0+)"),
            (found(&[(0, "p"), (5, "p")]), "(0/2+)"),
        ];
        for (number, (event, expected)) in script.iter().enumerate() {
            counter.apply(event);
            assert_eq!(counter.to_string(), *expected, "step {number}");
        }
    }

    #[test]
    fn the_width_is_that_of_the_total() {
        let mut counter = AttemptCounter::default();
        let tests: Vec<(u32, &str)> = (0..1000).map(|test| (test, "p")).collect();
        counter.apply(&found(&tests));
        counter.apply(&all_found());
        counter.apply(&ended(7, 1));
        assert_eq!(counter.to_string(), "(   1/1000) ");
    }
}
