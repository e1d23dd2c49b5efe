//! The inputs of the default container, as plain data.

use std::path::PathBuf;

use maelstrom_model::job::DeviceKind;

use super::host_path::HostPath;

/// What is known of the project.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WorkspaceFacts {
    /// Directories with sources and built files. They may lie in one another.
    pub roots: Vec<HostPath>,
    /// File systems that are mounted below the roots, outermost first.
    pub nested: Vec<HostPath>,
    /// Files elsewhere that links below the roots lead to.
    pub linked: Vec<HostPath>,
    /// Directories below the roots that no test should see: our own.
    pub masked: Vec<PathBuf>,
    /// What was built elsewhere, read-only.
    pub lent: Vec<BindDirectory>,
}

/// A directory of the host in a place of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BindDirectory {
    /// Where in the container.
    pub place: PathBuf,
    pub source: PathBuf,
}

/// What is known of the host.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HostFacts {
    pub user: u32,
    /// The invoking user's group.
    pub group: u32,
    /// The home directory, unless it can't be replaced by an empty one.
    pub home: Option<HostPath>,
    /// Programs, libraries and toolchains.
    pub toolbox: Vec<HostPath>,
    /// What of the toolbox is written to when it is used. What a test writes is thrown away.
    pub caches: Vec<HostPath>,
    /// What of the toolbox the user may install programs in. What a test writes is thrown away.
    pub installed: Vec<HostPath>,
    /// What stands below `/etc` next to the toolbox.
    pub etc: Vec<EtcEntry>,
    /// What stands below `/etc` without it.
    pub etc_least: Vec<EtcEntry>,
    /// The devices that the host has.
    pub devices: Vec<DeviceKind>,
}

/// Something below `/etc`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EtcEntry {
    pub path: PathBuf,
    pub content: EtcContent,
}

/// What something below `/etc` is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EtcContent {
    /// A file of these bytes.
    File(Vec<u8>),
    Symlink(PathBuf),
    /// The host's own file or directory.
    Bind(HostPath),
}

/// The shared libraries that programs need which have no toolbox.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SharedLibraries {
    /// The libraries and the dynamic loader.
    pub files: Vec<HostPath>,
}
