//! Creates the directories and empty files of a container: its skeleton, and mount points.

use std::ffi::{CStr, CString, OsStr};
use std::fs::File;
use std::io::Write;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use nix::errno::Errno;
use nix::sys::stat::{Mode, SFlag, mkdirat, stat};

/// Creates a directory, unless it exists.
pub(super) fn make_directory(path: &CStr, mode: u32) -> nix::Result<()> {
    // The umask would alter the mode, so it is set separately.
    match mkdirat(nix::fcntl::AT_FDCWD, path, Mode::from_bits_truncate(mode)) {
        Ok(()) => nix::sys::stat::fchmodat(
            nix::fcntl::AT_FDCWD,
            path,
            Mode::from_bits_truncate(mode),
            nix::sys::stat::FchmodatFlags::FollowSymlink,
        ),
        Err(Errno::EEXIST) if is_directory(stat(path)?.st_mode) => Ok(()),
        Err(errno) => Err(errno),
    }
}

/// Returns whether a mode is that of a directory.
pub(super) fn is_directory(mode: libc::mode_t) -> bool {
    SFlag::from_bits_truncate(mode & SFlag::S_IFMT.bits()) == SFlag::S_IFDIR
}

/// Creates an empty directory or an empty file, depending on the mode of the file to be mounted
/// there.
pub(super) fn make_mount_point(path: &CStr, mode: libc::mode_t) -> nix::Result<()> {
    if is_directory(mode) {
        make_directory(path, 0o755)
    } else {
        write_file(path, &[])
    }
}

/// Creates a file.
pub(super) fn write_file(path: &CStr, content: &[u8]) -> nix::Result<()> {
    let path = Path::new(OsStr::from_bytes(path.to_bytes()));
    let written = File::options()
        .write(true)
        .create_new(true)
        .mode(0o644)
        .open(path)
        .and_then(|mut file| file.write_all(content));
    written.map_err(|error| Errno::from_raw(error.raw_os_error().unwrap_or(libc::EIO)))
}

/// Creates a directory with empty files at these relative paths.
pub(super) fn make_points(directory: &CStr, points: &[CString]) -> nix::Result<()> {
    make_directory(directory, 0o755)?;
    for point in points {
        let mut path = directory.to_bytes().to_vec();
        let names: Vec<&[u8]> = point.to_bytes().split(|byte| *byte == b'/').collect();
        for (index, name) in names.iter().enumerate() {
            path.push(b'/');
            path.extend(*name);
            let path = CString::new(path.as_slice()).map_err(|_| Errno::EINVAL)?;
            match index + 1 < names.len() {
                true => make_directory(&path, 0o755)?,
                false => write_file(&path, &[])?,
            }
        }
    }
    Ok(())
}
