//! Submissions that wait for the journal, by ticket.
//!
//! Pure. Every ticket is redeemed once, when the journal has committed the submission or failed to.

use std::collections::HashMap;

use super::defect::broken_invariant;
use crate::broker::scheduler::ClientId;
use maelstrom_model::backend::JobId;

/// A submission that waits for the journal. Its client may have left in the meantime.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct PendingSubmission {
    pub client: ClientId,
    pub jobs: Vec<JobId>,
}

/// The submissions that wait for the journal, by ticket.
#[derive(Debug, Default)]
pub(super) struct SubmissionTickets {
    pending: HashMap<u64, PendingSubmission>,
    next: u64,
}

impl SubmissionTickets {
    /// Adds a submission, and returns its ticket.
    pub(super) fn add(&mut self, submission: PendingSubmission) -> u64 {
        let ticket = self.next;
        self.next += 1;
        self.pending.insert(ticket, submission);
        ticket
    }

    /// Removes and returns the submission of a ticket.
    pub(super) fn redeem(&mut self, ticket: u64) -> Option<PendingSubmission> {
        let submission = self.pending.remove(&ticket);
        if submission.is_none() {
            broken_invariant("the journal has committed a submission that nobody made");
        }
        submission
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ticket_is_redeemed_once() {
        let mut tickets = SubmissionTickets::default();
        let submission = |job| PendingSubmission {
            client: ClientId(1),
            jobs: vec![JobId(job)],
        };
        let (first, second) = (tickets.add(submission(1)), tickets.add(submission(2)));
        assert_eq!(tickets.redeem(second), Some(submission(2)));
        assert_eq!(tickets.redeem(first), Some(submission(1)));
        assert!(std::panic::catch_unwind(move || tickets.redeem(first)).is_err());
    }
}
