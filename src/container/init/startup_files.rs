//! The files that a fork server wrote before it was ready. Its forks need them, because a job that
//! starts by itself would have written them.
//!
//! They are read once and written to every later scratch file system before anything is mounted on
//! it, so no overlay sees its upper directory change. If there are too many, or some that cannot be
//! recreated (sockets, pipes), no fork server is used.
//!
//! Paths are relative to the scratch file system.

use std::ffi::{CString, OsStr};
use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use nix::fcntl::AT_FDCWD;
use nix::sys::stat::{UtimensatFlags, utimensat};
use nix::sys::time::TimeSpec;
use walkdir::WalkDir;

use super::super::plan::ContainerPlan;
use super::super::step::ContainerStep;
use super::super::store::whiteout::{self, DirectoryWhiteout};

/// The maximum number of files and directories. Each costs every job about 20 µs.
const ENTRIES_MAX: usize = 1000;

/// The maximum size of all files together in bytes. Each job's container holds a copy.
const BYTES_MAX: u64 = 4 * 1024 * 1024;

/// Files and directories, sorted so that each follows the directory that contains it.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct StartupFiles {
    entries: Vec<StartupEntry>,
}

#[derive(Debug, PartialEq, Eq)]
struct StartupEntry {
    path: PathBuf,
    mode: u32,
    accessed: (i64, i64),
    modified: (i64, i64),
    kind: StartupEntryKind,
}

#[derive(Debug, PartialEq, Eq)]
enum StartupEntryKind {
    Directory(DirectoryWhiteout),
    File(Vec<u8>),
    Symlink(PathBuf),
    /// The marker of an overlay for a removed file of the host.
    Whiteout,
}

/// Why the files cannot be given to forks.
#[derive(Debug, thiserror::Error)]
pub enum StartupFilesError {
    /// There are too many files or bytes.
    #[error("it writes more than {ENTRIES_MAX} files or {BYTES_MAX} bytes")]
    TooMuch,
    /// An entry is neither a file nor a directory nor a symbolic link.
    #[error("it makes {}, which can't be copied", .0.display())]
    Kind(PathBuf),
    /// A file cannot be read.
    #[error("it writes {}, which can't be read: {source}", path.display())]
    Read { path: PathBuf, source: io::Error },
}

impl StartupFiles {
    /// Reads the files written to this plan's scratch file system, which is accessible at `place`.
    pub fn of(plan: &ContainerPlan, place: &Path) -> Result<StartupFiles, StartupFilesError> {
        let Some(root) = &plan.scratch_file_system else {
            return Ok(StartupFiles::default());
        };
        let relative = |path: &CString| {
            let path = Path::new(OsStr::from_bytes(path.to_bytes()));
            let root = Path::new(OsStr::from_bytes(root.to_bytes()));
            path.strip_prefix(root).unwrap_or(path).to_owned()
        };
        let known: Vec<_> = plan.scratch_directories.iter().map(relative).collect();
        let mut private = Vec::new();
        for step in &plan.scratch_mounts {
            if let ContainerStep::MountOverlay { work, .. } = step {
                private.push(relative(work));
            }
        }
        StartupFiles::take(place, &known, &private)
    }

    /// Reads the contents of the scratch file system at `root`, except the `known` directories, and
    /// except everything in directories that are `private` to the kernel.
    pub fn take(
        root: &Path,
        known: &[PathBuf],
        private: &[PathBuf],
    ) -> Result<StartupFiles, StartupFilesError> {
        let mut heritage = StartupFiles::default();
        let mut room = BYTES_MAX;
        let mut walk = WalkDir::new(root).min_depth(1).into_iter();
        while let Some(found) = walk.next() {
            let found = found.map_err(|error| StartupFilesError::Read {
                path: error.path().unwrap_or(root).to_owned(),
                source: error.into(),
            })?;
            let path = found.path().strip_prefix(root).unwrap_or(found.path());
            if private.iter().any(|private| private == path) {
                walk.skip_current_dir();
            } else if !known.iter().any(|known| known == path) {
                if heritage.entries.len() == ENTRIES_MAX {
                    return Err(StartupFilesError::TooMuch);
                }
                heritage.entries.push(entry(root, path, &mut room)?);
            }
        }
        Ok(heritage)
    }

    /// Writes all entries to the scratch file system at `root`.
    pub fn give(&self, root: &Path) -> io::Result<()> {
        for entry in &self.entries {
            let path = root.join(&entry.path);
            match &entry.kind {
                StartupEntryKind::Directory(opacity) => {
                    fs::create_dir(&path)?;
                    match opacity {
                        DirectoryWhiteout::Opaque => whiteout::make_opaque(&path)?,
                        DirectoryWhiteout::Transparent => {}
                    }
                }
                StartupEntryKind::File(content) => fs::write(&path, content)?,
                StartupEntryKind::Symlink(target) => {
                    std::os::unix::fs::symlink(target, &path)?;
                    continue;
                }
                StartupEntryKind::Whiteout => {
                    whiteout::make_whiteout(&path)?;
                    continue;
                }
            }
            fs::set_permissions(&path, fs::Permissions::from_mode(entry.mode))?;
        }
        // The times come last, because those of a directory change when entries are created in it.
        for entry in &self.entries {
            let time = |(seconds, nanoseconds)| TimeSpec::new(seconds, nanoseconds);
            utimensat(
                AT_FDCWD,
                &root.join(&entry.path),
                &time(entry.accessed),
                &time(entry.modified),
                UtimensatFlags::NoFollowSymlink,
            )?;
        }
        Ok(())
    }

    /// Returns the paths of all entries.
    pub fn paths(&self) -> impl Iterator<Item = &Path> {
        self.entries.iter().map(|entry| entry.path.as_path())
    }
}

fn entry(root: &Path, path: &Path, room: &mut u64) -> Result<StartupEntry, StartupFilesError> {
    let failed = |source| StartupFilesError::Read {
        path: path.to_owned(),
        source,
    };
    let full = root.join(path);
    let metadata = fs::symlink_metadata(&full).map_err(failed)?;
    let file_type = metadata.file_type();
    let kind = if file_type.is_dir() {
        StartupEntryKind::Directory(whiteout::of(&full).map_err(failed)?)
    } else if file_type.is_symlink() {
        StartupEntryKind::Symlink(fs::read_link(&full).map_err(failed)?)
    } else if file_type.is_file() {
        *room = room
            .checked_sub(metadata.len())
            .ok_or(StartupFilesError::TooMuch)?;
        StartupEntryKind::File(fs::read(&full).map_err(failed)?)
    } else if metadata.rdev() == 0 && metadata.mode() & libc::S_IFMT == libc::S_IFCHR {
        StartupEntryKind::Whiteout
    } else {
        return Err(StartupFilesError::Kind(path.to_owned()));
    };
    Ok(StartupEntry {
        path: path.to_owned(),
        mode: metadata.mode() & 0o7777,
        accessed: (metadata.atime(), metadata.atime_nsec()),
        modified: (metadata.mtime(), metadata.mtime_nsec()),
        kind,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paths(names: &[&str]) -> Vec<PathBuf> {
        names.iter().map(PathBuf::from).collect()
    }

    #[test]
    fn what_was_written_is_written_again() {
        let (from, to) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        for root in [&from, &to] {
            fs::create_dir_all(root.path().join("0/known")).unwrap();
        }
        let at = |name: &str| from.path().join(name);
        fs::create_dir_all(at("work/inner")).unwrap();
        fs::create_dir(at("0/new")).unwrap();
        fs::write(at("0/new/file"), "text").unwrap();
        fs::set_permissions(at("0/new/file"), fs::Permissions::from_mode(0o640)).unwrap();
        fs::write(at("0/known/other"), "more").unwrap();
        std::os::unix::fs::symlink("nowhere", at("0/link")).unwrap();
        let known = paths(&["0", "0/known"]);
        let taken = StartupFiles::take(from.path(), &known, &paths(&["work"])).unwrap();
        assert_eq!(taken.paths().count(), 4);
        taken.give(to.path()).unwrap();
        let given = StartupFiles::take(to.path(), &known, &[]).unwrap();
        let sorted = |heritage: StartupFiles| {
            let mut entries = heritage.entries;
            entries.sort_by(|one, other| one.path.cmp(&other.path));
            entries
        };
        assert_eq!(sorted(given), sorted(taken));
    }

    #[test]
    fn what_is_too_much_or_no_file_is_refused() {
        let root = tempfile::tempdir().unwrap();
        let file = fs::File::create(root.path().join("large")).unwrap();
        file.set_len(BYTES_MAX + 1).unwrap();
        let take = || StartupFiles::take(root.path(), &[], &[]);
        assert!(matches!(take(), Err(StartupFilesError::TooMuch)));
        file.set_len(BYTES_MAX).unwrap();
        assert!(take().is_ok());
        nix::unistd::mkfifo(&root.path().join("pipe"), nix::sys::stat::Mode::S_IRUSR).unwrap();
        let refused = take().unwrap_err();
        insta::assert_snapshot!(refused, @"it makes pipe, which can't be copied");
    }
}
