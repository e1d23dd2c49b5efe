//! Detects a job's changes to mounts outside the scratch stage, which cannot be undone. See
//! [`crate::plan::ContainerPlan::shown`] and [`crate::plan::ContainerPlan::root_watched`].

use std::collections::HashSet;
use std::ffi::{CString, OsStr};
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::{AtFlags, OFlag, open};
use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify, InotifyEvent, WatchDescriptor};
use nix::sys::stat::{Mode, SFlag, fstat, fstatat};

use super::super::message::RetirementReason;
use super::super::plan::ContainerPlan;
use super::super::step::ContainerStep;
use super::audit::{InodeStamp, usage};
use super::kernel_files::KernelFiles;

/// The state of these mounts before the first job.
pub struct MountBaseline {
    watches: MountWatches,
    root: Option<WritableRoot>,
    shown: Vec<(OwnedFd, InodeStamp)>,
}

/// A root file system that jobs can write to.
struct WritableRoot {
    directory: OwnedFd,
    usage: (u64, u64),
}

/// How changes are detected that cannot be compared, or are too expensive to compare.
enum MountWatches {
    /// No job can make such changes.
    Unnecessary,
    /// The kernel reports them. All watches share one inotify instance, because the kernel takes
    /// about ten milliseconds to close one.
    Reported {
        inotify: Inotify,
        /// The watches of the root. Every change is reported except the flags set by `chattr`,
        /// which the filter blocks. Times would not suffice: a tmpfs does not update them for
        /// writes through a mapping.
        of_root: HashSet<WatchDescriptor>,
    },
    /// The kernel has no more inotify instances or watches (by default 128 instances per user). The
    /// machine's files are compared in the `proc` mounted at these paths; changes to a root cannot
    /// be excluded.
    Exhausted(Vec<PathBuf>),
}

/// The changes reported since the last call.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ReportedChanges {
    /// Changes to the machine's files in `proc`.
    pub kernel_files: bool,
    /// Changes to a writable root.
    pub root: bool,
}

impl MountBaseline {
    /// Takes the baseline from within the container. `before` is the baseline of the previous
    /// scratch stage, whose root is still valid.
    pub fn take(
        plan: &ContainerPlan,
        kernel_files: &KernelFiles,
        before: Option<MountBaseline>,
    ) -> nix::Result<MountBaseline> {
        let (watches, root) = match before {
            Some(before) => (before.watches.again(plan, kernel_files)?, before.root),
            None => (
                MountWatches::of(plan, kernel_files)?,
                plan.root_watched
                    .as_ref()
                    .map(|_| WritableRoot::take())
                    .transpose()?,
            ),
        };
        let shown = plan.shown.iter().map(|path| {
            let flags = OFlag::O_PATH | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
            let inode = open(path.as_c_str(), flags, Mode::empty())?;
            let stamp = InodeStamp::of(&fstat(&inode)?);
            Ok((inode, stamp))
        });
        Ok(MountBaseline {
            watches,
            root,
            shown: shown.collect::<nix::Result<_>>()?,
        })
    }

    /// Returns the changes reported since the last call. If they are unknown, reports all as
    /// changed.
    pub fn reported(&self, kernel_files: &KernelFiles) -> ReportedChanges {
        match &self.watches {
            MountWatches::Unnecessary => ReportedChanges::default(),
            MountWatches::Exhausted(places) => ReportedChanges {
                kernel_files: kernel_files.differ(places),
                root: self.root.is_some(),
            },
            MountWatches::Reported { inotify, of_root } => match inotify.read_events() {
                Ok(events) => reported(&events, of_root),
                Err(Errno::EAGAIN) => ReportedChanges::default(),
                Err(_) => ReportedChanges {
                    kernel_files: true,
                    root: true,
                },
            },
        }
    }

    /// Returns the first difference from the baseline, apart from reported changes.
    pub fn changed(&self) -> Option<RetirementReason> {
        self.compare().unwrap_or(Some(RetirementReason::Unreadable))
    }

    /// Returns whether a file that is still open somewhere can hold a change that was not reported
    /// yet: writes through a mapping are reported when the file is closed.
    pub fn reports_when_closed(&self) -> bool {
        self.root.is_some()
    }

    fn compare(&self) -> nix::Result<Option<RetirementReason>> {
        for (inode, before) in &self.shown {
            if !before.is_only_used(InodeStamp::of(&fstat(inode)?)) {
                return Ok(Some(RetirementReason::Shown));
            }
        }
        match &self.root {
            Some(root) if usage(&root.directory)? != root.usage => Ok(Some(RetirementReason::Root)),
            Some(_) | None => Ok(None),
        }
    }
}

impl WritableRoot {
    fn take() -> nix::Result<WritableRoot> {
        let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
        let directory = open("/", flags, Mode::empty())?;
        Ok(WritableRoot {
            usage: usage(&directory)?,
            directory,
        })
    }
}

impl MountWatches {
    fn of(plan: &ContainerPlan, kernel_files: &KernelFiles) -> nix::Result<MountWatches> {
        let root = plan.root_watched.as_deref();
        if root.is_none() && kernel_files.is_empty() {
            return Ok(MountWatches::Unnecessary);
        }
        let inotify = match Inotify::init(InitFlags::IN_NONBLOCK | InitFlags::IN_CLOEXEC) {
            Ok(inotify) => inotify,
            Err(errno) => return MountWatches::without(errno, plan),
        };
        let watched = root.map_or(Ok(HashSet::new()), |root| watch_root(&inotify, root));
        let watched = watched.and_then(|of_root| {
            kernel_files.watch(&inotify, &places(plan))?;
            Ok(of_root)
        });
        match watched {
            Ok(of_root) => Ok(MountWatches::Reported { inotify, of_root }),
            Err(errno) => MountWatches::without(errno, plan),
        }
    }

    /// Updates the watches after the scratch stage was recreated.
    fn again(self, plan: &ContainerPlan, kernel_files: &KernelFiles) -> nix::Result<MountWatches> {
        let MountWatches::Reported { inotify, of_root } = self else {
            return Ok(self);
        };
        // The mounts of the template are watched already and were not recreated.
        let remade: Vec<PathBuf> = guarded(&plan.scratch_mounts).collect();
        match kernel_files.watch(&inotify, &remade) {
            Ok(()) => Ok(MountWatches::Reported { inotify, of_root }),
            Err(errno) => MountWatches::without(errno, plan),
        }
    }

    fn without(errno: Errno, plan: &ContainerPlan) -> nix::Result<MountWatches> {
        match errno {
            Errno::EMFILE | Errno::ENFILE | Errno::ENOSPC | Errno::ENOMEM => {
                Ok(MountWatches::Exhausted(places(plan)))
            }
            errno => Err(errno),
        }
    }
}

/// Returns the changes that these events report.
fn reported(events: &[InotifyEvent], of_root: &HashSet<WatchDescriptor>) -> ReportedChanges {
    let mut reported = ReportedChanges::default();
    for event in events {
        // The kernel has dropped events, so anything may have changed.
        if event.mask.contains(AddWatchFlags::IN_Q_OVERFLOW) {
            return ReportedChanges {
                kernel_files: true,
                root: true,
            };
        }
        if of_root.contains(&event.wd) {
            reported.root = true;
        } else if event.mask.contains(AddWatchFlags::IN_ATTRIB) {
            // All other events report that a `proc` was removed with its scratch stage.
            reported.kernel_files = true;
        }
    }
    reported
}

/// All events that report a change of a directory or its entries.
const CHANGES: AddWatchFlags = AddWatchFlags::IN_ATTRIB
    .union(AddWatchFlags::IN_MODIFY)
    .union(AddWatchFlags::IN_CLOSE_WRITE)
    .union(AddWatchFlags::IN_MOVE)
    .union(AddWatchFlags::IN_CREATE)
    .union(AddWatchFlags::IN_DELETE)
    .union(AddWatchFlags::IN_DELETE_SELF)
    .union(AddWatchFlags::IN_MOVE_SELF);

/// Watches the root and those of these paths that are directories, for changes to them and their
/// entries. The paths are relative to the root.
fn watch_root(inotify: &Inotify, watched: &[CString]) -> nix::Result<HashSet<WatchDescriptor>> {
    let root = open("/", OFlag::O_PATH | OFlag::O_CLOEXEC, Mode::empty())?;
    let here = fstat(&root)?.st_dev;
    let is_own_directory = |path: &&CString| {
        fstatat(&root, path.as_c_str(), AtFlags::AT_SYMLINK_NOFOLLOW).is_ok_and(|stat| {
            // A directory covered by another file system is not accessible to jobs. The file type
            // is compared as a whole, because the types of sockets and block devices include the
            // bit of directories.
            let kind = stat.st_mode & SFlag::S_IFMT.bits();
            stat.st_dev == here && kind == SFlag::S_IFDIR.bits()
        })
    };
    let directories = watched.iter().filter(is_own_directory);
    let directories = directories.map(|path| OsStr::from_bytes(path.to_bytes()));
    let flags = CHANGES | AddWatchFlags::IN_ONLYDIR | AddWatchFlags::IN_DONT_FOLLOW;
    let all = std::iter::once(OsStr::new("")).chain(directories);
    all.map(|directory| inotify.add_watch(&Path::new("/").join(directory), flags))
        .collect()
}

/// Returns the paths where a plan mounts `proc`.
fn places(plan: &ContainerPlan) -> Vec<PathBuf> {
    guarded(&plan.template)
        .chain(guarded(&plan.scratch_mounts))
        .collect()
}

/// Returns the paths where these steps guard a `proc`.
fn guarded(steps: &[ContainerStep]) -> impl Iterator<Item = PathBuf> {
    steps.iter().filter_map(|step| match step {
        ContainerStep::GuardProc { target } => Some(OsStr::from_bytes(target.to_bytes()).into()),
        _ => None,
    })
}
