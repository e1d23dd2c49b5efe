//! Tests splits of directories with mounts below them, as data.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;
use crate::plan::plan_on_host;
use crate::spec::{NetworkMode, PrivilegeLevel, RootKind};
use crate::step::ContainerStep;

/// A simulated host with its files and mounts.
#[derive(Debug)]
struct Host {
    entries: BTreeMap<PathBuf, HostEntryKind>,
    mounts: Vec<HostMount>,
}

impl Host {
    /// Creates a host. Entries that end with `/` are directories.
    fn new(entries: &[&str], mounts: &[(&str, &str)]) -> Host {
        let entry = |path: &&str| match path.strip_suffix('/') {
            Some(directory) => (directory.into(), HostEntryKind::Directory),
            None => (path.into(), HostEntryKind::File(1)),
        };
        Host {
            entries: entries.iter().map(entry).collect(),
            mounts: mounts
                .iter()
                .map(|(point, kind)| HostMount {
                    mount_point: point.into(),
                    kind: (*kind).to_owned(),
                })
                .collect(),
        }
    }

    fn divide(&self, mounts: &[(&str, MountKind)]) -> (ContainerSpec, OverlaySplits) {
        let mounts = mounts.iter().map(|(point, kind)| Mount {
            mount_point: point.into(),
            kind: kind.clone(),
        });
        let spec = ContainerSpec {
            root: RootKind::Skeleton(Vec::new()),
            mounts: mounts.collect(),
            network: NetworkMode::Loopback,
            hostname: "box".into(),
            user: 1000,
            group: 1000,
            privileges: PrivilegeLevel::Ordinary,
            services: Vec::new(),
            devices: Vec::new(),
        };
        let list = |directory: &Path| {
            let entries = self.entries.iter();
            let inside = entries.filter(|(path, _)| path.parent() == Some(directory));
            let named = inside.map(|(path, entry)| (path.file_name().unwrap().into(), *entry));
            Ok(named.collect())
        };
        let divisions = OverlaySplits::find(&spec, &self.mounts, &list);
        (spec, divisions)
    }

    /// Formats the mounts that result.
    fn shown(&self, mounts: &[(&str, MountKind)]) -> String {
        let (spec, divisions) = self.divide(mounts);
        let plan = plan_on_host(&spec, &divisions, &BTreeSet::new()).unwrap();
        let steps = plan.template.iter().chain(&plan.scratch_mounts);
        let wanted = steps.filter(|step| {
            matches!(
                step,
                ContainerStep::StashLevel { .. }
                    | ContainerStep::StashHost { .. }
                    | ContainerStep::BindStash { .. }
                    | ContainerStep::MountOverlay { .. }
            )
        });
        wanted.map(|step| format!("{step}\n")).collect()
    }
}

fn overlay(source: &str) -> MountKind {
    MountKind::Overlay {
        source: source.into(),
    }
}

#[test]
fn a_directory_is_composed_around_what_is_mounted_below_it() {
    let host = Host::new(
        &[
            "/w/Cargo.toml",
            "/w/src/",
            "/w/target/",
            "/w/data/",
            "/w/data/README",
            "/w/data/old/",
            "/w/data/disk/",
            "/w/root/",
            "/w/root/proc/",
            "/w/root/etc/",
            "/w/.env",
        ],
        &[
            ("/", "ext4"),
            ("/w/target", "ext4"),
            ("/w/data/disk", "tmpfs"),
            ("/w/root/proc", "proc"),
            ("/w/.env", "ext4"),
            ("/woods", "ext4"),
        ],
    );
    insta::assert_snapshot!(host.shown(&[("/w", overlay("/w"))]));
}

#[test]
fn without_mounts_below_nothing_is_divided() {
    let host = Host::new(
        &["/w/file"],
        &[("/", "ext4"), ("/w", "ext4"), ("/woods", "ext4")],
    );
    let (_, divisions) = host.divide(&[("/w", overlay("/w"))]);
    assert_eq!(divisions, OverlaySplits::default());
}

/// Mounts of the container take precedence over mounts of the host.
#[test]
fn a_mount_of_the_containers_own_wins() {
    let host = Host::new(&["/w/disk/", "/w/disk/inner/"], &[("/w/disk", "ext4")]);
    let shown = host.shown(&[
        ("/w", overlay("/w")),
        ("/w/disk", MountKind::Scratch { mode: 0o755 }),
    ]);
    insta::assert_snapshot!(shown, @r"
    copy /w of the host to stash:0, where something is mounted below: disk/
    mount an overlay of /w (stash:0 under stash:scratch/0-upper) on /w
    mount an empty directory (stash:scratch/1) on /w/disk
    ");
}

#[test]
fn what_is_too_much_to_copy_or_to_mount_is_shown_read_only() {
    let mut host = Host::new(&["/w/disk/", "/w/many/", "/w/many/disk/"], &[]);
    let large = HostEntryKind::File(COPY_BYTES_MAX + 1);
    host.entries.insert("/w/large".into(), large);
    host.entries.insert("/w/null".into(), HostEntryKind::Device);
    host.entries
        .insert("/w/device".into(), HostEntryKind::Device);
    host.entries
        .insert("/w/socket".into(), HostEntryKind::Other);
    for point in ["/w/disk", "/w/null", "/w/many/disk"] {
        host.mounts.push(HostMount {
            mount_point: point.into(),
            kind: "ext4".to_owned(),
        });
    }
    for number in 0..MOUNTS_MAX {
        let path = format!("/w/many/{number}").into();
        host.entries.insert(path, HostEntryKind::Directory);
    }
    insta::assert_snapshot!(host.shown(&[("/w", overlay("/w"))]), @"
    copy /w of the host to stash:0, where something is mounted below: disk/ many/ large null
    bind /w/disk of the host read-only on stash:1
    bind /w/large of the host read-only on stash:2
    bind /w/many of the host read-only on stash:3
    bind /w/null of the host read-only on stash:4
    mount an overlay of /w (stash:0 under stash:scratch/0-upper) on /w
    mount an overlay of /w/disk (stash:1 under stash:scratch/1-upper) on /w/disk
    bind stash:2 on /w/large
    bind stash:3 on /w/many
    bind stash:4 on /w/null
    ");
    // The directory as a whole exceeds the limits.
    let many = host.shown(&[("/m", overlay("/w/many"))]);
    assert_eq!(many, "");
    let (spec, divisions) = host.divide(&[("/m", overlay("/w/many"))]);
    let plan = plan_on_host(&spec, &divisions, &BTreeSet::new()).unwrap();
    let bound = "bind /w/many of the host read-only on /m";
    assert!(plan.template.iter().any(|step| step.to_string() == bound));
}

#[test]
fn copies_are_limited_in_all() {
    let mut host = Host::new(&["/w/disk/"], &[("/w/disk", "ext4")]);
    let files = COPIES_BYTES_MAX / COPY_BYTES_MAX + 3;
    for number in 0..files {
        let path = format!("/w/{number}").into();
        host.entries
            .insert(path, HostEntryKind::File(COPY_BYTES_MAX));
    }
    let shown = host.shown(&[("/w", overlay("/w"))]);
    let bound = shown.lines().filter(|line| line.starts_with("bind stash"));
    assert_eq!(bound.count(), 3, "{shown}");
}

#[test]
fn what_a_directory_that_is_not_split_would_have_taken_is_there_for_others() {
    let mut host = Host::new(&["/w/a/", "/w/a/disk/"], &[("/w/a/disk", "ext4")]);
    for number in 0..COPIES_BYTES_MAX / COPY_BYTES_MAX {
        let file = HostEntryKind::File(COPY_BYTES_MAX);
        host.entries.insert(format!("/w/a/{number}").into(), file);
    }
    for number in 0..MOUNTS_MAX {
        let path = format!("/w/a/many{number}").into();
        host.entries.insert(path, HostEntryKind::Directory);
    }
    let file = HostEntryKind::File(COPY_BYTES_MAX);
    host.entries.insert("/w/file".into(), file);
    let shown = host.shown(&[("/w", overlay("/w"))]);
    assert!(shown.contains("bind /w/a of the host read-only"), "{shown}");
    assert!(!shown.contains("/w/file of the host"), "{shown}");
}

/// Generates a tree of directories, each with a file, and mounts on some of them.
fn any_host() -> impl Strategy<Value = Host> {
    let name = prop::sample::select(vec!["a", "b", "c"]);
    let below = prop::collection::vec(name, 0..4).prop_map(|names| names.join("/"));
    let mounted = (below.clone(), prop::sample::select(vec!["ext4", "proc"]));
    let directories = prop::collection::vec(below, 1..12);
    let mounted = prop::collection::vec(mounted, 0..6);
    (directories, mounted).prop_map(|(directories, mounted)| {
        let mut host = Host::new(&[], &[]);
        for below in directories
            .iter()
            .chain(mounted.iter().map(|(below, _)| below))
        {
            let directory = Path::new("/w").join(below);
            for directory in directory.ancestors().filter(|path| path.starts_with("/w")) {
                host.entries
                    .insert(directory.to_owned(), HostEntryKind::Directory);
                host.entries
                    .insert(directory.join("file"), HostEntryKind::File(1));
            }
        }
        for (below, kind) in mounted {
            // Removes the trailing slash that joining an empty path adds.
            let mount_point = Path::new("/w").join(below).components().collect();
            let kind = kind.to_owned();
            host.mounts.push(HostMount { mount_point, kind });
        }
        host
    })
}

proptest! {
    /// Every directory planned as an overlay has no mounts below it, and everything visible on the
    /// host is in one of them.
    #[test]
    fn nothing_is_missing_and_no_overlay_has_a_mount_below_it(host in any_host()) {
        let (spec, divisions) = host.divide(&[("/at", overlay("/w"))]);
        let placed = divisions.place(&spec.mounts);
        for PlannedMount { mount, level } in &placed {
            prop_assert!(is_overlay(mount));
            let source = mount.kind.source().unwrap();
            let below = mountinfo::all_below(&host.mounts, source);
            prop_assert!(level.is_some() || below.is_empty(), "{source:?}");
        }
        let hidden = |path: &Path| {
            let of_kernel = |mount: &&HostMount| !mount.has_files() && mount.mount_point != Path::new("/w");
            let mut of_kernel = host.mounts.iter().filter(of_kernel);
            of_kernel.any(|mount| path != mount.mount_point && path.starts_with(&mount.mount_point))
        };
        for path in host.entries.keys().filter(|path| *path != Path::new("/w") && !hidden(path)) {
            let around = placed.iter().filter(|placed| {
                path.starts_with(placed.mount.kind.source().unwrap())
            });
            let inner = around.max_by_key(|placed| placed.mount.mount_point.components().count());
            let PlannedMount { mount, level } = inner.unwrap();
            let source = mount.kind.source().unwrap();
            let is_shown = match level {
                None => true,
                Some(_) if path == source => true,
                Some(level) => {
                    let name = path.file_name().unwrap().to_owned();
                    let named = level.copies.contains(&name) || level.directories.contains(&name);
                    named && path.parent() == Some(source)
                }
            };
            prop_assert!(is_shown, "{path:?} in {placed:?}");
        }
    }
}
