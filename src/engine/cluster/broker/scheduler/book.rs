//! The state that all parts of the lease book share. What changes it is in the files beside this
//! one, by what it is about.

use std::collections::{BTreeMap, BTreeSet};

use super::client_state::{RetryState, ScheduledClient};
use super::counters::SchedulerCounters;
use super::lease_state::LeaseState;
use super::queue::FairQueue;
use super::worker_state::ScheduledWorker;
use super::{BrokerInstant, ClientId, FencingToken, JobKey, SchedulerLimits};
use maelstrom_model::ids::WorkerId;

/// The lease book. See the [module](self).
#[derive(Debug)]
pub struct JobScheduler {
    pub(super) limits: SchedulerLimits,
    pub(super) clients: BTreeMap<ClientId, ScheduledClient>,
    pub(super) workers: BTreeMap<WorkerId, ScheduledWorker>,
    pub(super) leases: BTreeMap<JobKey, LeaseState>,
    pub(super) mishaps: BTreeMap<JobKey, RetryState>,
    pub(super) queue: FairQueue,
    /// Jobs that wait for a time, by it.
    pub(super) delayed: BTreeSet<(BrokerInstant, JobKey)>,
    /// When workers are given up, unless they are heard before.
    pub(super) deadlines: BTreeSet<(BrokerInstant, WorkerId)>,
    pub(super) first_fence: FencingToken,
    pub(super) next_fence: FencingToken,
    /// Fences from before the start that are held again.
    pub(super) old_fences: BTreeSet<FencingToken>,
    pub(super) arrivals: u64,
    pub(super) unfinished: usize,
    pub(super) counters: SchedulerCounters,
}

impl JobScheduler {
    /// An empty book. Of fences it gives `first_fence` and those above it, so after a restart this
    /// must be greater than all that were given before.
    pub fn new(limits: SchedulerLimits, first_fence: FencingToken) -> JobScheduler {
        JobScheduler {
            limits,
            clients: BTreeMap::new(),
            workers: BTreeMap::new(),
            leases: BTreeMap::new(),
            mishaps: BTreeMap::new(),
            queue: FairQueue::new(limits),
            delayed: BTreeSet::new(),
            deadlines: BTreeSet::new(),
            first_fence,
            next_fence: first_fence,
            old_fences: BTreeSet::new(),
            arrivals: 0,
            unfinished: 0,
            counters: SchedulerCounters::default(),
        }
    }
}
