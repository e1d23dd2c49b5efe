//! The errors of building a layer, with one variant per cause.

use std::io;
use std::path::{Path, PathBuf};

use super::brace::BraceError;
use super::elf::ElfError;
use maelstrom_container::store::{HashError, StoreError, TreePath, TreePathError, TreeWriteError};

/// An error of building a layer.
#[derive(Debug, thiserror::Error)]
pub enum LayerError {
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The tree cannot be written.
    #[error(transparent)]
    Tree(TreeWriteError),
    /// A path in the specification does not exist.
    #[error("`{}` does not exist", path.display())]
    Missing {
        path: PathBuf,
        /// The error of the system.
        source: io::Error,
    },
    /// A file cannot be examined or read.
    #[error("cannot read `{}`", path.display())]
    Read { path: PathBuf, source: io::Error },
    /// A file was written to while it was being read.
    #[error("`{}` changed while it was being read", path.display())]
    Changed { path: PathBuf },
    /// A socket, FIFO or device.
    #[error("`{}` is {kind}; a layer holds files, directories and links only", path.display())]
    SpecialFile {
        path: PathBuf,
        /// The kind of the file, with its article.
        kind: &'static str,
    },
    /// A directory where a file is expected.
    #[error("`{}` is not a file", path.display())]
    NotAFile { path: PathBuf },
    /// A destination outside the container's root.
    #[error("a layer's entry has no place in the container")]
    Destination(#[from] TreePathError),
    /// Two entries of the layer conflict.
    #[error("`{path}` cannot be in the layer: `{parent}` in it is not a directory")]
    NotADirectory {
        path: TreePath,
        /// The entry in place of the directory.
        parent: TreePath,
    },
    /// A stub whose braces cannot be expanded.
    #[error("the stub `{stub}` cannot be expanded")]
    Brace { stub: String, source: BraceError },
    /// An invalid pattern.
    #[error("`{pattern}` is not a glob")]
    Glob {
        pattern: String,
        source: globset::Error,
    },
    /// The archive is damaged, or not a tar file.
    #[error("`{}` is not a readable tar file", path.display())]
    Tar { path: PathBuf, source: io::Error },
    /// An entry of an archive that cannot be unpacked.
    #[error("the entry `{entry}` of `{}` {problem}", path.display())]
    TarEntry {
        path: PathBuf,
        /// The name of the entry in the archive.
        entry: String,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// An entry of an archive that cannot be placed in the tree.
    #[error("`{}` cannot be unpacked", path.display())]
    Unpack {
        path: PathBuf,
        source: TreeWriteError,
    },
    /// The libraries of a program cannot be determined.
    #[error("cannot find the shared libraries of `{}`", binary.display())]
    Libraries { binary: PathBuf, source: ElfError },
}

impl LayerError {
    pub(super) fn read(path: impl Into<PathBuf>, source: io::Error) -> Self {
        let path = path.into();
        match source.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => {
                LayerError::Missing { path, source }
            }
            _ => LayerError::Read { path, source },
        }
    }

    pub(super) fn unpack(archive: &Path, source: TreeWriteError) -> Self {
        let path = archive.to_owned();
        match source {
            TreeWriteError::Store(error) => LayerError::Store(error),
            TreeWriteError::Input { source, .. } => LayerError::Tar { path, source },
            source => LayerError::Unpack { path, source },
        }
    }

    /// Returns how to fix the error.
    pub fn help(&self) -> &'static str {
        match self {
            LayerError::Store(error) => error.help(),
            LayerError::Missing { .. } => {
                "build or create it first, or correct the layer; relative paths start at the \
                 project directory"
            }
            LayerError::Read { .. } => "check its permissions",
            LayerError::Changed { .. } | LayerError::Tree(TreeWriteError::SourceChanged { .. }) => {
                "wait until whatever writes to it is done, and run again"
            }
            LayerError::SpecialFile { .. } => {
                "leave it out; devices are given to a container by a mount of type `devices`"
            }
            LayerError::NotAFile { .. } => "name a tar file, not a directory or device",
            LayerError::Destination(_) => {
                "use `canonicalize`, `strip_prefix` or `prepend_prefix` to give it a place below \
                 the container's root"
            }
            LayerError::NotADirectory { .. } => {
                "put one of the two in a later layer, or use `follow_symlinks` or `canonicalize`"
            }
            LayerError::Brace { .. } => {
                "balance its braces; a literal brace in it is written `\\{` or `\\}`"
            }
            LayerError::Glob { .. } => {
                "write special characters that stand for themselves as `\\*`"
            }
            LayerError::Tar { .. }
            | LayerError::TarEntry { .. }
            | LayerError::Unpack { .. }
            | LayerError::Tree(_) => "make the archive anew",
            LayerError::Libraries { source, .. } => source.help(),
        }
    }
}

impl From<TreeWriteError> for LayerError {
    fn from(error: TreeWriteError) -> Self {
        match error {
            TreeWriteError::Store(error) => LayerError::Store(error),
            error => LayerError::Tree(error),
        }
    }
}

impl From<HashError> for LayerError {
    fn from(error: HashError) -> Self {
        match error {
            HashError::Read { path, source } => LayerError::read(path, source),
            HashError::Changed { path } => LayerError::Changed { path },
        }
    }
}
