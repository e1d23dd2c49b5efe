//! The broker, a worker and the client are killed at random moments and started again: every test
//! is told once, with the right outcome, and nothing is left of any of them.
//!
//! `MAELSTROM_KILLS=100` kills each a hundred times instead of five.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};
use std::time::Duration;

use crate::cluster::{Cluster, Running};
use crate::remains::{self, Moments, kills, surroundings, wait_for_all};
use crate::support::{EXECUTABLE, crates};
use tempfile::TempDir;

/// Leases that are soon lost, so that nobody waits long for a worker that was killed.
const SHORT_LEASES: [&str; 4] = ["--lease", "3", "--heartbeat", "1"];
const TESTS: usize = 100;
const KILLS: u32 = 5;
/// More than it takes for one to start, and for many of the tests to end.
const MOMENTS: Duration = Duration::from_millis(1500);

/// Every tenth of them fails.
fn project() -> TempDir {
    let mut source = String::new();
    for number in 0..TESTS {
        writeln!(
            source,
            "#[test] fn t{number:03}() {{ std::fs::write(\"/tmp/x\", \"y\").unwrap(); \
             for _ in 0..2000 {{ assert!(std::fs::read(\"src/lib.rs\").is_ok()); }} \
             assert_ne!({number} % 10, 9); }}"
        )
        .unwrap();
    }
    crates::built(&source)
}

/// How often each test was told, and how.
type Told = BTreeMap<String, Vec<String>>;

fn expected() -> Told {
    let outcome = |number| if number % 10 == 9 { "FAIL" } else { "PASS" };
    (0..TESTS)
        .map(|number| (format!("t{number:03}"), vec![outcome(number).to_owned()]))
        .collect()
}

/// What a run told as its tests ended: the repetition of its failures comes after.
fn told(text: &str) -> Told {
    let mut told = Told::new();
    for line in text.lines().take_while(|line| *line != "failures:") {
        let words: Vec<&str> = line.split_whitespace().collect();
        if let [outcome @ ("PASS" | "FAIL"), .., name] = words[..] {
            let outcomes = told.entry(name.to_owned()).or_default();
            outcomes.push(outcome.to_owned());
        }
    }
    told
}

fn run(cluster: &Cluster, project: &Path) -> Command {
    let mut command = cluster.client(EXECUTABLE, project);
    command
        .args(["--no-tui", "--offline"])
        .env("RUST_BACKTRACE", "0");
    command
}

/// A whole run, in the middle of whatever happens. One that cannot begin, since there is no broker at
/// that moment, says so and nothing else.
fn check(cluster: &Cluster, project: &Path) -> Result<(), String> {
    let output = run(cluster, project).output().unwrap();
    let streams = [output.stdout, output.stderr].concat();
    let text = String::from_utf8_lossy(&streams).into_owned();
    if output.status.code() == Some(125) && told(&text).is_empty() {
        return Err(text);
    }
    assert_eq!(output.status.code(), Some(101), "{text}");
    assert_eq!(told(&text), expected(), "{text}");
    Ok(())
}

/// Runs a program until it is killed at that moment. What it said of mistakes comes along.
fn kill_after(command: &Command, moment: Duration) -> (ExitStatus, String) {
    let mut timed = Command::new("timeout");
    timed
        .arg("--signal=KILL")
        .arg(format!("{:.3}", moment.as_secs_f64().max(0.001)))
        .arg(command.get_program())
        .args(command.get_args())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped());
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => timed.env(name, value),
            None => timed.env_remove(name),
        };
    }
    if let Some(directory) = command.get_current_dir() {
        timed.current_dir(directory);
    }
    let output = timed.output().unwrap();
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    (output.status, told)
}

/// One run after the other, while the victim is killed again and again.
fn storm(cluster: &Cluster, project: &Path, victim: impl Fn() -> Command + Sync, who: &str) {
    let victim = &victim;
    std::thread::scope(|scope| {
        let killer = scope.spawn(move || {
            let mut moments = Moments::new(who);
            for kill in 0..kills(KILLS) {
                let moment = moments.next(MOMENTS);
                let (status, told) = kill_after(&victim(), moment);
                assert_eq!(
                    status.signal().or(status.code()),
                    Some(9),
                    "{who}, kill {kill} after {moment:?}: {told}"
                );
            }
            Running::start(&mut victim())
        });
        while !killer.is_finished() {
            drop(check(cluster, project));
        }
        let _last = killer.join().unwrap();
        check(cluster, project).unwrap();
    });
}

#[test]
fn whoever_is_killed_every_test_is_told_once() {
    let _turn = remains::alone();
    nix::sys::prctl::set_child_subreaper(true).unwrap();
    let project = project();
    let before = surroundings(project.path());
    {
        let cluster = Cluster::start(&SHORT_LEASES);
        let _stays = cluster.worker("stays");
        let worker = || cluster.worker_command("killed");
        storm(&cluster, project.path(), worker, "worker");
        let mut moments = Moments::new("client");
        for _ in 0..kills(KILLS) {
            let moment = moments.next(MOMENTS);
            let (status, told) = kill_after(&run(&cluster, project.path()), moment);
            // It may have been quicker.
            let code = status.signal().or(status.code());
            assert!(matches!(code, Some(9 | 101)), "{told}");
        }
        check(&cluster, project.path()).unwrap();
        let mut cluster = cluster;
        cluster.broker.kill();
        let cluster = &cluster;
        let broker = || cluster.broker_command(&SHORT_LEASES);
        storm(cluster, project.path(), broker, "broker");
    }
    wait_for_all();
    assert_eq!(surroundings(project.path()), before);
}
