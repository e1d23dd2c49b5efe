//! The job queue: decides which job runs next, and in which slot.
//!
//! Pure: no clock, no I/O, no randomness; the same calls return the same results. A backend owns a
//! scheduler and calls it whenever a job arrives or ends.
//!
//! The order is: higher priority first; among equals, jobs of unknown duration first; then the
//! longest first (so that a run does not end with one long job in one slot); then the order of
//! submission.
//!
//! A job may need more than a slot ([`JobNeeds`]). The first job in the order whose group and
//! devices are not in full use is next. While it needs more slots or memory than are free, nothing else starts: what
//! running jobs give back is kept for it, so it waits no longer than for the jobs that run. Jobs of
//! a full group, or for a device in full use, are passed over, and keep their place.
//!
//! - [`groups`]: the waiting jobs. [`room`]: the slots and the memory of a machine.
//!
//! Invariants:
//! - A job leaves the queue exactly once: started or withdrawn.
//! - A slot is never assigned to two jobs; the lowest free slots are assigned first.
//! - No more jobs of a group, or with a device, run than its maximum. An exclusive job runs alone.
//! - Every call is O(log n) in the number of jobs, and in proportion to the slots that a job takes.
//!   Jobs without special needs cost nothing more than their place in the order.
//!
//! There is no preemption, and no fairness between clients. There is one worker, so none that a
//! job could avoid.

pub mod groups;
pub mod room;

use std::collections::{BTreeMap, BTreeSet};

use self::groups::{GroupNumber, GroupedQueue, NextJob};
use self::room::{MachineRoom, RoomShare};
use maelstrom_model::backend::JobId;
use maelstrom_model::policy::JobNeeds;
use maelstrom_model::priority::{JobPriority, QueueKey};

/// The queue and the slots. `T` is the data needed to start a job; it is kept only while the job
/// waits.
#[derive(Debug)]
pub struct SlotScheduler<T> {
    queue: GroupedQueue<QueuedPayload<T>>,
    jobs: BTreeMap<JobId, SchedulingState>,
    free: BTreeSet<u32>,
    room: MachineRoom,
    /// What running jobs hold besides one slot. Most hold nothing.
    holdings: BTreeMap<JobId, JobHoldings>,
    arrivals: u64,
    gate: Admission,
}

#[derive(Debug)]
struct QueuedPayload<T> {
    job: JobId,
    share: RoomShare,
    payload: T,
}

/// What a running job holds besides its first slot.
#[derive(Debug)]
struct JobHoldings {
    share: RoomShare,
    more_slots: Vec<u32>,
    group: Option<GroupNumber>,
}

/// Whether a job waits or runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum SchedulingState {
    Queued(QueueKey, Option<GroupNumber>),
    Running { slot: u32 },
}

/// Whether jobs may start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Admission {
    Open,
    Held,
}

/// A job that starts in a slot.
#[derive(Debug, PartialEq, Eq)]
pub struct SlotAssignment<T> {
    pub job: JobId,
    /// The lowest of its slots.
    pub slot: u32,
    /// The data that was submitted with the job.
    pub payload: T,
}

/// The result of [`SlotScheduler::withdraw`].
#[derive(Debug, PartialEq, Eq)]
pub enum WithdrawResult<T> {
    /// The job was waiting, and was removed from the queue.
    FromQueue(T),
    /// The job runs in this slot, its lowest, and keeps it until [`SlotScheduler::finished`].
    StillRunning { slot: u32 },
    /// There is no such job, or it has ended.
    Unknown,
}

/// A job with this id is already queued or running.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("job {} is already queued or running", .0.0)]
pub struct DuplicateJobError(pub JobId);

/// A job without special needs takes this much.
const ONE_SLOT: RoomShare = RoomShare {
    slots: 1,
    memory_bytes: 0,
};

impl<T> SlotScheduler<T> {
    /// Creates an empty queue with this many slots.
    pub fn new(slots: u32) -> Self {
        SlotScheduler {
            queue: GroupedQueue::default(),
            jobs: BTreeMap::new(),
            free: (0..slots).collect(),
            room: MachineRoom::new(slots),
            holdings: BTreeMap::new(),
            arrivals: 0,
            gate: Admission::Open,
        }
    }

    /// Limits the memory that running jobs together are expected to take, in bytes. To be called
    /// before the first job is added.
    pub fn with_memory(self, memory_max: Option<u64>) -> Self {
        let room = self.room.with_memory(memory_max);
        SlotScheduler { room, ..self }
    }

    /// Adds a job that needs nothing but a slot to the queue.
    pub fn enqueue(
        &mut self,
        job: JobId,
        rank: JobPriority,
        payload: T,
    ) -> Result<(), DuplicateJobError> {
        self.enqueue_with_needs(job, rank, &JobNeeds::default(), payload)
    }

    /// Adds a job to the queue.
    pub fn enqueue_with_needs(
        &mut self,
        job: JobId,
        rank: JobPriority,
        needs: &JobNeeds,
        payload: T,
    ) -> Result<(), DuplicateJobError> {
        if self.jobs.contains_key(&job) {
            return Err(DuplicateJobError(job));
        }
        let turn = QueueKey::new(rank, self.arrivals);
        self.arrivals += 1;
        let share = self.room.share(needs);
        let queued = QueuedPayload {
            job,
            share,
            payload,
        };
        let group = self.queue.insert(turn, needs.limits(), queued);
        self.jobs.insert(job, SchedulingState::Queued(turn, group));
        Ok(())
    }

    /// Assigns the lowest free slots to the next job. Returns `None` if no job can start, or the
    /// queue is held.
    pub fn start_next(&mut self) -> Option<SlotAssignment<T>> {
        if self.gate == Admission::Held || self.free.is_empty() {
            return None;
        }
        let share = self.queue.first()?.item.share;
        if !self.room.fits(share) {
            return None;
        }
        let slot = self.free.pop_first()?;
        let NextJob { group, item, .. } = self.queue.start_first()?;
        let QueuedPayload { job, payload, .. } = item;
        self.room.take(share);
        if share != ONE_SLOT || group.is_some() {
            let more = (1..share.slots).filter_map(|_| self.free.pop_first());
            let holdings = JobHoldings {
                share,
                more_slots: more.collect(),
                group,
            };
            self.holdings.insert(job, holdings);
        }
        self.jobs.insert(job, SchedulingState::Running { slot });
        Some(SlotAssignment { job, slot, payload })
    }

    /// Frees the slots of a running job and returns the lowest. Returns `None` if the job was not
    /// running.
    pub fn finished(&mut self, job: JobId) -> Option<u32> {
        match self.jobs.get(&job) {
            Some(&SchedulingState::Running { slot }) => {
                self.jobs.remove(&job);
                self.free.insert(slot);
                let share = match self.holdings.remove(&job) {
                    None => ONE_SLOT,
                    Some(held) => {
                        self.free.extend(held.more_slots);
                        if let Some(group) = held.group {
                            self.queue.ended(group);
                        }
                        held.share
                    }
                };
                self.room.give_back(share);
                Some(slot)
            }
            Some(SchedulingState::Queued(..)) | None => None,
        }
    }

    /// Removes a job from the queue, if it still waits.
    pub fn withdraw(&mut self, job: JobId) -> WithdrawResult<T> {
        match self.jobs.get(&job) {
            Some(&SchedulingState::Running { slot }) => WithdrawResult::StillRunning { slot },
            Some(SchedulingState::Queued(turn, group)) => match self.queue.remove(*turn, *group) {
                Some(waiting) => {
                    self.jobs.remove(&job);
                    WithdrawResult::FromQueue(waiting.payload)
                }
                None => WithdrawResult::Unknown,
            },
            None => WithdrawResult::Unknown,
        }
    }

    /// Starts no jobs until [`SlotScheduler::release`].
    pub fn hold(&mut self) {
        self.gate = Admission::Held;
    }

    /// Lets jobs start again.
    pub fn release(&mut self) {
        self.gate = Admission::Open;
    }

    /// Returns the number of waiting jobs.
    pub fn queued(&self) -> usize {
        self.queue.len()
    }

    /// Returns the number of running jobs.
    pub fn running(&self) -> usize {
        self.jobs.len() - self.queue.len()
    }

    /// Returns the number of slots that running jobs take.
    pub fn busy_slots(&self) -> u32 {
        self.room.slots_taken()
    }
}

#[cfg(test)]
mod tests;
