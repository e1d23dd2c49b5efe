//! Events of the workers: this machine, or those of the cluster.

use serde::{Deserialize, Serialize};

use crate::ids::WorkerId;

/// An event of a worker.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event")]
pub enum WorkerStatusEvent {
    /// A worker has become available.
    #[serde(rename = "worker_joined")]
    Joined {
        /// The worker's id in this run.
        worker: WorkerId,
        /// The worker's name: a host name, or `local`.
        name: String,
        slots: u32,
        /// The worker's processor architecture, such as `x86_64`.
        architecture: String,
    },
    /// A worker has disconnected or was lost.
    #[serde(rename = "worker_left")]
    Left { worker: WorkerId, reason: String },
    /// The load of a worker, about once a second while jobs run.
    #[serde(rename = "worker_sample")]
    Sample(WorkerSample),
}

impl WorkerStatusEvent {
    /// The names of these events in recordings.
    pub(super) const NAMES: &[&str] = &["worker_joined", "worker_left", "worker_sample"];
}

/// The load of a worker at one moment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct WorkerSample {
    pub worker: WorkerId,
    pub state: WorkerCondition,
    /// Occupied slots, including those of other runs.
    pub busy: u32,
    /// CPU use; 1000 is all CPUs of the machine.
    pub cpu_permille: u32,
    pub memory_used_bytes: u64,
    pub memory_total_bytes: u64,
}

/// A worker's condition.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WorkerCondition {
    #[default]
    Online,
    /// The worker takes no more tests.
    Draining,
    /// The worker is connected, but a problem keeps it from working normally.
    Degraded,
    /// The broker has not heard from the worker for a while.
    Lost,
}
