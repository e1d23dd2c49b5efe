//! Promise 7: clients share by weight, not by order of arrival, and none starves.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

/// Always busy workers, in virtual time.
struct FairnessSimulation {
    scheduler: JobScheduler,
    now: u64,
    running: BTreeSet<(u64, LeaseTuple)>,
    next_job: BTreeMap<u64, u64>,
    /// How long a job of each client takes, and how much slot time each client has had.
    takes_ms: BTreeMap<u64, u64>,
    served_ms: BTreeMap<u64, u64>,
    /// Whose jobs were granted, in order.
    order: Vec<u64>,
}

/// A lease that can be sorted: fence, client, job, worker.
type LeaseTuple = (u64, u64, u64, u32);

impl FairnessSimulation {
    fn new(slots: u32) -> FairnessSimulation {
        let mut scheduler = JobScheduler::new(exact(), FencingToken(1));
        scheduler.inputs(InputsId(0), InputAvailability::Ready);
        scheduler.join(1, slots, 0);
        FairnessSimulation {
            scheduler,
            now: 0,
            running: BTreeSet::new(),
            next_job: BTreeMap::new(),
            takes_ms: BTreeMap::new(),
            served_ms: BTreeMap::new(),
            order: Vec::new(),
        }
    }

    /// A client with this weight, and jobs that each take this long.
    fn client(&mut self, client: u64, weight: u32, takes_ms: u64, jobs: u64) {
        self.scheduler.client_joined(ClientId(client), weight);
        self.takes_ms.insert(client, takes_ms);
        self.more(client, jobs);
    }

    fn more(&mut self, client: u64, jobs: u64) {
        let next = self.next_job.entry(client).or_default();
        let range = *next..*next + jobs;
        *next += jobs;
        self.scheduler.submit_all(client, range);
    }

    /// Grants what can be granted, then ends the next job. Returns its client, if one ended.
    fn step(&mut self) -> Option<u64> {
        for grant in self.scheduler.grants(at(self.now), usize::MAX) {
            let Lease { key, worker, fence } = grant.lease;
            self.order.push(key.client.0);
            self.scheduler.started(worker, key, fence, at(self.now));
            let ends = self.now + self.takes_ms[&key.client.0];
            let lease = (fence.0, key.client.0, key.job.0, worker.0);
            self.running.insert((ends, lease));
        }
        let (ends, (fence, client, job, worker)) = self.running.pop_first()?;
        self.now = ends;
        *self.served_ms.entry(client).or_default() += self.takes_ms[&client];
        let lease = Lease {
            key: key(client, job),
            worker: WorkerId(worker),
            fence: FencingToken(fence),
        };
        self.scheduler.heartbeat(lease.worker, at(ends));
        assert_eq!(self.scheduler.done(lease, ends), ReportDisposition::Report);
        Some(client)
    }

    /// Keeps every client's queue full for this many jobs.
    fn busy(&mut self, jobs: usize) {
        for _ in 0..jobs {
            let client = self.step().expect("there is always work");
            self.more(client, 1);
        }
    }
}

/// Promise 9: more runs do not get a client more than others.
#[test]
fn many_runs_of_one_client_get_what_one_run_of_another_gets() {
    let mut shop = FairnessSimulation::new(1);
    for run in 1..=20 {
        shop.client(run, 100, 1_000, 100);
        shop.scheduler.client_shares(ClientId(run), 100, 2_000);
    }
    shop.client(21, 1, 1_000, 100);
    shop.busy(2_000);
    let honest = shop.order.iter().filter(|client| **client == 21).count();
    assert!((900..=1_100).contains(&honest), "{honest} of 2000");
}

#[test]
fn promise_7_leases_are_shared_by_weight() {
    let mut shop = FairnessSimulation::new(1);
    shop.client(1, 3, 1_000, 100);
    shop.client(2, 1, 1_000, 100);
    shop.busy(400);
    let of_first = shop.order.iter().filter(|client| **client == 1).count();
    assert!((298..=302).contains(&of_first), "{of_first} of 400");
}

#[test]
fn promise_7_slot_time_is_shared_not_leases() {
    let mut shop = FairnessSimulation::new(4);
    shop.client(1, 1, 10_000, 100);
    shop.client(2, 1, 100, 100);
    shop.busy(20_000);
    let (long, short) = (shop.served_ms[&1], shop.served_ms[&2]);
    assert!(
        long.abs_diff(short) * 10 < long + short,
        "{long} and {short} ms"
    );
}

#[test]
fn promise_7_a_newcomer_does_not_wait_behind_a_backlog() {
    let mut shop = FairnessSimulation::new(1);
    shop.client(1, 1, 1_000, 5_000);
    for _ in 0..500 {
        shop.step();
    }
    shop.client(2, 1, 1_000, 10);
    let before = shop.order.len();
    for _ in 0..20 {
        shop.step();
    }
    let of_second = shop.order[before..]
        .iter()
        .filter(|client| **client == 2)
        .count();
    assert!(of_second >= 9, "{:?}", &shop.order[before..]);
}

#[test]
fn promise_7_time_without_work_is_not_saved_up() {
    let mut shop = FairnessSimulation::new(1);
    shop.client(1, 1, 1_000, 5_000);
    shop.client(2, 1, 1_000, 1);
    for _ in 0..1_000 {
        shop.step();
    }
    shop.more(2, 1_000);
    let before = shop.order.len();
    for _ in 0..100 {
        shop.step();
    }
    let of_second = shop.order[before..]
        .iter()
        .filter(|client| **client == 2)
        .count();
    assert!((48..=52).contains(&of_second), "{of_second} of 100");
}

#[test]
fn promise_7_a_client_that_waited_for_its_workers_does_not_stop_the_others_for_long() {
    let mut shop = FairnessSimulation::new(1);
    shop.client(1, 1, 1_000, 5_000);
    // Its toolbox is nowhere for a long time.
    shop.client(2, 1, 1_000, 0);
    for job in 0..1_000 {
        let kind = SchedulingClass {
            toolbox: Some(ToolboxId(1)),
            ..kind(0)
        };
        shop.scheduler
            .submit(key(2, job), demand(kind), at(0))
            .unwrap();
    }
    for _ in 0..1_000 {
        shop.step();
    }
    shop.scheduler
        .worker_offers(WorkerId(1), ToolboxId(1), ToolboxPresence::Yes);
    let before = shop.order.len();
    for _ in 0..300 {
        shop.step();
    }
    let lag_max = usize::try_from(SchedulerLimits::default().lag_max_ms / 1_000).unwrap();
    let turns = &shop.order[before..];
    assert!(turns[..lag_max + 3].contains(&1), "{turns:?}");
    let late = &turns[lag_max + 3..];
    let of_first = late.iter().filter(|client| **client == 1).count();
    assert!(of_first.abs_diff(late.len() / 2) <= 2, "{late:?}");
}

proptest! {
    /// A ready job is granted within a bounded number of grants, whatever the others do: they have
    /// endless work, and after each job a newcomer brings one more.
    #[test]
    fn promise_7_nobody_starves(
        others in prop::collection::vec((1u32..=4, 100u64..=400), 1..6),
        warm in 0usize..200,
        mine in (1u32..=4, 100u64..=400),
    ) {
        let mut shop = FairnessSimulation::new(2);
        for (client, (weight, takes_ms)) in (1..).zip(&others) {
            shop.client(client, *weight, *takes_ms, 10);
        }
        shop.busy(warm);
        shop.client(100, mine.0, mine.1, 1);
        let before = shop.order.len();
        // The charge of one lease: at most 1,000 ms (as long as nothing is known) at weight 1, at
        // least 100 ms at weight 4. So one lease of one client is worth 40 of another.
        let bound = 41 * (others.len() + 3);
        for newcomer in 1_000.. {
            if shop.order[before..].contains(&100) {
                break;
            }
            prop_assert!(shop.order.len() - before <= bound, "starved for {bound} grants");
            let client = shop.step().expect("there is always work");
            if client < 100 {
                shop.more(client, 1);
            }
            shop.client(newcomer, 1, 100, 1);
        }
    }

    /// Jobs of one client are ordered by priority, then by arrival.
    #[test]
    fn jobs_of_a_client_start_in_their_order(
        ranks in prop::collection::vec((-1i8..=1, prop::option::of(0u64..4), 0u32..3), 0..60),
    ) {
        let mut scheduler = scheduler_with(exact());
        for inputs in 0..3 {
            scheduler.inputs(InputsId(inputs), InputAvailability::Ready);
        }
        let mut expected = Vec::new();
        for (job, (priority, estimate, inputs)) in (0..).zip(ranks) {
            let rank = JobPriority { priority, estimate: estimate.map(Duration::from_secs) };
            let demand = JobDemand { rank, ..demand(kind(inputs)) };
            scheduler.submit(key(1, job), demand, at(0)).unwrap();
            expected.push((std::cmp::Reverse(rank), job));
        }
        expected.sort();
        scheduler.join(1, 100, 0);
        let order: Vec<u64> = scheduler.grants(at(0), 100).iter().map(|g| g.lease.key.job.0).collect();
        let expected: Vec<u64> = expected.into_iter().map(|(_, job)| job).collect();
        prop_assert_eq!(order, expected);
    }
}
