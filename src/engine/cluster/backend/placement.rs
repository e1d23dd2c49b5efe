//! Places portable jobs on this machine or the cluster, when the user contributes local slots.
//! Pure.
//!
//! Jobs wait here, ordered by priority, until either side has room: a job at the broker could not
//! be taken back without stopping it, because it may just have started. The broker gets only a few
//! more jobs than its workers have slots, so that both sides finish at about the same time.
//!
//! A job that the cluster cannot start, for example because no worker provides what it needs, comes
//! back and runs locally.
//!
//! No more jobs of a group leave the queue than may run at a time: on either side they would be in
//! the way of others.

use std::collections::{HashMap, HashSet};

use maelstrom_engine::schedule::groups::{GroupNumber, GroupedQueue};
use maelstrom_model::backend::{JobId, JobPriority};
use maelstrom_model::ids::WorkerId;
use maelstrom_model::job::Job;
use maelstrom_model::policy::JobLimit;
use maelstrom_model::priority::QueueKey;

/// The number of jobs at the broker for each slot of its workers: one that runs, and two in transit
/// for when it ends.
const AWAY_PER_SLOT: usize = 3;

/// The number of this machine among the workers of a run.
const THIS_MACHINE: WorkerId = WorkerId(0);

/// The portable jobs that wait or run, and the number of free local slots.
pub(super) struct PlacementQueue {
    local_slots: usize,
    waiting: GroupedQueue<(JobId, Job, JobPriority)>,
    turns: HashMap<JobId, (QueueKey, Option<GroupNumber>)>,
    /// The groups of the jobs that have left the queue and are not over.
    groups: HashMap<JobId, GroupNumber>,
    arrivals: u64,
    here: HashSet<JobId>,
    away: HashMap<JobId, ClusterJob>,
}

/// A job at the broker.
enum ClusterJob {
    /// The job has not started, and could run locally.
    Unstarted(Box<Job>, JobPriority),
    /// The job has started, or was cancelled.
    Settled,
}

/// A job and where it runs.
pub(super) enum PlacedJob {
    Here(JobId, Job, JobPriority),
    Away(JobId, Job, JobPriority),
}

impl PlacementQueue {
    /// Creates an empty queue for this number of local slots.
    pub(super) fn new(local_slots: u32) -> PlacementQueue {
        PlacementQueue {
            local_slots: local_slots as usize,
            waiting: GroupedQueue::default(),
            turns: HashMap::new(),
            groups: HashMap::new(),
            arrivals: 0,
            here: HashSet::new(),
            away: HashMap::new(),
        }
    }

    /// Adds a job that may run anywhere.
    pub(super) fn submit(&mut self, id: JobId, job: Job, rank: JobPriority) {
        let turn = QueueKey::new(rank, self.arrivals);
        self.arrivals += 1;
        // Devices are a machine's, and counted there.
        let group = job.needs.group.as_ref().map(JobLimit::from).into_iter();
        let group = self.waiting.insert(turn, group, (id, job, rank));
        self.turns.insert(id, (turn, group));
    }

    /// Returns the next job that has room somewhere, given the cluster's number of slots.
    pub(super) fn next(&mut self, cluster_slots: u64) -> Option<PlacedJob> {
        let is_free_here = self.here.len() < self.local_slots;
        let away_max = usize::try_from(cluster_slots).unwrap_or(usize::MAX);
        let is_free_away = self.away.len() < away_max.saturating_mul(AWAY_PER_SLOT);
        if !is_free_here && !is_free_away {
            return None;
        }
        let next = self.waiting.start_first()?;
        let (id, job, rank) = next.item;
        self.turns.remove(&id);
        if let Some(group) = next.group {
            self.groups.insert(id, group);
        }
        let avoids_this_machine = job.needs.avoided_worker == Some(THIS_MACHINE);
        Some(
            match is_free_here && !(avoids_this_machine && is_free_away) {
                // The job starts at once, without any transfer.
                true => {
                    self.here.insert(id);
                    PlacedJob::Here(id, job, rank)
                }
                false => {
                    let unstarted = ClusterJob::Unstarted(Box::new(job.clone()), rank);
                    self.away.insert(id, unstarted);
                    PlacedJob::Away(id, job, rank)
                }
            },
        )
    }

    /// Removes a cancelled job. Returns whether it was waiting here.
    pub(super) fn cancel(&mut self, id: JobId) -> bool {
        if let Some(away) = self.away.get_mut(&id) {
            // A cancelled job must not start locally when the broker gives it up.
            *away = ClusterJob::Settled;
        }
        let turn = self.turns.remove(&id);
        turn.is_some_and(|(turn, group)| self.waiting.remove(turn, group).is_some())
    }

    /// Handles the start of a job on the cluster.
    pub(super) fn started_remote(&mut self, id: JobId) {
        if let Some(away) = self.away.get_mut(&id) {
            *away = ClusterJob::Settled;
        }
    }

    /// Handles the end of a job on the cluster.
    pub(super) fn finished_remote(&mut self, id: JobId) {
        self.away.remove(&id);
        self.leave_group(id);
    }

    /// Takes back a job that the cluster could not run, unless it has started there.
    pub(super) fn take_back(&mut self, id: JobId) -> Option<(Job, JobPriority)> {
        match self.away.remove(&id)? {
            ClusterJob::Unstarted(job, rank) => {
                self.here.insert(id);
                Some((*job, rank))
            }
            ClusterJob::Settled => {
                self.leave_group(id);
                None
            }
        }
    }

    /// Handles the end of a local job.
    pub(super) fn finished_local(&mut self, id: JobId) {
        self.here.remove(&id);
        self.leave_group(id);
    }

    fn leave_group(&mut self, id: JobId) {
        if let Some(group) = self.groups.remove(&id) {
            self.waiting.ended(group);
        }
    }

    /// Counts a job that is not portable, and so runs locally.
    pub(super) fn keep_local(&mut self, id: JobId) {
        if self.away.remove(&id).is_some() {
            self.here.insert(id);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;
    use std::path::Path;
    use std::sync::Arc;
    use std::time::Duration;

    use super::*;
    use maelstrom_model::job::{
        ContainerSpec, JobInputs, NetworkMode, OutputPipes, PlacementConstraint, PrivilegeLevel,
        ProcessSpec, RootKind,
    };
    use maelstrom_model::policy::JobGroup;

    fn job() -> Job {
        Job {
            container: Arc::new(ContainerSpec {
                root: RootKind::Skeleton(Vec::new()),
                mounts: Vec::new(),
                network: NetworkMode::Loopback,
                hostname: String::new(),
                user: 0,
                group: 0,
                privileges: PrivilegeLevel::Ordinary,
                services: Vec::new(),
                devices: Vec::new(),
            }),
            process: Arc::new(ProcessSpec {
                program: Arc::from(Path::new("/bin/true").as_os_str()),
                arguments: Vec::new(),
                environment: Arc::default(),
                working_directory: Arc::from(Path::new("/")),
            }),
            output: OutputPipes::Separate,
            resident: None,
            timeout: None,
            placement: PlacementConstraint::Anywhere(Arc::new(JobInputs::default())),
            grace: None,
            needs: Default::default(),
            additions: Default::default(),
        }
    }

    fn taken(sharing: &mut PlacementQueue, slots: u64) -> Vec<(&'static str, u64)> {
        let next = || sharing.next(slots);
        std::iter::from_fn(next)
            .map(|next| match next {
                PlacedJob::Here(id, ..) => ("here", id.0),
                PlacedJob::Away(id, ..) => ("away", id.0),
            })
            .collect()
    }

    fn sharing(local_slots: u32, jobs: u64) -> PlacementQueue {
        let mut sharing = PlacementQueue::new(local_slots);
        for id in 0..jobs {
            sharing.submit(JobId(id), job(), JobPriority::default());
        }
        sharing
    }

    #[test]
    fn both_sides_get_what_they_can_take_and_no_job_goes_twice() {
        let mut sharing = sharing(2, 9);
        let first = taken(&mut sharing, 1);
        let expected = [
            ("here", 0),
            ("here", 1),
            ("away", 2),
            ("away", 3),
            ("away", 4),
        ];
        assert_eq!(first, expected);
        sharing.finished_local(JobId(1));
        sharing.started_remote(JobId(2));
        assert_eq!(taken(&mut sharing, 1), [("here", 5)]);
        sharing.finished_remote(JobId(2));
        assert_eq!(taken(&mut sharing, 1), [("away", 6)]);
        // A worker leaves, another joins.
        assert_eq!(taken(&mut sharing, 0), []);
        assert_eq!(taken(&mut sharing, 2), [("away", 7), ("away", 8)]);
    }

    #[test]
    fn without_workers_everything_runs_here_one_after_another() {
        let mut sharing = sharing(1, 3);
        for id in 0..3 {
            assert_eq!(taken(&mut sharing, 0), [("here", id)]);
            sharing.finished_local(JobId(id));
        }
        assert_eq!(taken(&mut sharing, 0), []);
    }

    #[test]
    fn the_greater_rank_goes_first() {
        let mut sharing = sharing(1, 1);
        let rank = |priority, seconds| JobPriority {
            priority,
            estimate: Some(Duration::from_secs(seconds)),
        };
        sharing.submit(JobId(7), job(), rank(1, 1));
        sharing.submit(JobId(8), job(), rank(0, 2));
        assert_eq!(taken(&mut sharing, 0), [("here", 7)]);
        sharing.finished_local(JobId(7));
        // Its duration is unknown.
        assert_eq!(taken(&mut sharing, 0), [("here", 0)]);
    }

    #[test]
    fn what_did_not_begin_comes_back_unless_it_is_unwanted() {
        let mut sharing = sharing(1, 5);
        assert_eq!(taken(&mut sharing, 1).len(), 4);
        sharing.started_remote(JobId(1));
        assert!(sharing.take_back(JobId(1)).is_none());
        assert!(!sharing.cancel(JobId(2)));
        assert!(sharing.take_back(JobId(2)).is_none());
        assert!(sharing.take_back(JobId(3)).is_some());
        // The job has a local slot now, so both must end before the last one begins.
        sharing.finished_local(JobId(0));
        assert_eq!(taken(&mut sharing, 0), []);
        sharing.finished_local(JobId(3));
        assert_eq!(taken(&mut sharing, 0), [("here", 4)]);
    }

    #[test]
    fn a_group_has_no_more_jobs_on_both_sides_than_may_run() {
        let mut sharing = PlacementQueue::new(1);
        let group = JobGroup {
            name: "database".into(),
            jobs_max: NonZeroU32::new(2).unwrap(),
        };
        for id in 0..6 {
            let mut job = job();
            job.needs.group = (id < 4).then(|| group.clone());
            sharing.submit(JobId(id), job, JobPriority::default());
        }
        let first = [("here", 0), ("away", 1), ("away", 4), ("away", 5)];
        assert_eq!(taken(&mut sharing, 2), first);
        // It goes on here, so its place is not free.
        assert!(sharing.take_back(JobId(1)).is_some());
        assert_eq!(taken(&mut sharing, 2), []);
        sharing.finished_local(JobId(0));
        assert_eq!(taken(&mut sharing, 2), [("away", 2)]);
        assert!(sharing.cancel(JobId(3)));
        sharing.finished_remote(JobId(2));
        assert_eq!(taken(&mut sharing, 2), []);
    }

    #[test]
    fn what_waits_is_cancelled_at_once() {
        let mut sharing = sharing(1, 3);
        assert!(sharing.cancel(JobId(0)));
        assert!(!sharing.cancel(JobId(0)));
        assert_eq!(taken(&mut sharing, 0), [("here", 1)]);
        assert!(!sharing.cancel(JobId(1)));
    }
}
