//! Compares `maelstrom-go-test` with `go test -count=1 ./...`, side by side in one run on one
//! machine:
//!
//! ```console
//! $ cargo bench --bench go                          # a module of many trivial tests
//! $ cargo bench --bench go -- ../cobra ../testify   # and the suites of these modules
//! ```
//!
//! Both build and run everything; what compilers produced is cached for both. Each is run several
//! times in turn, after one round that does not count; the medians are compared. `go test` runs a
//! package's tests in one process, so a process for each test has to be made up for by reusing
//! containers, by running tests of one package side by side, and by linking only what has changed:
//! "linking all" is the same without that, as after a change that concerns every package.

// A benchmark fails by panicking.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used)]

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

const ROUNDS: usize = 7;
const PACKAGES: usize = 10;
const TESTS_PER_PACKAGE: usize = 50;
const MAELSTROM: &str = env!("CARGO_BIN_EXE_maelstrom-go-test");

fn main() {
    let projects: Vec<PathBuf> = std::env::args_os()
        .skip(1)
        .filter(|word| word != "--bench")
        .map(PathBuf::from)
        .collect();
    let scratch = tempfile::tempdir().expect("a temporary directory");
    make(scratch.path()).expect("writing the module of trivial tests");
    let title = format!("{PACKAGES} packages of {TESTS_PER_PACKAGE} trivial tests");
    compare(&title, scratch.path());
    for project in projects {
        let name = project.file_name().unwrap_or_default().to_string_lossy();
        compare(&name, &project);
    }
}

/// A module in which nothing but the running of tests takes time.
fn make(directory: &Path) -> std::io::Result<()> {
    fs::write(
        directory.join("go.mod"),
        "module example.com/trivial\n\ngo 1.20\n",
    )?;
    for package in 0..PACKAGES {
        let mut tests = format!("package p{package}\n\nimport \"testing\"\n\n");
        for test in 0..TESTS_PER_PACKAGE {
            let _ = writeln!(tests, "func Test{test}(t *testing.T) {{}}");
        }
        let directory = directory.join(format!("p{package}"));
        fs::create_dir(&directory)?;
        fs::write(directory.join("p_test.go"), tests)?;
    }
    Ok(())
}

fn compare(title: &str, project: &Path) {
    let scratch = tempfile::tempdir().expect("a temporary directory");
    let built = Command::new("go").args(["env", "GOCACHE"]).output();
    let built = built.expect("Go is installed").stdout;
    let built = String::from_utf8(built).expect("a path");
    let ours = || {
        let mut command = Command::new(MAELSTROM);
        command
            .arg("--quiet")
            .env("XDG_STATE_HOME", scratch.path().join("state"))
            .env("XDG_CACHE_HOME", scratch.path().join("cache"))
            .env("GOCACHE", built.trim());
        command
    };
    let mut walls = [Vec::new(), Vec::new(), Vec::new()];
    for round in 0..=ROUNDS {
        let mut go = Command::new("go");
        go.args(["test", "-count=1", "./..."]);
        let go = time(&mut go, project);
        let own = time(&mut ours(), project);
        drop(fs::remove_dir_all(scratch.path().join("cache")));
        let linking = time(&mut ours(), project);
        if round > 0 {
            for (walls, wall) in walls.iter_mut().zip([go, own, linking]) {
                walls.push(wall);
            }
        }
    }
    let [go, own, linking] = walls.map(|walls| median(walls).as_secs_f64());
    println!(
        "{title}: go test {go:.2} s, maelstrom-go-test {own:.2} s: {:.2} ×; linking all {linking:.2} \
         s: {:.2} ×",
        own / go,
        linking / go
    );
}

/// Tests of the project may fail; both run them all.
fn time(command: &mut Command, directory: &Path) -> Duration {
    command
        .current_dir(directory)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    let start = Instant::now();
    command.status().expect("starting a contender");
    start.elapsed()
}

fn median(mut samples: Vec<Duration>) -> Duration {
    samples.sort();
    samples.get(samples.len() / 2).copied().unwrap_or_default()
}
