//! Watches directories, one by one, with inotify(7).
//!
//! The kernel watches single directories, never trees: subdirectories are found by walking, when
//! watching begins, when a directory appears, and when the ignore rules change. Ignored directories
//! cost nothing, neither a watch nor a wake-up.
//!
//! A file counts as written when its writer closes it, so a log that is still being written (a
//! recording of this very run, say) is no change.
//!
//! Invariant: every directory that is not ignored and can be read is watched, or an error was
//! reported.

use std::collections::{BTreeMap, VecDeque};
use std::fs;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use miette::Diagnostic;
use nix::errno::Errno;
use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify, InotifyEvent, WatchDescriptor};
use tokio::io::unix::AsyncFd;

use super::debouncer::FileEventKind;
use super::ignores::{IgnoreRules, MARKERS, RULES_FILE, WatchedPathKind};
use maelstrom_container::sys::socket::watch;
use maelstrom_model::framework::WatchPaths;

/// Files cannot be watched, or not any more.
#[derive(Debug, Diagnostic, thiserror::Error)]
pub enum WatchError {
    /// No instance of inotify.
    #[error("cannot watch files: the kernel gives no inotify instance")]
    #[diagnostic(help(
        "raise fs.inotify.max_user_instances (`sysctl fs.inotify.max_user_instances=1024`), or \
         end programs that watch files"
    ))]
    Instance(#[source] io::Error),
    /// The watches of this user are used up.
    #[error("cannot watch {}: this user may not watch more directories", path.display())]
    #[diagnostic(help(
        "raise fs.inotify.max_user_watches (`sysctl fs.inotify.max_user_watches=524288`), or name \
         directories that hold no sources in .gitignore: they are not watched"
    ))]
    TooMany {
        /// The directory for which none was left.
        path: PathBuf,
        /// What the kernel says.
        #[source]
        source: io::Error,
    },
    /// One of the directories that were asked for.
    #[error("cannot watch {}", path.display())]
    Directory {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    /// One of the directories that were asked for is gone.
    #[error("{} was watched and is there no more", path.display())]
    #[diagnostic(help("start again when the project is where it was"))]
    Vanished { path: PathBuf },
    /// The kernel's events.
    #[error("cannot learn what changed")]
    Read(#[source] io::Error),
}

/// What happened, and to which file.
pub type FileEvents = Vec<(PathBuf, FileEventKind)>;

/// See the module documentation.
#[derive(Debug)]
pub struct DirectoryWatcher {
    list: WatchPaths,
    roots: Vec<PathBuf>,
    ignores: IgnoreRules,
    inotify: Inotify,
    /// The same descriptor once more, for the runtime to wait for.
    readable: AsyncFd<OwnedFd>,
    paths: BTreeMap<WatchDescriptor, PathBuf>,
}

/// How a walk finds what it finds.
enum DirectoryWalkKind {
    /// The directory was there before.
    Known,
    /// It has just appeared, with all that is in it.
    New,
}

impl DirectoryWatcher {
    /// Watches these directories and what lies below them from now on. Needs a runtime.
    pub fn open(list: &WatchPaths) -> Result<DirectoryWatcher, WatchError> {
        let inotify = Inotify::init(InitFlags::IN_CLOEXEC | InitFlags::IN_NONBLOCK)
            .map_err(|errno| WatchError::Instance(errno.into()))?;
        let readable = inotify.as_fd().try_clone_to_owned().and_then(watch);
        let mut directories = DirectoryWatcher {
            list: list.clone(),
            roots: Vec::new(),
            ignores: IgnoreRules::new(list),
            inotify,
            readable: readable.map_err(WatchError::Instance)?,
            paths: BTreeMap::new(),
        };
        for path in &list.directories {
            let root = fs::canonicalize(path).map_err(|source| WatchError::Directory {
                path: path.clone(),
                source,
            })?;
            directories.ignores.enter_root(&root);
            directories.watch_tree(&root, &DirectoryWalkKind::Known)?;
            directories.roots.push(root);
        }
        Ok(directories)
    }

    /// How many directories are watched.
    pub fn count(&self) -> usize {
        self.paths.len()
    }

    /// Waits for something to happen. May be dropped at any time.
    pub async fn read(&mut self) -> Result<FileEvents, WatchError> {
        loop {
            let mut ready = self.readable.readable().await.map_err(WatchError::Read)?;
            match ready.try_io(|_| Ok(self.inotify.read_events()?)) {
                Ok(events) => return self.take(events.map_err(WatchError::Read)?),
                // Somebody was quicker.
                Err(_) => continue,
            }
        }
    }

    /// What has happened already; `None` when all of it was read.
    pub fn read_now(&mut self) -> Result<Option<FileEvents>, WatchError> {
        match self.inotify.read_events() {
            Ok(events) => self.take(events).map(Some),
            Err(Errno::EAGAIN) => Ok(None),
            Err(errno) => Err(WatchError::Read(errno.into())),
        }
    }

    fn take(&mut self, events: Vec<InotifyEvent>) -> Result<FileEvents, WatchError> {
        let mut happenings = Vec::new();
        for event in events {
            self.event(event, &mut happenings)?;
        }
        if happenings
            .iter()
            .any(|(path, _)| path.ends_with(RULES_FILE))
        {
            self.begin_anew(&mut happenings)?;
        }
        Ok(happenings)
    }

    fn event(
        &mut self,
        event: InotifyEvent,
        happenings: &mut FileEvents,
    ) -> Result<(), WatchError> {
        let mask = event.mask;
        if mask.contains(AddWatchFlags::IN_Q_OVERFLOW) {
            // What was lost may be anything.
            happenings.extend(
                self.roots
                    .iter()
                    .map(|r| (r.clone(), FileEventKind::Written)),
            );
            return self.begin_anew(happenings);
        }
        if mask.contains(AddWatchFlags::IN_IGNORED) {
            // The kernel says so of each watch that ends, also of those that `forget_tree` has
            // removed; these are not in the table any more.
            let gone = self.paths.remove(&event.wd);
            return match gone.filter(|path| self.roots.contains(path)) {
                Some(path) => Err(WatchError::Vanished { path }),
                None => Ok(()),
            };
        }
        // It was told before its watch was removed, and read afterwards.
        let Some(directory) = self.paths.get(&event.wd) else {
            return Ok(());
        };
        if mask.contains(AddWatchFlags::IN_MOVE_SELF) && self.roots.contains(directory) {
            let path = directory.clone();
            return Err(WatchError::Vanished { path });
        }
        let Some(name) = event.name else {
            return Ok(());
        };
        if MARKERS.iter().any(|marker| name == *marker) && !self.roots.contains(directory) {
            // The directory has just said that nothing in it counts.
            let directory = directory.clone();
            self.forget_tree(&directory);
            happenings.push((directory, FileEventKind::Discounted));
            return Ok(());
        }
        let path = directory.join(name);
        if mask.contains(AddWatchFlags::IN_ISDIR) {
            self.directory_changed(path, mask, happenings)
        } else {
            if !self.ignores.ignores(&path, WatchedPathKind::File) {
                happenings.extend(file_changed(path, mask));
            }
            Ok(())
        }
    }

    fn directory_changed(
        &mut self,
        path: PathBuf,
        mask: AddWatchFlags,
        happenings: &mut FileEvents,
    ) -> Result<(), WatchError> {
        if self.ignores.ignores(&path, WatchedPathKind::Directory) {
            return Ok(());
        }
        if mask.intersects(AddWatchFlags::IN_CREATE | AddWatchFlags::IN_MOVED_TO) {
            happenings.push((path.clone(), FileEventKind::Opened));
            happenings.extend(self.watch_tree(&path, &DirectoryWalkKind::New)?);
        } else if mask.contains(AddWatchFlags::IN_MOVED_FROM) && self.forget_tree(&path) > 0 {
            happenings.push((path, FileEventKind::Removed));
        }
        Ok(())
    }

    /// Watches a directory no more, nor what is below it: its watches would go where it goes, and
    /// tell of it under its old name. Returns how many directories those were.
    fn forget_tree(&mut self, path: &Path) -> usize {
        let before = self.paths.len();
        let inotify = &self.inotify;
        self.paths.retain(|descriptor, watched| {
            let stays = !watched.starts_with(path);
            if !stays {
                // It may be gone by itself already.
                let _ = inotify.rm_watch(*descriptor);
            }
            stays
        });
        before - self.paths.len()
    }

    /// Watches everything again, with reloaded rules.
    fn begin_anew(&mut self, happenings: &mut FileEvents) -> Result<(), WatchError> {
        // The old instance goes on until the new one watches, so that nothing happens unseen.
        let anew = DirectoryWatcher::open(&self.list)?;
        let before = std::mem::replace(self, anew);
        // What the old instance has not told yet. Errors of it are of no interest any more.
        while let Ok(events) = before.inotify.read_events() {
            for event in events {
                if let (Some(directory), Some(name)) = (before.paths.get(&event.wd), event.name) {
                    let path = directory.join(name);
                    if !event.mask.contains(AddWatchFlags::IN_ISDIR)
                        && !self.ignores.ignores(&path, WatchedPathKind::File)
                    {
                        happenings.extend(file_changed(path, event.mask));
                    }
                }
            }
        }
        Ok(())
    }

    /// Watches a directory that counts, and what lies below it. Returns the files found, if they
    /// are new.
    fn watch_tree(
        &mut self,
        root: &Path,
        found: &DirectoryWalkKind,
    ) -> Result<FileEvents, WatchError> {
        let mut happenings = Vec::new();
        let mut waiting = VecDeque::from([root.to_owned()]);
        while let Some(directory) = waiting.pop_front() {
            // It is watched before it is read: what appears in between is found twice, and in the
            // other order it would not be found at all.
            if !self.watch(&directory)? {
                continue;
            }
            self.ignores.enter(&directory);
            // What cannot be read is no source; what has gone again is told by its own directory.
            for entry in fs::read_dir(&directory).into_iter().flatten().flatten() {
                let path = entry.path();
                let is_directory = entry.file_type().is_ok_and(|kind| kind.is_dir());
                if is_directory {
                    if !self.ignores.ignores(&path, WatchedPathKind::Directory) {
                        waiting.push_back(path);
                    }
                } else if !self.ignores.ignores(&path, WatchedPathKind::File) {
                    match found {
                        DirectoryWalkKind::New => {
                            // Whoever made it may have closed it before the directory was watched,
                            // so nobody tells that it was written.
                            happenings.push((path.clone(), FileEventKind::Created));
                            happenings.push((path, FileEventKind::Written));
                        }
                        DirectoryWalkKind::Known => {}
                    }
                }
            }
        }
        Ok(happenings)
    }

    /// Watches one directory. Returns whether that is of use: it may have gone, be closed to us, or
    /// be watched already.
    fn watch(&mut self, directory: &Path) -> Result<bool, WatchError> {
        let wanted = AddWatchFlags::IN_CLOSE_WRITE
            | AddWatchFlags::IN_CREATE
            | AddWatchFlags::IN_DELETE
            | AddWatchFlags::IN_MOVED_FROM
            | AddWatchFlags::IN_MOVED_TO
            | AddWatchFlags::IN_DELETE_SELF
            | AddWatchFlags::IN_MOVE_SELF
            | AddWatchFlags::IN_ONLYDIR
            | AddWatchFlags::IN_DONT_FOLLOW;
        match self.inotify.add_watch(directory, wanted) {
            Ok(descriptor) => {
                // The kernel gives a directory that is watched already the descriptor that it has.
                let before = self.paths.insert(descriptor, directory.to_owned());
                Ok(before.is_none_or(|before| before != directory))
            }
            Err(errno @ (Errno::ENOSPC | Errno::ENOMEM)) => Err(WatchError::TooMany {
                path: directory.to_owned(),
                source: errno.into(),
            }),
            Err(_) => Ok(false),
        }
    }
}

/// What an event says of a file that counts. One that was only made is waited for; a link is made
/// and written in one step, and nobody closes it.
fn file_changed(path: PathBuf, mask: AddWatchFlags) -> Option<(PathBuf, FileEventKind)> {
    let what = if mask.intersects(AddWatchFlags::IN_CLOSE_WRITE | AddWatchFlags::IN_MOVED_TO) {
        FileEventKind::Written
    } else if mask.intersects(AddWatchFlags::IN_DELETE | AddWatchFlags::IN_MOVED_FROM) {
        FileEventKind::Removed
    } else if mask.contains(AddWatchFlags::IN_CREATE) {
        match fs::symlink_metadata(&path) {
            Ok(metadata) if metadata.is_symlink() || metadata.nlink() > 1 => FileEventKind::Written,
            Ok(_) | Err(_) => FileEventKind::Created,
        }
    } else {
        return None;
    };
    Some((path, what))
}
