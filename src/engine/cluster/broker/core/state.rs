//! The core's state. The files beside this one change it, each for one subject.

use std::collections::{BTreeMap, HashMap, VecDeque};

use tokio::sync::mpsc::UnboundedSender;

use super::accounts::AccountTable;
use super::client_state::ClientRun;
use super::config::BrokerConfig;
use super::input::{ContentInventory, CoreInput, SessionId};
use super::recovery::WorkerRecovery;
use super::templates::TemplateRegistry;
use super::worker_state::RegisteredWorker;
use crate::broker::journal::{Journal, RunName, WorkerInstance};
use crate::broker::scheduler::{BrokerInstant, ClientId, FencingToken, JobKey, JobScheduler};
use crate::output_log::spool::OutputSpool;
use maelstrom_model::backend::JobId;
use maelstrom_model::ids::WorkerId;

/// The peer of a connection.
#[derive(Clone, Copy, Debug)]
pub(super) enum SessionPeer {
    Client(ClientId),
    Worker(WorkerId),
}

/// A submission that waits for the journal.
pub(super) struct PendingSubmission {
    pub(super) client: ClientId,
    pub(super) jobs: Vec<JobId>,
}

/// See the documentation of the [module above](super).
pub struct BrokerCore {
    pub(super) policy: BrokerConfig,
    pub(super) book: JobScheduler,
    pub(super) journal: Journal,
    pub(super) inventory: Box<dyn ContentInventory>,
    /// Sends inputs to the core itself.
    pub(super) own: UnboundedSender<CoreInput>,
    pub(super) peers: HashMap<SessionId, SessionPeer>,
    pub(super) runs: HashMap<RunName, ClientId>,
    /// The runs by the name that is shown to others.
    pub(super) shown: HashMap<RunName, ClientId>,
    pub(super) accounts: AccountTable,
    pub(super) clients: BTreeMap<ClientId, ClientRun>,
    pub(super) next_client: u64,
    pub(super) workers: BTreeMap<WorkerId, RegisteredWorker>,
    pub(super) instances: HashMap<WorkerInstance, WorkerId>,
    /// The last workers that did not return, with their names.
    pub(super) departed: VecDeque<(WorkerId, String)>,
    pub(super) absent: WorkerRecovery,
    pub(super) next_worker: u32,
    pub(super) leases: HashMap<FencingToken, JobKey>,
    pub(super) templates: TemplateRegistry,
    /// Output that does not fit in memory.
    pub(super) spool: OutputSpool,
    /// Submissions that wait for the journal.
    pub(super) awaited: HashMap<u64, PendingSubmission>,
    pub(super) next_ticket: u64,
    /// How many missing contents were requested since the start.
    pub(super) contents_lacking: u64,
    pub(super) now: BrokerInstant,
}
