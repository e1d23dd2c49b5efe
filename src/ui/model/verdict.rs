//! Whether a run has failures, cancellations or errors.

use super::{BuildPhase, RunModel, TestStability, TestState, UserNotice};
use maelstrom_model::event::NoticeSeverity;
use maelstrom_model::ids::TestId;

impl RunModel {
    /// Returns whether nothing is wrong: the build did not fail, no test is failed or cancelled,
    /// and no notice is an error.
    pub fn is_green(&self) -> bool {
        let cancelled = self.counts.get(TestState::Cancelled);
        let error = |notice: &UserNotice| notice.severity == NoticeSeverity::Error;
        !self.build_failed()
            && self.counts.failures() + cancelled == 0
            && !self.notices.iter().any(error)
    }

    /// Returns the failures that are tests.
    pub fn failed_tests(&self) -> impl Iterator<Item = TestId> {
        let failures = self.failures.iter().copied();
        failures.filter(|failure| !self.tests.is_place(*failure))
    }

    /// Returns the tests that passed after an attempt that failed, if they count as passed.
    pub fn flaky_passed(&self) -> impl Iterator<Item = TestId> {
        let in_round = self.flaky > 0;
        let ids = in_round.then(|| self.tests.ids()).into_iter().flatten();
        ids.filter(|test| {
            let counts_as_passed = self.tests.state(*test) == TestState::Passed;
            counts_as_passed && self.tests.stability(*test) == TestStability::Flaky
        })
    }

    /// Returns the number of failures that are places in the source that don't compile.
    pub fn places(&self) -> u32 {
        let tests = self.failed_tests().count();
        u32::try_from(self.failures.len().saturating_sub(tests)).unwrap_or(u32::MAX)
    }

    /// Returns whether no test was found.
    pub fn has_no_tests(&self) -> bool {
        self.tests.ids().all(|test| self.tests.is_place(test))
    }

    /// Returns whether the last build failed.
    pub fn build_failed(&self) -> bool {
        match self.build {
            BuildPhase::Failed => true,
            BuildPhase::None | BuildPhase::Going { .. } | BuildPhase::Succeeded => false,
        }
    }
}
