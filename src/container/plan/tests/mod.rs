//! Tests plans as data, without privileges.

mod laws;

use std::path::PathBuf;

use super::*;
use crate::spec::{
    BindAccess, DeviceKind, Mount, PrivilegeLevel, SkeletonEntry, SkeletonKind, WhenForbidden,
};

fn spec(root: RootKind, mounts: Vec<(&str, MountKind)>) -> ContainerSpec {
    ContainerSpec {
        root,
        mounts: mounts
            .into_iter()
            .map(|(point, kind)| Mount {
                mount_point: point.into(),
                kind,
            })
            .collect(),
        network: NetworkMode::Loopback,
        hostname: "box".into(),
        user: 1000,
        group: 1000,
        privileges: PrivilegeLevel::Ordinary,
        services: Vec::new(),
        devices: Vec::new(),
    }
}

fn directory(path: &str) -> SkeletonEntry {
    SkeletonEntry {
        path: path.into(),
        kind: SkeletonKind::Directory,
    }
}

#[test]
fn the_default_shape_of_a_test_container() {
    let root = RootKind::Skeleton(vec![
        directory("/usr"),
        directory("/tmp"),
        directory("/home/me"),
        directory("/proc"),
        SkeletonEntry {
            path: "/etc/hosts".into(),
            kind: SkeletonKind::File(b"127.0.0.1 localhost\n".to_vec()),
        },
        SkeletonEntry {
            path: "/bin".into(),
            kind: SkeletonKind::Symlink("usr/bin".into()),
        },
        SkeletonEntry {
            path: "/dev/null".into(),
            kind: SkeletonKind::File(Vec::new()),
        },
    ]);
    let read_only = |source: &str| MountKind::Bind {
        source: source.into(),
        access: BindAccess::ReadOnly,
    };
    let plan = plan(&spec(
        root,
        vec![
            ("/usr", read_only("/usr")),
            ("/proc", MountKind::Proc),
            ("/dev/null", MountKind::Device(DeviceKind::Null)),
            ("/tmp", MountKind::Scratch { mode: 0o1777 }),
            ("/home/me", MountKind::Scratch { mode: 0o755 }),
            ("/home/me/.cargo/bin", read_only("/home/me/.cargo/bin")),
            (
                "/home/me/src",
                MountKind::Overlay {
                    source: "/home/me/src".into(),
                },
            ),
            ("/home/me/src/target/maelstrom", MountKind::Mask),
        ],
    ))
    .unwrap();
    insta::assert_snapshot!(shown(&plan));
}

#[test]
fn a_root_of_layers() {
    let root = RootKind::Layers {
        trees: vec!["/cache/a".into(), "/cache/b".into()],
        access: RootAccess::Ephemeral,
    };
    let plan = plan(&spec(root, vec![("/tmp", MountKind::Tmp)])).unwrap();
    insta::assert_snapshot!(shown(&plan));
    assert!(plan.root_is_ephemeral);
}

#[test]
fn a_layer_that_stands_twice_counts_where_it_stands_above() {
    let planned = |trees: &[&str]| {
        let root = RootKind::Layers {
            trees: trees.iter().map(PathBuf::from).collect(),
            access: RootAccess::ReadOnly,
        };
        shown(&plan(&spec(root, vec![])).unwrap())
    };
    assert_eq!(
        planned(&["/a", "/b", "/a", "/c", "/b"]),
        planned(&["/a", "/c", "/b"])
    );
    assert_eq!(planned(&["/a", "/a"]), planned(&["/a"]));
    assert_ne!(planned(&["/a", "/b"]), planned(&["/b", "/a"]));
}

/// A mount in the specification of jobs is discarded like one of the default container, and nothing
/// of the host's `/dev/shm` is visible.
#[test]
fn whatever_is_written_to_belongs_to_the_scratch_stage() {
    let mounts = vec![
        ("/srv", MountKind::Tmp),
        ("/srv/in/tmp", MountKind::Tmp),
        ("/srv/in/tmp/null", MountKind::Device(DeviceKind::Null)),
        ("/dev/shm", MountKind::Device(DeviceKind::Shm)),
    ];
    let root = RootKind::Skeleton(vec![directory("/srv"), directory("/dev/shm")]);
    insta::assert_snapshot!(shown(&plan(&spec(root, mounts)).unwrap()));
}

/// The root of user 0 is writable. Mounts on it are not part of it.
#[test]
fn the_root_of_user_0_is_watched_where_nothing_is_mounted() {
    let root = RootKind::Skeleton(vec![
        directory("/usr"),
        directory("/var/log"),
        SkeletonEntry {
            path: "/etc/hosts".into(),
            kind: SkeletonKind::File(Vec::new()),
        },
        directory("/home/me/deep"),
    ]);
    let mounts = vec![
        ("/usr", MountKind::Scratch { mode: 0o755 }),
        ("/home/me", MountKind::Tmp),
    ];
    let as_user = |user| {
        let spec = ContainerSpec {
            user,
            ..spec(root.clone(), mounts.clone())
        };
        plan(&spec).unwrap()
    };
    let watched = as_user(0).root_watched.unwrap();
    let watched: Vec<_> = watched.iter().map(|path| path.to_str().unwrap()).collect();
    assert_eq!(watched, [".", "etc", "etc/hosts", "home", "var", "var/log"]);
    let sealed = |plan: &ContainerPlan| plan.template.contains(&ContainerStep::SealRoot);
    assert!(!sealed(&as_user(0)));
    assert!(sealed(&as_user(1000)) && as_user(1000).root_watched.is_none());
}

#[test]
fn what_cannot_be_planned_is_told() {
    let skeleton = || RootKind::Skeleton(Vec::new());
    let tmp = MountKind::Tmp;
    let error = |spec| plan(&spec).unwrap_err().to_string();
    assert_eq!(
        error(spec(skeleton(), vec![("/", tmp.clone())])),
        "nothing can be mounted on \"/\": the root is what the layers make it"
    );
    assert_eq!(
        error(spec(skeleton(), vec![("/a/../b", tmp.clone())])),
        "the path \"/a/../b\" must be absolute and without \".\" or \"..\""
    );
    assert_eq!(
        error(spec(skeleton(), vec![("tmp", tmp.clone())])),
        "the path \"tmp\" must be absolute and without \".\" or \"..\""
    );
    assert_eq!(
        error(spec(skeleton(), vec![("/a\0b", tmp)])),
        "the path \"/a\\0b\" contains a NUL byte"
    );
    let none = RootKind::Layers {
        trees: Vec::new(),
        access: RootAccess::ReadOnly,
    };
    assert_eq!(
        error(spec(none, vec![])),
        "a container needs at least one layer"
    );
    let sys = MountKind::Sys {
        when_forbidden: WhenForbidden::Fail,
    };
    let mut local = spec(skeleton(), vec![("/sys", sys)]);
    local.network = NetworkMode::Local;
    assert!(error(local).starts_with("a \"sys\" mount needs"));
}

/// Formats a plan for a snapshot.
fn shown(plan: &ContainerPlan) -> String {
    let lines = |steps: &[ContainerStep]| {
        steps
            .iter()
            .map(|step| format!("  {step}\n"))
            .collect::<String>()
    };
    format!(
        "template:\n{}scratch:\n{}scratch mounts:\n{}scratch file system: {:?}\ndirectories: {:?}\n\
         shown: {:?}\n",
        lines(&plan.template),
        lines(&plan.scratch),
        lines(&plan.scratch_mounts),
        plan.scratch_file_system,
        plan.scratch_directories,
        plan.shown,
    )
}

#[test]
fn devices_are_bound_on_files_that_every_root_has() {
    let devices = BTreeSet::from([PathBuf::from("/dev/dri/card0")]);
    let planned = |root: RootKind| {
        let spec = spec(root, Vec::new());
        let plan = plan_on_host(&spec, &OverlaySplits::default(), &devices).unwrap();
        let steps = plan.template.iter().map(ToString::to_string);
        let of_devices = steps.filter(|step| step.contains("/dev"));
        of_devices.collect::<Vec<_>>()
    };
    let bound = "bind /dev/dri/card0 of the host read-only on /dev/dri/card0";
    assert_eq!(
        planned(RootKind::Skeleton(vec![directory("/tmp")])),
        [
            "make directory /dev with mode 0755",
            "make directory /dev/dri with mode 0755",
            "write /dev/dri/card0 (0 bytes)",
            bound,
        ]
    );
    let layers = RootKind::Layers {
        trees: vec!["/cache/a".into()],
        access: RootAccess::ReadOnly,
    };
    assert_eq!(
        planned(layers),
        [
            "mount a read-only root of 1 layers: /cache/a, with /dev/dri/card0",
            bound,
        ]
    );
}
