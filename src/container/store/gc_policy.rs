//! Decides which entries to remove when a store exceeds its target size. Pure: no clock, no I/O.
//!
//! The least recently used entries are removed first, and no more than necessary. Whether an entry
//! is in use is known only when its removal is attempted. So the policy is a small state machine:
//! it returns a candidate, gets the result of the attempt, and returns the next candidate.
//!
//! Invariants: it returns no candidate while the store fits its target, and none twice. At the end
//! the store exceeds its target only if all remaining entries are in use.

use std::collections::VecDeque;

/// An entry of the store, with the properties that the policy uses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct GcCandidate<Key> {
    /// The time of its last use, on any scale that grows with time.
    pub last_used: u128,
    /// The key of the entry. Of entries used at the same time, the one with the smaller key is
    /// removed first.
    pub key: Key,
    /// The size of the entry in bytes.
    pub size_bytes: u64,
}

/// The result of trying to remove a candidate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum GcOutcome {
    /// It was removed, by this process or another.
    Removed,
    /// It is in use and stays.
    InUse,
}

/// A garbage collection in progress.
#[derive(Clone, Debug)]
pub(super) struct StoreGc<Key> {
    waiting: VecDeque<GcCandidate<Key>>,
    total_bytes: u64,
    target_bytes: u64,
}

impl<Key: Ord> StoreGc<Key> {
    /// Starts a collection that reduces these entries to at most `target_bytes`.
    pub(super) fn new(mut entries: Vec<GcCandidate<Key>>, target_bytes: u64) -> Self {
        entries.sort_by(|a, b| (a.last_used, &a.key).cmp(&(b.last_used, &b.key)));
        let total_bytes = entries.iter().fold(0, |total: u64, entry| {
            total.saturating_add(entry.size_bytes)
        });
        StoreGc {
            waiting: entries.into(),
            total_bytes,
            target_bytes,
        }
    }

    /// Returns the size of all remaining entries in bytes.
    pub(super) fn total_bytes(&self) -> u64 {
        self.total_bytes
    }

    /// Returns the next candidate for removal, if the target is exceeded. Report the result to
    /// [`Self::resolve`].
    pub(super) fn next(&mut self) -> Option<GcCandidate<Key>> {
        if self.total_bytes <= self.target_bytes {
            return None;
        }
        self.waiting.pop_front()
    }

    /// Reports the result of trying to remove a candidate.
    pub(super) fn resolve(&mut self, candidate: &GcCandidate<Key>, fate: GcOutcome) {
        match fate {
            GcOutcome::Removed => {
                self.total_bytes = self.total_bytes.saturating_sub(candidate.size_bytes);
            }
            GcOutcome::InUse => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    fn entries() -> impl Strategy<Value = Vec<(u128, u64, bool)>> {
        prop::collection::vec((0u128..6, 0u64..100, any::<bool>()), 0..20)
    }

    proptest! {
        #[test]
        fn as_few_as_needed_go_oldest_first(entries in entries(), target_bytes in 0u64..800) {
            let in_use: BTreeSet<usize> = (0..entries.len()).filter(|index| entries[*index].2).collect();
            let candidates: Vec<_> = entries
                .iter()
                .enumerate()
                .map(|(key, (last_used, size_bytes, _))| GcCandidate {
                    last_used: *last_used,
                    key,
                    size_bytes: *size_bytes,
                })
                .collect();
            let mut eviction = StoreGc::new(candidates.clone(), target_bytes);
            let mut named = Vec::new();
            let mut gone = BTreeSet::new();
            while let Some(candidate) = eviction.next() {
                let kept: u64 = candidates
                    .iter()
                    .filter(|entry| !gone.contains(&entry.key))
                    .map(|entry| entry.size_bytes)
                    .sum();
                prop_assert_eq!(kept, eviction.total_bytes());
                prop_assert!(kept > target_bytes, "nothing goes while the store fits");
                named.push((candidate.last_used, candidate.key));
                if in_use.contains(&candidate.key) {
                    eviction.resolve(&candidate, GcOutcome::InUse);
                } else {
                    eviction.resolve(&candidate, GcOutcome::Removed);
                    gone.insert(candidate.key);
                }
            }
            prop_assert!(named.is_sorted_by(|a, b| a < b), "in order, none twice: {:?}", named);
            let rest_is_in_use = candidates
                .iter()
                .all(|entry| gone.contains(&entry.key) || in_use.contains(&entry.key));
            prop_assert!(eviction.total_bytes() <= target_bytes || rest_is_in_use);
        }

        #[test]
        fn sizes_beyond_all_bounds_do_not_panic(sizes in prop::collection::vec(any::<u64>(), 0..5)) {
            let candidates = sizes
                .iter()
                .enumerate()
                .map(|(key, size)| GcCandidate { last_used: 0, key, size_bytes: *size })
                .collect();
            let mut eviction = StoreGc::new(candidates, 1);
            while let Some(candidate) = eviction.next() {
                eviction.resolve(&candidate, GcOutcome::Removed);
            }
        }
    }
}
