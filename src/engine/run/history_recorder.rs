//! Holds what the state directory keeps of earlier runs: the history, with the results of this run
//! until they are saved, and the notices of the last day.
//!
//! Errors never fail the run; they become notices.

use super::history::{
    DiscoveryCoverage, HistoryError, HistorySaveResult, HistoryStore, PreviousResult, PreviousRuns,
    TestRecord,
};
use super::message::{AttemptCost, FoundTest};
use super::reminders::{ReminderLog, unix_time};
use super::tally::ResultStability;
use maelstrom_model::error::with_causes;
use maelstrom_model::event::{NoticeSeverity, PreviousOutcome, UserNotice};
use maelstrom_model::ids::TestId;
use maelstrom_model::job::{TestCase, TestKey};

/// Records test results; see the module documentation.
#[derive(Debug, Default)]
pub struct HistoryRecorder {
    store: Option<HistoryStore>,
    past: PreviousRuns,
    /// The results of this run, indexed by the test's number.
    lessons: Vec<Option<TestRecord>>,
    coverage: DiscoveryCoverage,
    reminders: ReminderLog,
}

impl HistoryRecorder {
    /// Loads the history from `store` and uses `store` for saving this run's results. Returns a
    /// notice if the history cannot be loaded.
    pub fn open(&mut self, store: HistoryStore) -> Option<UserNotice> {
        let (past, notice) = match store.load() {
            Ok(past) => (past, None),
            Err(error) => (PreviousRuns::default(), Some(notice(&error))),
        };
        self.past = past;
        self.reminders = ReminderLog::open(store.directory());
        self.store = Some(store);
        notice
    }

    /// Returns whether to emit a notice that every run would repeat.
    pub fn remind(&mut self, text: &str) -> bool {
        self.reminders.remind(text, unix_time())
    }

    /// Combines a test with its result from earlier runs. The result is removed from the history,
    /// so call this once per test.
    pub fn look_up(&mut self, mut case: TestCase, priority: Option<i8>) -> FoundTest {
        let PreviousResult {
            history,
            estimate,
            memory_peak_bytes,
        } = self.past.take(&case.key);
        let needs = &mut case.job.needs;
        needs.memory_bytes = needs.memory_bytes.or(memory_peak_bytes);
        FoundTest {
            case,
            priority,
            history,
            estimate,
            group: None,
        }
    }

    /// Drops the history of earlier runs, which is not needed once discovery has ended.
    pub fn discovery_is_over(&mut self, coverage: DiscoveryCoverage) {
        self.coverage = coverage;
        self.past = PreviousRuns::default();
    }

    /// Records the result of a test, whether it was flaky, and what its last attempt took.
    pub fn record(
        &mut self,
        test: TestId,
        history: PreviousOutcome,
        stability: ResultStability,
        cost: AttemptCost,
    ) {
        if self.lessons.len() <= test.index() {
            self.lessons.resize(test.index() + 1, None);
        }
        if let Some(lesson) = self.lessons.get_mut(test.index()) {
            let record = match *lesson {
                Some(lesson) => lesson.and(history, stability, cost.ran),
                None => TestRecord::new(history, stability, cost.ran),
            };
            *lesson = Some(record.with_memory(cost.memory_peak_bytes));
        }
    }

    /// Saves the results recorded since the last save. `found` yields all tests that were found.
    /// Returns a notice if saving fails.
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
            // The results stay, and the save after the next round includes them.
            Ok(HistorySaveResult::Busy) => None,
            Err(error) => {
                // Without a store nothing is saved any more, so the error is reported only once.
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
