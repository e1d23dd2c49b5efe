//! The scheduler's limits, each with its reason.

/// The scheduler's limits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SchedulerLimits {
    /// How long a worker may be silent before its leases end, in milliseconds. Four heartbeats of 5
    /// s: three may be lost or late without harm, and a dead worker's jobs don't wait long.
    pub lease_ttl_ms: u64,
    /// The number of attempts at a job before it is given up. A job that kills its workers should
    /// not go through all of them; two failures could still be bad luck.
    pub attempts_max: u32,
    /// The delay after a job's first lost attempt. It doubles after each further one.
    pub backoff_base_ms: u64,
    /// The maximum of this delay.
    pub backoff_max_ms: u64,
    /// How long a job waits for a worker that has not failed it, while only others have room. That
    /// worker may be busy for long, and then trying the same worker again is better than never.
    pub patience_ms: u64,
    /// The interval at which such a job looks for another worker.
    pub look_again_ms: u64,
    /// The number of leases that a worker may have beyond its slots, so that the next job is
    /// already there when one ends. One or two hide the round trip to the broker; more only take
    /// jobs from workers that are free sooner.
    pub prefetch_per_worker: u32,
    /// The maximum number of slots of a worker that count: more than any machine has CPUs, so a
    /// higher claim is false.
    pub slots_per_worker_max: u32,
    /// The number of times that a job may be returned unstarted without penalty. Each worker of a
    /// cluster that is being replaced may do so once; a worker that always does it must not delay a
    /// job forever.
    pub returns_free_max: u32,
    /// The maximum number of unfinished jobs of one client: more than the largest suites have
    /// tests, and a limit on the memory that one client takes.
    pub jobs_per_client_max: usize,
    /// The maximum number of unfinished jobs of all clients.
    pub jobs_max: usize,
    /// The number of jobs that a client may have even if all clients together are at their limit,
    /// so that others cannot keep it out.
    pub jobs_guaranteed: usize,
    /// The maximum number of scheduling classes of one client's queued jobs: each has its own
    /// queue.
    pub kinds_per_client_max: usize,
    /// The number of finished jobs of one client that are remembered, so that they don't run again
    /// when they are submitted again. The lowest numbers, which are the oldest, are forgotten
    /// first.
    pub over_per_client_max: usize,
    /// The maximum number of toolboxes of one worker that count: a slot that becomes free is
    /// reported to the queue of each one. Unused toolboxes don't count, and a client may have only
    /// few.
    pub kits_per_worker_max: usize,
    /// The number of inputs that a worker is remembered to hold; they only affect preferences.
    pub inputs_per_worker_max: usize,
    /// The greatest weight of a client. Weights beyond it count as this: a hundred times as much as
    /// others is nearly all there is.
    pub weight_max: u32,
    /// The longest slot time that one lease is charged in advance, in milliseconds. Clients whose
    /// jobs take longer get more than their share, but none waits forever because of what another
    /// client used.
    pub charge_max_ms: u64,
    /// The charge of a lease in milliseconds, as long as nothing is known about the client's jobs.
    pub charge_unknown_ms: u64,
    /// How far a client's account may stay behind the others', as slot time at weight 1: what it
    /// may catch up on when the workers it waited for are free at last.
    pub lag_max_ms: u64,
    /// The number of workers that are considered to find one that holds the inputs.
    pub placement_probes: usize,
}

impl Default for SchedulerLimits {
    fn default() -> SchedulerLimits {
        SchedulerLimits {
            lease_ttl_ms: 20_000,
            attempts_max: 3,
            backoff_base_ms: 500,
            backoff_max_ms: 10_000,
            patience_ms: 20_000,
            look_again_ms: 500,
            prefetch_per_worker: 2,
            slots_per_worker_max: 4096,
            returns_free_max: 16,
            jobs_per_client_max: 250_000,
            jobs_max: 1_000_000,
            jobs_guaranteed: 1_000,
            kinds_per_client_max: 1024,
            over_per_client_max: 500_000,
            kits_per_worker_max: 1024,
            inputs_per_worker_max: 4096,
            weight_max: 100,
            charge_max_ms: 60_000,
            charge_unknown_ms: 1_000,
            lag_max_ms: 120_000,
            placement_probes: 16,
        }
    }
}
