//! Handles files in `proc` that are global to the machine.
//!
//! The kernel stores the modes and owners of `/proc/meminfo` and similar files once, and every
//! `proc` shows them. They belong to the machine's root, so a job that runs as root can change them
//! for everyone, even from a container. To prevent that, each file would need its own read-only
//! mount, about fifty per container. Instead, the kernel reports when one of them changes; it is
//! then restored, and the container is not reused.

use std::ffi::{CString, OsStr};
use std::fs;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::AtFlags;
use nix::sys::inotify::{AddWatchFlags, Inotify};
use nix::sys::stat::{FchmodatFlags, Mode, fchmodat};
use nix::unistd::{AccessFlags, Gid, Uid, access, fchownat};

use super::build::GUARDED;

/// The maximum depth of such files, as in `tty/driver/serial`.
const DEPTH_MAX: usize = 3;

/// The global files and their state before any job.
#[derive(Clone, Debug, Default)]
pub struct KernelFiles {
    files: Vec<KernelFile>,
    /// The directories among them, and the root.
    directories: Vec<PathBuf>,
}

/// A global file. Its path is relative to `/proc`.
#[derive(Clone, Debug)]
struct KernelFile {
    path: CString,
    mode: u32,
    owner: (u32, u32),
}

impl KernelFiles {
    /// Reads the files from `/proc`. Returns none if the calling user, and so any job, cannot
    /// change them.
    pub fn read() -> KernelFiles {
        let mut found = KernelFiles::default();
        if access("/proc/sys/kernel/core_pattern", AccessFlags::W_OK).is_ok() {
            // A directory that cannot be read contains no files that could be changed by name.
            let _ = found.gather(Path::new(""), 1);
        }
        found
    }

    fn gather(&mut self, directory: &Path, depth: usize) -> io::Result<()> {
        self.directories.push(directory.to_owned());
        for entry in fs::read_dir(Path::new("/proc").join(directory))?.flatten() {
            let name = entry.file_name();
            let is_process = name.as_bytes().iter().all(u8::is_ascii_digit);
            let is_guarded = GUARDED.iter().any(|guarded| *guarded == name);
            let kind = entry.file_type()?;
            if is_process || is_guarded || kind.is_symlink() {
                continue;
            }
            let path = directory.join(name);
            let Ok(metadata) = entry.metadata() else {
                continue;
            };
            self.files.push(KernelFile {
                path: CString::new(path.clone().into_os_string().into_vec())?,
                mode: metadata.mode() & 0o7777,
                owner: (metadata.uid(), metadata.gid()),
            });
            if kind.is_dir() && depth < DEPTH_MAX {
                let _ = self.gather(&path, depth + 1);
            }
        }
        Ok(())
    }

    /// Returns whether no job can change any of the files.
    pub fn is_empty(&self) -> bool {
        self.files.is_empty()
    }

    /// Watches each `proc` mounted at `places` for changes of modes and owners, which are reported
    /// as `IN_ATTRIB`.
    pub fn watch(&self, inotify: &Inotify, places: &[PathBuf]) -> nix::Result<()> {
        for place in places {
            for directory in &self.directories {
                match inotify.add_watch(&place.join(directory), AddWatchFlags::IN_ATTRIB) {
                    // The directory is hidden or does not exist in this container.
                    Ok(_) | Err(Errno::ENOENT | Errno::EACCES) => {}
                    Err(errno) => return Err(errno),
                }
            }
        }
        Ok(())
    }

    /// Returns whether a file has another mode or owner in one of these places.
    pub fn differ(&self, places: &[PathBuf]) -> bool {
        let differs = |place: &PathBuf, file: &KernelFile| {
            let path = place.join(OsStr::from_bytes(file.path.to_bytes()));
            let metadata = fs::symlink_metadata(path);
            metadata.is_ok_and(|now| {
                now.mode() & 0o7777 != file.mode || (now.uid(), now.gid()) != file.owner
            })
        };
        let mut places = places.iter();
        places.any(|place| self.files.iter().any(|file| differs(place, file)))
    }

    /// Restores the modes and owners of all files. `proc` is an open `/proc`.
    pub fn restore(&self, proc: &OwnedFd) {
        for file in &self.files {
            // A missing file needs no change.
            let _ = chown(proc, file);
            let mode = Mode::from_bits_truncate(file.mode);
            let _ = fchmodat(
                proc,
                file.path.as_c_str(),
                mode,
                FchmodatFlags::FollowSymlink,
            );
        }
    }
}

fn chown(proc: &OwnedFd, file: &KernelFile) -> nix::Result<()> {
    let (user, group) = file.owner;
    fchownat(
        proc,
        file.path.as_c_str(),
        Some(Uid::from_raw(user)),
        Some(Gid::from_raw(group)),
        AtFlags::empty(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use nix::sys::inotify::InitFlags;

    /// Files are compared if the kernel provides no more watches.
    #[test]
    fn a_file_of_another_mode_is_reported_and_can_be_seen() {
        let place = tempfile::tempdir().unwrap();
        let file = place.path().join("file");
        fs::write(&file, "").unwrap();
        let metadata = fs::metadata(&file).unwrap();
        let files = KernelFiles {
            files: vec![KernelFile {
                path: c"file".to_owned(),
                mode: metadata.mode() & 0o7777,
                owner: (metadata.uid(), metadata.gid()),
            }],
            directories: vec![PathBuf::new()],
        };
        let places = [place.path().to_owned()];
        let inotify = Inotify::init(InitFlags::IN_NONBLOCK).unwrap();
        files.watch(&inotify, &places).unwrap();
        assert!(!files.differ(&places));
        assert_eq!(inotify.read_events().err(), Some(Errno::EAGAIN));
        let mode = <fs::Permissions as std::os::unix::fs::PermissionsExt>::from_mode(0o700);
        fs::set_permissions(&file, mode).unwrap();
        assert!(files.differ(&places));
        assert_eq!(inotify.read_events().unwrap().len(), 1);
        files.restore(&fs::File::open(place.path()).unwrap().into());
        assert!(!files.differ(&places));
    }
}
