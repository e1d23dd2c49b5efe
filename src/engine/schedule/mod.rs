//! The job queue: decides which job runs next, and in which slot.
//!
//! Pure: no clock, no I/O, no randomness; the same calls return the same results. A backend owns a
//! scheduler and calls it whenever a job arrives or ends.
//!
//! The order is: higher priority first; among equals, jobs of unknown duration first; then the
//! longest first (so that a run does not end with one long job in one slot); then the order of
//! submission.
//!
//! Invariants:
//! - A job leaves the queue exactly once: started or withdrawn.
//! - A slot is never assigned to two jobs; the lowest free slot is assigned first.
//! - Every call is O(log n) in the number of jobs.
//!
//! There is no preemption, and no fairness between clients.

use std::collections::{BTreeMap, BTreeSet};

use maelstrom_model::backend::JobId;
use maelstrom_model::priority::{JobPriority, QueueKey};

/// The queue and the slots. `T` is the data needed to start a job; it is kept only while the job
/// waits.
#[derive(Debug)]
pub struct SlotScheduler<T> {
    queue: BTreeMap<QueueKey, QueuedPayload<T>>,
    jobs: BTreeMap<JobId, SchedulingState>,
    free: BTreeSet<u32>,
    arrivals: u64,
    gate: Admission,
}

#[derive(Debug)]
struct QueuedPayload<T> {
    job: JobId,
    payload: T,
}

/// Whether a job waits or runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum SchedulingState {
    Queued(QueueKey),
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
    pub slot: u32,
    /// The data that was submitted with the job.
    pub payload: T,
}

/// The result of [`SlotScheduler::withdraw`].
#[derive(Debug, PartialEq, Eq)]
pub enum WithdrawResult<T> {
    /// The job was waiting, and was removed from the queue.
    FromQueue(T),
    /// The job runs in this slot and keeps it until [`SlotScheduler::finished`].
    StillRunning { slot: u32 },
    /// There is no such job, or it has ended.
    Unknown,
}

/// A job with this id is already queued or running.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("job {} is already queued or running", .0.0)]
pub struct DuplicateJobError(pub JobId);

impl<T> SlotScheduler<T> {
    /// Creates an empty queue with this many slots.
    pub fn new(slots: u32) -> Self {
        SlotScheduler {
            queue: BTreeMap::new(),
            jobs: BTreeMap::new(),
            free: (0..slots).collect(),
            arrivals: 0,
            gate: Admission::Open,
        }
    }

    /// Adds a job to the queue.
    pub fn enqueue(
        &mut self,
        job: JobId,
        rank: JobPriority,
        payload: T,
    ) -> Result<(), DuplicateJobError> {
        if self.jobs.contains_key(&job) {
            return Err(DuplicateJobError(job));
        }
        let turn = QueueKey::new(rank, self.arrivals);
        self.arrivals += 1;
        self.jobs.insert(job, SchedulingState::Queued(turn));
        self.queue.insert(turn, QueuedPayload { job, payload });
        Ok(())
    }

    /// Assigns the lowest free slot to the next job. Returns `None` if no job waits, no slot is
    /// free, or the queue is held.
    pub fn start_next(&mut self) -> Option<SlotAssignment<T>> {
        if self.gate == Admission::Held || self.queue.is_empty() {
            return None;
        }
        let slot = self.free.pop_first()?;
        let (_, QueuedPayload { job, payload }) = self.queue.pop_first()?;
        self.jobs.insert(job, SchedulingState::Running { slot });
        Some(SlotAssignment { job, slot, payload })
    }

    /// Frees the slot of a running job and returns it. Returns `None` if the job was not running.
    pub fn finished(&mut self, job: JobId) -> Option<u32> {
        match self.jobs.get(&job) {
            Some(&SchedulingState::Running { slot }) => {
                self.jobs.remove(&job);
                self.free.insert(slot);
                Some(slot)
            }
            Some(SchedulingState::Queued(_)) | None => None,
        }
    }

    /// Removes a job from the queue, if it still waits.
    pub fn withdraw(&mut self, job: JobId) -> WithdrawResult<T> {
        match self.jobs.get(&job) {
            Some(&SchedulingState::Running { slot }) => WithdrawResult::StillRunning { slot },
            Some(SchedulingState::Queued(turn)) => match self.queue.remove(turn) {
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
}

#[cfg(test)]
mod tests;
