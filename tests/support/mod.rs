//! What the tests with real containers share.
#![allow(dead_code)] // Each test binary uses its own part.

pub mod crates;
pub mod executable;
pub mod files;
pub mod go;
pub mod homes;
pub mod pytest;
pub mod traces;
pub mod watched;

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::path::Path;
use std::sync::Arc;

use maelstrom_container::spec::*;
use nix::unistd::{getegid, geteuid};

/// The program that serves as its own helper.
pub const EXECUTABLE: &str = env!("CARGO_BIN_EXE_cargo-maelstrom");

pub fn directory(path: &str) -> SkeletonEntry {
    SkeletonEntry {
        path: path.into(),
        kind: SkeletonKind::Directory,
    }
}

pub fn mount(point: &str, kind: MountKind) -> Mount {
    Mount {
        mount_point: point.into(),
        kind,
    }
}

pub fn read_only(path: &str) -> MountKind {
    MountKind::Bind {
        source: path.into(),
        access: BindAccess::ReadOnly,
    }
}

/// A container with the host's programs, `/proc`, scratch directories at `/tmp`, `/dev/shm` and
/// `/home/me`, and an overlay of `source` at `/src`.
pub fn spec(source: &Path) -> ContainerSpec {
    let mut root = Vec::new();
    let mut mounts = Vec::new();
    for path in ["/usr", "/bin", "/sbin", "/lib", "/lib64"] {
        match Path::new(path).read_link() {
            Ok(target) => root.push(SkeletonEntry {
                path: path.into(),
                kind: SkeletonKind::Symlink(target),
            }),
            Err(_) if Path::new(path).exists() => {
                root.push(directory(path));
                mounts.push(mount(path, read_only(path)));
            }
            Err(_) => {}
        }
    }
    for path in [
        "/tmp",
        "/proc",
        "/dev/shm",
        "/dev/mqueue",
        "/dev/pts",
        "/home/me",
        "/src",
    ] {
        root.push(directory(path));
    }
    for device in [DeviceKind::Null, DeviceKind::Zero, DeviceKind::Urandom] {
        let path = format!("/dev/{}", device.name());
        let kind = SkeletonKind::File(Vec::new());
        root.push(SkeletonEntry {
            path: path.clone().into(),
            kind,
        });
        mounts.push(mount(&path, MountKind::Device(device)));
    }
    mounts.extend([
        mount("/proc", MountKind::Proc),
        mount("/dev/pts", MountKind::DevPts),
        mount("/dev/mqueue", MountKind::MessageQueue),
        mount("/tmp", MountKind::Scratch { mode: 0o1777 }),
        mount("/dev/shm", MountKind::Scratch { mode: 0o1777 }),
        mount("/home/me", MountKind::Scratch { mode: 0o755 }),
        mount(
            "/src",
            MountKind::Overlay {
                source: source.into(),
            },
        ),
    ]);
    ContainerSpec {
        root: RootKind::Skeleton(root),
        mounts,
        network: NetworkMode::Loopback,
        hostname: "box".into(),
        user: geteuid().as_raw(),
        group: getegid().as_raw(),
        privileges: PrivilegeLevel::Ordinary,
        services: Vec::new(),
        devices: Vec::new(),
    }
}

/// A shell script as a program.
pub fn script(text: &str) -> ProcessSpec {
    program("sh", &["-c", text])
}

pub fn program(program: &str, arguments: &[&str]) -> ProcessSpec {
    ProcessSpec {
        program: OsStr::new(program).into(),
        arguments: arguments.iter().map(Into::into).collect(),
        environment: Arc::new(BTreeMap::from([
            ("PATH".into(), "/usr/bin:/bin".into()),
            ("HOME".into(), "/home/me".into()),
        ])),
        working_directory: Path::new("/src").into(),
    }
}
