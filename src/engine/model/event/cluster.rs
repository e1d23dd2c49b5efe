//! Events of the cluster as a whole.

use serde::{Deserialize, Serialize};

use crate::ids::{RunId, WorkerId};

/// What the cluster does for all of its jobs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event")]
pub enum ClusterEvent {
    /// How far the copying of inputs has come; `done_bytes == total_bytes` ends it.
    #[serde(rename = "transfer")]
    Transfer {
        transfer: u32,
        /// The worker at the other end; `None` for the broker's store.
        worker: Option<WorkerId>,
        /// What is copied, for a person.
        name: String,
        done_bytes: u64,
        total_bytes: u64,
    },
    /// How the cluster does, about once a second.
    #[serde(rename = "cluster_sample")]
    Sample(ClusterSample),
}

impl ClusterEvent {
    /// The names of the events in recordings.
    pub(super) const NAMES: &[&str] = &["transfer", "cluster_sample"];
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
