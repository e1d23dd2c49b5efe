//! Leases: grants to workers, and the workers' reports.

use std::collections::{BTreeMap, BTreeSet};

use super::BrokerCore;
use super::defect::broken_invariant;
use super::run_table::{ChunkOutcome, JobAttempt, cancelled, infrastructure};
use super::worker_table::TemplateDelivery;
use crate::broker::limits;
use crate::broker::scheduler::{
    AttemptResult, FencingToken, InputLocality, InputsId, JobKey, Lease, LeaseEvent, LeaseGrant,
    LeaseStatus, ReportDisposition, ReturnOutcome,
};
use maelstrom_model::ids::{ShortRun, WorkerId};
use maelstrom_wire::from_proto;
use maelstrom_wire::limits::cut_discarded;
use maelstrom_wire::v1::{self, job_result, report, worker_order};

/// The number of grants per batch: enough to fill a thousand workers, and fast to compute.
const GRANTS_MAX: usize = 4096;

impl BrokerCore {
    pub(super) fn grant(&mut self) {
        loop {
            // Granted in batches, so that the leases of a large cluster are never all in memory at
            // once.
            let grants = self.scheduler.grants(self.now, GRANTS_MAX);
            let is_all = grants.len() < GRANTS_MAX;
            self.send_leases(grants);
            if is_all {
                return;
            }
        }
    }

    /// Handles leases that ended without a report.
    pub(super) fn lost(&mut self, events: Vec<LeaseEvent>) {
        for event in events {
            match event {
                LeaseEvent::WorkerSilent(worker) => self.silent(worker),
                LeaseEvent::WorkerForgotten(worker) => self.forget_worker(worker),
                LeaseEvent::Lost { lease, retry: _ } => {
                    self.workers.remove_lease(lease.fence);
                    let name = self.workers.name(lease.worker);
                    self.runs
                        .requeue(lease.key, format!("nothing is heard of the worker {name}"));
                }
                LeaseEvent::GivenUp { lease, workers } => {
                    self.workers.remove_lease(lease.fence);
                    let message = self.given_up(&workers, "nothing was heard of it any more");
                    self.conclude(lease.key, infrastructure(message));
                }
                LeaseEvent::Cancelled { lease } => {
                    self.workers.remove_lease(lease.fence);
                    self.conclude(lease.key, cancelled());
                }
                LeaseEvent::Abandoned { lease } => {
                    self.workers.remove_lease(lease.fence);
                }
            }
        }
    }

    fn given_up(&self, workers: &[WorkerId], last: &str) -> String {
        let names: Vec<String> = workers.iter().map(|id| self.workers.name(*id)).collect();
        format!(
            "the job was tried {} times, on {}, and could not be run to its end; the last time: {last}",
            workers.len(),
            names.join(", ")
        )
    }

    pub(super) fn reports(&mut self, id: WorkerId, reports: Vec<v1::Report>) {
        let mut settled = Vec::new();
        for report in reports {
            let fence = FencingToken(report.fence);
            let Some(kind) = report.kind else {
                return self.dismiss(id, "a report of no known kind");
            };
            let Some(key) = self.workers.leased(fence) else {
                // A worker repeats the end of a lease until it is acknowledged, even of one that is
                // unknown here.
                if matches!(kind, report::Kind::Finished(_) | report::Kind::Returned(_)) {
                    settled.push(fence.0);
                }
                continue;
            };
            match kind {
                report::Kind::Started(slot) => self.started(id, key, fence, slot),
                report::Kind::Written(written) => {
                    if let Err(why) = self.wrote(id, key, fence, written) {
                        return self.dismiss(id, &why);
                    }
                }
                report::Kind::Finished(result) => {
                    self.finished(id, key, fence, result);
                    settled.push(fence.0);
                }
                report::Kind::Returned(_) => {
                    self.returned(id, key, fence);
                    settled.push(fence.0);
                }
            }
        }
        if !settled.is_empty() {
            let settled = v1::Settled { fences: settled };
            self.workers.order(id, worker_order::Kind::Settled(settled));
        }
    }

    fn started(&mut self, id: WorkerId, key: JobKey, fence: FencingToken, slot: u32) {
        let standing = self.scheduler.started(id, key, fence, self.now);
        match standing {
            // A cancelled job continues to run and write output until it is stopped.
            LeaseStatus::Current | LeaseStatus::Cancelled => {
                if let Some(attempt) = self.runs.attempt(key, fence) {
                    self.runs.started(key, attempt, slot, self.now);
                }
            }
            LeaseStatus::Stale => {}
        }
        match standing {
            LeaseStatus::Current => {}
            LeaseStatus::Cancelled => self.workers.stop(id, fence, v1::Stop::Terminate),
            LeaseStatus::Stale => self.workers.stop(id, fence, v1::Stop::Kill),
        }
    }

    fn wrote(
        &mut self,
        id: WorkerId,
        key: JobKey,
        fence: FencingToken,
        written: v1::Written,
    ) -> Result<(), String> {
        let of_this_worker = |attempt: &JobAttempt| attempt.worker == id;
        // A worker that lost the lease may still send output; that is no reason to dismiss it.
        if self
            .runs
            .attempt(key, fence)
            .filter(of_this_worker)
            .is_none()
        {
            return Ok(());
        }
        let stream = from_proto::stream(written.stream).map_err(|error| error.to_string())?;
        let output = (stream, &*written.data);
        match self.runs.wrote(key, written.index, output, self.now) {
            Ok(ChunkOutcome::Now | ChunkOutcome::Before) => Ok(()),
            Ok(ChunkOutcome::Gap) => Err(format!(
                "output {} of a lease came too early",
                written.index
            )),
            Ok(ChunkOutcome::TooLong) => {
                Err(format!("output {} of a lease is too long", written.index))
            }
            Err(why) => {
                let message = format!("the broker cannot keep what the job wrote: {why}");
                // For the client the job is over. It must not run again if its worker is lost
                // before it ends the lease.
                self.scheduler.cancel(key);
                self.workers.stop(id, fence, v1::Stop::Kill);
                self.conclude(key, infrastructure(message));
                Ok(())
            }
        }
    }

    fn finished(
        &mut self,
        id: WorkerId,
        key: JobKey,
        fence: FencingToken,
        mut result: v1::JobResult,
    ) {
        if let Some(job_result::End::Infrastructure(message)) = &mut result.end {
            limits::cut(message);
        }
        if let Some(discarded) = &mut result.discarded {
            cut_discarded(discarded);
        }
        let failure = match &result.end {
            Some(job_result::End::Infrastructure(message)) => Some(message.clone()),
            None => Some("the worker did not say how the job ended".to_owned()),
            Some(
                job_result::End::Exited(_)
                | job_result::End::Signalled(_)
                | job_result::End::TimedOut(_)
                | job_result::End::Cancelled(_),
            ) => None,
        };
        let how = match failure {
            None => AttemptResult::Done,
            Some(_) => AttemptResult::InfrastructureFailure,
        };
        let verdict = self.scheduler.finished(id, key, fence, how, self.now);
        // The fence may belong to another worker, which still runs the job.
        if !matches!(verdict, ReportDisposition::Stale) {
            self.workers.remove_lease(fence);
        }
        match verdict {
            ReportDisposition::Report => self.conclude(key, result),
            ReportDisposition::Stale | ReportDisposition::Abandoned => {}
            ReportDisposition::Retry(_) => {
                let name = self.workers.name(id);
                let failure = failure.unwrap_or_default();
                self.runs.requeue(
                    key,
                    format!("the worker {name} could not run it: {failure}"),
                );
            }
            ReportDisposition::GivenUp { workers } => {
                let message = self.given_up(&workers, &failure.unwrap_or_default());
                self.conclude(key, infrastructure(message));
            }
        }
    }

    fn returned(&mut self, id: WorkerId, key: JobKey, fence: FencingToken) {
        let returned = self.scheduler.returned(id, key, fence, self.now);
        if !matches!(returned, ReturnOutcome::Stale) {
            self.workers.remove_lease(fence);
        }
        match returned {
            ReturnOutcome::Queued | ReturnOutcome::Retry(_) => {
                let name = self.workers.name(id);
                self.runs
                    .requeue(key, format!("the worker {name} handed it back"));
            }
            ReturnOutcome::Cancelled => self.conclude(key, cancelled()),
            ReturnOutcome::GivenUp { workers } => {
                let message = self.given_up(&workers, "it was handed back");
                self.conclude(key, infrastructure(message));
            }
            ReturnOutcome::Abandoned | ReturnOutcome::Stale => {}
        }
    }

    /// Sets the outcome of a job.
    fn conclude(&mut self, key: JobKey, result: v1::JobResult) {
        self.runs.conclude(key, result, self.now);
    }

    /// Sends the grants to their workers, in one message per worker.
    fn send_leases(&mut self, grants: Vec<LeaseGrant>) {
        let mut by_worker: BTreeMap<WorkerId, Vec<v1::Lease>> = BTreeMap::new();
        for LeaseGrant { lease, attempt: _ } in grants {
            let Lease { key, worker, fence } = lease;
            let attempt = JobAttempt { worker, fence };
            let Some((job, run)) = self.runs.lease(key, attempt) else {
                continue;
            };
            let (short, on) = (ShortRun(&run), self.workers.name(worker));
            tracing::debug!(run = %short, job = %key.job, worker = on, fence = fence.0, "a job is leased");
            self.workers.add_lease(&lease);
            // A connection preserves order: the template arrives before the first lease that refers
            // to it.
            self.send_template(worker, InputsId(job.template));
            by_worker.entry(worker).or_default().push(v1::Lease {
                fence: fence.0,
                run: run.to_vec().into(),
                job: Some(job),
            });
        }
        for (worker, leases) in by_worker {
            self.workers
                .order(worker, worker_order::Kind::Leases(v1::Leases { leases }));
        }
    }

    pub(super) fn send_template(&mut self, id: WorkerId, inputs: InputsId) {
        let delivery = self.workers.delivery(id, inputs);
        if delivery == TemplateDelivery::Unneeded {
            return;
        }
        let Some(known) = self.templates.get(inputs) else {
            return broken_invariant("a template is leased that nobody uses");
        };
        if delivery == TemplateDelivery::Full {
            // The worker keeps the templates of its leases, including leases that are being sent:
            // without its template a lease fails.
            let leases = self.scheduler.leases_of(id).into_iter();
            let wanted = leases.filter_map(|lease| self.scheduler.inputs_of(lease.key));
            let wanted: BTreeSet<InputsId> = wanted.collect();
            self.workers.retain_templates(id, &wanted);
        }
        self.workers.deliver(id, inputs, known.template.clone());
        self.scheduler.worker_holds(id, inputs, InputLocality::Yes);
    }
}
