//! The standard input of jobs without input: `/dev/null`, opened separately for each job, so that
//! flags set on the open file (`O_NONBLOCK`, an owner for signals) do not carry over. It is opened
//! through a mount that rejects changes to the device's mode, owner and times, which are the
//! host's.

use std::ffi::CString;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};

use nix::errno::Errno;
use nix::fcntl::{OFlag, open, openat};
use nix::sys::stat::{Mode, SFlag, fstat, makedev};
use nix::sys::statvfs::{FsFlags, fstatvfs};

use super::super::sys::mount::{MountRecursion, clone_tree, make_read_only};

/// The null device on a detached mount of its own.
pub struct NullDevice {
    _mount: OwnedFd,
    /// The path below `/proc` by which it is opened.
    name: CString,
    place: NullDeviceLocation,
}

/// Where the null device is opened.
#[derive(Clone, Copy, PartialEq, Eq)]
enum NullDeviceLocation {
    /// In the container, where jobs see a path for it.
    Container,
    /// On the detached mount.
    Nowhere,
}

impl NullDevice {
    /// Opens the null device of the host. Must be called while that is accessible by its path.
    pub fn of_host() -> nix::Result<NullDevice> {
        let device = open("/dev/null", OFlag::O_PATH | OFlag::O_CLOEXEC, Mode::empty())?;
        let mount = clone_tree(device.as_fd(), MountRecursion::One)?;
        make_read_only(mount.as_fd(), MountRecursion::One)?;
        let name = format!("self/fd/{}", mount.as_raw_fd());
        Ok(NullDevice {
            name: CString::new(name).map_err(|_| Errno::EINVAL)?,
            _mount: mount,
            place: NullDeviceLocation::Nowhere,
        })
    }

    /// Checks whether the container has a null device. Must be called after its mounts were made;
    /// jobs cannot unmount it.
    pub fn look(&mut self) {
        let flags = OFlag::O_PATH | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
        let known = open(NAME, flags, Mode::empty()).and_then(|file| is_null(&file));
        self.place = match known {
            Ok(true) => NullDeviceLocation::Container,
            Ok(false) | Err(_) => NullDeviceLocation::Nowhere,
        };
    }

    /// Completes the descriptors of a request to a job's standard input, output and error. `proc`
    /// is a descriptor of a `/proc` in which the calling process is visible.
    pub fn complete(&self, proc: &OwnedFd, given: Vec<OwnedFd>) -> nix::Result<[OwnedFd; 3]> {
        let open = |mode| self.open(proc, mode | OFlag::O_CLOEXEC);
        let mut given = given.into_iter();
        match (given.next(), given.next(), given.next()) {
            (Some(input), Some(output), Some(errors)) => Ok([input, output, errors]),
            (Some(output), Some(errors), None) => Ok([open(OFlag::O_RDONLY)?, output, errors]),
            _ => {
                let nowhere = || open(OFlag::O_WRONLY);
                Ok([open(OFlag::O_RDONLY)?, nowhere()?, nowhere()?])
            }
        }
    }

    fn open(&self, proc: &OwnedFd, flags: OFlag) -> nix::Result<OwnedFd> {
        match self.place {
            NullDeviceLocation::Container => open(NAME, flags | OFlag::O_NOFOLLOW, Mode::empty()),
            NullDeviceLocation::Nowhere => openat(proc, self.name.as_c_str(), flags, Mode::empty()),
        }
    }
}

/// The path of the null device in a container.
const NAME: &str = "/dev/null";

/// Returns whether this is the null device on a read-only mount.
fn is_null(file: &OwnedFd) -> nix::Result<bool> {
    let stat = fstat(file)?;
    let is_device = stat.st_mode & SFlag::S_IFMT.bits() == SFlag::S_IFCHR.bits();
    let flags = fstatvfs(file)?.flags();
    Ok(is_device && stat.st_rdev == makedev(1, 3) && flags.contains(FsFlags::ST_RDONLY))
}
