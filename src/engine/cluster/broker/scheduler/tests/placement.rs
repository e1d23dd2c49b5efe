//! Which worker gets a job, and which jobs block no other.

use super::*;

#[test]
fn a_slot_is_not_sold_twice_and_lies_are_capped() {
    let mut book = book();
    book.submit_all(1, 0..50);
    book.join(1, 2, 0);
    let credit = book.credit(WorkerId(1), 1_000);
    assert_eq!(credit, CreditOutcome::Capped { leases: 4 });
    assert_eq!(book.grants(at(0), 50).len(), 4);
    assert_eq!(book.credit(WorkerId(1), 4), CreditOutcome::Taken);
    assert_eq!(book.grants(at(0), 50), []);
    assert_eq!(book.credit(WorkerId(9), 4), CreditOutcome::UnknownWorker);
    let most = SchedulerLimits::default().slots_per_worker_max;
    book.join(2, u32::MAX, 0);
    assert_eq!(book.slots_for(X86, None), u64::from(2 + most));
    assert_eq!(book.counters().capped, 1);
}

#[test]
fn credit_includes_what_is_held() {
    let mut book = book();
    book.submit_all(1, 0..50);
    book.join(1, 4, 0);
    book.credit(WorkerId(1), 3);
    let grants = book.grants(at(0), 50);
    assert_eq!(grants.len(), 3);
    book.credit(WorkerId(1), 2);
    book.done(grants[0].lease, 0);
    assert_eq!(book.grants(at(0), 50), []);
    book.done(grants[1].lease, 0);
    assert_eq!(book.grants(at(0), 50).len(), 1);
    book.credit(WorkerId(1), 0);
    assert_eq!(book.slots_for(X86, None), 0);
}

#[test]
fn a_worker_without_slots_gets_nothing() {
    let mut book = book();
    book.submit_all(1, 0..9);
    book.join(1, 0, 0);
    assert_eq!(book.grants(at(0), 9), []);
}

#[test]
fn the_last_jobs_go_to_whoever_is_free_first() {
    let mut book = book();
    book.submit_all(1, 0..5);
    book.join(1, 2, 0);
    // Three wait behind two slots, so one is fetched ahead; two do not.
    assert_eq!(book.grants(at(0), 9).len(), 3);
    book.join(2, 2, 0);
    let grants = book.grants(at(0), 9);
    assert!(grants.iter().all(|grant| grant.lease.worker == WorkerId(2)));
    assert_eq!(grants.len(), 2);
}

#[test]
fn jobs_are_spread_over_the_emptiest() {
    let mut book = book();
    book.submit_all(1, 0..4);
    book.join(1, 2, 0);
    book.join(2, 4, 0);
    let workers: Vec<u32> = book
        .grants(at(0), 9)
        .iter()
        .map(|grant| grant.lease.worker.0)
        .collect();
    assert_eq!(workers, [1, 2, 2, 1]);
}

#[test]
fn workers_that_hold_the_inputs_are_preferred_while_they_have_slots() {
    let mut book = book_with(exact());
    for worker in 1..=100 {
        book.join(worker, 2, 0);
    }
    book.worker_holds(WorkerId(77), InputsId(0), InputLocality::Yes);
    book.submit_all(1, 0..3);
    let workers: Vec<u32> = book
        .grants(at(0), 9)
        .iter()
        .map(|grant| grant.lease.worker.0)
        .collect();
    assert_eq!(workers, [77, 77, 1]);
    book.worker_holds(WorkerId(1), InputsId(0), InputLocality::No);
    book.submit_all(1, 3..4);
    assert_eq!(book.grant_one(0).worker, WorkerId(2));
}

#[test]
fn a_worker_that_started_a_job_holds_its_inputs() {
    let mut book = book_with(exact());
    book.submit_all(1, 0..1);
    book.join(2, 1, 0);
    let lease = book.grant_one(0);
    book.started(lease.worker, lease.key, lease.fence, at(0));
    book.done(lease, 0);
    book.join(1, 1, 0);
    book.submit_all(1, 1..2);
    assert_eq!(book.grant_one(0).worker, WorkerId(2));
    book.inputs_retired(InputsId(0));
    book.inputs(InputsId(0), InputAvailability::Ready);
    book.submit_all(1, 2..3);
    assert_eq!(book.grant_one(0).worker, WorkerId(1));
}

#[test]
fn architecture_and_toolbox_must_fit() {
    let mut book = book();
    let arm = Architecture::Aarch64;
    let kit = Some(ToolboxId(5));
    for (job, architecture, kit) in [(0, arm, None), (1, X86, kit), (2, arm, kit), (3, X86, None)] {
        let kind = SchedulingClass {
            architecture,
            kit,
            inputs: InputsId(0),
        };
        book.submit(key(1, job), demand(kind), at(0)).unwrap();
    }
    book.join(1, 8, 0);
    assert_eq!(book.grant_one(0).key, key(1, 3));
    book.worker_offers(WorkerId(1), ToolboxId(5), ToolboxPresence::Yes);
    assert_eq!(book.grant_one(0).key, key(1, 1));
    let offer = WorkerCapacity {
        slots: 8,
        architecture: arm,
    };
    book.worker_joined(WorkerId(2), offer, at(0));
    assert_eq!(book.grant_one(0).key, key(1, 0));
    book.worker_offers(WorkerId(2), ToolboxId(5), ToolboxPresence::Yes);
    book.worker_offers(WorkerId(2), ToolboxId(5), ToolboxPresence::No);
    assert_eq!(book.grants(at(0), 9), []);
    book.worker_offers(WorkerId(2), ToolboxId(5), ToolboxPresence::Yes);
    assert_eq!(book.grant_one(0).key, key(1, 2));
}

#[test]
fn toolboxes_of_a_worker_are_limited() {
    let mut book = book_with(SchedulerLimits {
        kits_per_worker_max: 1,
        ..exact()
    });
    book.join(1, 8, 0);
    let offer =
        |book: &mut JobScheduler, kit, has| book.worker_offers(WorkerId(1), ToolboxId(kit), has);
    assert_eq!(
        offer(&mut book, 5, ToolboxPresence::Yes),
        ToolboxRegistration::Taken
    );
    assert_eq!(
        offer(&mut book, 5, ToolboxPresence::Yes),
        ToolboxRegistration::Taken
    );
    assert_eq!(
        offer(&mut book, 6, ToolboxPresence::Yes),
        ToolboxRegistration::TooMany { limit: 1 }
    );
    assert_eq!(book.slots_for(X86, Some(ToolboxId(5))), 8);
    assert_eq!(book.slots_for(X86, Some(ToolboxId(6))), 0);
    assert_eq!(
        offer(&mut book, 5, ToolboxPresence::No),
        ToolboxRegistration::Taken
    );
    assert_eq!(
        offer(&mut book, 6, ToolboxPresence::Yes),
        ToolboxRegistration::Taken
    );
    assert_eq!(book.slots_for(X86, Some(ToolboxId(6))), 8);
}

/// Promise 9: one client's jobs lock no other client out.
#[test]
fn a_full_book_has_room_for_who_has_little() {
    let mut book = book_with(SchedulerLimits {
        jobs_max: 5,
        jobs_guaranteed: 2,
        ..exact()
    });
    book.client_joined(ClientId(2), 1);
    let mut submit = |client, job| book.submit(key(client, job), demand(kind(0)), at(0));
    for job in 0..5 {
        assert_eq!(submit(1, job), Ok(SubmitOutcome::New));
    }
    let full = Err(SubmitError::BookFull { limit: 5 });
    assert_eq!(submit(1, 5), full);
    assert_eq!(submit(2, 0), Ok(SubmitOutcome::New));
    assert_eq!(submit(2, 1), Ok(SubmitOutcome::New));
    assert_eq!(submit(2, 2), full);
}

#[test]
fn what_cannot_start_is_in_nobodys_way() {
    let mut book = book_with(exact());
    let high = JobPriority {
        priority: 9,
        estimate: None,
    };
    let submit = |book: &mut JobScheduler, job, rank, kind| {
        book.submit(key(1, job), JobDemand { rank, kind }, at(0))
            .unwrap();
    };
    submit(&mut book, 0, high, kind(7));
    submit(
        &mut book,
        1,
        high,
        SchedulingClass {
            kit: Some(ToolboxId(3)),
            ..kind(0)
        },
    );
    submit(&mut book, 2, JobPriority::default(), kind(0));
    book.client_joined(ClientId(2), 1);
    book.submit_all(2, 0..1);
    book.client_gate(ClientId(2), ClientAdmission::Held);
    book.join(1, 1, 0);
    let lease = book.grant_one(0);
    assert_eq!(lease.key, key(1, 2));
    book.inputs(InputsId(7), InputAvailability::Ready);
    book.done(lease, 0);
    let lease = book.grant_one(0);
    assert_eq!(lease.key, key(1, 0));
    book.client_gate(ClientId(2), ClientAdmission::Open);
    book.done(lease, 0);
    assert_eq!(book.grant_one(0).key, key(2, 0));
}

#[test]
fn inputs_that_go_missing_hold_back_what_waits() {
    let mut book = book_with(exact());
    book.submit_all(1, 0..2);
    book.inputs(InputsId(0), InputAvailability::Missing);
    book.join(1, 2, 0);
    assert_eq!(book.grants(at(0), 9), []);
    book.inputs(InputsId(0), InputAvailability::Ready);
    assert_eq!(book.grants(at(0), 9).len(), 2);
}

#[test]
fn within_a_client_rank_decides_across_kinds() {
    let mut book = book_with(exact());
    book.inputs(InputsId(1), InputAvailability::Ready);
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
            kind: kind(inputs),
        };
        book.submit(key(1, job), demand, at(0)).unwrap();
    }
    book.join(1, 9, 0);
    let order: Vec<u64> = book
        .grants(at(0), 9)
        .iter()
        .map(|grant| grant.lease.key.job.0)
        .collect();
    assert_eq!(order, [3, 2, 4, 1, 0]);
}

#[test]
fn promise_3_the_next_attempt_goes_to_another_worker() {
    let mut book = book_with(exact());
    book.submit_all(1, 0..1);
    book.join(1, 4, 0);
    book.join(2, 4, 0);
    let lease = book.grant_one(0);
    assert_eq!(lease.worker, WorkerId(1));
    book.fail(lease, 0);
    book.tick(at(500));
    assert_eq!(book.grant_one(500).worker, WorkerId(2));
}

#[test]
fn promise_3_it_waits_for_another_worker_that_is_busy_but_not_for_ever() {
    for frees in [true, false] {
        let mut book = book_with(SchedulerLimits {
            lease_ttl_ms: 1_000_000,
            ..exact()
        });
        book.submit_all(1, 0..2);
        book.join(1, 1, 0);
        book.join(2, 1, 0);
        let leases: Vec<Lease> = book
            .grants(at(0), 9)
            .iter()
            .map(|grant| grant.lease)
            .collect();
        book.fail(leases[0], 0);
        book.tick(at(500));
        assert_eq!(book.grants(at(500), 9), []);
        // Others are served meanwhile by the worker that has failed it.
        book.submit_all(1, 2..3);
        let other = book.grant_one(500);
        assert_eq!((other.key, other.worker), (key(1, 2), WorkerId(1)));
        book.done(other, 600);
        assert_eq!(book.next_tick(), Some(at(1_000)));
        if frees {
            book.done(leases[1], 800);
            book.tick(at(1_000));
            assert_eq!(book.grant_one(1_000).worker, WorkerId(2));
            continue;
        }
        let (lease, now) = loop {
            let now = book.next_tick().expect("it looks again");
            book.tick(now);
            if let [grant] = book.grants(now, 9)[..] {
                break (grant.lease, now);
            }
        };
        assert_eq!((lease.worker, now), (WorkerId(1), at(500 + 20_000)));
    }
}
