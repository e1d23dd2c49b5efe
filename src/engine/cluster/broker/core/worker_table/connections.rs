//! Orders to workers, their state as reported, and how connections end.

use tonic::Status;

use super::WorkerTable;
use crate::broker::core::input::SessionId;
use crate::broker::journal::WorkerInstance;
use crate::broker::scheduler::{BrokerInstant, FencingToken};
use maelstrom_model::ids::WorkerId;
use maelstrom_wire::v1::{self, worker_order};

/// A worker whose connection ended. It may return.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct WorkerDeparture {
    pub name: String,
    pub instance: WorkerInstance,
    pub was_draining: bool,
}

impl WorkerTable {
    /// Returns the worker of a connection; `None` if it was dismissed, or belongs to a client.
    pub(crate) fn worker_of(&self, session: SessionId) -> Option<WorkerId> {
        self.sessions.get(&session).copied()
    }

    /// Sends an order to a worker, if it is connected.
    pub(crate) fn order(&self, id: WorkerId, kind: worker_order::Kind) {
        if let Some(worker) = self.worker(id) {
            worker.order(kind);
        }
    }

    /// Orders a worker to stop a lease.
    pub(crate) fn stop(&self, id: WorkerId, fence: FencingToken, how: v1::Stop) {
        let stop = v1::StopLease {
            fence: fence.0,
            how: how.into(),
        };
        self.order(id, worker_order::Kind::Stop(stop));
    }

    /// Sets a worker's newest sample.
    pub(crate) fn set_sample(&mut self, id: WorkerId, sample: v1::Heartbeat) {
        if let Some(worker) = self.worker_mut(id) {
            worker.sample = sample;
        }
    }

    /// Marks a worker as draining.
    pub(crate) fn set_draining(&mut self, id: WorkerId) {
        if let Some(worker) = self.worker_mut(id) {
            worker.is_draining = true;
        }
    }

    /// Orders the connected workers of this name to drain; all if the name is empty. Returns them
    /// with their names.
    pub(crate) fn drain(&mut self, name: &str) -> Vec<(WorkerId, String)> {
        let mut drained = Vec::new();
        for (id, worker) in &mut self.known {
            if worker.is_connected() && (name.is_empty() || worker.name == name) {
                worker.is_draining = true;
                worker.order(worker_order::Kind::Drain(v1::Empty {}));
                drained.push((*id, worker.name.clone()));
            }
        }
        drained
    }

    /// Handles the end of a connection. Returns the worker if it belonged to one.
    pub(crate) fn session_ended(&mut self, session: SessionId) -> Option<WorkerId> {
        let id = self.sessions.remove(&session)?;
        self.worker_mut(id)?.connection = None;
        Some(id)
    }

    /// Ends a worker's connection. Returns whether it had one.
    pub(crate) fn dismiss(&mut self, id: WorkerId, status: Status) -> bool {
        let worker = self.worker_mut(id);
        let Some((name, connection)) = worker.and_then(|worker| {
            let connection = worker.connection.take()?;
            Some((worker.name.clone(), connection))
        }) else {
            return false;
        };
        tracing::warn!(worker = %name, why = status.message(), "a worker is sent away");
        self.sessions.remove(&connection.session);
        drop(connection.orders.send(Err(status)));
        true
    }

    /// Describes a worker whose connection ended.
    pub(crate) fn departure(&self, id: WorkerId) -> Option<WorkerDeparture> {
        let worker = self.worker(id)?;
        Some(WorkerDeparture {
            name: worker.name.clone(),
            instance: self.instance(id)?,
            was_draining: worker.is_draining,
        })
    }

    /// Returns whether workers from before the restart may still return.
    pub(crate) fn is_recovering(&self) -> bool {
        !self.recovery.is_empty()
    }

    /// Returns the time at which to stop waiting for them.
    pub(crate) fn next_recovery(&self) -> Option<BrokerInstant> {
        self.recovery.next_tick()
    }

    /// Stops waiting for workers that did not return in time, and returns them.
    pub(crate) fn expire_recovery(&mut self, now: BrokerInstant) -> Vec<WorkerInstance> {
        self.recovery.expire(now).into_iter().collect()
    }
}
