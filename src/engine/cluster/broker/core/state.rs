//! The state of the core: the components that own it, and their connections.

use tokio::sync::mpsc::UnboundedSender;

use super::config::BrokerConfig;
use super::input::{ContentInventory, CoreInput};
use super::run_table::RunTable;
use super::templates::TemplateRegistry;
use super::tickets::SubmissionTickets;
use super::worker_table::WorkerTable;
use crate::broker::journal::Journal;
use crate::broker::scheduler::{BrokerInstant, JobScheduler};

/// The broker's core; see the documentation of the [module above](super).
pub struct BrokerCore {
    pub(super) config: BrokerConfig,
    pub(super) scheduler: JobScheduler,
    pub(super) runs: RunTable,
    pub(super) workers: WorkerTable,
    pub(super) templates: TemplateRegistry,
    pub(super) tickets: SubmissionTickets,
    pub(super) journal: Journal,
    pub(super) inventory: Box<dyn ContentInventory>,
    /// Sends inputs to the core itself.
    pub(super) own: UnboundedSender<CoreInput>,
    pub(super) now: BrokerInstant,
}
