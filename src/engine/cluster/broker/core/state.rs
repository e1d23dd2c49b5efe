//! The state that all parts of the core share. What changes it is in the files beside this one, by
//! what it is about.

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

/// Who is at the other end of a connection.
#[derive(Clone, Copy, Debug)]
pub(super) enum SessionPeer {
    Client(ClientId),
    Worker(WorkerId),
}

/// What the journal is asked to keep, and for whom.
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
    /// For what the core itself has started and wants to hear of.
    pub(super) own: UnboundedSender<CoreInput>,
    pub(super) peers: HashMap<SessionId, SessionPeer>,
    pub(super) runs: HashMap<RunName, ClientId>,
    /// The same by what is shown of runs to others.
    pub(super) shown: HashMap<RunName, ClientId>,
    pub(super) accounts: AccountTable,
    pub(super) clients: BTreeMap<ClientId, ClientRun>,
    pub(super) next_client: u64,
    pub(super) workers: BTreeMap<WorkerId, RegisteredWorker>,
    pub(super) instances: HashMap<WorkerInstance, WorkerId>,
    /// The last workers that did not come back, and their names.
    pub(super) departed: VecDeque<(WorkerId, String)>,
    pub(super) absent: WorkerRecovery,
    pub(super) next_worker: u32,
    pub(super) leases: HashMap<FencingToken, JobKey>,
    pub(super) templates: TemplateRegistry,
    /// What jobs wrote that does not fit into memory.
    pub(super) spool: OutputSpool,
    /// What the journal is asked to keep, until it has.
    pub(super) awaited: HashMap<u64, PendingSubmission>,
    pub(super) next_ticket: u64,
    /// Contents that templates need and the storage lacked, since the start.
    pub(super) contents_lacking: u64,
    pub(super) now: BrokerInstant,
}
