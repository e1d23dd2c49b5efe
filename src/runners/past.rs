//! What earlier runs say of tests, for the words of patterns that ask for it: `failed`, `flaky`,
//! `slow` and `new`.

use std::path::Path;
use std::sync::Arc;

use maelstrom_engine::run::history::{HistoryStore, PreviousRuns};
use maelstrom_spec::filter::PastResults;

/// The results of earlier runs. Empty unless a pattern asks for them, because the file of a large
/// project takes a while to read.
#[derive(Clone, Debug, Default)]
pub(crate) struct PastTests {
    runs: Option<Arc<PreviousRuns>>,
}

/// Whether a pattern asks for the results of earlier runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PastQuestion {
    Asked,
    NotAsked,
}

impl PastQuestion {
    /// Returns the question of several parts of which any may ask.
    pub(crate) fn of(parts: &[bool]) -> PastQuestion {
        match parts.contains(&true) {
            true => PastQuestion::Asked,
            false => PastQuestion::NotAsked,
        }
    }
}

impl PastTests {
    /// Loads the history in a state directory. One that cannot be read counts as empty; the run
    /// reports that when it reads the history itself.
    pub(crate) fn load(state: &Path, question: PastQuestion) -> PastTests {
        let runs = match question {
            PastQuestion::NotAsked => None,
            PastQuestion::Asked => Some(HistoryStore::new(state).load().unwrap_or_default()),
        };
        PastTests {
            runs: runs.map(Arc::new),
        }
    }

    /// Returns what earlier runs say of a test; `None` if no pattern asks.
    pub(crate) fn of(&self, package: &str, artifact: &str, name: &str) -> Option<PastResults> {
        let runs = self.runs.as_ref()?;
        let past = runs.of(package, artifact, name);
        Some(PastResults {
            failed: past.failed,
            flaky: past.flaky > 0,
            slow: past.slow,
            new: past.new,
        })
    }
}
