//! The LRU index of a store of limited size. Pure: no clock, no I/O.
//!
//! Once all entries together exceed the target size, the least recently used unpinned ones are
//! evicted. A pin applies to a key, whether or not its entry exists: an entry added later is pinned
//! from the start.
//!
//! Invariants: a pinned entry is never evicted; the total exceeds the target only if every
//! remaining entry is pinned; each operation is O(log n).

use std::collections::{BTreeMap, HashMap};
use std::hash::Hash;

/// Keyed entries, each with a size.
#[derive(Clone, Debug)]
pub struct LruIndex<Key> {
    entries: HashMap<Key, LruEntry>,
    /// Unpinned entries, the least recently used first.
    order: BTreeMap<u64, Key>,
    pins: HashMap<Key, u64>,
    clock: u64,
    total_bytes: u64,
    target_bytes: u64,
}

#[derive(Clone, Copy, Debug)]
struct LruEntry {
    size_bytes: u64,
    place: LruPosition,
}

#[derive(Clone, Copy, Debug)]
enum LruPosition {
    /// At this position of the LRU order.
    Ordered(u64),
    Pinned,
}

impl<Key: Copy + Eq + Hash> LruIndex<Key> {
    /// Creates an empty index with this target size.
    pub fn new(target_bytes: u64) -> Self {
        LruIndex {
            entries: HashMap::new(),
            order: BTreeMap::new(),
            pins: HashMap::new(),
            clock: 0,
            total_bytes: 0,
            target_bytes,
        }
    }

    /// Returns the number of entries.
    pub fn count(&self) -> usize {
        self.entries.len()
    }

    /// Returns the total size of all entries.
    pub fn total_bytes(&self) -> u64 {
        self.total_bytes
    }

    /// Returns the size that all entries together should stay below.
    pub fn target_bytes(&self) -> u64 {
        self.target_bytes
    }

    /// Returns the size of all pinned entries. Takes a step for each pin.
    pub fn pinned_bytes(&self) -> u64 {
        let sizes = self.pins.keys().filter_map(|key| self.size_bytes(key));
        sizes.fold(0, u64::saturating_add)
    }

    /// Returns the size of an entry, if it exists.
    pub fn size_bytes(&self, key: &Key) -> Option<u64> {
        self.entries.get(key).map(|entry| entry.size_bytes)
    }

    /// Adds an entry as the most recently used one, or replaces it.
    pub fn add(&mut self, key: Key, size_bytes: u64) {
        self.remove(&key);
        let place = self.place(key);
        self.entries.insert(key, LruEntry { size_bytes, place });
        self.total_bytes = self.total_bytes.saturating_add(size_bytes);
    }

    /// Marks an entry as used.
    pub fn used(&mut self, key: &Key) {
        let Some(LruEntry {
            place: LruPosition::Ordered(moment),
            ..
        }) = self.entries.get(key).copied()
        else {
            return;
        };
        self.order.remove(&moment);
        self.reposition(*key);
    }

    /// Removes an entry.
    pub fn remove(&mut self, key: &Key) {
        let Some(entry) = self.entries.remove(key) else {
            return;
        };
        match entry.place {
            LruPosition::Ordered(moment) => drop(self.order.remove(&moment)),
            LruPosition::Pinned => {}
        }
        self.total_bytes = self.total_bytes.saturating_sub(entry.size_bytes);
    }

    /// Adds a pin to a key.
    pub fn pin(&mut self, key: Key) {
        *self.pins.entry(key).or_default() += 1;
        if let Some(entry) = self.entries.get_mut(&key)
            && let LruPosition::Ordered(moment) = entry.place
        {
            entry.place = LruPosition::Pinned;
            self.order.remove(&moment);
        }
    }

    /// Removes one pin. An entry that loses its last pin counts as just used.
    pub fn unpin(&mut self, key: &Key) {
        let Some(count) = self.pins.get_mut(key) else {
            return;
        };
        *count -= 1;
        if *count == 0 {
            self.pins.remove(key);
            self.reposition(*key);
        }
    }

    /// Evicts as few entries as needed until the rest fits the target or is pinned.
    pub fn shrink(&mut self) -> Vec<(Key, u64)> {
        self.shrink_to(self.target_bytes)
    }

    /// Like [`Self::shrink`], with another target.
    pub fn shrink_to(&mut self, target_bytes: u64) -> Vec<(Key, u64)> {
        let mut removed = Vec::new();
        while self.total_bytes > target_bytes
            && let Some((_moment, key)) = self.order.first_key_value()
        {
            let key = *key;
            removed.push((key, self.size_bytes(&key).unwrap_or(0)));
            self.remove(&key);
        }
        removed
    }

    /// Recomputes the position of an entry, if it exists.
    fn reposition(&mut self, key: Key) {
        if !self.entries.contains_key(&key) {
            return;
        }
        let place = self.place(key);
        if let Some(entry) = self.entries.get_mut(&key) {
            entry.place = place;
        }
    }

    fn place(&mut self, key: Key) -> LruPosition {
        if self.pins.contains_key(&key) {
            return LruPosition::Pinned;
        }
        self.clock += 1;
        self.order.insert(self.clock, key);
        LruPosition::Ordered(self.clock)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[derive(Clone, Debug)]
    enum LruStep {
        Add(u8, u64),
        Use(u8),
        Remove(u8),
        Pin(u8),
        Unpin(u8),
        Shrink,
    }

    fn steps() -> impl Strategy<Value = Vec<LruStep>> {
        let key = 0u8..6;
        let step = prop_oneof![
            (key.clone(), 0u64..50).prop_map(|(key, size)| LruStep::Add(key, size)),
            key.clone().prop_map(LruStep::Use),
            key.clone().prop_map(LruStep::Remove),
            key.clone().prop_map(LruStep::Pin),
            key.prop_map(LruStep::Unpin),
            Just(LruStep::Shrink),
        ];
        prop::collection::vec(step, 0..60)
    }

    /// A naive reference model: entries in the order of their use.
    #[derive(Default)]
    struct LruModel {
        entries: Vec<(u8, u64)>,
        pins: Vec<u8>,
    }

    impl LruModel {
        fn renew(&mut self, key: u8) {
            if let Some(index) = self.entries.iter().position(|entry| entry.0 == key) {
                let entry = self.entries.remove(index);
                self.entries.push(entry);
            }
        }

        fn total(&self) -> u64 {
            self.entries.iter().map(|entry| entry.1).sum()
        }

        fn apply(&mut self, step: &LruStep) {
            match step {
                LruStep::Add(key, size) => {
                    self.entries.retain(|entry| entry.0 != *key);
                    self.entries.push((*key, *size));
                }
                LruStep::Use(key) => self.renew(*key),
                LruStep::Remove(key) => self.entries.retain(|entry| entry.0 != *key),
                LruStep::Pin(key) => self.pins.push(*key),
                LruStep::Unpin(key) => {
                    if let Some(index) = self.pins.iter().position(|pin| pin == key) {
                        self.pins.remove(index);
                        if !self.pins.contains(key) {
                            self.renew(*key);
                        }
                    }
                }
                LruStep::Shrink => {}
            }
        }

        fn shrink(&mut self, target: u64) -> Vec<(u8, u64)> {
            let mut removed = Vec::new();
            while self.total() > target {
                let free = self
                    .entries
                    .iter()
                    .position(|entry| !self.pins.contains(&entry.0));
                let Some(index) = free else { break };
                removed.push(self.entries.remove(index));
            }
            removed
        }
    }

    proptest! {
        #[test]
        fn it_does_what_the_plain_model_does(steps in steps(), target in 0u64..120) {
            let mut index = LruIndex::new(target);
            let mut model = LruModel::default();
            for step in steps {
                model.apply(&step);
                match step {
                    LruStep::Add(key, size) => index.add(key, size),
                    LruStep::Use(key) => index.used(&key),
                    LruStep::Remove(key) => index.remove(&key),
                    LruStep::Pin(key) => index.pin(key),
                    LruStep::Unpin(key) => index.unpin(&key),
                    LruStep::Shrink => prop_assert_eq!(index.shrink(), model.shrink(target)),
                }
                prop_assert_eq!(index.total_bytes(), model.total());
                prop_assert_eq!(index.count(), model.entries.len());
                let pinned = model.entries.iter().filter(|entry| model.pins.contains(&entry.0));
                prop_assert_eq!(index.pinned_bytes(), pinned.map(|entry| entry.1).sum::<u64>());
                let unpinned = model.entries.iter().filter(|entry| !model.pins.contains(&entry.0));
                prop_assert_eq!(index.order.len(), unpinned.count());
            }
        }
    }

    #[test]
    fn a_name_may_be_pinned_before_its_entry_comes() {
        let mut index = LruIndex::new(10);
        index.pin('a');
        index.add('a', 20);
        assert_eq!(index.shrink(), []);
        index.unpin(&'a');
        assert_eq!(index.shrink(), [('a', 20)]);
    }
}
