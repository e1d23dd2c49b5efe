//! Stores test binaries during a run: in a directory per run below `test-binaries` in the runner's
//! cache for the project, which mirrors the import paths.
//!
//! ```text
//! test-binaries/RUN/            a run directory
//!   example.com/m/p/p.test
//!   build/                      Go's own temporary files
//! ```
//!
//! The binaries are next to Go's temporary files, so that they are moved rather than copied.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use maelstrom_container::private;

use crate::sandbox::run_directory::RunDirectory;

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
    run: RunDirectory,
    build: PathBuf,
}

impl GoBinaryDirectory {
    /// Creates the directory in the runner's cache for the project, and removes those that killed
    /// runs left behind. An error comes with the path at fault.
    pub fn new(cache: &Path) -> Result<GoBinaryDirectory, (PathBuf, io::Error)> {
        let run = RunDirectory::new(&cache.join("test-binaries"))?;
        let build = run.path().join("build");
        private::new_directory(&build).map_err(|error| (build.clone(), error))?;
        Ok(GoBinaryDirectory { run, build })
    }

    /// Returns the directory of test binaries.
    pub fn directory(&self) -> &Path {
        self.run.path()
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
    fn a_place_that_cannot_be_written_is_named() {
        let root = tempfile::tempdir().unwrap();
        let cache = root.path().join("cache");
        fs::write(&cache, "a file").unwrap();
        let (path, _) = GoBinaryDirectory::new(&cache).unwrap_err();
        assert_eq!(path, cache.join("test-binaries"));
    }
}
