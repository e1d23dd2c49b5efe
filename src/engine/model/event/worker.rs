//! Events of the workers: this machine, or those of the cluster.

use serde::{Deserialize, Serialize};

use crate::ids::WorkerId;

/// How a worker comes, does, and goes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event")]
pub enum WorkerStatusEvent {
    /// A worker is there.
    #[serde(rename = "worker_joined")]
    Joined {
        /// Its id in this run.
        worker: WorkerId,
        /// Its name: a host name, or `local`.
        name: String,
        slots: u32,
        /// Its processor architecture, such as `x86_64`.
        architecture: String,
    },
    /// A worker is gone.
    #[serde(rename = "worker_left")]
    Left { worker: WorkerId, reason: String },
    /// How a worker does, about once a second while something runs.
    #[serde(rename = "worker_sample")]
    Sample(WorkerSample),
}

impl WorkerStatusEvent {
    /// The names of the events in recordings.
    pub(super) const NAMES: &[&str] = &["worker_joined", "worker_left", "worker_sample"];
}

/// How a worker does.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct WorkerSample {
    pub worker: WorkerId,
    pub state: WorkerCondition,
    /// Slots that run something, of this run or of others.
    pub busy: u32,
    /// Processor use, 1000 being all of the machine.
    pub cpu_permille: u32,
    pub memory_used_bytes: u64,
    pub memory_total_bytes: u64,
}

/// A worker's state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WorkerCondition {
    #[default]
    Online,
    /// Takes no more tests.
    Draining,
    /// Works, but something is wrong with it.
    Degraded,
    /// Not heard of for a while.
    Lost,
}
