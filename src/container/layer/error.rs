//! The errors of building a layer, with one variant per cause.

use std::io;
use std::path::{Path, PathBuf};

use miette::Diagnostic;

use super::brace::BraceError;
use super::elf::ElfError;
use maelstrom_container::store::{HashError, StoreError, TreePath, TreePathError, TreeWriteError};

const UNSTEADY: &str = "wait until whatever writes to it is done, and run again";

const DAMAGED: &str = "create the archive again";

/// An error of building a layer.
#[derive(Debug, Diagnostic, thiserror::Error)]
pub enum LayerError {
    #[error(transparent)]
    #[diagnostic(transparent)]
    Store(#[from] StoreError),
    /// The tree cannot be written.
    #[error(transparent)]
    #[diagnostic(help("{}", help_with_tree(_0)))]
    Tree(TreeWriteError),
    /// A path in the specification does not exist.
    #[error("`{}` does not exist", path.display())]
    #[diagnostic(help(
        "build or create it first, or correct the layer; relative paths start at the project \
         directory"
    ))]
    Missing {
        path: PathBuf,
        /// The error of the system.
        source: io::Error,
    },
    /// A file cannot be examined or read.
    #[error("cannot read `{}`", path.display())]
    #[diagnostic(help("check its permissions"))]
    Read { path: PathBuf, source: io::Error },
    /// A file was written to while it was being read.
    #[error("`{}` changed while it was being read", path.display())]
    #[diagnostic(help("{UNSTEADY}"))]
    Changed { path: PathBuf },
    /// A socket, FIFO or device.
    #[error("`{}` is {kind}; a layer holds files, directories and links only", path.display())]
    #[diagnostic(help(
        "leave it out; devices are given to a container by a mount of type `devices`"
    ))]
    SpecialFile {
        path: PathBuf,
        /// The kind of the file, with its article.
        kind: &'static str,
    },
    /// A directory where a file is expected.
    #[error("`{}` is not a file", path.display())]
    #[diagnostic(help("name a tar file, not a directory or device"))]
    NotAFile { path: PathBuf },
    /// A destination outside the container's root.
    #[error("a layer's entry has no place in the container")]
    #[diagnostic(help(
        "use `canonicalize`, `strip_prefix` or `prepend_prefix` to give it a place below the \
         container's root"
    ))]
    Destination(#[from] TreePathError),
    /// Two entries of the layer conflict.
    #[error("`{path}` cannot be in the layer: `{parent}` in it is not a directory")]
    #[diagnostic(help(
        "put one of the two in a later layer, or use `follow_symlinks` or `canonicalize`"
    ))]
    NotADirectory {
        path: TreePath,
        /// The entry in place of the directory.
        parent: TreePath,
    },
    /// A stub whose braces cannot be expanded.
    #[error("the stub `{stub}` cannot be expanded")]
    #[diagnostic(help("balance its braces; a literal brace in it is written `\\{{` or `\\}}`"))]
    Brace { stub: String, source: BraceError },
    /// An invalid pattern.
    #[error("`{pattern}` is not a glob")]
    #[diagnostic(help("write literal special characters as `\\*`"))]
    Glob {
        pattern: String,
        source: globset::Error,
    },
    /// The archive is damaged, or not a tar file.
    #[error("`{}` is not a readable tar file", path.display())]
    #[diagnostic(help("{DAMAGED}"))]
    Tar { path: PathBuf, source: io::Error },
    /// An entry of an archive that cannot be unpacked.
    #[error("the entry `{entry}` of `{}` {problem}", path.display())]
    #[diagnostic(help("{DAMAGED}"))]
    TarEntry {
        path: PathBuf,
        /// The name of the entry in the archive.
        entry: String,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// An entry of an archive that cannot be placed in the tree.
    #[error("`{}` cannot be unpacked", path.display())]
    #[diagnostic(help("{DAMAGED}"))]
    Unpack {
        path: PathBuf,
        source: TreeWriteError,
    },
    /// The libraries of a program cannot be determined.
    #[error("cannot find the shared libraries of `{}`", binary.display())]
    #[diagnostic(forward(source))]
    Libraries { binary: PathBuf, source: ElfError },
}

/// What to do about a tree that could not be written.
fn help_with_tree(error: &TreeWriteError) -> &'static str {
    match error {
        TreeWriteError::SourceChanged { .. } => UNSTEADY,
        _ => DAMAGED,
    }
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
