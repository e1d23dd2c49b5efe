//! The default container: it shows a test everything that the test finds under its language's own
//! tool, and nothing that another test could have left behind.
//!
//! [`container`] is a pure function of the facts about the project and the host, which [`host`] and
//! [`workspace`] detect:
//!
//! - The sources, all build outputs and file systems mounted below them are overlays at their own
//!   paths: read-only below, writable above, and discarded.
//! - The home directory, `/tmp`, `/var/tmp` and `/dev/shm` are private to the test and empty.
//! - The toolbox (the host's programs, the toolchain, downloaded packages, and the files of `/etc`
//!   that they need) is bound read-only. If it is disabled, the container has only the shared
//!   libraries that the test's own programs need.
//! - For tests that run as root, the directories that root expects to be writable are writable: the
//!   root with `/run`, `/etc` and `/var`, and `/usr/local`.
//! - Deeper mounts are made later. If several mounts claim a path, the project takes precedence
//!   over the test's private directories, and those over the toolbox.
//!
//! Invariants: every mount has its mount point in the read-only root; a host path that leads
//! through symbolic links exists in the container under both names.

pub mod facts;
pub mod host;
pub mod host_path;
pub mod inputs;
pub mod workspace;

mod outward;
mod plan;
mod reach;

#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};

use miette::Diagnostic;

use maelstrom_model::error::ProgramError;
pub use maelstrom_model::job::mountinfo;
use maelstrom_model::job::{
    BindAccess, ContainerSpec, MountKind, NetworkMode, PrivilegeLevel, RootKind, SkeletonKind,
    WhenForbidden,
};

use self::facts::{EtcContent, HostFacts, SharedLibraries, WorkspaceFacts};
use self::host_path::FileKind;
use self::plan::MountPlanner;
use super::devices::{DEVICE_LINKS, DEVICES};

/// The host name in every container.
pub const HOSTNAME: &str = "maelstrom";

/// The mode of directories for temporary files: writable for everyone, sticky.
const TEMPORARY_MODE: u32 = 0o1777;

/// The mode of a home directory.
const HOME_MODE: u32 = 0o755;

/// Symbolic links that every Linux system has, besides those in `/dev`.
const LINKS: [(&str, &str); 2] = [("/etc/mtab", "/proc/self/mounts"), ("/var/run", "/run")];

/// Directories that exist in every container and are empty except for mounts below them.
const EMPTY_DIRECTORIES: [&str; 6] = ["/mnt", "/run", "/var/cache", "/var/lib", "/var/log", "/srv"];

/// Whether tests see this machine's programs and toolchain.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Toolbox {
    Present,
    /// They see only the sources and the build outputs.
    Absent,
}

/// The reason why no container can be made for a project.
#[derive(Clone, Debug, PartialEq, Eq, Diagnostic, thiserror::Error)]
pub enum ContainerError {
    /// The project is in a directory that the container needs for other purposes.
    #[error("tests can't be kept apart for a project in {}", path.display())]
    #[diagnostic(help(
        "move the project to a directory of its own below the root, or use `--isolation=process`"
    ))]
    Place { path: PathBuf },
    /// A directory of the project cannot be accessed.
    #[error("can't find {}: {message}", path.display())]
    Unreachable { path: PathBuf, message: String },
}

impl ProgramError for ContainerError {}

/// Returns the default container of the project's tests.
pub fn container(
    workspace: &WorkspaceFacts,
    host: &HostFacts,
    toolbox: Toolbox,
    libraries: &SharedLibraries,
) -> Result<ContainerSpec, ContainerError> {
    let mut plan = MountPlanner::default();
    // The first mount at a path wins, so this order gives precedence to the project, then to the
    // test's private directories, then to the toolbox.
    project(&mut plan, workspace)?;
    own_places(&mut plan, host);
    devices(&mut plan, host);
    match toolbox {
        Toolbox::Present => {
            for path in &host.toolbox {
                plan.bind(path);
            }
            for path in host.caches.iter().chain(&host.installed) {
                plan.overlay(path);
            }
            etc(&mut plan, &host.etc);
        }
        Toolbox::Absent => etc(&mut plan, &host.etc_least),
    }
    for library in &libraries.files {
        plan.bind(library);
    }
    let (mounts, entries) = plan.finish();
    Ok(ContainerSpec {
        root: RootKind::Skeleton(entries),
        mounts,
        network: NetworkMode::Loopback,
        hostname: HOSTNAME.to_owned(),
        user: host.user,
        group: host.group,
        privileges: PrivilegeLevel::Ordinary,
        services: Vec::new(),
        devices: Vec::new(),
    })
}

/// Adds the project's files.
fn project(plan: &mut MountPlanner, workspace: &WorkspaceFacts) -> Result<(), ContainerError> {
    for root in &workspace.roots {
        let path = &root.canonical;
        let reserved = ["/proc", "/sys", "/dev"];
        let taken =
            path.parent().is_none() || reserved.iter().any(|place| path == Path::new(place));
        if taken {
            return Err(ContainerError::Place { path: path.clone() });
        }
        plan.overlay(root);
    }
    for path in &workspace.nested {
        match path.kind {
            FileKind::Directory => plan.mount_overlay(path),
            // The overlay around it contains it, writable like all other files.
            FileKind::File => {}
        }
    }
    for file in &workspace.linked {
        plan.bind(file);
    }
    for path in &workspace.masked {
        plan.mount(path.clone(), MountKind::Mask, FileKind::Directory);
    }
    for lent in &workspace.lent {
        let bind = MountKind::Bind {
            source: lent.source.clone(),
            access: BindAccess::ReadOnly,
        };
        plan.mount(lent.place.clone(), bind, FileKind::Directory);
    }
    Ok(())
}

/// Adds the directories and file systems that are private to each test.
fn own_places(plan: &mut MountPlanner, host: &HostFacts) {
    let scratch = |mode| MountKind::Scratch { mode };
    for place in ["/tmp", "/var/tmp", "/dev/shm"] {
        plan.mount(place.into(), scratch(TEMPORARY_MODE), FileKind::Directory);
    }
    if let Some(home) = &host.home {
        plan.mount_at(home, scratch(HOME_MODE));
    }
    let system = [
        ("/proc", MountKind::Proc),
        (
            "/sys",
            MountKind::Sys {
                when_forbidden: WhenForbidden::LeaveEmpty,
            },
        ),
        ("/dev/mqueue", MountKind::MessageQueue),
        ("/dev/pts", MountKind::DevPts),
    ];
    for (place, kind) in system {
        plan.mount(place.into(), kind, FileKind::Directory);
    }
    for place in EMPTY_DIRECTORIES {
        plan.entry(place.into(), SkeletonKind::Directory);
    }
}

fn devices(plan: &mut MountPlanner, host: &HostFacts) {
    for device in DEVICES {
        if host.devices.contains(&device) {
            let place = PathBuf::from("/dev").join(device.name());
            plan.mount(place, MountKind::Device(device), FileKind::File);
        }
    }
    for (link, target) in DEVICE_LINKS.into_iter().chain(LINKS) {
        plan.entry(link.into(), SkeletonKind::Symlink(target.into()));
    }
}

fn etc(plan: &mut MountPlanner, etc: &[facts::EtcEntry]) {
    for entry in etc {
        match &entry.content {
            EtcContent::File(bytes) => {
                plan.entry(entry.path.clone(), SkeletonKind::File(bytes.clone()));
            }
            EtcContent::Symlink(target) => {
                plan.entry(entry.path.clone(), SkeletonKind::Symlink(target.clone()));
            }
            EtcContent::Bind(source) => plan.mount(
                entry.path.clone(),
                MountKind::Bind {
                    source: source.canonical.clone(),
                    access: BindAccess::ReadOnly,
                },
                source.kind,
            ),
        }
    }
}
