//! Encodes metrics in the OpenMetrics text format, which Prometheus reads.

use std::collections::BTreeMap;
use std::fmt;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric, text};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::Registry;

use super::snapshot::MetricsSnapshot;
use crate::broker::scheduler::{Architecture, PoolStatus};
use maelstrom_wire::v1::WorkerState;

/// The content type of the text.
pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Encodes a snapshot as text.
pub fn encode(figures: MetricsSnapshot) -> Result<String, fmt::Error> {
    let mut registry = Registry::with_prefix("maelstrom");
    registry.register_collector(Box::new(figures));
    let mut written = String::new();
    text::encode(&mut written, &registry)?;
    Ok(written)
}

/// Writes the metrics, one after another.
struct MetricWriter<'a>(DescriptorEncoder<'a>);

impl MetricWriter<'_> {
    fn gauge(&mut self, name: &str, help: &str, value: f64) -> fmt::Result {
        let descriptor = self
            .0
            .encode_descriptor(name, help, None, MetricType::Gauge)?;
        ConstGauge::new(value).encode(descriptor)
    }

    fn counter(&mut self, name: &str, help: &str, value: u64) -> fmt::Result {
        let descriptor = self
            .0
            .encode_descriptor(name, help, None, MetricType::Counter)?;
        ConstCounter::new(value).encode(descriptor)
    }

    /// Writes a gauge for each value of a label.
    fn gauges(
        &mut self,
        (name, help): (&str, &str),
        label: &str,
        values: &[(String, u64)],
    ) -> fmt::Result {
        let mut descriptor = self
            .0
            .encode_descriptor(name, help, None, MetricType::Gauge)?;
        for (of, value) in values {
            let labels = [(label, of.as_str())];
            ConstGauge::new(*value as f64).encode(descriptor.encode_family(&labels)?)?;
        }
        Ok(())
    }

    /// Writes a counter for each value of a label.
    fn counters(
        &mut self,
        (name, help): (&str, &str),
        label: &str,
        values: &[(&str, u64)],
    ) -> fmt::Result {
        let mut descriptor = self
            .0
            .encode_descriptor(name, help, None, MetricType::Counter)?;
        for (of, value) in values {
            let labels = [(label, *of)];
            ConstCounter::new(*value).encode(descriptor.encode_family(&labels)?)?;
        }
        Ok(())
    }
}

impl Collector for MetricsSnapshot {
    fn encode(&self, encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let mut writer = MetricWriter(encoder);
        let ready = f64::from(u8::from(self.is_ready));
        writer.gauge("ready", "Whether the broker can be sent work", ready)?;
        self.queue(&mut writer)?;
        self.slots(&mut writer)?;
        self.jobs(&mut writer)?;
        self.contents(&mut writer)?;
        self.members(&mut writer)
    }
}

/// Returns the label of a pool: the requirements of its jobs. Toolboxes are not distinguished: they
/// come and go, and each would become a permanent time series.
fn pool(pool: &PoolStatus) -> String {
    let architecture = match pool.architecture {
        Architecture::X86_64 => "x86_64",
        Architecture::Aarch64 => "aarch64",
    };
    match pool.toolbox {
        Some(_) => format!("{architecture}/toolbox"),
        None => architecture.to_owned(),
    }
}

impl MetricsSnapshot {
    fn queue(&self, writer: &mut MetricWriter<'_>) -> fmt::Result {
        let scheduler = &self.core.scheduler;
        type GaugeFold = fn(u64, u64) -> u64;
        let of = |figure: fn(&PoolStatus) -> u64, fold: GaugeFold| -> Vec<(String, u64)> {
            let mut pools = BTreeMap::new();
            for status in &scheduler.pools {
                let entry = pools.entry(pool(status)).or_default();
                *entry = fold(*entry, figure(status));
            }
            pools.into_iter().collect()
        };
        // Workers serve several toolboxes with the same slots.
        let (sum, most): (GaugeFold, GaugeFold) = (u64::saturating_add, u64::max);
        let depth = (
            "queue_depth",
            "Jobs that wait, by what they need of workers",
        );
        writer.gauges(depth, "pool", &of(|status| status.queued as u64, sum))?;
        let ready = (
            "queue_ready",
            "Jobs that would start if a slot were free, by what they need of workers",
        );
        writer.gauges(ready, "pool", &of(|status| status.ready as u64, sum))?;
        let slots = ("pool_slots", "Slots that take jobs, by what the jobs need");
        writer.gauges(slots, "pool", &of(|status| status.slots, most))?;
        writer.gauge(
            "queue_delayed",
            "Jobs that wait for a time after a lost attempt",
            scheduler.delayed as f64,
        )?;
        let oldest_ms = scheduler.oldest_ms.unwrap_or(0);
        writer.gauge(
            "queue_oldest_seconds",
            "How long the job that waits longest has waited",
            oldest_ms as f64 / 1000.0,
        )
    }

    fn slots(&self, writer: &mut MetricWriter<'_>) -> fmt::Result {
        let scheduler = &self.core.scheduler;
        let slots = scheduler.slots as f64;
        writer.gauge("slots", "Slots of workers that take jobs", slots)?;
        let busy = scheduler.busy as f64;
        writer.gauge("slots_busy", "Slots that have a job", busy)?;
        let leased = scheduler.leased as f64;
        writer.gauge("jobs_leased", "Jobs that workers hold", leased)
    }

    fn jobs(&self, writer: &mut MetricWriter<'_>) -> fmt::Result {
        let counters = &self.core.scheduler.counters;
        writer.counter("jobs_submitted", "Jobs accepted", counters.submitted)?;
        writer.counter(
            "decisions",
            "Leases given: which job goes to which worker",
            counters.granted,
        )?;
        let ended = ("jobs_ended", "Jobs that are over, by how");
        let how = [
            ("reported", counters.reported),
            ("cancelled", counters.cancelled),
            ("given_up", counters.given_up),
            ("dropped", counters.dropped),
        ];
        writer.counters(ended, "how", &how)?;
        writer.counter(
            "lease_expiries",
            "Leases lost because nothing was heard of the worker",
            counters.expired,
        )?;
        let retries = (
            "lease_losses",
            "Leases that ended without an outcome, by cause",
        );
        let causes = [
            ("expired", counters.expired),
            ("failed", counters.failed),
            ("vanished", counters.vanished),
            ("unstarted", counters.unstarted),
        ];
        writer.counters(retries, "cause", &causes)?;
        writer.counter(
            "leases_adopted",
            "Leases that workers brought along after a reconnect",
            counters.adopted,
        )?;
        writer.counter(
            "reports_stale",
            "Reports dropped because their lease was over",
            counters.stale,
        )
    }

    fn contents(&self, writer: &mut MetricWriter<'_>) -> fmt::Result {
        let storage = &self.storage;
        for (name, help, value) in [
            ("cas_blobs", "Contents in the storage", storage.blobs),
            ("cas_size_bytes", "What they take up", storage.size_bytes),
            (
                "cas_pinned_bytes",
                "What those take up that jobs need",
                storage.pinned_bytes,
            ),
            (
                "cas_target_bytes",
                "What contents should take up at most",
                storage.size_target_bytes,
            ),
        ] {
            writer.gauge(name, help, value as f64)?;
        }
        for (name, help, value) in [
            (
                "cas_evictions",
                "Contents removed to make room",
                storage.evicted_blobs,
            ),
            (
                "cas_evicted_bytes",
                "What they took up",
                storage.evicted_bytes,
            ),
            (
                "cas_damaged",
                "Contents found damaged",
                storage.damaged_blobs,
            ),
            (
                "cas_misses",
                "Contents that jobs need and that the storage lacked",
                self.core.contents_lacking,
            ),
            (
                "action_cache_hits",
                "Action results asked for and found",
                self.core.cluster.cache_hits,
            ),
            (
                "action_cache_misses",
                "Action results asked for and not found",
                self.core.cluster.cache_misses,
            ),
        ] {
            writer.counter(name, help, value)?;
        }
        Ok(())
    }

    fn members(&self, writer: &mut MetricWriter<'_>) -> fmt::Result {
        let cluster = &self.core.cluster;
        let in_state = |state: WorkerState| {
            let workers = cluster.workers.iter();
            workers.filter(|worker| worker.state() == state).count() as u64
        };
        let workers = ("workers", "Workers that are connected, by state");
        let states = [
            ("online".to_owned(), in_state(WorkerState::Online)),
            ("draining".to_owned(), in_state(WorkerState::Draining)),
            ("degraded".to_owned(), in_state(WorkerState::Degraded)),
        ];
        writer.gauges(workers, "state", &states)?;
        let connected = cluster.clients.iter().filter(|it| it.connected).count() as u64;
        let clients = ("clients", "Runs, by whether their client is connected");
        let states = [
            ("connected".to_owned(), connected),
            ("away".to_owned(), cluster.clients.len() as u64 - connected),
        ];
        writer.gauges(clients, "state", &states)
    }
}

#[cfg(test)]
mod tests {
    use super::super::snapshot::CoreSnapshot;
    use super::*;
    use crate::broker::cas::StorageUsage;
    use crate::broker::scheduler::{SchedulerCounters, SchedulerStatus, ToolboxId};
    use maelstrom_wire::v1::{Client, Cluster, Worker};

    fn scheduler() -> SchedulerStatus {
        let pool = |toolbox, queued| PoolStatus {
            architecture: Architecture::X86_64,
            toolbox,
            queued,
            ready: 3,
            slots: 16,
        };
        SchedulerStatus {
            pools: vec![
                pool(None, 4),
                pool(Some(ToolboxId(2)), 7),
                pool(Some(ToolboxId(300)), 5),
            ],
            workers: Vec::new(),
            clients: Vec::new(),
            queued: 11,
            delayed: 1,
            leased: 9,
            oldest_ms: Some(1_500),
            slots: 16,
            busy: 9,
            counters: SchedulerCounters {
                submitted: 100,
                granted: 95,
                reported: 80,
                expired: 2,
                failed: 1,
                ..SchedulerCounters::default()
            },
        }
    }

    #[test]
    fn every_figure_has_a_name_a_kind_and_a_meaning() {
        let worker = Worker {
            state: WorkerState::Degraded.into(),
            ..Worker::default()
        };
        let figures = MetricsSnapshot {
            core: CoreSnapshot {
                scheduler: scheduler(),
                cluster: Cluster {
                    workers: vec![worker],
                    clients: vec![Client::default()],
                    cache_hits: 5,
                    ..Cluster::default()
                },
                contents_lacking: 12,
            },
            storage: StorageUsage {
                blobs: 3,
                size_bytes: 1 << 40,
                pinned_bytes: 10,
                size_target_bytes: 1_000,
                evicted_blobs: 4,
                evicted_bytes: 400,
                damaged_blobs: 0,
                is_full: false,
            },
            is_ready: true,
        };
        insta::assert_snapshot!(encode(figures).unwrap());
    }
}
