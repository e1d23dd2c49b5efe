//! The status of the cluster, for display and for metrics.

use std::collections::HashMap;
use std::time::Duration;

use super::BrokerCore;
use crate::broker::operations::snapshot::CoreSnapshot;
use crate::broker::scheduler::SchedulerStatus;
use maelstrom_model::ids::WorkerId;
use maelstrom_wire::to_proto::duration;
use maelstrom_wire::v1;

impl BrokerCore {
    /// Returns the scheduler's status.
    pub fn scheduler_status(&self) -> SchedulerStatus {
        self.scheduler.status(self.now)
    }

    /// Returns the cluster's status.
    pub(super) fn status(&self) -> v1::Cluster {
        let scheduler = self.scheduler.status(self.now);
        let counts: HashMap<_, _> = scheduler
            .clients
            .iter()
            .map(|client| (client.client, (client.waiting, client.leased)))
            .collect();
        let clients = self.runs.listed(&counts);
        let held: HashMap<_, _> = scheduler
            .workers
            .iter()
            .map(|worker| (worker.worker, worker.slots_taken))
            .collect();
        let workers = self.workers.listed().into_iter().map(|mut worker| {
            // More recent than the worker's report, and consistent with the jobs above.
            let taken = held.get(&WorkerId(worker.id)).copied().unwrap_or_default();
            worker.busy = u32::try_from(taken).map_or(worker.slots, |it| it.min(worker.slots));
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
            oldest_queued: scheduler.oldest_ms.map(Duration::from_millis).map(duration),
            uptime: Some(duration(Duration::from_millis(self.now.0))),
            release: env!("CARGO_PKG_VERSION").to_owned(),
            cache_hits,
            cache_misses,
        }
    }

    /// Returns everything that the metrics report.
    pub(super) fn figures(&self) -> CoreSnapshot {
        CoreSnapshot {
            scheduler: self.scheduler_status(),
            cluster: self.status(),
            contents_lacking: self.templates.contents_lacking(),
        }
    }

    /// Sends the cluster's status to clients.
    pub(super) fn sample(&mut self) {
        if self.runs.has_listeners() {
            self.runs.send_status(self.status());
        }
    }
}
