//! Compares `maelstrom-pytest` with pytest itself, side by side in one run on one machine:
//!
//! ```console
//! $ cargo bench --bench pytest               # 200 tests over TCP
//! $ cargo bench --bench pytest -- ../flask   # and the suites of these projects
//! ```
//!
//! The project's Python is that of the active virtual environment, else `python3` on PATH; it needs
//! pytest-xdist and whatever the project's tests do. Whole suites are run several times in turn,
//! after one round that does not count, and the medians compared.
//!
//! A Python started for each test takes minutes for a whole suite, so a sample is run, every n-th
//! test, as many at a time as the others get, and compared by the time that a test takes. What
//! every start pays, it pays for every test of the sample, too, and a whole suite has nothing that
//! the sample has not, so nothing is lost by that.

// A benchmark fails by panicking.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used)]
// Helpers are shared by several binaries.
#![allow(unreachable_pub)]

#[path = "support/tcp.rs"]
mod tcp;

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::Mutex;
use std::time::{Duration, Instant};

const ROUNDS: usize = 3;
/// Tests over TCP, each of which uses its network up.
const TCP_TESTS: usize = 200;
/// How many tests of a suite get a Python each.
const SAMPLE: usize = 60;
const AT_A_TIME: usize = 2;
const MAELSTROM: &str = env!("CARGO_BIN_EXE_maelstrom-pytest");
/// pytest's own cache would be one more thing that differs from run to run.
const PYTEST: [&str; 5] = ["-m", "pytest", "-q", "-p", "no:cacheprovider"];

fn main() {
    let projects: Vec<PathBuf> = std::env::args_os()
        .skip(1)
        .filter(|word| word != "--bench")
        .map(PathBuf::from)
        .collect();
    let scratch = tempfile::tempdir().expect("a temporary directory");
    tcp::python_project(scratch.path(), TCP_TESTS).expect("writing the tests over TCP");
    compare("over TCP", scratch.path());
    for project in projects {
        let name = project.file_name().unwrap_or_default().to_string_lossy();
        compare(&name, &project);
    }
}

/// One way of running a suite.
struct Contender {
    name: &'static str,
    command: Command,
    walls: Vec<Duration>,
    with_failures: usize,
}

impl Contender {
    fn new(name: &'static str, mut command: Command, project: &Path) -> Contender {
        command
            .current_dir(project)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        Contender {
            name,
            command,
            walls: Vec::new(),
            with_failures: 0,
        }
    }

    fn run(&mut self) {
        let started = Instant::now();
        let status = self.command.status().expect("the command runs");
        self.walls.push(started.elapsed());
        match status.code() {
            Some(0) => {}
            // A test that failed, which is no reason not to compare.
            Some(1) => self.with_failures += 1,
            _ => panic!("{:?}: {status}: what it took says nothing", self.command),
        }
    }

    fn median(&self) -> Duration {
        let mut walls = self.walls.clone();
        walls.sort();
        walls[walls.len() / 2]
    }
}

fn python(arguments: &[&str]) -> Command {
    let program = match std::env::var_os("VIRTUAL_ENV") {
        Some(active) => Path::new(&active).join("bin/python"),
        None => "python3".into(),
    };
    let mut command = Command::new(program);
    command.args(PYTEST).args(arguments);
    command
}

/// Nothing of it stays in the user's own directories.
fn ours(scratch: &Path) -> Command {
    let mut command = Command::new(MAELSTROM);
    command
        .args(["--ui", "quiet", "--slots"])
        .arg(AT_A_TIME.to_string())
        .env("XDG_STATE_HOME", scratch)
        .env("XDG_CACHE_HOME", scratch);
    command
}

/// The node ids of a project's tests, as pytest lists them.
fn tests(project: &Path) -> Vec<String> {
    let mut command = python(&["--collect-only"]);
    let Output { stdout, .. } = command
        .current_dir(project)
        .output()
        .expect("pytest collects");
    let listed = String::from_utf8_lossy(&stdout);
    let lines = listed.lines().filter(|line| line.contains("::"));
    lines.map(str::to_owned).collect()
}

/// Runs each of these tests in a Python of its own, and returns how long a test took, several being
/// run at a time.
fn a_python_a_test(project: &Path, sample: &[&String]) -> Duration {
    let left = Mutex::new(sample.iter());
    let started = Instant::now();
    std::thread::scope(|scope| {
        for _ in 0..AT_A_TIME {
            scope.spawn(|| {
                loop {
                    let next = left.lock().expect("nobody panics").next();
                    let Some(test) = next else { return };
                    let mut one = Contender::new("", python(&[test]), project);
                    one.run();
                }
            });
        }
    });
    per_test(started.elapsed(), sample.len())
}

fn per_test(wall: Duration, tests: usize) -> Duration {
    wall / u32::try_from(tests.max(1)).expect("not so many tests")
}

fn compare(name: &str, project: &Path) {
    let scratch = tempfile::tempdir().expect("a temporary directory");
    let workers = AT_A_TIME.to_string();
    let mut contenders = [
        Contender::new("maelstrom-pytest", ours(scratch.path()), project),
        Contender::new("pytest -n 2", python(&["-n", &workers]), project),
        Contender::new("pytest", python(&[]), project),
    ];
    for round in 0..=ROUNDS {
        for contender in &mut contenders {
            contender.run();
            if round == 0 {
                contender.walls.clear();
                contender.with_failures = 0;
            }
        }
    }
    let tests = tests(project);
    let sample: Vec<&String> = tests
        .iter()
        .step_by(tests.len().div_ceil(SAMPLE).max(1))
        .collect();
    let fresh = a_python_a_test(project, &sample);
    println!(
        "\n{name}, {} tests, median of {ROUNDS} runs in turn",
        tests.len()
    );
    let [first, reference, alone] = &contenders;
    let (first, reference, alone) = (first.median(), reference.median(), alone.median());
    for contender in &contenders {
        let wall = contender.median();
        let failed = match contender.with_failures {
            0 => String::new(),
            failed => format!("  ({failed} of the runs had failures)"),
        };
        println!(
            "  {:16} {:8.3} s  {:6.2} × pytest -n 2  {:6.2} × pytest  {:6.2} × ours{failed}",
            contender.name,
            wall.as_secs_f64(),
            wall.as_secs_f64() / reference.as_secs_f64(),
            wall.as_secs_f64() / alone.as_secs_f64(),
            wall.as_secs_f64() / first.as_secs_f64(),
        );
    }
    let own = per_test(first, tests.len());
    println!(
        "  a test, {AT_A_TIME} at a time: ours {:.1} ms, a Python for each {:.1} ms ({} of them): {:.1} ×",
        own.as_secs_f64() * 1e3,
        fresh.as_secs_f64() * 1e3,
        sample.len(),
        fresh.as_secs_f64() / own.as_secs_f64(),
    );
}
