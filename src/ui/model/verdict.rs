//! Whether a run leaves anything to look at.

use super::{Build, Model, Notice, TestState};
use crate::engine::event::Severity;

impl Model {
    /// Whether nothing is wrong: the build succeeded, no test of any round is red or was cancelled,
    /// and no error was reported.
    pub fn is_green(&self) -> bool {
        let cancelled = self.counts.get(TestState::Cancelled);
        let error = |notice: &Notice| notice.severity == Severity::Error;
        !self.build_failed()
            && self.counts.failures() + cancelled == 0
            && !self.notices.iter().any(error)
    }

    /// Whether the last build failed.
    pub fn build_failed(&self) -> bool {
        match self.build {
            Build::Failed => true,
            Build::None | Build::Going { .. } | Build::Succeeded => false,
        }
    }
}
