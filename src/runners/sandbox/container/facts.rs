//! The facts that determine the default container, as plain data.

use std::path::PathBuf;

use maelstrom_model::job::DeviceKind;

use super::host_path::HostPath;

/// Facts about the project.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WorkspaceFacts {
    /// Directories of sources and build outputs. They may be nested.
    pub roots: Vec<HostPath>,
    /// File systems mounted below the roots, outermost first.
    pub nested: Vec<HostPath>,
    /// Files outside the roots that links below the roots lead to.
    pub linked: Vec<HostPath>,
    /// Maelstrom's own directories below the roots, which tests must not see.
    pub masked: Vec<PathBuf>,
    /// Directories of build outputs to mount read-only at another path.
    pub lent: Vec<BindDirectory>,
}

/// A directory of the host and its mount point in the container.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BindDirectory {
    /// The mount point in the container.
    pub place: PathBuf,
    pub source: PathBuf,
}

/// Facts about the host.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HostFacts {
    pub user: u32,
    /// The invoking user's effective group.
    pub group: u32,
    /// The home directory. `None` if there is none, or if it contains files that tests need, so
    /// that an empty directory cannot replace it.
    pub home: Option<HostPath>,
    /// Programs, libraries and toolchains.
    pub toolbox: Vec<HostPath>,
    /// Directories of the toolbox that its programs write to, such as caches. Writes of a test are
    /// discarded.
    pub caches: Vec<HostPath>,
    /// Directories of the toolbox that users install programs in. Writes of a test are discarded.
    pub installed: Vec<HostPath>,
    /// The entries of `/etc` in containers with the toolbox.
    pub etc: Vec<EtcEntry>,
    /// The entries of `/etc` in containers without the toolbox.
    pub etc_least: Vec<EtcEntry>,
    /// The device files that the host has.
    pub devices: Vec<DeviceKind>,
}

/// A file or directory in `/etc`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EtcEntry {
    pub path: PathBuf,
    pub content: EtcContent,
}

/// The content of an entry in `/etc`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EtcContent {
    /// A file with this content.
    File(Vec<u8>),
    Symlink(PathBuf),
    /// The host's own file or directory.
    Bind(HostPath),
}

/// The shared libraries of the test's programs, for containers without a toolbox.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SharedLibraries {
    /// The libraries and the dynamic loader.
    pub files: Vec<HostPath>,
}
