//! Watches directories, one by one, with inotify(7).
//!
//! The kernel watches single directories, never trees. Subdirectories are found by walking: when
//! watching begins, when a directory appears, and when the ignore rules change. Ignored directories
//! cost neither a watch nor a wake-up.
//!
//! A file counts as written when its writer closes it, so a log that is still being written (the
//! recording of this run, for example) is no change.
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

/// Files cannot be watched, or no longer.
#[derive(Debug, Diagnostic, thiserror::Error)]
pub enum WatchError {
    /// The kernel refuses to create an inotify instance.
    #[error("cannot watch files: the kernel gives no inotify instance")]
    #[diagnostic(help(
        "raise fs.inotify.max_user_instances (`sysctl fs.inotify.max_user_instances=1024`), or \
         end programs that watch files"
    ))]
    Instance(#[source] io::Error),
    /// The user's inotify watches are used up.
    #[error("cannot watch {}: this user may not watch more directories", path.display())]
    #[diagnostic(help(
        "raise fs.inotify.max_user_watches (`sysctl fs.inotify.max_user_watches=524288`), or name \
         directories that hold no sources in .gitignore: they are not watched"
    ))]
    TooMany {
        /// The directory that cannot be watched.
        path: PathBuf,
        /// The kernel's error.
        #[source]
        source: io::Error,
    },
    /// A requested directory cannot be opened.
    #[error("cannot watch {}", path.display())]
    Directory {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    /// A requested directory was removed or moved.
    #[error("{} was watched and is there no more", path.display())]
    #[diagnostic(help("start again when the project is where it was"))]
    Vanished { path: PathBuf },
    /// The inotify events cannot be read.
    #[error("cannot learn what changed")]
    Read(#[source] io::Error),
}

/// File events, with the path of each file.
pub type FileEvents = Vec<(PathBuf, FileEventKind)>;

/// Watches directories; see the module documentation.
#[derive(Debug)]
pub struct DirectoryWatcher {
    list: WatchPaths,
    roots: Vec<PathBuf>,
    ignores: IgnoreRules,
    inotify: Inotify,
    /// A duplicate of the inotify descriptor, registered with the async runtime.
    readable: AsyncFd<OwnedFd>,
    paths: BTreeMap<WatchDescriptor, PathBuf>,
}

/// Whether a walk reports the files that it finds.
enum DirectoryWalkKind {
    /// The directory existed before; its files are not reported.
    Known,
    /// The directory appeared with its contents; its files are reported.
    New,
}

impl DirectoryWatcher {
    /// Starts watching the listed directories and everything below them. Requires a Tokio runtime.
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

    /// Returns the number of watched directories.
    pub fn count(&self) -> usize {
        self.paths.len()
    }

    /// Waits for file events. Cancel safe: the future may be dropped at any time.
    pub async fn read(&mut self) -> Result<FileEvents, WatchError> {
        loop {
            let mut ready = self.readable.readable().await.map_err(WatchError::Read)?;
            match ready.try_io(|_| Ok(self.inotify.read_events()?)) {
                Ok(events) => return self.take(events.map_err(WatchError::Read)?),
                // The readiness was stale; wait again.
                Err(_) => continue,
            }
        }
    }

    /// Returns the events that have already happened, or `None` if all have been read.
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
            self.watch_again(&mut happenings)?;
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
            // Any event may have been lost, so the roots are reported as changed.
            happenings.extend(
                self.roots
                    .iter()
                    .map(|r| (r.clone(), FileEventKind::Written)),
            );
            return self.watch_again(happenings);
        }
        if mask.contains(AddWatchFlags::IN_IGNORED) {
            // The kernel sends this for each watch that ends, including those that `forget_tree`
            // removed, which are no longer in the table.
            let gone = self.paths.remove(&event.wd);
            return match gone.filter(|path| self.roots.contains(path)) {
                Some(path) => Err(WatchError::Vanished { path }),
                None => Ok(()),
            };
        }
        // The event was queued before its watch was removed, and read afterwards.
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
            // A new marker file means that the directory is ignored from now on.
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

    /// Stops watching a directory and everything below it: the watches would follow a moved
    /// directory and report events under its old name. Returns how many directories were watched.
    fn forget_tree(&mut self, path: &Path) -> usize {
        let before = self.paths.len();
        let inotify = &self.inotify;
        self.paths.retain(|descriptor, watched| {
            let stays = !watched.starts_with(path);
            if !stays {
                // The watch may be gone already.
                let _ = inotify.rm_watch(*descriptor);
            }
            stays
        });
        before - self.paths.len()
    }

    /// Watches everything again, with the ignore rules reloaded.
    fn watch_again(&mut self, happenings: &mut FileEvents) -> Result<(), WatchError> {
        // The old instance stays open until the new one watches, so that no event is missed.
        let renewed = DirectoryWatcher::open(&self.list)?;
        let before = std::mem::replace(self, renewed);
        // Read the pending events of the old instance. Its errors no longer matter.
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

    /// Watches a directory and everything below it that is not ignored. Returns the files found if
    /// the directory is new.
    fn watch_tree(
        &mut self,
        root: &Path,
        found: &DirectoryWalkKind,
    ) -> Result<FileEvents, WatchError> {
        let mut happenings = Vec::new();
        let mut waiting = VecDeque::from([root.to_owned()]);
        while let Some(directory) = waiting.pop_front() {
            // Watch before reading: an entry that appears in between is found twice. In the other
            // order it would be missed.
            if !self.watch(&directory)? {
                continue;
            }
            self.ignores.enter(&directory);
            // An unreadable directory holds no sources, and the removal of a directory is reported
            // by its parent.
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
                            // Its writer may have closed the file before the directory was watched,
                            // so no write event will follow.
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

    /// Watches one directory. Returns false if the directory is gone, cannot be accessed, or is
    /// watched already.
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
                // For a directory that is watched already, the kernel returns the existing
                // descriptor.
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

/// Maps an inotify event of a file that is not ignored. A file that was only created is reported
/// once it is closed. A link is complete when it is created, and no close event follows.
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
