//! The reports of a lease, step by step.

use super::*;

#[test]
fn only_ends_are_urgent_and_on_a_new_connection_again() {
    let directory = tempfile::tempdir().unwrap();
    let mut ledger = LeaseTable::new(directory.path().to_owned(), 1024);
    let (run, job) = ([7; 16], 1);
    let fence = LeaseToken(5);
    ledger.take_in(fence, RunJobId { run, job }, ());
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
