//! Tests of the default container for projects and hosts of different shapes.

use std::path::Path;

use super::facts::{BindDirectory, EtcEntry};
use super::host_path::{HostPath, HostSymlink};
use super::*;
use maelstrom_model::error::help_of;
use maelstrom_model::job::{DeviceKind, Mount};

fn directory(path: &str) -> HostPath {
    HostPath::directory(path)
}

/// A directory whose path leads through one symbolic link.
fn linked(canonical: &str, link: &str, target: &str) -> HostPath {
    HostPath {
        links: vec![HostSymlink {
            path: link.into(),
            target: target.into(),
        }],
        ..HostPath::directory(canonical)
    }
}

fn workspace(roots: &[&str]) -> WorkspaceFacts {
    WorkspaceFacts {
        roots: roots.iter().map(|root| directory(root)).collect(),
        nested: Vec::new(),
        linked: Vec::new(),
        masked: vec![format!("{}/target/maelstrom", roots.first().unwrap()).into()],
        lent: Vec::new(),
    }
}

/// A host with a current distribution: `/usr` merged, rustup in the home directory.
fn host() -> HostFacts {
    HostFacts {
        user: 1000,
        group: 100,
        home: Some(directory("/home/u")),
        toolbox: vec![
            linked("/usr/bin", "/bin", "usr/bin"),
            linked("/usr/lib", "/lib", "usr/lib"),
            directory("/opt"),
            directory("/usr"),
            directory("/home/u/.rustup"),
            directory("/home/u/.rustup/toolchains/stable"),
            directory("/home/u/.cargo/bin"),
            directory("/usr/local/bin"),
        ],
        etc: vec![
            EtcEntry {
                path: "/etc/passwd".into(),
                content: EtcContent::File(b"u".to_vec()),
            },
            EtcEntry {
                path: "/etc/localtime".into(),
                content: EtcContent::Symlink("../usr/share/zoneinfo/UTC".into()),
            },
            EtcEntry {
                path: "/etc/ssl".into(),
                content: EtcContent::Bind(directory("/etc/ssl")),
            },
        ],
        etc_least: vec![EtcEntry {
            path: "/etc/passwd".into(),
            content: EtcContent::File(b"least".to_vec()),
        }],
        devices: DEVICES.to_vec(),
        caches: Vec::new(),
        installed: Vec::new(),
    }
}

fn made(workspace: &WorkspaceFacts, host: &HostFacts, toolbox: Toolbox) -> ContainerSpec {
    container(workspace, host, toolbox, &SharedLibraries::default()).unwrap()
}

fn mount_line(mount: &Mount) -> String {
    let place = mount.mount_point.display();
    match &mount.kind {
        MountKind::Bind { source, access } if *source == mount.mount_point => {
            format!("{place} bind {access:?}")
        }
        MountKind::Bind { source, access } => {
            format!("{place} bind {access:?} of {}", source.display())
        }
        MountKind::Overlay { source } if *source == mount.mount_point => {
            format!("{place} overlay")
        }
        MountKind::Overlay { source } => format!("{place} overlay of {}", source.display()),
        MountKind::Scratch { mode } => format!("{place} scratch {mode:o}"),
        other => format!("{place} {other:?}"),
    }
}

fn mounts(spec: &ContainerSpec) -> Vec<String> {
    spec.mounts.iter().map(mount_line).collect()
}

/// Returns the mounts that are not the system's own.
fn project_mounts(spec: &ContainerSpec) -> String {
    let own = [
        "/dev",
        "/proc",
        "/sys",
        "/tmp ",
        "/var/tmp ",
        "/etc",
        "/usr ",
        "/opt ",
    ];
    let lines = mounts(spec);
    let lines = lines
        .iter()
        .filter(|line| !own.iter().any(|prefix| line.starts_with(prefix)));
    lines.cloned().collect::<Vec<_>>().join("\n")
}

fn entries(spec: &ContainerSpec) -> Vec<String> {
    let RootKind::Skeleton(entries) = &spec.root else {
        panic!("no skeleton");
    };
    let line = |entry: &maelstrom_model::job::SkeletonEntry| {
        let place = entry.path.display();
        match &entry.kind {
            SkeletonKind::Directory => format!("{place}/"),
            SkeletonKind::File(bytes) => format!("{place} {:?}", String::from_utf8_lossy(bytes)),
            SkeletonKind::Symlink(target) => format!("{place} -> {}", target.display()),
        }
    };
    entries.iter().map(line).collect()
}

#[test]
fn a_usual_project_on_a_usual_host() {
    let spec = made(&workspace(&["/home/u/p"]), &host(), Toolbox::Present);
    insta::assert_snapshot!(mounts(&spec).join("\n"), @"
    /opt bind ReadOnly
    /proc Proc
    /sys Sys { when_forbidden: LeaveEmpty }
    /tmp scratch 1777
    /usr bind ReadOnly
    /dev/full Device(Full)
    /dev/mqueue MessageQueue
    /dev/null Device(Null)
    /dev/pts DevPts
    /dev/random Device(Random)
    /dev/shm scratch 1777
    /dev/tty Device(Tty)
    /dev/urandom Device(Urandom)
    /dev/zero Device(Zero)
    /etc/ssl bind ReadOnly
    /home/u scratch 755
    /var/tmp scratch 1777
    /home/u/.rustup bind ReadOnly
    /home/u/p overlay
    /home/u/.cargo/bin bind ReadOnly
    /home/u/p/target/maelstrom Mask
    ");
    insta::assert_snapshot!(entries(&spec).join("\n"), @r#"
    /bin -> usr/bin
    /dev/fd -> /proc/self/fd
    /dev/full ""
    /dev/mqueue/
    /dev/null ""
    /dev/ptmx -> pts/ptmx
    /dev/pts/
    /dev/random ""
    /dev/shm/
    /dev/stderr -> /proc/self/fd/2
    /dev/stdin -> /proc/self/fd/0
    /dev/stdout -> /proc/self/fd/1
    /dev/tty ""
    /dev/urandom ""
    /dev/zero ""
    /etc/localtime -> ../usr/share/zoneinfo/UTC
    /etc/mtab -> /proc/self/mounts
    /etc/passwd "u"
    /etc/ssl/
    /home/u/
    /lib -> usr/lib
    /mnt/
    /opt/
    /proc/
    /run/
    /srv/
    /sys/
    /tmp/
    /usr/
    /var/cache/
    /var/lib/
    /var/log/
    /var/run -> /run
    /var/tmp/
    "#);
    assert_eq!((spec.user, spec.group), (1000, 100));
    assert_eq!(spec.network, NetworkMode::Loopback);
    assert_eq!(spec.privileges, PrivilegeLevel::Ordinary);
}

#[test]
fn without_the_toolbox_there_are_the_libraries_alone() {
    let libraries = SharedLibraries {
        files: vec![HostPath {
            kind: FileKind::File,
            ..linked("/usr/lib/libc.so.6", "/lib", "usr/lib")
        }],
    };
    let workspace = workspace(&["/home/u/p"]);
    let spec = container(&workspace, &host(), Toolbox::Absent, &libraries).unwrap();
    insta::assert_snapshot!(project_mounts(&spec), @"
    /home/u scratch 755
    /home/u/p overlay
    /usr/lib/libc.so.6 bind ReadOnly
    /home/u/p/target/maelstrom Mask
    ");
    let entries = entries(&spec);
    for entry in [
        "/etc/passwd \"least\"",
        "/lib -> usr/lib",
        "/usr/lib/libc.so.6 \"\"",
    ] {
        assert!(
            entries.iter().any(|line| line == entry),
            "{entry}: {entries:?}"
        );
    }
    assert!(!entries.iter().any(|line| line.starts_with("/bin")));
}

#[test]
fn a_project_in_a_temporary_directory_keeps_its_place() {
    let spec = made(&workspace(&["/tmp/p"]), &host(), Toolbox::Present);
    let lines = mounts(&spec);
    let at = |line: &str| lines.iter().position(|other| other == line).unwrap();
    assert!(at("/tmp scratch 1777") < at("/tmp/p overlay"));
    assert!(at("/tmp/p overlay") < at("/tmp/p/target/maelstrom Mask"));
    let entries = entries(&spec);
    assert!(
        !entries.iter().any(|line| line.starts_with("/tmp/p")),
        "{entries:?}"
    );
}

#[test]
fn a_project_below_the_toolbox_is_writable_above() {
    let spec = made(&workspace(&["/usr/src/app"]), &host(), Toolbox::Present);
    insta::assert_snapshot!(project_mounts(&spec), @"
    /home/u scratch 755
    /home/u/.rustup bind ReadOnly
    /usr/src/app overlay
    /home/u/.cargo/bin bind ReadOnly
    /usr/src/app/target/maelstrom Mask
    ");
}

#[test]
fn a_project_that_is_the_home_directory_wins_it() {
    let spec = made(&workspace(&["/home/u"]), &host(), Toolbox::Present);
    insta::assert_snapshot!(project_mounts(&spec), @"
    /home/u overlay
    /home/u/target/maelstrom Mask
    ");
}

#[test]
fn directories_elsewhere_have_overlays_of_their_own_and_inner_ones_none() {
    let mut workspace = workspace(&["/home/u/p", "/home/u", "/home/u/p/member", "/data/target"]);
    workspace.roots.remove(1);
    workspace
        .roots
        .push(linked("/data/other", "/home/u/p/out", "/data/other"));
    workspace.nested = vec![
        directory("/home/u/p/disk"),
        HostPath {
            kind: FileKind::File,
            ..directory("/home/u/p/file")
        },
    ];
    let spec = made(&workspace, &host(), Toolbox::Present);
    insta::assert_snapshot!(project_mounts(&spec), @"
    /data/other overlay
    /data/target overlay
    /home/u scratch 755
    /home/u/.rustup bind ReadOnly
    /home/u/p overlay
    /home/u/.cargo/bin bind ReadOnly
    /home/u/p/disk overlay
    /home/u/p/target/maelstrom Mask
    ");
}

#[test]
fn what_is_found_through_links_is_found_under_both_names() {
    let mut host = host();
    // /home -> var/home as on some distributions, and ~/.cargo on another disk.
    host.home = Some(linked("/var/home/u", "/home", "var/home"));
    host.toolbox = vec![
        linked("/data/cargo", "/var/home/u/.cargo", "/data/cargo"),
        directory("/usr"),
    ];
    let spec = made(&workspace(&["/var/home/u/p"]), &host, Toolbox::Present);
    insta::assert_snapshot!(project_mounts(&spec), @"
    /data/cargo bind ReadOnly
    /var/home/u scratch 755
    /var/home/u/.cargo bind ReadOnly of /data/cargo
    /var/home/u/p overlay
    /var/home/u/p/target/maelstrom Mask
    ");
    let entries = entries(&spec);
    assert!(
        entries.iter().any(|line| line == "/home -> var/home"),
        "{entries:?}"
    );
}

#[test]
fn what_was_built_elsewhere_is_lent_and_caches_are_writable_above() {
    let mut host = host();
    host.caches = vec![directory("/home/u/.cache/go-build")];
    let mut workspace = workspace(&["/home/u/p"]);
    workspace.lent = vec![BindDirectory {
        place: "/run/built".into(),
        source: "/home/u/p/own/built".into(),
    }];
    let lines = mounts(&made(&workspace, &host, Toolbox::Present));
    for line in [
        "/run/built bind ReadOnly of /home/u/p/own/built",
        "/home/u/.cache/go-build overlay",
    ] {
        assert!(lines.iter().any(|known| known == line), "{lines:?}");
    }
    let spec = made(&workspace, &host, Toolbox::Absent);
    assert!(!mounts(&spec).iter().any(|line| line.contains("go-build")));
}

#[test]
fn what_root_installs_in_is_writable_above() {
    let mut host = host();
    host.installed = vec![directory("/usr/local")];
    let lines = mounts(&made(&workspace(&["/home/u/p"]), &host, Toolbox::Present));
    assert!(
        lines.contains(&"/usr/local overlay".to_owned()),
        "{lines:?}"
    );
    assert!(!lines.iter().any(|line| line.starts_with("/usr/local/bin")));
    let spec = made(&workspace(&["/home/u/p"]), &host, Toolbox::Absent);
    assert!(!mounts(&spec).iter().any(|line| line.contains("/usr/local")));
}

#[test]
fn a_host_without_something_lends_nothing() {
    let host = HostFacts {
        devices: vec![DeviceKind::Null],
        ..HostFacts::default()
    };
    let spec = made(&workspace(&["/p"]), &host, Toolbox::Present);
    let devices: Vec<_> = mounts(&spec)
        .into_iter()
        .filter(|line| line.contains("Device"))
        .collect();
    assert_eq!(devices, ["/dev/null Device(Null)"]);
    insta::assert_snapshot!(project_mounts(&spec), @"
    /p overlay
    /p/target/maelstrom Mask
    ");
}

#[test]
fn places_that_a_container_needs_for_itself_are_refused() {
    for place in ["/", "/proc", "/dev", "/sys"] {
        let result = container(
            &workspace(&[place]),
            &host(),
            Toolbox::Present,
            &SharedLibraries::default(),
        );
        let error = result.unwrap_err();
        assert_eq!(error, ContainerError::Place { path: place.into() });
        assert!(help_of(&error).is_some());
    }
}

/// Checks the invariant of [`MountPlanner`]: every mount point exists when its mount is made.
#[test]
fn every_mount_has_its_mount_point() {
    for roots in [
        &["/home/u/p"][..],
        &["/tmp/p", "/srv/deep/down"],
        &["/home/u", "/var/tmp/x"],
    ] {
        let spec = made(&workspace(roots), &host(), Toolbox::Present);
        let RootKind::Skeleton(entries) = &spec.root else {
            panic!("no skeleton");
        };
        let mut before: Vec<&Path> = Vec::new();
        for mount in &spec.mounts {
            let point = mount.mount_point.as_path();
            let in_root = !before.iter().any(|earlier| point.starts_with(earlier));
            let has_entry = entries.iter().any(|entry| entry.path == point);
            assert_eq!(in_root, has_entry, "{}", point.display());
            before.push(point);
        }
    }
}
