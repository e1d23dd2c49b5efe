//! The condition of workers and of the cluster.

use serde::{Deserialize, Serialize};

use crate::ids::RunId;

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

/// How the cluster does.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ClusterSample {
    /// Attempts of all clients that wait.
    pub queued: u64,
    /// Attempts of all clients that run.
    pub running: u64,
    /// Slots of all workers.
    pub slots: u64,
    /// Results taken from the cache so far.
    pub cache_hits: u64,
    /// Results not found in the cache so far.
    pub cache_misses: u64,
    /// Bytes in the broker's store.
    pub store_bytes: u64,
    /// Every client, this one included.
    pub clients: Vec<ClusterClient>,
}

/// A client of the cluster.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ClusterClient {
    /// Its name: user and host.
    pub name: String,
    pub run: RunId,
    pub queued: u64,
    pub running: u64,
}
