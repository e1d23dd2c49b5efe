//! The configuration of a worker, and the events that it reports.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::Duration;

use tonic::Status;

use crate::output_log;
use crate::worker::allowance::JobAllowance;
use crate::worker::broker_connection::Disconnected;
use crate::worker::health::{DISK_FREE_BYTES_MIN, ResourceReporting};
use crate::worker::inputs::{CONTENT_PATIENCE, TreeLimits};
use maelstrom_container::devices::DevicePattern;
use maelstrom_model::backend::BackendLost;
use maelstrom_wire::from_proto::text;

/// The number of leases beyond the slots, so that the next job is present when one ends; its inputs
/// are fetched in the meantime.
pub const LEASES_AHEAD: u32 = 2;

/// The configuration of a worker.
#[derive(Clone, Debug)]
pub struct WorkerConfig {
    /// The worker's name, which is reported with each job.
    pub name: String,
    /// 16 random bytes that identify this process.
    pub instance: [u8; 16],
    /// The number of jobs that run at a time.
    pub slots: u32,
    /// The memory that running jobs together are expected to take, in bytes, if it is limited.
    pub memory_max: Option<u64>,
    /// How long running jobs may continue once the worker drains.
    pub drain_timeout: Duration,
    /// Host paths that jobs may mount.
    pub lent: Vec<PathBuf>,
    /// Host paths that no job may mount, apart from the store, even below a lent directory.
    pub private: Vec<PathBuf>,
    /// Devices that jobs may have.
    pub devices: Vec<DevicePattern>,
    /// Privileges that jobs may request.
    pub allowed: BTreeSet<JobAllowance>,
    /// How long to retry fetching a blob that the storage has lost.
    pub content_patience: Duration,
    /// Limits on input trees.
    pub tree_limits: TreeLimits,
    /// The maximum output of a job, in bytes.
    pub output_bytes_max: u64,
    /// The worker takes no jobs with less free disk space than this.
    pub disk_free_bytes_min: u64,
    /// Whether heartbeats report how busy the machine is.
    pub vitals: ResourceReporting,
}

impl WorkerConfig {
    /// Creates the default configuration: no host path is lent, no device offered, and no privilege
    /// allowed.
    pub fn new(name: String, instance: [u8; 16], slots: u32) -> WorkerConfig {
        WorkerConfig {
            name,
            instance,
            slots,
            memory_max: None,
            drain_timeout: Duration::from_secs(300),
            lent: Vec::new(),
            private: Vec::new(),
            devices: Vec::new(),
            allowed: BTreeSet::new(),
            content_patience: CONTENT_PATIENCE,
            tree_limits: TreeLimits::default(),
            output_bytes_max: output_log::BYTES_MAX,
            disk_free_bytes_min: DISK_FREE_BYTES_MIN,
            vitals: ResourceReporting::default(),
        }
    }
}

/// An event of a worker, for observers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WorkerEvent {
    /// The broker has assigned this number to the worker.
    Registered(u32),
    /// The broker cannot be reached.
    Down(Disconnected),
    /// The worker takes no more jobs, and will end.
    Draining,
}

/// The error that ends a worker.
#[derive(Debug, thiserror::Error)]
pub enum WorkerError {
    /// The broker refuses the worker.
    #[error("the broker refuses this worker: {}", text(.0.message()))]
    Refused(Box<Status>),
    /// The broker has an incompatible version.
    #[error("{0}")]
    Version(String),
    /// No job can run any more.
    #[error(transparent)]
    Backend(BackendLost),
}
