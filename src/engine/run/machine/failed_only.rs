//! Selects the tests that failed when they last ran ([`HistoryFilter::Failed`], `--failed`).
//!
//! The other tests are held back until discovery has ended, and then count as deselected. If no test
//! is left without them, they run after all: a run of `--failed` is never green without a test, and
//! a loop of it ends with a run of all tests. If a part of the project could not be built, they stay
//! left out, since the failed tests may be in that part.
//!
//! A later round of the same run (`--watch`) goes by the results of the rounds before it.
//!
//! [`HistoryFilter::Failed`]: crate::run::message::HistoryFilter::Failed

use super::RunStateMachine;
use crate::run::ending::count;
use crate::run::message::FoundTest;
use maelstrom_model::event::{NoticeSeverity, PreviousOutcome};
use maelstrom_model::framework::DiscoverySummary;

impl RunStateMachine {
    /// Returns the tests that failed when they last ran, and holds back the others.
    pub(super) fn hold_back(&mut self, mut found: Vec<FoundTest>) -> Vec<FoundTest> {
        for test in &mut found {
            let known = self.unclaimed(&test.case.key).map(|(_, id)| id.index());
            if let Some(known) = known.and_then(|index| self.tests.get(index)) {
                test.history = known.last;
            }
        }
        let (failed, others) = found.into_iter().partition(|test| match test.history {
            PreviousOutcome::Failure => true,
            PreviousOutcome::New | PreviousOutcome::Success => false,
        });
        self.held_back.extend(others);
        failed
    }

    /// Adds the tests that were held back if no other test was found, or leaves them out. Returns
    /// the number of tests that are left out.
    pub(super) fn settle_held_back(&mut self, now_us: u64, summary: &DiscoverySummary) -> u32 {
        if self.held_back.is_empty() || self.selected() > 0 || summary.failure.is_some() {
            return self.leave_out_held_back();
        }
        let all = std::mem::take(&mut self.held_back);
        let text = "no selected test failed in the last run, so `--failed` selects all of them";
        self.notice(NoticeSeverity::Info, text.to_owned(), None);
        self.add(now_us, all);
        0
    }

    /// Leaves out the tests that were held back. Returns their number.
    pub(super) fn leave_out_held_back(&mut self) -> u32 {
        count(std::mem::take(&mut self.held_back).len())
    }
}
