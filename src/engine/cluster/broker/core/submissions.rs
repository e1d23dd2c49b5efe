//! Submission, cancellation and acknowledgment of jobs.

use std::collections::BTreeSet;

use tonic::Status;

use super::run_table::{AdmittedJob, cancelled, infrastructure};
use super::tickets::PendingSubmission;
use super::{BrokerCore, CoreInput};
use crate::broker::journal::{JournalEntry, JournalError};
use crate::broker::owner::UNPRIVILEGED;
use crate::broker::scheduler::{CancelOutcome, ClientId, JobKey};
use maelstrom_model::backend::JobId;
use maelstrom_model::error::with_causes;
use maelstrom_wire::v1::{self, session_event};

impl BrokerCore {
    pub(super) fn submit(&mut self, id: ClientId, jobs: Vec<v1::Job>) -> Result<(), Status> {
        let new = self.runs.submit(id, jobs)?;
        if new.jobs.is_empty() {
            return Ok(());
        }
        let ticket = self.tickets.add(PendingSubmission {
            client: id,
            jobs: new.jobs,
        });
        let own = self.own.clone();
        let done = move |result: Result<(), JournalError>| {
            let result = result.map_err(|error| with_causes(&error));
            drop(own.send(CoreInput::Journalled(ticket, result)));
        };
        self.journal.keep(new.entries, Box::new(done));
        Ok(())
    }

    pub(super) fn journalled(&mut self, ticket: u64, result: Result<(), String>) {
        let Some(submission) = self.tickets.redeem(ticket) else {
            return;
        };
        let id = submission.client;
        // The client may have left in the meantime, and its jobs with it.
        if !self.runs.contains(id) {
            return;
        }
        if let Err(message) = result {
            self.runs.not_journalled(id, &submission.jobs);
            let status = Status::unavailable(format!("the broker: {message}"));
            return self.runs.dismiss(id, status, self.now);
        }
        let mut kinds = BTreeSet::new();
        for admitted in self.runs.journalled(id, &submission.jobs) {
            let kind = admitted.demand.kind;
            self.enqueue(admitted);
            kinds.insert((kind.architecture, kind.toolbox));
        }
        for (architecture, toolbox) in kinds {
            if let Some(toolbox) = toolbox {
                self.refuse_without_toolbox(toolbox);
            }
            self.notice_architecture(id, architecture);
        }
        let jobs = submission.jobs.iter().map(|job| job.0).collect();
        let accepted = v1::Accepted { jobs };
        self.runs.send(id, session_event::Kind::Accepted(accepted));
    }

    pub(super) fn enqueue(&mut self, job: AdmittedJob) {
        let refused = match job.is_allowed {
            true => {
                let submitted = self.scheduler.submit(job.key, job.demand, self.now);
                submitted
                    .err()
                    .map(|refused| format!("the broker: {refused}"))
            }
            false => Some(UNPRIVILEGED.to_owned()),
        };
        if let Some(refused) = refused {
            let result = infrastructure(refused);
            self.runs.conclude(job.key, result, self.now);
        }
    }

    pub(super) fn cancel(&mut self, client: ClientId, job: JobId, how: v1::Stop) {
        let key = JobKey { client, job };
        match self.scheduler.cancel(key) {
            CancelOutcome::Queued => self.runs.conclude(key, cancelled(), self.now),
            CancelOutcome::Leased(lease) => self.workers.stop(lease.worker, lease.fence, how),
            CancelOutcome::Unknown => {
                if self.runs.is_journalling(key) {
                    self.runs.conclude(key, cancelled(), self.now);
                }
            }
        }
    }

    pub(super) fn acknowledge(&mut self, id: ClientId, jobs: &[u64]) {
        let acknowledged = self.runs.acknowledge(id, jobs);
        let key = |job: &JobId| JobKey {
            client: id,
            job: *job,
        };
        for job in &acknowledged.over {
            self.scheduler.forget_over(key(job));
        }
        for job in &acknowledged.unfinished {
            // A waiting job ends at once; a running job is only stopped, and ends with the worker's
            // report.
            self.cancel(id, *job, v1::Stop::Kill);
            self.scheduler.forget_over(key(job));
            self.runs.drop_finished(key(job));
        }
        let run = acknowledged.run;
        let jobs = acknowledged.over.iter().chain(&acknowledged.unfinished);
        let over = jobs.map(|job| JournalEntry::JobOver { run, job: job.0 });
        self.journal.forget(over.collect());
    }
}
