//! What a run knows of earlier ones and what it learns itself, until it is saved.
//!
//! Nothing here fails the run: whatever goes wrong with the history becomes a notice.

use std::time::Duration;

use super::history::{Coverage, HistoryError, Known, Lesson, Past, Saved, Store};
use super::message::FoundTest;
use maelstrom_model::error::with_causes;
use maelstrom_model::event::{History, Notice, Severity};
use maelstrom_model::ids::TestId;
use maelstrom_model::job::{TestCase, TestKey};

/// See the module's documentation.
#[derive(Debug, Default)]
pub struct Notebook {
    store: Option<Store>,
    past: Past,
    /// By the test's number.
    lessons: Vec<Option<Lesson>>,
    coverage: Coverage,
}

impl Notebook {
    /// Reads what earlier runs left here, where this one's lessons will be kept as well.
    pub fn open(&mut self, store: Store) -> Option<Notice> {
        let (past, notice) = match store.load() {
            Ok(past) => (past, None),
            Err(error) => (Past::default(), Some(notice(&error))),
        };
        self.past = past;
        self.store = Some(store);
        notice
    }

    /// Adds what is known of a test. For each only once.
    pub fn look_up(&mut self, case: TestCase, priority: Option<i8>) -> FoundTest {
        let Known { history, estimate } = self.past.take(&case.key);
        FoundTest {
            case,
            priority,
            history,
            estimate,
        }
    }

    /// Every test is found: earlier runs have nothing more to tell.
    pub fn discovery_is_over(&mut self, coverage: Coverage) {
        self.coverage = coverage;
        self.past = Past::default();
    }

    /// Remembers how a test did.
    pub fn record(&mut self, test: TestId, history: History, ran: Duration) {
        if self.lessons.len() <= test.index() {
            self.lessons.resize(test.index() + 1, None);
        }
        if let Some(lesson) = self.lessons.get_mut(test.index()) {
            *lesson = Some(match *lesson {
                Some(lesson) => lesson.and(history, ran),
                None => Lesson::new(history, ran),
            });
        }
    }

    /// Saves what was learned since the last time, given all tests that were found.
    pub fn save<'a>(
        &mut self,
        found: impl Iterator<Item = (TestId, &'a TestKey)> + Clone,
    ) -> Option<Notice> {
        let store = self.store.as_ref()?;
        if self.lessons.is_empty() {
            return None;
        }
        let lessons = &self.lessons;
        let found =
            found.map(|(test, key)| (key, lessons.get(test.index()).and_then(Option::as_ref)));
        match store.save(found, self.coverage) {
            Ok(Saved::Written) => {
                self.lessons.clear();
                None
            }
            Ok(Saved::Busy) => None,
            Err(error) => {
                // Once said is enough.
                self.store = None;
                Some(notice(&error))
            }
        }
    }
}

fn notice(error: &HistoryError) -> Notice {
    Notice {
        severity: Severity::Warning,
        text: with_causes(error),
        help: Some(
            "tests run as ever, only their order and expected times are not remembered".to_owned(),
        ),
        in_summary: true,
    }
}
