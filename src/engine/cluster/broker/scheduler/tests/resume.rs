//! Promise 4: no running job is lost whose worker returns within its lease, and none runs twice
//! because of it.

use super::*;

/// Job 0 of client 1 leased to worker 1, which has lost its connection.
fn away() -> (JobScheduler, Lease) {
    let mut scheduler = scheduler_with(exact());
    scheduler.submit_all(1, 0..1);
    scheduler.join(1, 2, 0);
    let lease = scheduler.grant_one(0);
    scheduler.worker_left(WorkerId(1));
    (scheduler, lease)
}

fn resume(scheduler: &mut JobScheduler, worker: u32, held: &[Lease], now: u64) -> ResumePlan {
    let held: Vec<(JobKey, FencingToken)> =
        held.iter().map(|lease| (lease.key, lease.fence)).collect();
    scheduler.worker_resumed(WorkerId(worker), offer(2), &held, at(now))
}

fn kept(leases: &[Lease]) -> ResumePlan {
    ResumePlan {
        keep: leases.to_vec(),
        ..ResumePlan::default()
    }
}

fn stopped(leases: &[Lease]) -> ResumePlan {
    ResumePlan {
        stop: leases.to_vec(),
        ..ResumePlan::default()
    }
}

#[test]
fn promise_4_a_worker_that_returns_in_time_goes_on() {
    let (mut scheduler, lease) = away();
    assert_eq!(scheduler.grants(at(0), 9), []);
    assert_eq!(
        resume(&mut scheduler, 1, &[lease, lease], 10_000),
        kept(&[lease])
    );
    assert_eq!(scheduler.tick(at(TTL)), []);
    assert_eq!(scheduler.done(lease, TTL), ReportDisposition::Report);
}

#[test]
fn promise_4_a_late_one_goes_on_if_the_job_still_waits() {
    let (mut scheduler, lease) = away();
    scheduler.tick(at(TTL));
    for now in [TTL, TTL + 500] {
        scheduler.tick(at(now));
        assert_eq!(resume(&mut scheduler, 1, &[lease], now), kept(&[lease]));
        scheduler.tick(at(now));
        assert_eq!(scheduler.grants(at(now), 9), []);
    }
    assert_eq!(scheduler.done(lease, TTL), ReportDisposition::Report);
    assert_eq!(resume(&mut scheduler, 1, &[lease], TTL), stopped(&[lease]));
}

#[test]
fn promise_4_a_late_one_stops_if_another_has_the_job() {
    let (mut scheduler, lease) = away();
    scheduler.tick(at(TTL));
    scheduler.tick(at(TTL + 500));
    scheduler.join(2, 1, TTL + 500);
    let other = scheduler.grant_one(TTL + 500);
    assert_eq!(
        resume(&mut scheduler, 1, &[lease], TTL + 600),
        stopped(&[lease])
    );
    assert_eq!(scheduler.done(lease, TTL + 600), ReportDisposition::Stale);
    assert_eq!(scheduler.done(other, TTL + 600), ReportDisposition::Report);
}

#[test]
fn promise_4_after_a_restart_what_waits_is_adopted_once() {
    let mut scheduler = scheduler_with(exact());
    scheduler.submit_all(1, 0..2);
    let lease = |worker, job, fence| Lease {
        key: key(1, job),
        worker: WorkerId(worker),
        fence: FencingToken(fence),
    };
    let first = lease(1, 0, 40);
    assert_eq!(resume(&mut scheduler, 1, &[first], 0), kept(&[first]));
    assert_eq!(scheduler.counters().adopted, 1);
    // Another that claims the same job, or the same fence, is not believed.
    let claims = [lease(2, 1, 40), lease(2, 0, 41)];
    let stop = [claims[1], claims[0]];
    assert_eq!(resume(&mut scheduler, 2, &claims, 0), stopped(&stop));
    assert_eq!(scheduler.grants(at(0), 9).len(), 1);
    assert_eq!(scheduler.done(first, 0), ReportDisposition::Report);
}

#[test]
fn promise_4_fences_that_were_never_given_are_not_believed() {
    let (mut scheduler, lease) = away();
    scheduler.tick(at(TTL));
    for fence in [lease.fence.0 + 1, lease.fence.0 + 1_000, u64::MAX] {
        let claim = Lease {
            fence: FencingToken(fence),
            ..lease
        };
        assert_eq!(resume(&mut scheduler, 1, &[claim], TTL), stopped(&[claim]));
    }
    // Nor is the right one from another worker.
    let claim = Lease {
        worker: WorkerId(2),
        ..lease
    };
    assert_eq!(resume(&mut scheduler, 2, &[claim], TTL), stopped(&[claim]));
    let unknown = Lease {
        key: key(1, 99),
        ..lease
    };
    assert_eq!(
        resume(&mut scheduler, 1, &[unknown], TTL),
        stopped(&[unknown])
    );
}

#[test]
fn promise_4_of_two_attempts_at_one_worker_the_later_is_kept() {
    let (mut scheduler, first) = away();
    resume(&mut scheduler, 1, &[first], 0);
    scheduler.tick(at(TTL));
    scheduler.tick(at(TTL + 500));
    scheduler.heartbeat(WorkerId(1), at(TTL + 500));
    let second = scheduler.grant_one(TTL + 500);
    let resumed = resume(&mut scheduler, 1, &[first, second], TTL + 600);
    assert_eq!((resumed.keep, resumed.stop), (vec![second], vec![first]));
}

#[test]
fn promise_4_a_lease_that_never_arrived_costs_nothing() {
    let (mut scheduler, lease) = away();
    let retry = RetrySchedule {
        lost: 0,
        not_before: at(100),
    };
    let events = vec![LeaseEvent::Lost { lease, retry }];
    let resumed = resume(&mut scheduler, 1, &[], 100);
    assert_eq!(
        resumed,
        ResumePlan {
            events,
            ..ResumePlan::default()
        }
    );
    let grants = scheduler.grants(at(100), 9);
    assert_eq!((grants.len(), grants[0].attempt), (1, 1));
    assert!(grants[0].lease.fence > lease.fence);
}

#[test]
fn promise_4_a_job_that_was_started_and_is_gone_costs_an_attempt() {
    let (mut scheduler, lease) = away();
    scheduler.started(lease.worker, lease.key, lease.fence, at(0));
    let resumed = resume(&mut scheduler, 1, &[], 100);
    let retry = RetrySchedule {
        lost: 1,
        not_before: at(600),
    };
    assert_eq!(resumed.events, [LeaseEvent::Lost { lease, retry }]);
}

#[test]
fn promise_4_what_was_cancelled_meanwhile_is_stopped_and_acknowledged() {
    let (mut scheduler, lease) = away();
    scheduler.cancel(lease.key);
    let resumed = resume(&mut scheduler, 1, &[lease], 100);
    let cancel = vec![lease];
    assert_eq!(
        resumed,
        ResumePlan {
            cancel,
            ..ResumePlan::default()
        }
    );
    assert_eq!(scheduler.done(lease, 200), ReportDisposition::Report);
}

#[test]
fn promise_4_a_worker_cannot_bring_more_than_it_may_hold() {
    let mut scheduler = scheduler_with(exact());
    scheduler.submit_all(1, 0..9);
    let claims: Vec<Lease> = (0..9)
        .map(|job| Lease {
            key: key(1, job),
            worker: WorkerId(1),
            fence: FencingToken(job),
        })
        .collect();
    let resumed = resume(&mut scheduler, 1, &claims, 0);
    assert_eq!((resumed.keep.len(), resumed.stop.len()), (2, 7));
    // It comes back with fewer slots.
    let held: Vec<(JobKey, FencingToken)> = resumed.keep.iter().map(|l| (l.key, l.fence)).collect();
    let resumed = scheduler.worker_resumed(WorkerId(1), offer(1), &held, at(0));
    assert_eq!((resumed.keep.len(), resumed.stop.len()), (1, 1));
    assert_eq!(scheduler.leases_of(WorkerId(1)), resumed.keep);
}

#[test]
fn promise_8_a_draining_worker_still_drains_after_it_returns() {
    let (mut scheduler, lease) = away();
    scheduler.worker_draining(WorkerId(1));
    resume(&mut scheduler, 1, &[lease], 0);
    scheduler.submit_all(1, 1..9);
    assert_eq!(scheduler.grants(at(0), 9), []);
    scheduler.done(lease, 0);
    assert_eq!(scheduler.grants(at(0), 9), []);
}

#[test]
fn toolboxes_and_inputs_are_known_until_a_worker_is_forgotten() {
    let (mut scheduler, lease) = away();
    scheduler.worker_offers(WorkerId(1), ToolboxId(1), ToolboxPresence::Yes);
    resume(&mut scheduler, 1, &[lease], 0);
    assert_eq!(scheduler.slots_for(X86, Some(ToolboxId(1))), 2);
    scheduler.worker_left(WorkerId(1));
    assert_eq!(scheduler.slots_for(X86, Some(ToolboxId(1))), 0);
    scheduler.tick(at(TTL));
    resume(&mut scheduler, 1, &[lease], TTL);
    assert_eq!(scheduler.slots_for(X86, Some(ToolboxId(1))), 0);
    assert_eq!(scheduler.slots_for(X86, None), 2);
}

#[test]
fn word_from_a_connection_that_is_over_keeps_nothing_alive() {
    let (mut scheduler, lease) = away();
    scheduler.heartbeat(WorkerId(1), at(10_000));
    let events = scheduler.tick(at(TTL));
    assert_eq!(events[0], LeaseEvent::WorkerForgotten(WorkerId(1)));
    assert!(matches!(events[1], LeaseEvent::Lost { lease: lost, .. } if lost == lease));
}
