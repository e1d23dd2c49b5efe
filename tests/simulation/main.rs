//! The broker, its workers and its clients as they are, on a network, a disk and clocks that are
//! simulated, while connections, machines and power fail. What is made up: containers, contents.
//!
//! What happens follows from a number, the seed. `MAELSTROM_SEEDS=10000` tries more of them than usual,
//! `MAELSTROM_SEED=7` only that one, with what happened in it. On a busy machine two runs of a seed may
//! still differ by the order of what happens within a tick: so one that failed may have to be tried
//! more than once.
//!
//! - [`plan`]: what a seed means. [`nodes`]: the programs. [`client`]: what clients are promised;
//!   [`insistent`]: what they may rely on without saying it again.
//! - [`witness`]: what only an outsider sees. [`network`], [`disk`], [`executor`]: what they run on.
//!
//! What holds for every seed: each job is told of once, with what it wrote and how it ended; it is
//! stopped only if somebody asked, and given up only when it was tried as often as is allowed; no slot
//! and no lease is given twice, and a job that is to be alone on its worker is; and once everything
//! works again, the runs come to their end, the book is empty, and the workers can be drained. Where
//! nothing fails but the broker, what it has accepted is run though nobody asks again, nothing that
//! runs is started a second time, and no more jobs of a group run at once than may.

// A test fails by panicking.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used)]

mod client;
mod disk;
mod executor;
mod insistent;
mod network;
mod nodes;
mod plan;
mod witness;

use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use turmoil::Sim;

use crate::disk::Disk;
use crate::nodes::World;
use crate::plan::{Fault, HEALED_AT, Manner, Node, Plan};

/// Seeds that are tried when nobody says otherwise.
const SEEDS: u64 = 40;

/// How finely time passes.
const TICK: Duration = Duration::from_millis(20);

/// After the last fault everything is over by then: patience with clients that vanished, drained
/// workers, and all jobs one after the other.
const OVER_AT: Duration = Duration::from_secs(240);

/// What came of a seed.
struct Report {
    trace: Vec<String>,
    outcome: Result<(), String>,
}

fn number(variable: &str) -> Option<u64> {
    let text = std::env::var(variable).ok()?;
    Some(
        text.parse()
            .unwrap_or_else(|_| panic!("{variable} is no number: {text}")),
    )
}

#[test]
fn every_seed_keeps_the_promises() {
    every_seed(Manner::Anything);
}

/// Promise 4.
#[test]
fn a_restart_loses_nothing_and_repeats_nothing() {
    every_seed(Manner::Restarts);
}

fn every_seed(manner: Manner) {
    if let Some(seed) = number("MAELSTROM_SEED") {
        let report = simulate(seed, manner);
        let plan = Plan::of(seed, manner);
        println!("{plan:#?}\n{}", report.trace.join("\n"));
        return report
            .outcome
            .unwrap_or_else(|what| panic!("seed {seed}, {manner:?}: {what}"));
    }
    let seeds = number("MAELSTROM_SEEDS").unwrap_or(SEEDS);
    let next = AtomicU64::new(0);
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let failures: Vec<String> = std::thread::scope(|scope| {
        let work = || {
            let mut failures = Vec::new();
            loop {
                let seed = next.fetch_add(1, Ordering::Relaxed);
                if seed >= seeds {
                    return failures;
                }
                if let Err(what) = simulate(seed, manner).outcome {
                    let again = format!("again with MAELSTROM_SEED={seed}");
                    println!("seed {seed}, {manner:?}: {what} ({again})");
                    failures.push(format!("seed {seed}: {what}"));
                }
            }
        };
        let threads: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        let joined = threads
            .into_iter()
            .flat_map(|thread| thread.join().unwrap());
        joined.collect()
    });
    println!(
        "{seeds} seeds, from 0 on, {manner:?}; {} failed",
        failures.len()
    );
    assert!(
        failures.is_empty(),
        "MAELSTROM_SEED=N shows one:\n{}",
        failures.join("\n")
    );
}

/// Plays a seed.
fn simulate(seed: u64, manner: Manner) -> Report {
    let directory = tempfile::tempdir().unwrap();
    let world = World {
        plan: Rc::new(Plan::of(seed, manner)),
        witness: Rc::default(),
        disk: Disk::default(),
        directory: Rc::new(directory.path().to_owned()),
    };
    let played = catch_unwind(AssertUnwindSafe(|| play(&world)));
    let outcome = played.unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().cloned();
        let text = text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
        Err(text.unwrap_or_else(|| "a panic".to_owned()))
    });
    let witness = world.witness.borrow();
    let is_needless = manner == Manner::Restarts && !witness.needless.is_empty();
    Report {
        trace: witness.trace.clone(),
        outcome: match is_needless {
            true => Err(witness.needless.join("; ")),
            false => outcome,
        },
    }
}

fn play(world: &World) -> Result<(), String> {
    let plan = Rc::clone(&world.plan);
    let mut sim = turmoil::Builder::new()
        .rng_seed(plan.seed)
        .simulation_duration(OVER_AT + TICK)
        .tick_duration(TICK)
        .max_message_latency(plan.latency_max)
        .enable_random_order()
        .build();
    let hosted = world.clone();
    sim.host(Node::Broker.name(), move || nodes::broker(hosted.clone()));
    for number in 0..plan.workers.len() as u32 {
        let hosted = world.clone();
        sim.host(Node::Worker(number).name(), move || {
            nodes::worker(hosted.clone(), number)
        });
    }
    for number in 0..plan.clients.len() as u32 {
        let hosted = world.clone();
        let manner = plan.manner;
        sim.host(Node::Client(number).name(), move || {
            let hosted = hosted.clone();
            async move {
                match manner {
                    Manner::Anything => client::client(hosted, number).await,
                    Manner::Restarts => insistent::client(hosted, number).await,
                }
            }
        });
    }
    let hosted = world.clone();
    sim.host("operator", move || nodes::operator(hosted.clone()));
    let mut course = Course::new(world);
    while sim.elapsed() < OVER_AT {
        course.advance(&mut sim);
        sim.step().map_err(|error| error.to_string())?;
        if course.is_over() {
            return Ok(());
        }
    }
    Err(course.left())
}

/// What happens from outside, and how far it has come.
struct Course<'a> {
    world: &'a World,
    /// What is due, the next last.
    due: Vec<(Duration, Change)>,
    down: BTreeSet<String>,
    vanished: BTreeSet<u32>,
}

enum Change {
    Begin(Fault),
    End(Fault),
    Heal,
}

impl<'a> Course<'a> {
    fn new(world: &'a World) -> Course<'a> {
        let mut due = vec![(HEALED_AT, Change::Heal)];
        for (at, fault) in &world.plan.faults {
            due.push((*at, Change::Begin(fault.clone())));
            let lasting = match fault {
                Fault::Cut(_, _, lasting)
                | Fault::CutOneWay(_, _, lasting)
                | Fault::Hold(_, _, lasting)
                | Fault::Slow(_, _, lasting)
                | Fault::Crash(_, lasting, _) => *lasting,
                Fault::Vanish(_) | Fault::Drain(_) => continue,
            };
            due.push((
                (*at + lasting).min(HEALED_AT - TICK),
                Change::End(fault.clone()),
            ));
        }
        due.sort_by_key(|(at, _)| std::cmp::Reverse(*at));
        let (down, vanished) = (BTreeSet::new(), BTreeSet::new());
        Course {
            world,
            due,
            down,
            vanished,
        }
    }

    fn advance(&mut self, sim: &mut Sim<'_>) {
        while let Some((_, change)) = self.due.pop_if(|(at, _)| *at <= sim.elapsed()) {
            match change {
                Change::Begin(fault) => {
                    self.note(sim, format!("{fault:?}"));
                    self.begin(sim, fault);
                }
                Change::End(fault) => self.end(sim, fault),
                Change::Heal => self.heal(sim),
            }
        }
        let clients = self.world.plan.clients.len();
        let mut witness = self.world.witness.borrow_mut();
        let content = witness.content.difference(&self.vanished).count();
        let is_healed = self.due.is_empty();
        if is_healed && content + self.vanished.len() == clients && !witness.closing {
            witness.closing = true;
        }
    }

    fn note(&self, sim: &Sim<'_>, what: String) {
        let line = format!("{:>8} ms  {what}", sim.elapsed().as_millis());
        self.world.witness.borrow_mut().trace.push(line);
    }

    fn begin(&mut self, sim: &mut Sim<'_>, fault: Fault) {
        match fault {
            Fault::Cut(a, b, _) => sim.partition(a.name(), b.name()),
            Fault::CutOneWay(a, b, _) => sim.partition_oneway(a.name(), b.name()),
            Fault::Hold(a, b, _) => sim.hold(a.name(), b.name()),
            Fault::Slow(a, b, _) => {
                sim.set_link_max_message_latency(a.name(), b.name(), Duration::from_secs(2));
            }
            Fault::Crash(node, _, power) => {
                if self.down.insert(node.name()) {
                    if node == Node::Broker {
                        self.world.disk.crash(power);
                        self.world.witness.borrow_mut().broker_ends();
                    }
                    sim.crash(node.name());
                }
            }
            Fault::Vanish(client) => {
                let name = Node::Client(client).name();
                if !self.world.witness.borrow().content.contains(&client)
                    && self.vanished.insert(client)
                {
                    sim.partition(name.as_str(), Node::Broker.name());
                    sim.crash(name);
                }
            }
            Fault::Drain(worker) => {
                let name = Node::Worker(worker).name();
                self.world.witness.borrow_mut().drains.push(name);
            }
        }
    }

    fn end(&mut self, sim: &mut Sim<'_>, fault: Fault) {
        match fault {
            Fault::Cut(a, b, _) | Fault::CutOneWay(a, b, _) | Fault::Hold(a, b, _) => {
                self.repair(sim, a, b);
            }
            Fault::Slow(a, b, _) => {
                let usual = self.world.plan.latency_max;
                sim.set_link_max_message_latency(a.name(), b.name(), usual);
            }
            Fault::Crash(node, _, _) => {
                if self.down.remove(&node.name()) {
                    sim.bounce(node.name());
                }
            }
            Fault::Vanish(_) | Fault::Drain(_) => {}
        }
    }

    /// Whoever vanished stays away.
    fn repair(&self, sim: &Sim<'_>, a: Node, b: Node) {
        let is_away = |node| matches!(node, Node::Client(it) if self.vanished.contains(&it));
        if !is_away(a) && !is_away(b) {
            sim.release(a.name(), b.name());
        }
    }

    fn heal(&mut self, sim: &mut Sim<'_>) {
        self.note(sim, "everything works again".to_owned());
        let workers = (0..self.world.plan.workers.len() as u32).map(Node::Worker);
        let clients = (0..self.world.plan.clients.len() as u32).map(Node::Client);
        for node in workers.chain(clients) {
            self.repair(sim, Node::Broker, node);
        }
    }

    fn is_over(&self) -> bool {
        self.world.witness.borrow().closed.len() == self.world.plan.workers.len()
    }

    /// What has not come to its end.
    fn left(&self) -> String {
        let witness = self.world.witness.borrow();
        let ended = match witness.closing {
            true => "has emptied its book and drained its workers",
            false => "has told its clients of all jobs",
        };
        format!(
            "the broker never {ended}; content are the clients {:?}, away {:?}; ended have the \
             workers {:?}; running is {:?}",
            witness.content,
            self.vanished,
            witness.closed,
            witness.running()
        )
    }
}
