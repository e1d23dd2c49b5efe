//! The figures of a broker at one moment.

use crate::engine::broker::book::Status;
use crate::engine::broker::cas::Usage;
use crate::engine::wire::v1::Cluster;

/// What the core knows.
#[derive(Clone, Debug)]
pub struct CoreFigures {
    /// Of jobs and leases.
    pub book: Status,
    /// What people are shown.
    pub cluster: Cluster,
    /// How many contents were asked for because jobs need them and the storage lacked them.
    pub contents_lacking: u64,
}

/// What is known of a broker.
#[derive(Clone, Debug)]
pub struct Figures {
    /// What the core knows.
    pub core: CoreFigures,
    /// How the storage does.
    pub storage: Usage,
    /// Whether it can be sent work.
    pub is_ready: bool,
}
