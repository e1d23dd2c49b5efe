//! Keeps alive what jobs use by path alone, for as long as they may run: trees of layers and
//! images, directories of test binaries.
//!
//! In watch mode, each round has its own discovery. A complete one defines a new job for every
//! remaining test, so what earlier ones created can be removed; after any other, tests that are out
//! of sight may still be run or inspected as they were found before.

use std::fmt::Debug;
use std::sync::{Mutex, MutexGuard, PoisonError};

use maelstrom_model::framework::DiscoverySummary;

/// See the module's documentation.
#[derive(Debug, Default)]
pub struct KeepAlive(Mutex<KeepAliveItems>);

#[derive(Debug, Default)]
struct KeepAliveItems {
    all: Vec<Box<dyn Debug + Send>>,
    /// So many of them, the first ones, are of earlier discoveries.
    earlier: usize,
}

impl KeepAlive {
    /// What is kept from here on is of a new discovery.
    pub fn discovery_begins(&self) {
        let mut things = self.items();
        things.earlier = things.all.len();
    }

    /// Keeps something as long as the jobs of this discovery may run.
    pub fn keep(&self, thing: impl Debug + Send + 'static) {
        self.items().all.push(Box::new(thing));
    }

    /// The discovery that began last is over.
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
        // One that gave up is not told to be over.
        kept.discovery_begins();
        assert_eq!(there(&[&first, &broken]), [true, true]);
        let whole = discover(None);
        assert_eq!(there(&[&first, &broken, &whole]), [false, false, true]);
        let next = discover(None);
        assert_eq!(there(&[&whole, &next]), [false, true]);
    }
}
