//! What jobs need besides a worker of their class: groups, several slots, another worker.

use super::model::SchedulerModel;
use super::*;

impl SchedulerModel {
    /// Returns the maximum of a group, which its jobs agree about.
    pub(super) fn group_max(group: GroupKey) -> NonZeroU32 {
        NonZeroU32::MIN.saturating_add(u32::try_from(group.0).unwrap())
    }

    /// Checks that a job's group has no more leases than its maximum.
    pub(super) fn check_group(&self, key: JobKey) {
        let Some(group) = self.kind_of(key).group else {
            return;
        };
        let leases = self.leases();
        let leases = leases.iter().map(|lease| lease.key);
        let members = leases.filter(|other| {
            other.client == key.client && self.kind_of(*other).group == Some(group)
        });
        assert!(
            members.count() <= Self::group_max(group).get() as usize,
            "{key:?}"
        );
    }
}

/// The demand of a job of a group that has one job at a time.
fn grouped(inputs: u32, group: u64) -> JobDemand {
    demand(SchedulingClass {
        group: Some(GroupKey(group)),
        ..kind(inputs)
    })
}

fn of_weight(weight: u32) -> JobDemand {
    let mut demand = demand(kind(0));
    demand.needs.weight = NonZeroU32::new(weight).unwrap();
    demand
}

fn exclusive() -> JobDemand {
    let mut demand = demand(kind(0));
    demand.needs.exclusive = true;
    demand
}

impl JobScheduler {
    fn submit_one(&mut self, client: u64, job: u64, demand: JobDemand) {
        let submitted = self.submit(key(client, job), demand, at(0));
        assert_eq!(submitted, Ok(SubmitOutcome::New));
    }

    /// The jobs that can start now, with their workers.
    fn granted(&mut self, now: u64) -> Vec<(JobKey, u32)> {
        let grants = self.grants(at(now), usize::MAX);
        let leases = grants.iter().map(|grant| grant.lease);
        leases.map(|lease| (lease.key, lease.worker.0)).collect()
    }

    fn end(&mut self, key: JobKey, now: u64) {
        let lease = self.lease_of(key).unwrap();
        self.done(lease, now);
    }
}

#[test]
fn a_group_counts_on_all_workers_and_for_each_client_alone() {
    let mut scheduler = scheduler_with(exact());
    scheduler.client_joined(ClientId(2), 1);
    scheduler.inputs(InputsId(1), InputAvailability::Ready);
    for client in [1, 2] {
        // Of different containers.
        scheduler.submit_one(client, 0, grouped(0, 7));
        scheduler.submit_one(client, 1, grouped(1, 7));
        scheduler.submit_one(client, 2, demand(kind(0)));
    }
    for worker in 1..=6 {
        scheduler.join(worker, 1, 0);
    }
    let first: BTreeSet<JobKey> = scheduler.granted(0).iter().map(|(key, _)| *key).collect();
    let expected = [(1, 0), (1, 2), (2, 0), (2, 2)].map(|(client, job)| key(client, job));
    assert_eq!(first, BTreeSet::from(expected));
    scheduler.end(key(2, 0), 1);
    let next: Vec<JobKey> = scheduler.granted(1).iter().map(|(key, _)| *key).collect();
    assert_eq!(next, [key(2, 1)]);
}

#[test]
fn a_job_of_a_full_group_keeps_its_place() {
    let mut scheduler = scheduler_with(exact());
    scheduler.submit_one(1, 0, grouped(0, 7));
    scheduler.submit_one(1, 1, grouped(0, 7));
    scheduler.submit_all(1, 2..4);
    scheduler.join(1, 1, 0);
    let mut order = Vec::new();
    for now in 0..4 {
        let lease = scheduler.grant_one(now);
        order.push(lease.key.job.0);
        scheduler.done(lease, now);
    }
    assert_eq!(order, [0, 1, 2, 3]);
}

/// A lost attempt frees its place in the group, and a job that waits for its next one keeps none.
#[test]
fn a_delayed_job_takes_no_place_in_its_group() {
    let mut scheduler = scheduler_with(exact());
    scheduler.submit_one(1, 0, grouped(0, 7));
    scheduler.submit_one(1, 1, grouped(0, 7));
    scheduler.join(1, 4, 0);
    let lease = scheduler.grant_one(0);
    scheduler.fail(lease, 0);
    assert_eq!(scheduler.granted(0), [(key(1, 1), 1)]);
    scheduler.tick(at(600));
    assert_eq!(scheduler.granted(600), []);
    scheduler.end(key(1, 1), 700);
    // The worker has failed it, but is the only one.
    assert_eq!(scheduler.granted(700), [(key(1, 0), 1)]);
}

/// After a restart of the broker, leases that workers still hold count in their groups.
#[test]
fn an_adopted_lease_counts_in_its_group() {
    let mut scheduler = scheduler_with(exact());
    scheduler.submit_one(1, 0, grouped(0, 7));
    scheduler.submit_one(1, 1, grouped(0, 7));
    let held = |job, fence| (key(1, job), FencingToken(fence));
    let resumed = scheduler.worker_resumed(WorkerId(1), offer(2), &[held(0, 5)], at(0));
    assert_eq!(resumed.keep.len(), 1);
    assert_eq!(scheduler.granted(0), []);
    // A lease that had been given up is not taken back beyond the maximum.
    let resumed = scheduler.worker_resumed(WorkerId(2), offer(2), &[held(1, 6)], at(0));
    assert_eq!((resumed.keep.len(), resumed.stop.len()), (0, 1));
    scheduler.end(key(1, 0), 1);
    assert_eq!(scheduler.granted(1).len(), 1);
}

/// With a step for each waiting job in each decision, this test would not end.
#[test]
fn a_full_group_of_many_jobs_costs_nothing() {
    let mut scheduler = scheduler_with(exact());
    for job in 0..20_000 {
        scheduler.submit_one(1, job, grouped(0, 7));
    }
    scheduler.join(1, 2, 0);
    assert_eq!(scheduler.granted(0), [(key(1, 0), 1)]);
    for job in 20_000..30_000 {
        scheduler.submit_one(1, job, demand(kind(0)));
        assert_eq!(scheduler.granted(0), [(key(1, job), 1)]);
        scheduler.end(key(1, job), 0);
    }
}

#[test]
fn a_wide_job_goes_where_its_slots_are() {
    let mut scheduler = scheduler_with(exact());
    scheduler.join(1, 2, 0);
    scheduler.join(2, 4, 0);
    scheduler.submit_one(1, 0, of_weight(3));
    assert_eq!(scheduler.granted(0), [(key(1, 0), 2)]);
    // One slot is left there, and two on the other worker.
    scheduler.submit_all(1, 1..9);
    assert_eq!(scheduler.granted(0).len(), 3);
    let status = scheduler.status(at(0));
    assert_eq!((status.slots, status.busy), (6, 6));
    let taken: Vec<u64> = status.workers.iter().map(|it| it.slots_taken).collect();
    assert_eq!(taken, [2, 4]);
    scheduler.end(key(1, 0), 1);
    assert_eq!(scheduler.granted(1).len(), 3);
}

#[test]
fn a_job_wider_than_any_worker_takes_all_of_one() {
    let mut scheduler = scheduler_with(exact());
    scheduler.join(1, 2, 0);
    scheduler.submit_one(1, 0, of_weight(100));
    scheduler.submit_all(1, 1..2);
    assert_eq!(scheduler.granted(0), [(key(1, 0), 1)]);
    scheduler.end(key(1, 0), 1);
    assert_eq!(scheduler.granted(1), [(key(1, 1), 1)]);
}

#[test]
fn an_exclusive_job_goes_to_an_idle_worker_or_waits_on_one() {
    let mut scheduler = scheduler_with(exact());
    scheduler.submit_all(1, 0..1);
    scheduler.join(1, 2, 0);
    scheduler.grant_one(0);
    scheduler.join(2, 2, 0);
    scheduler.submit_one(1, 1, exclusive());
    scheduler.submit_one(1, 2, exclusive());
    scheduler.submit_all(1, 3..5);
    // The second one waits on the first worker for the job there, and nothing else goes to either.
    assert_eq!(scheduler.granted(0), [(key(1, 1), 2), (key(1, 2), 1)]);
    scheduler.end(key(1, 0), 1);
    assert_eq!(scheduler.granted(1), []);
    scheduler.end(key(1, 1), 2);
    assert_eq!(scheduler.granted(2), [(key(1, 3), 2), (key(1, 4), 2)]);
}

/// Slots are what clients share, not leases.
#[test]
fn a_wide_job_is_charged_for_all_of_its_slots() {
    let mut scheduler = scheduler_with(exact());
    scheduler.client_joined(ClientId(2), 1);
    scheduler.join(1, 4, 0);
    for job in 0..400 {
        scheduler.submit_one(1, job, of_weight(4));
        scheduler.submit_one(2, job, demand(kind(0)));
    }
    let (mut of_first, mut of_second) = (0, 0);
    for now in 0..100 {
        for (key, _) in scheduler.granted(now) {
            match key.client.0 {
                1 => of_first += 1,
                _ => of_second += 1,
            }
        }
        for lease in scheduler.leases_of(WorkerId(1)) {
            scheduler.done(lease, now);
        }
    }
    assert!(
        (3 * of_first..=5 * of_first).contains(&of_second),
        "{of_first}, {of_second}"
    );
}

fn avoiding(worker: u32, seconds: u64) -> JobDemand {
    let mut demand = demand(kind(0));
    demand.rank = estimated(seconds);
    demand.needs.avoided = Some(WorkerId(worker));
    demand
}

#[test]
fn an_avoided_worker_runs_a_job_only_if_no_other_can() {
    let mut scheduler = scheduler_with(exact());
    scheduler.join(1, 2, 0);
    scheduler.submit_one(1, 0, avoiding(1, 9));
    assert_eq!(scheduler.granted(0), [(key(1, 0), 1)]);
    scheduler.join(2, 2, 0);
    scheduler.submit_one(1, 1, avoiding(1, 9));
    assert_eq!(scheduler.granted(0), [(key(1, 1), 2)]);
}

#[test]
fn a_job_waits_for_another_worker_as_long_as_it_takes_itself() {
    for frees in [true, false] {
        let mut scheduler = scheduler_with(SchedulerLimits {
            lease_ttl_ms: 1_000_000,
            ..exact()
        });
        scheduler.join(2, 1, 0);
        scheduler.submit_all(1, 0..1);
        scheduler.grant_one(0);
        scheduler.join(1, 1, 0);
        scheduler.submit_one(1, 1, avoiding(1, 3));
        assert_eq!(scheduler.granted(0), []);
        // Others are served meanwhile.
        scheduler.submit_all(1, 2..3);
        assert_eq!(scheduler.granted(0), [(key(1, 2), 1)]);
        scheduler.end(key(1, 2), 1);
        if frees {
            scheduler.end(key(1, 0), 400);
        }
        let (granted, now) = loop {
            let now = scheduler.next_tick().expect("it looks again");
            scheduler.tick(now);
            if let [granted] = scheduler.granted(now.0)[..] {
                break (granted, now.0);
            }
        };
        match frees {
            true => assert_eq!((granted, now), ((key(1, 1), 2), 500)),
            false => assert_eq!((granted, now), ((key(1, 1), 1), 3_000)),
        }
    }
}
