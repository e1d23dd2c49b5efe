//! Fingerprints of host paths, which show whether two machines provide the same files.
//!
//! A container may mount directories of the host that it runs on: programs and libraries. Such a
//! job gives the same result elsewhere only if that host provides the same files. Reading all of
//! `/usr` takes minutes, so the [`identity`] of a path covers names, kinds, sizes and link targets
//! to a depth of two and, for a distribution's directories, the contents of its package database.
//!
//! It never covers properties that differ between machines with equal content: times, owners, inode
//! numbers, the sizes of directories, which depend on the file system, and installation times in a
//! package database.

use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

use maelstrom_container::digest::{Digest, DigestHasher};

/// The version of the fingerprint. Must be increased when the same files would get another
/// identity.
const FORMAT: &[u8] = b"maelstrom toolbox 2";

/// The identity of a device in a template's toolbox, which no file or directory has: its identity is
/// a digest.
pub const DEVICE: &[u8] = b"device";

/// The number of levels of names that are covered.
const DEPTH: u32 = 2;

/// A path with more entries is rejected: `/usr` has some thousands to this depth.
const ENTRIES_MAX: u64 = 1_000_000;

/// The maximum size of a file: reading a larger one would take seconds.
const FILE_BYTES_MAX: u64 = 1 << 30;

/// The directory that a distribution's package database describes.
const DISTRIBUTION: &str = "/usr";

/// Files that identify the distribution and list its packages: those of Debian and Alpine. The
/// databases of pacman and rpm contain installation times; see [`LISTINGS`].
const RECORDS: [&str; 4] = [
    "/etc/os-release",
    "/usr/lib/os-release",
    "/var/lib/dpkg/status",
    "/lib/apk/db/installed",
];

/// Directories whose entry names list the installed packages, and the depth to read: pacman has one
/// directory for each package and version; with rpm every program has its build id, in directories
/// of two digits.
const LISTINGS: [(&str, u32); 2] = [("/var/lib/pacman/local", 1), ("/usr/lib/.build-id", 2)];

/// Returns the identity of a file or directory: equal on machines that provide the same files
/// there. Takes a few milliseconds.
///
/// # Errors
///
/// Returns an error if the path doesn't exist, can't be read, or is neither a file nor a directory.
pub fn identity(path: &Path) -> io::Result<Vec<u8>> {
    let mut excerpt = ToolboxFingerprint {
        hasher: DigestHasher::default(),
        entries_left: ENTRIES_MAX,
    };
    excerpt.hasher.update_framed(FORMAT);
    // Follows a symlink, because `/lib` may be one. Symlinks below are covered by their targets.
    let metadata = fs::metadata(path)?;
    if metadata.is_dir() {
        excerpt.directory(path, DEPTH)?;
        if path == Path::new(DISTRIBUTION) {
            excerpt.distribution()?;
        }
    } else if metadata.is_file() && metadata.len() <= FILE_BYTES_MAX {
        excerpt.content(path)?;
    } else {
        return Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            format!("neither a directory nor a file of at most {FILE_BYTES_MAX} bytes"),
        ));
    }
    let digest = excerpt.hasher.finish();
    Ok(digest.hash.as_bytes().to_vec())
}

struct ToolboxFingerprint {
    hasher: DigestHasher,
    entries_left: u64,
}

impl ToolboxFingerprint {
    /// Adds the entries of a directory, sorted by name.
    fn directory(&mut self, path: &Path, depth: u32) -> io::Result<()> {
        self.mark("directory");
        for entry in self.sorted(path)? {
            self.name(&entry);
            let metadata = fs::symlink_metadata(&entry)?;
            let kind = metadata.file_type();
            if kind.is_dir() {
                match depth.checked_sub(1).filter(|depth| *depth > 0) {
                    None => self.mark("deep directory"),
                    Some(_) if is_closed(metadata.uid(), metadata.mode()) => self.mark("closed"),
                    Some(depth) => self.directory_if_readable(&entry, depth)?,
                }
            } else if kind.is_symlink() {
                self.mark("link");
                let target = fs::read_link(&entry)?;
                self.hasher.update_framed(target.as_os_str().as_bytes());
            } else if kind.is_file() {
                self.mark("file");
                self.hasher.update(&metadata.len().to_le_bytes());
            } else {
                self.mark(match kind.is_socket() || kind.is_fifo() {
                    true => "meeting point",
                    false => "device",
                });
            }
        }
        self.mark("end");
        Ok(())
    }

    /// Skips a directory that only another user may read: a job could not read it either.
    fn directory_if_readable(&mut self, path: &Path, depth: u32) -> io::Result<()> {
        match self.directory(path, depth) {
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                self.mark("closed");
                Ok(())
            }
            other => other,
        }
    }

    fn distribution(&mut self) -> io::Result<()> {
        for record in RECORDS {
            match fs::metadata(record) {
                Ok(metadata) if metadata.is_file() => self.content(Path::new(record))?,
                Ok(_) | Err(_) => self.mark("no record"),
            }
        }
        for (listing, depth) in LISTINGS {
            match fs::metadata(listing) {
                Ok(metadata) if metadata.is_dir() => self.names(Path::new(listing), depth)?,
                Ok(_) | Err(_) => self.mark("no listing"),
            }
        }
        Ok(())
    }

    /// Adds only the names in a directory and its subdirectories.
    fn names(&mut self, path: &Path, depth: u32) -> io::Result<()> {
        self.mark("names");
        for entry in self.sorted(path)? {
            self.name(&entry);
            if depth > 1 && fs::symlink_metadata(&entry)?.is_dir() {
                self.names(&entry, depth - 1)?;
            }
        }
        self.mark("end");
        Ok(())
    }

    fn content(&mut self, path: &Path) -> io::Result<()> {
        self.mark("content");
        self.hasher.update(Digest::of_file(path)?.hash.as_bytes());
        Ok(())
    }

    fn sorted(&mut self, path: &Path) -> io::Result<Vec<PathBuf>> {
        let mut entries = Vec::new();
        for entry in fs::read_dir(path)? {
            self.entries_left = self.entries_left.checked_sub(1).ok_or_else(|| {
                let text = format!("it has more than {ENTRIES_MAX} entries");
                io::Error::new(io::ErrorKind::InvalidInput, text)
            })?;
            entries.push(entry?.path());
        }
        entries.sort();
        Ok(entries)
    }

    fn name(&mut self, entry: &Path) {
        let name = entry.file_name().unwrap_or_default();
        self.hasher.update_framed(name.as_bytes());
    }

    fn mark(&mut self, kind: &str) {
        self.hasher.update_framed(kind.as_bytes());
    }
}

/// Returns whether only root may read a directory, for example one of private keys. It is ignored
/// even if this process is root, because workers of other users can't read it.
pub fn is_closed(owner: u32, mode: u32) -> bool {
    const READ_BY_OTHERS: u32 = 0o004;
    owner == 0 && mode & READ_BY_OTHERS == 0
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    /// Returns the identity of a fixed tree after a modification.
    fn after(change: impl FnOnce(&Path)) -> Vec<u8> {
        let directory = tempfile::tempdir().unwrap();
        let root = directory.path();
        fs::create_dir_all(root.join("lib/deep/deeper")).unwrap();
        fs::write(root.join("lib/file"), "four").unwrap();
        fs::write(root.join("lib/deep/file"), "deep").unwrap();
        symlink("file", root.join("lib/link")).unwrap();
        change(root);
        identity(root).unwrap()
    }

    #[test]
    fn what_shows_to_a_depth_of_two_counts() {
        let same = after(|_| {});
        assert_eq!(same, after(|_| {}));
        assert_eq!(same.len(), 32);
        let different = [
            after(|root| fs::write(root.join("new"), "").unwrap()),
            after(|root| fs::write(root.join("lib/file"), "longer").unwrap()),
            after(|root| fs::rename(root.join("lib/file"), root.join("lib/life")).unwrap()),
            after(|root| fs::remove_dir_all(root.join("lib/deep")).unwrap()),
            after(|root| {
                fs::remove_file(root.join("lib/link")).unwrap();
                symlink("life", root.join("lib/link")).unwrap();
            }),
        ];
        for other in &different {
            assert_ne!(&same, other);
        }
    }

    #[test]
    fn times_and_what_lies_deeper_do_not_count() {
        let same = after(|_| {});
        let aged = |root: &Path| {
            let file = fs::File::options().write(true).open(root.join("lib/file"));
            let past = std::time::SystemTime::UNIX_EPOCH;
            file.unwrap().set_modified(past).unwrap();
        };
        assert_eq!(same, after(aged));
        assert_eq!(
            same,
            after(|root| fs::write(root.join("lib/deep/new"), "").unwrap())
        );
    }

    #[test]
    fn what_root_keeps_from_others_counts_to_nobody() {
        assert!(is_closed(0, 0o40_710));
        assert!(!is_closed(0, 0o40_755));
        assert!(!is_closed(1000, 0o40_700));
        let closed = |secret: &str| {
            after(|root| {
                let keys = root.join("keys");
                fs::create_dir(&keys).unwrap();
                fs::write(keys.join("key"), secret).unwrap();
                fs::set_permissions(&keys, fs::Permissions::from_mode(0o710)).unwrap();
            })
        };
        // Unless the test runs as root, the directory is not owned by root, and counts as readable.
        let is_root = nix::unistd::geteuid().is_root();
        assert_eq!(closed("a") == closed("other"), is_root);
    }

    #[test]
    fn a_file_is_its_content() {
        let directory = tempfile::tempdir().unwrap();
        let [a, b, c] = ["a", "b", "c"].map(|name| directory.path().join(name));
        fs::write(&a, "same").unwrap();
        fs::write(&b, "same").unwrap();
        fs::write(&c, "else").unwrap();
        assert_eq!(identity(&a).unwrap(), identity(&b).unwrap());
        assert_ne!(identity(&a).unwrap(), identity(&c).unwrap());
        assert_ne!(identity(&a).unwrap(), identity(directory.path()).unwrap());
    }

    #[test]
    fn what_is_neither_has_none() {
        let missing = identity(Path::new("/nowhere/at/all")).unwrap_err();
        assert_eq!(missing.kind(), io::ErrorKind::NotFound);
        // Opening it would block forever.
        let directory = tempfile::tempdir().unwrap();
        let pipe = directory.path().join("pipe");
        nix::unistd::mkfifo(&pipe, nix::sys::stat::Mode::S_IRUSR).unwrap();
        assert_eq!(
            identity(&pipe).unwrap_err().kind(),
            io::ErrorKind::InvalidInput
        );
    }

    #[test]
    fn this_machine_has_one() {
        assert_eq!(
            identity(Path::new(DISTRIBUTION)).unwrap(),
            identity(Path::new(DISTRIBUTION)).unwrap()
        );
    }
}
