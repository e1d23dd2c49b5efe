//! Describes a test's job for a detail screen. Pure.

use std::path::Path;

use super::event::TestDescription;
use super::ids::TestId;
use super::job::Job;
use maelstrom_container::spec::{
    BindAccess, ContainerSpec, MountKind, NetworkMode, RootAccess, RootKind, WhenForbidden,
};

/// Describes a test's job: its command, working directory, mounts, network and timeout.
pub fn describe(test: TestId, job: &Job) -> TestDescription {
    let process = &job.process;
    let mut command = vec![process.program.to_string_lossy().into_owned()];
    command.extend(
        process
            .arguments
            .iter()
            .map(|argument| argument.to_string_lossy().into_owned()),
    );
    TestDescription {
        test,
        command,
        directory: text(&process.working_directory),
        mounts: mounts(&job.container),
        network: match job.container.network {
            NetworkMode::Disabled => "disabled",
            NetworkMode::Loopback => "loopback",
            NetworkMode::Local => "local",
        }
        .to_owned(),
        timeout_us: job
            .timeout
            .map(|timeout| u64::try_from(timeout.as_micros()).unwrap_or(u64::MAX)),
        shell: None,
    }
}

fn mounts(container: &ContainerSpec) -> Vec<String> {
    let root = match &container.root {
        RootKind::Skeleton(entries) => {
            format!("/ small read-only tree of {} entries", entries.len())
        }
        RootKind::Layers { trees, access } => {
            let access = match access {
                RootAccess::ReadOnly => "read-only",
                RootAccess::Ephemeral => "writable, thrown away afterwards",
            };
            format!("/ overlay of {} layers, {access}", trees.len())
        }
    };
    let others = container.mounts.iter().map(|mount| {
        let point = text(&mount.mount_point);
        let what = match &mount.kind {
            MountKind::Bind { source, access } => {
                let access = match access {
                    BindAccess::ReadOnly => "read-only",
                    BindAccess::ReadWrite => "writable",
                };
                format!("bind of {}, {access}", text(source))
            }
            MountKind::Overlay { source } => {
                format!("{} with writes thrown away", text(source))
            }
            MountKind::Scratch { mode } => format!("empty directory, mode {mode:04o}"),
            MountKind::Mask => "hidden".to_owned(),
            MountKind::Device(device) => format!("device {}", device.name()),
            MountKind::DevPts => "devpts".to_owned(),
            MountKind::MessageQueue => "mqueue".to_owned(),
            MountKind::Proc => "proc".to_owned(),
            MountKind::Sys { when_forbidden } => match when_forbidden {
                WhenForbidden::Fail => "sysfs".to_owned(),
                WhenForbidden::LeaveEmpty => "sysfs where the host allows it".to_owned(),
            },
            MountKind::Tmp => "tmpfs".to_owned(),
        };
        format!("{point} {what}")
    });
    let devices = container.devices.iter();
    let devices = devices.map(|device| format!("{device} device of the machine"));
    std::iter::once(root).chain(others).chain(devices).collect()
}

fn text(path: &Path) -> String {
    path.display().to_string()
}
