//! The errors of making a layer, one variant per cause.

use std::io;
use std::path::{Path, PathBuf};

use miette::Diagnostic;

use super::brace::BraceError;
use super::elf::ElfError;
use maelstrom_container::store::{HashError, StoreError, TreePath, TreePathError, TreeWriteError};

const UNSTEADY: &str = "wait until whatever writes to it is done, and run again";

const DAMAGED: &str = "make the archive anew";

/// An error of making a layer.
#[derive(Debug, Diagnostic, thiserror::Error)]
pub enum LayerError {
    #[error(transparent)]
    #[diagnostic(transparent)]
    Store(#[from] StoreError),
    /// The tree could not be written.
    #[error(transparent)]
    #[diagnostic(help("{}", help_with_tree(_0)))]
    Tree(TreeWriteError),
    /// A named path is not there.
    #[error("`{}` does not exist", path.display())]
    #[diagnostic(help(
        "build or create it first, or correct the layer; relative paths start at the project \
         directory"
    ))]
    Missing {
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Something could not be looked at or read.
    #[error("cannot read `{}`", path.display())]
    #[diagnostic(help("check its permissions"))]
    Read { path: PathBuf, source: io::Error },
    /// A file was written to in the meantime.
    #[error("`{}` changed while it was being read", path.display())]
    #[diagnostic(help("{UNSTEADY}"))]
    Changed { path: PathBuf },
    /// A socket, pipe or device.
    #[error("`{}` is {kind}; a layer holds files, directories and links only", path.display())]
    #[diagnostic(help(
        "leave it out; devices are given to a container by a mount of type `devices`"
    ))]
    SpecialFile {
        path: PathBuf,
        /// What it is, with its article.
        kind: &'static str,
    },
    /// A directory where a file is expected.
    #[error("`{}` is not a file", path.display())]
    #[diagnostic(help("name a tar file, not a directory or device"))]
    NotAFile { path: PathBuf },
    /// A destination outside the container.
    #[error("a layer's entry has no place in the container")]
    #[diagnostic(help(
        "use `canonicalize`, `strip_prefix` or `prepend_prefix` to give it a place below the \
         container's root"
    ))]
    Destination(#[from] TreePathError),
    /// Two entries exclude one another.
    #[error("`{path}` cannot be in the layer: `{parent}` in it is not a directory")]
    #[diagnostic(help(
        "put one of the two in a later layer, or use `follow_symlinks` or `canonicalize`"
    ))]
    NotADirectory {
        path: TreePath,
        /// The entry in its way.
        parent: TreePath,
    },
    /// A stub that is no text to expand.
    #[error("the stub `{stub}` cannot be expanded")]
    #[diagnostic(help("balance its braces; a literal brace in it is written `\\{{` or `\\}}`"))]
    Brace { stub: String, source: BraceError },
    /// A pattern that has no meaning.
    #[error("`{pattern}` is not a glob")]
    #[diagnostic(help("write special characters that stand for themselves as `\\*`"))]
    Glob {
        pattern: String,
        source: globset::Error,
    },
    /// An archive that is damaged or none at all.
    #[error("`{}` is not a readable tar file", path.display())]
    #[diagnostic(help("{DAMAGED}"))]
    Tar { path: PathBuf, source: io::Error },
    /// An entry of an archive that can't be unpacked.
    #[error("the entry `{entry}` of `{}` {problem}", path.display())]
    #[diagnostic(help("{DAMAGED}"))]
    TarEntry {
        path: PathBuf,
        /// The entry's name in it.
        entry: String,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// An entry of an archive that has no place in the tree.
    #[error("`{}` cannot be unpacked", path.display())]
    #[diagnostic(help("{DAMAGED}"))]
    Unpack {
        path: PathBuf,
        source: TreeWriteError,
    },
    /// A program whose libraries can't be determined.
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
