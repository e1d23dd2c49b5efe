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
//! containers and by running tests of one package side by side.

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
    let state = tempfile::tempdir().expect("a temporary directory");
    let mut gos = Vec::new();
    let mut ours = Vec::new();
    for round in 0..=ROUNDS {
        let go = time(
            Command::new("go").args(["test", "-count=1", "./..."]),
            project,
        );
        let mut command = Command::new(MAELSTROM);
        command.arg("--quiet").env("XDG_STATE_HOME", state.path());
        let our = time(&mut command, project);
        if round > 0 {
            gos.push(go);
            ours.push(our);
        }
    }
    let (go, our) = (median(gos), median(ours));
    println!(
        "{title}: go test {:.2} s, maelstrom-go-test {:.2} s: {:.2} ×",
        go.as_secs_f64(),
        our.as_secs_f64(),
        our.as_secs_f64() / go.as_secs_f64()
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
