//! The directory of a store: opens, creates and replaces it.
//!
//! ```text
//! CACHEDIR.TAG    tells backup programs that all of this can be recreated
//! version         the version of the layout
//! maelstrom.lock  held by users of the directory, and while it is set up
//! pins            locks of entries in use
//! builds          locks of entries being created
//! scratches       locks of the entries of scratch/
//! digests         cached digests of files outside the store, see `digest_cache`
//! blobs/HASH      files by their SHA-256
//! partial/HASH    incomplete blobs
//! trees/HASH/     manifest and root/
//! scratch/NAME    entries being created or removed
//! ```
//!
//! A directory with a valid `CACHEDIR.TAG` and content of another version is emptied, unless a
//! program is using it. A directory with any other content is left alone, because it is not a
//! cache. Only the owner can access the contents, because trees contain files that other users may
//! not be able to read at their source.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::error::StoreError;
use super::lock::{LockAttempt, LockFile, LockSlot};
use super::remove::remove_all;
use crate::private;

/// The version of the layout. Change it whenever the layout of the directory or of a manifest
/// changes.
const VERSION: &str = "maelstrom 1\n";

/// According to the Cache Directory Tagging Specification, a file that begins with this signature
/// marks a directory as a cache.
const TAG_SIGNATURE: &str = "Signature: 8a477f597d28d172789f06886806bc55";

const TAG: &str = "CACHEDIR.TAG";
const LOCK: &str = "maelstrom.lock";
const VERSION_FILE: &str = "version";
const DIRECTORIES: [&str; 4] = ["blobs", "partial", "trees", "scratch"];

/// The lock that users of the directory hold shared, and that is held exclusively to replace the
/// contents.
fn use_slot() -> LockSlot {
    LockSlot::new(0)
}

/// The lock that is held exclusively to check whether the directory is set up.
fn setup_slot() -> LockSlot {
    LockSlot::new(1 << 8)
}

/// A directory that is set up. It is not replaced while this value exists.
#[derive(Debug)]
pub(super) struct StoreDirectory {
    root: PathBuf,
    _in_use: LockFile,
}

impl StoreDirectory {
    /// Opens a store's directory, setting it up if necessary.
    pub(super) fn open(root: &Path) -> Result<Self, StoreError> {
        // Existing contents are left alone until it is known that they are a cache.
        if root.is_dir() {
            refuse_foreign(root)?;
        }
        private::directory(root).map_err(|source| match source.kind() {
            io::ErrorKind::AlreadyExists | io::ErrorKind::NotADirectory => {
                StoreError::NotADirectory {
                    path: root.to_owned(),
                }
            }
            _ => StoreError::create_directory(root, source),
        })?;
        let root = fs::canonicalize(root).map_err(|source| StoreError::read(root, source))?;
        let lock = LockFile::open(&root.join(LOCK))?;
        lock.lock(setup_slot())?;
        if is_current(&root) {
            lock.share(use_slot())?;
        } else {
            match lock.try_lock(use_slot())? {
                LockAttempt::Refused => return Err(StoreError::OtherVersionActive { path: root }),
                LockAttempt::Granted => {
                    set_up(&root)?;
                    lock.share(use_slot())?;
                }
            }
        }
        // Also if the version is current, because parts of the cache may have been removed
        // manually.
        for name in DIRECTORIES {
            ensure_directory(&root.join(name))?;
        }
        lock.release(setup_slot())?;
        Ok(StoreDirectory {
            root,
            _in_use: lock,
        })
    }

    /// Returns the absolute path of the directory, without symbolic links.
    pub(super) fn root(&self) -> &Path {
        &self.root
    }

    pub(super) fn lock_file(&self, name: &str) -> Result<LockFile, StoreError> {
        LockFile::open(&self.root.join(name))
    }
}

/// Checks that a directory may be used: it is empty, is marked as a cache, or is just being set up
/// (the lock file is created first).
fn refuse_foreign(root: &Path) -> Result<(), StoreError> {
    let read = |source| StoreError::read(root, source);
    if has_tag(root) {
        return Ok(());
    }
    let mut foreign = None;
    for entry in fs::read_dir(root).map_err(read)? {
        let name = entry.map_err(read)?.file_name();
        if name == LOCK {
            return Ok(());
        }
        foreign = Some(name);
    }
    match foreign {
        None => Ok(()),
        // Another program may have set the directory up meanwhile.
        Some(_) if has_tag(root) => Ok(()),
        Some(name) => Err(StoreError::NotACache {
            path: root.to_owned(),
            found: name.into(),
        }),
    }
}

fn has_tag(root: &Path) -> bool {
    fs::read(root.join(TAG)).is_ok_and(|tag| tag.starts_with(TAG_SIGNATURE.as_bytes()))
}

fn is_current(root: &Path) -> bool {
    has_tag(root) && fs::read(root.join(VERSION_FILE)).is_ok_and(|text| text == VERSION.as_bytes())
}

/// Empties the directory and marks it as a cache. The version is written last, so that an
/// interrupted setup is repeated.
fn set_up(root: &Path) -> Result<(), StoreError> {
    let read = |source| StoreError::read(root, source);
    for entry in fs::read_dir(root).map_err(read)? {
        let entry = entry.map_err(read)?;
        if entry.file_name() != LOCK && entry.file_name() != TAG {
            remove_all(&entry.path())?;
        }
    }
    let tag = format!(
        "{TAG_SIGNATURE}\n# This directory is a cache of Maelstrom and may be removed at any time.\n\
         # See https://bford.info/cachedir/ for what this file means.\n"
    );
    let write = |name: &str, text: &str| {
        let path = root.join(name);
        private::write(&path, text.as_bytes()).map_err(|source| StoreError::write(&path, source))
    };
    write(TAG, &tag)?;
    write(VERSION_FILE, VERSION)
}

/// Creates a directory of the store. Any other file at its path is removed as damage.
fn ensure_directory(path: &Path) -> Result<(), StoreError> {
    match fs::symlink_metadata(path) {
        Ok(metadata) if !metadata.is_dir() => remove_all(path)?,
        Ok(_) | Err(_) => {}
    }
    private::directory(path).map_err(|source| StoreError::create_directory(path, source))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(root: &Path) -> Vec<String> {
        let mut names: Vec<String> = fs::read_dir(root)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn a_new_directory_is_tagged_and_versioned() {
        let parent = tempfile::tempdir().unwrap();
        let root = parent.path().join("some/where");
        let _layout = StoreDirectory::open(&root).unwrap();
        assert_eq!(
            names(&root),
            [
                "CACHEDIR.TAG",
                "blobs",
                "maelstrom.lock",
                "partial",
                "scratch",
                "trees",
                "version"
            ]
        );
        assert!(has_tag(&root));
    }

    #[test]
    fn two_use_one_directory_and_its_content_stays() {
        let parent = tempfile::tempdir().unwrap();
        let _first = StoreDirectory::open(parent.path()).unwrap();
        fs::write(parent.path().join("blobs/kept"), "").unwrap();
        let _second = StoreDirectory::open(parent.path()).unwrap();
        assert!(parent.path().join("blobs/kept").exists());
    }

    #[test]
    fn another_versions_content_is_discarded_unless_it_is_in_use() {
        let parent = tempfile::tempdir().unwrap();
        let root = parent.path();
        let user = StoreDirectory::open(root).unwrap();
        fs::write(root.join("blobs/old"), "").unwrap();
        fs::write(root.join("version"), "0").unwrap();
        let error = StoreDirectory::open(root).unwrap_err();
        assert!(
            matches!(error, StoreError::OtherVersionActive { .. }),
            "{error}"
        );
        assert!(root.join("blobs/old").exists());
        drop(user);
        let _layout = StoreDirectory::open(root).unwrap();
        assert!(!root.join("blobs/old").exists());
        assert!(is_current(root));
    }

    #[test]
    fn an_interrupted_set_up_is_done_again() {
        let parent = tempfile::tempdir().unwrap();
        let root = parent.path();
        fs::write(root.join(LOCK), "").unwrap();
        fs::write(root.join("CACHEDIR.TAG"), "Signa").unwrap();
        let _layout = StoreDirectory::open(root).unwrap();
        assert!(is_current(root));
    }

    #[test]
    fn a_damaged_place_is_made_anew() {
        let parent = tempfile::tempdir().unwrap();
        let root = parent.path();
        drop(StoreDirectory::open(root).unwrap());
        fs::remove_dir(root.join("trees")).unwrap();
        fs::write(root.join("trees"), "garbage").unwrap();
        let _layout = StoreDirectory::open(root).unwrap();
        assert!(root.join("trees").is_dir());
    }

    #[test]
    fn what_is_no_cache_is_left_alone() {
        let parent = tempfile::tempdir().unwrap();
        fs::write(parent.path().join("thesis.tex"), "").unwrap();
        let error = StoreDirectory::open(parent.path()).unwrap_err();
        assert!(matches!(error, StoreError::NotACache { .. }), "{error}");
        assert!(error.to_string().contains("thesis.tex"), "{error}");
        assert_eq!(names(parent.path()), ["thesis.tex"]);
    }

    #[test]
    fn a_file_in_place_of_the_directory_is_named() {
        let parent = tempfile::tempdir().unwrap();
        let file = parent.path().join("file");
        fs::write(&file, "").unwrap();
        for path in [file.clone(), file.join("below")] {
            let error = StoreDirectory::open(&path).unwrap_err();
            assert!(matches!(error, StoreError::NotADirectory { .. }), "{error}");
            assert!(error.to_string().contains(path.to_str().unwrap()));
        }
    }

    #[test]
    fn a_place_where_nothing_can_be_made_is_named() {
        let error = StoreDirectory::open(Path::new("/proc/self/cache")).unwrap_err();
        assert!(
            matches!(error, StoreError::CreateDirectory { .. }),
            "{error}"
        );
        assert!(error.to_string().contains("/proc/self/cache"), "{error}");
    }
}
