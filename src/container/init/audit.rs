//! Checks after each job that the container is as it was before, or reports what differs.
//!
//! A job in a container cannot change its mounts, network devices or host name, because it has no
//! capabilities in the namespaces that own them. The following is the complete list of what it can
//! leave behind, and the audit checks each of these (for the network see [`super::network`]):
//!
//! - Files, directories and their attributes: the inodes and blocks in use in the scratch tmpfs,
//!   and `stat` (including the change time) of each directory that existed before.
//! - The root of user 0, and the directories of terminals and queues: inotify and `stat`, by
//!   [`super::fixed`].
//! - System V objects and POSIX message queues: the namespace's counts, and the root of the queue
//!   file system.
//! - Nested namespaces, which the kernel destroys with a delay: the count of user namespaces,
//!   against a limit of one.
//! - Limits, affinity, priorities and the OOM score of PID 1, which later jobs inherit: read again
//!   and compared.
//!
//! Processes, open files, locks, timers, pseudo-terminals, pipes and unnamed shared memory end with
//! the job's last process; [`super::process`] waits for that before the audit. Keyrings and vsock
//! ports are blocked ([`super::super::filter`]). Counters such as inode numbers are not compared,
//! because no test can depend on them.

use std::ffi::CString;
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use nix::errno::Errno;
use nix::fcntl::{AtFlags, OFlag, open, openat};
use nix::sys::stat::{FileStat, Mode, fstat, fstatat};
use nix::sys::statfs::fstatfs;

use super::super::message::RetirementReason;
use super::super::sys::state::{
    ProcessAttributes, SystemVObjects, process_attributes, system_v_objects,
};
use super::limit;
use super::namespaces::NamespaceLimit;

/// The result of an audit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AuditOutcome {
    /// Nothing has changed. The next job can use the container as it is.
    Pristine,
    /// Files were written, and nothing else changed. A new scratch stage restores the container.
    FilesWritten,
    /// Something else has changed or cannot be read. The container is not reused.
    Altered(RetirementReason),
}

/// The state of everything except files before the first job.
pub struct KernelBaseline {
    watched: Vec<WatchedFile>,
    system_v: SystemVObjects,
    queues: Option<(OwnedFd, InodeStamp)>,
    attributes: ProcessAttributes,
    nesting: NamespaceLimit,
}

/// A file in `/proc` whose content must not change.
pub struct WatchedFile {
    file: File,
    part: ComparedPart,
    means: RetirementReason,
    before: Vec<u8>,
}

/// The part of a [`WatchedFile`] that is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ComparedPart {
    Whole,
    FirstLine,
    /// The number of lines within the first [`WATCHED_BYTES_MAX`] bytes.
    LineCount,
}

/// The maximum number of bytes that are read of a file. The watched files are shorter in a
/// container, which has one network device.
const WATCHED_BYTES_MAX: usize = 4096;

impl WatchedFile {
    /// Reads a file's current content as its baseline. `proc` is a descriptor of a `/proc` in which
    /// the calling process is visible. `means` is the reason to report if the content changes.
    pub fn open(
        proc: &OwnedFd,
        name: &str,
        part: ComparedPart,
        means: RetirementReason,
    ) -> io::Result<WatchedFile> {
        let flags = OFlag::O_RDONLY | OFlag::O_CLOEXEC;
        let file = File::from(nix::fcntl::openat(proc, name, flags, Mode::empty())?);
        let mut watched = WatchedFile {
            file,
            part,
            means,
            before: Vec::new(),
        };
        watched.before = watched.read()?;
        Ok(watched)
    }

    fn read(&self) -> io::Result<Vec<u8>> {
        let mut buffer = [0; WATCHED_BYTES_MAX];
        // The kernel generates new content for each read from offset 0.
        let length = self.file.read_at(&mut buffer, 0)?;
        let text = buffer.get(..length).unwrap_or_default();
        let mut ends = text.iter().enumerate().filter(|(_, byte)| **byte == b'\n');
        Ok(match self.part {
            ComparedPart::Whole => text.to_vec(),
            ComparedPart::FirstLine => {
                let end = ends.next().map_or(length, |(end, _)| end);
                text.get(..end).unwrap_or_default().to_vec()
            }
            ComparedPart::LineCount => ends.count().to_ne_bytes().to_vec(),
        })
    }

    /// Returns the reason to report if the content has changed.
    pub fn changed(&self) -> io::Result<Option<RetirementReason>> {
        Ok((self.read()? != self.before).then_some(self.means))
    }
}

impl KernelBaseline {
    /// Takes the baseline. `proc` is an open `/proc` in which the calling process is visible,
    /// `queues` the root of its message queue file system.
    pub fn take(
        proc: &OwnedFd,
        queues: Option<OwnedFd>,
        nesting: NamespaceLimit,
    ) -> io::Result<KernelBaseline> {
        let mut watched = Vec::new();
        // A kernel that was built without the corresponding features lacks these files.
        for name in [
            "self/oom_score_adj",
            "self/coredump_filter",
            "self/autogroup",
        ] {
            let file = WatchedFile::open(
                proc,
                name,
                ComparedPart::Whole,
                RetirementReason::Attributes,
            );
            watched.extend(file.ok());
        }
        let queues = match queues {
            Some(root) => {
                let stamp = InodeStamp::of(&fstat(&root)?);
                Some((root, stamp))
            }
            None => None,
        };
        Ok(KernelBaseline {
            watched,
            system_v: system_v_objects()?,
            queues,
            attributes: process_attributes()?,
            nesting,
        })
    }

    /// Must be called after the calling process has changed its root directory.
    pub fn enter_root(&mut self) -> nix::Result<()> {
        self.nesting.enter_root()
    }

    /// Returns the first difference from the baseline.
    pub fn changed(&self) -> Option<RetirementReason> {
        self.compare().unwrap_or(Some(RetirementReason::Unreadable))
    }

    fn compare(&self) -> io::Result<Option<RetirementReason>> {
        for watched in &self.watched {
            if let Some(remains) = watched.changed()? {
                return Ok(Some(remains));
            }
        }
        if let Some((root, before)) = &self.queues
            && InodeStamp::of(&fstat(root)?) != *before
        {
            return Ok(Some(RetirementReason::Queues));
        }
        if self.nesting.is_left()? {
            return Ok(Some(RetirementReason::Namespaces));
        }
        if system_v_objects()? != self.system_v {
            return Ok(Some(RetirementReason::SystemV));
        }
        let same = process_attributes()? == self.attributes;
        Ok((!same).then_some(RetirementReason::Attributes))
    }
}

/// The attributes of an inode that change whenever the inode changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct InodeStamp {
    mode: u32,
    owner: (u32, u32),
    links: u64,
    size: i64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl InodeStamp {
    /// Returns whether at most the use of a terminal has changed the inode, which sets its
    /// modification time to the current time. The change time alone does not reveal every change,
    /// because changes within one tick of the kernel's clock have the same time.
    pub(super) fn is_only_used(self, now: InodeStamp) -> bool {
        let without_use = |stamp: InodeStamp| InodeStamp {
            size: 0,
            modified: (0, 0),
            ..stamp
        };
        #[expect(
            clippy::disallowed_methods,
            reason = "files' times are compared with it"
        )]
        let today = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        let modified = u64::try_from(now.modified.0).unwrap_or_default();
        let is_past = today.is_ok_and(|today| modified <= today.as_secs());
        without_use(self) == without_use(now) && self.modified <= now.modified && is_past
    }

    /// Creates a stamp from the result of `stat`.
    pub(super) fn of(stat: &FileStat) -> InodeStamp {
        InodeStamp {
            mode: stat.st_mode,
            owner: (stat.st_uid, stat.st_gid),
            // The width of the field differs between architectures.
            #[allow(clippy::unnecessary_cast)]
            links: stat.st_nlink as u64,
            size: stat.st_size,
            modified: (stat.st_mtime, stat.st_mtime_nsec),
            changed: (stat.st_ctime, stat.st_ctime_nsec),
        }
    }
}

/// The maximum number of directories that are kept open: few enough that a process with a low limit
/// on open files has enough left for a job.
const OPEN_MAX: usize = 16;

/// The state of the scratch tmpfs before the first job.
pub struct ScratchBaseline {
    root: OwnedFd,
    usage: (u64, u64),
    /// Kept open, because looking up each directory by name after each job takes four times as
    /// long.
    directories: Vec<(OwnedFd, InodeStamp)>,
    /// Further directories, and the files that the fork server has written, by path: more than a
    /// process may have open.
    others: Vec<(CString, InodeStamp)>,
}

impl ScratchBaseline {
    /// Takes the baseline of the scratch file system at `path`. `directories` are paths relative to
    /// the working directory; `others` are further files in the scratch file system, relative to
    /// its root.
    pub fn take<'a>(
        path: &CString,
        directories: &[CString],
        others: impl Iterator<Item = &'a Path>,
    ) -> nix::Result<ScratchBaseline> {
        let root = open(
            path.as_c_str(),
            OFlag::O_DIRECTORY | OFlag::O_CLOEXEC,
            Mode::empty(),
        )?;
        let prefix = path.as_bytes().len() + 1;
        let within = |directory: &CString| CString::new(directory.as_bytes().get(prefix..)?).ok();
        let flags = OFlag::O_PATH | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
        let mut baseline = ScratchBaseline {
            usage: usage(&root)?,
            directories: Vec::new(),
            others: Vec::new(),
            root,
        };
        for relative in directories.iter().filter_map(within) {
            if baseline.directories.len() == OPEN_MAX {
                baseline.name(relative);
                continue;
            }
            match openat(&baseline.root, relative.as_c_str(), flags, Mode::empty()) {
                Ok(directory) => {
                    let stamp = InodeStamp::of(&fstat(&directory)?);
                    baseline.directories.push((directory, stamp));
                }
                // The kernel creates some of the directories, and another version may not.
                Err(Errno::ENOENT) => {}
                Err(Errno::EMFILE | Errno::ENFILE) => baseline.name(relative),
                Err(errno) => return Err(errno),
            }
        }
        for path in others {
            if let Ok(relative) = CString::new(path.as_os_str().as_bytes()) {
                baseline.name(relative);
            }
        }
        Ok(baseline)
    }

    fn name(&mut self, relative: CString) {
        // The kernel creates some of the directories, and another version may not.
        if let Ok(stamp) = stamp_at(&self.root, &relative) {
            self.others.push((relative, stamp));
        }
    }

    /// Returns a path to the file system that works if `/proc` is visible, even where it is not
    /// mounted.
    pub fn place(&self) -> PathBuf {
        PathBuf::from(format!("/proc/self/fd/{}", self.root.as_raw_fd()))
    }

    /// Returns whether the file system is full.
    pub fn is_full(&self) -> bool {
        fstatfs(&self.root).is_ok_and(|status| limit::is_full(&status))
    }

    /// Returns whether no file was created, removed or changed.
    pub fn unchanged(&self) -> nix::Result<bool> {
        // Added files change the counts. Files that were created and removed again only change the
        // times of their directory.
        if usage(&self.root)? != self.usage {
            return Ok(false);
        }
        for (directory, before) in &self.directories {
            if InodeStamp::of(&fstat(directory)?) != *before {
                return Ok(false);
            }
        }
        for (path, before) in &self.others {
            if stamp_at(&self.root, path)? != *before {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

/// Returns the stamp of a path, without following a symbolic link.
fn stamp_at(root: &OwnedFd, path: &CString) -> nix::Result<InodeStamp> {
    fstatat(root.as_fd(), path.as_c_str(), AtFlags::AT_SYMLINK_NOFOLLOW)
        .map(|stat| InodeStamp::of(&stat))
}

/// Returns the free inodes and blocks. A tmpfs updates both counts immediately.
pub(super) fn usage(root: &OwnedFd) -> nix::Result<(u64, u64)> {
    let status = fstatfs(root)?;
    #[allow(clippy::unnecessary_cast)]
    Ok((status.files_free() as u64, status.blocks_free() as u64))
}
