//! The trait that runs a worker's jobs: the local backend, or another implementation of its
//! contract.

use std::time::Duration;

use maelstrom_engine::local::LocalBackend;
use maelstrom_model::backend::{Backend, JobId, JobPriority};
use maelstrom_model::job::Job;

/// A backend with a grace period for each job, because the jobs belong to several clients.
pub trait Executor: Backend {
    /// Submits a job.
    fn submit_with_grace(&mut self, id: JobId, job: Job, rank: JobPriority, grace: Duration);
}

impl Executor for LocalBackend {
    fn submit_with_grace(&mut self, id: JobId, job: Job, rank: JobPriority, grace: Duration) {
        LocalBackend::submit_with_grace(self, id, job, rank, grace);
    }
}
