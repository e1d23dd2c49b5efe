//! What a worker is told when it begins, and what it tells those who watch it.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::Duration;

use tonic::Status;

use crate::output_log;
use crate::worker::allowance::JobAllowance;
use crate::worker::broker_connection::Disconnected;
use crate::worker::health::{DISK_FREE_BYTES_MIN, ResourceReporting};
use crate::worker::inputs::{CONTENT_PATIENCE, TreeLimits};
use maelstrom_model::backend::BackendLost;
use maelstrom_wire::from_proto::text;

/// Leases beyond the slots, so that the next job is there when one ends; its inputs are fetched
/// meanwhile.
pub const LEASES_AHEAD: u32 = 2;

/// What a worker is told.
#[derive(Clone, Debug)]
pub struct WorkerConfig {
    /// Its name: where jobs are said to have run.
    pub name: String,
    /// 16 random bytes that name this process.
    pub instance: [u8; 16],
    /// How many jobs run at a time.
    pub slots: u32,
    /// How long jobs may go on when it ends.
    pub drain_timeout: Duration,
    /// Files and directories of the machine that jobs may be shown.
    pub lent: Vec<PathBuf>,
    /// Files and directories that no job may see, besides the store, whatever is lent.
    pub private: Vec<PathBuf>,
    /// What jobs may ask for beyond what every job gets.
    pub allowed: BTreeSet<JobAllowance>,
    /// How long a content is asked for that the storage has lost.
    pub content_patience: Duration,
    /// What inputs may be.
    pub tree_limits: TreeLimits,
    /// What a job may write.
    pub output_bytes_max: u64,
    /// With less room than this it takes no jobs.
    pub disk_free_bytes_min: u64,
    /// Whether the broker hears how busy the machine is.
    pub vitals: ResourceReporting,
}

impl WorkerConfig {
    /// The usual ones. Nothing of the machine is lent, and nothing special allowed.
    pub fn new(name: String, instance: [u8; 16], slots: u32) -> WorkerConfig {
        WorkerConfig {
            name,
            instance,
            slots,
            drain_timeout: Duration::from_secs(300),
            lent: Vec::new(),
            private: Vec::new(),
            allowed: BTreeSet::new(),
            content_patience: CONTENT_PATIENCE,
            tree_limits: TreeLimits::default(),
            output_bytes_max: output_log::BYTES_MAX,
            disk_free_bytes_min: DISK_FREE_BYTES_MIN,
            vitals: ResourceReporting::default(),
        }
    }
}

/// What those who watch a worker are told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WorkerEvent {
    /// The broker has given it this number.
    Registered(u32),
    /// The broker is not to be reached.
    Down(Disconnected),
    /// It takes no more jobs, and ends.
    Draining,
}

/// Why a worker ends before it is asked to.
#[derive(Debug, thiserror::Error)]
pub enum WorkerError {
    /// The broker does not take it.
    #[error("the broker refuses this worker: {}", text(.0.message()))]
    Refused(Box<Status>),
    /// The broker is of another version.
    #[error("{0}")]
    Version(String),
    /// No job can be run any more.
    #[error(transparent)]
    Backend(BackendLost),
}
