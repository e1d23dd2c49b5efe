//! Waiting jobs in order, some of them with limits: groups and devices, which only a limited number
//! of running jobs have at a time.
//!
//! Jobs with the same limits wait in a queue of their own. The first job of a queue is listed
//! unless one of its limits is reached; the next job is the first of those listed and of the jobs
//! without limits. So a reached limit costs nothing, however many jobs wait for it.
//!
//! Jobs may disagree about the maximum of a resource: the smallest of those that wait or run applies.
//! So a job that shares with few is not kept waiting by a steady flow of jobs that share with many.
//!
//! Invariants:
//! - A queue is listed exactly when none of its limits is reached and one of its jobs waits.
//! - A queue, and a limit, exists while one of its jobs waits or runs.
//! - Every call is O(log n) in the number of jobs, and in proportion to the queues that share a
//!   limit. There are few: one for each combination of limits.

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroU32;

use maelstrom_model::policy::{JobLimit, LimitedResource};
use maelstrom_model::priority::QueueKey;

/// The number of a queue of jobs with the same limits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct GroupNumber(u32);

/// The waiting jobs. `T` is the data of a job.
#[derive(Debug)]
pub struct GroupedQueue<T> {
    unlimited: BTreeMap<QueueKey, T>,
    groups: BTreeMap<GroupNumber, GroupQueue<T>>,
    numbers: BTreeMap<Vec<JobLimit>, GroupNumber>,
    uses: BTreeMap<LimitedResource, ResourceUse>,
    next_number: u32,
    /// The first waiting job of each listed queue.
    listed: BTreeMap<QueueKey, GroupNumber>,
    len: usize,
}

#[derive(Debug)]
struct GroupQueue<T> {
    limits: Vec<JobLimit>,
    running: u32,
    waiting: BTreeMap<QueueKey, T>,
    /// Its key in the list.
    listed: Option<QueueKey>,
}

/// How many running jobs have a resource.
#[derive(Debug, Default)]
struct ResourceUse {
    running: u32,
    /// The queues of jobs that need it, each with their maximum.
    queues: BTreeMap<GroupNumber, NonZeroU32>,
}

impl ResourceUse {
    fn has_room(&self) -> bool {
        let mut maxima = self.queues.values();
        maxima.all(|jobs_max| self.running < jobs_max.get())
    }
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
            unlimited: BTreeMap::new(),
            groups: BTreeMap::new(),
            numbers: BTreeMap::new(),
            uses: BTreeMap::new(),
            next_number: 0,
            listed: BTreeMap::new(),
            len: 0,
        }
    }
}

impl<T> GroupedQueue<T> {
    /// Adds a job with these limits, and returns the number of its queue.
    pub fn insert(
        &mut self,
        turn: QueueKey,
        limits: impl Iterator<Item = JobLimit>,
        item: T,
    ) -> Option<GroupNumber> {
        self.len += 1;
        let limits: Vec<JobLimit> = limits.collect();
        if limits.is_empty() {
            self.unlimited.insert(turn, item);
            return None;
        }
        let number = self.number(limits);
        if let Some(queue) = self.groups.get_mut(&number) {
            queue.waiting.insert(turn, item);
        }
        self.update_sharing(number);
        Some(number)
    }

    fn number(&mut self, limits: Vec<JobLimit>) -> GroupNumber {
        if let Some(number) = self.numbers.get(&limits) {
            return *number;
        }
        let number = GroupNumber(self.next_number);
        self.next_number = self.next_number.wrapping_add(1);
        for limit in &limits {
            let used = self.uses.entry(limit.resource.clone()).or_default();
            used.queues.insert(number, limit.jobs_max);
        }
        self.numbers.insert(limits.clone(), number);
        let queue = GroupQueue {
            limits,
            running: 0,
            waiting: BTreeMap::new(),
            listed: None,
        };
        self.groups.insert(number, queue);
        number
    }

    /// Returns the next job of which no limit is reached.
    pub fn first(&self) -> Option<NextJob<&T>> {
        let unlimited = self.unlimited.first_key_value();
        let unlimited = unlimited.map(|(turn, item)| NextJob {
            turn: *turn,
            group: None,
            item,
        });
        // Most runs have no limits.
        let Some((turn, group)) = self.listed.first_key_value() else {
            return unlimited;
        };
        if unlimited.as_ref().is_some_and(|first| first.turn < *turn) {
            return unlimited;
        }
        let item = self.groups.get(group)?.waiting.get(turn)?;
        Some(NextJob {
            turn: *turn,
            group: Some(*group),
            item,
        })
    }

    /// Removes the next job, which starts now: it counts in its queue until
    /// [`GroupedQueue::ended`].
    pub fn start_first(&mut self) -> Option<NextJob<T>> {
        let NextJob { turn, group, .. } = self.first()?;
        if let Some(number) = group {
            self.count(number, |running| running.saturating_add(1));
        }
        let item = self.remove(turn, group)?;
        Some(NextJob { turn, group, item })
    }

    /// Removes a waiting job.
    pub fn remove(&mut self, turn: QueueKey, group: Option<GroupNumber>) -> Option<T> {
        let removed = match group {
            None => self.unlimited.remove(&turn),
            Some(number) => {
                let removed = self.groups.get_mut(&number)?.waiting.remove(&turn);
                self.update_sharing(number);
                removed
            }
        };
        self.len -= usize::from(removed.is_some());
        removed
    }

    /// Handles the end of a job of a queue.
    pub fn ended(&mut self, number: GroupNumber) {
        self.count(number, |running| running.saturating_sub(1));
        self.update_sharing(number);
    }

    fn count(&mut self, number: GroupNumber, change: impl Fn(u32) -> u32) {
        let Some(queue) = self.groups.get_mut(&number) else {
            return;
        };
        queue.running = change(queue.running);
        for limit in &queue.limits {
            if let Some(used) = self.uses.get_mut(&limit.resource) {
                used.running = change(used.running);
            }
        }
    }

    /// Returns the number of waiting jobs.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Returns whether no job waits.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Lists a queue and those that share a limit with it, or not, after a change. The queue ends
    /// if none of its jobs waits or runs.
    fn update_sharing(&mut self, number: GroupNumber) {
        let Some(queue) = self.groups.get(&number) else {
            return;
        };
        let uses = queue.limits.iter();
        let uses = uses.filter_map(|limit| self.uses.get(&limit.resource));
        let sharing: BTreeSet<GroupNumber> =
            uses.flat_map(|used| used.queues.keys()).copied().collect();
        if queue.waiting.is_empty() && queue.running == 0 {
            self.remove_queue(number);
        }
        sharing.into_iter().for_each(|queue| self.update(queue));
    }

    fn update(&mut self, number: GroupNumber) {
        let Some(queue) = self.groups.get_mut(&number) else {
            return;
        };
        let first = queue.waiting.first_key_value().map(|(turn, _)| *turn);
        let uses = queue.limits.iter();
        let mut uses = uses.filter_map(|limit| self.uses.get(&limit.resource));
        let has_room = uses.all(ResourceUse::has_room);
        let now = first.filter(|_| has_room);
        let before = std::mem::replace(&mut queue.listed, now);
        if before != now {
            if let Some(turn) = before {
                self.listed.remove(&turn);
            }
            if let Some(turn) = now {
                self.listed.insert(turn, number);
            }
        }
    }

    fn remove_queue(&mut self, number: GroupNumber) {
        let Some(queue) = self.groups.remove(&number) else {
            return;
        };
        if let Some(turn) = queue.listed {
            self.listed.remove(&turn);
        }
        for limit in &queue.limits {
            if let Some(used) = self.uses.get_mut(&limit.resource) {
                used.queues.remove(&number);
            }
        }
        self.uses.retain(|_, used| !used.queues.is_empty());
        self.numbers.remove(&queue.limits);
    }
}
