//! The table of tests: a struct of arrays, indexed by test id.
//!
//! Each property that a list displays has a compact column, and each attempt has a record with all
//! its details. Captured output is in the log store.

use maelstrom_model::event::{AttemptFinished, PreviousOutcome, TestInfo, TestOutcome};
use maelstrom_model::ids::{Attempt, TestId, WorkerId};

use super::arena::{NameArena, NameRef};
use super::state::TestState;
use super::tree::TestTree;
use super::tree::{TestTreePath, TreeRow};

const NO_RECORD: u32 = u32::MAX;
/// The number of attempts kept per test and round: a test that is repeated without end must not
/// fill the memory. The oldest one that passed makes room, or else the oldest one that ended.
const ATTEMPTS_MAX: u32 = 256;
const UNKNOWN_US: u64 = u64::MAX;

/// One execution of a test.
#[derive(Clone, Debug)]
pub struct AttemptRecord {
    pub attempt: Attempt,
    /// The time at which the attempt was queued, if reported.
    pub queued_us: Option<u64>,
    /// The time at which the attempt took a slot, if it did.
    pub started_us: Option<u64>,
    /// The worker and the slot of the attempt.
    pub place: Option<(WorkerId, u32)>,
    /// The number of the attempt and the maximum, if it repeats a failed one.
    pub retry: Option<(u32, u32)>,
    /// Whether the attempt was reported as slow.
    pub is_slow: bool,
    /// The result of the attempt, if it has ended.
    pub finished: Option<AttemptFinished>,
    pub finished_us: Option<u64>,
    earlier: u32,
}

/// Whether a test both failed and passed in one round.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TestStability {
    /// The test has not both failed and passed.
    #[default]
    Steady,
    /// The test both failed and passed.
    Flaky,
}

/// The parts of a test's name, as reported by discovery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TestIdentity<'a> {
    /// The package, module or project. Empty for a place in the source that doesn't compile.
    pub package: &'a str,
    /// The binary or file. Empty if it would repeat the package.
    pub artifact: &'a str,
    pub name: &'a str,
}

/// A [`TestIdentity`] whose names are in the arena.
#[derive(Clone, Copy, Debug, Default)]
struct TestIdentityRef {
    package: NameRef,
    artifact: NameRef,
    name: NameRef,
}

/// The table of tests, with one entry in each column per test.
#[derive(Clone, Debug, Default)]
pub struct TestTable {
    pub(super) arena: NameArena,
    pub(super) tree: TestTree,
    title: Vec<NameRef>,
    place: Vec<TestIdentityRef>,
    pub(super) state: Vec<TestState>,
    /// The worst outcome in [`TestTable::round`]; `Waiting` if no attempt has ended.
    pub(super) worst: Vec<TestState>,
    /// The round in which an attempt of the test last ended.
    pub(super) round: Vec<u32>,
    pub(super) stability: Vec<TestStability>,
    pub(super) cached: Vec<bool>,
    /// Whether the test is in the list of failures.
    pub(super) listed: Vec<bool>,
    expected_us: Vec<u64>,
    history: Vec<PreviousOutcome>,
    last_record: Vec<u32>,
    /// The number of records of the test.
    kept: Vec<u32>,
    /// The number of the latest attempt when [`TestTable::forget_earlier_attempts`] was last
    /// called.
    attempts_before: Vec<u32>,
    records: Vec<AttemptRecord>,
}

impl TestTable {
    /// Returns the number of tests ever found.
    pub fn len(&self) -> usize {
        self.title.len()
    }

    /// Returns whether no test was ever found.
    pub fn is_empty(&self) -> bool {
        self.title.is_empty()
    }

    /// Returns all tests that still exist, in the order of discovery.
    pub fn ids(&self) -> impl DoubleEndedIterator<Item = TestId> {
        (0..self.title.len() as u32)
            .map(TestId)
            .filter(|test| !self.tree.is_gone(*test))
    }

    /// Returns a number that grows whenever tests are found or vanish.
    pub fn revision(&self) -> usize {
        self.len() + self.tree.gone_count()
    }

    /// Returns the full name of a test.
    pub fn title(&self, test: TestId) -> &str {
        self.title
            .get(test.index())
            .map_or("", |name| self.arena.get(*name))
    }

    /// Returns the parts of a test's name; all are empty if the test is unknown.
    pub fn identity(&self, test: TestId) -> TestIdentity<'_> {
        let place = self.place.get(test.index()).copied().unwrap_or_default();
        TestIdentity {
            package: self.arena.get(place.package),
            artifact: self.arena.get(place.artifact),
            name: self.arena.get(place.name),
        }
    }

    /// Returns whether this is not a test but a place in the source that doesn't compile.
    pub fn is_place(&self, test: TestId) -> bool {
        self.identity(test).package.is_empty()
    }

    /// Returns the name that a row of the tree displays, without the names of its groups.
    pub fn row_name(&self, row: TreeRow) -> &str {
        match self.tree.name(row).map_or("", |name| self.arena.get(name)) {
            "" => "does not compile",
            name => name,
        }
    }

    /// Returns the state of a test.
    pub fn state(&self, test: TestId) -> TestState {
        self.state.get(test.index()).copied().unwrap_or_default()
    }

    /// Returns whether a test both failed and passed in one round.
    pub fn stability(&self, test: TestId) -> TestStability {
        let stability = self.stability.get(test.index());
        stability.copied().unwrap_or_default()
    }

    /// Returns whether the pass of a test was taken from the cache of an earlier run.
    pub fn is_cached(&self, test: TestId) -> bool {
        self.cached.get(test.index()).copied().unwrap_or_default()
    }

    /// Returns the expected duration of a test, if known.
    pub fn expected_us(&self, test: TestId) -> Option<u64> {
        let expected = self.expected_us.get(test.index()).copied();
        expected.filter(|us| *us != UNKNOWN_US)
    }

    /// Returns the outcome of a test in the previous run.
    pub fn history(&self, test: TestId) -> PreviousOutcome {
        self.history.get(test.index()).copied().unwrap_or_default()
    }

    /// Returns the latest attempt of a test.
    pub fn latest(&self, test: TestId) -> Option<&AttemptRecord> {
        self.records
            .get(*self.last_record.get(test.index())? as usize)
    }

    /// Returns the attempts of a test, the latest first.
    pub fn attempts(&self, test: TestId) -> impl Iterator<Item = &AttemptRecord> {
        std::iter::successors(self.latest(test), |record| {
            self.records.get(record.earlier as usize)
        })
    }

    /// Returns the number of an attempt since the last discovery, from 1. Attempts before that keep
    /// their number in the run.
    pub fn ordinal(&self, test: TestId, attempt: Attempt) -> u32 {
        let before = self.attempts_before.get(test.index()).copied().unwrap_or(0);
        match attempt.0.saturating_sub(before) {
            0 => attempt.0,
            since => since,
        }
    }

    /// Returns the duration of the latest attempt, or its elapsed time at `now_us` if it is
    /// running; `None` if it didn't start.
    pub fn duration_us(&self, test: TestId, now_us: u64) -> Option<u64> {
        let record = self.latest(test)?;
        match (&record.finished, record.started_us) {
            (Some(finished), _) if finished.timings.ran_us > 0 => Some(finished.timings.ran_us),
            (Some(_), Some(started_us)) => Some(record.finished_us?.saturating_sub(started_us)),
            (Some(_), None) => None,
            (None, Some(started_us)) => Some(now_us.saturating_sub(started_us)),
            (None, None) => None,
        }
    }

    /// Returns the tree of tests.
    pub fn tree(&self) -> &TestTree {
        &self.tree
    }

    /// Adds a test if its id is the next free one, and returns its id. For a known test, only
    /// updates its history and returns `None`.
    pub(super) fn add(&mut self, info: &TestInfo) -> Option<TestId> {
        if let Some(history) = self.history.get_mut(info.test.index()) {
            *history = info.history;
        }
        if info.test.index() != self.len() {
            return None;
        }
        let title = self.arena.add(&info.title);
        let path = TestTreePath {
            package: &info.package,
            artifact: &info.artifact,
            name: &info.name,
        };
        self.tree.add(&mut self.arena, path, title);
        self.title.push(title);
        let place = self.place_of(info, title);
        self.place.push(place);
        self.state.push(TestState::Waiting);
        self.worst.push(TestState::Waiting);
        self.round.push(0);
        self.stability.push(TestStability::Steady);
        self.cached.push(false);
        self.listed.push(false);
        self.expected_us
            .push(info.expected_us.unwrap_or(UNKNOWN_US));
        self.history.push(info.history);
        self.last_record.push(NO_RECORD);
        self.kept.push(0);
        self.attempts_before.push(0);
        Some(info.test)
    }

    /// Removes a test from the tree. Returns whether it existed.
    pub(super) fn remove(&mut self, test: TestId) -> bool {
        let state = self.state(test);
        self.tree.remove(test, state)
    }

    /// Removes all attempts but the latest of each test.
    pub(super) fn forget_earlier_attempts(&mut self) {
        let before = std::mem::take(&mut self.records);
        self.kept.iter_mut().for_each(|kept| *kept = (*kept).min(1));
        for (last, attempts) in self.last_record.iter_mut().zip(&mut self.attempts_before) {
            let Some(latest) = before.get(*last as usize) else {
                continue;
            };
            *attempts = latest.attempt.0;
            *last = self.records.len() as u32;
            self.records.push(AttemptRecord {
                earlier: NO_RECORD,
                ..latest.clone()
            });
        }
    }

    /// Stores the parts of a test's name. Tests of one package and artifact are discovered
    /// together, so comparing with the previous test avoids most duplicates.
    fn place_of(&mut self, info: &TestInfo, title: NameRef) -> TestIdentityRef {
        let previous = self.place.last().copied().unwrap_or_default();
        let mut again = |earlier: NameRef, text: &str| {
            if self.arena.get(earlier) == text {
                earlier
            } else {
                self.arena.add(text)
            }
        };
        let package = again(previous.package, &info.package);
        let artifact = again(previous.artifact, &info.artifact);
        TestIdentityRef {
            package,
            artifact,
            name: self.arena.part_of(title, &info.name),
        }
    }

    /// Returns the record of an attempt, and creates it if the attempt is newer than the latest.
    /// `None` if the test is unknown or has vanished, or if an older attempt has no record.
    pub(super) fn record(&mut self, test: TestId, attempt: Attempt) -> Option<&mut AttemptRecord> {
        if self.tree.is_gone(test) {
            // The counts no longer contain this test, so its state must not change.
            return None;
        }
        let last = self.last_record.get_mut(test.index())?;
        let latest = self.records.get(*last as usize).map(|r| r.attempt);
        if latest.is_none_or(|latest| latest < attempt) {
            let latest = *last;
            let record = AttemptRecord {
                attempt,
                queued_us: None,
                started_us: None,
                place: None,
                retry: None,
                is_slow: false,
                finished: None,
                finished_us: None,
                earlier: latest,
            };
            let kept = self.kept.get_mut(test.index())?;
            if *kept >= ATTEMPTS_MAX
                && let Some(dropped) = drop_one(&mut self.records, latest)
            {
                // The dropped one may be the latest itself, which the new one then follows no more.
                let earlier = match dropped.index == latest {
                    true => dropped.earlier,
                    false => latest,
                };
                *last = dropped.index;
                let place = self.records.get_mut(dropped.index as usize)?;
                *place = AttemptRecord { earlier, ..record };
                return Some(place);
            }
            *kept += 1;
            *last = self.records.len() as u32;
            self.records.push(record);
            return self.records.last_mut();
        }
        let mut index = *last;
        loop {
            let record = self.records.get(index as usize)?;
            if record.attempt == attempt {
                return self.records.get_mut(index as usize);
            }
            index = record.earlier;
        }
    }

    /// Moves the start of a test's latest attempt forward, to leave out suspended time.
    pub(super) fn shift_started(&mut self, test: TestId, by_us: u64) {
        let last = self.last_record.get(test.index());
        if let Some(record) = last.and_then(|last| self.records.get_mut(*last as usize))
            && let Some(started_us) = &mut record.started_us
        {
            *started_us = started_us.saturating_add(by_us);
        }
    }

    /// Updates the preorder of the tree after tests were found or vanished. Returns whether it was
    /// out of date.
    pub(super) fn refresh_tree(&mut self) -> bool {
        self.tree.refresh(&self.arena)
    }
}

/// A record that was taken out of the list of a test's attempts.
struct DroppedRecord {
    index: u32,
    earlier: u32,
}

/// Takes the record of the attempt that matters least out of a list. `None` if no attempt has ended.
fn drop_one(records: &mut [AttemptRecord], latest: u32) -> Option<DroppedRecord> {
    let mut oldest_ended = None;
    let mut oldest_passed = None;
    let (mut later, mut index) = (None, latest);
    while let Some(record) = records.get(index as usize) {
        if let Some(finished) = &record.finished {
            oldest_ended = Some((later, index));
            if finished.outcome == TestOutcome::Passed {
                oldest_passed = oldest_ended;
            }
        }
        later = Some(index);
        index = record.earlier;
    }
    let (later, index) = oldest_passed.or(oldest_ended)?;
    let earlier = records.get(index as usize)?.earlier;
    if let Some(later) = later.and_then(|later| records.get_mut(later as usize)) {
        later.earlier = earlier;
    }
    Some(DroppedRecord { index, earlier })
}
