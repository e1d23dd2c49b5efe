//! The history of earlier runs, and what this run adds to it, until it is saved.
//!
//! Nothing here fails the run: all errors become notices.

use std::time::Duration;

use super::history::{
    DiscoveryCoverage, HistoryError, HistorySaveResult, HistoryStore, PreviousResult, PreviousRuns,
    TestRecord,
};
use super::message::FoundTest;
use maelstrom_model::error::with_causes;
use maelstrom_model::event::{NoticeSeverity, PreviousOutcome, UserNotice};
use maelstrom_model::ids::TestId;
use maelstrom_model::job::{TestCase, TestKey};

/// See the module documentation.
#[derive(Debug, Default)]
pub struct HistoryRecorder {
    store: Option<HistoryStore>,
    past: PreviousRuns,
    /// By the test's number.
    lessons: Vec<Option<TestRecord>>,
    coverage: DiscoveryCoverage,
}

impl HistoryRecorder {
    /// Reads what earlier runs left here, where this run's results will be saved as well.
    pub fn open(&mut self, store: HistoryStore) -> Option<UserNotice> {
        let (past, notice) = match store.load() {
            Ok(past) => (past, None),
            Err(error) => (PreviousRuns::default(), Some(notice(&error))),
        };
        self.past = past;
        self.store = Some(store);
        notice
    }

    /// Adds the previous result of a test. Only once per test.
    pub fn look_up(&mut self, case: TestCase, priority: Option<i8>) -> FoundTest {
        let PreviousResult { history, estimate } = self.past.take(&case.key);
        FoundTest {
            case,
            priority,
            history,
            estimate,
        }
    }

    /// Every test is found: the earlier history is no longer needed.
    pub fn discovery_is_over(&mut self, coverage: DiscoveryCoverage) {
        self.coverage = coverage;
        self.past = PreviousRuns::default();
    }

    /// Records a test's result.
    pub fn record(&mut self, test: TestId, history: PreviousOutcome, ran: Duration) {
        if self.lessons.len() <= test.index() {
            self.lessons.resize(test.index() + 1, None);
        }
        if let Some(lesson) = self.lessons.get_mut(test.index()) {
            *lesson = Some(match *lesson {
                Some(lesson) => lesson.and(history, ran),
                None => TestRecord::new(history, ran),
            });
        }
    }

    /// Saves what was learned since the last time, given all tests that were found.
    pub fn save<'a>(
        &mut self,
        found: impl Iterator<Item = (TestId, &'a TestKey)> + Clone,
    ) -> Option<UserNotice> {
        let store = self.store.as_ref()?;
        if self.lessons.is_empty() {
            return None;
        }
        let lessons = &self.lessons;
        let found =
            found.map(|(test, key)| (key, lessons.get(test.index()).and_then(Option::as_ref)));
        match store.save(found, self.coverage) {
            Ok(HistorySaveResult::Written) => {
                self.lessons.clear();
                None
            }
            // What was learned stays, and the save after the next round takes it along.
            Ok(HistorySaveResult::Busy) => None,
            Err(error) => {
                // Reported only once.
                self.store = None;
                Some(notice(&error))
            }
        }
    }
}

fn notice(error: &HistoryError) -> UserNotice {
    UserNotice {
        severity: NoticeSeverity::Warning,
        text: with_causes(error),
        help: Some(
            "tests run as ever, only their order and expected times are not remembered".to_owned(),
        ),
        in_summary: true,
    }
}
