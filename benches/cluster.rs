//! What a cluster costs and what its workers are worth, with real programs on this machine's
//! loopback:
//!
//! ```console
//! $ cargo bench --bench cluster
//! ```
//!
//! - Cost: a crate of 2,000 trivial tests, here and through a broker and one worker with as many
//!   slots, in turn, after one round that does not count; the medians are compared.
//! - Worth: jobs that only sleep, on 1, 2, 9 and 10 workers of two slots.
//!
//! Ends with 1 when a limit is missed.

// A benchmark fails by panicking.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used)]
// Helpers are shared by several binaries.
#![allow(unreachable_pub)]

#[path = "../tests/support/cluster.rs"]
mod cluster;
#[allow(dead_code)] // Homes are for tests with more to look at.
#[path = "../tests/support/homes.rs"]
mod homes;
#[path = "support/limits.rs"]
mod limits;
#[path = "../tests/support/trivial.rs"]
mod trivial;

mod support {
    pub(crate) use crate::homes;
}

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use cluster::{Cluster, PORTABLE};
use limits::{Check, check, exit_code};

const MAELSTROM: &str = env!("CARGO_BIN_EXE_cargo-maelstrom");
const RUN: &str = env!("CARGO_BIN_EXE_maelstrom-run");

const ROUNDS: usize = 7;
const TESTS: usize = 2000;
const COST_MAX: f64 = 1.25;

/// Two slots a worker take 90, 45, 10 and 9 rounds of naps for 1, 2, 9 and 10 workers.
const NAPS: usize = 180;
const NAP: Duration = Duration::from_millis(250);
const SECOND_WORKER_MIN: f64 = 1.9;

fn main() -> ExitCode {
    let cost = cost();
    let [second, tenth] = worth();
    exit_code(&[cost, second, tenth])
}

/// What a program takes, which must succeed.
fn time(command: &mut Command) -> Duration {
    let began = Instant::now();
    let status = command.stdout(Stdio::null()).stderr(Stdio::null()).status();
    let took = began.elapsed();
    assert!(status.expect("it starts").success(), "{command:?}");
    took
}

fn median(mut walls: Vec<Duration>) -> f64 {
    walls.sort();
    walls[walls.len() / 2].as_secs_f64()
}

fn cost() -> Check {
    let project = tempfile::tempdir().expect("a temporary directory");
    trivial::make(project.path(), TESTS).expect("writing the crate of trivial tests");
    let cluster = Cluster::start(&[]);
    let _worker = cluster.worker("one");
    let run = || {
        let mut command = cluster.client(MAELSTROM, project.path());
        command.args(["--ui", "quiet", "--slots", "2"]);
        command
    };
    let (mut here, mut there) = (Vec::new(), Vec::new());
    for round in 0..=ROUNDS {
        let one = time(run().env_remove("MAELSTROM_BROKER"));
        let other = time(&mut run());
        if round > 0 {
            here.push(one);
            there.push(other);
        }
    }
    let (here, there) = (median(here), median(there));
    println!("{TESTS} trivial tests, median of {ROUNDS} runs in turn");
    println!("  here               {here:7.3} s");
    println!("  through a broker   {there:7.3} s");
    let ratio = there / here;
    check(
        ratio <= COST_MAX,
        &format!("a broker makes it {ratio:.3} × as long (at most {COST_MAX})"),
    )
}

fn worth() -> [Check; 2] {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let jobs = directory.path().join("jobs.json");
    let mut text = String::new();
    for _ in 0..NAPS {
        writeln!(
            text,
            r#"{{"program": "/bin/sleep", "arguments": ["{}"], {PORTABLE}}}"#,
            NAP.as_secs_f64()
        )
        .expect("memory");
    }
    fs::write(&jobs, text).expect("writing the jobs");
    let cluster = Cluster::start(&[]);
    let mut workers = Vec::new();
    let mut walls = Vec::new();
    println!("{NAPS} naps of {} ms, two slots a worker", NAP.as_millis());
    for count in [1, 2, 9, 10] {
        while workers.len() < count {
            workers.push(cluster.worker(&format!("w{}", workers.len())));
        }
        let run = || {
            let mut command = cluster.client(RUN, Path::new("/"));
            command.args(["--ui", "quiet", "--file"]).arg(&jobs);
            command
        };
        // What a new worker has to fetch once is no part of it.
        time(&mut run());
        let wall = time(&mut run()).as_secs_f64();
        println!("  {count:2} workers  {wall:7.3} s");
        walls.push(wall);
    }
    let (second, tenth) = (walls[0] / walls[1], walls[2] / walls[3]);
    [
        check(
            second >= SECOND_WORKER_MIN,
            &format!("the second makes it {second:.2} × as quick (at least {SECOND_WORKER_MIN})"),
        ),
        check(
            tenth > 1.0,
            &format!("the tenth makes it {tenth:.2} × as quick (more than 1)"),
        ),
    ]
}
