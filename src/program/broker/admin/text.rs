//! Formats the cluster's status, as lines for people and as JSON for programs.
//!
//! The first two lines are stable for scripts; the rest may change. Names are untrusted: characters
//! that could move a terminal's cursor are not printed.

use std::time::Duration;

use data_encoding::HEXLOWER;
use serde::Serialize;
use unicode_width::UnicodeWidthStr;

use maelstrom_model::event::untrusted_text::{UntrustedText, escaped_json};
use maelstrom_wire::v1::{Client, Cluster, Worker, WorkerState};

/// Formats the whole status as lines.
pub(super) fn status(cluster: &Cluster) -> String {
    let mut text = format!(
        "Number of workers: {}\nNumber of clients: {}\n\n",
        cluster.workers.len(),
        cluster.clients.len()
    );
    for line in summary(cluster)
        .into_iter()
        .chain([String::new()])
        .chain(workers(cluster))
        .chain([String::new()])
        .chain(clients(cluster))
    {
        text.push_str(&line);
        text.push('\n');
    }
    text
}

/// Formats the figures of the whole cluster, one line each.
pub(super) fn summary(cluster: &Cluster) -> Vec<String> {
    let busy: u64 = cluster.workers.iter().map(|it| u64::from(it.busy)).sum();
    let oldest = match &cluster.oldest_queued {
        Some(oldest) if cluster.queued > 0 => format!(", the oldest for {}", span(oldest)),
        Some(_) | None => String::new(),
    };
    let uptime = cluster
        .uptime
        .as_ref()
        .map_or(String::new(), |uptime| format!(", up for {}", span(uptime)));
    let asked = cluster.cache_hits.saturating_add(cluster.cache_misses);
    vec![
        format!("Broker:   {}{uptime}", clean(&cluster.release)),
        format!(
            "Jobs:     {} running, {} queued{oldest}",
            cluster.running, cluster.queued
        ),
        format!("Slots:    {busy} of {} busy", cluster.slots),
        format!(
            "Storage:  {}; {} of {asked} action results found",
            size(cluster.store_bytes),
            cluster.cache_hits
        ),
    ]
}

/// Formats the workers as a table with a heading line.
pub(super) fn workers(cluster: &Cluster) -> Vec<String> {
    let heading = [
        "WORKER", "STATE", "BUSY", "CPU", "MEMORY", "MACHINE", "RELEASE",
    ];
    let row = |worker: &Worker| {
        [
            clean(&worker.name),
            state(worker.state()).to_owned(),
            format!("{}/{}", worker.busy, worker.slots),
            format!("{} %", worker.cpu_permille / 10),
            format!(
                "{} of {}",
                size(worker.memory_used_bytes),
                size(worker.memory_total_bytes)
            ),
            clean(&worker.architecture),
            clean(&worker.release),
        ]
    };
    let mut lines = table(heading, cluster.workers.iter().map(row));
    let degraded = cluster.workers.iter();
    let degraded = degraded.filter(|worker| !worker.degraded.is_empty());
    lines.extend(degraded.map(|worker| {
        let (name, degraded) = (clean(&worker.name), clean(&worker.degraded));
        format!("{name} takes no jobs: {degraded}")
    }));
    lines
}

/// Formats the clients as a table with a heading line.
pub(super) fn clients(cluster: &Cluster) -> Vec<String> {
    let heading = ["CLIENT", "STATE", "RUNNING", "QUEUED", "RUN"];
    let row = |client: &Client| {
        [
            clean(&client.name),
            match client.connected {
                true => "connected".to_owned(),
                false => "away".to_owned(),
            },
            client.running.to_string(),
            client.queued.to_string(),
            HEXLOWER.encode(&client.run),
        ]
    };
    table(heading, cluster.clients.iter().map(row))
}

/// Formats the result of `drain`: the workers that are now draining.
pub(super) fn drained(workers: &[String]) -> String {
    match workers {
        [] => "no worker is connected\n".to_owned(),
        workers => workers
            .iter()
            .map(|name| format!("{} finishes what it runs and takes no more\n", clean(name)))
            .collect(),
    }
}

fn table<const N: usize>(
    heading: [&str; N],
    rows: impl Iterator<Item = [String; N]>,
) -> Vec<String> {
    let mut lines = vec![heading.map(str::to_owned)];
    lines.extend(rows);
    let width = |column: usize| lines.iter().map(|line| line[column].width()).max();
    let widths: [usize; N] = std::array::from_fn(|column| width(column).unwrap_or(0));
    let line = |cells: &[String; N]| {
        let mut line = String::new();
        for (cell, width) in cells.iter().zip(widths) {
            line.push_str(cell);
            line.push_str(&" ".repeat(width.saturating_sub(cell.width()) + 2));
        }
        line.trim_end().to_owned()
    };
    lines.iter().map(line).collect()
}

/// Returns the state in one word.
pub(super) fn state(state: WorkerState) -> &'static str {
    match state {
        WorkerState::Unspecified => "unknown",
        WorkerState::Online => "online",
        WorkerState::Draining => "draining",
        WorkerState::Degraded => "degraded",
        WorkerState::Lost => "lost",
    }
}

/// Escapes the characters that could control a terminal.
pub(super) fn clean(text: &str) -> String {
    UntrustedText::from(text).to_string()
}

fn size(bytes: u64) -> String {
    const UNITS: [&str; 6] = ["B", "kB", "MB", "GB", "TB", "PB"];
    let (mut value, mut unit) = (bytes as f64, UNITS[0]);
    for larger in &UNITS[1..] {
        // The next unit keeps a value that would round to 1000.0 in this one.
        if value < 999.95 {
            break;
        }
        value /= 1000.0;
        unit = larger;
    }
    match unit {
        "B" => format!("{bytes} B"),
        unit => format!("{value:.1} {unit}"),
    }
}

fn seconds(duration: &prost_types::Duration) -> f64 {
    Duration::try_from(*duration).map_or(0.0, |duration| duration.as_secs_f64())
}

fn span(duration: &prost_types::Duration) -> String {
    let all = seconds(duration) as u64;
    let (days, hours, minutes) = (all / 86_400, all / 3_600 % 24, all / 60 % 60);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{all} s"),
        (0, 0, _) => format!("{minutes} min {} s", all % 60),
        (0, _, _) => format!("{hours} h {minutes} min"),
        (_, _, _) => format!("{days} d {hours} h"),
    }
}

#[derive(Serialize)]
struct ClusterJson {
    release: String,
    uptime_s: f64,
    workers: Vec<WorkerJson>,
    clients: Vec<ClientJson>,
    queued: u64,
    running: u64,
    slots: u64,
    oldest_queued_s: Option<f64>,
    store_bytes: u64,
    action_cache_hits: u64,
    action_cache_misses: u64,
}

#[derive(Serialize)]
struct WorkerJson {
    id: u32,
    name: String,
    state: &'static str,
    slots: u32,
    busy: u32,
    architecture: String,
    cpu_permille: u32,
    memory_used_bytes: u64,
    memory_total_bytes: u64,
    release: String,
    degraded: String,
}

#[derive(Serialize)]
struct ClientJson {
    name: String,
    run: String,
    queued: u64,
    running: u64,
    connected: bool,
}

/// Formats the whole status as one JSON object.
pub(super) fn json(cluster: &Cluster) -> String {
    let worker = |worker: &Worker| WorkerJson {
        id: worker.id,
        name: worker.name.clone(),
        state: state(worker.state()),
        slots: worker.slots,
        busy: worker.busy,
        architecture: worker.architecture.clone(),
        cpu_permille: worker.cpu_permille,
        memory_used_bytes: worker.memory_used_bytes,
        memory_total_bytes: worker.memory_total_bytes,
        release: worker.release.clone(),
        degraded: worker.degraded.clone(),
    };
    let client = |client: &Client| ClientJson {
        name: client.name.clone(),
        run: HEXLOWER.encode(&client.run),
        queued: client.queued,
        running: client.running,
        connected: client.connected,
    };
    let told = ClusterJson {
        release: cluster.release.clone(),
        uptime_s: cluster.uptime.as_ref().map_or(0.0, seconds),
        workers: cluster.workers.iter().map(worker).collect(),
        clients: cluster.clients.iter().map(client).collect(),
        queued: cluster.queued,
        running: cluster.running,
        slots: cluster.slots,
        oldest_queued_s: cluster.oldest_queued.as_ref().map(seconds),
        store_bytes: cluster.store_bytes,
        action_cache_hits: cluster.cache_hits,
        action_cache_misses: cluster.cache_misses,
    };
    // JSON does not escape all characters that could control a terminal.
    let mut text = escaped_json(&serde_json::json!(told).to_string()).into_owned();
    text.push('\n');
    text
}

#[cfg(test)]
pub(super) mod tests {
    use proptest::prelude::*;

    use super::*;
    use maelstrom_model::testing::{assert_clean, hostile_text};

    fn duration(seconds: i64) -> Option<prost_types::Duration> {
        Some(prost_types::Duration { seconds, nanos: 0 })
    }

    pub(crate) fn cluster() -> Cluster {
        let worker = |id: u32, name: &str, state: WorkerState| Worker {
            id,
            name: name.to_owned(),
            slots: 8,
            busy: 6 - id,
            architecture: "x86_64".to_owned(),
            state: state.into(),
            cpu_permille: 731,
            memory_used_bytes: 3_400_000_000,
            memory_total_bytes: 16_700_000_000,
            release: "0.1.0".to_owned(),
            degraded: match state {
                WorkerState::Degraded => "its disk\u{7} is full".to_owned(),
                _ => String::new(),
            },
        };
        let client = |name: &str, byte: u8, connected: bool| Client {
            name: name.to_owned(),
            run: vec![byte; 16].into(),
            queued: 300,
            running: 9,
            connected,
        };
        Cluster {
            workers: vec![
                worker(0, "build-1", WorkerState::Online),
                worker(1, "build-\u{1b}[2J", WorkerState::Degraded),
                worker(2, "工作機", WorkerState::Draining),
            ],
            clients: vec![
                client("ada@laptop", 0xa1, true),
                client("ci@runner-17", 7, false),
            ],
            queued: 600,
            running: 15,
            slots: 24,
            store_bytes: 1_234_567_890,
            oldest_queued: duration(95),
            uptime: duration(93_784),
            release: "0.1.0".to_owned(),
            cache_hits: 10,
            cache_misses: 2,
        }
    }

    #[test]
    fn a_status_begins_with_two_counts_and_goes_on_as_a_table() {
        insta::assert_snapshot!(status(&cluster()));
    }

    proptest! {
        #[test]
        fn no_name_does_anything(text in hostile_text()) {
            let mut hostile = cluster();
            hostile.release = text.clone();
            for worker in &mut hostile.workers {
                for field in [
                    &mut worker.name,
                    &mut worker.architecture,
                    &mut worker.release,
                    &mut worker.degraded,
                ] {
                    field.clone_from(&text);
                }
            }
            for client in &mut hostile.clients {
                client.name.clone_from(&text);
            }
            let told = status(&hostile) + &drained(&[text]) + &json(&hostile);
            told.split('\n').for_each(assert_clean);
        }
    }

    #[test]
    fn an_idle_cluster_has_no_oldest_job() {
        let text = status(&Cluster::default());
        assert!(text.starts_with("Number of workers: 0\nNumber of clients: 0\n"));
        assert!(text.contains("0 running, 0 queued\n"), "{text}");
    }

    #[test]
    fn programs_get_every_figure() {
        let value: serde_json::Value = serde_json::from_str(&json(&cluster())).unwrap();
        insta::assert_snapshot!(serde_json::to_string_pretty(&value).unwrap());
    }

    #[test]
    fn who_was_drained_is_named() {
        assert_eq!(drained(&[]), "no worker is connected\n");
        let told = drained(&["a".to_owned(), "b".to_owned()]);
        assert_eq!(told.lines().count(), 2);
        assert!(told.starts_with("a finishes"));
    }
}
