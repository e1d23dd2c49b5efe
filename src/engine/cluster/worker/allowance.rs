//! Privileges that a job may request beyond what every job gets.
//!
//! The client defines the container, and the client may be anyone. Most properties affect only the
//! job itself. Those that weaken the isolation between a job and the machine, or between two jobs,
//! are refused unless the operator allows them:
//!
//! | request | by default | allowed by |
//! | --- | --- | --- |
//! | all capabilities over its namespaces | refused | `--allow full-privileges` |
//! | `/dev/fuse` | refused | `--allow fuse` |
//! | the machine's `/dev/shm` | refused | `--allow shared-memory` |
//! | the machine's network | refused, and has no message | nothing |
//! | to write to the machine's files | refused, and has no message | nothing |
//! | devices by their paths | what is offered: [`super::inputs::host_paths`] | `--offer-device` |
//! | files of the machine, to read | what is lent: [`super::inputs::host_paths`] | `--lend` |
//! | a terminal | has no message | nothing |
//! | any user and group inside, a host name, mounts, other devices | allowed | |

use std::collections::BTreeSet;

use maelstrom_model::job::{
    BindAccess, ContainerSpec, DeviceKind, MountKind, NetworkMode, PrivilegeLevel, RootAccess,
    RootKind,
};

/// A privilege that an operator may allow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum JobAllowance {
    /// All capabilities over the job's own namespaces.
    FullPrivileges,
    Fuse,
    SharedMemory,
}

/// A container that requests too much.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AllowanceError {
    /// The operator could allow the request.
    #[error(
        "the job wants {}, which this worker does not allow; its operator can, with `--allow {}`",
        .0.meaning(),
        .0.name()
    )]
    Unless(JobAllowance),
    #[error("the job wants {0}, which no worker allows")]
    Never(&'static str),
}

impl JobAllowance {
    /// All privileges that can be allowed.
    pub const ALL: [JobAllowance; 3] = [
        JobAllowance::FullPrivileges,
        JobAllowance::Fuse,
        JobAllowance::SharedMemory,
    ];

    /// Returns the privilege's name on the worker's command line.
    pub fn name(self) -> &'static str {
        match self {
            JobAllowance::FullPrivileges => "full-privileges",
            JobAllowance::Fuse => "fuse",
            JobAllowance::SharedMemory => "shared-memory",
        }
    }

    fn meaning(self) -> &'static str {
        match self {
            JobAllowance::FullPrivileges => "all privileges in its container",
            JobAllowance::Fuse => "/dev/fuse",
            JobAllowance::SharedMemory => "the machine's /dev/shm",
        }
    }
}

/// Returns an error if a container requests more than is allowed.
pub fn check(
    container: &ContainerSpec,
    allowed: &BTreeSet<JobAllowance>,
) -> Result<(), AllowanceError> {
    // For a new field, decide here whether untrusted clients may use it.
    let ContainerSpec {
        root,
        mounts,
        network,
        hostname: _,
        user: _,
        group: _,
        privileges,
        // They have no more rights than the jobs.
        services: _,
        // Each is in the toolbox of its template, too, and so is checked there.
        devices: _,
    } = container;
    let unless = |what| match allowed.contains(&what) {
        true => Ok(()),
        false => Err(AllowanceError::Unless(what)),
    };
    match privileges {
        PrivilegeLevel::Ordinary => {}
        PrivilegeLevel::Full => unless(JobAllowance::FullPrivileges)?,
    }
    match network {
        NetworkMode::Disabled | NetworkMode::Loopback => {}
        NetworkMode::Local => return Err(AllowanceError::Never("the machine's network")),
    }
    match root {
        RootKind::Skeleton(_)
        | RootKind::Layers {
            trees: _,
            access: RootAccess::ReadOnly | RootAccess::Ephemeral,
        } => {}
    }
    for mount in mounts {
        match &mount.kind {
            MountKind::Device(DeviceKind::Fuse) => unless(JobAllowance::Fuse)?,
            MountKind::Device(DeviceKind::Shm) => unless(JobAllowance::SharedMemory)?,
            MountKind::Bind {
                source: _,
                access: BindAccess::ReadWrite,
            } => return Err(AllowanceError::Never("to write to the machine's files")),
            MountKind::Device(
                DeviceKind::Full
                | DeviceKind::Null
                | DeviceKind::Random
                | DeviceKind::Tty
                | DeviceKind::Urandom
                | DeviceKind::Zero,
            )
            | MountKind::Bind {
                source: _,
                access: BindAccess::ReadOnly,
            }
            | MountKind::Overlay { source: _ }
            | MountKind::Scratch { mode: _ }
            | MountKind::Mask
            | MountKind::DevPts
            | MountKind::MessageQueue
            | MountKind::Proc
            | MountKind::Sys { when_forbidden: _ }
            | MountKind::Tmp => {}
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use maelstrom_model::job::Mount;
    use maelstrom_model::testing::job;

    fn with(change: impl FnOnce(&mut ContainerSpec)) -> ContainerSpec {
        let mut container = (*job().container).clone();
        change(&mut container);
        container
    }

    fn mounting(kind: MountKind) -> ContainerSpec {
        let mount_point = "/there".into();
        with(|container| container.mounts.push(Mount { mount_point, kind }))
    }

    fn bind(access: BindAccess) -> MountKind {
        MountKind::Bind {
            source: "/usr".into(),
            access,
        }
    }

    #[test]
    fn what_weakens_a_container_is_refused_unless_it_is_allowed() {
        let full = with(|container| container.privileges = PrivilegeLevel::Full);
        let local = with(|container| container.network = NetworkMode::Local);
        let device = |device| mounting(MountKind::Device(device));
        let table = [
            (full, Some(Some(JobAllowance::FullPrivileges))),
            (device(DeviceKind::Fuse), Some(Some(JobAllowance::Fuse))),
            (
                device(DeviceKind::Shm),
                Some(Some(JobAllowance::SharedMemory)),
            ),
            (local, Some(None)),
            (mounting(bind(BindAccess::ReadWrite)), Some(None)),
            (mounting(bind(BindAccess::ReadOnly)), None),
            (device(DeviceKind::Null), None),
            (mounting(MountKind::Tmp), None),
            (with(|container| container.user = 0), None),
            (with(|_| {}), None),
        ];
        let (nothing, everything) = (BTreeSet::new(), BTreeSet::from(JobAllowance::ALL));
        for (container, refused) in table {
            match (check(&container, &nothing), refused) {
                (Ok(()), None) => {}
                (Err(AllowanceError::Unless(what)), Some(Some(expected))) => {
                    assert_eq!(what, expected);
                    let text = AllowanceError::Unless(what).to_string();
                    assert!(text.contains(&format!("--allow {}", what.name())), "{text}");
                    assert_eq!(check(&container, &BTreeSet::from([what])), Ok(()));
                    let others = JobAllowance::ALL.into_iter().filter(|other| *other != what);
                    check(&container, &others.collect()).unwrap_err();
                }
                (Err(AllowanceError::Never(_)), Some(None)) => {
                    check(&container, &everything).unwrap_err();
                }
                (answer, refused) => panic!("{answer:?} {refused:?} {container:?}"),
            }
        }
    }
}
