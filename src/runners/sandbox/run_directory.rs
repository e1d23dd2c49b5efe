//! A directory of one run, for programs that are built while it runs.
//!
//! Each run has its own directory, since concurrent runs may build differently, and a program must
//! not change while tests run. The directory is locked until the run is over. A killed run leaves
//! its directory behind, unlocked; the next run removes it.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use nix::fcntl::{Flock, FlockArg};
use tempfile::TempDir;

use maelstrom_container::private;

/// The name of the lock file in a run's directory.
const LOCK: &str = ".lock";

/// Its name until it is locked.
const UNLOCKED: &str = ".unlocked";

/// The directory of one run, which is removed when this value is dropped.
#[derive(Debug)]
pub(crate) struct RunDirectory {
    directory: TempDir,
    _lock: Flock<File>,
}

impl RunDirectory {
    /// Creates a directory below `parent`, and removes those that killed runs left behind. An error
    /// comes with the path at fault.
    pub(crate) fn new(parent: &Path) -> Result<RunDirectory, (PathBuf, io::Error)> {
        let at_fault = |error| (parent.to_owned(), error);
        private::directory(parent).map_err(at_fault)?;
        remove_left_behind(parent);
        let directory = private::temporary_directory("run-", parent).map_err(at_fault)?;
        let lock = lock(directory.path())?;
        Ok(RunDirectory {
            directory,
            _lock: lock,
        })
    }

    /// Returns the path of the directory.
    pub(crate) fn path(&self) -> &Path {
        self.directory.path()
    }
}

/// Locks a new run's directory. Another run that looks for what is left behind finds no lock, or one
/// that is held.
fn lock(directory: &Path) -> Result<Flock<File>, (PathBuf, io::Error)> {
    let (unlocked, locked) = (directory.join(UNLOCKED), directory.join(LOCK));
    let file = private::file(&unlocked).map_err(|error| (unlocked.clone(), error))?;
    let lock = Flock::lock(file, FlockArg::LockExclusiveNonblock)
        .map_err(|(_, error)| (unlocked.clone(), error.into()))?;
    fs::rename(&unlocked, &locked).map_err(|error| (locked, error))?;
    Ok(lock)
}

/// Removes the directories that killed runs left behind.
fn remove_left_behind(parent: &Path) {
    let Ok(entries) = fs::read_dir(parent) else {
        return;
    };
    for entry in entries.flatten() {
        let directory = entry.path();
        // A directory without a lock file is being created at this moment.
        let Ok(file) = File::open(directory.join(LOCK)) else {
            continue;
        };
        if let Ok(lock) = Flock::lock(file, FlockArg::LockExclusiveNonblock) {
            drop(fs::remove_dir_all(&directory));
            // Holding the lock until here keeps other runs from removing the same directory.
            drop(lock);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn runs(parent: &Path) -> usize {
        fs::read_dir(parent).unwrap().count()
    }

    #[test]
    fn what_a_killed_run_left_is_removed_and_what_runs_stays() {
        let root = tempfile::tempdir().unwrap();
        let parent = root.path().join("runs");
        let killed = RunDirectory::new(&parent).unwrap();
        let RunDirectory { directory, _lock } = killed;
        let left = directory.keep();
        drop(_lock);
        let running = RunDirectory::new(&parent).unwrap();
        assert!(!left.exists());
        let other = RunDirectory::new(&parent).unwrap();
        assert!(running.path().exists());
        assert_eq!(runs(&parent), 2);
        drop((running, other));
        assert_eq!(runs(&parent), 0);
    }

    #[test]
    fn runs_that_begin_at_the_same_time_keep_their_directories() {
        let root = tempfile::tempdir().unwrap();
        let parent = root.path().join("runs");
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..100 {
                        let running = RunDirectory::new(&parent).unwrap();
                        remove_left_behind(&parent);
                        assert!(running.path().join(LOCK).exists());
                    }
                });
            }
        });
        assert_eq!(runs(&parent), 0);
    }
}
