//! The broker's core: all of its state, and every transition.
//!
//! ```text
//!  connections ──CoreInput──▶ BrokerCore ──messages──▶ outboxes ──▶ connections
//!                                │  ▲
//!                           journal  inventory (is everything in the storage?)
//! ```
//!
//! One task owns a [`BrokerCore`] and passes it one [`CoreInput`] after another, with the time. The
//! core decides and puts messages into outboxes; it never waits. Only the scheduler
//! ([`super::scheduler`]) decides which job runs where.
//!
//! - [`state`]: the state; [`client_state`], [`job_state`], [`worker_state`]: its parts. [`input`]:
//!   the inputs. [`config`]: the operator's settings.
//! - [`clients`]: runs. [`submissions`]: submitted jobs. [`jobs`]: their transitions.
//! - [`workers`]: connected workers. [`recovery`]: workers from before a restart. [`leases`]:
//!   grants and reports. [`toolboxes`]: what workers provide.
//! - [`accounts`]: what each client uses; [`charges`]: how that changes.
//! - [`templates`]: templates of all clients; [`supply`]: whether the storage has their contents.
//! - [`outbox`]: messages that wait to be sent.
//! - [`status`]: the cluster's status.
//!
//! Invariant 3: a job has one outcome, and its client is sent it until it acknowledges.

mod accounts;
mod charges;
mod client_state;
mod clients;
mod config;
mod input;
mod job_state;
mod jobs;
mod leases;
pub mod outbox;
mod recovery;
mod state;
mod status;
mod submissions;
mod supply;
pub mod templates;
mod toolboxes;
mod worker_state;
mod workers;

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, HashMap, VecDeque};

use tokio::sync::mpsc::UnboundedSender;

use self::accounts::AccountTable;
use self::config::millis;
use self::recovery::WorkerRecovery;
use self::state::SessionPeer;
use self::templates::TemplateRegistry;
use super::journal::{Journal, RecoveredState};
use super::scheduler::{BrokerInstant, FencingToken, JobScheduler, SchedulerLimits};
use crate::output_log::spool::OutputSpool;

pub use self::config::BrokerConfig;
pub use self::input::{ContentInventory, CoreInput, InventoryCheck, SessionId};
pub use self::state::BrokerCore;

/// How many bits of a fencing token count within one start of the broker.
const FENCE_BITS: u32 = 40;

impl BrokerCore {
    /// A core that continues from the journal.
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
        // Their jobs wait for the workers to return or time out: see `recovery`.
        for run in remembered.runs {
            core.recall(run);
        }
        core
    }

    /// Handles an input, at this time.
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
                // Only now may the next large input be queued.
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
            // A dismissed connection is already removed: its end must not count against its
            // successor.
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

    /// Does what is due, after inputs were handled.
    pub fn tick(&mut self, now: BrokerInstant) {
        self.now = now;
        let events = self.book.tick(now);
        // This precedes the grants: the end of a lease must not touch its job's next one.
        self.lost(events);
        self.expire_recovery();
        self.lose_patience();
        self.grant();
    }

    /// When to call [`Self::tick`] if there is no input before.
    pub fn next_tick(&self) -> Option<BrokerInstant> {
        let patience = millis(self.policy.client_patience);
        let clients = self.clients.values();
        let leaving = clients.filter_map(|client| Some(client.gone_since()?.plus_ms(patience)));
        let others = self.book.next_tick().into_iter();
        others.chain(self.absent.next_tick()).chain(leaving).min()
    }
}
