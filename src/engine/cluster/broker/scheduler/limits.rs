//! The scheduler's limits, each with its reason.

/// The scheduler's limits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SchedulerLimits {
    /// How long a worker may be silent before its leases are over. Four heartbeats of 5 s: three
    /// may be lost or late without harm, and a dead worker's jobs don't wait long.
    pub lease_ttl_ms: u64,
    /// How often a job is tried before it is given up. A job that kills its workers should not go
    /// through all of them; twice could still be bad luck.
    pub attempts_max: u32,
    /// How long a job waits after its first lost attempt. Twice as long after each further one.
    pub backoff_base_ms: u64,
    /// How long it waits at most.
    pub backoff_max_ms: u64,
    /// How long a job waits for a worker that has not failed it, while others stand by that have.
    /// The other may be busy for long; then the same again is better than never.
    pub patience_ms: u64,
    /// How often such a job looks for another worker.
    pub look_again_ms: u64,
    /// Leases that a worker may have beyond its slots, so that the next job is there when one ends.
    /// One or two hide the way to the broker and back; more only take jobs from workers that are
    pub prefetch_per_worker: u32,
    /// Slots of a worker that count. More than any machine has processors; whoever says more lies.
    pub slots_per_worker_max: u32,
    /// How often a job may be returned unstarted without penalty. Each worker of a cluster that is
    /// being replaced may do so once; a worker that does it forever must not keep a job forever.
    pub returns_free_max: u32,
    /// Unfinished jobs of one client: more than the largest suites have tests, and a bound on the
    /// memory that one client takes.
    pub jobs_per_client_max: usize,
    /// Unfinished jobs of all clients.
    pub jobs_max: usize,
    /// So many jobs a client may have although all together are at their limit: others cannot keep
    /// it
    pub jobs_guaranteed: usize,
    /// Kinds of queued jobs of one client: each has a queue of its own.
    pub kinds_per_client_max: usize,
    /// Finished jobs of one client that are remembered, so that they don't run again when they are
    /// submitted again. The lowest numbers, which are the oldest, are forgotten first.
    pub over_per_client_max: usize,
    /// Toolboxes of one worker that count: a slot that becomes free is told to each one's queue.
    /// Those that nobody wants any more don't count, and a client may want few.
    pub kits_per_worker_max: usize,
    /// Inputs that a worker is remembered to hold; it is only a preference.
    pub inputs_per_worker_max: usize,
    /// The greatest weight of a client. Weights beyond it count as this: a hundred times as much as
    /// others is nearly all there is.
    pub weight_max: u32,
    /// The longest slot time that one lease is charged for in advance. Clients whose jobs take
    /// longer get more than their share, but none waits for ever behind what another once used.
    pub charge_max_ms: u64,
    /// What a lease of a client is charged as long as nothing is known of its jobs.
    pub charge_unknown_ms: u64,
    /// How far a client's account may stay behind the others', as slot time at weight 1: what it
    /// may catch up on when the workers it waited for are free at last.
    pub lag_max_ms: u64,
    /// How many workers are looked at for one that holds the inputs.
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
