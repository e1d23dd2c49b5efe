//! The broker's core: all of its state, and every state transition.
//!
//! ```text
//!  connections ──CoreInput──▶ BrokerCore ──messages──▶ outboxes ──▶ connections
//!                                │  ▲
//!                           journal  inventory (is everything in the storage?)
//! ```
//!
//! One task owns a [`BrokerCore`] and passes it one [`CoreInput`] after another, with the current
//! time. The core decides and puts messages into outboxes; it never waits. Only the scheduler
//! ([`super::scheduler`]) decides which job runs where.
//!
//! Four components own the rest of the state, each its own part. A component decides about its part
//! and returns the consequences for others; the core passes them on.
//!
//! - [`run_table`]: clients' sessions, runs, jobs, output and accounts. They are one machine,
//!   because each change of a run changes what its account uses.
//! - [`worker_table`]: workers' connections, processes and leases, and recovery after a restart.
//! - [`templates`]: templates of all clients, and whether the storage has their contents.
//! - [`tickets`]: submissions that wait for the journal.
//!
//! The other modules connect these components:
//!
//! - [`state`]: the core. [`input`]: its inputs. [`config`]: the operator's settings.
//! - [`clients`]: clients' messages. [`submissions`]: submitted jobs.
//! - [`workers`]: workers' messages. [`leases`]: grants and reports. [`toolboxes`]: what workers
//!   provide. [`supply`]: checks of the storage.
//! - [`outbox`]: messages that wait to be sent. [`status`]: the cluster's status.
//! - `defect`: what to do when an invariant does not hold.
//!
//! Invariant 3: a job has one outcome, which is sent to its client until the client acknowledges
//! it.

mod clients;
mod config;
mod defect;
mod input;
mod leases;
pub mod outbox;
mod run_table;
mod state;
mod status;
mod submissions;
mod supply;
pub mod templates;
mod tickets;
mod toolboxes;
mod worker_table;
mod workers;

#[cfg(test)]
mod tests;

use tokio::sync::mpsc::UnboundedSender;

use self::config::millis;
use self::run_table::{RunTable, SchedulingChange};
use self::templates::TemplateRegistry;
use self::tickets::SubmissionTickets;
use self::worker_table::WorkerTable;
use super::journal::{Journal, RecoveredState};
use super::scheduler::{BrokerInstant, FencingToken, JobScheduler, SchedulerLimits};

pub use self::config::BrokerConfig;
pub use self::input::{ContentInventory, CoreInput, SessionId};
pub use self::state::BrokerCore;
pub use self::templates::InventoryCheck;

/// The number of low bits of a fencing token that count leases within one start of the broker.
const FENCE_BITS: u32 = 40;

impl BrokerCore {
    /// Creates a core that continues from the journal.
    pub fn new(
        config: BrokerConfig,
        (journal, remembered): (Journal, RecoveredState),
        inventory: Box<dyn ContentInventory>,
        own: UnboundedSender<CoreInput>,
    ) -> BrokerCore {
        let limits = SchedulerLimits {
            lease_ttl_ms: millis(config.lease),
            ..config.limits
        };
        let mut core = BrokerCore {
            scheduler: JobScheduler::new(limits, FencingToken(remembered.starts << FENCE_BITS)),
            runs: RunTable::new(&config),
            workers: WorkerTable::new(&config, remembered.workers),
            templates: TemplateRegistry::default(),
            tickets: SubmissionTickets::default(),
            config,
            journal,
            inventory,
            own,
            now: BrokerInstant(0),
        };
        core.runs.set_recovering(core.workers.is_recovering());
        // The recovered jobs wait until the workers return or time out.
        for run in remembered.runs {
            core.recall(run);
        }
        core
    }

    /// Handles one input at the time `now`.
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
            // A dismissed connection may have sent more messages before it noticed.
            CoreInput::Client(session, kind) => {
                if let Some(client) = self.runs.client_of(session) {
                    self.client_message(client, kind);
                }
            }
            CoreInput::Large(input, permit) => {
                self.handle(*input, now);
                // Dropped only now: the permit admits the next large input.
                drop(permit);
            }
            CoreInput::Room(session) => self.runs.has_room(session, now),
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
                if let Some(worker) = self.workers.worker_of(session) {
                    self.worker_message(worker, kind);
                }
            }
            // A dismissed connection has already been removed: its end must not affect its
            // successor.
            CoreInput::Gone(session) => {
                let was_client = self.runs.session_ended(session, now);
                if !was_client && let Some(worker) = self.workers.session_ended(session) {
                    self.worker_gone(worker);
                }
            }
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
        self.apply_changes();
    }

    /// Does the work that is due. Called after inputs have been handled.
    pub fn tick(&mut self, now: BrokerInstant) {
        self.now = now;
        let events = self.scheduler.tick(now);
        // Handled before the grants: the end of a lease must not affect the job's next lease.
        self.lost(events);
        self.expire_recovery();
        self.lose_patience();
        self.apply_changes();
        self.grant();
    }

    /// Passes changes of runs on to the scheduler.
    fn apply_changes(&mut self) {
        for change in self.runs.take_changes() {
            match change {
                SchedulingChange::Share {
                    client,
                    weight,
                    among,
                } => self.scheduler.client_shares(client, weight, among),
                SchedulingChange::Admission(client, admission) => {
                    self.scheduler.client_gate(client, admission);
                }
            }
        }
    }

    /// Returns the time of the next call of [`Self::tick`] if there is no input before.
    pub fn next_tick(&self) -> Option<BrokerInstant> {
        let due = [
            self.scheduler.next_tick(),
            self.workers.next_recovery(),
            self.runs.next_gone(millis(self.config.client_patience)),
        ];
        due.into_iter().flatten().min()
    }
}
