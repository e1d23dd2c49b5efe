//! The reports of a lease, step by step.

use std::num::NonZeroU32;

use super::*;

#[test]
fn only_ends_are_urgent_and_on_a_new_connection_again() {
    let directory = tempfile::tempdir().unwrap();
    let room = MachineRoom::new(1);
    let mut ledger = LeaseTable::new(directory.path().to_owned(), 1024, room);
    let (run, job) = ([7; 16], 1);
    let fence = LeaseToken(5);
    ledger.take_in(fence, RunJobId { run, job }, &JobNeeds::default(), ());
    assert_eq!(ledger.unreported(), FlushUrgency::Nothing);
    ledger.start_next(|()| LeaseReadiness::Ready).unwrap();
    ledger.started(fence, 0);
    ledger.wrote(fence, OutputStream::Stdout, b"text");
    assert_eq!(ledger.unreported(), FlushUrgency::CanLinger);
    assert_eq!(ledger.next_reports(1024).len(), 2);
    assert_eq!(ledger.unreported(), FlushUrgency::Nothing);
    ledger.finished(fence, JobResult::not_run(JobOutcome::Cancelled));
    assert_eq!(ledger.unreported(), FlushUrgency::Urgent);
    assert_eq!(ledger.next_reports(1024).len(), 1);
    assert_eq!(ledger.unreported(), FlushUrgency::Nothing);
    ledger.report_again();
    assert_eq!(ledger.unreported(), FlushUrgency::Urgent);
    assert_eq!(ledger.next_reports(1024).len(), 3);
    ledger.acknowledge(fence);
    assert_eq!(ledger.unreported(), FlushUrgency::Nothing);
}

/// Adds leases of jobs with these needs, numbered from 0, in this room.
fn table_of(room: MachineRoom, needs: &[JobNeeds]) -> LeaseTable<usize> {
    let mut table = LeaseTable::new(PathBuf::from("/nowhere"), 1024, room);
    for (index, needs) in needs.iter().enumerate() {
        let (run, job) = ([7; 16], index as u64);
        table.take_in(LeaseToken(job), RunJobId { run, job }, needs, index);
    }
    table
}

fn started(
    table: &mut LeaseTable<usize>,
    readiness: impl Fn(&usize) -> LeaseReadiness,
) -> Vec<u64> {
    let next = || table.start_next(&readiness);
    std::iter::from_fn(next).map(|(fence, _)| fence.0).collect()
}

#[test]
fn a_lease_that_needs_more_than_is_free_is_not_overtaken_once_it_is_ready() {
    let end = || JobResult::not_run(JobOutcome::Cancelled);
    let plain = JobNeeds::default();
    let wide = JobNeeds {
        weight: NonZeroU32::new(2).unwrap(),
        ..plain.clone()
    };
    let alone = JobNeeds {
        exclusive: true,
        ..plain.clone()
    };
    let needs = [plain.clone(), wide, plain, alone];
    let mut table = table_of(MachineRoom::new(2), &needs);
    // Its inputs are still being fetched.
    let unready = |index: &usize| match index {
        1 => LeaseReadiness::NotYet,
        _ => LeaseReadiness::Ready,
    };
    let ready = |_: &usize| LeaseReadiness::Ready;
    assert_eq!(started(&mut table, unready), [0, 2]);
    table.finished(LeaseToken(0), end());
    assert!(started(&mut table, ready).is_empty());
    table.finished(LeaseToken(2), end());
    assert_eq!(started(&mut table, ready), [1]);
    assert_eq!((table.running(), table.slots_taken()), (1, 2));
    table.finished(LeaseToken(1), end());
    assert_eq!(started(&mut table, ready), [3]);
    assert_eq!((table.running(), table.slots_taken()), (1, 2));
}

#[test]
fn leases_start_while_their_memory_fits() {
    let needs = [6, 4, 1, 99].map(|bytes| JobNeeds {
        memory_bytes: Some(bytes),
        ..JobNeeds::default()
    });
    let room = MachineRoom::new(4).with_memory(Some(10));
    let mut table = table_of(room, &needs);
    let ready = |_: &usize| LeaseReadiness::Ready;
    assert_eq!(started(&mut table, ready), [0, 1]);
    table.disown(LeaseToken(0));
    // It takes its memory until it has ended.
    assert!(started(&mut table, ready).is_empty());
    table.finished(LeaseToken(0), JobResult::not_run(JobOutcome::Cancelled));
    assert_eq!(started(&mut table, ready), [2]);
    table.backend_lost("gone");
    assert_eq!((table.running(), table.slots_taken()), (0, 0));
}

#[test]
fn leases_that_wait_for_a_device_are_passed_over() {
    let with = |devices: &[&str]| JobNeeds {
        devices: devices.iter().map(|text| text.parse().unwrap()).collect(),
        ..JobNeeds::default()
    };
    let needs = [
        with(&["/dev/kvm"]),
        with(&["/dev/kvm", "/dev/dri=2"]),
        with(&["/dev/dri=2"]),
        JobNeeds::default(),
    ];
    let mut table = table_of(MachineRoom::new(4), &needs);
    let ready = |_: &usize| LeaseReadiness::Ready;
    assert_eq!(started(&mut table, ready), [0, 2, 3]);
    table.finished(LeaseToken(3), JobResult::not_run(JobOutcome::Cancelled));
    assert!(started(&mut table, ready).is_empty());
    table.finished(LeaseToken(0), JobResult::not_run(JobOutcome::Cancelled));
    assert_eq!(started(&mut table, ready), [1]);
    table.backend_lost("gone");
    assert!(table.devices.have_room(&needs[1].devices));
}

#[test]
fn a_lease_that_shares_a_device_with_few_is_not_overtaken() {
    let needs = ["/dev/kvm=4", "/dev/kvm", "/dev/kvm=4", "/dev/kvm=4"].map(|text| JobNeeds {
        devices: vec![text.parse().unwrap()],
        ..JobNeeds::default()
    });
    let mut table = table_of(MachineRoom::new(4), &needs);
    let ready = |_: &usize| LeaseReadiness::Ready;
    let end = || JobResult::not_run(JobOutcome::Cancelled);
    assert_eq!(started(&mut table, ready), [0]);
    assert!(started(&mut table, ready).is_empty());
    table.finished(LeaseToken(0), end());
    assert_eq!(started(&mut table, ready), [1]);
    table.finished(LeaseToken(1), end());
    assert_eq!(started(&mut table, ready), [2, 3]);
}

#[test]
fn a_lease_that_leaves_no_longer_limits_a_device() {
    let needs = ["/dev/kvm=2", "/dev/kvm", "/dev/kvm=2"].map(|text| JobNeeds {
        devices: vec![text.parse().unwrap()],
        ..JobNeeds::default()
    });
    let ready = |_: &usize| LeaseReadiness::Ready;
    let leave: [fn(&mut LeaseTable<usize>); 2] = [
        |table| assert_eq!(table.stop(LeaseToken(1)), LeaseAction::Nothing),
        |table| assert_eq!(table.disown(LeaseToken(1)), LeaseAction::Nothing),
    ];
    for leave in leave {
        let mut table = table_of(MachineRoom::new(4), &needs);
        assert_eq!(started(&mut table, ready), [0]);
        leave(&mut table);
        assert_eq!(started(&mut table, ready), [2]);
    }
}
