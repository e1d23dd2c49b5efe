//! The network namespace of a container, shared by its jobs as long as none of them uses it.
//!
//! Little of what sockets leave behind (ports in `TIME_WAIT`, metrics, neighbors, counters) can be
//! undone, and a namespace costs a fraction of a container. So a used namespace is replaced by a
//! new one, and the container is kept.
//!
//! Almost everything that an unprivileged program can leave in a network namespace either requires
//! a packet or lasts as long as a socket. Flow labels and multicast memberships are the two
//! exceptions. So the following shows whether a namespace was used:
//!
//! - Packets, and with them connections, `TIME_WAIT`, cached metrics and errors: the counters of
//!   the devices, which no job can reset.
//! - Sockets that remain in a message in flight, and everything bound to them: the namespace's
//!   count of sockets.
//! - Flow labels, which linger: the namespace's list of them.
//! - Multicast memberships, for which the kernel still sends reports some seconds after they have
//!   ended: the kernel is set to the first versions of IGMP and MLD. With these, the end of a
//!   membership leaves nothing in IPv4, and sends a packet immediately in IPv6.
//!
//! Where the kernel does not support these settings, every job gets its own namespace.

use std::ffi::OsStr;
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::FileExt;
use std::path::Path;

use nix::errno::Errno;
use nix::fcntl::{OFlag, openat};
use nix::sched::{CloneFlags, setns, unshare};
use nix::sys::stat::Mode;

use super::super::message::RetirementReason;
use super::super::plan::ContainerPlan;
use super::super::spec::{NetworkMode, PrivilegeLevel};
use super::super::step::{ContainerStep, FileSystem};
use super::super::sys::network::bring_loopback_up;
use super::audit::{ComparedPart, WatchedFile};
use super::build::{StepExecutor, StepFailed};

/// The settings that determine the protocol version for multicast memberships.
const MEMBERSHIP_VERSIONS: [&str; 2] = [
    "sys/net/ipv4/conf/all/force_igmp_version",
    "sys/net/ipv6/conf/all/force_mld_version",
];

/// The first version, which has no reports after the end of a membership.
const MEMBERSHIP_VERSION: &[u8] = b"1";

/// The container's current network namespace.
pub struct OwnNetwork {
    namespace: OwnedFd,
    watched: Vec<WatchedFile>,
    /// One line per socket. `None` if the kernel does not support UNIX sockets.
    unix_sockets: Option<WatchedFile>,
    memberships: MulticastMemberships,
    view: NetworkMounts,
    /// The descriptor used to set up the network, kept open because it counts as a socket.
    _control: Option<OwnedFd>,
}

/// Whether a multicast membership leaves nothing behind when it ends.
#[derive(Clone, Copy, PartialEq, Eq)]
enum MulticastMemberships {
    EndAtOnce,
    Linger,
}

/// The mounts of the container that show one particular network namespace.
enum NetworkMounts {
    Mounts {
        /// The mounts in the template: sysfs, and those that hide parts of it.
        template: Vec<ContainerStep>,
        /// Whether the scratch stage has such mounts.
        in_scratch: bool,
    },
    /// The mounts cannot be recreated.
    Fixed,
}

/// Whether a namespace was replaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NetworkRenewal {
    /// The namespace was unchanged.
    Unnecessary,
    Done {
        /// Whether the scratch stage shows the old namespace and must be recreated.
        scratch_is_stale: bool,
    },
}

impl OwnNetwork {
    /// Takes over the calling process's namespace, a new one that this plan set up. Returns `None`
    /// if it is the host's, or if the container's only job may change it. `proc` is an open `/proc`
    /// in which the calling process is visible.
    pub fn of(
        proc: &OwnedFd,
        plan: &ContainerPlan,
        control: Option<OwnedFd>,
    ) -> Result<Option<OwnNetwork>, StepFailed> {
        match (plan.privileges, plan.network) {
            (PrivilegeLevel::Full, _) | (_, NetworkMode::Local) => Ok(None),
            (PrivilegeLevel::Ordinary, NetworkMode::Disabled | NetworkMode::Loopback) => {
                OwnNetwork::observe(proc, NetworkMounts::of(plan), control)
                    .map(Some)
                    .map_err(|error| StepFailed::of_io("inspect the network", &error))
            }
        }
    }

    fn observe(
        proc: &OwnedFd,
        view: NetworkMounts,
        control: Option<OwnedFd>,
    ) -> io::Result<OwnNetwork> {
        let flags = OFlag::O_RDONLY | OFlag::O_CLOEXEC;
        let mut network = OwnNetwork {
            memberships: end_memberships_at_once(proc),
            namespace: openat(proc, "self/ns/net", flags, Mode::empty())?,
            watched: Vec::new(),
            unix_sockets: None,
            view,
            _control: control,
        };
        network.watch(proc)?;
        Ok(network)
    }

    /// Takes the current state as the baseline.
    pub fn watch(&mut self, proc: &OwnedFd) -> io::Result<()> {
        use RetirementReason::{Packets, Sockets};
        self.watched = vec![
            WatchedFile::open(proc, "self/net/dev", ComparedPart::Whole, Packets)?,
            // The first line is `sockets: used N`; the following lines count the sockets of the
            // whole machine.
            WatchedFile::open(proc, "self/net/sockstat", ComparedPart::FirstLine, Sockets)?,
        ];
        let unix = WatchedFile::open(proc, "self/net/unix", ComparedPart::LineCount, Sockets);
        self.unix_sockets = unix.ok();
        match WatchedFile::open(proc, "self/net/ip6_flowlabel", ComparedPart::Whole, Sockets) {
            Ok(file) => self.watched.push(file),
            // A kernel without IPv6.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
        Ok(())
    }

    /// Returns the namespace, for processes that enter it.
    pub fn namespace(&self) -> BorrowedFd<'_> {
        self.namespace.as_fd()
    }

    /// Returns a reason if something was left in the namespace, or if that cannot be excluded.
    pub fn changed(&self) -> Option<RetirementReason> {
        if self.memberships == MulticastMemberships::Linger {
            return Some(RetirementReason::Packets);
        }
        let mut watched = self.watched.iter();
        watched.find_map(|file| file.changed().unwrap_or(Some(RetirementReason::Unreadable)))
    }

    /// Returns whether a UNIX socket remains in a message in flight, and with it open files.
    pub fn has_sockets_in_flight(&self) -> bool {
        self.unix_sockets
            .as_ref()
            .is_some_and(|sockets| !matches!(sockets.changed(), Ok(None)))
    }

    /// Returns the reason not to reuse the container, if there is one.
    pub fn spent(&self) -> Option<RetirementReason> {
        match self.view {
            NetworkMounts::Mounts { .. } => None,
            NetworkMounts::Fixed => self.changed(),
        }
    }

    /// Replaces the namespace by a new one if it was used. The calling process then is in the new
    /// one. `mounts` are the mount namespaces that must show it: the template's, and the scratch
    /// stage's unless that is recreated anyway.
    pub fn renew(
        &mut self,
        proc: &OwnedFd,
        network: NetworkMode,
        builder: &mut StepExecutor,
        mounts: [Option<&OwnedFd>; 2],
    ) -> Result<NetworkRenewal, StepFailed> {
        if self.changed().is_none() {
            return Ok(NetworkRenewal::Unnecessary);
        }
        unshare(CloneFlags::CLONE_NEWNET)
            .map_err(|errno| StepFailed::new("create a network namespace", errno))?;
        let control = match network {
            NetworkMode::Loopback => {
                let step = ContainerStep::BringLoopbackUp;
                Some(bring_loopback_up().map_err(|errno| StepFailed::new(step, errno))?)
            }
            NetworkMode::Disabled | NetworkMode::Local => None,
        };
        let view = std::mem::replace(&mut self.view, NetworkMounts::Fixed);
        let scratch_is_stale = view.show_again(builder, mounts)?;
        *self = OwnNetwork::observe(proc, view, control)
            .map_err(|error| StepFailed::of_io("inspect the network", &error))?;
        Ok(NetworkRenewal::Done { scratch_is_stale })
    }
}

/// Configures the kernel so that multicast memberships leave nothing behind when they end.
fn end_memberships_at_once(proc: &OwnedFd) -> MulticastMemberships {
    let told = MEMBERSHIP_VERSIONS.iter().all(|name| {
        let flags = OFlag::O_WRONLY | OFlag::O_CLOEXEC;
        match openat(proc, *name, flags, Mode::empty()) {
            Ok(file) => File::from(file).write_all_at(MEMBERSHIP_VERSION, 0).is_ok(),
            // A kernel without such memberships.
            Err(errno) => errno == Errno::ENOENT,
        }
    });
    match told {
        true => MulticastMemberships::EndAtOnce,
        false => MulticastMemberships::Linger,
    }
}

fn is_sys(step: &ContainerStep) -> bool {
    matches!(
        step,
        ContainerStep::Mount {
            file_system: FileSystem::Sys,
            ..
        }
    )
}

impl NetworkMounts {
    /// Returns the mounts of a container that show its network.
    fn of(plan: &ContainerPlan) -> NetworkMounts {
        let mut shown = Vec::new();
        let mut places: Vec<&Path> = Vec::new();
        for step in &plan.template {
            let Some(place) = step.place() else {
                continue;
            };
            let place = Path::new(OsStr::from_bytes(place.to_bytes()));
            if is_sys(step) {
                places.push(place);
            }
            if places.iter().any(|above| place.starts_with(above)) {
                match step {
                    ContainerStep::Mount { .. } | ContainerStep::Mask { .. } => {
                        shown.push(step.clone())
                    }
                    _ => return NetworkMounts::Fixed,
                }
            }
        }
        NetworkMounts::Mounts {
            template: shown,
            in_scratch: plan.scratch_mounts.iter().any(is_sys),
        }
    }

    /// Shows the calling process's network namespace in these mount namespaces, or in the current
    /// one if there is no template. Returns whether the scratch stage does not show it yet.
    fn show_again(
        &self,
        builder: &mut StepExecutor,
        mounts: [Option<&OwnedFd>; 2],
    ) -> Result<bool, StepFailed> {
        let (steps, in_scratch) = match self {
            NetworkMounts::Mounts {
                template,
                in_scratch,
            } => (template, *in_scratch),
            NetworkMounts::Fixed => return Err(StepFailed::new("mount sysfs again", Errno::EBUSY)),
        };
        if steps.is_empty() {
            return Ok(in_scratch);
        }
        let [template, scratch] = mounts;
        // Without a scratch stage there is one mount namespace, and the calling process is in it.
        if template.is_none() {
            mount_again(builder, steps)?;
            return Ok(false);
        }
        // The scratch stage's namespace comes last, because the calling process stays there for the
        // next job.
        for mounts in [template, scratch].into_iter().flatten() {
            setns(mounts, CloneFlags::CLONE_NEWNS)
                .map_err(|errno| StepFailed::new("enter the mount namespace", errno))?;
            mount_again(builder, steps)?;
        }
        Ok(in_scratch || scratch.is_none())
    }
}

/// Recreates these mounts in their places.
fn mount_again(builder: &mut StepExecutor, steps: &[ContainerStep]) -> Result<(), StepFailed> {
    for step in steps {
        match step {
            ContainerStep::Mount {
                file_system: FileSystem::Sys,
                target,
                ..
            } => builder
                .mount_sys_again(target)
                .map_err(|errno| StepFailed::new(step, errno))?,
            other => builder.run(std::slice::from_ref(other))?,
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::plan;
    use crate::spec::{
        BindAccess, ContainerSpec, Mount, MountKind, PrivilegeLevel, RootKind, WhenForbidden,
    };

    fn view(mounts: &[(&str, MountKind)]) -> NetworkMounts {
        let mounts = mounts.iter().map(|(point, kind)| Mount {
            mount_point: point.into(),
            kind: kind.clone(),
        });
        NetworkMounts::of(
            &plan(&ContainerSpec {
                root: RootKind::Skeleton(Vec::new()),
                mounts: mounts.collect(),
                network: NetworkMode::Loopback,
                hostname: "box".into(),
                user: 0,
                group: 0,
                privileges: PrivilegeLevel::Ordinary,
                services: Vec::new(),
                devices: Vec::new(),
            })
            .unwrap(),
        )
    }

    #[test]
    fn what_shows_the_network_is_known() {
        let sys = MountKind::Sys {
            when_forbidden: WhenForbidden::Fail,
        };
        let scratch = MountKind::Scratch { mode: 0o755 };
        let bind = MountKind::Bind {
            source: "/usr".into(),
            access: BindAccess::ReadOnly,
        };
        let shown = |view: NetworkMounts| match view {
            NetworkMounts::Mounts {
                template,
                in_scratch,
            } => Some((template.len(), in_scratch)),
            NetworkMounts::Fixed => None,
        };
        let at = |point: &'static str, kind: &MountKind| (point, kind.clone());
        for (mounts, expected) in [
            (
                vec![at("/tmp", &scratch), at("/proc", &MountKind::Proc)],
                Some((0, false)),
            ),
            (vec![at("/sys", &sys), at("/usr", &bind)], Some((1, false))),
            (
                vec![at("/sys", &sys), at("/sys/firmware", &MountKind::Mask)],
                Some((2, false)),
            ),
            (
                vec![at("/run", &scratch), at("/run/sys", &sys)],
                Some((0, true)),
            ),
            // The sources are inaccessible when the network is replaced.
            (vec![at("/sys", &sys), at("/sys/kernel", &bind)], None),
            (vec![at("/sys", &sys), at("/sys/kernel", &scratch)], None),
        ] {
            assert_eq!(shown(view(&mounts)), expected, "{mounts:?}");
        }
    }
}
