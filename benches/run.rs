//! Compares a stream of jobs with the same programs under bubblewrap, side by side in one run on
//! one machine:
//!
//! ```console
//! $ cargo bench --bench run
//! ```
//!
//! Each is run several times in turn, after one round that does not count; the medians are
//! compared. `bwrap` and `xargs` must be installed.
//!
//! With `MAELSTROM_BASELINE=DIRECTORY`, the `maelstrom-run` in that directory, of an earlier build for
//! example, takes part as well.

// A benchmark fails by panicking.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used)]

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

const ROUNDS: usize = 3;
const JOBS: usize = 10_000;
const MAELSTROM: &str = env!("CARGO_BIN_EXE_maelstrom-run");

fn main() {
    let slots = thread::available_parallelism()
        .map_or(1, usize::from)
        .to_string();
    let scratch = tempfile::tempdir().expect("a temporary directory");
    let jobs = scratch.path().join("jobs.json");
    let mut text = String::new();
    for _ in 0..JOBS {
        writeln!(text, r#"{{"program": "/bin/true", "parent": "default"}}"#).expect("memory");
    }
    fs::write(&jobs, text).expect("writing the jobs");
    let baseline = std::env::var_os("MAELSTROM_BASELINE")
        .map(|directory| Path::new(&directory).join("maelstrom-run"));
    let mut ours = Vec::new();
    let mut before = Vec::new();
    let mut theirs = Vec::new();
    let mut peaks = Vec::new();
    for round in 0..=ROUNDS {
        let (our, peak) = maelstrom(Path::new(MAELSTROM), &jobs, scratch.path(), &slots);
        let baseline = baseline
            .as_ref()
            .map(|program| maelstrom(program, &jobs, scratch.path(), &slots).0);
        let their = bubblewrap(&slots);
        if round > 0 {
            ours.push(our);
            before.extend(baseline);
            theirs.push(their);
            peaks.push(peak);
        }
    }
    let (our, their) = (median(ours), median(theirs));
    println!("{JOBS} × true, {slots} at a time, median of {ROUNDS} runs in turn");
    println!(
        "  maelstrom-run     {our:7.3} s  {:5.3} × bwrap  peak {} MiB after {} jobs, {} MiB at the end",
        our / their,
        peaks.iter().map(|(early, _)| early).max().expect("a round") >> 20,
        JOBS / 10,
        peaks.iter().map(|(_, late)| late).max().expect("a round") >> 20,
    );
    if !before.is_empty() {
        let before = median(before);
        println!(
            "  the baseline      {before:7.3} s  {:5.3} × bwrap; ours {:5.3} × the baseline",
            before / their,
            our / before,
        );
    }
    println!("  xargs -P {slots} bwrap  {their:7.3} s");
}

fn median(mut walls: Vec<Duration>) -> f64 {
    walls.sort();
    walls[walls.len() / 2].as_secs_f64()
}

/// How long this program takes, and its peak memory at a tenth of that time and at the end.
fn maelstrom(program: &Path, jobs: &Path, directory: &Path, slots: &str) -> (Duration, (u64, u64)) {
    let started = Instant::now();
    let mut child = Command::new(program)
        .arg("--no-tui")
        .args(["--slots", slots, "--file"])
        .arg(jobs)
        .current_dir(directory)
        .stdout(Stdio::null())
        .spawn()
        .expect("it runs");
    let status = format!("/proc/{}/status", child.id());
    let watcher = thread::spawn(move || {
        let mut peaks = Vec::new();
        while let Ok(text) = fs::read_to_string(&status) {
            let high_water = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
            let Some(high_water) = high_water else { break };
            let kilobytes = high_water.trim().trim_end_matches(" kB").parse::<u64>();
            peaks.extend(kilobytes.ok().map(|kilobytes| kilobytes * 1024));
            #[expect(clippy::disallowed_methods, reason = "the pace of the samples")]
            thread::sleep(Duration::from_millis(20));
        }
        peaks
    });
    let status = child.wait().expect("it ends");
    let wall = started.elapsed();
    assert!(status.success(), "a job failed");
    let peaks = watcher.join().expect("the watcher ends");
    let early = peaks.get(peaks.len() / 10).copied().unwrap_or_default();
    (wall, (early, peaks.last().copied().unwrap_or_default()))
}

fn bubblewrap(slots: &str) -> Duration {
    let command =
        format!("seq {JOBS} | xargs -P {slots} -I{{}} bwrap --unshare-all --ro-bind / / /bin/true");
    let started = Instant::now();
    let status = Command::new("sh")
        .args(["-c", &command])
        .status()
        .expect("sh runs");
    assert!(status.success(), "bwrap failed");
    started.elapsed()
}
