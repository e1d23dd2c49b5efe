//! What an image costs before the first job starts: fetched from a registry on this machine, and at
//! hand already. Needs what the tests of images need (see `.ci/run`).
//!
//! ```text
//! cargo bench --bench images
//! ```

// A benchmark fails by panicking.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used)]
// Helpers are shared by several binaries.
#![allow(unreachable_pub)]

#[path = "../tests/runners/images/real.rs"]
#[allow(dead_code)] // Each user of this file uses a part of it.
mod real;

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use maelstrom_engine::layer_cache::{
    ImageProgressCallback, LayerCache, LayerCacheOptions, TlsVerification,
};
use real::{Access, Layout, Registry, Wire};

const COLD: usize = 5;
const WARM: usize = 50;

/// What a warm image may cost.
const WARM_MAX: Duration = Duration::from_millis(20);

/// Files of the larger image, as many as a slim system has.
const FILES: usize = 10_000;

fn sources(project: &Path) -> LayerCacheOptions {
    LayerCacheOptions {
        project: project.to_owned(),
        cache: project.join("cache"),
        depot: project.join("depot"),
        size_target_bytes: u64::MAX,
        certificates: TlsVerification::Checked,
        library_path: Vec::new(),
    }
}

/// As a program does it: nothing is open, and the lock file is read.
fn time(project: &Path, uri: &str) -> Duration {
    let silent: ImageProgressCallback = Arc::new(|_| {});
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    let start = Instant::now();
    let materials = LayerCache::new(sources(project));
    let image = runtime.block_on(materials.image(uri, &silent));
    let taken = start.elapsed();
    assert!(!image.expect("an image").trees.is_empty());
    taken
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}

fn main() {
    let layout = Layout::new();
    let registry = Registry::start(Access::Everybody, Wire::Http);
    registry.push(&layout.uri(), "small:1", &[]);
    layout.edit(&format!(
        "mkdir -p usr/share && cd usr/share && for i in $(seq {FILES}); do echo $i > f$i; done"
    ));
    registry.push(&layout.uri(), "large:1", &[]);
    for name in ["small:1", "large:1"] {
        let uri = registry.image(name);
        let cold = (0..COLD).map(|_| {
            let project = tempfile::tempdir().expect("a directory");
            time(project.path(), &uri)
        });
        let cold = median(cold.collect());
        let project = tempfile::tempdir().expect("a directory");
        time(project.path(), &uri);
        let warm: Vec<Duration> = (0..WARM).map(|_| time(project.path(), &uri)).collect();
        let (worst, warm) = (warm.iter().max().copied().unwrap_or_default(), median(warm));
        println!("{name:8} cold {cold:9.1?}  warm {warm:9.1?} (worst {worst:.1?})");
        assert!(
            warm < WARM_MAX,
            "a warm image costs {warm:?}, more than {WARM_MAX:?}"
        );
        drop(fs::remove_dir_all(project.path()));
    }
}
