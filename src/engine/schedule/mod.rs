//! Decides which job is next, and in which slot.
//!
//! Pure: no clock, no I/O, no randomness; the same calls give the same answers. A backend owns one
//! and asks it whenever a job arrives or ends.
//!
//! The order is: higher priority first; among equals, jobs of unknown duration; then the longest
//! (so that a run does not end with one long job on one slot); then the order of submission.
//!
//! Invariants:
//! - A job leaves the queue exactly once: started or withdrawn.
//! - A slot is never given to two jobs; the lowest free slot is given first.
//! - Every call is O(log n) in the number of jobs.
//!
//! There is no preemption, and no fairness between clients.

use std::collections::{BTreeMap, BTreeSet};

use maelstrom_model::backend::JobId;
use maelstrom_model::priority::{JobPriority, QueueKey};

/// The queue and the slots. `T` is whatever is needed to start a job; it is kept only while the job
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

/// Where a job is.
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

/// A job whose turn has come.
#[derive(Debug, PartialEq, Eq)]
pub struct SlotAssignment<T> {
    pub job: JobId,
    pub slot: u32,
    /// What was handed over with it.
    pub payload: T,
}

/// What [`SlotScheduler::withdraw`] found.
#[derive(Debug, PartialEq, Eq)]
pub enum WithdrawResult<T> {
    /// The job waited; it is gone from the queue.
    FromQueue(T),
    /// The job runs in this slot and keeps it until [`SlotScheduler::finished`].
    StillRunning { slot: u32 },
    /// No such job, or not any more.
    Unknown,
}

/// A job was handed over twice.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("job {} is already queued or running", .0.0)]
pub struct DuplicateJobError(pub JobId);

impl<T> SlotScheduler<T> {
    /// An empty queue before this many slots.
    pub fn new(slots: u32) -> Self {
        SlotScheduler {
            queue: BTreeMap::new(),
            jobs: BTreeMap::new(),
            free: (0..slots).collect(),
            arrivals: 0,
            gate: Admission::Open,
        }
    }

    /// Puts a job into the queue.
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

    /// Gives the next job the lowest free slot. `None` when nothing waits, nothing is free, or the
    /// queue is held.
    pub fn start_next(&mut self) -> Option<SlotAssignment<T>> {
        if self.gate == Admission::Held || self.queue.is_empty() {
            return None;
        }
        let slot = self.free.pop_first()?;
        let (_, QueuedPayload { job, payload }) = self.queue.pop_first()?;
        self.jobs.insert(job, SchedulingState::Running { slot });
        Some(SlotAssignment { job, slot, payload })
    }

    /// A running job is over; its slot, now free again. `None` if it was not running.
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

    /// Takes a job out of the queue, if it still waits there.
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

    /// Starts nothing until [`SlotScheduler::release`].
    pub fn hold(&mut self) {
        self.gate = Admission::Held;
    }

    /// Starts jobs again.
    pub fn release(&mut self) {
        self.gate = Admission::Open;
    }

    /// How many jobs wait.
    pub fn queued(&self) -> usize {
        self.queue.len()
    }

    /// How many jobs run.
    pub fn running(&self) -> usize {
        self.jobs.len() - self.queue.len()
    }
}

#[cfg(test)]
mod tests;
