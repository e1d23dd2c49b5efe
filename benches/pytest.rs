//! Compares `maelstrom-pytest` with pytest itself, side by side in one run on one machine:
//!
//! ```console
//! $ cargo bench --bench pytest -- ../flask
//! ```
//!
//! The project's Python is that of the active virtual environment, else `python3` on PATH; it needs
//! pytest-xdist and whatever the project's tests do. All but the fresh processes are run several
//! times in turn, after one round that does not count, and the medians compared. A Python started
//! for each test takes minutes, so that is done once.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

const ROUNDS: usize = 5;
const MAELSTROM: &str = env!("CARGO_BIN_EXE_maelstrom-pytest");

fn main() {
    let projects: Vec<PathBuf> = std::env::args_os()
        .skip(1)
        .filter(|word| word != "--bench")
        .map(PathBuf::from)
        .collect();
    if projects.is_empty() {
        println!("no project was named: cargo bench --bench pytest -- DIRECTORY");
    }
    for project in projects {
        compare(&project);
    }
}

/// How often a way of running a suite is measured.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Turns {
    EachRound,
    Once,
}

/// One way of running a suite.
struct Contender {
    name: &'static str,
    command: Command,
    turns: Turns,
    walls: Vec<Duration>,
    with_failures: usize,
}

impl Contender {
    fn new(name: &'static str, program: &Path, arguments: &[&str], project: &Path) -> Contender {
        let mut command = Command::new(program);
        command
            .args(arguments)
            .current_dir(project)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        Contender {
            name,
            command,
            turns: Turns::EachRound,
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

fn python() -> PathBuf {
    match std::env::var_os("VIRTUAL_ENV") {
        Some(active) => Path::new(&active).join("bin/python"),
        None => "python3".into(),
    }
}

fn compare(project: &Path) {
    let (python, ours) = (python(), PathBuf::from(MAELSTROM));
    let pytest = ["-m", "pytest", "-q", "-p", "no:cacheprovider"];
    let two = [&pytest[..], &["-n", "2"]].concat();
    let quiet = ["--ui", "quiet", "--slots", "2"];
    let fresh = [&quiet[..], &["--fresh"]].concat();
    let mut contenders = [
        Contender::new("maelstrom-pytest", &ours, &quiet, project),
        Contender::new("pytest -n 2", &python, &two, project),
        Contender::new("pytest", &python, &pytest, project),
        Contender {
            turns: Turns::Once,
            ..Contender::new("a Python a test", &ours, &fresh, project)
        },
    ];
    for round in 0..=ROUNDS {
        for contender in &mut contenders {
            match (contender.turns, round) {
                (Turns::EachRound, 0) => {
                    contender.run();
                    contender.walls.clear();
                    contender.with_failures = 0;
                }
                (Turns::EachRound, _) | (Turns::Once, ROUNDS) => contender.run(),
                (Turns::Once, _) => {}
            }
        }
    }
    let name = project.file_name().unwrap_or_default().to_string_lossy();
    println!("\n{name}, median of {ROUNDS} runs in turn");
    let [first, reference, ..] = &contenders;
    let (first, reference) = (first.median(), reference.median());
    for contender in &contenders {
        let wall = contender.median();
        let failed = match contender.with_failures {
            0 => String::new(),
            failed => format!("  ({failed} of the runs had failures)"),
        };
        println!(
            "  {:16} {:8.3} s  {:6.2} × pytest -n 2  {:6.2} × ours{failed}",
            contender.name,
            wall.as_secs_f64(),
            wall.as_secs_f64() / reference.as_secs_f64(),
            wall.as_secs_f64() / first.as_secs_f64(),
        );
    }
}
