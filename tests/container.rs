//! Real containers, made by the real spawner.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs::File;
use std::io::Read;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

use maelstrom::container::message::{self, ProcessImage, SlotFate, SlotOrder, SlotReply};
use maelstrom::container::plan::plan;
use maelstrom::container::spawner::Spawner;
use maelstrom::container::spec::*;
use nix::unistd::{getegid, geteuid, pipe2};

const EXECUTABLE: &str = env!("CARGO_BIN_EXE_cargo-maelstrom");

fn bind(path: &str) -> Mount {
    Mount {
        mount_point: path.into(),
        kind: MountKind::Bind {
            source: path.into(),
            access: BindAccess::ReadOnly,
        },
    }
}

fn directory(path: &str) -> SkeletonEntry {
    SkeletonEntry {
        path: path.into(),
        kind: SkeletonKind::Directory,
    }
}

/// A container with the host's programs, `/proc`, and scratch directories.
fn spec() -> ContainerSpec {
    let mut root = Vec::new();
    let mut mounts = Vec::new();
    for path in ["/usr", "/bin", "/sbin", "/lib", "/lib64"] {
        let path_buf = Path::new(path);
        match path_buf.read_link() {
            Ok(target) => root.push(SkeletonEntry {
                path: path.into(),
                kind: SkeletonKind::Symlink(target),
            }),
            Err(_) if path_buf.exists() => {
                root.push(directory(path));
                mounts.push(bind(path));
            }
            Err(_) => {}
        }
    }
    for path in [
        "/tmp",
        "/proc",
        "/dev/shm",
        "/dev/mqueue",
        "/sys",
        "/home/me",
    ] {
        root.push(directory(path));
    }
    for device in [Device::Null, Device::Zero, Device::Urandom] {
        let path = format!("/dev/{}", device.name());
        root.push(SkeletonEntry {
            path: path.clone().into(),
            kind: SkeletonKind::File(Vec::new()),
        });
        mounts.push(Mount {
            mount_point: path.into(),
            kind: MountKind::Device(device),
        });
    }
    let mut add = |point: &str, kind| {
        mounts.push(Mount {
            mount_point: point.into(),
            kind,
        })
    };
    add("/proc", MountKind::Proc);
    add(
        "/sys",
        MountKind::Sys {
            when_forbidden: WhenForbidden::LeaveEmpty,
        },
    );
    add("/dev/mqueue", MountKind::MessageQueue);
    add("/tmp", MountKind::Scratch { mode: 0o1777 });
    add("/dev/shm", MountKind::Scratch { mode: 0o1777 });
    add("/home/me", MountKind::Scratch { mode: 0o755 });
    add(
        "/home/me/src",
        MountKind::Overlay {
            source: env!("CARGO_MANIFEST_DIR").into(),
        },
    );
    add("/home/me/src/src", MountKind::Mask);
    ContainerSpec {
        root: Root::Skeleton(root),
        mounts,
        network: Network::Loopback,
        hostname: "box".into(),
        user: geteuid().as_raw(),
        group: getegid().as_raw(),
        privileges: Privileges::Ordinary,
    }
}

struct Slot(OwnedFd);

struct Ran {
    status: ExitStatus,
    fate: SlotFate,
    output: String,
}

impl Slot {
    fn start(spawner: &Spawner, spec: &ContainerSpec) -> Slot {
        let socket = spawner.start_slot(&plan(spec).unwrap()).unwrap();
        match message::receive(socket.as_fd()).unwrap().0 {
            SlotReply::Ready => Slot(socket),
            other => panic!("{other:?}"),
        }
    }

    fn sh(&self, script: &str) -> Ran {
        let process = ProcessSpec {
            program: OsStr::new("sh").into(),
            arguments: vec!["-c".into(), script.into()],
            environment: BTreeMap::from([("PATH".into(), "/usr/bin:/bin".into())]).into(),
            working_directory: Path::new("/").into(),
        };
        let (reader, writer) = pipe2(nix::fcntl::OFlag::O_CLOEXEC).unwrap();
        let null = File::open("/dev/null").unwrap();
        let order = SlotOrder::Run(ProcessImage::new(&process).unwrap());
        message::send(
            self.0.as_fd(),
            &order,
            &[null.as_fd(), writer.as_fd(), writer.as_fd()],
        )
        .unwrap();
        drop(writer);
        let mut output = String::new();
        File::from(reader).read_to_string(&mut output).unwrap();
        match message::receive(self.0.as_fd()).unwrap().0 {
            SlotReply::Ended { status, fate, .. } => Ran {
                status,
                fate,
                output,
            },
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn a_job_runs_and_its_container_is_used_again() {
    let spawner = Spawner::launch(Path::new(EXECUTABLE)).unwrap();
    let slot = Slot::start(&spawner, &spec());
    for _ in 0..3 {
        let ran = slot.sh("echo $$; ls -A /tmp /home/me; uname -n; cat /proc/net/dev | wc -l; ls /proc | grep -c '^[0-9]'; id -u; mount");
        assert!(ran.output.starts_with("2\n"), "{}", ran.output);
        assert_eq!(ran.status, ExitStatus::Code(0));
        assert_eq!(ran.fate, SlotFate::Reusable);
    }
    let ran =
        slot.sh("echo x > /tmp/x; echo y > /home/me/src/Cargo.toml; cat /home/me/src/Cargo.toml");
    assert_eq!(ran.output, "y\n");
    assert_eq!(ran.fate, SlotFate::Reusable);
    let ran = slot.sh("ls -A /tmp; grep '^name' /home/me/src/Cargo.toml");
    assert_eq!(ran.output, "name = \"maelstrom\"\n");
    spawner.close();
}
