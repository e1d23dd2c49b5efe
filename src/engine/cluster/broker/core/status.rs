//! The cluster's status, for people and for metrics.

use std::collections::HashMap;
use std::time::Duration;

use prost::Message;

use super::BrokerCore;
use super::client_state::ClientRun;
use crate::broker::operations::snapshot::CoreSnapshot;
use crate::broker::scheduler::SchedulerStatus;
use maelstrom_model::ids::WorkerId;
use maelstrom_wire::to_proto::duration;
use maelstrom_wire::v1::{self, session_event};

impl BrokerCore {
    /// The scheduler's status.
    pub fn book_status(&self) -> SchedulerStatus {
        self.book.status(self.now)
    }

    /// The cluster's status.
    pub(super) fn status(&self) -> v1::Cluster {
        let book = self.book.status(self.now);
        let counts: HashMap<_, _> = book
            .clients
            .iter()
            .map(|client| (client.client, (client.waiting, client.leased)))
            .collect();
        let clients: Vec<v1::Client> = self
            .clients
            .iter()
            .map(|(id, client)| {
                let (waiting, leased) = counts.get(id).copied().unwrap_or_default();
                v1::Client {
                    name: client.name.clone(),
                    run: client.shown.to_vec().into(),
                    queued: waiting as u64,
                    running: leased as u64,
                    connected: client.is_connected(),
                }
            })
            .collect();
        let held: HashMap<_, _> = book
            .workers
            .iter()
            .map(|worker| (worker.worker, worker.leases))
            .collect();
        let workers = self.connected_workers().into_iter().map(|mut worker| {
            // Newer than what it reported, and consistent with the jobs above.
            let leases = held.get(&WorkerId(worker.id)).copied().unwrap_or_default();
            worker.busy = u32::try_from(leases).map_or(worker.slots, |it| it.min(worker.slots));
            worker
        });
        let workers: Vec<v1::Worker> = workers.collect();
        let (cache_hits, cache_misses) = self.inventory.cache_uses();
        v1::Cluster {
            queued: clients.iter().map(|client| client.queued).sum(),
            running: clients.iter().map(|client| client.running).sum(),
            slots: workers.iter().map(|worker| u64::from(worker.slots)).sum(),
            workers,
            clients,
            store_bytes: self.inventory.bytes(),
            oldest_queued: book.oldest_ms.map(Duration::from_millis).map(duration),
            uptime: Some(duration(Duration::from_millis(self.now.0))),
            release: env!("CARGO_PKG_VERSION").to_owned(),
            cache_hits,
            cache_misses,
        }
    }

    /// Everything that metrics report.
    pub(super) fn figures(&self) -> CoreSnapshot {
        CoreSnapshot {
            book: self.book_status(),
            cluster: self.status(),
            contents_lacking: self.contents_lacking,
        }
    }

    /// Sends the cluster's status to every client.
    pub(super) fn sample(&mut self) {
        // A client with a backlog is skipped: a newer status will do.
        let listens = |client: &&ClientRun| client.has_taken_everything();
        if !self.clients.values().any(|client| listens(&client)) {
            return;
        }
        let status = self.status();
        let bytes = status.encoded_len();
        let kind = session_event::Kind::Cluster(status);
        for client in self.clients.values().filter(listens) {
            client.send(kind.clone(), bytes);
        }
    }
}
