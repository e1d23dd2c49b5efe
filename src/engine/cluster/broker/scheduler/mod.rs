//! The job scheduler: which jobs wait, which worker holds which, and which job is next.
//!
//! Pure: no clock, no I/O, no randomness, no hash map order; equal calls give equal answers. The
//! core owns it, passes it what clients and workers report along with the time, and carries out its
//! decisions.
//!
//! ```text
//!                 submit                    grants                    finished
//!   client ─────────────────▶ queued ─────────────────▶ leased ─────────────────▶ over
//!                               ▲                          │
//!                               ├──────── returned ────────┤
//!                               └─ delayed ◀─ lost, failed ┘  (the last attempt: over)
//! ```
//!
//! - [`types`](self): inputs and outputs. [`SchedulerLimits`]: the limits.
//! - `job_scheduler`: the state; `client_state`, `worker_state`, `lease_state`, `counters`: its
//!   parts.
//! - `clients`: submissions and cancellations. `workers`: present and absent workers. `resume`:
//!   returning workers. `leases`: how attempts start and end.
//! - `queue`: the waiting jobs. `grants`: the next decisions. `status`: statistics.
//!
//! Invariants:
//! - An accepted job is queued, delayed or leased until it is over, and never again after that. Its
//!   outcome is reported exactly once: see [`ReportDisposition::Report`].
//! - A job has at most one lease. A report counts only with the fence of that lease, from the
//!   worker that holds it. A fence is never reused.
//! - A worker never has more leases than its credit, nor more than its slots and
//!   [`SchedulerLimits::prefetch_per_worker`].
//! - A worker that drains, is silent or is gone gets no lease.
//! - A group of a client never has more leases than its maximum, whichever workers hold them.
//! - A worker whose leases take all of its slots gets a further one only as a prefetched one. A
//!   lease that takes several slots counts once for each of them; the worker starts it once they are free, and
//!   nothing that it got later before.
//! - Jobs of one client are ordered by [`JobPriority`](maelstrom_model::priority::JobPriority),
//!   then by arrival. Clients share slot time by weight (`queue::fair_share`). A job that cannot
//!   start blocks no other.
//! - Each call is O(log n) in the number of jobs, except [`JobScheduler::status`],
//!   [`JobScheduler::client_left`] and calls that lose many leases at once, which take a step for
//!   each.
//!
//! The contents of jobs, their outcomes, connections and the journal belong to the core.

mod client_state;
mod clients;
mod counters;
mod grants;
mod job_scheduler;
mod lease_state;
mod leases;
mod limits;
mod queue;
mod resume;
mod status;
mod types;
mod worker_state;
mod workers;

#[cfg(test)]
mod tests;

pub use self::counters::SchedulerCounters;
pub use self::job_scheduler::JobScheduler;
pub use self::limits::SchedulerLimits;
pub use self::status::{
    ClientStatus, PoolStatus, SchedulerStatus, WorkerAvailability, WorkerStatus,
};
pub use self::types::{
    Architecture, AttemptResult, BrokerInstant, CancelOutcome, ClientAdmission, ClientId,
    CreditOutcome, FencingToken, GroupKey, InputAvailability, InputLocality, InputsId, JobDemand,
    JobKey, Lease, LeaseEvent, LeaseGrant, LeaseStatus, ReportDisposition, ResumePlan,
    RetrySchedule, ReturnOutcome, SchedulingClass, SubmitError, SubmitOutcome, ToolboxId,
    ToolboxPresence, ToolboxRegistration, WorkerCapacity, WorkerNeeds,
};

impl JobScheduler {
    /// Advances the time: silent workers lose their leases, and jobs whose delay is over return to
    /// the queue.
    pub fn tick(&mut self, now: BrokerInstant) -> Vec<LeaseEvent> {
        let mut events = Vec::new();
        while let Some(&(deadline, worker)) = self.deadlines.first()
            && deadline <= now
        {
            self.deadlines.remove(&(deadline, worker));
            self.give_up_worker(worker, now, &mut events);
        }
        while let Some(&(due, key)) = self.delayed.first()
            && due <= now
        {
            self.delayed.remove(&(due, key));
            // The job keeps its place: jobs of the same client and priority that arrived later come
            // after it.
            self.enqueue(key);
        }
        events
    }

    /// Returns when [`JobScheduler::tick`] will have work to do if there is no event before.
    pub fn next_tick(&self) -> Option<BrokerInstant> {
        let deadline = self.deadlines.first().map(|(at, _)| *at);
        let due = self.delayed.first().map(|(at, _)| *at);
        match (deadline, due) {
            (Some(deadline), Some(due)) => Some(deadline.min(due)),
            (one, other) => one.or(other),
        }
    }
}
