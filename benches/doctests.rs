//! Compares `cargo maelstrom --doc` with `cargo test --doc`, side by side in one run on one machine:
//!
//! ```console
//! $ cargo bench --bench doctests                          # a library of small doctests
//! $ cargo bench --bench doctests -- ../semver ../anyhow   # and the doctests of these projects
//! ```
//!
//! The libraries are built for both. Each is run several times in turn, after two rounds that do not
//! count; the medians are compared. `cargo test` compiles the doctests each time, and `cargo
//! maelstrom` only those that may have changed: "compiling all" is the same without what earlier
//! runs have kept, as after a change of the library.

// A benchmark fails by panicking.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used)]

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

const ROUNDS: usize = 5;
/// What was built a moment ago is not kept in the first round.
const ROUNDS_BEFORE: usize = 2;
const DOCTESTS: usize = 20;
const MAELSTROM: &str = env!("CARGO_BIN_EXE_cargo-maelstrom");

fn main() {
    let projects: Vec<PathBuf> = std::env::args_os()
        .skip(1)
        .filter(|word| word != "--bench")
        .map(PathBuf::from)
        .collect();
    for edition in ["2021", "2024"] {
        let scratch = tempfile::tempdir().expect("a temporary directory");
        make(scratch.path(), edition).expect("writing the library of small doctests");
        let title = format!("{DOCTESTS} small doctests of edition {edition}");
        compare(&title, scratch.path());
    }
    for project in projects {
        let name = project.file_name().unwrap_or_default().to_string_lossy();
        compare(&name, &project);
    }
}

/// A library in which nothing but its doctests takes time.
fn make(directory: &Path, edition: &str) -> std::io::Result<()> {
    fs::write(
        directory.join("Cargo.toml"),
        format!("[package]\nname = \"small\"\nedition = \"{edition}\"\n[workspace]\n"),
    )?;
    let mut source = String::new();
    for number in 0..DOCTESTS {
        let _ = writeln!(
            source,
            "/// ```\n/// assert_eq!(small::f{number}(), {number});\n/// ```\n\
             pub fn f{number}() -> usize {{ {number} }}\n"
        );
    }
    fs::create_dir(directory.join("src"))?;
    fs::write(directory.join("src/lib.rs"), source)
}

fn compare(title: &str, project: &Path) {
    let target = tempfile::tempdir().expect("a temporary directory");
    let target = target.path();
    let theirs = || {
        let mut command = Command::new("cargo");
        command.args(["test", "--doc", "--no-fail-fast"]);
        command
    };
    let ours = || {
        let mut command = Command::new(MAELSTROM);
        command.args(["maelstrom", "--doc", "--ui=plain"]);
        command
    };
    let mut walls = [Vec::new(), Vec::new(), Vec::new()];
    let mut counts = [0, 0];
    for round in 0..ROUNDS + ROUNDS_BEFORE {
        let (cargo, passed) = time(theirs(), project, target);
        let (own, own_passed) = time(ours(), project, target);
        drop(fs::remove_dir_all(target.join("maelstrom-doctests")));
        let (compiling, _) = time(ours(), project, target);
        if round >= ROUNDS_BEFORE {
            for (walls, wall) in walls.iter_mut().zip([cargo, own, compiling]) {
                walls.push(wall);
            }
            counts = [passed, own_passed];
        }
    }
    let [cargo, own, compiling] = walls.map(|walls| median(walls).as_secs_f64());
    let [passed, own_passed] = counts;
    println!(
        "{title}: cargo test --doc {cargo:.2} s, {passed} passed; cargo maelstrom --doc {own:.2} s: \
         {:.2} ×, {own_passed} passed; compiling all {compiling:.2} s: {:.2} ×",
        own / cargo,
        compiling / cargo
    );
}

/// Returns the time of a command, and how many doctests passed.
fn time(mut command: Command, directory: &Path, target: &Path) -> (Duration, u32) {
    command
        .current_dir(directory)
        .env("CARGO_TARGET_DIR", target)
        .stdin(Stdio::null());
    let start = Instant::now();
    let output = command.output().expect("starting a contender");
    let wall = start.elapsed();
    let text = [output.stdout, output.stderr].concat();
    let text = String::from_utf8_lossy(&text);
    let ends = text
        .lines()
        .filter(|line| line.starts_with("summary: ") || line.starts_with("test result: "));
    let passed = ends.filter_map(|line| {
        let (before, _) = line.split_once(" passed")?;
        before.rsplit(' ').next()?.parse::<u32>().ok()
    });
    (wall, passed.sum())
}

fn median(mut samples: Vec<Duration>) -> Duration {
    samples.sort();
    samples.get(samples.len() / 2).copied().unwrap_or_default()
}
