//! Promises 1, 2, 3, 5, 7 and 8: attempts, submissions, expiry, cancellation, limits, draining.

use super::*;

#[test]
fn promise_1_one_report_and_the_late_ones_are_dropped() {
    let mut scheduler = scheduler();
    scheduler.submit_all(1, 0..1);
    scheduler.join(1, 1, 0);
    let first = scheduler.grant_one(0);
    scheduler.worker_left(WorkerId(1));
    scheduler.tick(at(TTL));
    scheduler.join(2, 1, TTL);
    scheduler.tick(at(2 * TTL));
    scheduler.heartbeat(WorkerId(2), at(2 * TTL));
    let second = scheduler.grant_one(2 * TTL);
    assert!(second.fence > first.fence);
    assert_eq!(scheduler.done(first, 2 * TTL), ReportDisposition::Stale);
    let wrong_fence = Lease {
        fence: first.fence,
        ..second
    };
    assert_eq!(
        scheduler.done(wrong_fence, 2 * TTL),
        ReportDisposition::Stale
    );
    let wrong_worker = Lease {
        worker: first.worker,
        ..second
    };
    assert_eq!(
        scheduler.done(wrong_worker, 2 * TTL),
        ReportDisposition::Stale
    );
    assert_eq!(scheduler.done(second, 2 * TTL), ReportDisposition::Report);
    assert_eq!(scheduler.done(second, 2 * TTL), ReportDisposition::Stale);
    assert_eq!(scheduler.counters().stale, 4);
}

#[test]
fn promise_1_a_late_report_is_dropped_while_the_job_waits_again() {
    let mut scheduler = scheduler();
    scheduler.submit_all(1, 0..1);
    scheduler.join(1, 1, 0);
    let lease = scheduler.grant_one(0);
    scheduler.tick(at(TTL));
    let standing = scheduler.started(lease.worker, lease.key, lease.fence, at(TTL));
    assert_eq!(standing, LeaseStatus::Stale);
    assert_eq!(scheduler.done(lease, TTL), ReportDisposition::Stale);
}

#[test]
fn promise_2_submitting_again_changes_nothing() {
    let mut scheduler = scheduler();
    scheduler.submit_all(1, 0..1);
    scheduler.client_joined(ClientId(1), 1);
    let again = |scheduler: &mut JobScheduler| scheduler.submit(key(1, 0), demand(kind(0)), at(0));
    assert_eq!(again(&mut scheduler), Ok(SubmitOutcome::Known));
    scheduler.join(1, 4, 0);
    let lease = scheduler.grant_one(0);
    assert_eq!(again(&mut scheduler), Ok(SubmitOutcome::Known));
    assert_eq!(scheduler.done(lease, 0), ReportDisposition::Report);
    assert_eq!(again(&mut scheduler), Ok(SubmitOutcome::Over));
    assert_eq!(scheduler.grants(at(0), 10), []);
    scheduler.forget_over(key(1, 0));
    assert_eq!(again(&mut scheduler), Ok(SubmitOutcome::New));
}

#[test]
fn promise_2_what_was_over_before_a_restart_does_not_run_again() {
    let mut scheduler = scheduler();
    scheduler.remember_over(key(1, 0));
    let again = scheduler.submit(key(1, 0), demand(kind(0)), at(0));
    assert_eq!(again, Ok(SubmitOutcome::Over));
}

#[test]
fn promise_2_what_is_remembered_is_limited_and_the_oldest_goes_first() {
    let limits = SchedulerLimits {
        over_per_client_max: 2,
        ..SchedulerLimits::default()
    };
    let mut scheduler = scheduler_with(limits);
    for job in [3, 1, 2] {
        scheduler.remember_over(key(1, job));
    }
    let submit =
        |scheduler: &mut JobScheduler, job| scheduler.submit(key(1, job), demand(kind(0)), at(0));
    assert_eq!(submit(&mut scheduler, 3), Ok(SubmitOutcome::Over));
    assert_eq!(submit(&mut scheduler, 2), Ok(SubmitOutcome::Over));
    assert_eq!(submit(&mut scheduler, 1), Ok(SubmitOutcome::New));
}

#[test]
fn promise_3_heartbeats_keep_leases_and_silence_ends_them() {
    let mut scheduler = scheduler();
    scheduler.submit_all(1, 0..1);
    scheduler.join(1, 1, 0);
    let lease = scheduler.grant_one(0);
    scheduler.heartbeat(WorkerId(1), at(15_000));
    assert_eq!(scheduler.next_tick(), Some(at(15_000 + TTL)));
    assert_eq!(scheduler.tick(at(15_000 + TTL - 1)), []);
    let now = 15_000 + TTL;
    let not_before = at(now + 500);
    let retry = RetrySchedule {
        lost: 1,
        not_before,
    };
    assert_eq!(
        scheduler.tick(at(now)),
        [
            LeaseEvent::WorkerSilent(WorkerId(1)),
            LeaseEvent::Lost { lease, retry }
        ]
    );
    assert_eq!(scheduler.next_tick(), Some(not_before));
    assert_eq!(scheduler.tick(not_before), []);
    // It waits; the silent worker gets nothing until it is heard.
    assert_eq!(scheduler.grants(not_before, 10), []);
    assert_eq!(scheduler.next_tick(), None);
    scheduler.heartbeat(WorkerId(1), not_before);
    let grants = scheduler.grants(not_before, 10);
    assert_eq!((grants.len(), grants[0].attempt), (1, 2));
}

#[test]
fn promise_3_the_wait_doubles_and_ends() {
    let limits = SchedulerLimits {
        attempts_max: 9,
        ..exact()
    };
    let mut scheduler = scheduler_with(limits);
    scheduler.submit_all(1, 0..1);
    scheduler.join(1, 1, 0);
    let mut now = 0;
    let mut waits = Vec::new();
    for _ in 0..7 {
        scheduler.heartbeat(WorkerId(1), at(now));
        let lease = scheduler.grant_one(now);
        let ReportDisposition::Retry(retry) = scheduler.fail(lease, now) else {
            panic!("no further attempt");
        };
        waits.push(retry.not_before.ms_since(at(now)));
        now = retry.not_before.0;
        scheduler.tick(at(now));
    }
    assert_eq!(waits, [500, 1000, 2000, 4000, 8000, 10_000, 10_000]);
}

#[test]
fn promise_3_three_attempts_then_the_workers_are_named() {
    let mut scheduler = scheduler();
    scheduler.submit_all(1, 0..1);
    let mut now = 0;
    for worker in 1..=3 {
        scheduler.join(worker, 1, now);
        let lease = scheduler.grant_one(now);
        assert_eq!(lease.worker, WorkerId(worker));
        scheduler.worker_left(lease.worker);
        now += TTL;
        let events = scheduler.tick(at(now));
        assert_eq!(events[0], LeaseEvent::WorkerForgotten(lease.worker));
        let workers = [1, 2, 3].map(WorkerId).to_vec();
        match worker {
            3 => assert_eq!(events[1..], [LeaseEvent::GivenUp { lease, workers }]),
            _ => assert!(
                matches!(events[1..], [LeaseEvent::Lost { .. }]),
                "{events:?}"
            ),
        }
        now += 10_000;
        scheduler.tick(at(now));
    }
    assert_eq!(scheduler.counters().given_up, 1);
    assert_eq!(scheduler.status(at(now)).clients[0].waiting, 0);
}

#[test]
fn promise_3_a_worker_that_says_it_cannot_costs_an_attempt() {
    let mut scheduler = scheduler_with(SchedulerLimits {
        attempts_max: 1,
        ..SchedulerLimits::default()
    });
    scheduler.submit_all(1, 0..1);
    scheduler.join(1, 1, 0);
    let lease = scheduler.grant_one(0);
    let workers = vec![WorkerId(1)];
    assert_eq!(
        scheduler.fail(lease, 0),
        ReportDisposition::GivenUp { workers }
    );
}

#[test]
fn promise_3_a_worker_that_begins_anew_loses_what_it_had() {
    let mut scheduler = scheduler();
    scheduler.submit_all(1, 0..1);
    scheduler.join(1, 1, 0);
    let lease = scheduler.grant_one(0);
    let events = scheduler.worker_joined(WorkerId(1), offer(1), at(5));
    let retry = RetrySchedule {
        lost: 1,
        not_before: at(505),
    };
    assert_eq!(events, [LeaseEvent::Lost { lease, retry }]);
    assert_eq!(scheduler.done(lease, 5), ReportDisposition::Stale);
    assert_eq!(scheduler.counters().vanished, 1);
}

#[test]
fn promise_3_late_word_does_not_shorten_a_lease() {
    let mut scheduler = scheduler();
    scheduler.join(1, 1, 0);
    scheduler.heartbeat(WorkerId(1), at(5_000));
    scheduler.heartbeat(WorkerId(1), at(1_000));
    assert_eq!(scheduler.next_tick(), Some(at(5_000 + TTL)));
}

#[test]
fn promise_5_a_queued_job_is_cancelled_at_once() {
    let mut scheduler = scheduler();
    scheduler.submit_all(1, 0..2);
    assert_eq!(scheduler.cancel(key(1, 0)), CancelOutcome::Queued);
    assert_eq!(scheduler.cancel(key(1, 0)), CancelOutcome::Unknown);
    assert_eq!(scheduler.cancel(key(1, 9)), CancelOutcome::Unknown);
    assert_eq!(scheduler.cancel(key(9, 0)), CancelOutcome::Unknown);
    scheduler.join(1, 4, 0);
    assert_eq!(scheduler.grant_one(0).key, key(1, 1));
}

#[test]
fn promise_5_a_delayed_job_is_cancelled_at_once() {
    let mut scheduler = scheduler();
    scheduler.submit_all(1, 0..1);
    scheduler.join(1, 1, 0);
    let lease = scheduler.grant_one(0);
    assert!(matches!(
        scheduler.fail(lease, 0),
        ReportDisposition::Retry(_)
    ));
    assert_eq!(scheduler.cancel(lease.key), CancelOutcome::Queued);
    scheduler.tick(at(1_000));
    assert_eq!(scheduler.grants(at(1_000), 10), []);
}

#[test]
fn promise_5_a_leased_job_keeps_its_slot_until_its_end_is_told() {
    for how in [AttemptResult::Done, AttemptResult::InfrastructureFailure] {
        let mut scheduler = scheduler_with(exact());
        scheduler.submit_all(1, 0..2);
        scheduler.join(1, 1, 0);
        let lease = scheduler.grant_one(0);
        assert_eq!(scheduler.cancel(lease.key), CancelOutcome::Leased(lease));
        assert_eq!(scheduler.cancel(lease.key), CancelOutcome::Leased(lease));
        assert_eq!(scheduler.grants(at(0), 10), []);
        let standing = scheduler.started(lease.worker, lease.key, lease.fence, at(0));
        assert_eq!(standing, LeaseStatus::Cancelled);
        let verdict = scheduler.finished(lease.worker, lease.key, lease.fence, how, at(0));
        assert_eq!(verdict, ReportDisposition::Report);
        assert_eq!(scheduler.grant_one(0).key, key(1, 1));
    }
}

#[test]
fn promise_5_a_cancelled_job_ends_with_its_worker_or_its_return() {
    let mut scheduler = scheduler();
    scheduler.submit_all(1, 0..2);
    scheduler.join(1, 2, 0);
    let leases: Vec<Lease> = scheduler
        .grants(at(0), 2)
        .iter()
        .map(|grant| grant.lease)
        .collect();
    for lease in &leases {
        scheduler.cancel(lease.key);
    }
    let one = leases[0];
    let returned = scheduler.returned(one.worker, one.key, one.fence, at(0));
    assert_eq!(returned, ReturnOutcome::Cancelled);
    let lease = leases[1];
    assert_eq!(
        scheduler.tick(at(TTL))[1..],
        [LeaseEvent::Cancelled { lease }]
    );
}

#[test]
fn promise_7_limits_are_said() {
    let limits = SchedulerLimits {
        jobs_per_client_max: 2,
        jobs_max: 3,
        jobs_guaranteed: 0,
        kinds_per_client_max: 1,
        ..SchedulerLimits::default()
    };
    let mut scheduler = scheduler_with(limits);
    scheduler.client_joined(ClientId(2), 1);
    let submit = |scheduler: &mut JobScheduler, client, job, inputs| {
        scheduler.submit(key(client, job), demand(kind(inputs)), at(0))
    };
    assert_eq!(
        submit(&mut scheduler, 3, 0, 0),
        Err(SubmitError::UnknownClient)
    );
    assert_eq!(submit(&mut scheduler, 1, 0, 0), Ok(SubmitOutcome::New));
    let refused = SubmitError::TooManyKinds { limit: 1 };
    assert_eq!(submit(&mut scheduler, 1, 1, 1), Err(refused));
    assert_eq!(submit(&mut scheduler, 1, 1, 0), Ok(SubmitOutcome::New));
    assert_eq!(
        submit(&mut scheduler, 1, 2, 0),
        Err(SubmitError::ClientFull { limit: 2 })
    );
    assert_eq!(submit(&mut scheduler, 2, 0, 0), Ok(SubmitOutcome::New));
    assert_eq!(
        submit(&mut scheduler, 2, 1, 0),
        Err(SubmitError::BrokerFull { limit: 3 })
    );
    // Known jobs are no matter of room.
    assert_eq!(submit(&mut scheduler, 1, 0, 0), Ok(SubmitOutcome::Known));
    scheduler.cancel(key(1, 0));
    assert_eq!(submit(&mut scheduler, 2, 1, 0), Ok(SubmitOutcome::New));
}

#[test]
fn promise_7_a_client_that_leaves_takes_its_jobs_along() {
    let mut scheduler = scheduler_with(exact());
    scheduler.submit_all(1, 0..9);
    scheduler.join(1, 2, 0);
    let leases: Vec<Lease> = scheduler
        .grants(at(0), 9)
        .iter()
        .map(|grant| grant.lease)
        .collect();
    assert!(matches!(
        scheduler.fail(leases[0], 0),
        ReportDisposition::Retry(_)
    ));
    let third = scheduler.grant_one(0);
    assert_eq!(scheduler.client_left(ClientId(1)), [leases[1], third]);
    assert_eq!(
        scheduler.submit(key(1, 0), demand(kind(0)), at(0)),
        Err(SubmitError::UnknownClient)
    );
    // The slots are theirs until they are over.
    scheduler.client_joined(ClientId(2), 1);
    scheduler.submit_all(2, 0..9);
    assert_eq!(scheduler.grants(at(600), 9), []);
    assert_eq!(scheduler.tick(at(600)), []);
    assert_eq!(scheduler.done(leases[1], 700), ReportDisposition::Abandoned);
    assert_eq!(scheduler.grant_one(700).key, key(2, 0));
    let returned = scheduler.returned(third.worker, third.key, third.fence, at(700));
    assert_eq!(returned, ReturnOutcome::Abandoned);
    let status = scheduler.status(at(700));
    assert_eq!(status.clients.len(), 1);
    assert_eq!(status.counters.dropped, 9);
}

#[test]
fn promise_8_a_draining_worker_gets_nothing_and_hands_back_for_nothing() {
    let mut scheduler = scheduler();
    scheduler.submit_all(1, 0..9);
    scheduler.join(1, 2, 0);
    let leases: Vec<Lease> = scheduler
        .grants(at(0), 9)
        .iter()
        .map(|grant| grant.lease)
        .collect();
    assert_eq!(leases.len(), 4);
    scheduler.worker_draining(WorkerId(1));
    let last = leases[3];
    let returned = scheduler.returned(last.worker, last.key, last.fence, at(0));
    assert_eq!(returned, ReturnOutcome::Queued);
    let again = scheduler.returned(last.worker, last.key, last.fence, at(0));
    assert_eq!(again, ReturnOutcome::Stale);
    assert_eq!(scheduler.done(leases[0], 0), ReportDisposition::Report);
    scheduler.heartbeat(WorkerId(1), at(1));
    scheduler.credit(WorkerId(1), 4);
    assert_eq!(scheduler.grants(at(1), 9), []);
    scheduler.join(2, 1, 1);
    let grants = scheduler.grants(at(1), 1);
    assert_eq!((grants[0].lease.key, grants[0].attempt), (last.key, 1));
}

#[test]
fn promise_8_handing_back_for_ever_costs_attempts_in_the_end() {
    let mut scheduler = scheduler_with(SchedulerLimits {
        returns_free_max: 2,
        ..exact()
    });
    scheduler.submit_all(1, 0..1);
    scheduler.join(1, 1, 0);
    let mut now = 0;
    let mut answers = Vec::new();
    for _ in 0..5 {
        scheduler.heartbeat(WorkerId(1), at(now));
        let lease = scheduler.grant_one(now);
        answers.push(scheduler.returned(lease.worker, lease.key, lease.fence, at(now)));
        now += 10_000;
        scheduler.tick(at(now));
    }
    assert_eq!(answers[..2], [ReturnOutcome::Queued, ReturnOutcome::Queued]);
    assert!(
        answers[2..4]
            .iter()
            .all(|answer| matches!(answer, ReturnOutcome::Retry(_)))
    );
    let workers = vec![WorkerId(1); 3];
    assert_eq!(answers[4], ReturnOutcome::GivenUp { workers });
}

#[test]
fn figures_say_what_is() {
    let mut scheduler = scheduler_with(exact());
    scheduler.submit_all(1, 0..5);
    scheduler
        .submit(key(1, 5), demand(kind(7)), at(100))
        .unwrap();
    scheduler.join(1, 2, 0);
    scheduler.join(2, 1, 0);
    scheduler.worker_draining(WorkerId(2));
    let grants = scheduler.grants(at(0), 9);
    scheduler.fail(grants[0].lease, 50);
    let status = scheduler.status(at(1_000));
    assert_eq!((status.queued, status.delayed, status.leased), (4, 1, 1));
    assert_eq!(
        (status.slots, status.busy, status.oldest_ms),
        (2, 1, Some(1_000))
    );
    let pool = PoolStatus {
        architecture: X86,
        toolbox: None,
        queued: 4,
        ready: 3,
        slots: 2,
    };
    assert_eq!(status.pools, [pool]);
    let access = Some((ClientAdmission::Open, 1));
    let client = ClientStatus {
        client: ClientId(1),
        waiting: 5,
        leased: 1,
        access,
    };
    assert_eq!(status.clients, [client]);
    assert_eq!(status.workers[1].state, WorkerAvailability::Draining);
    assert_eq!(scheduler.slots_for(X86, None), 2);
    assert_eq!(scheduler.slots_for(X86, Some(ToolboxId(1))), 0);
}
