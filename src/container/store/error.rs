//! The errors of a store, one variant per failing step.

use std::io;
use std::path::{Path, PathBuf};

use miette::Diagnostic;

use crate::digest::Digest;

/// An error of the store.
#[derive(Debug, Diagnostic, thiserror::Error)]
pub enum StoreError {
    /// A directory of the store is not there and cannot be made.
    #[error("cannot create the cache directory `{}`", path.display())]
    #[diagnostic(help("make the cache directory writable for you, or name another one"))]
    CreateDirectory { path: PathBuf, source: io::Error },
    /// Something other than a directory stands where the store should be.
    #[error("the cache directory `{}` is not a directory", path.display())]
    #[diagnostic(help("remove it, or name another cache directory"))]
    NotADirectory { path: PathBuf },
    /// The directory holds something that was not put there by a cache.
    #[error(
        "`{}` is no cache directory: it holds `{}` and no valid CACHEDIR.TAG",
        path.display(),
        found.display()
    )]
    #[diagnostic(help(
        "name an empty directory, or one that does not exist yet, as the cache directory"
    ))]
    NotACache {
        path: PathBuf,
        /// A file name in it.
        found: PathBuf,
    },
    /// Another version of the program uses the directory, so its layout can't be replaced.
    #[error(
        "the cache directory `{}` is in use by a program of another version",
        path.display()
    )]
    #[diagnostic(help("wait for the other program to end, or name another cache directory"))]
    OtherVersionActive { path: PathBuf },
    /// The file system, or the user's share of it, is full.
    #[error("no space left to write `{}`", path.display())]
    #[diagnostic(help(
        "make room on that file system, lower the cache's size, or name a cache directory \
         elsewhere"
    ))]
    Full {
        /// What was being written.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Something could not be read.
    #[error("cannot read `{}`", path.display())]
    #[diagnostic(help(
        "check the path's permissions; if it lies in the cache directory, that directory may be \
         removed between runs"
    ))]
    Read { path: PathBuf, source: io::Error },
    /// Something could not be written or made.
    #[error("cannot write `{}`", path.display())]
    #[diagnostic(help("make the cache directory writable for you, or name another one"))]
    Write { path: PathBuf, source: io::Error },
    /// Something could not be removed.
    #[error("cannot remove `{}`", path.display())]
    #[diagnostic(help("make the cache directory writable for you, or name another one"))]
    Remove { path: PathBuf, source: io::Error },
    /// A lock could not be taken.
    #[error("cannot lock `{}`", path.display())]
    #[diagnostic(help("put the cache directory on a file system that supports fcntl(2) locks"))]
    Lock { path: PathBuf, source: io::Error },
    /// Content turned out not to be what it was announced to be.
    #[error("the content is {actual} (hash/size), but {expected} was announced")]
    #[diagnostic(help("the source is damaged or lies: fetch or make it anew"))]
    Mismatch { expected: Digest, actual: Digest },
}

impl StoreError {
    /// A write that failed; a full disk is told apart.
    pub(super) fn write(path: &Path, source: io::Error) -> Self {
        let path = path.to_owned();
        match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
                StoreError::Full { path, source }
            }
            _ => StoreError::Write { path, source },
        }
    }

    /// A directory that could not be made; a full disk is told apart.
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
