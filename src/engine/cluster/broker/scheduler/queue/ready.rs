//! Ready queues: the jobs of one client that one pool could run.
//!
//! Invariants:
//! - The jobs without a group are listed by the heads of their queues; of each group that is not
//!   full, the first of its heads is listed.
//! - A group counts with no more jobs than it has room for.

use std::collections::{BTreeMap, BTreeSet};

use super::fair_share::VirtualTime;
use crate::broker::scheduler::{GroupKey, InputsId, SchedulingClass};
use maelstrom_model::priority::QueueKey;

/// A group of a client's jobs, in whichever pools.
#[derive(Clone, Copy, Debug)]
pub(super) struct ClientGroup {
    pub(super) leases_max: u32,
    pub(super) leased: u32,
    /// The number of its jobs that are not over.
    pub(super) jobs: usize,
}

/// The jobs of a client that a pool could run.
#[derive(Debug, Default)]
pub(super) struct ReadyQueue {
    heads: BTreeSet<(QueueKey, InputsId, Option<GroupKey>)>,
    groups: BTreeMap<GroupKey, ReadyGroup>,
    /// The number of jobs that could start, including the heads.
    ready: usize,
    /// Its key in the pool's list, if it is listed.
    pub(super) listed: Option<VirtualTime>,
    /// The number of its jobs that the pool counts.
    pub(super) counted: usize,
}

/// The jobs of a group in a ready queue.
#[derive(Debug, Default)]
struct ReadyGroup {
    heads: BTreeSet<(QueueKey, InputsId)>,
    /// The number of jobs in these queues.
    waiting: usize,
    /// The number of them that could start.
    counted: usize,
    /// The head that is listed.
    listed: Option<(QueueKey, InputsId)>,
}

impl ReadyQueue {
    /// Returns the number of jobs that could start.
    pub(super) fn ready(&self) -> usize {
        self.ready
    }

    pub(super) fn is_empty(&self) -> bool {
        self.ready == 0 && self.groups.is_empty()
    }

    /// Returns the next job.
    pub(super) fn first(&self) -> Option<(QueueKey, InputsId, Option<GroupKey>)> {
        self.heads.first().copied()
    }

    /// Counts jobs of a class. [`ReadyQueue::update_group`] must follow.
    pub(super) fn add(&mut self, kind: SchedulingClass, jobs: usize) {
        match kind.group {
            None => self.ready += jobs,
            Some(group) => self.groups.entry(group).or_default().waiting += jobs,
        }
    }

    /// Counts jobs of a class no more. [`ReadyQueue::update_group`] must follow.
    pub(super) fn remove(&mut self, kind: SchedulingClass, jobs: usize) {
        match kind.group {
            None => self.ready -= jobs,
            Some(group) => self.groups.entry(group).or_default().waiting -= jobs,
        }
    }

    /// Replaces the head of a class. [`ReadyQueue::update_group`] must follow.
    pub(super) fn change_head(
        &mut self,
        kind: SchedulingClass,
        old: Option<QueueKey>,
        new: Option<QueueKey>,
    ) {
        let inputs = kind.inputs;
        match kind.group {
            None => {
                if let Some(old) = old {
                    self.heads.remove(&(old, inputs, None));
                }
                if let Some(new) = new {
                    self.heads.insert((new, inputs, None));
                }
            }
            Some(group) => {
                let heads = &mut self.groups.entry(group).or_default().heads;
                if let Some(old) = old {
                    heads.remove(&(old, inputs));
                }
                if let Some(new) = new {
                    heads.insert((new, inputs));
                }
            }
        }
    }

    /// Lists a group with room for this many further leases. Returns whether it has jobs here.
    pub(super) fn update_group(&mut self, group: Option<GroupKey>, room: usize) -> bool {
        let Some(key) = group else {
            return false;
        };
        let Some(group) = self.groups.get_mut(&key) else {
            return false;
        };
        let counted = group.waiting.min(room);
        self.ready = self.ready - group.counted + counted;
        group.counted = counted;
        let listed = group.heads.first().copied().filter(|_| room > 0);
        let before = std::mem::replace(&mut group.listed, listed);
        if before != listed {
            if let Some((turn, inputs)) = before {
                self.heads.remove(&(turn, inputs, Some(key)));
            }
            if let Some((turn, inputs)) = listed {
                self.heads.insert((turn, inputs, Some(key)));
            }
        }
        if group.waiting == 0 {
            self.groups.remove(&key);
        }
        true
    }
}
