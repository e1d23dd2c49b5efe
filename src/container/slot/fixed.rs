//! What of a container's mounts outside of the scratch stage a job can change all the same: compared,
//! since nobody can make it as it was. See [`crate::container::plan::Plan::shown`] and
//! [`crate::container::plan::Plan::root_watched`].

use std::ffi::CString;
use std::os::fd::OwnedFd;

use nix::fcntl::{AtFlags, OFlag, open};
use nix::sys::stat::{Mode, fstat, fstatat};

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
            let stamp = shown_stamp(&inode)?;
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
            if shown_stamp(inode)? != *before {
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
        let is_own = |path: &&CString| {
            let flags = AtFlags::AT_SYMLINK_NOFOLLOW;
            fstatat(&directory, path.as_c_str(), flags).is_ok_and(|stat| stat.st_dev == here)
        };
        let stamp = |path: &CString| Ok((path.clone(), stamp_at(&directory, path)?));
        let stamps = watched.iter().filter(is_own).map(stamp);
        let stamps = stamps.collect::<nix::Result<_>>()?;
        Ok(Root {
            usage: usage(&directory)?,
            stamps,
            directory,
        })
    }

    fn has_changed(&self) -> nix::Result<bool> {
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

/// Where this step has found a `proc`.
fn guarded(step: &Step) -> Option<&CString> {
    match step {
        Step::GuardProc { target } => Some(target),
        _ => None,
    }
}

fn shown_stamp(inode: &OwnedFd) -> nix::Result<Stamp> {
    Ok(Stamp::of(&fstat(inode)?).without_use())
}
