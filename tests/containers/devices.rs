//! Devices that a job has because it names them: who sees them, and who does not.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::sync::Arc;

use maelstrom_container::spec::{ContainerSpec, RootAccess, RootKind, SkeletonKind};
use maelstrom_model::job::{Job, JobOutcome};

use super::local_backend::{SUCCESS, with_backend};
use crate::support::script;

/// A device that every machine has and that the container of these tests lacks.
const DEVICE: &str = "/dev/full";

/// Names devices.
fn with(devices: &[&str]) -> impl FnOnce(Job) -> Job {
    let devices = devices.iter().map(|device| device.parse().unwrap());
    let devices = devices.collect();
    |mut job| {
        Arc::make_mut(&mut job.container).devices = devices;
        job
    }
}

/// Makes a container's skeleton a layer in this directory.
fn of_layers(container: &ContainerSpec, tree: &Path) -> ContainerSpec {
    let RootKind::Skeleton(entries) = &container.root else {
        panic!("{:?}", container.root);
    };
    for entry in entries {
        let place = tree.join(entry.path.strip_prefix("/").unwrap());
        fs::create_dir_all(place.parent().unwrap()).unwrap();
        match &entry.kind {
            SkeletonKind::Directory => fs::create_dir_all(place).unwrap(),
            SkeletonKind::File(content) => fs::write(place, content).unwrap(),
            SkeletonKind::Symlink(target) => symlink(target, place).unwrap(),
        }
    }
    let root = RootKind::Layers {
        trees: vec![tree.to_owned()],
        access: RootAccess::ReadOnly,
    };
    ContainerSpec {
        root,
        ..container.clone()
    }
}

/// One slot, so that each job could get the container of the job before it.
#[test]
fn a_job_has_the_devices_that_it_names_and_the_next_one_does_not() {
    let tree = tempfile::tempdir().unwrap();
    with_backend(1, async |mut bench| {
        let present = format!("test -c {DEVICE} && ! echo text > {DEVICE} && ! chmod 600 {DEVICE}");
        let absent = format!("! test -e {DEVICE}");
        for is_layered in [false, true] {
            if is_layered {
                bench.container = Arc::new(of_layers(&bench.container, tree.path()));
            }
            for round in 0..2 {
                for pattern in [DEVICE, "/dev/ful?", "/dev/f*l"] {
                    bench.submit_with(script(&present), None, with(&[pattern]));
                    let end = bench.finished().await.1.end;
                    assert_eq!(end, SUCCESS, "{pattern} {is_layered} {round}");
                    let end = bench.run(script(&absent), None).await.end;
                    assert_eq!(end, SUCCESS, "{pattern} {is_layered} {round}");
                }
            }
        }
        bench
    });
}

#[test]
fn a_device_that_is_not_there_is_named() {
    with_backend(1, async |mut bench| {
        for (pattern, reason) in [
            (
                "/dev/no-such-device",
                "this machine has no device /dev/no-such-device",
            ),
            (
                "/dev/no-such-*",
                "this machine has no device /dev/no-such-*",
            ),
            (
                "/dev/shm-like/x",
                "this machine has no device /dev/shm-like/x",
            ),
        ] {
            bench.submit_with(script("exit 0"), None, with(&[DEVICE, pattern]));
            match bench.finished().await.1.end {
                JobOutcome::Error(message) => assert!(message.contains(reason), "{message}"),
                other => panic!("{other:?}"),
            }
        }
        bench
    });
}
