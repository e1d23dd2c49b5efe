//! Workers and their leases.

use std::collections::{BTreeMap, BTreeSet};

use tokio::sync::mpsc::UnboundedSender;
use tonic::Status;

use super::job_state::JobAttempt;
use super::state::SessionPeer;
use super::templates::UnusedTemplates;
use super::worker_state::{RegisteredWorker, WorkerConnection};
use super::{BrokerCore, SessionId};
use crate::broker::budgets::CallerPrincipal;
use crate::broker::journal::{JournalEntry, RunName, WorkerInstance};
use crate::broker::limits::{self, ClientResource};
use crate::broker::scheduler::{
    Architecture, CreditOutcome, FencingToken, JobKey, ToolboxId, WorkerCapacity,
};
use maelstrom_model::backend::JobId;
use maelstrom_model::ids::WorkerId;
use maelstrom_wire::to_proto::duration;
use maelstrom_wire::v1::{self, session_event, worker_message, worker_order};
use maelstrom_wire::versions::{VERSIONS, agree};

/// How many departed workers' names are kept: the error of a job that failed three times names
/// three.
const DEPARTED_MAX: usize = 1024;

impl BrokerCore {
    pub(super) fn connected_workers(&self) -> Vec<v1::Worker> {
        let connected = self
            .workers
            .iter()
            .filter(|(_, worker)| worker.is_connected());
        connected.map(|(id, worker)| worker.message(*id)).collect()
    }

    pub(super) fn register(
        &mut self,
        register: v1::Register,
        caller: CallerPrincipal,
        orders: UnboundedSender<Result<v1::WorkerOrder, Status>>,
        session: SessionId,
    ) -> Result<(), Status> {
        agree(register.versions.as_ref(), "worker").map_err(Status::failed_precondition)?;
        maelstrom_wire::limits::name(&register.name).map_err(Status::invalid_argument)?;
        let instance = WorkerInstance::try_from(&*register.instance)
            .map_err(|_| Status::invalid_argument("an instance is named by 16 bytes"))?;
        if register.slots == 0 || register.slots > limits::SLOTS_MAX {
            return Err(Status::invalid_argument(format!(
                "the worker {} offers {} slots; 1 to {} can be used",
                register.name,
                register.slots,
                limits::SLOTS_MAX
            )));
        }
        let architecture = Architecture::from_rust_name(&register.architecture);
        let architecture = architecture.ok_or_else(|| {
            Status::invalid_argument(format!(
                "the worker {} has the architecture `{}`; x86_64 and aarch64 are known here",
                register.name, register.architecture
            ))
        })?;
        self.may_register(&caller, instance)?;
        // A worker that never registered holds none of our leases, whatever it claims.
        let may_hold = self.instances.contains_key(&instance) || self.absent.knows(instance);
        let id = match self.instances.get(&instance) {
            Some(id) => *id,
            None => {
                if !self.recover_worker(instance) {
                    // The next broker must wait for it.
                    self.journal
                        .keep(vec![JournalEntry::Worker { instance }], Box::new(drop));
                }
                let id = WorkerId(self.next_worker);
                self.next_worker += 1;
                self.instances.insert(instance, id);
                id
            }
        };
        let (mut held, mut stop) = (Vec::new(), Vec::new());
        for one in &register.held {
            let key = one.job.as_ref().and_then(|job| self.key(job));
            match key.filter(|_| may_hold) {
                Some(key) => held.push((key, FencingToken(one.fence))),
                None => stop.push(one.fence),
            }
        }
        let mut release = register.versions.map_or(String::new(), |it| it.release);
        limits::cut(&mut release);
        // An order to drain may have been lost with the connection before.
        let is_draining = self
            .workers
            .get(&id)
            .is_some_and(|worker| worker.is_draining);
        let before = self.workers.insert(
            id,
            RegisteredWorker {
                name: register.name,
                slots: register.slots,
                architecture: register.architecture,
                release,
                connection: Some(WorkerConnection {
                    session,
                    orders,
                    templates: BTreeSet::new(),
                }),
                caller,
                is_draining,
                sample: v1::Heartbeat::default(),
                kits: BTreeMap::new(),
            },
        );
        // A worker may reconnect before the broker notices that the old connection is dead.
        if let Some(connection) = before.and_then(|before| before.connection) {
            self.peers.remove(&connection.session);
            let again = Status::aborted("the worker has connected again");
            drop(connection.orders.send(Err(again)));
        }
        self.peers.insert(session, SessionPeer::Worker(id));
        let offer = WorkerCapacity {
            slots: register.slots,
            architecture,
        };
        let resumed = self.book.worker_resumed(id, offer, &held, self.now);
        stop.extend(resumed.stop.iter().map(|lease| lease.fence.0));
        // A restarted broker knows none of these fences, which reports are looked up by.
        for lease in resumed.keep.iter().chain(&resumed.cancel) {
            self.leases.insert(lease.fence, lease.key);
            let attempt = JobAttempt {
                worker: id,
                fence: lease.fence,
            };
            self.adopt(lease.key, attempt);
        }
        self.order(
            id,
            worker_order::Kind::Registered(v1::Registered {
                versions: Some(VERSIONS.clone()),
                worker: id.0,
                heartbeat: Some(duration(self.policy.heartbeat)),
                lease: Some(duration(self.policy.lease)),
                stop,
            }),
        );
        if is_draining {
            self.order(id, worker_order::Kind::Drain(v1::Empty {}));
        }
        for lease in &resumed.cancel {
            self.stop_lease(id, lease.fence, v1::Stop::Terminate);
        }
        self.lost(resumed.events);
        let kits: Vec<ToolboxId> = self.templates.toolboxes().map(|(kit, _)| kit).collect();
        for kit in kits {
            self.query_worker(id, kit);
        }
        if let Some(worker) = self.workers.get(&id) {
            tracing::info!(worker = %worker.name, slots = worker.slots, "a worker joined");
            self.emit_all(&session_event::Kind::Worker(worker.message(id)));
        }
        Ok(())
    }

    /// Whether a worker process is who it claims to be, and not one too many.
    fn may_register(
        &mut self,
        caller: &CallerPrincipal,
        instance: WorkerInstance,
    ) -> Result<(), Status> {
        let known = self.instances.get(&instance);
        if let Some(before) = known.and_then(|id| self.workers.get(id)) {
            return match before.caller.member == caller.member {
                true => Ok(()),
                false => Err(Status::permission_denied(
                    "this process of a worker has registered with another credential",
                )),
            };
        }
        let others = self.workers.values();
        let others = others.filter(|worker| worker.caller.principal == caller.principal);
        let most = self.accounts.limits().most(ClientResource::Workers);
        match (others.count() as u64) < most {
            true => Ok(()),
            false => {
                let complaints = &mut self.accounts.complaints;
                Err(complaints.refuse(&caller.principal, ClientResource::Workers, most))
            }
        }
    }

    /// The job of this name, if its run is known. Workers of the previous release name runs by what
    /// only clients know now.
    fn key(&self, name: &v1::JobName) -> Option<JobKey> {
        let run = RunName::try_from(&*name.run).ok()?;
        let client = self.shown.get(&run).or_else(|| self.runs.get(&run));
        Some(JobKey {
            client: *client?,
            job: JobId(name.job),
        })
    }

    pub(super) fn worker_message(&mut self, id: WorkerId, kind: worker_message::Kind) {
        use worker_message::Kind;
        self.book.heartbeat(id, self.now);
        match kind {
            Kind::Register(_) => self.dismiss(id, "`register` comes once, at the beginning"),
            Kind::Credit(credit) => {
                if let CreditOutcome::Capped { leases } = self.book.credit(id, credit.leases) {
                    let (worker, asked) = (self.worker_name(id), credit.leases);
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
                if let Some(worker) = self.workers.get_mut(&id) {
                    worker.sample = heartbeat;
                }
            }
            Kind::Toolbox(answer) => {
                self.on_toolbox_answer(id, ToolboxId(answer.toolbox), answer.lacks)
            }
            Kind::Draining(_) => {
                self.book.worker_draining(id);
                if let Some(worker) = self.workers.get_mut(&id) {
                    worker.is_draining = true;
                }
            }
        }
    }

    pub(super) fn forget_templates(&mut self, unused: &UnusedTemplates) {
        for kit in &unused.kits {
            self.forget_toolbox(*kit);
        }
        let unused = unused.templates.as_slice();
        if unused.is_empty() {
            return;
        }
        for inputs in unused {
            self.book.inputs_retired(*inputs);
        }
        for worker in self.workers.values_mut() {
            let Some(connection) = &mut worker.connection else {
                continue;
            };
            let numbers: Vec<u32> = unused
                .iter()
                .filter(|inputs| connection.templates.remove(inputs))
                .map(|inputs| inputs.0)
                .collect();
            if !numbers.is_empty() {
                worker.order(worker_order::Kind::Forget(v1::ForgetTemplates { numbers }));
            }
        }
    }

    pub(super) fn stop_lease(&mut self, worker: WorkerId, fence: FencingToken, how: v1::Stop) {
        let stop = v1::StopLease {
            fence: fence.0,
            how: how.into(),
        };
        self.order(worker, worker_order::Kind::Stop(stop));
    }

    pub(super) fn drain(&mut self, name: &str) -> Vec<String> {
        let mut drained = Vec::new();
        for (id, worker) in &mut self.workers {
            if worker.connection.is_some() && (name.is_empty() || worker.name == name) {
                worker.is_draining = true;
                self.book.worker_draining(*id);
                worker.order(worker_order::Kind::Drain(v1::Empty {}));
                drained.push(worker.name.clone());
            }
        }
        drained
    }

    pub(super) fn order(&self, id: WorkerId, kind: worker_order::Kind) {
        if let Some(worker) = self.workers.get(&id) {
            worker.order(kind);
        }
    }

    /// Dismisses a worker because of a message that it sent. It need not reconnect.
    pub(super) fn dismiss(&mut self, id: WorkerId, why: &str) {
        self.send_away(id, Status::invalid_argument(why.to_owned()));
    }

    fn send_away(&mut self, id: WorkerId, status: Status) {
        let connection = self
            .workers
            .get_mut(&id)
            .and_then(|worker| worker.connection.take());
        if let Some(connection) = connection {
            let (worker, why) = (self.worker_name(id), status.message());
            tracing::warn!(worker, why, "a worker is sent away");
            self.peers.remove(&connection.session);
            drop(connection.orders.send(Err(status)));
            self.worker_gone(id);
        }
    }

    pub(super) fn worker_gone(&mut self, id: WorkerId) {
        self.book.worker_left(id);
        let Some(worker) = self.workers.get_mut(&id) else {
            return;
        };
        worker.connection = None;
        let reason = match worker.is_draining {
            true => "it was drained",
            false => "the connection ended",
        };
        tracing::info!(worker = %worker.name, reason, "a worker left");
        let left = v1::WorkerLeft {
            worker: id.0,
            reason: reason.to_owned(),
        };
        // A worker that still holds leases may only have lost its connection while it drains.
        let has_ended = worker.is_draining && self.book.leases_of(id).is_empty();
        self.emit_all(&session_event::Kind::WorkerLeft(left));
        if has_ended {
            let mut instances = self.instances.iter();
            let instance = instances.find_map(|(instance, worker)| {
                let instance = *instance;
                (*worker == id).then_some(JournalEntry::WorkerOver { instance })
            });
            self.journal.forget(instance.into_iter().collect());
        }
    }

    /// A worker did not return.
    pub(super) fn forget_worker(&mut self, id: WorkerId) {
        if let Some(worker) = self.workers.remove(&id) {
            self.departed.push_back((id, worker.name));
        }
        if self.departed.len() > DEPARTED_MAX {
            self.departed.pop_front();
        }
        let of_this = self.instances.extract_if(|_, worker| *worker == id);
        let over = of_this.map(|(instance, _)| JournalEntry::WorkerOver { instance });
        self.journal.forget(over.collect());
    }

    /// The display name of a worker, including one that is gone: messages about its jobs name it.
    pub(super) fn worker_name(&self, id: WorkerId) -> String {
        let departed = || self.departed.iter().rev().find(|(other, _)| *other == id);
        match self.workers.get(&id) {
            Some(known) => known.name.clone(),
            None => departed().map_or_else(|| format!("number {id}"), |(_, name)| name.clone()),
        }
    }

    /// A worker was silent for as long as leases live. It may return: its machine was suspended, or
    /// the network was down.
    pub(super) fn silent(&mut self, id: WorkerId) {
        let why = "nothing was heard of the worker for as long as leases live";
        self.send_away(id, Status::unavailable(why));
    }

    /// A worker registered. Returns whether the journal knows it.
    fn recover_worker(&mut self, instance: WorkerInstance) -> bool {
        let is_known = self.absent.take(instance);
        if is_known && self.absent.is_empty() {
            self.update_gates();
        }
        is_known
    }

    /// Workers that have not returned in time lose their leases.
    pub(super) fn expire_recovery(&mut self) {
        let gone = self.absent.expire(self.now);
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
        self.update_gates();
    }
}
