//! What is left to say about the tests when all have been found.

use super::CargoDiscovery;
use crate::cargo::options::NothingToRun;
use maelstrom_model::framework::{DiscoverySummary, FrameworkHost};

impl<H: FrameworkHost> CargoDiscovery<'_, H> {
    /// Returns the summary at the end of discovery.
    pub fn summary(&self) -> DiscoverySummary {
        let settings = self.project.settings;
        let nothing = match (self.running, self.selected, self.deselected) {
            (0, 0, 1..) => Some(NothingToRun::LeftOut),
            (0, _, _) => Some(NothingToRun::NoneFound),
            (_, _, _) => None,
        };
        DiscoverySummary {
            deselected: self.deselected,
            failure: nothing.and_then(|nothing| settings.without_tests(nothing)),
        }
    }

    /// Returns whether all tests that were found are ignored.
    pub fn all_ignored(&self) -> bool {
        self.selected > 0 && self.running == 0
    }
}
