//! How an attempt begins and ends: granted, started, finished, handed back, lost.

use super::{
    Book, Event, Fence, How, JobKey, Kind, Lease, Limits, Moment, Retry, Returned, Standing,
    Verdict,
};
use maelstrom_model::ids::WorkerId;

/// The state of a lease.
#[derive(Clone, Copy, Debug)]
pub(super) struct LeaseState {
    kind: Kind,
    pub(super) worker: WorkerId,
    pub(super) fence: Fence,
    pub(super) started: Option<Moment>,
    pub(super) wish: Wish,
}

impl LeaseState {
    pub(super) fn of(&self, key: JobKey) -> Lease {
        Lease {
            key,
            worker: self.worker,
            fence: self.fence,
        }
    }
}

/// What the job's client wants of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wish {
    Wanted,
    Cancelled,
    /// The client has left.
    Abandoned,
}

/// What ends an attempt without an outcome.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cause {
    /// Its worker was silent too long.
    Expired,
    /// Its worker says that it cannot.
    Failed,
    /// Its worker came back without it, or as another process.
    Vanished,
    /// It never began: handed back, or never arrived.
    Unstarted,
}

/// What becomes of a job whose attempt is lost.
pub(super) enum Fate {
    /// It waits again and has lost nothing.
    Queued,
    Retry(Retry),
    GivenUp(Vec<WorkerId>),
    Cancelled,
    Abandoned,
}

impl Book {
    /// A worker has put a job into a slot. Saying it twice is fine.
    pub fn started(
        &mut self,
        worker: WorkerId,
        key: JobKey,
        fence: Fence,
        now: Moment,
    ) -> Standing {
        let Some(lease) = self.current(worker, key, fence) else {
            self.counters.stale += 1;
            return Standing::Stale;
        };
        lease.started.get_or_insert(now);
        let standing = match lease.wish {
            Wish::Wanted => Standing::Current,
            Wish::Cancelled | Wish::Abandoned => Standing::Cancelled,
        };
        let inputs = lease.kind.inputs;
        self.note_holder(worker, inputs);
        standing
    }

    /// A worker says how an attempt ended; the container is gone. Says what to do about it.
    pub fn finished(
        &mut self,
        worker: WorkerId,
        key: JobKey,
        fence: Fence,
        how: How,
        now: Moment,
    ) -> Verdict {
        let Some(lease) = self.current(worker, key, fence).copied() else {
            self.counters.stale += 1;
            return Verdict::Stale;
        };
        if let Some(started) = lease.started {
            let took_ms = now.ms_since(started);
            self.queue
                .learn(key.client, lease.kind.architecture, took_ms);
        }
        match (lease.wish, how) {
            (Wish::Wanted, How::InfrastructureFailure) => {}
            (Wish::Wanted | Wish::Cancelled, _) => {
                self.release(key);
                self.over(key);
                self.counters.reported += 1;
                return Verdict::Report;
            }
            (Wish::Abandoned, _) => {}
        }
        match self.lose(key, Cause::Failed, now) {
            Fate::Retry(retry) => Verdict::Retry(retry),
            Fate::GivenUp(workers) => Verdict::GivenUp { workers },
            Fate::Abandoned => Verdict::Abandoned,
            // Only what was never started is queued for nothing, and a cancelled job was reported.
            Fate::Queued | Fate::Cancelled => Verdict::Stale,
        }
    }

    /// A worker hands a job back that it has not started, as when it drains.
    pub fn returned(
        &mut self,
        worker: WorkerId,
        key: JobKey,
        fence: Fence,
        now: Moment,
    ) -> Returned {
        if self.current(worker, key, fence).is_none() {
            self.counters.stale += 1;
            return Returned::Stale;
        }
        match self.lose(key, Cause::Unstarted, now) {
            Fate::Queued => Returned::Queued,
            Fate::Retry(retry) => Returned::Retry(retry),
            Fate::GivenUp(workers) => Returned::GivenUp { workers },
            Fate::Cancelled => Returned::Cancelled,
            Fate::Abandoned => Returned::Abandoned,
        }
    }

    /// The lease of a job, if it has one.
    pub fn lease_of(&self, key: JobKey) -> Option<Lease> {
        self.leases.get(&key).map(|lease| lease.of(key))
    }

    /// The lease that a worker speaks of, if it is the job's lease.
    fn current(&mut self, worker: WorkerId, key: JobKey, fence: Fence) -> Option<&mut LeaseState> {
        let lease = self.leases.get_mut(&key)?;
        (lease.worker == worker && lease.fence == fence).then_some(lease)
    }

    /// Gives a job that is in no queue to a worker.
    pub(super) fn lease(&mut self, lease: Lease, kind: Kind, started: Option<Moment>) {
        let state = LeaseState {
            kind,
            worker: lease.worker,
            fence: lease.fence,
            started,
            wish: Wish::Wanted,
        };
        self.leases.insert(lease.key, state);
        if lease.fence < self.first_fence {
            self.old_fences.insert(lease.fence);
        }
        if let Some(worker) = self.workers.get_mut(&lease.worker) {
            worker.leases.insert(lease.key);
        }
        self.refresh(lease.worker);
    }

    /// What a client wants of a job that is leased; an abandoned one stays so.
    pub(super) fn wish(&mut self, key: JobKey, wish: Wish) -> Option<Lease> {
        let lease = self.leases.get_mut(&key)?;
        if lease.wish != Wish::Abandoned {
            lease.wish = wish;
        }
        Some(lease.of(key))
    }

    /// Ends a lease; the worker can take another.
    fn release(&mut self, key: JobKey) -> Option<LeaseState> {
        let lease = self.leases.remove(&key)?;
        self.old_fences.remove(&lease.fence);
        if let Some(worker) = self.workers.get_mut(&lease.worker) {
            worker.leases.remove(&key);
        }
        self.refresh(lease.worker);
        Some(lease)
    }

    /// Ends a lease that has no outcome, and decides what becomes of the job.
    pub(super) fn lose(&mut self, key: JobKey, cause: Cause, now: Moment) -> Fate {
        let Some(lease) = self.release(key) else {
            return Fate::Queued;
        };
        match lease.wish {
            Wish::Wanted => self.try_again(key, lease, cause, now),
            Wish::Cancelled => {
                self.over(key);
                self.counters.cancelled += 1;
                Fate::Cancelled
            }
            Wish::Abandoned => {
                self.over(key);
                self.counters.dropped += 1;
                Fate::Abandoned
            }
        }
    }

    fn try_again(&mut self, key: JobKey, lease: LeaseState, cause: Cause, now: Moment) -> Fate {
        self.counters.count(cause);
        let limits = self.limits;
        let mishaps = self.mishaps.entry(key).or_default();
        if cause == Cause::Unstarted && mishaps.returns < limits.returns_free_max {
            mishaps.returns += 1;
            self.enqueue(key);
            return Fate::Queued;
        }
        mishaps.lost.push((lease.worker, lease.fence));
        let lost = u32::try_from(mishaps.lost.len()).unwrap_or(u32::MAX);
        if lost >= limits.attempts_max {
            let workers = mishaps.lost.iter().map(|(worker, _)| *worker).collect();
            self.over(key);
            self.counters.given_up += 1;
            return Fate::GivenUp(workers);
        }
        let not_before = now.plus_ms(backoff_ms(&limits, lost));
        mishaps.patient_until = not_before.plus_ms(limits.patience_ms);
        self.delay(key, not_before);
        Fate::Retry(Retry { lost, not_before })
    }

    /// [`Book::lose`], told as an event.
    pub(super) fn lose_event(&mut self, lease: Lease, cause: Cause, now: Moment) -> Event {
        match self.lose(lease.key, cause, now) {
            Fate::Queued => {
                let retry = Retry {
                    lost: self.lost(lease.key),
                    not_before: now,
                };
                Event::Lost { lease, retry }
            }
            Fate::Retry(retry) => Event::Lost { lease, retry },
            Fate::GivenUp(workers) => Event::GivenUp { lease, workers },
            Fate::Cancelled => Event::Cancelled { lease },
            Fate::Abandoned => Event::Abandoned { lease },
        }
    }
}

/// How long a job waits that has lost this many attempts: twice as long each time.
fn backoff_ms(limits: &Limits, lost: u32) -> u64 {
    let doubled = 1_u64
        .checked_shl(lost.saturating_sub(1))
        .unwrap_or(u64::MAX);
    let backoff = limits.backoff_base_ms.saturating_mul(doubled);
    backoff.min(limits.backoff_max_ms)
}
