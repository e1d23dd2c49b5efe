//! The scheduler's state. The other files in this directory change it, one for each subject.

use std::collections::{BTreeMap, BTreeSet};

use super::client_state::{RetryState, ScheduledClient, SpecialNeeds};
use super::counters::SchedulerCounters;
use super::lease_state::LeaseState;
use super::queue::FairQueue;
use super::worker_state::ScheduledWorker;
use super::{BrokerInstant, ClientId, FencingToken, JobKey, SchedulerLimits};
use maelstrom_model::ids::WorkerId;

/// The job scheduler. See the [module](self).
#[derive(Debug)]
pub struct JobScheduler {
    pub(super) limits: SchedulerLimits,
    pub(super) clients: BTreeMap<ClientId, ScheduledClient>,
    pub(super) workers: BTreeMap<WorkerId, ScheduledWorker>,
    pub(super) leases: BTreeMap<JobKey, LeaseState>,
    pub(super) mishaps: BTreeMap<JobKey, RetryState>,
    pub(super) special: BTreeMap<JobKey, SpecialNeeds>,
    pub(super) queue: FairQueue,
    /// Delayed jobs, by the time when they return to the queue.
    pub(super) delayed: BTreeSet<(BrokerInstant, JobKey)>,
    /// The times at which workers are given up unless a heartbeat arrives before.
    pub(super) deadlines: BTreeSet<(BrokerInstant, WorkerId)>,
    pub(super) first_fence: FencingToken,
    pub(super) next_fence: FencingToken,
    /// Fences from before a restart that are held again.
    pub(super) old_fences: BTreeSet<FencingToken>,
    pub(super) arrivals: u64,
    pub(super) unfinished: usize,
    pub(super) counters: SchedulerCounters,
}

impl JobScheduler {
    /// Creates an empty scheduler. It assigns fences from `first_fence` on, which must exceed all
    /// that were assigned before a restart.
    pub fn new(limits: SchedulerLimits, first_fence: FencingToken) -> JobScheduler {
        JobScheduler {
            limits,
            clients: BTreeMap::new(),
            workers: BTreeMap::new(),
            leases: BTreeMap::new(),
            mishaps: BTreeMap::new(),
            special: BTreeMap::new(),
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
