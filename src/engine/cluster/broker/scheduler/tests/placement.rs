//! Which worker gets a job, and which jobs block no other.

use super::*;

#[test]
fn a_slot_is_not_sold_twice_and_lies_are_capped() {
    let mut scheduler = scheduler();
    scheduler.submit_all(1, 0..50);
    scheduler.join(1, 2, 0);
    let credit = scheduler.credit(WorkerId(1), 1_000);
    assert_eq!(credit, CreditOutcome::Capped { leases: 4 });
    assert_eq!(scheduler.grants(at(0), 50).len(), 4);
    assert_eq!(scheduler.credit(WorkerId(1), 4), CreditOutcome::Taken);
    assert_eq!(scheduler.grants(at(0), 50), []);
    assert_eq!(
        scheduler.credit(WorkerId(9), 4),
        CreditOutcome::UnknownWorker
    );
    let most = SchedulerLimits::default().slots_per_worker_max;
    scheduler.join(2, u32::MAX, 0);
    assert_eq!(scheduler.slots_for(X86, None), u64::from(2 + most));
    assert_eq!(scheduler.counters().capped, 1);
}

#[test]
fn credit_includes_what_is_held() {
    let mut scheduler = scheduler();
    scheduler.submit_all(1, 0..50);
    scheduler.join(1, 4, 0);
    scheduler.credit(WorkerId(1), 3);
    let grants = scheduler.grants(at(0), 50);
    assert_eq!(grants.len(), 3);
    scheduler.credit(WorkerId(1), 2);
    scheduler.done(grants[0].lease, 0);
    assert_eq!(scheduler.grants(at(0), 50), []);
    scheduler.done(grants[1].lease, 0);
    assert_eq!(scheduler.grants(at(0), 50).len(), 1);
    scheduler.credit(WorkerId(1), 0);
    assert_eq!(scheduler.slots_for(X86, None), 0);
}

#[test]
fn a_worker_without_slots_gets_nothing() {
    let mut scheduler = scheduler();
    scheduler.submit_all(1, 0..9);
    scheduler.join(1, 0, 0);
    assert_eq!(scheduler.grants(at(0), 9), []);
}

#[test]
fn the_last_jobs_go_to_whoever_is_free_first() {
    let mut scheduler = scheduler();
    scheduler.submit_all(1, 0..5);
    scheduler.join(1, 2, 0);
    // Three wait behind two slots, so one is fetched ahead; two do not.
    assert_eq!(scheduler.grants(at(0), 9).len(), 3);
    scheduler.join(2, 2, 0);
    let grants = scheduler.grants(at(0), 9);
    assert!(grants.iter().all(|grant| grant.lease.worker == WorkerId(2)));
    assert_eq!(grants.len(), 2);
}

#[test]
fn jobs_are_spread_over_the_emptiest() {
    let mut scheduler = scheduler();
    scheduler.submit_all(1, 0..4);
    scheduler.join(1, 2, 0);
    scheduler.join(2, 4, 0);
    let workers: Vec<u32> = scheduler
        .grants(at(0), 9)
        .iter()
        .map(|grant| grant.lease.worker.0)
        .collect();
    assert_eq!(workers, [1, 2, 2, 1]);
}

#[test]
fn workers_that_hold_the_inputs_are_preferred_while_they_have_slots() {
    let mut scheduler = scheduler_with(exact());
    for worker in 1..=100 {
        scheduler.join(worker, 2, 0);
    }
    scheduler.worker_holds(WorkerId(77), InputsId(0), InputLocality::Yes);
    scheduler.submit_all(1, 0..3);
    let workers: Vec<u32> = scheduler
        .grants(at(0), 9)
        .iter()
        .map(|grant| grant.lease.worker.0)
        .collect();
    assert_eq!(workers, [77, 77, 1]);
    scheduler.worker_holds(WorkerId(1), InputsId(0), InputLocality::No);
    scheduler.submit_all(1, 3..4);
    assert_eq!(scheduler.grant_one(0).worker, WorkerId(2));
}

#[test]
fn a_worker_that_started_a_job_holds_its_inputs() {
    let mut scheduler = scheduler_with(exact());
    scheduler.submit_all(1, 0..1);
    scheduler.join(2, 1, 0);
    let lease = scheduler.grant_one(0);
    scheduler.started(lease.worker, lease.key, lease.fence, at(0));
    scheduler.done(lease, 0);
    scheduler.join(1, 1, 0);
    scheduler.submit_all(1, 1..2);
    assert_eq!(scheduler.grant_one(0).worker, WorkerId(2));
    scheduler.inputs_retired(InputsId(0));
    scheduler.inputs(InputsId(0), InputAvailability::Ready);
    scheduler.submit_all(1, 2..3);
    assert_eq!(scheduler.grant_one(0).worker, WorkerId(1));
}

#[test]
fn architecture_and_toolbox_must_fit() {
    let mut scheduler = scheduler();
    let arm = Architecture::Aarch64;
    let toolbox = Some(ToolboxId(5));
    for (job, architecture, toolbox) in [
        (0, arm, None),
        (1, X86, toolbox),
        (2, arm, toolbox),
        (3, X86, None),
    ] {
        let kind = SchedulingClass {
            architecture,
            toolbox,
            ..kind(0)
        };
        scheduler.submit(key(1, job), demand(kind), at(0)).unwrap();
    }
    scheduler.join(1, 8, 0);
    assert_eq!(scheduler.grant_one(0).key, key(1, 3));
    scheduler.worker_offers(WorkerId(1), ToolboxId(5), ToolboxPresence::Yes);
    assert_eq!(scheduler.grant_one(0).key, key(1, 1));
    let offer = WorkerCapacity {
        slots: 8,
        architecture: arm,
    };
    scheduler.worker_joined(WorkerId(2), offer, at(0));
    assert_eq!(scheduler.grant_one(0).key, key(1, 0));
    scheduler.worker_offers(WorkerId(2), ToolboxId(5), ToolboxPresence::Yes);
    scheduler.worker_offers(WorkerId(2), ToolboxId(5), ToolboxPresence::No);
    assert_eq!(scheduler.grants(at(0), 9), []);
    scheduler.worker_offers(WorkerId(2), ToolboxId(5), ToolboxPresence::Yes);
    assert_eq!(scheduler.grant_one(0).key, key(1, 2));
}

#[test]
fn toolboxes_of_a_worker_are_limited() {
    let mut scheduler = scheduler_with(SchedulerLimits {
        kits_per_worker_max: 1,
        ..exact()
    });
    scheduler.join(1, 8, 0);
    let offer = |scheduler: &mut JobScheduler, toolbox, has| {
        scheduler.worker_offers(WorkerId(1), ToolboxId(toolbox), has)
    };
    assert_eq!(
        offer(&mut scheduler, 5, ToolboxPresence::Yes),
        ToolboxRegistration::Taken
    );
    assert_eq!(
        offer(&mut scheduler, 5, ToolboxPresence::Yes),
        ToolboxRegistration::Taken
    );
    assert_eq!(
        offer(&mut scheduler, 6, ToolboxPresence::Yes),
        ToolboxRegistration::TooMany { limit: 1 }
    );
    assert_eq!(scheduler.slots_for(X86, Some(ToolboxId(5))), 8);
    assert_eq!(scheduler.slots_for(X86, Some(ToolboxId(6))), 0);
    assert_eq!(
        offer(&mut scheduler, 5, ToolboxPresence::No),
        ToolboxRegistration::Taken
    );
    assert_eq!(
        offer(&mut scheduler, 6, ToolboxPresence::Yes),
        ToolboxRegistration::Taken
    );
    assert_eq!(scheduler.slots_for(X86, Some(ToolboxId(6))), 8);
}

/// Promise 9: one client's jobs lock no other client out.
#[test]
fn a_full_broker_has_room_for_who_has_little() {
    let mut scheduler = scheduler_with(SchedulerLimits {
        jobs_max: 5,
        jobs_guaranteed: 2,
        ..exact()
    });
    scheduler.client_joined(ClientId(2), 1);
    let mut submit = |client, job| scheduler.submit(key(client, job), demand(kind(0)), at(0));
    for job in 0..5 {
        assert_eq!(submit(1, job), Ok(SubmitOutcome::New));
    }
    let full = Err(SubmitError::BrokerFull { limit: 5 });
    assert_eq!(submit(1, 5), full);
    assert_eq!(submit(2, 0), Ok(SubmitOutcome::New));
    assert_eq!(submit(2, 1), Ok(SubmitOutcome::New));
    assert_eq!(submit(2, 2), full);
}

#[test]
fn what_cannot_start_is_in_nobodys_way() {
    let mut scheduler = scheduler_with(exact());
    let high = JobPriority {
        priority: 9,
        estimate: None,
    };
    let submit = |scheduler: &mut JobScheduler, job, rank, kind| {
        scheduler
            .submit(
                key(1, job),
                JobDemand {
                    rank,
                    ..demand(kind)
                },
                at(0),
            )
            .unwrap();
    };
    submit(&mut scheduler, 0, high, kind(7));
    submit(
        &mut scheduler,
        1,
        high,
        SchedulingClass {
            toolbox: Some(ToolboxId(3)),
            ..kind(0)
        },
    );
    submit(&mut scheduler, 2, JobPriority::default(), kind(0));
    scheduler.client_joined(ClientId(2), 1);
    scheduler.submit_all(2, 0..1);
    scheduler.client_gate(ClientId(2), ClientAdmission::Held);
    scheduler.join(1, 1, 0);
    let lease = scheduler.grant_one(0);
    assert_eq!(lease.key, key(1, 2));
    scheduler.inputs(InputsId(7), InputAvailability::Ready);
    scheduler.done(lease, 0);
    let lease = scheduler.grant_one(0);
    assert_eq!(lease.key, key(1, 0));
    scheduler.client_gate(ClientId(2), ClientAdmission::Open);
    scheduler.done(lease, 0);
    assert_eq!(scheduler.grant_one(0).key, key(2, 0));
}

#[test]
fn inputs_that_go_missing_hold_back_what_waits() {
    let mut scheduler = scheduler_with(exact());
    scheduler.submit_all(1, 0..2);
    scheduler.inputs(InputsId(0), InputAvailability::Missing);
    scheduler.join(1, 2, 0);
    assert_eq!(scheduler.grants(at(0), 9), []);
    scheduler.inputs(InputsId(0), InputAvailability::Ready);
    assert_eq!(scheduler.grants(at(0), 9).len(), 2);
}

#[test]
fn within_a_client_rank_decides_across_kinds() {
    let mut scheduler = scheduler_with(exact());
    scheduler.inputs(InputsId(1), InputAvailability::Ready);
    let low = JobPriority {
        priority: -1,
        estimate: None,
    };
    for (job, rank, inputs) in [
        (0, low, 0),
        (1, estimated(1), 1),
        (2, estimated(9), 0),
        (3, JobPriority::default(), 1),
        (4, estimated(9), 1),
    ] {
        let demand = JobDemand {
            rank,
            ..demand(kind(inputs))
        };
        scheduler.submit(key(1, job), demand, at(0)).unwrap();
    }
    scheduler.join(1, 9, 0);
    let order: Vec<u64> = scheduler
        .grants(at(0), 9)
        .iter()
        .map(|grant| grant.lease.key.job.0)
        .collect();
    assert_eq!(order, [3, 2, 4, 1, 0]);
}

#[test]
fn promise_3_the_next_attempt_goes_to_another_worker() {
    let mut scheduler = scheduler_with(exact());
    scheduler.submit_all(1, 0..1);
    scheduler.join(1, 4, 0);
    scheduler.join(2, 4, 0);
    let lease = scheduler.grant_one(0);
    assert_eq!(lease.worker, WorkerId(1));
    scheduler.fail(lease, 0);
    scheduler.tick(at(500));
    assert_eq!(scheduler.grant_one(500).worker, WorkerId(2));
}

#[test]
fn promise_3_it_waits_for_another_worker_that_is_busy_but_not_for_ever() {
    for frees in [true, false] {
        let mut scheduler = scheduler_with(SchedulerLimits {
            lease_ttl_ms: 1_000_000,
            ..exact()
        });
        scheduler.submit_all(1, 0..2);
        scheduler.join(1, 1, 0);
        scheduler.join(2, 1, 0);
        let leases: Vec<Lease> = scheduler
            .grants(at(0), 9)
            .iter()
            .map(|grant| grant.lease)
            .collect();
        scheduler.fail(leases[0], 0);
        scheduler.tick(at(500));
        assert_eq!(scheduler.grants(at(500), 9), []);
        // Others are served meanwhile by the worker that has failed it.
        scheduler.submit_all(1, 2..3);
        let other = scheduler.grant_one(500);
        assert_eq!((other.key, other.worker), (key(1, 2), WorkerId(1)));
        scheduler.done(other, 600);
        assert_eq!(scheduler.next_tick(), Some(at(1_000)));
        if frees {
            scheduler.done(leases[1], 800);
            scheduler.tick(at(1_000));
            assert_eq!(scheduler.grant_one(1_000).worker, WorkerId(2));
            continue;
        }
        let (lease, now) = loop {
            let now = scheduler.next_tick().expect("it looks again");
            scheduler.tick(now);
            if let [grant] = scheduler.grants(now, 9)[..] {
                break (grant.lease, now);
            }
        };
        assert_eq!((lease.worker, now), (WorkerId(1), at(500 + 20_000)));
    }
}
