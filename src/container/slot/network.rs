//! The network namespace of a container, which jobs share as long as none of them uses it.
//!
//! Of what sockets leave behind (ports in `TIME_WAIT`, metrics, neighbors, counters) not much can
//! be taken back, and a namespace costs a fraction of a container. So a namespace that was used is
//! given up, and the container goes on with a fresh one.
//!
//! That it was not used is proved as follows. What an unprivileged program can leave in a network
//! namespace it leaves by a packet, or it lasts as long as a socket, with two exceptions, which are
//! made visible:
//!
//! | what | how it is seen |
//! | --- | --- |
//! | packets, and with them connections, `TIME_WAIT`, cached metrics and errors | the devices' counters, which no job can reset |
//! | sockets that live on in a message in flight, and all that is bound to them | the namespace's count of sockets |
//! | flow labels, which linger | the namespace's list of them |
//! | multicast memberships, for which the kernel answers for some seconds after they have ended | it is told to report as the first versions of IGMP and MLD do: then a membership that ends leaves nothing, and one of IPv6 is a packet at once |
//!
//! Where the kernel can't be told, every job has a namespace of its own.

use std::ffi::CStr;
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::FileExt;
use std::path::Path;

use nix::errno::Errno;
use nix::fcntl::{OFlag, openat};
use nix::sched::{CloneFlags, setns, unshare};
use nix::sys::stat::Mode;

use super::super::message::Remains;
use super::super::plan::Plan;
use super::super::spec::Network;
use super::super::step::{FileSystem, Step};
use super::super::sys::network::bring_loopback_up;
use super::audit::{Part, WatchedFile};
use super::build::{Builder, StepFailed};

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
    memberships: Memberships,
    view: View,
    /// What it was set up with. It is counted among the sockets.
    _control: Option<OwnedFd>,
}

/// Whether a multicast membership that has ended has left nothing.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Memberships {
    EndAtOnce,
    Linger,
}

/// What of the container shows one particular network namespace.
enum View {
    /// These mounts of the template: file systems of the kernel's, and what hides parts of them.
    Mounts(Vec<Step>),
    /// Mounts that can't be made again.
    Fixed,
}

/// Whether a namespace has been replaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Renewal {
    /// It was as before.
    Unnecessary,
    /// It was used. What of the template has changed is in no copy of it yet.
    Done {
        /// Whether anything of the template has changed.
        template_changed: bool,
    },
}

impl OwnNetwork {
    /// Takes over the calling process's namespace, a fresh one, as this plan made it. `proc` is an
    /// open `/proc` in which the calling process is visible.
    pub fn take(
        proc: &OwnedFd,
        plan: &Plan,
        control: Option<OwnedFd>,
    ) -> Result<OwnNetwork, StepFailed> {
        OwnNetwork::observe(proc, View::of(&plan.template), control)
            .map_err(|error| StepFailed::of_io("inspect the network", &error))
    }

    fn observe(proc: &OwnedFd, view: View, control: Option<OwnedFd>) -> io::Result<OwnNetwork> {
        let flags = OFlag::O_RDONLY | OFlag::O_CLOEXEC;
        let mut network = OwnNetwork {
            memberships: end_memberships_at_once(proc),
            namespace: openat(proc, "self/ns/net", flags, Mode::empty())?,
            watched: Vec::new(),
            view,
            _control: control,
        };
        network.watch(proc)?;
        Ok(network)
    }

    /// Takes the present state as the one to compare with.
    pub fn watch(&mut self, proc: &OwnedFd) -> io::Result<()> {
        use Remains::{Packets, Sockets};
        self.watched.clear();
        for (name, part, means) in [
            ("self/net/dev", Part::Whole, Packets),
            // `sockets: used N`; the lines after it count for the whole machine.
            ("self/net/sockstat", Part::FirstLine, Sockets),
            ("self/net/ip6_flowlabel", Part::Whole, Sockets),
        ] {
            match WatchedFile::open(proc, name, part, means) {
                Ok(file) => self.watched.push(file),
                // A kernel without IPv6.
                Err(error) if error.kind() == io::ErrorKind::NotFound && part == Part::Whole => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// For those who are to enter it.
    pub fn namespace(&self) -> BorrowedFd<'_> {
        self.namespace.as_fd()
    }

    /// What has been left in it, if anything has, or can't be excluded.
    pub fn changed(&self) -> Option<Remains> {
        if self.memberships == Memberships::Linger {
            return Some(Remains::Packets);
        }
        let mut watched = self.watched.iter();
        watched.find_map(|file| file.changed().unwrap_or(Some(Remains::Unreadable)))
    }

    /// What keeps the container from going on, if anything does.
    pub fn spent(&self) -> Option<Remains> {
        match self.view {
            View::Mounts(_) => None,
            View::Fixed => self.changed(),
        }
    }

    /// Gives the namespace up for a fresh one if it was used. The calling process is then in that,
    /// and, where the template shows it, in the template's mount namespace.
    pub fn renew(
        &mut self,
        proc: &OwnedFd,
        network: Network,
        builder: &mut Builder,
        template: Option<&OwnedFd>,
    ) -> Result<Renewal, StepFailed> {
        if self.changed().is_none() {
            return Ok(Renewal::Unnecessary);
        }
        unshare(CloneFlags::CLONE_NEWNET)
            .map_err(|errno| StepFailed::new("create a network namespace", errno))?;
        let control = match network {
            Network::Loopback => {
                let step = Step::BringLoopbackUp;
                Some(bring_loopback_up().map_err(|errno| StepFailed::new(step, errno))?)
            }
            Network::Disabled | Network::Local => None,
        };
        let view = std::mem::replace(&mut self.view, View::Fixed);
        let template_changed = view.show_again(builder, template)?;
        *self = OwnNetwork::observe(proc, view, control)
            .map_err(|error| StepFailed::of_io("inspect the network", &error))?;
        Ok(Renewal::Done { template_changed })
    }
}

/// Sees to it that multicast memberships leave nothing behind when they end.
fn end_memberships_at_once(proc: &OwnedFd) -> Memberships {
    let told = MEMBERSHIP_VERSIONS.iter().all(|name| {
        let flags = OFlag::O_WRONLY | OFlag::O_CLOEXEC;
        match openat(proc, *name, flags, Mode::empty()) {
            Ok(file) => File::from(file).write_all_at(MEMBERSHIP_VERSION, 0).is_ok(),
            // A kernel without such memberships.
            Err(errno) => errno == Errno::ENOENT,
        }
    });
    match told {
        true => Memberships::EndAtOnce,
        false => Memberships::Linger,
    }
}

impl View {
    /// What a template shows of the network.
    fn of(template: &[Step]) -> View {
        let mut shown = Vec::new();
        let mut places: Vec<&Path> = Vec::new();
        for step in template {
            let Some(target) = place_of(step) else {
                continue;
            };
            let is_sys = matches!(
                step,
                Step::Mount {
                    file_system: FileSystem::Sys,
                    ..
                }
            );
            if is_sys {
                places.push(target);
            }
            if places.iter().any(|place| target.starts_with(place)) {
                match step {
                    Step::Mount { .. } | Step::Mask { .. } => shown.push(step.clone()),
                    _ => return View::Fixed,
                }
            }
        }
        View::Mounts(shown)
    }

    /// Shows the calling process's network namespace. Returns whether there was anything to do.
    fn show_again(
        &self,
        builder: &mut Builder,
        template: Option<&OwnedFd>,
    ) -> Result<bool, StepFailed> {
        let steps = match self {
            View::Mounts(steps) => steps,
            View::Fixed => return Err(StepFailed::new("mount sysfs again", Errno::EBUSY)),
        };
        if steps.is_empty() {
            return Ok(false);
        }
        if let Some(template) = template {
            setns(template, CloneFlags::CLONE_NEWNS)
                .map_err(|errno| StepFailed::new("enter the mount namespace", errno))?;
        }
        for step in steps {
            match step {
                Step::Mount {
                    file_system: FileSystem::Sys,
                    target,
                    ..
                } => builder
                    .mount_sys_again(target)
                    .map_err(|errno| StepFailed::new(step, errno))?,
                other => builder.run(std::slice::from_ref(other))?,
            }
        }
        Ok(true)
    }
}

/// Where in the container a step puts something.
fn place_of(step: &Step) -> Option<&Path> {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;
    let place: &CStr = match step {
        Step::BindHost { target, .. }
        | Step::BindStash { target, .. }
        | Step::Mount { target, .. }
        | Step::MountOverlay { target, .. }
        | Step::GuardProc { target }
        | Step::Mask { target } => target,
        Step::MakeDirectory { path, .. }
        | Step::MakeMountPoint { path, .. }
        | Step::WriteFile { path, .. }
        | Step::MakeSymlink { path, .. }
        | Step::EnterStash { path } => path,
        Step::StashHost { name, .. } => name,
        Step::Privatize
        | Step::EnterEmptyRoot
        | Step::EnterLayers { .. }
        | Step::SealRoot
        | Step::LeaveHost
        | Step::SetHostName { .. }
        | Step::BringLoopbackUp => return None,
    };
    Some(Path::new(OsStr::from_bytes(place.to_bytes())))
}
