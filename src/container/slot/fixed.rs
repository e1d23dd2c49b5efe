//! What of a container's mounts outside of the scratch stage a job can change all the same: compared,
//! since nobody can make it as it was. See [`crate::container::plan::Plan::shown`] and
//! [`crate::container::plan::Plan::root_watched`].

use std::ffi::{CString, OsStr};
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use nix::errno::Errno;
use nix::fcntl::{AtFlags, OFlag, open};
use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify};
use nix::sys::stat::{Mode, SFlag, fstat, fstatat};

use super::super::message::Remains;
use super::super::plan::Plan;
use super::super::step::Step;
use super::audit::{Stamp, stamp_at, usage};
use super::kernel_files::{KernelFiles, Watch};

/// The state of these mounts before the first job.
pub struct Fixed {
    kernel_files: Option<Watch>,
    root: Option<Root>,
    shown: Vec<(OwnedFd, Stamp)>,
}

/// A root that takes writes.
struct Root {
    directory: OwnedFd,
    usage: (u64, u64),
    stamps: Vec<(CString, Stamp)>,
    /// Reports what is written through mappings, for which a tmpfs changes no time. `None` where the
    /// kernel has no more watches to give. It does not report flags that `chattr` sets, whose change the
    /// stamps show.
    reports: Option<Inotify>,
}

impl Fixed {
    /// Takes it, in the container. `before` is the state that held until the last scratch stage, of
    /// which the root still is what it was.
    pub fn take(
        plan: &Plan,
        kernel_files: &KernelFiles,
        before: Option<Fixed>,
    ) -> nix::Result<Fixed> {
        let (watch, root) = match before {
            Some(before) => (before.kernel_files, before.root),
            None => (None, None),
        };
        let root = match (root, &plan.root_watched) {
            (Some(root), _) => Some(root),
            (None, Some(watched)) => Some(Root::take(watched)?),
            (None, None) => None,
        };
        let again = plan.scratch_mounts.iter().filter_map(guarded);
        let watch = match watch {
            Some(watch) if again.clone().next().is_none() => Some(watch),
            Some(_) | None => {
                let template = plan.template.iter().filter_map(guarded);
                kernel_files.watch(template.chain(again))?
            }
        };
        let shown = plan.shown.iter().map(|path| {
            let flags = OFlag::O_PATH | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
            let inode = open(path.as_c_str(), flags, Mode::empty())?;
            let stamp = Stamp::of(&fstat(&inode)?);
            Ok((inode, stamp))
        });
        Ok(Fixed {
            kernel_files: watch,
            root,
            shown: shown.collect::<nix::Result<_>>()?,
        })
    }

    /// The first thing found that is not as it was.
    pub fn changed(&self) -> Option<Remains> {
        self.compare().unwrap_or(Some(Remains::Unreadable))
    }

    /// Whether the machine's files in `proc` have changed, or may have.
    pub fn kernel_files_changed(&self, kernel_files: &KernelFiles) -> bool {
        let watch = self.kernel_files.as_ref();
        watch.is_some_and(|watch| watch.noticed(kernel_files).unwrap_or(true))
    }

    fn compare(&self) -> nix::Result<Option<Remains>> {
        for (inode, before) in &self.shown {
            if !before.is_only_used(Stamp::of(&fstat(inode)?)) {
                return Ok(Some(Remains::Shown));
            }
        }
        match &self.root {
            Some(root) if root.has_changed()? => Ok(Some(Remains::Root)),
            Some(_) | None => Ok(None),
        }
    }
}

impl Root {
    fn take(watched: &[CString]) -> nix::Result<Root> {
        let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
        let directory = open("/", flags, Mode::empty())?;
        let here = fstat(&directory)?.st_dev;
        // What another file system is mounted on, no job reaches.
        let own = watched.iter().filter_map(|path| {
            let flags = AtFlags::AT_SYMLINK_NOFOLLOW;
            let stat = fstatat(&directory, path.as_c_str(), flags).ok()?;
            (stat.st_dev == here).then_some((path, stat))
        });
        // Sockets and block devices have the bit of directories among theirs.
        let is_directory = |mode| mode & SFlag::S_IFMT.bits() == SFlag::S_IFDIR.bits();
        let directories = own.clone().filter(|(_, stat)| is_directory(stat.st_mode));
        let reports = match report(directories.map(|(path, _)| path)) {
            Ok(inotify) => Some(inotify),
            Err(Errno::EMFILE | Errno::ENFILE | Errno::ENOSPC | Errno::ENOMEM) => None,
            Err(errno) => return Err(errno),
        };
        let stamps = own.map(|(path, stat)| (path.clone(), Stamp::of(&stat)));
        let stamps = stamps.collect();
        Ok(Root {
            reports,
            usage: usage(&directory)?,
            stamps,
            directory,
        })
    }

    fn has_changed(&self) -> nix::Result<bool> {
        if let Some(inotify) = &self.reports
            && has_events(inotify)?
        {
            return Ok(true);
        }
        if usage(&self.directory)? != self.usage {
            return Ok(true);
        }
        for (path, before) in &self.stamps {
            if stamp_at(&self.directory, path).ok() != Some(*before) {
                return Ok(true);
            }
        }
        Ok(false)
    }
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

/// Has the kernel report all changes from now on to these directories, relative to the root, and to
/// what is in them.
fn report<'a>(directories: impl Iterator<Item = &'a CString>) -> nix::Result<Inotify> {
    let inotify = Inotify::init(InitFlags::IN_NONBLOCK | InitFlags::IN_CLOEXEC)?;
    let flags = CHANGES | AddWatchFlags::IN_ONLYDIR | AddWatchFlags::IN_DONT_FOLLOW;
    inotify.add_watch("/", flags)?;
    for directory in directories {
        let relative = OsStr::from_bytes(directory.to_bytes());
        inotify.add_watch(&Path::new("/").join(relative), flags)?;
    }
    Ok(inotify)
}

/// Whether something was reported.
pub(super) fn has_events(inotify: &Inotify) -> nix::Result<bool> {
    match inotify.read_events() {
        Ok(events) => Ok(!events.is_empty()),
        Err(Errno::EAGAIN) => Ok(false),
        Err(errno) => Err(errno),
    }
}

/// Where this step has found a `proc`.
fn guarded(step: &Step) -> Option<&CString> {
    match step {
        Step::GuardProc { target } => Some(target),
        _ => None,
    }
}
