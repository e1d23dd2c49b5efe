//! Layer specifications, as plain data.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// The specification of one layer of a container's root, a tree of files. Later layers hide earlier
/// ones.
///
/// Relative paths start at the project directory; relative destinations start at the container's
/// root.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum LayerSpec {
    /// The contents of a tar file. Whiteouts and opaque directories of the OCI image specification
    /// are supported.
    Tar {
        path: PathBuf,
    },
    /// The files, directories and symbolic links below the project directory whose relative paths
    /// match a pattern. There need not be any.
    Glob {
        /// The pattern. Its wildcards also match `/`.
        pattern: String,
        prefix: PrefixOptions,
    },
    /// These files, directories and symbolic links. A directory is added without its contents.
    Paths {
        paths: Vec<PathBuf>,
        prefix: PrefixOptions,
    },
    /// Empty directories (mode 0555, for texts that end with `/`) and empty files (mode 0444).
    Stubs {
        /// The paths, in which braces are expanded first.
        stubs: Vec<String>,
    },
    Symlinks {
        symlinks: Vec<SymlinkSpec>,
    },
    /// The shared libraries that these programs need, including the C library and the loader, but
    /// without the programs themselves.
    SharedLibraryDependencies {
        binaries: Vec<PathBuf>,
        /// Determines the destinations of the libraries.
        prefix: PrefixOptions,
    },
}

/// A symbolic link of [`LayerSpec::Symlinks`].
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct SymlinkSpec {
    pub link: PathBuf,
    /// The target of the link, which need not exist.
    pub target: PathBuf,
}

/// How a path on the host is mapped to a path in the layer. The fields are applied in this order.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct PrefixOptions {
    /// Whether symbolic links are kept or followed.
    pub links: SymlinkMode,
    /// The form of the path with which the mapping starts.
    pub form: PathForm,
    /// A prefix to remove, by whole components. Paths without it are unchanged.
    pub strip_prefix: Option<PathBuf>,
    /// A prefix to prepend. An absolute path loses its leading `/` first.
    pub prepend_prefix: Option<PathBuf>,
}

/// How symbolic links are stored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum SymlinkMode {
    #[default]
    Keep,
    /// The target is stored under the link's name.
    Follow,
}

/// The form of a path from which its destination is derived.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum PathForm {
    /// The path as specified.
    #[default]
    AsGiven,
    /// The absolute path, with all symbolic links resolved.
    Canonical,
}
