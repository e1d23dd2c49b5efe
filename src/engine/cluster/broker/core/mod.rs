//! The broker's one state, and what changes it.
//!
//! ```text
//!  connections ──Input──▶ Core ──messages──▶ outboxes ──▶ connections
//!                          │  ▲
//!                     journal  inventory (is everything in the storage?)
//! ```
//!
//! One task owns a [`BrokerCore`] and hands it one [`CoreInput`] after another, with the time. The core decides
//! and puts messages into outboxes; it never waits. Which job goes where is the lease book's
//! ([`super::scheduler`]) decision alone.
//!
//! - [`clients`]: runs. [`submissions`]: what they want of jobs. [`jobs`]: how far these are.
//! - [`workers`]: who runs jobs. [`recovery`]: who did before the start. [`leases`]: what they get and
//!   report. [`toolboxes`]: what they have.
//! - [`accounts`]: how much each client has.
//! - [`templates`]: what jobs have in common. [`outbox`]: what waits to be sent.
//! - [`status`]: how it all does, for people.
//!
//! Invariant 3: a job has one outcome. A client is told of it until it acknowledges.

mod accounts;
mod clients;
mod jobs;
mod leases;
pub mod outbox;
mod recovery;
mod status;
mod submissions;
pub mod templates;
mod toolboxes;
mod workers;

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::path::PathBuf;
use std::time::Duration;

use futures_util::future::BoxFuture;
use tokio::sync::mpsc::UnboundedSender;
use tokio::sync::{OwnedSemaphorePermit, oneshot};
use tonic::Status;

use self::accounts::AccountTable;
use self::clients::ClientRun;
use self::outbox::Outbox;
use self::recovery::WorkerRecovery;
use self::templates::{PinGuard, TemplateReadiness, TemplateRegistry};
use self::workers::RegisteredWorker;
use super::budgets::CallerPrincipal;
use super::journal::{Journal, RecoveredState, RunName, WorkerInstance};
use super::limits::ClientLimits;
use super::operations::snapshot::CoreSnapshot;
use super::scheduler::{
    BrokerInstant, ClientId, FencingToken, InputsId, JobKey, JobScheduler, LeaseEvent,
    SchedulerLimits,
};
use crate::output_log::spool::OutputSpool;
use maelstrom_model::ids::WorkerId;
use maelstrom_wire::from_proto::ContentSource;
use maelstrom_wire::v1::{self, session_event};

/// How many bits of a fencing token count within one start of the broker.
const FENCE_BITS: u32 = 40;

/// Decisions between two looks at the inbox: enough to fill a thousand workers, and soon done.
const GRANTS_MAX: usize = 4096;

/// What the operator chose.
#[derive(Clone, Debug)]
pub struct BrokerConfig {
    /// How long leases live without a sign of life.
    pub lease: Duration,
    /// How often workers give one.
    pub heartbeat: Duration,
    /// How long a run waits for its client to come back.
    pub client_patience: Duration,
    /// Where long outputs of jobs are kept until they are sent.
    pub outputs: PathBuf,
    /// What the book allows.
    pub limits: SchedulerLimits,
    /// What each client may have.
    pub per_client: ClientLimits,
}

impl Default for BrokerConfig {
    fn default() -> BrokerConfig {
        BrokerConfig {
            lease: Duration::from_secs(20),
            heartbeat: Duration::from_secs(5),
            client_patience: Duration::from_secs(300),
            outputs: std::env::temp_dir(),
            limits: SchedulerLimits::default(),
            per_client: ClientLimits::default(),
        }
    }
}

/// One connection of a client or a worker. Never given twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SessionId(pub u64);

/// What happens to the core.
pub enum CoreInput {
    Hello {
        hello: v1::Hello,
        caller: CallerPrincipal,
        /// Where its messages go.
        outbox: Outbox<v1::SessionEvent>,
        /// The connection, or why it is not wanted.
        answer: oneshot::Sender<Result<SessionId, Status>>,
        session: SessionId,
    },
    /// A client said something.
    Client(SessionId, v1::client_message::Kind),
    /// A full outbox of a client has room.
    Room(SessionId),
    Register {
        register: v1::Register,
        caller: CallerPrincipal,
        /// Where its orders go.
        orders: UnboundedSender<Result<v1::WorkerOrder, Status>>,
        /// The connection, or why it is not wanted.
        answer: oneshot::Sender<Result<SessionId, Status>>,
        session: SessionId,
    },
    /// One of these that takes much memory, and what lets the next one in when it was taken in.
    Large(Box<CoreInput>, OwnedSemaphorePermit),
    /// A worker said something.
    Worker(SessionId, v1::worker_message::Kind),
    Gone(SessionId),
    /// The journal has written, or failed to.
    Journalled(u64, Result<(), String>),
    /// Whether the storage has what a template names.
    Checked(InputsId, Result<InventoryCheck, String>),
    /// The storage has lost something, whoever needs it.
    ContentsLost,
    /// How does the cluster do?
    Status(oneshot::Sender<v1::Cluster>),
    /// The same, and all that metrics tell.
    Figures(oneshot::Sender<CoreSnapshot>),
    /// Workers of this name, or all, are to take no more leases.
    Drain(String, oneshot::Sender<Vec<String>>),
    Tick,
    /// About a second has passed: those who watch want to know.
    Sample,
}

/// What the storage has of a template.
pub enum InventoryCheck {
    /// Everything, kept there from now on.
    Complete(PinGuard),
    /// Not these. The rest is kept there from now on, and these are once they come.
    Lacking(Vec<v1::Digest>, PinGuard),
    /// Whatever it has: a template that names this is not taken, for this reason.
    Refused(String),
}

/// Knows what the storage has.
pub trait ContentInventory: Send + Sync {
    /// Looks for contents, and for everything below directories.
    fn check(
        &self,
        contents: Vec<ContentSource>,
    ) -> BoxFuture<'static, Result<InventoryCheck, String>>;

    /// How many bytes it holds.
    fn bytes(&self) -> u64;

    /// How often action results were found, and not found.
    fn cache_uses(&self) -> (u64, u64) {
        (0, 0)
    }
}

/// Who is at the other end of a connection.
#[derive(Clone, Copy, Debug)]
enum SessionPeer {
    Client(ClientId),
    Worker(WorkerId),
}

/// See the module's documentation.
pub struct BrokerCore {
    policy: BrokerConfig,
    book: JobScheduler,
    journal: Journal,
    inventory: Box<dyn ContentInventory>,
    /// For what the core itself has started and wants to hear of.
    own: UnboundedSender<CoreInput>,
    peers: HashMap<SessionId, SessionPeer>,
    runs: HashMap<RunName, ClientId>,
    /// The same by what is shown of runs to others.
    shown: HashMap<RunName, ClientId>,
    accounts: AccountTable,
    clients: BTreeMap<ClientId, ClientRun>,
    next_client: u64,
    workers: BTreeMap<WorkerId, RegisteredWorker>,
    instances: HashMap<WorkerInstance, WorkerId>,
    /// The last workers that did not come back, and their names.
    departed: VecDeque<(WorkerId, String)>,
    absent: WorkerRecovery,
    next_worker: u32,
    leases: HashMap<FencingToken, JobKey>,
    templates: TemplateRegistry,
    /// What jobs wrote that does not fit into memory.
    spool: OutputSpool,
    /// What the journal is asked to keep, until it has.
    awaited: HashMap<u64, submissions::PendingSubmission>,
    next_ticket: u64,
    /// Contents that templates need and the storage lacked, since the start.
    contents_lacking: u64,
    now: BrokerInstant,
}

impl BrokerCore {
    /// A core that goes on where the journal's last broker ended.
    pub fn new(
        policy: BrokerConfig,
        (journal, remembered): (Journal, RecoveredState),
        inventory: Box<dyn ContentInventory>,
        own: UnboundedSender<CoreInput>,
    ) -> BrokerCore {
        let limits = SchedulerLimits {
            lease_ttl_ms: millis(policy.lease),
            ..policy.limits
        };
        let mut core = BrokerCore {
            absent: WorkerRecovery::new(remembered.workers, BrokerInstant(limits.lease_ttl_ms)),
            accounts: AccountTable::new(policy.per_client),
            spool: OutputSpool::new(&policy.outputs),
            policy,
            book: JobScheduler::new(limits, FencingToken(remembered.starts << FENCE_BITS)),
            journal,
            inventory,
            own,
            peers: HashMap::new(),
            runs: HashMap::new(),
            shown: HashMap::new(),
            clients: BTreeMap::new(),
            next_client: 0,
            workers: BTreeMap::new(),
            instances: HashMap::new(),
            departed: VecDeque::new(),
            next_worker: 0,
            leases: HashMap::new(),
            templates: TemplateRegistry::default(),
            awaited: HashMap::new(),
            next_ticket: 0,
            contents_lacking: 0,
            now: BrokerInstant(0),
        };
        for run in remembered.runs {
            core.recall(run);
        }
        core
    }

    /// Takes in what happened, at this time.
    pub fn handle(&mut self, input: CoreInput, now: BrokerInstant) {
        self.now = now;
        match input {
            CoreInput::Hello {
                hello,
                caller,
                outbox,
                answer,
                session,
            } => {
                let greeted = self.hello(hello, &caller, outbox, session);
                drop(answer.send(greeted.map(|()| session)));
            }
            CoreInput::Client(session, kind) => {
                if let Some(SessionPeer::Client(client)) = self.peers.get(&session).copied() {
                    self.client_message(client, kind);
                }
            }
            CoreInput::Large(input, permit) => {
                self.handle(*input, now);
                drop(permit);
            }
            CoreInput::Room(session) => {
                if let Some(SessionPeer::Client(client)) = self.peers.get(&session).copied() {
                    self.pump_all(client);
                }
            }
            CoreInput::Register {
                register,
                caller,
                orders,
                answer,
                session,
            } => {
                let registered = self.register(register, caller, orders, session);
                drop(answer.send(registered.map(|()| session)));
            }
            CoreInput::Worker(session, kind) => {
                if let Some(SessionPeer::Worker(worker)) = self.peers.get(&session).copied() {
                    self.worker_message(worker, kind);
                }
            }
            CoreInput::Gone(session) => match self.peers.remove(&session) {
                Some(SessionPeer::Client(client)) => self.client_gone(client),
                Some(SessionPeer::Worker(worker)) => self.worker_gone(worker),
                None => {}
            },
            CoreInput::Journalled(ticket, result) => self.journalled(ticket, result),
            CoreInput::Checked(inputs, checked) => self.checked(inputs, checked),
            CoreInput::ContentsLost => self.contents_lost(),
            CoreInput::Status(answer) => drop(answer.send(self.status())),
            CoreInput::Figures(answer) => drop(answer.send(self.figures())),
            CoreInput::Drain(name, answer) => drop(answer.send(self.drain(&name))),
            CoreInput::Tick => {}
            CoreInput::Sample => {
                self.expire_toolbox_queries();
                self.sample();
            }
        }
    }

    /// Does what is due, after inputs were taken in.
    pub fn tick(&mut self, now: BrokerInstant) {
        self.now = now;
        let events = self.book.tick(now);
        self.lost(events);
        self.expire_recovery();
        self.lose_patience();
        self.grant();
    }

    /// When [`Self::tick`] is to be called although nothing happens.
    pub fn next_tick(&self) -> Option<BrokerInstant> {
        let patience = millis(self.policy.client_patience);
        let clients = self.clients.values();
        let leaving = clients.filter_map(|client| Some(client.gone_since()?.plus_ms(patience)));
        let others = self.book.next_tick().into_iter();
        others.chain(self.absent.next_tick()).chain(leaving).min()
    }

    fn grant(&mut self) {
        loop {
            let grants = self.book.grants(self.now, GRANTS_MAX);
            let is_all = grants.len() < GRANTS_MAX;
            self.send_leases(grants);
            if is_all {
                return;
            }
        }
    }

    /// What became of leases that ended without a report.
    fn lost(&mut self, events: Vec<LeaseEvent>) {
        for event in events {
            match event {
                LeaseEvent::WorkerSilent(worker) => self.silent(worker),
                LeaseEvent::WorkerForgotten(worker) => self.forget_worker(worker),
                LeaseEvent::Lost { lease, retry: _ } => {
                    self.leases.remove(&lease.fence);
                    let name = self.worker_name(lease.worker);
                    self.requeue(lease.key, format!("nothing is heard of the worker {name}"));
                }
                LeaseEvent::GivenUp { lease, workers } => {
                    self.leases.remove(&lease.fence);
                    let message = self.given_up(&workers, "nothing was heard of it any more");
                    self.conclude(lease.key, infrastructure(message));
                }
                LeaseEvent::Cancelled { lease } => {
                    self.leases.remove(&lease.fence);
                    self.conclude(lease.key, cancelled());
                }
                LeaseEvent::Abandoned { lease } => {
                    self.leases.remove(&lease.fence);
                }
            }
        }
    }

    fn given_up(&self, workers: &[WorkerId], last: &str) -> String {
        let names: Vec<String> = workers.iter().map(|id| self.worker_name(*id)).collect();
        format!(
            "the job was tried {} times, on {}, and could not be run to its end; the last time: {last}",
            workers.len(),
            names.join(", ")
        )
    }

    /// Looks whether the storage has what a template names.
    fn check(&mut self, inputs: InputsId) {
        let Some(known) = self.templates.get_mut(inputs) else {
            return;
        };
        if let TemplateReadiness::Checking { again } = &mut known.supply {
            // One look at a time: what is said meanwhile is seen to by the next.
            *again = true;
            return;
        }
        known.supply = TemplateReadiness::Checking { again: false };
        let checking = self.inventory.check(known.contents.clone());
        let own = self.own.clone();
        tokio::spawn(async move {
            let checked = checking.await;
            drop(own.send(CoreInput::Checked(inputs, checked)));
        });
    }

    /// The storage has lost something: what templates name is looked for again, and whoever has it is
    /// asked for it.
    fn contents_lost(&mut self) {
        for inputs in self.templates.supplied() {
            self.check(inputs);
        }
    }

    fn checked(&mut self, inputs: InputsId, checked: Result<InventoryCheck, String>) {
        use super::scheduler::InputAvailability;
        let Some(known) = self.templates.get_mut(inputs) else {
            return;
        };
        let again = matches!(known.supply, TemplateReadiness::Checking { again: true });
        let users: Vec<_> = known.users.iter().copied().collect();
        // What is still lacking may have come since it was looked for.
        if again && let Ok(InventoryCheck::Lacking(_, pins)) = checked {
            known.supply = TemplateReadiness::Lacking;
            known.pins = Some(pins);
            return self.check(inputs);
        }
        match checked {
            Ok(InventoryCheck::Complete(pins)) => {
                known.supply = TemplateReadiness::Ready;
                known.pins = Some(pins);
                self.book.inputs(inputs, InputAvailability::Ready);
            }
            Ok(InventoryCheck::Lacking(digests, pins)) => {
                self.contents_lacking += digests.len() as u64;
                known.supply = TemplateReadiness::Lacking;
                known.pins = Some(pins);
                self.book.inputs(inputs, InputAvailability::Missing);
                for (client, template) in users {
                    let digests = digests.clone();
                    let missing = v1::Missing { template, digests };
                    self.emit(client, session_event::Kind::Missing(missing));
                }
            }
            Ok(InventoryCheck::Refused(why)) => {
                known.supply = TemplateReadiness::Lacking;
                known.pins = None;
                self.book.inputs(inputs, InputAvailability::Missing);
                for (client, template) in users {
                    let why = format!("template {template} is refused: {why}");
                    self.fail_session(client, Status::invalid_argument(why));
                }
            }
            Err(message) => {
                known.supply = TemplateReadiness::Lacking;
                known.pins = None;
                self.book.inputs(inputs, InputAvailability::Missing);
                for (client, _) in users {
                    self.fail_session(client, Status::unavailable(message.clone()));
                }
            }
        }
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

fn infrastructure(message: String) -> v1::JobResult {
    v1::JobResult {
        end: Some(v1::job_result::End::Infrastructure(message)),
        ..v1::JobResult::default()
    }
}

fn cancelled() -> v1::JobResult {
    v1::JobResult {
        end: Some(v1::job_result::End::Cancelled(v1::Empty {})),
        ..v1::JobResult::default()
    }
}
