//! Detects a job's changes to mounts outside of the scratch stage, which cannot be undone. See
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

/// A root that takes writes.
struct WritableRoot {
    directory: OwnedFd,
    usage: (u64, u64),
}

/// How changes are noticed that cannot be compared, or would cost too much to compare.
enum MountWatches {
    /// No job can make any.
    Unnecessary,
    /// The kernel reports them. One descriptor is used for all, since the kernel takes some ten
    /// milliseconds to close it.
    Reported {
        inotify: Inotify,
        /// Those of the root. Every change is reported but the flags of `chattr`, which the filter
        /// refuses. Times would not do: a tmpfs changes none for what is written through a mapping.
        of_root: HashSet<WatchDescriptor>,
    },
    /// The kernel has no more watches to give: a user may have some 128 descriptors. The machine's
    /// files are compared in the `proc`s at these places; changes to a root cannot be excluded.
    Exhausted(Vec<PathBuf>),
}

/// What was reported since the last time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ReportedChanges {
    /// Changes to the machine's files in `proc`.
    pub kernel_files: bool,
    /// Changes to a root that takes writes.
    pub root: bool,
}

impl MountBaseline {
    /// Takes it, in the container. `before` is the state that held until the last scratch stage, of
    /// which the root still is what it was.
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

    /// What has been reported since this was called last. Everything, where that is unknown.
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

    /// The first difference from the baseline, besides what was reported.
    pub fn changed(&self) -> Option<RetirementReason> {
        self.compare().unwrap_or(Some(RetirementReason::Unreadable))
    }

    /// Whether a file that is still open somewhere can hold a change that is not reported yet: what
    /// was written through a mapping is when the file is closed.
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

    /// After the scratch stage was made again.
    fn again(self, plan: &ContainerPlan, kernel_files: &KernelFiles) -> nix::Result<MountWatches> {
        let MountWatches::Reported { inotify, of_root } = self else {
            return Ok(self);
        };
        // The template's are watched already, and have not been made again.
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

/// What these events say.
fn reported(events: &[InotifyEvent], of_root: &HashSet<WatchDescriptor>) -> ReportedChanges {
    let mut reported = ReportedChanges::default();
    for event in events {
        // The kernel has dropped events, and does not say which.
        if event.mask.contains(AddWatchFlags::IN_Q_OVERFLOW) {
            return ReportedChanges {
                kernel_files: true,
                root: true,
            };
        }
        if of_root.contains(&event.wd) {
            reported.root = true;
        } else if event.mask.contains(AddWatchFlags::IN_ATTRIB) {
            // All others say that a `proc` has gone with its scratch stage.
            reported.kernel_files = true;
        }
    }
    reported
}

/// Whatever changes a directory, or something in it.
const CHANGES: AddWatchFlags = AddWatchFlags::IN_ATTRIB
    .union(AddWatchFlags::IN_MODIFY)
    .union(AddWatchFlags::IN_CLOSE_WRITE)
    .union(AddWatchFlags::IN_MOVE)
    .union(AddWatchFlags::IN_CREATE)
    .union(AddWatchFlags::IN_DELETE)
    .union(AddWatchFlags::IN_DELETE_SELF)
    .union(AddWatchFlags::IN_MOVE_SELF);

/// Has the kernel report all changes from now on to the directories among these places, relative to
/// the root, and to what is in them.
fn watch_root(inotify: &Inotify, watched: &[CString]) -> nix::Result<HashSet<WatchDescriptor>> {
    let root = open("/", OFlag::O_PATH | OFlag::O_CLOEXEC, Mode::empty())?;
    let here = fstat(&root)?.st_dev;
    let is_own_directory = |path: &&CString| {
        fstatat(&root, path.as_c_str(), AtFlags::AT_SYMLINK_NOFOLLOW).is_ok_and(|stat| {
            // What another file system is mounted on, no job reaches. Sockets and block devices
            // have the bit of directories among theirs.
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

/// Where a plan mounts `proc`.
fn places(plan: &ContainerPlan) -> Vec<PathBuf> {
    guarded(&plan.template)
        .chain(guarded(&plan.scratch_mounts))
        .collect()
}

/// Where these steps have found a `proc`.
fn guarded(steps: &[ContainerStep]) -> impl Iterator<Item = PathBuf> {
    steps.iter().filter_map(|step| match step {
        ContainerStep::GuardProc { target } => Some(OsStr::from_bytes(target.to_bytes()).into()),
        _ => None,
    })
}
