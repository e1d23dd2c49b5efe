//! Leases: how attempts start and end.

use super::lease_state::{ClientIntent, LeaseState, LossReason};
use super::{
    AttemptResult, BrokerInstant, FencingToken, JobKey, JobScheduler, Lease, LeaseEvent,
    LeaseStatus, ReportDisposition, RetrySchedule, ReturnOutcome, SchedulerLimits, SchedulingClass,
};
use maelstrom_model::ids::WorkerId;

/// The consequence of a lost attempt for its job.
pub(super) enum RetryDecision {
    /// The job returns to the queue without penalty.
    Queued,
    Retry(RetrySchedule),
    GivenUp(Vec<WorkerId>),
    Cancelled,
    Abandoned,
}

impl JobScheduler {
    /// Handles the start of a job in a slot. Idempotent.
    pub fn started(
        &mut self,
        worker: WorkerId,
        key: JobKey,
        fence: FencingToken,
        now: BrokerInstant,
    ) -> LeaseStatus {
        let Some(lease) = self.current(worker, key, fence) else {
            self.counters.stale += 1;
            return LeaseStatus::Stale;
        };
        // A returning worker repeats the report; the job has had its slot since the first one.
        lease.started.get_or_insert(now);
        let standing = match lease.wish {
            ClientIntent::Wanted => LeaseStatus::Current,
            ClientIntent::Cancelled | ClientIntent::Abandoned => LeaseStatus::Cancelled,
        };
        let inputs = lease.kind.inputs;
        self.note_holder(worker, inputs);
        standing
    }

    /// Handles a worker's report of an attempt's end; the container is gone. Returns what to do
    /// about it.
    pub fn finished(
        &mut self,
        worker: WorkerId,
        key: JobKey,
        fence: FencingToken,
        how: AttemptResult,
        now: BrokerInstant,
    ) -> ReportDisposition {
        let Some(lease) = self.current(worker, key, fence).copied() else {
            self.counters.stale += 1;
            return ReportDisposition::Stale;
        };
        // A failed attempt counts, too, because it occupied the slot.
        if let Some(started) = lease.started {
            let took_ms = now.ms_since(started);
            self.queue
                .learn(key.client, lease.kind.architecture, took_ms);
        }
        match (lease.wish, how) {
            (ClientIntent::Wanted, AttemptResult::InfrastructureFailure) => {}
            (ClientIntent::Wanted | ClientIntent::Cancelled, _) => {
                self.release(key);
                self.over(key);
                self.counters.reported += 1;
                return ReportDisposition::Report;
            }
            (ClientIntent::Abandoned, _) => {}
        }
        match self.lose(key, LossReason::Failed, now) {
            RetryDecision::Retry(retry) => ReportDisposition::Retry(retry),
            RetryDecision::GivenUp(workers) => ReportDisposition::GivenUp { workers },
            RetryDecision::Abandoned => ReportDisposition::Abandoned,
            // Only unstarted jobs return without penalty, and a cancelled one was reported.
            RetryDecision::Queued | RetryDecision::Cancelled => ReportDisposition::Stale,
        }
    }

    /// Handles the return of a job that a worker has not started, for example when it drains.
    pub fn returned(
        &mut self,
        worker: WorkerId,
        key: JobKey,
        fence: FencingToken,
        now: BrokerInstant,
    ) -> ReturnOutcome {
        if self.current(worker, key, fence).is_none() {
            self.counters.stale += 1;
            return ReturnOutcome::Stale;
        }
        match self.lose(key, LossReason::Unstarted, now) {
            RetryDecision::Queued => ReturnOutcome::Queued,
            RetryDecision::Retry(retry) => ReturnOutcome::Retry(retry),
            RetryDecision::GivenUp(workers) => ReturnOutcome::GivenUp { workers },
            RetryDecision::Cancelled => ReturnOutcome::Cancelled,
            RetryDecision::Abandoned => ReturnOutcome::Abandoned,
        }
    }

    /// Returns the lease of a job, if it has one.
    pub fn lease_of(&self, key: JobKey) -> Option<Lease> {
        self.leases.get(&key).map(|lease| lease.of(key))
    }

    /// Returns the lease that a worker reports on, if it is the job's current one.
    fn current(
        &mut self,
        worker: WorkerId,
        key: JobKey,
        fence: FencingToken,
    ) -> Option<&mut LeaseState> {
        let lease = self.leases.get_mut(&key)?;
        (lease.worker == worker && lease.fence == fence).then_some(lease)
    }

    /// Leases a job that is in no queue to a worker.
    pub(super) fn lease(
        &mut self,
        lease: Lease,
        kind: SchedulingClass,
        started: Option<BrokerInstant>,
    ) {
        let slots = self.slots_on(lease.key, lease.worker);
        let state = LeaseState {
            kind,
            worker: lease.worker,
            slots,
            fence: lease.fence,
            started,
            wish: ClientIntent::Wanted,
        };
        self.leases.insert(lease.key, state);
        // The holders of fences from before a restart are unknown, so each fence is accepted once.
        if lease.fence < self.first_fence {
            self.old_fences.insert(lease.fence);
        }
        if let Some(worker) = self.workers.get_mut(&lease.worker) {
            worker.leases.insert(lease.key);
            worker.slots_taken += u64::from(slots);
        }
        self.queue.group_leased(lease.key.client, kind.group);
        self.refresh(lease.worker);
    }

    /// Sets the client's intent for a leased job; an abandoned one stays so.
    pub(super) fn wish(&mut self, key: JobKey, wish: ClientIntent) -> Option<Lease> {
        let lease = self.leases.get_mut(&key)?;
        if lease.wish != ClientIntent::Abandoned {
            lease.wish = wish;
        }
        Some(lease.of(key))
    }

    /// Removes a lease, which gives its worker room for another.
    fn release(&mut self, key: JobKey) -> Option<LeaseState> {
        let lease = self.leases.remove(&key)?;
        self.old_fences.remove(&lease.fence);
        if let Some(worker) = self.workers.get_mut(&lease.worker) {
            worker.leases.remove(&key);
            worker.slots_taken = worker.slots_taken.saturating_sub(lease.slots.into());
        }
        self.queue.group_released(key.client, lease.kind.group);
        self.refresh(lease.worker);
        Some(lease)
    }

    /// Ends a lease without an outcome, and decides what happens to the job.
    pub(super) fn lose(
        &mut self,
        key: JobKey,
        cause: LossReason,
        now: BrokerInstant,
    ) -> RetryDecision {
        let Some(lease) = self.release(key) else {
            return RetryDecision::Queued;
        };
        match lease.wish {
            ClientIntent::Wanted => self.try_again(key, lease, cause, now),
            ClientIntent::Cancelled => {
                self.over(key);
                self.counters.cancelled += 1;
                RetryDecision::Cancelled
            }
            ClientIntent::Abandoned => {
                self.over(key);
                self.counters.dropped += 1;
                RetryDecision::Abandoned
            }
        }
    }

    fn try_again(
        &mut self,
        key: JobKey,
        lease: LeaseState,
        cause: LossReason,
        now: BrokerInstant,
    ) -> RetryDecision {
        self.counters.count(cause);
        let limits = self.limits;
        let mishaps = self.mishaps.entry(key).or_default();
        if cause == LossReason::Unstarted && mishaps.returns < limits.returns_free_max {
            mishaps.returns += 1;
            self.enqueue(key);
            return RetryDecision::Queued;
        }
        // The fence is kept, too: a worker that returns with this attempt may continue it.
        mishaps.lost.push((lease.worker, lease.fence));
        let lost = u32::try_from(mishaps.lost.len()).unwrap_or(u32::MAX);
        if lost >= limits.attempts_max {
            let workers = mishaps.lost.iter().map(|(worker, _)| *worker).collect();
            self.over(key);
            self.counters.given_up += 1;
            return RetryDecision::GivenUp(workers);
        }
        let not_before = now.plus_ms(backoff_ms(&limits, lost));
        mishaps.patient_until = not_before.plus_ms(limits.patience_ms);
        self.delay(key, not_before);
        RetryDecision::Retry(RetrySchedule { lost, not_before })
    }

    /// Calls [`JobScheduler::lose`], and returns the result as an event.
    pub(super) fn lose_event(
        &mut self,
        lease: Lease,
        cause: LossReason,
        now: BrokerInstant,
    ) -> LeaseEvent {
        match self.lose(lease.key, cause, now) {
            RetryDecision::Queued => {
                let retry = RetrySchedule {
                    lost: self.lost(lease.key),
                    not_before: now,
                };
                LeaseEvent::Lost { lease, retry }
            }
            RetryDecision::Retry(retry) => LeaseEvent::Lost { lease, retry },
            RetryDecision::GivenUp(workers) => LeaseEvent::GivenUp { lease, workers },
            RetryDecision::Cancelled => LeaseEvent::Cancelled { lease },
            RetryDecision::Abandoned => LeaseEvent::Abandoned { lease },
        }
    }
}

/// Returns the delay of a job with this many lost attempts: it doubles each time.
fn backoff_ms(limits: &SchedulerLimits, lost: u32) -> u64 {
    let doubled = 1_u64
        .checked_shl(lost.saturating_sub(1))
        .unwrap_or(u64::MAX);
    let backoff = limits.backoff_base_ms.saturating_mul(doubled);
    backoff.min(limits.backoff_max_ms)
}
