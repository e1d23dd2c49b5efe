//! What a worker runs its jobs by: this machine's backend, or anything else that keeps a backend's
//! promises.

use std::time::Duration;

use maelstrom_engine::local::LocalBackend;
use maelstrom_model::backend::{Backend, JobId, JobPriority};
use maelstrom_model::job::Job;

/// A backend whose jobs each say how long they may go on after SIGTERM: they are of several clients.
pub trait Executor: Backend {
    /// Hands over a job.
    fn submit_with_grace(&mut self, id: JobId, job: Job, rank: JobPriority, grace: Duration);
}

impl Executor for LocalBackend {
    fn submit_with_grace(&mut self, id: JobId, job: Job, rank: JobPriority, grace: Duration) {
        LocalBackend::submit_with_grace(self, id, job, rank, grace);
    }
}
