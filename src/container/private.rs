//! Files and directories that only the user can access: state, caches, journals, lock files, logs.
//!
//! They contain the output of tests, their environment, and copies of files that other users may
//! not be able to read at their source. So files have mode 0600 and directories 0700, whatever the
//! umask. Permissions for others that an earlier version left are removed on the next use. A
//! directory of another user is refused, because its owner could read or replace everything in it.
//!
//! All files that Maelstrom keeps on disk are created by these functions; `tests/tidy.rs` enforces
//! it.

use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use nix::unistd::geteuid;

/// The mode of files: the owner can read and write.
const FILE_MODE: u32 = 0o600;

/// The mode of directories: the owner has all permissions.
const DIRECTORY_MODE: u32 = 0o700;

/// The permission bits of everybody except the owner.
const OTHERS: u32 = 0o077;

/// A file or directory belongs to another user.
#[derive(Debug, thiserror::Error)]
#[error(
    "{} belongs to user {owner}, who could read and replace what is kept there; name a directory of \
     your own, or one inside it",
    path.display()
)]
pub struct ForeignOwnerError {
    pub path: PathBuf,
    pub owner: u32,
}

fn foreign(path: &Path, owner: u32) -> io::Error {
    let path = path.to_owned();
    io::Error::new(
        io::ErrorKind::PermissionDenied,
        ForeignOwnerError { path, owner },
    )
}

/// Ensures that a directory exists and that only the user can access it. Creates missing parents.
pub fn directory(path: &Path) -> io::Result<()> {
    match new_directory(path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => close(path),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let parent = path.parent().filter(|parent| *parent != Path::new(""));
            let Some(parent) = parent else {
                return Err(error);
            };
            make_all(parent)?;
            match new_directory(path) {
                // Another process created it first.
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => close(path),
                other => other,
            }
        }
        other => other,
    }
}

/// Creates a directory and its missing parents. An existing directory is left as it is.
fn make_all(path: &Path) -> io::Result<()> {
    if path.is_dir() {
        return Ok(());
    }
    if let Some(parent) = path.parent().filter(|parent| *parent != Path::new("")) {
        make_all(parent)?;
    }
    match new_directory(path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && path.is_dir() => Ok(()),
        other => other,
    }
}

/// Creates a directory that must not exist yet.
pub fn new_directory(path: &Path) -> io::Result<()> {
    DirBuilder::new().mode(DIRECTORY_MODE).create(path)?;
    // The umask may have removed permissions of the owner as well.
    fs::set_permissions(path, Permissions::from_mode(DIRECTORY_MODE))
}

/// Removes the permissions of other users from a directory. Fails if it belongs to another user.
fn close(path: &Path) -> io::Result<()> {
    let named = fs::symlink_metadata(path)?;
    // The owner of a symbolic link determines its target. Links of root are trusted.
    if named.is_symlink() && named.uid() != geteuid().as_raw() && named.uid() != 0 {
        return Err(foreign(path, named.uid()));
    }
    let directory = OpenOptions::new()
        .read(true)
        .custom_flags(libc::O_DIRECTORY)
        .open(path)?;
    restrict(&directory, path, DIRECTORY_MODE)
}

/// Removes the permissions of other users from an open file, whatever its path refers to meanwhile.
fn restrict(file: &File, path: &Path, mode: u32) -> io::Result<()> {
    let metadata = file.metadata()?;
    if metadata.uid() != geteuid().as_raw() {
        return Err(foreign(path, metadata.uid()));
    }
    if metadata.mode() & OTHERS != 0 || metadata.mode() & mode != mode {
        file.set_permissions(Permissions::from_mode(mode))?;
        tracing::debug!(path = %path.display(), "closed to others");
    }
    Ok(())
}

/// Opens a file with options that may create it. Restricts an existing one to the user.
fn open(path: &Path, options: &mut OpenOptions) -> io::Result<File> {
    // A symbolic link is refused, because it could lead anywhere.
    let file = options
        .mode(FILE_MODE)
        .custom_flags(libc::O_NOFOLLOW)
        .open(path)?;
    restrict(&file, path, FILE_MODE)?;
    Ok(file)
}

/// Creates a file that must not exist yet, for writing.
pub fn new_file(path: &Path) -> io::Result<File> {
    open(path, OpenOptions::new().write(true).create_new(true))
}

/// Creates or truncates a file, for writing.
pub fn file(path: &Path) -> io::Result<File> {
    open(
        path,
        OpenOptions::new().write(true).create(true).truncate(true),
    )
}

/// Opens a file for reading and appending, and creates it if it is missing.
pub fn appended(path: &Path) -> io::Result<File> {
    open(
        path,
        OpenOptions::new().read(true).append(true).create(true),
    )
}

/// Opens a file for reading and writing without truncating it, and creates it if it is missing.
pub fn kept(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    open(path, &mut options)
}

/// Writes a file with this content.
pub fn write(path: &Path, content: &[u8]) -> io::Result<()> {
    use std::io::Write;
    file(path)?.write_all(content)
}

/// Creates a directory with a unique name below `parent`. It is removed when the returned value is
/// dropped.
pub fn temporary_directory(prefix: &str, parent: &Path) -> io::Result<tempfile::TempDir> {
    let directory = tempfile::Builder::new()
        .prefix(prefix)
        .permissions(Permissions::from_mode(DIRECTORY_MODE))
        .tempdir_in(parent)?;
    fs::set_permissions(directory.path(), Permissions::from_mode(DIRECTORY_MODE))?;
    Ok(directory)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{chown, symlink};

    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().mode() & 0o7777
    }

    fn open_to_all(path: &Path, mode: u32) {
        fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
    }

    #[test]
    fn what_is_made_is_the_users_alone_and_what_was_open_is_closed() {
        let root = tempfile::tempdir().unwrap();
        let at = |name: &str| root.path().join(name);
        directory(&at("a/b/c")).unwrap();
        for name in ["a", "a/b", "a/b/c"] {
            assert_eq!(mode(&at(name)), 0o700, "{name}");
            open_to_all(&at(name), 0o777);
        }
        directory(&at("a/b/c")).unwrap();
        assert_eq!(mode(&at("a/b/c")), 0o700);
        // A parent directory is left as it is, because it may be shared on purpose.
        assert_eq!(mode(&at("a/b")), 0o777);

        let ways: [fn(&Path) -> io::Result<File>; 3] = [file, appended, kept];
        for (index, way) in ways.into_iter().enumerate() {
            let path = at(&format!("file{index}"));
            way(&path).unwrap();
            assert_eq!(mode(&path), 0o600, "{index}");
            open_to_all(&path, 0o666);
            way(&path).unwrap();
            assert_eq!(mode(&path), 0o600, "{index}");
        }
        new_file(&at("new")).unwrap();
        assert_eq!(mode(&at("new")), 0o600);
        write(&at("written"), b"text").unwrap();
        assert_eq!(mode(&at("written")), 0o600);
        let temporary = temporary_directory("x-", root.path()).unwrap();
        assert_eq!(mode(temporary.path()), 0o700);
    }

    #[test]
    fn a_link_leads_to_a_directory_of_the_users_but_to_no_file() {
        let root = tempfile::tempdir().unwrap();
        let at = |name: &str| root.path().join(name);
        fs::create_dir(at("disk")).unwrap();
        open_to_all(&at("disk"), 0o755);
        symlink("disk", at("cache")).unwrap();
        directory(&at("cache")).unwrap();
        assert_eq!(mode(&at("disk")), 0o700);

        fs::write(at("precious"), "text").unwrap();
        symlink("precious", at("log")).unwrap();
        for way in [file, appended, kept] {
            let error = way(&at("log")).unwrap_err();
            assert_eq!(error.raw_os_error(), Some(libc::ELOOP), "{error}");
        }
        assert_eq!(fs::read(at("precious")).unwrap(), b"text");
    }

    #[test]
    fn what_is_another_users_is_refused() {
        let root = tempfile::tempdir().unwrap();
        let at = |name: &str| root.path().join(name);
        // An unprivileged user can use a directory of the machine; root must create one.
        let foreign = match geteuid().is_root() {
            false => PathBuf::from("/usr"),
            true => {
                fs::create_dir(at("theirs")).unwrap();
                chown(at("theirs"), Some(1234), None).unwrap();
                symlink("theirs", at("link")).unwrap();
                std::os::unix::fs::lchown(at("link"), Some(1234), None).unwrap();
                let error = directory(&at("link")).unwrap_err();
                assert!(error.to_string().contains("belongs to user 1234"));
                fs::write(at("file"), "").unwrap();
                chown(at("file"), Some(1234), None).unwrap();
                assert!(kept(&at("file")).is_err());
                at("theirs")
            }
        };
        let error = directory(&foreign).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::PermissionDenied);
        assert!(error.to_string().contains("belongs to user"), "{error}");
        let text = foreign.display().to_string();
        assert!(error.to_string().contains(&text), "{error}");
    }

    #[test]
    fn a_file_in_the_place_of_a_directory_is_no_directory() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("file");
        fs::write(&path, "").unwrap();
        for place in [path.clone(), path.join("below"), path.join("far/below")] {
            let kind = directory(&place).unwrap_err().kind();
            assert_eq!(kind, io::ErrorKind::NotADirectory, "{}", place.display());
        }
    }
}
