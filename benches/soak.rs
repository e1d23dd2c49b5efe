//! Runs 20,000 containers in one backend and watches what they cost: descriptors and memory of the
//! program and its helpers must stay flat, and nothing may be left at the end.
//!
//! ```console
//! $ cargo bench --bench soak            # 20,000 containers
//! $ cargo bench --bench soak -- 100000
//! ```
//!
//! Every tenth job writes files, every hundredth opens connections, so that containers are made
//! anew in each of the ways there are.

// A benchmark fails by panicking.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used)]
// Helpers are shared by several binaries.
#![allow(unreachable_pub)]

#[path = "../tests/support/mod.rs"]
mod support;

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use maelstrom_engine::local::LocalBackend;
use maelstrom_model::backend::{Backend, BackendEvent, JobId, JobPriority};
use maelstrom_model::job::{ExitStatus, Job, JobOutcome, OutputPipes, PlacementConstraint};
use support::{EXECUTABLE, script};

fn main() {
    let count: u64 = std::env::args()
        .skip(1)
        .find_map(|word| word.parse().ok())
        .unwrap_or(20_000);
    let slots = std::thread::available_parallelism().map_or(1, |count| count.get() as u32);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    runtime.block_on(soak(count, slots));
}

async fn soak(count: u64, slots: u32) {
    let mut backend =
        LocalBackend::start(Path::new(EXECUTABLE), slots).expect("containers are allowed");
    let container = Arc::new(support::spec(Path::new("/usr/share")));
    let trivial = Arc::new(script("exit 0"));
    let writing = Arc::new(script(
        "echo x > /tmp/x; mkdir -p deep/er; echo y > deep/er/y",
    ));
    let talking = Arc::new(support::program(
        "bash",
        &["-c", "exec 3<>/dev/udp/127.0.0.1/9; echo x >&3"],
    ));
    let started = Instant::now();
    let mut submitted = 0;
    let mut first = None;
    for finished in 1..=count {
        while submitted < count && submitted < finished + 2 * u64::from(slots) {
            let process = match submitted {
                n if n % 100 == 99 => &talking,
                n if n % 10 == 9 => &writing,
                _ => &trivial,
            };
            let job = Job {
                output: OutputPipes::Separate,
                placement: PlacementConstraint::Here,
                container: Arc::clone(&container),
                process: Arc::clone(process),
                resident: None,
                timeout: None,
                grace: None,
                needs: Default::default(),
                additions: Default::default(),
            };
            backend.submit(JobId(submitted), job, JobPriority::default());
            submitted += 1;
        }
        let result = loop {
            match backend.next().await {
                BackendEvent::Finished { result, .. } => break result,
                BackendEvent::Lost(lost) => panic!("{lost:?}"),
                _ => {}
            }
        };
        assert_eq!(
            result.end,
            JobOutcome::Exited(ExitStatus::Code(0)),
            "{result:?}"
        );
        if finished % (count / 10).max(1) == 0 {
            let cost = Cost::now();
            println!("{finished:>8} containers  {cost:?}");
            let first = *first.get_or_insert(cost);
            assert!(
                cost.descriptors <= first.descriptors + 16,
                "descriptors grow"
            );
            assert!(cost.memory_kib <= first.memory_kib + 2048, "memory grows");
            assert!(
                cost.processes <= first.processes + u64::from(slots) * 4,
                "processes pile up"
            );
        }
    }
    let wall = started.elapsed();
    backend.close().await;
    println!(
        "{count} containers in {wall:.1?}, {:.0?} each with {slots} slots",
        wall / count as u32
    );
    assert_eq!(Cost::now().processes, 0, "helpers are left");
}

/// What this program and its helpers hold.
#[derive(Clone, Copy, Debug)]
struct Cost {
    descriptors: u64,
    memory_kib: u64,
    /// Processes that descend from this one.
    processes: u64,
}

impl Cost {
    fn now() -> Cost {
        let memory = |pid: u32| -> u64 {
            let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
            let rss = status
                .lines()
                .find_map(|line| line.strip_prefix("VmRSS:"))
                .unwrap_or("0 kB");
            rss.trim().trim_end_matches(" kB").parse().unwrap_or(0)
        };
        let helpers = descendants(std::process::id());
        Cost {
            descriptors: fs::read_dir("/proc/self/fd").map_or(0, |entries| entries.count() as u64),
            memory_kib: memory(std::process::id()),
            processes: helpers.len() as u64,
        }
    }
}

fn descendants(pid: u32) -> Vec<u32> {
    let path = format!("/proc/{pid}/task/{pid}/children");
    let children = fs::read_to_string(path).unwrap_or_default();
    let children: Vec<u32> = children
        .split_whitespace()
        .filter_map(|pid| pid.parse().ok())
        .collect();
    children
        .iter()
        .flat_map(|&child| [vec![child], descendants(child)].concat())
        .collect()
}
