//! Waiting jobs in order, some of them in groups of which only a limited number run at a time.
//!
//! The jobs of a group wait in a queue of their own. The first job of a group that is not full is
//! listed; the next job is the first of those listed and of the jobs without a group. So a full
//! group costs nothing, however many of its jobs wait.
//!
//! Invariants:
//! - A group is listed exactly when it is not full and one of its jobs waits.
//! - A group exists while one of its jobs waits or runs.
//! - Every call is O(log n) in the number of jobs.

use std::collections::BTreeMap;
use std::sync::Arc;

use maelstrom_model::policy::JobGroup;
use maelstrom_model::priority::QueueKey;

/// The number of a group in a queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct GroupNumber(u32);

/// The waiting jobs. `T` is the data of a job.
#[derive(Debug)]
pub struct GroupedQueue<T> {
    ungrouped: BTreeMap<QueueKey, T>,
    groups: BTreeMap<GroupNumber, GroupQueue<T>>,
    numbers: BTreeMap<Arc<str>, GroupNumber>,
    next_number: u32,
    /// The first waiting job of each listed group.
    listed: BTreeMap<QueueKey, GroupNumber>,
    len: usize,
}

#[derive(Debug)]
struct GroupQueue<T> {
    name: Arc<str>,
    jobs_max: u32,
    running: u32,
    waiting: BTreeMap<QueueKey, T>,
    /// Its key in the list.
    listed: Option<QueueKey>,
}

/// The next job.
#[derive(Debug, PartialEq, Eq)]
pub struct NextJob<T> {
    pub turn: QueueKey,
    pub group: Option<GroupNumber>,
    pub item: T,
}

impl<T> Default for GroupedQueue<T> {
    fn default() -> Self {
        GroupedQueue {
            ungrouped: BTreeMap::new(),
            groups: BTreeMap::new(),
            numbers: BTreeMap::new(),
            next_number: 0,
            listed: BTreeMap::new(),
            len: 0,
        }
    }
}

impl<T> GroupedQueue<T> {
    /// Adds a job, and returns the number of its group. If the jobs of a group disagree about the
    /// maximum, that of the last one added applies.
    pub fn insert(
        &mut self,
        turn: QueueKey,
        group: Option<&JobGroup>,
        item: T,
    ) -> Option<GroupNumber> {
        self.len += 1;
        let Some(group) = group else {
            self.ungrouped.insert(turn, item);
            return None;
        };
        let number = self.number(group);
        if let Some(queue) = self.groups.get_mut(&number) {
            queue.jobs_max = group.jobs_max.get();
            queue.waiting.insert(turn, item);
        }
        self.update(number);
        Some(number)
    }

    fn number(&mut self, group: &JobGroup) -> GroupNumber {
        if let Some(number) = self.numbers.get(&group.name) {
            return *number;
        }
        let number = GroupNumber(self.next_number);
        self.next_number = self.next_number.wrapping_add(1);
        self.numbers.insert(Arc::clone(&group.name), number);
        let queue = GroupQueue {
            name: Arc::clone(&group.name),
            jobs_max: group.jobs_max.get(),
            running: 0,
            waiting: BTreeMap::new(),
            listed: None,
        };
        self.groups.insert(number, queue);
        number
    }

    /// Returns the next job whose group is not full.
    pub fn first(&self) -> Option<NextJob<&T>> {
        let ungrouped = self.ungrouped.first_key_value();
        let ungrouped = ungrouped.map(|(turn, item)| NextJob {
            turn: *turn,
            group: None,
            item,
        });
        // Most runs have no groups.
        let Some((turn, group)) = self.listed.first_key_value() else {
            return ungrouped;
        };
        if ungrouped.as_ref().is_some_and(|first| first.turn < *turn) {
            return ungrouped;
        }
        let item = self.groups.get(group)?.waiting.get(turn)?;
        Some(NextJob {
            turn: *turn,
            group: Some(*group),
            item,
        })
    }

    /// Removes the next job, which starts now: it counts in its group until
    /// [`GroupedQueue::ended`].
    pub fn start_first(&mut self) -> Option<NextJob<T>> {
        let NextJob { turn, group, .. } = self.first()?;
        if let Some(queue) = group.and_then(|group| self.groups.get_mut(&group)) {
            queue.running += 1;
        }
        let item = self.remove(turn, group)?;
        Some(NextJob { turn, group, item })
    }

    /// Removes a waiting job.
    pub fn remove(&mut self, turn: QueueKey, group: Option<GroupNumber>) -> Option<T> {
        let removed = match group {
            None => self.ungrouped.remove(&turn),
            Some(number) => {
                let removed = self.groups.get_mut(&number)?.waiting.remove(&turn);
                self.update(number);
                removed
            }
        };
        self.len -= usize::from(removed.is_some());
        removed
    }

    /// Handles the end of a job of a group.
    pub fn ended(&mut self, number: GroupNumber) {
        if let Some(queue) = self.groups.get_mut(&number) {
            queue.running = queue.running.saturating_sub(1);
        }
        self.update(number);
    }

    /// Returns the number of waiting jobs.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Returns whether no job waits.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Lists a group, or not, after a change.
    fn update(&mut self, number: GroupNumber) {
        let Some(queue) = self.groups.get_mut(&number) else {
            return;
        };
        let first = queue.waiting.first_key_value().map(|(turn, _)| *turn);
        let is_used = first.is_some() || queue.running > 0;
        let now = first.filter(|_| queue.running < queue.jobs_max);
        let before = std::mem::replace(&mut queue.listed, now);
        if before != now {
            if let Some(turn) = before {
                self.listed.remove(&turn);
            }
            if let Some(turn) = now {
                self.listed.insert(turn, number);
            }
        }
        if !is_used && let Some(queue) = self.groups.remove(&number) {
            self.numbers.remove(&queue.name);
        }
    }
}
