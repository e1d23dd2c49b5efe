//! Events of the cluster as a whole.

use serde::{Deserialize, Serialize};

use crate::ids::{RunId, WorkerId};

/// An event of the cluster as a whole.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event")]
pub enum ClusterEvent {
    /// The progress of copying an input; `done_bytes == total_bytes` marks its end.
    #[serde(rename = "transfer")]
    Transfer {
        transfer: u32,
        /// The worker that receives the input; `None` for the broker's store.
        worker: Option<WorkerId>,
        /// What is copied, for display.
        name: String,
        done_bytes: u64,
        total_bytes: u64,
    },
    /// The load of the cluster, about once a second.
    #[serde(rename = "cluster_sample")]
    Sample(ClusterSample),
}

impl ClusterEvent {
    /// The names of these events in recordings.
    pub(super) const NAMES: &[&str] = &["transfer", "cluster_sample"];
}

/// The load of the cluster at one moment.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ClusterSample {
    /// Waiting attempts of all clients.
    pub queued: u64,
    /// Running attempts of all clients.
    pub running: u64,
    /// Slots of all workers.
    pub slots: u64,
    /// Results taken from the cache so far.
    pub cache_hits: u64,
    /// Results not found in the cache so far.
    pub cache_misses: u64,
    /// Bytes in the broker's store.
    pub store_bytes: u64,
    /// All clients, including this one.
    pub clients: Vec<ClusterClient>,
}

/// A client of the cluster.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ClusterClient {
    /// The client's name: `USER@HOST`.
    pub name: String,
    pub run: RunId,
    pub queued: u64,
    pub running: u64,
}
