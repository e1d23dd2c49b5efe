//! Checks after a job that the container is as it was before, or reports what differs.
//!
//! A job in a container cannot change its mounts, network devices or host name: it has no
//! capability over the namespaces that own them. The following is the full list of what it can
//! leave behind; the audit compares it (for the network see [`super::network`]):
//!
//! | what | how it is detected |
//! | --- | --- |
//! | files, directories, attributes | the scratch tmpfs: inodes and blocks in use, and `stat` (change time included) of each directory that existed before |
//! | the root of user 0, the directories of terminals and queues | inotify and `stat`, by [`super::fixed`] |
//! | System V objects, POSIX message queues | the namespace's counts; the root of the queue file system |
//! | nested namespaces, which the kernel destroys with a delay | the count of user namespaces, against a limit of one |
//! | limits, affinity, priorities, OOM score of PID 1, which later jobs inherit | read back |
//!
//! Processes, open files, locks, timers, pseudo-terminals, pipes and unnamed shared memory end with
//! the job's last process; [`super::process`] waits for that before the audit. Keyrings and vsock
//! ports are blocked ([`super::super::filter`]). Counters such as inode numbers are not compared:
//! no test can depend on them.

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
    /// Nothing has changed: the next job may have the container as it is.
    Pristine,
    /// Files were written, and nothing else: a new scratch stage makes it as before.
    FilesWritten,
    /// Something else has changed, or cannot be read: the container serves no further job.
    Altered(RetirementReason),
}

/// The state of everything but files, as it was before the first job.
pub struct KernelBaseline {
    watched: Vec<WatchedFile>,
    system_v: SystemVObjects,
    queues: Option<(OwnedFd, InodeStamp)>,
    attributes: ProcessAttributes,
    nesting: NamespaceLimit,
}

/// A file of `/proc` whose text must stay as it is.
pub struct WatchedFile {
    file: File,
    part: ComparedPart,
    means: RetirementReason,
    before: Vec<u8>,
}

/// How much of a [`WatchedFile`] is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ComparedPart {
    Whole,
    FirstLine,
    /// How many lines it has, as far as it is read.
    LineCount,
}

/// Longer than any of the watched files is in a container: one network device, one number.
const WATCHED_BYTES_MAX: usize = 4096;

impl WatchedFile {
    /// `proc` is a descriptor of a `/proc` in which the calling process is visible. A file that
    /// has changed means that this remains.
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
        // The kernel generates a new text for each read from the beginning.
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

    /// What remains, if the text has changed.
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
        // Absent where the kernel was built without what they control.
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

    /// To be called when the calling process has another root directory.
    pub fn enter_root(&mut self) -> nix::Result<()> {
        self.nesting.enter_root()
    }

    /// The first difference from the baseline.
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

/// What `stat` says of an inode that changes whenever the inode does.
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
    /// Whether nothing but the use of a terminal has happened since this was taken: that sets the
    /// time of modification to the current one. The time of change alone does not show everything,
    /// since what happens within a tick of the kernel's clock has the same.
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

    /// Of what `stat` said.
    pub(super) fn of(stat: &FileStat) -> InodeStamp {
        InodeStamp {
            mode: stat.st_mode,
            owner: (stat.st_uid, stat.st_gid),
            // Their width differs between architectures.
            #[allow(clippy::unnecessary_cast)]
            links: stat.st_nlink as u64,
            size: stat.st_size,
            modified: (stat.st_mtime, stat.st_mtime_nsec),
            changed: (stat.st_ctime, stat.st_ctime_nsec),
        }
    }
}

/// Directories that are kept open: few, so that a process with a low limit on open files has enough
/// left for a job.
const OPEN_MAX: usize = 16;

/// The scratch tmpfs as it was before the first job.
pub struct ScratchBaseline {
    root: OwnedFd,
    usage: (u64, u64),
    /// Open, since looking each up by its name after each job takes four times as long.
    directories: Vec<(OwnedFd, InodeStamp)>,
    /// Further directories, and what the fork server has written: more than a process may have
    /// open.
    others: Vec<(CString, InodeStamp)>,
}

impl ScratchBaseline {
    /// Takes the baseline of the scratch file system at `path`, whose directories are named
    /// relative to the working directory, and which holds these other files, named relative to it.
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
                // What the kernel made may be missing in another version of it.
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
        // What the kernel made may be missing in another version of it.
        if let Ok(stamp) = stamp_at(&self.root, &relative) {
            self.others.push((relative, stamp));
        }
    }

    /// Where the file system can be reached by whoever sees `/proc`, mounted or not.
    pub fn place(&self) -> PathBuf {
        PathBuf::from(format!("/proc/self/fd/{}", self.root.as_raw_fd()))
    }

    /// Whether there is no room for more.
    pub fn is_full(&self) -> bool {
        fstatfs(&self.root).is_ok_and(|status| limit::is_full(&status))
    }

    /// Whether no file was made, removed or changed.
    pub fn unchanged(&self) -> nix::Result<bool> {
        // What was added shows in these counts. What was made and removed again shows only in the
        // times of the directory that it was in.
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

/// Of what stands at a path, which is not followed if it is a link.
fn stamp_at(root: &OwnedFd, path: &CString) -> nix::Result<InodeStamp> {
    fstatat(root.as_fd(), path.as_c_str(), AtFlags::AT_SYMLINK_NOFOLLOW)
        .map(|stat| InodeStamp::of(&stat))
}

/// Inodes and blocks that are free; a tmpfs counts both at once.
pub(super) fn usage(root: &OwnedFd) -> nix::Result<(u64, u64)> {
    let status = fstatfs(root)?;
    #[allow(clippy::unnecessary_cast)]
    Ok((status.files_free() as u64, status.blocks_free() as u64))
}
