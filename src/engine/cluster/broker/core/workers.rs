//! Workers: how they register and leave, and their messages.

use tokio::sync::mpsc::UnboundedSender;
use tonic::Status;

use super::run_table::JobAttempt;
use super::worker_table::{InstanceOrigin, WorkerOffer};
use super::{BrokerCore, SessionId};
use crate::broker::budgets::CallerPrincipal;
use crate::broker::journal::JournalEntry;
use crate::broker::limits;
use crate::broker::scheduler::{CreditOutcome, FencingToken, ToolboxId, WorkerCapacity};
use maelstrom_model::ids::WorkerId;
use maelstrom_wire::to_proto::duration;
use maelstrom_wire::v1::{self, session_event, worker_message, worker_order};
use maelstrom_wire::versions::{VERSIONS, agree};

impl BrokerCore {
    pub(super) fn register(
        &mut self,
        register: v1::Register,
        caller: CallerPrincipal,
        orders: UnboundedSender<Result<v1::WorkerOrder, Status>>,
        session: SessionId,
    ) -> Result<(), Status> {
        agree(register.versions.as_ref(), "worker").map_err(Status::failed_precondition)?;
        let offer = WorkerOffer::check(&register)?;
        let instance = offer.instance;
        let capacity = WorkerCapacity {
            slots: offer.slots,
            architecture: offer.architecture,
        };
        let admitted = self.workers.register(offer, caller, session, orders)?;
        let id = admitted.id;
        match admitted.origin {
            InstanceOrigin::New => {
                // After a restart the broker must wait for this worker.
                let entry = JournalEntry::Worker { instance };
                self.journal.keep(vec![entry], Box::new(drop));
            }
            InstanceOrigin::Recovered => self.update_recovery(),
            InstanceOrigin::Known => {}
        }
        let (mut held, mut stop) = (Vec::new(), Vec::new());
        for one in &register.held {
            let key = one.job.as_ref().and_then(|job| self.runs.key(job));
            // A worker that never registered holds no leases of this broker, whatever it claims.
            match key.filter(|_| admitted.origin != InstanceOrigin::New) {
                Some(key) => held.push((key, FencingToken(one.fence))),
                None => stop.push(one.fence),
            }
        }
        let resumed = self.scheduler.worker_resumed(id, capacity, &held, self.now);
        stop.extend(resumed.stop.iter().map(|lease| lease.fence.0));
        // After a restart the fences, by which reports are looked up, are not in the tables yet.
        for lease in resumed.keep.iter().chain(&resumed.cancel) {
            self.workers.add_lease(lease);
            let attempt = JobAttempt {
                worker: id,
                fence: lease.fence,
            };
            self.runs.adopt(lease.key, attempt);
        }
        self.workers.order(
            id,
            worker_order::Kind::Registered(v1::Registered {
                versions: Some(VERSIONS.clone()),
                worker: id.0,
                heartbeat: Some(duration(self.config.heartbeat)),
                lease: Some(duration(self.config.lease)),
                stop,
            }),
        );
        if admitted.is_draining {
            self.workers
                .order(id, worker_order::Kind::Drain(v1::Empty {}));
        }
        for lease in &resumed.cancel {
            self.workers.stop(id, lease.fence, v1::Stop::Terminate);
        }
        self.lost(resumed.events);
        self.query_worker(id);
        if let Some(worker) = self.workers.message(id) {
            tracing::info!(worker = %worker.name, slots = worker.slots, "a worker joined");
            self.runs.send_all(&session_event::Kind::Worker(worker));
        }
        Ok(())
    }

    pub(super) fn worker_message(&mut self, id: WorkerId, kind: worker_message::Kind) {
        use worker_message::Kind;
        self.scheduler.heartbeat(id, self.now);
        match kind {
            Kind::Register(_) => self.dismiss(id, "`register` comes once, at the beginning"),
            Kind::Credit(credit) => {
                let outcome = self.scheduler.credit(id, credit.leases);
                if let CreditOutcome::Capped { leases } = outcome {
                    let (worker, asked) = (self.workers.name(id), credit.leases);
                    tracing::warn!(
                        worker,
                        asked,
                        leases,
                        "a worker asks for more than its slots"
                    );
                }
            }
            Kind::Reports(reports) => self.reports(id, reports.reports),
            Kind::Heartbeat(mut heartbeat) => {
                limits::cut(&mut heartbeat.degraded);
                self.workers.set_sample(id, heartbeat);
            }
            Kind::Toolbox(answer) => {
                self.on_toolbox_answer(id, ToolboxId(answer.toolbox), answer.lacks)
            }
            Kind::Draining(_) => {
                self.scheduler.worker_draining(id);
                self.workers.set_draining(id);
            }
        }
    }

    pub(super) fn drain(&mut self, name: &str) -> Vec<String> {
        let drained = self.workers.drain(name);
        for (id, _) in &drained {
            self.scheduler.worker_draining(*id);
        }
        drained.into_iter().map(|(_, name)| name).collect()
    }

    /// Dismisses a worker because of an invalid message. It will not reconnect.
    pub(super) fn dismiss(&mut self, id: WorkerId, why: &str) {
        self.send_away(id, Status::invalid_argument(why.to_owned()));
    }

    /// Dismisses a worker that was silent for the duration of a lease. It may return: its machine
    /// was suspended, or the network was down.
    pub(super) fn silent(&mut self, id: WorkerId) {
        let why = "nothing was heard of the worker for as long as leases live";
        self.send_away(id, Status::unavailable(why));
    }

    fn send_away(&mut self, id: WorkerId, status: Status) {
        if self.workers.dismiss(id, status) {
            self.worker_gone(id);
        }
    }

    pub(super) fn worker_gone(&mut self, id: WorkerId) {
        self.scheduler.worker_left(id);
        let Some(departure) = self.workers.departure(id) else {
            return;
        };
        let reason = match departure.was_draining {
            true => "it was drained",
            false => "the connection ended",
        };
        tracing::info!(worker = %departure.name, reason, "a worker left");
        let left = v1::WorkerLeft {
            worker: id.0,
            reason: reason.to_owned(),
        };
        self.runs.send_all(&session_event::Kind::WorkerLeft(left));
        // A worker that still holds leases may only have lost its connection while it drains.
        if departure.was_draining && self.scheduler.leases_of(id).is_empty() {
            let instance = departure.instance;
            self.journal
                .forget(vec![JournalEntry::WorkerOver { instance }]);
        }
    }

    /// Forgets a worker that did not return.
    pub(super) fn forget_worker(&mut self, id: WorkerId) {
        if let Some(instance) = self.workers.forget(id) {
            self.journal
                .forget(vec![JournalEntry::WorkerOver { instance }]);
        }
    }

    /// Gives up workers that have not returned in time, which ends their leases.
    pub(super) fn expire_recovery(&mut self) {
        let gone = self.workers.expire_recovery(self.now);
        if gone.is_empty() {
            return;
        }
        tracing::info!(
            workers = gone.len(),
            "workers from before the start did not come back"
        );
        let gone = gone.into_iter();
        let over = gone.map(|instance| JournalEntry::WorkerOver { instance });
        self.journal.forget(over.collect());
        self.update_recovery();
    }

    /// Lets recovered jobs start once no worker from before the restart is awaited.
    fn update_recovery(&mut self) {
        if !self.workers.is_recovering() {
            self.runs.set_recovering(false);
        }
    }
}
