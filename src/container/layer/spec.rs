//! Layer specifications, as plain data.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// One layer of a container's root: a recipe for a tree of files. Later layers hide earlier ones.
///
/// Relative paths start at the project directory; relative destinations at the container's root.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum LayerSpec {
    /// The content of a tar file. Whiteouts and opaque directories of the OCI image specification
    /// are honored.
    Tar {
        path: PathBuf,
    },
    /// Files, directories and links below the project directory whose relative path matches; none
    /// is fine.
    Glob {
        /// The pattern; its wildcards cross `/`.
        pattern: String,
        prefix: PrefixOptions,
    },
    /// These files, directories and links; of a directory only itself, empty.
    Paths {
        paths: Vec<PathBuf>,
        prefix: PrefixOptions,
    },
    /// Empty directories (mode 0555, where the text ends with `/`) and empty files (mode 0444).
    Stubs {
        /// Texts that are brace-expanded first.
        stubs: Vec<String>,
    },
    Symlinks {
        symlinks: Vec<SymlinkSpec>,
    },
    /// The shared libraries that these programs need, with the C library and the loader, without
    /// the programs themselves.
    SharedLibraryDependencies {
        binaries: Vec<PathBuf>,
        /// Where the libraries go.
        prefix: PrefixOptions,
    },
}

/// One link of [`LayerSpec::Symlinks`].
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct SymlinkSpec {
    pub link: PathBuf,
    /// Where it leads; need not exist.
    pub target: PathBuf,
}

/// How a path on the host becomes a path in the layer. The fields take effect in this order.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct PrefixOptions {
    /// What is stored of a link.
    pub links: SymlinkMode,
    /// From which form of the path one starts.
    pub form: PathForm,
    /// Dropped from the front, by whole components; paths without it stay as they are.
    pub strip_prefix: Option<PathBuf>,
    /// Put in front; an absolute path loses its leading `/`.
    pub prepend_prefix: Option<PathBuf>,
}

/// What is stored of a symbolic link.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum SymlinkMode {
    #[default]
    Keep,
    /// What it leads to, under the link's name.
    Follow,
}

/// Which form of a path a destination is made from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum PathForm {
    /// As the layer names it.
    #[default]
    AsGiven,
    /// Absolute, all links resolved.
    Canonical,
}
