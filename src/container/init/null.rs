//! The standard input of a job that has none: `/dev/null`, opened separately for each job, so that
//! flags set on the open file (`O_NONBLOCK`, an owner for signals) do not carry over, and through a
//! mount that rejects changes to the device's mode, owner and times, which are the host's.

use std::ffi::CString;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};

use nix::errno::Errno;
use nix::fcntl::{OFlag, open, openat};
use nix::sys::stat::{Mode, SFlag, fstat, makedev};
use nix::sys::statvfs::{FsFlags, fstatvfs};

use super::super::sys::mount::{MountRecursion, clone_tree, make_read_only};

/// The null device on a mount of its own, which is nowhere.
pub struct NullDevice {
    _mount: OwnedFd,
    /// By this name below `/proc` it is opened.
    name: CString,
    place: NullDeviceLocation,
}

/// Where it is opened.
#[derive(Clone, Copy, PartialEq, Eq)]
enum NullDeviceLocation {
    /// In the container, where it has a name for the job to see.
    Container,
    /// On its own mount.
    Nowhere,
}

impl NullDevice {
    /// That of the host, as long as it can be reached by name.
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

    /// Finds out whether the container has one. To be called when its mounts have been made; what
    /// no job can unmount stays.
    pub fn look(&mut self) {
        let flags = OFlag::O_PATH | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
        let known = open(NAME, flags, Mode::empty()).and_then(|file| is_null(&file));
        self.place = match known {
            Ok(true) => NullDeviceLocation::Container,
            Ok(false) | Err(_) => NullDeviceLocation::Nowhere,
        };
    }

    /// Completes what came with an order to a job's standard input, output and error. `proc` is a
    /// descriptor of a `/proc` in which the calling process is visible.
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

/// Its name in a container.
const NAME: &str = "/dev/null";

/// Whether this is the null device, on a mount that refuses to change it.
fn is_null(file: &OwnedFd) -> nix::Result<bool> {
    let stat = fstat(file)?;
    let is_device = stat.st_mode & SFlag::S_IFMT.bits() == SFlag::S_IFCHR.bits();
    let flags = fstatvfs(file)?.flags();
    Ok(is_device && stat.st_rdev == makedev(1, 3) && flags.contains(FsFlags::ST_RDONLY))
}
