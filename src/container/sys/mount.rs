//! Mount calls of Linux 5.2 and later: `open_tree(2)`, `move_mount(2)`, `mount_setattr(2)`, and
//! `openat2(2)` to look up paths of the host when its root is no longer `/`.

use std::ffi::CStr;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};

use nix::errno::Errno;

const OPEN_TREE_CLONE: libc::c_uint = 1;
const OPEN_TREE_CLOEXEC: libc::c_uint = libc::O_CLOEXEC as libc::c_uint;
const AT_RECURSIVE: libc::c_uint = 0x8000;
const MOVE_MOUNT_F_EMPTY_PATH: libc::c_uint = 0x4;
const MOUNT_ATTR_RDONLY: u64 = 0x1;
const RESOLVE_NO_MAGICLINKS: u64 = 0x02;
const RESOLVE_IN_ROOT: u64 = 0x10;

/// Whether a call includes the mounts below a mount.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MountRecursion {
    One,
    /// Includes everything mounted below it.
    Tree,
}

impl MountRecursion {
    fn flag(self) -> libc::c_uint {
        match self {
            MountRecursion::One => 0,
            MountRecursion::Tree => AT_RECURSIVE,
        }
    }
}

/// The layout of `struct open_how` (linux/openat2.h).
#[repr(C)]
struct OpenHow {
    flags: u64,
    mode: u64,
    resolve: u64,
}

/// The layout of `struct mount_attr` (linux/mount.h).
#[repr(C)]
struct MountAttributes {
    attr_set: u64,
    attr_clr: u64,
    propagation: u64,
    userns_fd: u64,
}

fn owned(result: libc::c_long) -> nix::Result<OwnedFd> {
    let fd = Errno::result(result)? as RawFd;
    // SAFETY: the kernel has just returned this descriptor, so it is open and has no other owner.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// Opens `path` without access to its content (`O_PATH`), resolved as if `root` were `/`, including
/// absolute symbolic links. Requires Linux 5.6.
pub fn open_in_root(root: BorrowedFd<'_>, path: &CStr) -> nix::Result<OwnedFd> {
    open_path(root.as_raw_fd(), path, RESOLVE_IN_ROOT)
}

/// Opens `path` without access to its content. Fails (ELOOP) if the path contains a magic link of
/// `proc` such as `/proc/self/fd/3`, which leads to an open file of a process, wherever that is.
/// Requires Linux 5.6.
pub fn open_by_name(path: &CStr) -> nix::Result<OwnedFd> {
    open_path(libc::AT_FDCWD, path, RESOLVE_NO_MAGICLINKS)
}

fn open_path(directory: RawFd, path: &CStr, resolve: u64) -> nix::Result<OwnedFd> {
    let how = OpenHow {
        flags: (libc::O_PATH | libc::O_CLOEXEC) as u64,
        mode: 0,
        resolve,
    };
    // SAFETY: `path` is NUL-terminated, and `how` has the size that is passed. Both outlive the
    // call, which writes to neither.
    owned(unsafe {
        libc::syscall(
            libc::SYS_openat2,
            directory,
            path.as_ptr(),
            &how as *const OpenHow,
            size_of::<OpenHow>(),
        )
    })
}

/// Returns a detached copy of the mount at `at`, which [`attach`] can attach. Requires Linux 5.2.
pub fn clone_tree(at: BorrowedFd<'_>, depth: MountRecursion) -> nix::Result<OwnedFd> {
    let flags =
        OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | libc::AT_EMPTY_PATH as libc::c_uint | depth.flag();
    // SAFETY: the path is a NUL-terminated constant, and the descriptor is open.
    owned(unsafe { libc::syscall(libc::SYS_open_tree, at.as_raw_fd(), c"".as_ptr(), flags) })
}

/// Attaches a detached mount at `target`.
pub fn attach(mount: BorrowedFd<'_>, target: &CStr) -> nix::Result<()> {
    // SAFETY: both paths are NUL-terminated and outlive the call, and the descriptor is open.
    Errno::result(unsafe {
        libc::syscall(
            libc::SYS_move_mount,
            mount.as_raw_fd(),
            c"".as_ptr(),
            libc::AT_FDCWD,
            target.as_ptr(),
            MOVE_MOUNT_F_EMPTY_PATH,
        )
    })
    .map(drop)
}

/// Makes a mount, attached or detached, read-only. Requires Linux 5.12.
pub fn make_read_only(mount: BorrowedFd<'_>, depth: MountRecursion) -> nix::Result<()> {
    let attributes = MountAttributes {
        attr_set: MOUNT_ATTR_RDONLY,
        attr_clr: 0,
        propagation: 0,
        userns_fd: 0,
    };
    // SAFETY: the path is a NUL-terminated constant, and `attributes` has the size that is passed.
    // Both outlive the call, which writes to neither.
    Errno::result(unsafe {
        libc::syscall(
            libc::SYS_mount_setattr,
            mount.as_raw_fd(),
            c"".as_ptr(),
            libc::AT_EMPTY_PATH as libc::c_uint | depth.flag(),
            &attributes as *const MountAttributes,
            size_of::<MountAttributes>(),
        )
    })
    .map(drop)
}
