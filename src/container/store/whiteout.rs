//! The overlay file system's whiteouts and opaque directories, in the form that an ordinary user
//! may create.
//!
//! A removed entry is a character device 0:0, which needs no privilege since Linux 5.8. An opaque
//! directory, which hides everything below it, has an extended attribute: an ordinary user cannot
//! set the `trusted.` one of the kernel's documentation, but the `user.` one is honored when the
//! overlay is mounted with `userxattr` (Linux 5.11; Documentation/filesystems/overlayfs.rst).

use std::io;
use std::path::Path;

use nix::sys::stat::{Mode, SFlag, makedev, mknod};

const OPAQUE_ATTRIBUTE: &str = "user.overlay.opaque";
const OPAQUE_VALUE: &[u8] = b"y";

/// Whether a directory lets through what lower layers hold at the same path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DirectoryWhiteout {
    Transparent,
    Opaque,
}

/// Marks a directory as opaque.
pub(crate) fn make_opaque(directory: &Path) -> io::Result<()> {
    xattr::set(directory, OPAQUE_ATTRIBUTE, OPAQUE_VALUE)
}

/// Whether a directory is marked as opaque.
pub(crate) fn of(directory: &Path) -> io::Result<DirectoryWhiteout> {
    match xattr::get(directory, OPAQUE_ATTRIBUTE) {
        Ok(Some(value)) if value == OPAQUE_VALUE => Ok(DirectoryWhiteout::Opaque),
        Ok(_) => Ok(DirectoryWhiteout::Transparent),
        // A file system without such attributes has no opaque directory either.
        Err(error) if error.kind() == io::ErrorKind::Unsupported => {
            Ok(DirectoryWhiteout::Transparent)
        }
        Err(error) => Err(error),
    }
}

/// Makes the mark for a removed entry.
pub(crate) fn make_whiteout(path: &Path) -> io::Result<()> {
    Ok(mknod(path, SFlag::S_IFCHR, Mode::empty(), makedev(0, 0))?)
}
