//! A broker and two workers on machines of their own, as far as the network can tell: namespaces
//! that `ip netns` makes, with TLS and tokens between them. Needs root.

#[path = "support/cluster.rs"]
mod cluster;
mod support;
#[path = "support/trivial.rs"]
mod trivial;

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::fs;
use std::path::Path;
use std::process::Command;

use cluster::{Running, credentials};
use support::EXECUTABLE;
use support::crates::{under_cargo, workspace};
use support::homes::Homes;

const BROKER: &str = env!("CARGO_BIN_EXE_maelstrom-broker");
const WORKER: &str = env!("CARGO_BIN_EXE_maelstrom-worker");

const ROUNDS: usize = 3;
const TRIVIAL_TESTS: usize = 2000;

const RIPGREP: (&str, &str) = ("ripgrep", "14.1.1");
/// The packages of its workspace, but for the one that needs a library of the system.
const RIPGREP_LIBRARIES: [&str; 8] = [
    "globset",
    "grep",
    "grep-cli",
    "grep-matcher",
    "grep-printer",
    "grep-regex",
    "grep-searcher",
    "ignore",
];

/// Where the broker is as the workers see it.
const HUB: [&str; 2] = ["10.77.1.1", "10.77.2.1"];

fn ip(arguments: &str) {
    let mut command = Command::new("ip");
    command.args(arguments.split_whitespace());
    let output = command.output().expect("`ip` of iproute2");
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "ip {arguments}: {told}");
}

/// A namespace for the broker and its clients, and one each for two workers, who see the broker and
/// not each other.
struct Network {
    hub: String,
    workers: [String; 2],
}

impl Network {
    fn make() -> Network {
        let name = |who| format!("maelstrom-{}-{who}", std::process::id());
        let network = Network {
            hub: name("hub"),
            workers: [name("one"), name("two")],
        };
        let Network { hub, workers } = &network;
        ip(&format!("netns add {hub}"));
        ip(&format!("-n {hub} link set lo up"));
        for (number, (worker, address)) in workers.iter().zip(HUB).enumerate() {
            let (subnet, _) = address.rsplit_once('.').unwrap();
            ip(&format!("netns add {worker}"));
            ip(&format!("-n {worker} link set lo up"));
            ip(&format!(
                "-n {hub} link add to{number} type veth peer name eth0 netns {worker}"
            ));
            ip(&format!("-n {hub} address add {address}/24 dev to{number}"));
            ip(&format!("-n {worker} address add {subnet}.2/24 dev eth0"));
            ip(&format!("-n {hub} link set to{number} up"));
            ip(&format!("-n {worker} link set eth0 up"));
        }
        network
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        for name in self.workers.iter().chain([&self.hub]) {
            // What could not be made is not there.
            drop(Command::new("ip").args(["netns", "delete", name]).status());
        }
    }
}

/// A program in a network namespace.
fn within(namespace: &str, program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new("ip");
    command.args(["netns", "exec", namespace]).arg(program);
    command
}

/// The names of those that started tests of a recorded run.
fn workers_of(record: &Path) -> Vec<String> {
    let mut names = BTreeMap::new();
    let mut started = BTreeSet::new();
    for line in fs::read_to_string(record).unwrap().lines() {
        let event: serde_json::Value = serde_json::from_str(line).unwrap();
        let worker = event["worker"].as_u64();
        match (event["event"].as_str(), worker) {
            (Some("worker_joined"), Some(worker)) => {
                names.insert(worker, event["name"].as_str().unwrap().to_owned());
            }
            (Some("started"), Some(worker)) => {
                started.insert(worker);
            }
            _ => {}
        }
    }
    let mut names: Vec<String> = started.iter().map(|id| names[id].clone()).collect();
    names.sort();
    names
}

#[test]
fn suites_pass_on_machines_of_their_own() {
    let keep = tempfile::tempdir().unwrap();
    let homes = Homes::new();
    let network = Network::make();
    let team = credentials(&keep.path().join("team"), &[HUB[0], HUB[1]]);
    let mut broker = within(&network.hub, BROKER);
    broker
        .args(["--listen", "0.0.0.0", "--log-level", "error"])
        .arg("--cache-root")
        .arg(keep.path().join("broker"))
        .args(&team.broker);
    let (_broker, line) = Running::start(&mut broker);
    let (_, port) = line.split(',').next().unwrap().rsplit_once(':').unwrap();
    let _workers: Vec<Running> = network
        .workers
        .iter()
        .zip(HUB)
        .zip(["one", "two"])
        .map(|((namespace, hub), name)| {
            let mut worker = within(namespace, WORKER);
            worker
                .args(["--broker", &format!("{hub}:{port}"), "--name", name])
                .args(["--slots", "2", "--log-level", "error"])
                .args(&team.worker)
                .arg("--cache-root")
                .arg(keep.path().join(name));
            homes.tell(&mut worker);
            Running::start(&mut worker).0
        })
        .collect();

    let many = keep.path().join("many");
    fs::create_dir(&many).unwrap();
    trivial::make(&many, TRIVIAL_TESTS).unwrap();
    let ripgrep = keep.path().join("ripgrep");
    fs::create_dir(&ripgrep).unwrap();
    workspace(&ripgrep, RIPGREP, &RIPGREP_LIBRARIES);
    let expected = under_cargo(&ripgrep);
    let (passed, ignored) = (expected["passed"], expected["ignored"]);
    assert!(passed > 1_000 && expected["failed"] == 0, "{expected:?}");
    for (project, passed, ignored) in [(many, TRIVIAL_TESTS, 0), (ripgrep, passed, ignored)] {
        for _ in 0..ROUNDS {
            let record = keep.path().join("record.ndjson");
            let mut run = within(&network.hub, EXECUTABLE);
            run.args(["--no-tui", "--broker", &format!("{}:{port}", HUB[0])])
                .args(&team.client)
                .arg("--record")
                .arg(&record)
                .current_dir(&project);
            homes.tell(&mut run);
            let output = run.output().unwrap();
            let streams = [output.stdout, output.stderr].concat();
            let text = String::from_utf8_lossy(&streams).into_owned();
            assert_eq!(output.status.code(), Some(0), "{text}");
            let names: Vec<&str> = text
                .lines()
                .filter_map(|line| line.strip_prefix("PASS"))
                .map(|line| line.trim_start().split_once("s  ").unwrap().1)
                .collect();
            let once: BTreeSet<&str> = names.iter().copied().collect();
            assert_eq!((names.len(), once.len()), (passed, passed), "{text}");
            let not_run = text.lines().filter(|line| line.starts_with("IGNORED"));
            assert_eq!(not_run.count(), ignored, "{text}");
            assert_eq!(workers_of(&record), ["one", "two"]);
        }
    }
}
