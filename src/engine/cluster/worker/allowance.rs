//! What a job may ask of a worker beyond what every job gets.
//!
//! A container is what its client says it is, and the client may be anybody. Most of what one can say
//! concerns nobody but the job. What weakens the wall between the job and the machine, or between two
//! jobs, is refused unless the operator allows it:
//!
//! | request | by default | allowed by |
//! | --- | --- | --- |
//! | all capabilities over its namespaces | refused | `--allow full-privileges` |
//! | `/dev/fuse` | refused | `--allow fuse` |
//! | the machine's `/dev/shm` | refused | `--allow shared-memory` |
//! | the machine's network | refused, and has no message | nothing |
//! | to write to the machine's files | refused, and has no message | nothing |
//! | files of the machine, to read | what is lent: [`super::inputs::lending`] | `--lend` |
//! | a terminal | has no message | nothing |
//! | any user and group inside, a host name, mounts, other devices | allowed | |

use std::collections::BTreeSet;

use maelstrom_model::job::{
    BindAccess, ContainerSpec, Device, MountKind, Network, Privileges, Root, RootAccess,
};

/// Something that an operator may allow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Allowance {
    /// All capabilities over the job's own namespaces.
    FullPrivileges,
    /// `/dev/fuse`.
    Fuse,
    /// The machine's `/dev/shm`.
    SharedMemory,
}

/// A container that asks for too much.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotAllowed {
    /// The operator could allow it.
    #[error(
        "the job wants {}, which this worker does not allow; its operator can, with `--allow {}`",
        .0.meaning(),
        .0.name()
    )]
    Unless(Allowance),
    /// Nobody can.
    #[error("the job wants {0}, which no worker allows")]
    Never(&'static str),
}

impl Allowance {
    /// Everything that can be allowed.
    pub const ALL: [Allowance; 3] = [
        Allowance::FullPrivileges,
        Allowance::Fuse,
        Allowance::SharedMemory,
    ];

    /// What the option of the worker calls it.
    pub fn name(self) -> &'static str {
        match self {
            Allowance::FullPrivileges => "full-privileges",
            Allowance::Fuse => "fuse",
            Allowance::SharedMemory => "shared-memory",
        }
    }

    fn meaning(self) -> &'static str {
        match self {
            Allowance::FullPrivileges => "all privileges in its container",
            Allowance::Fuse => "/dev/fuse",
            Allowance::SharedMemory => "the machine's /dev/shm",
        }
    }
}

/// Whether a container asks for no more than is allowed.
pub fn check(container: &ContainerSpec, allowed: &BTreeSet<Allowance>) -> Result<(), NotAllowed> {
    // Whoever gives containers something new decides here whether strangers may have it.
    let ContainerSpec {
        root,
        mounts,
        network,
        hostname: _,
        user: _,
        group: _,
        privileges,
    } = container;
    let unless = |what| match allowed.contains(&what) {
        true => Ok(()),
        false => Err(NotAllowed::Unless(what)),
    };
    match privileges {
        Privileges::Ordinary => {}
        Privileges::Full => unless(Allowance::FullPrivileges)?,
    }
    match network {
        Network::Disabled | Network::Loopback => {}
        Network::Local => return Err(NotAllowed::Never("the machine's network")),
    }
    match root {
        Root::Skeleton(_)
        | Root::Layers {
            trees: _,
            access: RootAccess::ReadOnly | RootAccess::Ephemeral,
        } => {}
    }
    for mount in mounts {
        match &mount.kind {
            MountKind::Device(Device::Fuse) => unless(Allowance::Fuse)?,
            MountKind::Device(Device::Shm) => unless(Allowance::SharedMemory)?,
            MountKind::Bind {
                source: _,
                access: BindAccess::ReadWrite,
            } => return Err(NotAllowed::Never("to write to the machine's files")),
            MountKind::Device(
                Device::Full
                | Device::Null
                | Device::Random
                | Device::Tty
                | Device::Urandom
                | Device::Zero,
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
        let full = with(|container| container.privileges = Privileges::Full);
        let local = with(|container| container.network = Network::Local);
        let device = |device| mounting(MountKind::Device(device));
        let table = [
            (full, Some(Some(Allowance::FullPrivileges))),
            (device(Device::Fuse), Some(Some(Allowance::Fuse))),
            (device(Device::Shm), Some(Some(Allowance::SharedMemory))),
            (local, Some(None)),
            (mounting(bind(BindAccess::ReadWrite)), Some(None)),
            (mounting(bind(BindAccess::ReadOnly)), None),
            (device(Device::Null), None),
            (mounting(MountKind::Tmp), None),
            (with(|container| container.user = 0), None),
            (with(|_| {}), None),
        ];
        let (nothing, everything) = (BTreeSet::new(), BTreeSet::from(Allowance::ALL));
        for (container, refused) in table {
            match (check(&container, &nothing), refused) {
                (Ok(()), None) => {}
                (Err(NotAllowed::Unless(what)), Some(Some(expected))) => {
                    assert_eq!(what, expected);
                    let text = NotAllowed::Unless(what).to_string();
                    assert!(text.contains(&format!("--allow {}", what.name())), "{text}");
                    assert_eq!(check(&container, &BTreeSet::from([what])), Ok(()));
                    let others = Allowance::ALL.into_iter().filter(|other| *other != what);
                    check(&container, &others.collect()).unwrap_err();
                }
                (Err(NotAllowed::Never(_)), Some(None)) => {
                    check(&container, &everything).unwrap_err();
                }
                (answer, refused) => panic!("{answer:?} {refused:?} {container:?}"),
            }
        }
    }
}
