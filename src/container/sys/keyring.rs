//! The kernel's keyrings (`keyctl(2)`), as far as it takes to see whether a job left a key behind.

use nix::errno::Errno;

const JOIN_SESSION_KEYRING: libc::c_int = 1;
const READ: libc::c_int = 11;
const GET_PERSISTENT: libc::c_int = 22;

/// `KEY_SPEC_PROCESS_KEYRING`
const PROCESS: libc::c_long = -2;

/// A keyring, by the kernel's serial number or by one of its special numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Keyring(libc::c_long);

impl Keyring {
    /// The session keyring of the calling process.
    pub const SESSION: Keyring = Keyring(-3);
    /// The keyring of the calling process's user in its user namespace.
    pub const USER: Keyring = Keyring(-4);
}

fn keyctl(operation: libc::c_int, arguments: [libc::c_long; 3]) -> nix::Result<libc::c_long> {
    // SAFETY: none of the operations used in this file reads or writes memory of ours: pointers
    // among the arguments are null and lengths zero.
    Errno::result(unsafe {
        libc::syscall(
            libc::SYS_keyctl,
            operation,
            arguments[0],
            arguments[1],
            arguments[2],
            0,
        )
    })
}

/// Gives the calling process a new, empty session keyring of its own.
pub fn join_new_session() -> nix::Result<()> {
    keyctl(JOIN_SESSION_KEYRING, [0, 0, 0]).map(drop)
}

/// The persistent keyring of the calling user, linked to the calling process so that it can be
/// read.
pub fn persistent() -> nix::Result<Keyring> {
    keyctl(GET_PERSISTENT, [-1, PROCESS, 0]).map(Keyring)
}

/// How many bytes of links to keys the keyring holds; 0 means that it is empty.
pub fn content_bytes(keyring: Keyring) -> nix::Result<usize> {
    keyctl(READ, [keyring.0, 0, 0]).map(|bytes| bytes as usize)
}
