//! The lease book: which jobs wait, who holds which, and who gets the next.
//!
//! Pure: no clock, no I/O, no randomness, no order of a hash map; the same calls give the same
//! answers. The server around it owns one, tells it what clients and workers say and what time it
//! is, and does what it answers.
//!
//! ```text
//!                 submit                    grants                    finished
//!   client ─────────────────▶ queued ─────────────────▶ leased ─────────────────▶ over
//!                               ▲                          │
//!                               ├──────── returned ────────┤
//!                               └─ delayed ◀─ lost, failed ┘  (the last attempt: over)
//! ```
//!
//! - [`types`](self): the values that go in and out. [`SchedulerLimits`]: what is kept to.
//! - `book`: the state; `client_state`, `worker_state`, `lease_state`, `counters`: what it is made of.
//! - `clients`: submissions and cancellations. `workers`: who is there, and who was.
//!   `resume`: workers that come back. `leases`: how attempts begin and end.
//! - `queue`: what waits, in order. `grants`: the next decisions. `status`: figures for people.
//!
//! Invariants:
//! - A job that was taken is queued, delayed or leased until it is over, and then never again. Its
//!   outcome is told exactly once: see [`ReportDisposition::Report`].
//! - A job has at most one lease. A report counts only with the fence of that lease, from the worker
//!   that holds it. A fence is never given twice.
//! - A worker never has more leases than it said it takes, nor more than its slots and
//!   [`SchedulerLimits::prefetch_per_worker`].
//! - A worker that drains, is silent or gone gets no lease.
//! - Among the jobs of a client: [`JobPriority`](maelstrom_model::priority::JobPriority), then arrival. Among
//!   clients: slot time by weight (`queue::share`). A job that cannot start is in nobody's way.
//! - Each call is O(log n) in the number of jobs, but for [`JobScheduler::status`], [`JobScheduler::client_left`],
//!   and what loses many leases at once, which take a step for each.
//!
//! Absent on purpose: what jobs are, their outcomes, and whom to tell; connections; the journal.

mod book;
mod client_state;
mod clients;
mod counters;
mod grants;
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

pub use self::book::JobScheduler;
pub use self::counters::SchedulerCounters;
pub use self::limits::SchedulerLimits;
pub use self::status::{
    ClientStatus, PoolStatus, SchedulerStatus, WorkerAvailability, WorkerStatus,
};
pub use self::types::{
    Architecture, AttemptResult, BrokerInstant, CancelOutcome, ClientAdmission, ClientId,
    CreditOutcome, FencingToken, InputAvailability, InputLocality, InputsId, JobDemand, JobKey,
    Lease, LeaseEvent, LeaseGrant, LeaseStatus, ReportDisposition, ResumePlan, RetrySchedule,
    ReturnOutcome, SchedulingClass, SubmitError, SubmitOutcome, ToolboxId, ToolboxPresence,
    ToolboxRegistration, WorkerCapacity,
};

impl JobScheduler {
    /// Lets time pass: workers that were silent too long lose their leases, and jobs whose delay is
    /// over wait in the queue again.
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
            // It keeps its turn: of its client's jobs of the same rank, those that came later wait
            // for it.
            self.enqueue(key);
        }
        events
    }

    /// When [`JobScheduler::tick`] will have something to do, if nothing else happens before.
    pub fn next_tick(&self) -> Option<BrokerInstant> {
        let deadline = self.deadlines.first().map(|(at, _)| *at);
        let due = self.delayed.first().map(|(at, _)| *at);
        match (deadline, due) {
            (Some(deadline), Some(due)) => Some(deadline.min(due)),
            (one, other) => one.or(other),
        }
    }
}
