//! The table of tests, as a struct of arrays indexed by id.
//!
//! Each property that a list shows has one small column, and each attempt has one record with all
//! its details. Output is in the log store.

use maelstrom_model::event::{AttemptFinished, PreviousOutcome, TestInfo};
use maelstrom_model::ids::{Attempt, TestId, WorkerId};

use super::arena::{NameArena, NameRef};
use super::state::TestState;
use super::tree::TestTree;
use super::tree::{TestTreePath, TreeRow};

const NO_RECORD: u32 = u32::MAX;
const UNKNOWN_US: u64 = u64::MAX;

/// One execution of a test.
#[derive(Clone, Debug)]
pub struct AttemptRecord {
    pub attempt: Attempt,
    /// When it began to wait, if that was told.
    pub queued_us: Option<u64>,
    /// When it took a slot, if it did.
    pub started_us: Option<u64>,
    /// Where it ran, and in which slot.
    pub place: Option<(WorkerId, u32)>,
    /// How it ended, if it did.
    pub finished: Option<AttemptFinished>,
    pub finished_us: Option<u64>,
    earlier: u32,
}

/// Whether a test ended differently in several attempts of one round.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TestStability {
    /// It did not, as far as is known.
    #[default]
    Steady,
    /// It failed and passed.
    Flaky,
}

/// Where a test belongs and what it is called there, as discovery said it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TestIdentity<'a> {
    /// The package, module or project.
    pub package: &'a str,
    /// The binary or file; empty when it would repeat the package.
    pub artifact: &'a str,
    pub name: &'a str,
}

/// [`TestIdentity`] in the arena.
#[derive(Clone, Copy, Debug, Default)]
struct TestIdentityRef {
    package: NameRef,
    artifact: NameRef,
    name: NameRef,
}

/// See the module's documentation.
#[derive(Clone, Debug, Default)]
pub struct TestTable {
    pub(super) arena: NameArena,
    pub(super) tree: TestTree,
    title: Vec<NameRef>,
    place: Vec<TestIdentityRef>,
    pub(super) state: Vec<TestState>,
    /// The worst outcome in [`TestTable::round`]; `Waiting` if there is none yet.
    pub(super) worst: Vec<TestState>,
    /// The round in which the test last ended.
    pub(super) round: Vec<u32>,
    pub(super) stability: Vec<TestStability>,
    pub(super) cached: Vec<bool>,
    /// Whether it stands among the failures.
    pub(super) listed: Vec<bool>,
    expected_us: Vec<u64>,
    history: Vec<PreviousOutcome>,
    last_record: Vec<u32>,
    /// Attempts of which [`TestTable::forget_earlier_attempts`] knew.
    attempts_before: Vec<u32>,
    records: Vec<AttemptRecord>,
}

impl TestTable {
    /// How many tests were ever found.
    pub fn len(&self) -> usize {
        self.title.len()
    }

    /// Whether none was found.
    pub fn is_empty(&self) -> bool {
        self.title.is_empty()
    }

    /// Every test that is there, in the order of discovery.
    pub fn ids(&self) -> impl DoubleEndedIterator<Item = TestId> {
        (0..self.title.len() as u32)
            .map(TestId)
            .filter(|test| !self.tree.is_gone(*test))
    }

    /// Grows whenever tests come or go.
    pub fn revision(&self) -> usize {
        self.len() + self.tree.gone_count()
    }

    /// The whole name.
    pub fn title(&self, test: TestId) -> &str {
        self.title
            .get(test.index())
            .map_or("", |name| self.arena.get(*name))
    }

    /// Where it belongs and what it is called there; all empty for a test that is not known.
    pub fn identity(&self, test: TestId) -> TestIdentity<'_> {
        let place = self.place.get(test.index()).copied().unwrap_or_default();
        TestIdentity {
            package: self.arena.get(place.package),
            artifact: self.arena.get(place.artifact),
            name: self.arena.get(place.name),
        }
    }

    /// Whether this is no test but a place in the source that does not compile.
    pub fn is_place(&self, test: TestId) -> bool {
        self.identity(test).package.is_empty()
    }

    /// The name as it stands in the tree, without what stands above it.
    pub fn row_name(&self, row: TreeRow) -> &str {
        match self.tree.name(row).map_or("", |name| self.arena.get(name)) {
            "" => "does not compile",
            name => name,
        }
    }

    /// Its state.
    pub fn state(&self, test: TestId) -> TestState {
        self.state.get(test.index()).copied().unwrap_or_default()
    }

    /// Whether it failed and passed in one round.
    pub fn stability(&self, test: TestId) -> TestStability {
        let stability = self.stability.get(test.index());
        stability.copied().unwrap_or_default()
    }

    /// Whether its pass was taken over from an earlier run.
    pub fn is_cached(&self, test: TestId) -> bool {
        self.cached.get(test.index()).copied().unwrap_or_default()
    }

    /// How long it is expected to take.
    pub fn expected_us(&self, test: TestId) -> Option<u64> {
        let expected = self.expected_us.get(test.index()).copied();
        expected.filter(|us| *us != UNKNOWN_US)
    }

    /// How it ended in the last run.
    pub fn history(&self, test: TestId) -> PreviousOutcome {
        self.history.get(test.index()).copied().unwrap_or_default()
    }

    /// Its latest attempt.
    pub fn latest(&self, test: TestId) -> Option<&AttemptRecord> {
        self.records
            .get(*self.last_record.get(test.index())? as usize)
    }

    /// Its attempts, the latest first.
    pub fn attempts(&self, test: TestId) -> impl Iterator<Item = &AttemptRecord> {
        std::iter::successors(self.latest(test), |record| {
            self.records.get(record.earlier as usize)
        })
    }

    /// The attempt's number since tests were last discovered, from 1. Earlier ones keep their
    /// number in the run.
    pub fn ordinal(&self, test: TestId, attempt: Attempt) -> u32 {
        let before = self.attempts_before.get(test.index()).copied().unwrap_or(0);
        match attempt.0.saturating_sub(before) {
            0 => attempt.0,
            since => since,
        }
    }

    /// How long it took, or has been running at `now_us`; `None` if it did neither.
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

    /// The tree.
    pub fn tree(&self) -> &TestTree {
        &self.tree
    }

    /// Adds a test, if its id is the one that comes next. One that is known is only brought up to
    /// date.
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
        self.attempts_before.push(0);
        Some(info.test)
    }

    /// Takes a test out. Says whether it was there.
    pub(super) fn remove(&mut self, test: TestId) -> bool {
        let state = self.state(test);
        self.tree.remove(test, state)
    }

    /// Leaves of each test its latest attempt.
    pub(super) fn forget_earlier_attempts(&mut self) {
        let before = std::mem::take(&mut self.records);
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

    /// Tests of one package and artifact come one after the other, so each is mostly stored once.
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

    /// The record of an attempt, made if it is newer than the latest. `None` for a test that is
    /// not known or has vanished, and for an attempt that was never told of.
    pub(super) fn record(&mut self, test: TestId, attempt: Attempt) -> Option<&mut AttemptRecord> {
        if self.tree.is_gone(test) {
            // Its counts are gone as well: nothing more can be moved in them.
            return None;
        }
        let last = self.last_record.get_mut(test.index())?;
        let latest = self.records.get(*last as usize).map(|r| r.attempt);
        if latest.is_none_or(|latest| latest < attempt) {
            let record = AttemptRecord {
                attempt,
                queued_us: None,
                started_us: None,
                place: None,
                finished: None,
                finished_us: None,
                earlier: *last,
            };
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

    /// Sets the latest attempts' beginnings forward by a time that does not count.
    pub(super) fn shift_started(&mut self, test: TestId, by_us: u64) {
        let last = self.last_record.get(test.index());
        if let Some(record) = last.and_then(|last| self.records.get_mut(*last as usize))
            && let Some(started_us) = &mut record.started_us
        {
            *started_us = started_us.saturating_add(by_us);
        }
    }

    /// Makes the tree's preorder true after tests were found. Says whether it had to.
    pub(super) fn refresh_tree(&mut self) -> bool {
        self.tree.refresh(&self.arena)
    }
}
