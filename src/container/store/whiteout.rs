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

const OPAQUE_ATTRIBUTE: &str = "user.overlay.opaque";
const OPAQUE_VALUE: &[u8] = b"y";

/// Whether a directory shows or hides the contents of lower layers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DirectoryWhiteout {
    Transparent,
    Opaque,
}

/// Marks a directory as opaque.
pub fn make_opaque(directory: &Path) -> io::Result<()> {
    xattr::set(directory, OPAQUE_ATTRIBUTE, OPAQUE_VALUE)
}

/// Returns whether a directory is marked as opaque.
pub fn of(directory: &Path) -> io::Result<DirectoryWhiteout> {
    match xattr::get(directory, OPAQUE_ATTRIBUTE) {
        Ok(Some(value)) if value == OPAQUE_VALUE => Ok(DirectoryWhiteout::Opaque),
        Ok(_) => Ok(DirectoryWhiteout::Transparent),
        // A file system without extended attributes has no opaque directories.
        Err(error) if error.kind() == io::ErrorKind::Unsupported => {
            Ok(DirectoryWhiteout::Transparent)
        }
        Err(error) => Err(error),
    }
}

/// Creates the marker for a removed entry.
pub fn make_whiteout(path: &Path) -> io::Result<()> {
    Ok(mknod(path, SFlag::S_IFCHR, Mode::empty(), makedev(0, 0))?)
}
