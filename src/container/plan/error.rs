//! The errors of planning, and checks of paths.

use std::ffi::CString;
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path, PathBuf};

use crate::message::NulByte;

/// The maximum number of trees in a root: as many as fit into one page of mount options, with a
/// margin.
pub const LAYERS_MAX: usize = 400;

/// The maximum number of services of a container, so that reports about all of them fit into one
/// message of the container init.
pub const SERVICES_MAX: usize = 8;

/// Why a specification cannot be planned.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PlanError {
    /// A path contains a NUL byte.
    #[error("the path {0:?} contains a NUL byte")]
    NulByte(PathBuf),
    /// A mount point is relative, or contains `.` or `..`.
    #[error("the path {0:?} must be absolute and without \".\" or \"..\"")]
    NotAbsolute(PathBuf),
    #[error("nothing can be mounted on \"/\": the root is what the layers make it")]
    MountOnRoot,
    #[error("a container needs at least one layer")]
    NoLayers,
    #[error("{0} layers are more than the {LAYERS_MAX} that one root can be stacked of")]
    TooManyLayers(usize),
    /// A `sys` mount shows network devices, so it requires the container's own network.
    #[error("a \"sys\" mount needs a network namespace of its own: the network must not be local")]
    SysWithHostNetwork,
    #[error("{0} services are more than the {SERVICES_MAX} that one container can have")]
    TooManyServices(usize),
    /// A string of a service contains a NUL byte.
    #[error("of a service, {0}")]
    Service(#[from] NulByte),
}

/// Rejects an invalid mount point.
pub(super) fn check_mount_point(path: &Path) -> Result<(), PlanError> {
    let mut components = path.components();
    if components.next() != Some(Component::RootDir)
        || !components.all(|part| matches!(part, Component::Normal(_)))
    {
        return Err(PlanError::NotAbsolute(path.to_owned()));
    }
    if path == Path::new("/") {
        Err(PlanError::MountOnRoot)
    } else {
        Ok(())
    }
}

/// Converts a path for the kernel.
pub(super) fn c_path(path: &Path) -> Result<CString, PlanError> {
    CString::new(path.as_os_str().as_bytes()).map_err(|_| PlanError::NulByte(path.to_owned()))
}
