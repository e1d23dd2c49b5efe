//! Copies a directory of the host without the contents of its subdirectories; see
//! [`crate::plan::overlay_split`].

use std::ffi::{CStr, CString, OsStr};
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use nix::errno::Errno;
use nix::fcntl::{AT_FDCWD, AtFlags, OFlag, openat, readlinkat};
use nix::sys::stat::{
    FchmodatFlags, FileStat, Mode, SFlag, UtimensatFlags, fchmodat, fstat, fstatat, mkdirat,
    utimensat,
};
use nix::sys::time::TimeSpec;
use nix::unistd::{Gid, Uid, fchownat, mkfifo, symlinkat};

/// Creates the directory `name` as a copy of `source`, in which `directories` are empty
/// directories, `copies` are copied and `points` are empty files. Entries that no longer exist are
/// omitted. Entries that cannot be read are created nevertheless, and cannot be read in the copy
/// either.
pub fn make(
    source: BorrowedFd<'_>,
    name: &CStr,
    [directories, copies, points]: [&[CString]; 3],
) -> io::Result<()> {
    mkdirat(AT_FDCWD, name, Mode::S_IRWXU)?;
    let at = |entry: &CStr| CString::new([name.to_bytes(), b"/", entry.to_bytes()].concat());
    for directory in directories {
        if let Some(stat) = stat_in(source, directory)? {
            let target = at(directory)?;
            mkdirat(AT_FDCWD, target.as_c_str(), Mode::S_IRWXU)?;
            take_over(&stat, &target)?;
        }
    }
    for point in points {
        empty_file(&at(point)?)?;
    }
    for entry in copies {
        if let Some(stat) = stat_in(source, entry)? {
            let target = at(entry)?;
            if copy(source, entry, &stat, &target)? == CopyOutcome::Yes {
                take_over(&stat, &target)?;
            }
        }
    }
    take_over(&fstat(source)?, name)
}

/// Whether an entry could be copied.
#[derive(PartialEq, Eq)]
enum CopyOutcome {
    Yes,
    No,
}

fn stat_in(directory: BorrowedFd<'_>, name: &CStr) -> io::Result<Option<FileStat>> {
    match fstatat(directory, name, AtFlags::AT_SYMLINK_NOFOLLOW) {
        Ok(stat) => Ok(Some(stat)),
        Err(Errno::ENOENT) => Ok(None),
        Err(errno) => Err(errno.into()),
    }
}

fn kind_of(stat: &FileStat) -> SFlag {
    SFlag::from_bits_truncate(stat.st_mode & SFlag::S_IFMT.bits())
}

fn path(name: &CStr) -> &Path {
    Path::new(OsStr::from_bytes(name.to_bytes()))
}

fn empty_file(target: &CStr) -> io::Result<File> {
    let mut options = File::options();
    options.write(true).create_new(true).mode(0o600);
    options.open(path(target))
}

fn copy(
    source: BorrowedFd<'_>,
    name: &CStr,
    stat: &FileStat,
    target: &CStr,
) -> io::Result<CopyOutcome> {
    match kind_of(stat) {
        SFlag::S_IFREG => {
            let mut new = empty_file(target)?;
            match open_file(source, name) {
                Ok(file) => {
                    io::copy(&mut File::from(file), &mut new)?;
                }
                Err(Errno::EACCES | Errno::EPERM | Errno::ENOENT | Errno::ELOOP) => {}
                Err(errno) => return Err(errno.into()),
            }
        }
        SFlag::S_IFLNK => {
            let leads_to = readlinkat(source, name)?;
            symlinkat(leads_to.as_os_str(), AT_FDCWD, target)?;
        }
        SFlag::S_IFIFO => mkfifo(target, Mode::S_IRUSR)?,
        _ => return Ok(CopyOutcome::No),
    }
    Ok(CopyOutcome::Yes)
}

fn open_file(source: BorrowedFd<'_>, name: &CStr) -> nix::Result<OwnedFd> {
    // It may have been replaced meanwhile, and opening a FIFO would block until there is a writer.
    let flags = OFlag::O_RDONLY | OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK | OFlag::O_CLOEXEC;
    let file = openat(source, name, flags, Mode::empty())?;
    match kind_of(&fstat(file.as_fd())?) {
        SFlag::S_IFREG => Ok(file),
        _ => Err(Errno::ENOENT),
    }
}

/// Copies the owner (where possible), the mode and the times of the original.
fn take_over(stat: &FileStat, target: &CStr) -> io::Result<()> {
    let (user, group) = (Uid::from_raw(stat.st_uid), Gid::from_raw(stat.st_gid));
    // Only root can change owners, and only to users known in the container.
    let _ = fchownat(
        AT_FDCWD,
        target,
        Some(user),
        Some(group),
        AtFlags::AT_SYMLINK_NOFOLLOW,
    );
    // After the change of the owner, which clears the set-user-ID and set-group-ID bits.
    if kind_of(stat) != SFlag::S_IFLNK {
        let mode = Mode::from_bits_truncate(stat.st_mode & 0o7777);
        fchmodat(AT_FDCWD, target, mode, FchmodatFlags::FollowSymlink)?;
    }
    utimensat(
        AT_FDCWD,
        target,
        &TimeSpec::new(stat.st_atime, stat.st_atime_nsec),
        &TimeSpec::new(stat.st_mtime, stat.st_mtime_nsec),
        UtimensatFlags::NoFollowSymlink,
    )?;
    Ok(())
}
