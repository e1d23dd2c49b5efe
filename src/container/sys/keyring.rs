//! The kernel's keyrings (`keyctl(2)`), for containers without a system call filter.

use nix::errno::Errno;

const JOIN_SESSION_KEYRING: libc::c_int = 1;

/// Gives the calling process a new, empty session keyring. It counts against the user's quota of
/// keys (EDQUOT).
pub fn join_new_session() -> nix::Result<()> {
    let anonymous = std::ptr::null::<libc::c_char>();
    // SAFETY: the operation reads a name only if the pointer is not null, and writes no memory.
    Errno::result(unsafe { libc::syscall(libc::SYS_keyctl, JOIN_SESSION_KEYRING, anonymous) })
        .map(drop)
}
