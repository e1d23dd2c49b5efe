//! The state of a worker, and the orders to it.

use std::collections::{BTreeMap, BTreeSet};

use tokio::sync::mpsc::UnboundedSender;
use tonic::Status;

use crate::broker::budgets::CallerPrincipal;
use crate::broker::core::input::SessionId;
use crate::broker::scheduler::{Architecture, BrokerInstant, InputsId, ToolboxId};
use maelstrom_model::ids::WorkerId;
use maelstrom_wire::v1::{self, worker_order};

/// A worker that has registered since the broker started.
pub(super) struct RegisteredWorker {
    pub(super) name: String,
    pub(super) slots: u32,
    pub(super) architecture: Architecture,
    pub(super) release: String,
    pub(super) connection: Option<WorkerConnection>,
    pub(super) caller: CallerPrincipal,
    pub(super) is_draining: bool,
    pub(super) sample: v1::Heartbeat,
    pub(super) toolboxes: BTreeMap<ToolboxId, WorkerToolbox>,
}

pub(super) struct WorkerConnection {
    pub(super) session: SessionId,
    pub(super) orders: UnboundedSender<Result<v1::WorkerOrder, Status>>,
    /// The templates sent on this connection.
    pub(super) templates: BTreeSet<InputsId>,
}

/// Whether a worker provides a toolbox.
pub(super) enum WorkerToolbox {
    /// The worker was asked at this time, and has not answered.
    Asked(BrokerInstant),
    Has,
    Lacks(String),
}

impl RegisteredWorker {
    pub(super) fn is_connected(&self) -> bool {
        self.connection.is_some()
    }

    pub(super) fn order(&self, kind: worker_order::Kind) {
        if let Some(connection) = &self.connection {
            let order = v1::WorkerOrder { kind: Some(kind) };
            // The end of a connection is handled separately.
            drop(connection.orders.send(Ok(order)));
        }
    }

    pub(super) fn state(&self) -> v1::WorkerState {
        match (&self.connection, self.is_draining) {
            (None, _) => v1::WorkerState::Lost,
            (Some(_), true) => v1::WorkerState::Draining,
            (Some(_), false) if !self.sample.degraded.is_empty() => v1::WorkerState::Degraded,
            (Some(_), false) => v1::WorkerState::Online,
        }
    }

    pub(super) fn message(&self, id: WorkerId) -> v1::Worker {
        v1::Worker {
            id: id.0,
            name: self.name.clone(),
            slots: self.slots,
            busy: self.sample.busy,
            architecture: self.architecture.to_string(),
            state: self.state().into(),
            cpu_permille: self.sample.cpu_permille,
            memory_used_bytes: self.sample.memory_used_bytes,
            memory_total_bytes: self.sample.memory_total_bytes,
            release: self.release.clone(),
            degraded: self.sample.degraded.clone(),
        }
    }
}
