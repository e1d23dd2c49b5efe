//! Chooses the backend: this machine or a cluster.

use std::time::Duration;

use maelstrom_cluster::backend::BrokerBackend;
use maelstrom_engine::local::LocalBackend;
use maelstrom_model::backend::{Backend, BackendEvent, JobId, JobPriority, StopMode};
use maelstrom_model::job::Job;

/// The backend of a run: this machine alone, or a cluster.
pub enum AnyBackend {
    Local(Box<LocalBackend>),
    Broker(Box<BrokerBackend>),
}

impl AnyBackend {
    /// Sets how long a job may continue after SIGTERM.
    pub fn with_grace(self, grace: Duration) -> AnyBackend {
        match self {
            AnyBackend::Local(backend) => AnyBackend::Local(Box::new(backend.with_grace(grace))),
            AnyBackend::Broker(backend) => AnyBackend::Broker(Box::new(backend.with_grace(grace))),
        }
    }
}

macro_rules! each {
    ($any:expr, $backend:ident => $call:expr) => {
        match $any {
            AnyBackend::Local($backend) => $call,
            AnyBackend::Broker($backend) => $call,
        }
    };
}

impl Backend for AnyBackend {
    fn slots(&self) -> u32 {
        each!(self, backend => backend.slots())
    }

    fn submit(&mut self, id: JobId, job: Job, rank: JobPriority) {
        each!(self, backend => backend.submit(id, job, rank));
    }

    fn stop(&mut self, id: JobId, how: StopMode) {
        each!(self, backend => backend.stop(id, how));
    }

    fn files_changed(&mut self) {
        each!(self, backend => backend.files_changed());
    }

    fn hold(&mut self) {
        each!(self, backend => backend.hold());
    }

    fn release(&mut self) {
        each!(self, backend => backend.release());
    }

    fn suspend(&mut self) {
        each!(self, backend => backend.suspend());
    }

    fn resume(&mut self) {
        each!(self, backend => backend.resume());
    }

    async fn next(&mut self) -> BackendEvent {
        each!(self, backend => backend.next().await)
    }

    async fn close(self) {
        match self {
            AnyBackend::Local(backend) => (*backend).close().await,
            AnyBackend::Broker(backend) => (*backend).close().await,
        }
    }
}
