//! The errors of the store, with one variant per failing operation.

use std::io;
use std::path::{Path, PathBuf};

use miette::Diagnostic;

use crate::digest::Digest;

/// An error of the store.
#[derive(Debug, Diagnostic, thiserror::Error)]
pub enum StoreError {
    /// A directory of the store does not exist and cannot be created.
    #[error("cannot create the cache directory `{}`", path.display())]
    #[diagnostic(help("make the cache directory writable for you, or name another one"))]
    CreateDirectory { path: PathBuf, source: io::Error },
    /// The path of the store is not a directory.
    #[error("the cache directory `{}` is not a directory", path.display())]
    #[diagnostic(help("remove it, or name another cache directory"))]
    NotADirectory { path: PathBuf },
    /// The directory contains files that are not part of a cache.
    #[error(
        "`{}` is not a cache directory: it contains `{}` and no valid CACHEDIR.TAG",
        path.display(),
        found.display()
    )]
    #[diagnostic(help(
        "name an empty directory, or one that does not exist yet, as the cache directory"
    ))]
    NotACache {
        path: PathBuf,
        /// The name of a file in it.
        found: PathBuf,
    },
    /// Another version of the program uses the directory, so its layout cannot be replaced.
    #[error(
        "the cache directory `{}` is in use by a program of another version",
        path.display()
    )]
    #[diagnostic(help("wait for the other program to end, or name another cache directory"))]
    OtherVersionActive { path: PathBuf },
    /// The file system is full, or the user's quota is exceeded.
    #[error("no space left to write `{}`", path.display())]
    #[diagnostic(help(
        "make room on that file system, lower the cache's size, or name a cache directory \
         elsewhere"
    ))]
    Full {
        /// The path that was written.
        path: PathBuf,
        /// The error of the system.
        source: io::Error,
    },
    /// A file or directory cannot be read.
    #[error("cannot read `{}`", path.display())]
    #[diagnostic(help(
        "check the path's permissions; if it lies in the cache directory, that directory may be \
         removed between runs"
    ))]
    Read { path: PathBuf, source: io::Error },
    /// A file or directory cannot be written or created.
    #[error("cannot write `{}`", path.display())]
    #[diagnostic(help("make the cache directory writable for you, or name another one"))]
    Write { path: PathBuf, source: io::Error },
    /// A file or directory cannot be removed.
    #[error("cannot remove `{}`", path.display())]
    #[diagnostic(help("make the cache directory writable for you, or name another one"))]
    Remove { path: PathBuf, source: io::Error },
    /// A lock cannot be acquired.
    #[error("cannot lock `{}`", path.display())]
    #[diagnostic(help("put the cache directory on a file system that supports fcntl(2) locks"))]
    Lock { path: PathBuf, source: io::Error },
    /// The content does not match its expected digest.
    #[error("the content is {actual} (hash/size), but {expected} was announced")]
    #[diagnostic(help("the source is damaged or inconsistent: fetch or create it again"))]
    Mismatch { expected: Digest, actual: Digest },
}

impl StoreError {
    /// Creates the error for a failed write. A full disk has its own variant.
    pub(super) fn write(path: &Path, source: io::Error) -> Self {
        let path = path.to_owned();
        match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
                StoreError::Full { path, source }
            }
            _ => StoreError::Write { path, source },
        }
    }

    /// Creates the error for a directory that cannot be created. A full disk has its own variant.
    pub(super) fn create_directory(path: &Path, source: io::Error) -> Self {
        match StoreError::write(path, source) {
            StoreError::Write { path, source } => StoreError::CreateDirectory { path, source },
            other => other,
        }
    }

    pub(super) fn read(path: &Path, source: io::Error) -> Self {
        StoreError::Read {
            path: path.to_owned(),
            source,
        }
    }

    pub(super) fn remove(path: &Path, source: io::Error) -> Self {
        StoreError::Remove {
            path: path.to_owned(),
            source,
        }
    }
}
