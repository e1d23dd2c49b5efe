//! Whiteouts and opaque directories of the overlay file system, in the form that an unprivileged
//! user may create.
//!
//! A removed entry is a character device 0:0, which requires no privilege since Linux 5.8. An
//! opaque directory, which hides the contents of lower layers, has an extended attribute. An
//! unprivileged user cannot set the `trusted.` attribute described in the kernel's documentation,
//! but the `user.` attribute is respected if the overlay is mounted with `userxattr` (Linux 5.11;
//! Documentation/filesystems/overlayfs.rst).

use std::io;
use std::path::Path;

use nix::sys::stat::{Mode, SFlag, makedev, mknod};
use rustix::fs::{XattrFlags, lgetxattr, lsetxattr};
use rustix::io::Errno;

const OPAQUE_ATTRIBUTE: &str = "user.overlay.opaque";
const OPAQUE_VALUE: &[u8] = b"y";

/// Whether a directory shows or hides the contents of lower layers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DirectoryWhiteout {
    Transparent,
    Opaque,
}

/// Marks a directory as opaque.
pub(crate) fn make_opaque(directory: &Path) -> io::Result<()> {
    let flags = XattrFlags::empty();
    Ok(lsetxattr(directory, OPAQUE_ATTRIBUTE, OPAQUE_VALUE, flags)?)
}

/// Returns whether a directory is marked as opaque.
pub(crate) fn of(directory: &Path) -> io::Result<DirectoryWhiteout> {
    let mut value = [0; OPAQUE_VALUE.len()];
    match lgetxattr(directory, OPAQUE_ATTRIBUTE, &mut value) {
        Ok(length) if value.get(..length) == Some(OPAQUE_VALUE) => Ok(DirectoryWhiteout::Opaque),
        // A longer value is another one, and a file system without such attributes has no opaque
        // directory either.
        Ok(_) | Err(Errno::NODATA | Errno::RANGE | Errno::OPNOTSUPP | Errno::NOSYS) => {
            Ok(DirectoryWhiteout::Transparent)
        }
        Err(error) => Err(error.into()),
    }
}

/// Creates the marker for a removed entry.
pub(crate) fn make_whiteout(path: &Path) -> io::Result<()> {
    Ok(mknod(path, SFlag::S_IFCHR, Mode::empty(), makedev(0, 0))?)
}
