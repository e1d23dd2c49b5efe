//! A broker and two workers on machines of their own, as far as the network can tell: namespaces
//! that `ip netns` makes, with TLS and tokens between them. Needs root.

use crate::trivial;
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::fmt::Write;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

use crate::cluster::{Client, Credentials, Running, credentials};
use crate::support::EXECUTABLE;
use crate::support::crates::{built, under_cargo, workspace};
use crate::support::homes::Homes;
use tempfile::TempDir;

const BROKER: &str = env!("CARGO_BIN_EXE_maelstrom-broker");
const WORKER: &str = env!("CARGO_BIN_EXE_maelstrom-worker");

/// How often each suite runs: `MAELSTROM_ROUNDS`, or once.
fn rounds() -> usize {
    std::env::var("MAELSTROM_ROUNDS").map_or(1, |text| text.parse().expect("a number"))
}

const TRIVIAL_TESTS: usize = 2000;
const CUT_TESTS: usize = 300;

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
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = |who| format!("maelstrom-{}-{number}-{who}", std::process::id());
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

/// A broker and two workers of two slots, each on a machine of its own.
struct Machines {
    _workers: Vec<Running>,
    _broker: Running,
    port: String,
    network: Network,
    team: Credentials,
    homes: Homes,
    keep: TempDir,
}

impl Machines {
    /// With these options of the broker besides.
    fn start(options: &[&str]) -> Machines {
        let keep = tempfile::tempdir().unwrap();
        let homes = Homes::new();
        let network = Network::make();
        let team = credentials(&keep.path().join("team"), &[HUB[0], HUB[1]]);
        let mut broker = within(&network.hub, BROKER);
        broker
            .args(["--listen", "0.0.0.0", "--log-level", "error"])
            .arg("--cache-root")
            .arg(keep.path().join("broker"))
            .args(&team.broker)
            .args(options);
        let (broker, line) = Running::start(&mut broker);
        let (_, port) = line.split(',').next().unwrap().rsplit_once(':').unwrap();
        let workers = network.workers.iter().zip(HUB).zip(["one", "two"]);
        let workers = workers.map(|((namespace, hub), name)| {
            let mut worker = within(namespace, WORKER);
            worker
                .args(["--broker", &format!("{hub}:{port}"), "--name", name])
                .args(["--slots", "2", "--log-level", "error"])
                .args(&team.worker)
                .arg("--cache-root")
                .arg(keep.path().join(name));
            homes.tell(&mut worker);
            Running::start(&mut worker).0
        });
        Machines {
            _workers: workers.collect(),
            _broker: broker,
            port: port.to_owned(),
            network,
            team,
            homes,
            keep,
        }
    }

    /// A program on the broker's machine that speaks to the broker.
    fn client(&self, program: &str, words: &[&str]) -> Command {
        let mut client = within(&self.network.hub, program);
        client
            .args(words)
            .args(["--broker", &format!("{}:{}", HUB[0], self.port)])
            .args(&self.team.client);
        self.homes.tell(&mut client);
        client
    }

    /// Runs a project's tests; which have passed, and who has run some.
    fn run(&self, project: &Path) -> (Vec<String>, String, Vec<String>) {
        let record = self.keep.path().join("record.ndjson");
        let mut run = self.client(EXECUTABLE, &["--no-tui", "--exclude", "doctest"]);
        run.arg("--record").arg(&record).current_dir(project);
        let output = run.output().unwrap();
        let streams = [output.stdout, output.stderr].concat();
        let text = String::from_utf8_lossy(&streams).into_owned();
        assert_eq!(output.status.code(), Some(0), "{text}");
        let names = text.lines().filter_map(|line| line.strip_prefix("PASS"));
        let names = names.map(|line| line.trim_start().split_once(")  ").unwrap().1.to_owned());
        (names.collect(), text, workers_of(&record))
    }

    /// Waits until the broker has so many workers.
    fn wait_for_workers(&self, count: usize) {
        let expected = format!("Number of workers: {count}\n");
        let has_joined = || {
            let output = self.client(BROKER, &["status"]).output().unwrap();
            output.stdout.starts_with(expected.as_bytes())
        };
        while !has_joined() {}
    }
}

#[test]
#[ignore = "needs root, iproute2 and crates.io"]
fn suites_pass_on_machines_of_their_own() {
    let machines = Machines::start(&[]);
    let many = machines.keep.path().join("many");
    fs::create_dir(&many).unwrap();
    trivial::make(&many, TRIVIAL_TESTS).unwrap();
    let ripgrep = machines.keep.path().join("ripgrep");
    fs::create_dir(&ripgrep).unwrap();
    workspace(&ripgrep, RIPGREP, &RIPGREP_LIBRARIES);
    let expected = under_cargo(&ripgrep);
    let (passed, ignored) = (expected["passed"], expected["ignored"]);
    assert!(passed > 1_000 && expected["failed"] == 0, "{expected:?}");
    for (project, passed, ignored) in [(many, TRIVIAL_TESTS, 0), (ripgrep, passed, ignored)] {
        for _ in 0..rounds() {
            let (names, text, workers) = machines.run(&project);
            let once: BTreeSet<&String> = names.iter().collect();
            assert_eq!((names.len(), once.len()), (passed, passed), "{text}");
            let not_run = text.lines().filter(|line| line.starts_with("IGNORED"));
            assert_eq!(not_run.count(), ignored, "{text}");
            assert_eq!(workers, ["one", "two"]);
        }
    }
}

/// Nobody is told when a cable is cut: connections do not end, and nothing comes any more.
#[test]
#[ignore = "needs root and iproute2"]
fn a_cut_cable_costs_time_and_no_test() {
    let machines = Machines::start(&["--lease", "4", "--heartbeat", "1"]);
    machines.wait_for_workers(2);
    let mut source = String::new();
    for number in 0..CUT_TESTS {
        let work = "for _ in 0..2000 { assert!(std::fs::read(\"src/lib.rs\").is_ok()); }";
        writeln!(source, "#[test] fn t{number:03}() {{ {work} }}").unwrap();
    }
    let project = built(&source);
    let mut run = machines.client(EXECUTABLE, &["--no-tui", "--offline"]);
    let mut run = Client::start(run.current_dir(project.path()));
    run.wait_for_passes(1);
    let hub = &machines.network.hub;
    ip(&format!("-n {hub} link set to1 down"));
    assert_eq!(run.finish(), Some(0), "{}", run.lines.join("\n"));
    let names: Vec<String> = (0..CUT_TESTS)
        .map(|number| format!("t{number:03}"))
        .collect();
    assert_eq!(run.passes(), names);
    ip(&format!("-n {hub} link set to1 up"));
    machines.wait_for_workers(2);
    let (passed, text, workers) = machines.run(project.path());
    assert_eq!(passed.len(), CUT_TESTS, "{text}");
    assert_eq!(workers, ["one", "two"]);
}
