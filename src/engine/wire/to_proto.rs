//! Converts the engine's own types to messages.
//!
//! Host paths have no meaning on another machine, so the caller supplies the source of each path's
//! content.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::time::Duration;

use bytes::Bytes;

use super::limits;
use super::v1::{self, container, job_result, mount, skeleton_entry};
use maelstrom_container::digest::Digest;
use maelstrom_container::message::DiscardedFiles;
use maelstrom_model::event::OutputStream;
use maelstrom_model::job::StackDumpMethod;
use maelstrom_model::job::{
    BindAccess, ContainerSpec, ExitStatus, JobOutcome, JobResult, MountKind, NetworkMode,
    OutputPipes, PrivilegeLevel, ProcessSpec, RootAccess, RootKind, ServiceSpec, SkeletonEntry,
    SkeletonKind, WhenForbidden,
};
use maelstrom_model::policy::{DeviceNeed, JobNeeds};

/// Why a container is not portable.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PortabilityError {
    /// The container uses this machine's network.
    #[error("it uses this machine's network")]
    Network,
    /// The container mounts a writable host path.
    #[error("it writes to {path} of this machine")]
    Writable {
        /// The path on the host.
        path: String,
    },
    /// The container mounts a host path that is neither an input nor in the toolbox.
    #[error("it shows {path} of this machine")]
    Unknown {
        /// The path on the host.
        path: String,
    },
}

/// Converts a container, given the source of each of its host paths.
pub fn container(
    spec: &ContainerSpec,
    source: &mut dyn FnMut(&Path) -> Result<v1::Source, PortabilityError>,
) -> Result<v1::Container, PortabilityError> {
    let ContainerSpec {
        root,
        mounts,
        network,
        hostname,
        user,
        group,
        privileges,
        services,
        devices,
    } = spec;
    let network = match network {
        NetworkMode::Disabled => v1::Network::Disabled,
        NetworkMode::Loopback => v1::Network::Loopback,
        NetworkMode::Local => return Err(PortabilityError::Network),
    };
    let root = match root {
        RootKind::Skeleton(entries) => container::Root::Skeleton(v1::Skeleton {
            entries: entries.iter().map(skeleton_entry).collect(),
        }),
        RootKind::Layers { trees, access } => container::Root::Layers(v1::Layers {
            trees: trees
                .iter()
                .map(|tree| source(tree))
                .collect::<Result<_, _>>()?,
            writable: match access {
                RootAccess::ReadOnly => false,
                RootAccess::Ephemeral => true,
            },
        }),
    };
    let mut sent = Vec::new();
    for one in mounts {
        sent.push(v1::Mount {
            mount_point: path(&one.mount_point),
            kind: Some(mount_kind(&one.kind, source)?),
        });
    }
    Ok(v1::Container {
        root: Some(root),
        mounts: sent,
        network: network.into(),
        hostname: hostname.clone(),
        user: *user,
        group: *group,
        privileges: match privileges {
            PrivilegeLevel::Ordinary => v1::Privileges::Ordinary,
            PrivilegeLevel::Full => v1::Privileges::Full,
        }
        .into(),
        services: services.iter().map(service).collect(),
        devices: devices.iter().map(ToString::to_string).collect(),
    })
}

fn service(spec: &ServiceSpec) -> v1::Service {
    let ServiceSpec {
        name,
        process: program,
        readiness,
        ready_timeout,
    } = spec;
    v1::Service {
        name: name.clone(),
        process: Some(process(program)),
        readiness: readiness.as_ref().map(process),
        ready_timeout: Some(duration(*ready_timeout)),
    }
}

fn skeleton_entry(entry: &SkeletonEntry) -> v1::SkeletonEntry {
    let kind = match &entry.kind {
        SkeletonKind::Directory => skeleton_entry::Kind::Directory(v1::Empty {}),
        SkeletonKind::File(content) => skeleton_entry::Kind::File(content.clone().into()),
        SkeletonKind::Symlink(target) => skeleton_entry::Kind::Symlink(path(target)),
    };
    v1::SkeletonEntry {
        path: path(&entry.path),
        kind: Some(kind),
    }
}

fn mount_kind(
    kind: &MountKind,
    source: &mut dyn FnMut(&Path) -> Result<v1::Source, PortabilityError>,
) -> Result<mount::Kind, PortabilityError> {
    Ok(match kind {
        MountKind::Bind {
            source: host,
            access: BindAccess::ReadOnly,
        } => mount::Kind::ReadOnly(source(host)?),
        MountKind::Bind {
            source,
            access: BindAccess::ReadWrite,
        } => {
            return Err(PortabilityError::Writable {
                path: source.display().to_string(),
            });
        }
        MountKind::Overlay { source: host } => mount::Kind::Overlay(source(host)?),
        MountKind::Scratch { mode } => mount::Kind::Scratch(*mode),
        MountKind::Mask => mount::Kind::Mask(v1::Empty {}),
        MountKind::Device(device) => mount::Kind::Device(device.name().to_owned()),
        MountKind::DevPts => mount::Kind::DevPts(v1::Empty {}),
        MountKind::MessageQueue => mount::Kind::MessageQueue(v1::Empty {}),
        MountKind::Proc => mount::Kind::Proc(v1::Empty {}),
        MountKind::Sys { when_forbidden } => mount::Kind::Sys(v1::Sys {
            may_be_empty: match when_forbidden {
                WhenForbidden::Fail => false,
                WhenForbidden::LeaveEmpty => true,
            },
        }),
        MountKind::Tmp => mount::Kind::Tmp(v1::Empty {}),
    })
}

/// Converts a process specification.
pub fn process(spec: &ProcessSpec) -> v1::Process {
    let ProcessSpec {
        program,
        arguments,
        environment,
        working_directory,
    } = spec;
    v1::Process {
        program: text(program),
        arguments: arguments.iter().map(|argument| text(argument)).collect(),
        environment: variables(environment),
        working_directory: path(working_directory),
    }
}

/// Converts an environment.
pub fn variables(environment: &BTreeMap<OsString, OsString>) -> Vec<v1::EnvironmentVariable> {
    let variable = |(name, value): (&OsString, &OsString)| v1::EnvironmentVariable {
        name: text(name),
        value: text(value),
    };
    environment.iter().map(variable).collect()
}

/// Converts the discarded writes of a job, within the limits of a message.
pub fn discarded(discarded: &DiscardedFiles) -> v1::Discarded {
    let mut message = v1::Discarded {
        files: discarded.files.iter().map(|file| path(file)).collect(),
        more: discarded.more,
    };
    limits::cut_discarded(&mut message);
    message
}

/// Converts a job result, with its discarded writes.
pub fn result(result: &JobResult, gone: &DiscardedFiles) -> v1::JobResult {
    let end = match &result.end {
        JobOutcome::Exited(ExitStatus::Code(code)) => job_result::End::Exited(*code),
        JobOutcome::Exited(ExitStatus::Signal {
            number,
            core_dumped,
        }) => job_result::End::Signalled(v1::Signalled {
            number: *number,
            core_dumped: *core_dumped,
        }),
        JobOutcome::TimedOut => job_result::End::TimedOut(v1::Empty {}),
        JobOutcome::Cancelled => job_result::End::Cancelled(v1::Empty {}),
        JobOutcome::Error(message) => job_result::End::Infrastructure(message.clone()),
    };
    v1::JobResult {
        end: Some(end),
        usage: Some(v1::Usage {
            user: Some(duration(result.usage.user)),
            system: Some(duration(result.usage.system)),
            memory_peak_bytes: result.usage.memory_peak_bytes,
        }),
        prepared: Some(duration(result.prepared)),
        ran: Some(duration(result.ran)),
        discarded: (!gone.files.is_empty()).then(|| discarded(gone)),
        leaked: (!result.leaked.is_empty()).then(|| v1::Leaked {
            names: result.leaked.names.clone(),
            more: result.leaked.more,
        }),
    }
}

/// Converts a duration.
pub fn duration(duration: Duration) -> prost_types::Duration {
    // Fails only for absurd durations.
    prost_types::Duration::try_from(duration).unwrap_or(prost_types::Duration {
        seconds: i64::MAX,
        nanos: 0,
    })
}

/// Converts an output stream.
pub fn stream(stream: OutputStream) -> v1::Stream {
    match stream {
        OutputStream::Stdout => v1::Stream::Stdout,
        OutputStream::Stderr => v1::Stream::Stderr,
        OutputStream::Joined => v1::Stream::Joined,
    }
}

/// Converts whether output streams are separate.
pub fn output_pipes(output: OutputPipes) -> v1::OutputPipes {
    match output {
        OutputPipes::Separate => v1::OutputPipes::Separate,
        OutputPipes::Joined => v1::OutputPipes::Joined,
    }
}

/// Converts how a job shows what its threads do.
pub fn stack_dump(method: StackDumpMethod) -> Option<v1::StackDump> {
    let method = match method {
        StackDumpMethod::None => return None,
        StackDumpMethod::Signal(number) => v1::stack_dump::Method::Signal(number),
        StackDumpMethod::Threads => v1::stack_dump::Method::Threads(v1::Empty {}),
    };
    Some(v1::StackDump {
        method: Some(method),
    })
}

/// Converts what a job needs besides a slot; `None` if it needs nothing. The caller supplies the
/// broker's number of the worker that the job avoids.
pub fn needs(needs: &JobNeeds, avoided_worker: Option<u32>) -> Option<v1::JobNeeds> {
    let JobNeeds {
        group,
        weight,
        exclusive,
        memory_bytes,
        avoided_worker: _,
        devices,
    } = needs;
    let group = group.as_ref();
    let message = v1::JobNeeds {
        group: group
            .map(|group| group.name.to_string())
            .unwrap_or_default(),
        group_jobs_max: group.map_or(0, |group| group.jobs_max.get()),
        weight: match weight.get() {
            1 => 0,
            weight => weight,
        },
        exclusive: *exclusive,
        memory_bytes: memory_bytes.unwrap_or(0),
        avoided_worker,
        devices: devices.iter().map(device).collect(),
    };
    (message != v1::JobNeeds::default()).then_some(message)
}

fn device(need: &DeviceNeed) -> v1::DeviceNeed {
    v1::DeviceNeed {
        device: need.device.to_string(),
        jobs_max: need.jobs_max.get(),
    }
}

/// Converts a digest.
pub fn digest(digest: Digest) -> v1::Digest {
    v1::Digest {
        hash: digest.hash.to_string(),
        size_bytes: i64::try_from(digest.size_bytes).unwrap_or(i64::MAX),
    }
}

/// Returns the bytes of a path.
pub fn path(path: &Path) -> Bytes {
    text(path.as_os_str())
}

/// Returns the bytes of a string.
pub fn text(text: &OsStr) -> Bytes {
    Bytes::copy_from_slice(text.as_bytes())
}
