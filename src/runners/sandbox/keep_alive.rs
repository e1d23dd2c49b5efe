//! Keeps the directories that jobs refer to by path (trees of layers and images, directories of
//! test binaries) from being deleted or evicted while jobs may run.
//!
//! In watch mode, each round has its own discovery. A complete discovery defines a new job for
//! every remaining test, so the directories of earlier discoveries are no longer needed. After an
//! incomplete one, tests that it did not reach may still be run or inspected as an earlier
//! discovery found them.

use std::fmt::Debug;
use std::sync::{Mutex, MutexGuard, PoisonError};

use maelstrom_model::framework::DiscoverySummary;

/// Owns the values that delete or release these directories when they are dropped. See the module
/// documentation.
#[derive(Debug, Default)]
pub struct KeepAlive(Mutex<KeepAliveItems>);

#[derive(Debug, Default)]
struct KeepAliveItems {
    all: Vec<Box<dyn Debug + Send>>,
    /// The number of items at the start of `all` that belong to earlier discoveries.
    earlier: usize,
}

impl KeepAlive {
    /// Marks the start of a discovery: items kept from now on belong to it.
    pub fn discovery_begins(&self) {
        let mut things = self.items();
        things.earlier = things.all.len();
    }

    /// Keeps `thing` as long as the jobs of the current discovery may run.
    pub fn keep(&self, thing: impl Debug + Send + 'static) {
        self.items().all.push(Box::new(thing));
    }

    /// Marks the end of the current discovery. If it was complete, drops the items of earlier ones.
    pub fn discovery_is_over(&self, summary: &DiscoverySummary) {
        if summary.failure.is_none() {
            let mut things = self.items();
            let earlier = std::mem::take(&mut things.earlier);
            things.all.drain(..earlier);
        }
    }

    fn items(&self) -> MutexGuard<'_, KeepAliveItems> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::{Arc, Weak};

    #[test]
    fn a_complete_discovery_lets_go_of_what_earlier_ones_made() {
        let kept = KeepAlive::default();
        let discover = |failure| -> Weak<u8> {
            kept.discovery_begins();
            let thing = Arc::new(0);
            kept.keep(Arc::clone(&thing));
            let summary = DiscoverySummary {
                failure,
                ..DiscoverySummary::default()
            };
            kept.discovery_is_over(&summary);
            Arc::downgrade(&thing)
        };
        let there = |things: &[&Weak<u8>]| -> Vec<bool> {
            let is_there = |thing: &&Weak<u8>| thing.upgrade().is_some();
            things.iter().map(is_there).collect()
        };
        let first = discover(None);
        let broken = discover(Some(101));
        assert_eq!(there(&[&first, &broken]), [true, true]);
        // A canceled discovery never calls `discovery_is_over`.
        kept.discovery_begins();
        assert_eq!(there(&[&first, &broken]), [true, true]);
        let whole = discover(None);
        assert_eq!(there(&[&first, &broken, &whole]), [false, false, true]);
        let next = discover(None);
        assert_eq!(there(&[&whole, &next]), [false, true]);
    }
}
