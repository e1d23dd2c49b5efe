//! Compares `cargo maelstrom` with `cargo nextest run` and with bare processes, side by side in one
//! run on one machine:
//!
//! ```console
//! $ cargo bench --bench compare                      # 2,000 trivial tests, and 200 over TCP
//! $ cargo bench --bench compare -- ../ripgrep ../fd  # and the suites of these projects
//! ```
//!
//! Each is run several times in turn, after one round that does not count; the medians are
//! compared. `cargo nextest` must be installed. Bare processes are the floor: every test's own
//! process, as many at a time as there are processors, with nothing around them.
//!
//! With `MAELSTROM_BASELINE=DIRECTORY`, the `cargo-maelstrom` in that directory, of an earlier build
//! for example, takes part as well.

// A benchmark fails by panicking.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used)]
// Helpers are shared by several binaries.
#![allow(unreachable_pub)]

#[path = "support/tcp.rs"]
mod tcp;
#[path = "../tests/support/trivial.rs"]
mod trivial;

use std::ffi::{OsStr, OsString};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

const ROUNDS: usize = 5;
const TESTS: usize = 2000;
/// Tests over TCP, each of which uses its network up.
const TCP_TESTS: usize = 200;
const MAELSTROM: &str = env!("CARGO_BIN_EXE_cargo-maelstrom");

fn main() {
    let projects: Vec<PathBuf> = std::env::args_os()
        .skip(1)
        .filter(|word| word != "--bench")
        .map(PathBuf::from)
        .collect();
    println!("{}", machine());
    let scratch = tempfile::tempdir().expect("a temporary directory");
    trivial::make(scratch.path(), TESTS).expect("writing the crate of trivial tests");
    compare(&format!("{TESTS} trivial tests"), scratch.path());
    let scratch = tempfile::tempdir().expect("a temporary directory");
    tcp::crate_of_tests(scratch.path(), TCP_TESTS).expect("writing the crate of tests over TCP");
    compare(&format!("{TCP_TESTS} tests over TCP"), scratch.path());
    for project in projects {
        let name = project
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        compare(&name, &project);
    }
}

fn machine() -> String {
    let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
    let cpu = read("/proc/cpuinfo");
    let model = cpu
        .lines()
        .find_map(|line| line.strip_prefix("model name\t: "));
    let kernel = read("/proc/sys/kernel/osrelease");
    let cores = thread::available_parallelism().map_or(1, usize::from);
    format!(
        "{cores} × {}, Linux {}",
        model.unwrap_or(std::env::consts::ARCH),
        kernel.trim()
    )
}

/// One way of running a suite.
struct Contender {
    name: &'static str,
    run: Box<dyn Fn() -> Sample>,
    samples: Vec<Sample>,
}

#[derive(Clone, Copy)]
struct Sample {
    wall: Duration,
    memory_peak_bytes: Option<u64>,
    passed: bool,
}

fn compare(title: &str, project: &Path) {
    build(project);
    let tests = bare_tests(project);
    let own = Path::new(MAELSTROM).parent().map(Path::to_owned);
    let baseline = std::env::var_os("MAELSTROM_BASELINE").map(PathBuf::from);
    let directory = project.to_owned();
    let nextest = move || {
        let mut command = as_typed("cargo");
        command.args([
            "nextest",
            "run",
            "--workspace",
            "--no-fail-fast",
            "--status-level",
            "none",
        ]);
        run(command.current_dir(&directory))
    };
    let contenders = [
        Contender {
            name: "cargo maelstrom",
            run: maelstrom(project, own),
            samples: Vec::new(),
        },
        Contender {
            name: "cargo nextest run",
            run: Box::new(nextest),
            samples: Vec::new(),
        },
        Contender {
            name: "bare processes",
            run: Box::new(move || bare(&tests)),
            samples: Vec::new(),
        },
    ];
    let mut contenders = Vec::from(contenders);
    if baseline.is_some() {
        contenders.push(Contender {
            name: "the baseline",
            run: maelstrom(project, baseline),
            samples: Vec::new(),
        });
    }
    for round in 0..=ROUNDS {
        for contender in &mut contenders {
            let sample = (contender.run)();
            if round > 0 {
                contender.samples.push(sample);
            }
        }
    }
    println!("\n{title}, median of {ROUNDS} runs in turn");
    let reference = median(&contenders[1].samples);
    for contender in &contenders {
        let wall = median(&contender.samples);
        let memory = contender
            .samples
            .iter()
            .filter_map(|sample| sample.memory_peak_bytes)
            .max();
        let memory = memory.map_or(String::new(), |bytes| format!("  peak {} MiB", bytes >> 20));
        // Tests that share a machine can disturb each other, which is no reason not to compare.
        let failed = contender
            .samples
            .iter()
            .filter(|sample| !sample.passed)
            .count();
        let failed = match failed {
            0 => String::new(),
            failed => format!("  ({failed} of the runs had failures)"),
        };
        println!(
            "  {:18} {:7.3} s  {:5.3} × nextest{memory}{failed}",
            contender.name,
            wall.as_secs_f64(),
            wall.as_secs_f64() / reference.as_secs_f64(),
        );
    }
}

/// A run of this project by the `cargo-maelstrom` in a directory.
fn maelstrom(project: &Path, programs: Option<PathBuf>) -> Box<dyn Fn() -> Sample> {
    let project = project.to_owned();
    Box::new(move || {
        let mut command = as_typed("cargo");
        command
            .args(["maelstrom", "run", "--no-fail-fast", "--ui", "quiet"])
            .env("PATH", path_with(programs.clone()))
            .current_dir(&project);
        let sample = run(&mut command);
        assert!(
            sample.passed,
            "{command:?} failed: what it took says nothing"
        );
        sample
    })
}

/// A command as a shell would start it: what cargo has set for this benchmark, the library path
/// above all, would cost every test its share.
fn as_typed(program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(program);
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        if text.starts_with("CARGO_") && text != "CARGO_HOME"
            || ["CARGO", "LD_LIBRARY_PATH", "RUSTUP_TOOLCHAIN"].contains(&&*text)
        {
            command.env_remove(name);
        }
    }
    command
}

/// `PATH` with this directory before all others.
fn path_with(first: Option<PathBuf>) -> OsString {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::join_paths(first.into_iter().chain(std::env::split_paths(&path)))
        .expect("PATH joined as it was")
}

fn median(samples: &[Sample]) -> Duration {
    let mut walls: Vec<_> = samples.iter().map(|sample| sample.wall).collect();
    walls.sort();
    walls[walls.len() / 2]
}

fn build(project: &Path) {
    let status = as_typed("cargo")
        .args(["test", "--no-run", "--workspace", "--quiet"])
        .current_dir(project)
        .status()
        .expect("cargo runs");
    assert!(status.success(), "{project:?} does not build");
}

/// Runs a command with its output thrown away. Its memory is its own, not its children's.
fn run(command: &mut Command) -> Sample {
    let started = Instant::now();
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("the command runs");
    let status = PathBuf::from(format!("/proc/{}/status", child.id()));
    let watcher = thread::spawn(move || {
        let mut peak = None;
        while let Ok(text) = fs::read_to_string(&status) {
            let high_water = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
            let Some(high_water) = high_water else { break };
            let kilobytes = high_water.trim().trim_end_matches(" kB").parse::<u64>();
            peak = peak.max(kilobytes.ok().map(|kilobytes| kilobytes * 1024));
            #[expect(clippy::disallowed_methods, reason = "the pace of the samples")]
            thread::sleep(Duration::from_millis(20));
        }
        peak
    });
    let status = child.wait().expect("the command ends");
    let wall = started.elapsed();
    Sample {
        wall,
        memory_peak_bytes: watcher.join().expect("the watcher ends"),
        passed: status.success(),
    }
}

/// A test binary, where it starts, and one of its tests.
struct BareTest {
    binary: PathBuf,
    directory: PathBuf,
    name: String,
}

/// Every test of a project, listed by cargo and the test binaries themselves.
fn bare_tests(project: &Path) -> Vec<BareTest> {
    let output = as_typed("cargo")
        .args(["test", "--no-run", "--workspace", "--message-format=json"])
        .current_dir(project)
        .stderr(Stdio::null())
        .output()
        .expect("cargo runs");
    let mut tests = Vec::new();
    for message in cargo_metadata::Message::parse_stream(output.stdout.as_slice()) {
        let Ok(cargo_metadata::Message::CompilerArtifact(artifact)) = message else {
            continue;
        };
        let Some(binary) = artifact.executable.filter(|_| artifact.profile.test) else {
            continue;
        };
        let directory = artifact
            .manifest_path
            .parent()
            .expect("a manifest has a directory");
        let list = |arguments: &[&str]| {
            let output = as_typed(&binary)
                .args(arguments)
                .current_dir(directory)
                .output()
                .expect("it runs");
            let text = String::from_utf8(output.stdout).expect("names are UTF-8");
            let names = text.lines().filter_map(|line| line.strip_suffix(": test"));
            names.map(str::to_owned).collect::<Vec<_>>()
        };
        let ignored = list(&["--list", "--format", "terse", "--ignored"]);
        for name in list(&["--list", "--format", "terse"]) {
            if !ignored.contains(&name) {
                tests.push(BareTest {
                    binary: binary.clone().into(),
                    directory: directory.into(),
                    name,
                });
            }
        }
    }
    tests
}

fn bare(tests: &[BareTest]) -> Sample {
    let next = AtomicUsize::new(0);
    let started = Instant::now();
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(|| {
                while let Some(test) = tests.get(next.fetch_add(1, Ordering::Relaxed)) {
                    as_typed(&test.binary)
                        .args(["--exact", "--nocapture", &test.name])
                        .current_dir(&test.directory)
                        .stdin(Stdio::null())
                        .stdout(Stdio::null())
                        .stderr(Stdio::null())
                        .status()
                        .expect("a test binary runs");
                }
            });
        }
    });
    Sample {
        wall: started.elapsed(),
        memory_peak_bytes: None,
        passed: true,
    }
}
