//! Checks and admits workers that register.

use std::collections::{BTreeMap, BTreeSet};

use tokio::sync::mpsc::UnboundedSender;
use tonic::Status;

use super::WorkerTable;
use super::worker::{RegisteredWorker, WorkerConnection};
use crate::broker::budgets::CallerPrincipal;
use crate::broker::core::input::SessionId;
use crate::broker::journal::WorkerInstance;
use crate::broker::limits::{self, ClientResource};
use crate::broker::scheduler::Architecture;
use maelstrom_model::ids::WorkerId;
use maelstrom_wire::v1;

/// The properties of a worker that registers, checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct WorkerOffer {
    pub name: String,
    pub slots: u32,
    pub architecture: Architecture,
    pub release: String,
    pub instance: WorkerInstance,
}

/// Whether a worker process was known before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum InstanceOrigin {
    /// Neither registered nor in the journal: it holds no leases of this broker, whatever it
    /// claims.
    New,
    /// Known from the journal: it registered before the restart.
    Recovered,
    /// It has registered since the start.
    Known,
}

/// A worker that has registered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct AdmittedWorker {
    pub id: WorkerId,
    pub origin: InstanceOrigin,
    /// Whether it was ordered to drain. The order may have been lost with the earlier connection.
    pub is_draining: bool,
}

impl WorkerOffer {
    /// Checks the message of a worker that registers.
    pub(crate) fn check(register: &v1::Register) -> Result<WorkerOffer, Status> {
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
        let versions = register.versions.as_ref();
        let mut release = versions.map_or(String::new(), |it| it.release.clone());
        limits::cut(&mut release);
        Ok(WorkerOffer {
            name: register.name.clone(),
            slots: register.slots,
            architecture,
            release,
            instance,
        })
    }
}

impl WorkerTable {
    /// Admits a worker process. Ends its earlier connection.
    pub(crate) fn register(
        &mut self,
        offer: WorkerOffer,
        caller: CallerPrincipal,
        session: SessionId,
        orders: UnboundedSender<Result<v1::WorkerOrder, Status>>,
    ) -> Result<AdmittedWorker, Status> {
        self.may_register(&caller, offer.instance)?;
        let (id, origin) = match self.instances.get(&offer.instance) {
            Some(id) => (*id, InstanceOrigin::Known),
            None => {
                let id = WorkerId(self.next);
                self.next += 1;
                self.instances.insert(offer.instance, id);
                match self.recovery.take(offer.instance) {
                    true => (id, InstanceOrigin::Recovered),
                    false => (id, InstanceOrigin::New),
                }
            }
        };
        let before = self.known.get(&id);
        let is_draining = before.is_some_and(|worker| worker.is_draining);
        let before = self.known.insert(
            id,
            RegisteredWorker {
                name: offer.name,
                slots: offer.slots,
                architecture: offer.architecture,
                release: offer.release,
                connection: Some(WorkerConnection {
                    session,
                    orders,
                    templates: BTreeSet::new(),
                }),
                caller,
                is_draining,
                sample: v1::Heartbeat::default(),
                toolboxes: BTreeMap::new(),
            },
        );
        // A worker may reconnect before the broker notices that the old connection is dead.
        if let Some(connection) = before.and_then(|before| before.connection) {
            self.sessions.remove(&connection.session);
            let again = Status::aborted("the worker has connected again");
            drop(connection.orders.send(Err(again)));
        }
        self.sessions.insert(session, id);
        Ok(AdmittedWorker {
            id,
            origin,
            is_draining,
        })
    }

    /// Returns an error if a known process uses another credential, or if a caller has too many
    /// workers.
    fn may_register(
        &mut self,
        caller: &CallerPrincipal,
        instance: WorkerInstance,
    ) -> Result<(), Status> {
        let known = self.instances.get(&instance);
        if let Some(before) = known.and_then(|id| self.known.get(id)) {
            return match before.caller.member == caller.member {
                true => Ok(()),
                false => Err(Status::permission_denied(
                    "this process of a worker has registered with another credential",
                )),
            };
        }
        let others = self.known.values();
        let others = others.filter(|worker| worker.caller.principal == caller.principal);
        let most = self.workers_max;
        match (others.count() as u64) < most {
            true => Ok(()),
            false => {
                let who = &caller.principal;
                Err(self.warnings.refuse(who, ClientResource::Workers, most))
            }
        }
    }
}
