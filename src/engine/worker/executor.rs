//! What a worker runs its jobs by: this machine's backend, or anything else that keeps a backend's
//! promises.

use std::time::Duration;

use crate::engine::backend::local::LocalBackend;
use crate::engine::backend::{Backend, JobId, Rank};
use crate::engine::job::Job;

/// A backend whose jobs each say how long they may go on after SIGTERM: they are of several clients.
pub trait Executor: Backend {
    /// Hands over a job.
    fn submit_with_grace(&mut self, id: JobId, job: Job, rank: Rank, grace: Duration);
}

impl Executor for LocalBackend {
    fn submit_with_grace(&mut self, id: JobId, job: Job, rank: Rank, grace: Duration) {
        LocalBackend::submit_with_grace(self, id, job, rank, grace);
    }
}
