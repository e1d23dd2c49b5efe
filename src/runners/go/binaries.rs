//! Stores test binaries during a run: in a directory per run below `test-binaries` in the runner's
//! cache for the project, which mirrors the import paths.
//!
//! ```text
//! test-binaries/RUN/            removed after the run; locked until then
//!   example.com/m/p/p.test
//!   build/                      Go's own temporary files
//! ```
//!
//! Each run has its own directory, since concurrent runs may build differently (`-race`, `-tags`),
//! and a binary must not change while tests run. A killed run leaves its directory behind,
//! unlocked; the next run removes it. The directory is next to Go's temporary files, so that
//! binaries are moved rather than copied.

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

/// Whether Go needs a test binary after this program has taken it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BinaryNeed {
    Ours,
    /// Go moves it to where `-o` says.
    AlsoGos,
}

/// The directory of one run's test binaries, which is removed when this value is dropped.
#[derive(Debug)]
pub struct GoBinaryDirectory {
    directory: TempDir,
    build: PathBuf,
    _lock: Flock<File>,
}

impl GoBinaryDirectory {
    /// Creates the directory in the runner's cache for the project, and removes those that killed
    /// runs left behind. An error comes with the path at fault.
    pub fn new(cache: &Path) -> Result<GoBinaryDirectory, (PathBuf, io::Error)> {
        let parent = cache.join("test-binaries");
        let at = |path: &Path| {
            let path = path.to_owned();
            move |error: io::Error| (path, error)
        };
        private::directory(&parent).map_err(at(&parent))?;
        remove_left_behind(&parent);
        let directory = private::temporary_directory("run-", &parent).map_err(at(&parent))?;
        let lock = lock(directory.path())?;
        let build = directory.path().join("build");
        private::new_directory(&build).map_err(at(&build))?;
        Ok(GoBinaryDirectory {
            directory,
            build,
            _lock: lock,
        })
    }

    /// Returns the directory of test binaries.
    pub fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// Returns the directory for Go's own temporary files.
    pub fn build_directory(&self) -> &Path {
        &self.build
    }

    /// Moves a package's test binary into the directory, or links it if Go still needs it. Returns
    /// its path relative to [`GoBinaryDirectory::directory`].
    pub fn take(&self, import_path: &str, program: &Path, need: BinaryNeed) -> io::Result<PathBuf> {
        let name = program.file_name().ok_or(io::ErrorKind::InvalidInput)?;
        // Import paths contain no `..`, but a future Go may print something else.
        let package = import_path.split('/').filter(|part| *part != "..");
        let place = package.collect::<PathBuf>().join(name);
        let whole = self.directory().join(&place);
        if let Some(parent) = whole.parent() {
            private::directory(parent)?;
        }
        match need {
            BinaryNeed::Ours => fs::rename(program, &whole)?,
            BinaryNeed::AlsoGos => fs::hard_link(program, &whole)?,
        }
        Ok(place)
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

    fn runs(cache: &Path) -> usize {
        fs::read_dir(cache.join("test-binaries")).unwrap().count()
    }

    #[test]
    fn a_binary_is_kept_under_its_package_until_the_run_is_over() {
        let root = tempfile::tempdir().unwrap();
        let cache = root.path().join("cache");
        let binaries = GoBinaryDirectory::new(&cache).unwrap();
        let built = binaries.build_directory().join("p.test");
        fs::write(&built, "elf").unwrap();
        let place = binaries
            .take("example.com/m/p", &built, BinaryNeed::AlsoGos)
            .unwrap();
        assert!(built.exists());
        fs::remove_file(binaries.directory().join(place)).unwrap();
        let place = binaries
            .take("example.com/m/p", &built, BinaryNeed::Ours)
            .unwrap();
        assert_eq!(place, Path::new("example.com/m/p/p.test"));
        assert!(!built.exists());
        assert_eq!(fs::read(binaries.directory().join(place)).unwrap(), b"elf");
        drop(binaries);
        assert_eq!(runs(&cache), 0);
    }

    #[test]
    fn what_a_killed_run_left_is_removed_and_what_runs_stays() {
        let root = tempfile::tempdir().unwrap();
        let cache = root.path().join("cache");
        let killed = GoBinaryDirectory::new(&cache).unwrap();
        let GoBinaryDirectory {
            directory, _lock, ..
        } = killed;
        let left = directory.keep();
        drop(_lock);
        let running = GoBinaryDirectory::new(&cache).unwrap();
        assert!(!left.exists());
        let other = GoBinaryDirectory::new(&cache).unwrap();
        assert!(running.directory().exists());
        assert_eq!(runs(&cache), 2);
        drop((running, other));
    }

    #[test]
    fn runs_that_begin_at_the_same_time_keep_their_directories() {
        let root = tempfile::tempdir().unwrap();
        let cache = root.path().join("cache");
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..100 {
                        let binaries = GoBinaryDirectory::new(&cache).unwrap();
                        remove_left_behind(&cache.join("test-binaries"));
                        assert!(binaries.directory().join(LOCK).exists());
                        assert!(binaries.build_directory().exists());
                    }
                });
            }
        });
        assert_eq!(runs(&cache), 0);
    }

    #[test]
    fn a_place_that_cannot_be_written_is_named() {
        let root = tempfile::tempdir().unwrap();
        let cache = root.path().join("cache");
        fs::write(&cache, "a file").unwrap();
        let (path, _) = GoBinaryDirectory::new(&cache).unwrap_err();
        assert_eq!(path, cache.join("test-binaries"));
    }
}
