//! The scheduler against the cluster's promises: rule by rule, against a model in random sequences,
//! and in virtual time.

mod fairness;
mod leases;
mod model;
mod model_worker;
mod needs;
mod placement;
mod resume;
mod simulation;

use std::collections::BTreeSet;
use std::num::NonZeroU32;
use std::time::Duration;

use super::*;
use maelstrom_model::backend::JobId;
use maelstrom_model::ids::WorkerId;
use maelstrom_model::priority::JobPriority;

const X86: Architecture = Architecture::X86_64;
const TTL: u64 = 20_000;

fn at(ms: u64) -> BrokerInstant {
    BrokerInstant(ms)
}

fn key(client: u64, job: u64) -> JobKey {
    JobKey {
        client: ClientId(client),
        job: JobId(job),
    }
}

fn kind(inputs: u32) -> SchedulingClass {
    SchedulingClass {
        architecture: X86,
        toolbox: None,
        inputs: InputsId(inputs),
        group: None,
    }
}

fn demand(kind: SchedulingClass) -> JobDemand {
    JobDemand {
        rank: JobPriority::default(),
        kind,
        needs: WorkerNeeds::default(),
    }
}

fn offer(slots: u32) -> WorkerCapacity {
    WorkerCapacity {
        slots,
        architecture: X86,
    }
}

fn estimated(seconds: u64) -> JobPriority {
    JobPriority {
        priority: 0,
        estimate: Some(Duration::from_secs(seconds)),
    }
}

/// A scheduler with inputs 0 present, and client 1.
fn scheduler() -> JobScheduler {
    scheduler_with(SchedulerLimits::default())
}

fn scheduler_with(limits: SchedulerLimits) -> JobScheduler {
    let mut scheduler = JobScheduler::new(limits, FencingToken(100));
    scheduler.inputs(InputsId(0), InputAvailability::Ready);
    scheduler.client_joined(ClientId(1), 1);
    scheduler
}

/// Without prefetching.
fn exact() -> SchedulerLimits {
    SchedulerLimits {
        prefetch_per_worker: 0,
        ..SchedulerLimits::default()
    }
}

impl JobScheduler {
    /// Submits jobs of a client without special requirements.
    fn submit_all(&mut self, client: u64, jobs: std::ops::Range<u64>) {
        for job in jobs {
            let submitted = self.submit(key(client, job), demand(kind(0)), at(0));
            assert_eq!(submitted, Ok(SubmitOutcome::New));
        }
    }

    fn join(&mut self, worker: u32, slots: u32, now: u64) {
        let events = self.worker_joined(WorkerId(worker), offer(slots), at(now));
        assert_eq!(events, []);
    }

    /// The only lease that can be granted now.
    fn grant_one(&mut self, now: u64) -> Lease {
        let grants = self.grants(at(now), 10);
        assert_eq!(grants.len(), 1, "{grants:?}");
        grants[0].lease
    }

    fn done(&mut self, lease: Lease, now: u64) -> ReportDisposition {
        self.finished(
            lease.worker,
            lease.key,
            lease.fence,
            AttemptResult::Done,
            at(now),
        )
    }

    fn fail(&mut self, lease: Lease, now: u64) -> ReportDisposition {
        let how = AttemptResult::InfrastructureFailure;
        self.finished(lease.worker, lease.key, lease.fence, how, at(now))
    }
}
