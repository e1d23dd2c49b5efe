//! The network namespace of a container, shared by its jobs as long as none of them uses it.
//!
//! Little of what sockets leave behind (ports in `TIME_WAIT`, metrics, neighbors, counters) can be
//! undone, and a namespace costs a fraction of a container. So a used namespace is replaced by a
//! fresh one, and the container stays.
//!
//! How to tell that it was not used: whatever an unprivileged program can leave in a network
//! namespace either needs a packet or lasts as long as a socket. The two exceptions are made
//! visible:
//!
//! | what | how it is detected |
//! | --- | --- |
//! | packets, and with them connections, `TIME_WAIT`, cached metrics and errors | the devices' counters, which no job can reset |
//! | sockets that live on in a message in flight, and all that is bound to them | the namespace's count of sockets |
//! | flow labels, which linger | the namespace's list of them |
//! | multicast memberships, which the kernel still reports for some seconds after they have ended | the kernel is set to the first versions of IGMP and MLD: a membership that ends then leaves nothing, and one of IPv6 sends a packet at once |
//!
//! Where the kernel does not support these settings, every job has its own namespace.

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

/// Where the kernel is told which version of its protocol it is to use for multicast memberships.
const MEMBERSHIP_VERSIONS: [&str; 2] = [
    "sys/net/ipv4/conf/all/force_igmp_version",
    "sys/net/ipv6/conf/all/force_mld_version",
];

/// The first, which knows of no reports after a membership has ended.
const MEMBERSHIP_VERSION: &[u8] = b"1";

/// The container's present namespace.
pub struct OwnNetwork {
    namespace: OwnedFd,
    watched: Vec<WatchedFile>,
    /// One line for each. Nothing in a kernel without them.
    unix_sockets: Option<WatchedFile>,
    memberships: MulticastMemberships,
    view: NetworkMounts,
    /// What it was set up with. It is counted among the sockets.
    _control: Option<OwnedFd>,
}

/// Whether a multicast membership that has ended has left nothing.
#[derive(Clone, Copy, PartialEq, Eq)]
enum MulticastMemberships {
    EndAtOnce,
    Linger,
}

/// The mounts of the container that show one particular network namespace.
enum NetworkMounts {
    Mounts {
        /// Those of the template: sysfs, and what hides parts of it.
        template: Vec<ContainerStep>,
        /// Whether the scratch stage has some of its own.
        in_scratch: bool,
    },
    /// Mounts that can't be made again.
    Fixed,
}

/// Whether a namespace has been replaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NetworkRenewal {
    /// It was as before.
    Unnecessary,
    Done {
        /// Whether the scratch stage shows the old one, and must be made again.
        scratch_is_stale: bool,
    },
}

impl OwnNetwork {
    /// Takes over the calling process's namespace, a fresh one, as this plan made it; nothing where
    /// it is the host's, or the only job may do with it what it wants. `proc` is an open `/proc` in
    /// which the calling process is visible.
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
            // `sockets: used N`; the lines after it count for the whole machine.
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

    /// For those who are to enter it.
    pub fn namespace(&self) -> BorrowedFd<'_> {
        self.namespace.as_fd()
    }

    /// What has been left in it, if anything has, or can't be excluded.
    pub fn changed(&self) -> Option<RetirementReason> {
        if self.memberships == MulticastMemberships::Linger {
            return Some(RetirementReason::Packets);
        }
        let mut watched = self.watched.iter();
        watched.find_map(|file| file.changed().unwrap_or(Some(RetirementReason::Unreadable)))
    }

    /// Whether a socket of the UNIX domain lives on in a message in flight, and with it files that
    /// are open.
    pub fn has_sockets_in_flight(&self) -> bool {
        self.unix_sockets
            .as_ref()
            .is_some_and(|sockets| !matches!(sockets.changed(), Ok(None)))
    }

    /// The reason not to reuse the container, if there is one.
    pub fn spent(&self) -> Option<RetirementReason> {
        match self.view {
            NetworkMounts::Mounts { .. } => None,
            NetworkMounts::Fixed => self.changed(),
        }
    }

    /// Gives the namespace up for a fresh one if it was used. The calling process is then in that.
    /// `mounts` are the mount namespaces that are to show it: the template's, and the scratch
    /// stage's, if that is not to be made again anyway.
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

/// Sees to it that multicast memberships leave nothing behind when they end.
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
    /// What a container shows of the network.
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

    /// Shows the calling process's network namespace in these mount namespaces, or in the only one
    /// there is. Returns whether the scratch stage does not show it yet.
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
        // The scratch stage's namespace is the last, since the calling process stays there for the
        // next job.
        for mounts in [template, scratch].into_iter().flatten() {
            setns(mounts, CloneFlags::CLONE_NEWNS)
                .map_err(|errno| StepFailed::new("enter the mount namespace", errno))?;
            mount_again(builder, steps)?;
        }
        Ok(in_scratch || scratch.is_none())
    }
}

/// Makes these mounts again, in their places.
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
            // Their sources are out of reach when the network is replaced.
            (vec![at("/sys", &sys), at("/sys/kernel", &bind)], None),
            (vec![at("/sys", &sys), at("/sys/kernel", &scratch)], None),
        ] {
            assert_eq!(shown(view(&mounts)), expected, "{mounts:?}");
        }
    }
}
