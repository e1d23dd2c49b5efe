//! Converts containers.
//!
//! A message contains digests of contents, a [`ContainerSpec`] local paths. The caller maps one to
//! the other: [`container`] calls it for the path of each [`ContentSource`]. Callers that only need
//! the sources may return any path.

use std::path::PathBuf;

use super::super::error::{WireError, at_most};
use super::super::limits::{
    DEVICES_MAX, HOSTNAME_BYTES_MAX, LAYERS_MAX, MOUNTS_MAX, PATH_BYTES_MAX, SKELETON_ENTRIES_MAX,
};
use super::super::v1;
use super::process::process;
use super::{absolute, digest, duration, string, text, unknown};
use maelstrom_container::digest::Digest;
use maelstrom_container::plan::SERVICES_MAX;
use maelstrom_model::job::{
    BindAccess, ContainerSpec, DeviceKind, DevicePattern, Mount, MountKind, NetworkMode,
    PrivilegeLevel, RootAccess, RootKind, ServiceSpec, SkeletonEntry, SkeletonKind, WhenForbidden,
};

/// All permission bits of a mode.
const MODE_MAX: u32 = 0o7777;

/// The source of a directory or file in a container.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ContentSource {
    /// A `Directory` of the Remote Execution API.
    Directory(Digest),
    File {
        digest: Digest,
        /// Whether the file is executable.
        execution: ExecutePermission,
    },
    /// A path on the worker's host.
    Toolbox(PathBuf),
}

/// Whether a file is executable.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ExecutePermission {
    Allowed,
    Refused,
}

/// Converts a container. `place` returns the local path of a source; it is called in message order,
/// and its first error is returned.
pub fn container<E: From<WireError>>(
    message: &v1::Container,
    mut place: impl FnMut(ContentSource) -> Result<PathBuf, E>,
) -> Result<ContainerSpec, E> {
    let root = match &message.root {
        Some(v1::container::Root::Skeleton(skeleton)) => RootKind::Skeleton(entries(skeleton)?),
        Some(v1::container::Root::Layers(layers)) => RootKind::Layers {
            trees: trees(layers, &mut place)?,
            access: match layers.writable {
                true => RootAccess::Ephemeral,
                false => RootAccess::ReadOnly,
            },
        },
        None => return Err(missing("root of the container").into()),
    };
    at_most("mounts", message.mounts.len(), MOUNTS_MAX)?;
    let mut mounts = Vec::with_capacity(message.mounts.len());
    for one in &message.mounts {
        mounts.push(mount(one, &mut place)?);
    }
    Ok(ContainerSpec {
        root,
        mounts,
        network: network(message.network)?,
        hostname: hostname(&message.hostname)?,
        user: id("user id", message.user)?,
        group: id("group id", message.group)?,
        privileges: privileges(message.privileges)?,
        services: services(&message.services)?,
        devices: devices(&message.devices)?,
    })
}

fn services(messages: &[v1::Service]) -> Result<Vec<ServiceSpec>, WireError> {
    at_most("services", messages.len(), SERVICES_MAX)?;
    let service = |message: &v1::Service| {
        let program = message.process.as_ref();
        let program = program.ok_or(missing("program of a service"))?;
        let ready_timeout = message.ready_timeout.as_ref();
        Ok(ServiceSpec {
            name: text(&message.name).to_string(),
            process: process(program)?,
            readiness: message.readiness.as_ref().map(process).transpose()?,
            ready_timeout: duration(ready_timeout.ok_or(missing("time limit of a service"))?)?,
        })
    };
    messages.iter().map(service).collect()
}

/// Returns the sources of a container, including duplicates.
pub fn sources(message: &v1::Container) -> Result<Vec<ContentSource>, WireError> {
    let mut sources = Vec::new();
    container(message, |source| {
        sources.push(source);
        Ok::<_, WireError>(PathBuf::new())
    })?;
    Ok(sources)
}

fn missing(what: &'static str) -> WireError {
    WireError::Missing { what }
}

fn entries(skeleton: &v1::Skeleton) -> Result<Vec<SkeletonEntry>, WireError> {
    at_most("entries", skeleton.entries.len(), SKELETON_ENTRIES_MAX)?;
    let entries = skeleton.entries.iter().map(|entry| {
        let kind = match &entry.kind {
            Some(v1::skeleton_entry::Kind::Directory(v1::Empty {})) => SkeletonKind::Directory,
            Some(v1::skeleton_entry::Kind::File(content)) => SkeletonKind::File(content.to_vec()),
            Some(v1::skeleton_entry::Kind::Symlink(target)) => {
                SkeletonKind::Symlink(string("target", target, PATH_BYTES_MAX)?.into())
            }
            None => return Err(missing("kind of an entry")),
        };
        let path = absolute("path of an entry", &entry.path)?;
        Ok(SkeletonEntry { path, kind })
    });
    entries.collect()
}

fn trees<E: From<WireError>>(
    layers: &v1::Layers,
    place: &mut impl FnMut(ContentSource) -> Result<PathBuf, E>,
) -> Result<Vec<PathBuf>, E> {
    at_most("layers", layers.trees.len(), LAYERS_MAX)?;
    if layers.trees.is_empty() {
        return Err(missing("layers").into());
    }
    let mut trees = Vec::with_capacity(layers.trees.len());
    for tree in &layers.trees {
        trees.push(place(directory("layer", tree)?)?);
    }
    Ok(trees)
}

fn source(message: &v1::Source) -> Result<ContentSource, WireError> {
    match &message.kind {
        Some(v1::source::Kind::Directory(message)) => {
            Ok(ContentSource::Directory(digest(message)?))
        }
        Some(v1::source::Kind::File(file)) => Ok(ContentSource::File {
            digest: digest(file.digest.as_ref().ok_or(missing("digest of a file"))?)?,
            execution: match file.executable {
                true => ExecutePermission::Allowed,
                false => ExecutePermission::Refused,
            },
        }),
        Some(v1::source::Kind::Toolbox(path)) => {
            absolute("path of the toolbox", path).map(ContentSource::Toolbox)
        }
        None => Err(missing("kind of a source")),
    }
}

/// Converts a source that must be a directory, as far as the message shows.
fn directory(what: &'static str, message: &v1::Source) -> Result<ContentSource, WireError> {
    match source(message)? {
        ContentSource::File { digest, .. } => Err(WireError::invalid(
            what,
            digest.to_string().as_bytes(),
            "a directory, not a file",
        )),
        other @ (ContentSource::Directory(_) | ContentSource::Toolbox(_)) => Ok(other),
    }
}

fn mount<E: From<WireError>>(
    message: &v1::Mount,
    place: &mut impl FnMut(ContentSource) -> Result<PathBuf, E>,
) -> Result<Mount, E> {
    use v1::mount::Kind;
    let mount_point = absolute("mount point", &message.mount_point)?;
    if mount_point.parent().is_none() {
        return Err(WireError::invalid("mount point", b"/", "a path below `/`").into());
    }
    let kind = match message.kind.as_ref().ok_or(missing("kind of a mount"))? {
        Kind::ReadOnly(message) => MountKind::Bind {
            source: place(source(message)?)?,
            access: BindAccess::ReadOnly,
        },
        Kind::Overlay(message) => MountKind::Overlay {
            source: place(directory("overlay", message)?)?,
        },
        Kind::Scratch(mode) if *mode <= MODE_MAX => MountKind::Scratch { mode: *mode },
        Kind::Scratch(mode) => {
            let expected = "permission bits up to 7777 (octal)";
            let mode = format!("{mode:o}");
            return Err(WireError::invalid("mode", mode.as_bytes(), expected).into());
        }
        Kind::Mask(v1::Empty {}) => MountKind::Mask,
        Kind::Device(name) => MountKind::Device(device(name)?),
        Kind::DevPts(v1::Empty {}) => MountKind::DevPts,
        Kind::MessageQueue(v1::Empty {}) => MountKind::MessageQueue,
        Kind::Proc(v1::Empty {}) => MountKind::Proc,
        Kind::Sys(sys) => MountKind::Sys {
            when_forbidden: match sys.may_be_empty {
                true => WhenForbidden::LeaveEmpty,
                false => WhenForbidden::Fail,
            },
        },
        Kind::Tmp(v1::Empty {}) => MountKind::Tmp,
    };
    Ok(Mount { mount_point, kind })
}

/// Converts the devices that a container names.
pub(super) fn devices(texts: &[String]) -> Result<Vec<DevicePattern>, WireError> {
    at_most("devices", texts.len(), DEVICES_MAX)?;
    texts.iter().map(|text| device_pattern(text)).collect()
}

pub(super) fn device_pattern(text: &str) -> Result<DevicePattern, WireError> {
    text.parse().map_err(|_| {
        let expected = "a path below /dev, and none that every container has";
        WireError::invalid("device", text.as_bytes(), expected)
    })
}

fn device(name: &str) -> Result<DeviceKind, WireError> {
    let device = DeviceKind::ALL
        .into_iter()
        .find(|device| device.name() == name);
    device.ok_or_else(|| {
        let expected = "full, fuse, null, random, shm, tty, urandom or zero";
        WireError::invalid("device", name.as_bytes(), expected)
    })
}

fn network(number: i32) -> Result<NetworkMode, WireError> {
    match v1::Network::try_from(number) {
        Ok(v1::Network::Disabled) => Ok(NetworkMode::Disabled),
        Ok(v1::Network::Loopback) => Ok(NetworkMode::Loopback),
        Ok(v1::Network::Unspecified) | Err(_) => Err(unknown("network", number)),
    }
}

fn privileges(number: i32) -> Result<PrivilegeLevel, WireError> {
    match v1::Privileges::try_from(number) {
        Ok(v1::Privileges::Ordinary) => Ok(PrivilegeLevel::Ordinary),
        Ok(v1::Privileges::Full) => Ok(PrivilegeLevel::Full),
        Ok(v1::Privileges::Unspecified) | Err(_) => Err(unknown("set of privileges", number)),
    }
}

fn hostname(name: &str) -> Result<String, WireError> {
    string("host name", name.as_bytes(), HOSTNAME_BYTES_MAX)?;
    Ok(name.to_owned())
}

/// A user or group ID. The highest value means "none" (`setuid(2)`).
fn id(what: &'static str, number: u32) -> Result<u32, WireError> {
    if number == u32::MAX {
        let text = number.to_string();
        return Err(WireError::invalid(what, text.as_bytes(), "a lower number"));
    }
    Ok(number)
}
