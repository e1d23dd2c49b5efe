//! Proves, after a job, that nothing in a container differs from before it, or says what does.
//!
//! A job in a container cannot change its mounts, network devices or host name: it has no
//! capability over the namespaces they belong to. What it can leave behind all the same is listed
//! here in full, and compared:
//!
//! | what | how it is seen |
//! | --- | --- |
//! | files, directories, attributes | the scratch tmpfs: inodes and blocks in use, and `stat` (change time included) of each directory that was there before |
//! | the root of user 0, the directories of terminals and queues | the same, by [`super::fixed`] |
//! | packets, connections, `TIME_WAIT` ports | the loopback device's packet counters: what a socket leaves behind it leaves by packets |
//! | sockets that live on in a message in flight | the namespace's count of sockets |
//! | System V objects, POSIX message queues | the namespace's counts; the queue file system's root |
//! | keys | the session, user and persistent keyrings |
//! | limits, affinity, priorities, OOM score of PID 1, which later jobs inherit | read back |
//!
//! Processes, open files, locks, timers, pseudo-terminals, pipes and unnamed shared memory end with
//! the job's last process, which [`super::process`] makes sure of before it asks here. Counters
//! that only count (network statistics without packets, inode numbers) are not compared: they
//! carry nothing that a test could depend on.

use std::ffi::CString;
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use nix::fcntl::{AtFlags, OFlag, open};
use nix::sys::stat::{FileStat, Mode, fstat, fstatat};
use nix::sys::statfs::fstatfs;

use super::super::message::Remains;
use super::super::sys::keyring::{self, Keyring};
use super::super::sys::state::{
    ProcessAttributes, SystemVObjects, process_attributes, system_v_objects,
};

/// What an audit found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Nothing has changed: the next job may have the container as it is.
    Pristine,
    /// Files were written, and nothing else: a new scratch stage makes it as before.
    FilesWritten,
    /// Something else has changed, or cannot be read: the container has served.
    Altered(Remains),
}

/// The state of everything but files, as it was before the first job.
pub struct Baseline {
    watched: Vec<WatchedFile>,
    system_v: SystemVObjects,
    queues: Option<(OwnedFd, Stamp)>,
    keyrings: Vec<Keyring>,
    attributes: ProcessAttributes,
}

/// A file of `/proc` whose text must stay as it is.
struct WatchedFile {
    file: File,
    part: Part,
    means: Remains,
    before: Vec<u8>,
}

/// How much of a [`WatchedFile`] is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    Whole,
    FirstLine,
}

/// Longer than any of the watched files is in a container: one network device, one number.
const WATCHED_BYTES_MAX: usize = 4096;

impl WatchedFile {
    /// `proc` is a descriptor of a `/proc` in which the calling process is visible.
    fn open(proc: &OwnedFd, name: &str, part: Part, means: Remains) -> io::Result<WatchedFile> {
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
        let length = self.file.read_at(&mut buffer, 0)?;
        let text = buffer.get(..length).unwrap_or_default();
        let end = match self.part {
            Part::Whole => None,
            Part::FirstLine => text.iter().position(|&byte| byte == b'\n'),
        };
        Ok(text
            .get(..end.unwrap_or(length))
            .unwrap_or_default()
            .to_vec())
    }
}

/// Whether the container's network is its own, and so must be compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NetworkOwner {
    /// It is the container's.
    Container,
    /// It is the host's, where others act as well.
    Host,
}

impl Baseline {
    /// Takes the baseline. `proc` is an open `/proc` in which the calling process is visible, `queues` the
    /// root of its message queue file system.
    pub fn take(
        proc: &OwnedFd,
        queues: Option<OwnedFd>,
        owner: NetworkOwner,
    ) -> io::Result<Baseline> {
        let mut watched = Vec::new();
        match owner {
            NetworkOwner::Container => {
                watched.push(WatchedFile::open(
                    proc,
                    "self/net/dev",
                    Part::Whole,
                    Remains::Packets,
                )?);
                // `sockets: used N`; the lines after it count for the whole machine.
                watched.push(WatchedFile::open(
                    proc,
                    "self/net/sockstat",
                    Part::FirstLine,
                    Remains::Sockets,
                )?);
            }
            NetworkOwner::Host => {}
        }
        // Absent where the kernel was built without what they control.
        for name in [
            "self/oom_score_adj",
            "self/coredump_filter",
            "self/autogroup",
        ] {
            let file = WatchedFile::open(proc, name, Part::Whole, Remains::Attributes);
            watched.extend(file.ok());
        }
        let queues = match queues {
            Some(root) => {
                let stamp = Stamp::of(&fstat(&root)?);
                Some((root, stamp))
            }
            None => None,
        };
        Ok(Baseline {
            watched,
            system_v: system_v_objects()?,
            queues,
            keyrings: keyrings(),
            attributes: process_attributes()?,
        })
    }

    /// Takes the number of sockets anew, after the slot itself has made some.
    pub fn recount_sockets(&mut self) -> io::Result<()> {
        for watched in &mut self.watched {
            match watched.part {
                Part::Whole => {}
                Part::FirstLine => watched.before = watched.read()?,
            }
        }
        Ok(())
    }

    /// The first thing found that is not as it was.
    pub fn changed(&self) -> Option<Remains> {
        self.compare().unwrap_or(Some(Remains::Unreadable))
    }

    fn compare(&self) -> io::Result<Option<Remains>> {
        for watched in &self.watched {
            if watched.read()? != watched.before {
                return Ok(Some(watched.means));
            }
        }
        if let Some((root, before)) = &self.queues
            && Stamp::of(&fstat(root)?) != *before
        {
            return Ok(Some(Remains::Queues));
        }
        for keyring in &self.keyrings {
            if keyring::content_bytes(*keyring)? != 0 {
                return Ok(Some(Remains::Keys));
            }
        }
        if system_v_objects()? != self.system_v {
            return Ok(Some(Remains::SystemV));
        }
        let same = process_attributes()? == self.attributes;
        Ok((!same).then_some(Remains::Attributes))
    }
}

/// The keyrings a job could leave a key in; none where the kernel or a filter denies us keyrings,
/// since the job is denied them as well.
fn keyrings() -> Vec<Keyring> {
    let mut keyrings = vec![Keyring::SESSION, Keyring::USER];
    keyrings.extend(keyring::persistent().ok());
    keyrings.retain(|keyring| keyring::content_bytes(*keyring).is_ok());
    keyrings
}

/// What `stat` says of an inode that changes whenever the inode does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stamp {
    mode: u32,
    owner: (u32, u32),
    links: u64,
    size: i64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl Stamp {
    /// The same without what the use of a terminal changes.
    pub(super) fn without_use(self) -> Stamp {
        Stamp {
            size: 0,
            modified: (0, 0),
            ..self
        }
    }

    /// Of what `stat` said.
    pub(super) fn of(stat: &FileStat) -> Stamp {
        Stamp {
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

/// The scratch tmpfs as it was before the first job.
pub struct ScratchBaseline {
    root: OwnedFd,
    usage: (u64, u64),
    directories: Vec<(CString, Stamp)>,
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
        let directories = directories
            .iter()
            .filter_map(|directory| CString::new(directory.as_bytes().get(prefix..)?).ok())
            .chain(others.filter_map(|path| CString::new(path.as_os_str().as_bytes()).ok()))
            .filter_map(|relative| {
                // What the kernel made may be missing in another version of it.
                let stamp = stamp_at(&root, &relative).ok()?;
                Some((relative, stamp))
            })
            .collect();
        let usage = usage(&root)?;
        Ok(ScratchBaseline {
            root,
            usage,
            directories,
        })
    }

    /// Where the file system can be reached by whoever sees `/proc`, mounted or not.
    pub fn place(&self) -> PathBuf {
        PathBuf::from(format!("/proc/self/fd/{}", self.root.as_raw_fd()))
    }

    /// Whether no file was made, removed or changed.
    pub fn unchanged(&self) -> nix::Result<bool> {
        if usage(&self.root)? != self.usage {
            return Ok(false);
        }
        for (directory, before) in &self.directories {
            if stamp_at(&self.root, directory)? != *before {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

/// Of what stands at a path, which is not followed if it is a link.
pub(super) fn stamp_at(root: &OwnedFd, path: &CString) -> nix::Result<Stamp> {
    fstatat(root.as_fd(), path.as_c_str(), AtFlags::AT_SYMLINK_NOFOLLOW)
        .map(|stat| Stamp::of(&stat))
}

/// Inodes and blocks that are free; a tmpfs counts both at once.
pub(super) fn usage(root: &OwnedFd) -> nix::Result<(u64, u64)> {
    let status = fstatfs(root)?;
    #[allow(clippy::unnecessary_cast)]
    Ok((status.files_free() as u64, status.blocks_free() as u64))
}
