//! The figures of a broker at one moment.

use crate::broker::book::Status;
use crate::broker::cas::Usage;
use maelstrom_wire::v1::Cluster;

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
