//! Sends messages with file descriptors over Unix seqpacket sockets, and creates memory files for
//! messages that are too large.

use std::fs::File;
use std::io::{IoSlice, IoSliceMut, Read, Seek, SeekFrom, Write};
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

use nix::errno::Errno;
use nix::sys::memfd::{MFdFlags, memfd_create};
use nix::sys::socket::{
    AddressFamily, ControlMessage, ControlMessageOwned, MsgFlags, SockFlag, SockType, recvmsg,
    sendmsg, socketpair,
};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// The maximum size of a message in bytes; larger data is sent in a memory file. Well below the
/// smallest socket buffer that distributions configure.
pub const MESSAGE_BYTES_MAX: usize = 64 * 1024;

/// The maximum number of descriptors in one message.
pub const DESCRIPTORS_MAX: usize = 8;

/// Returns a connected pair of seqpacket sockets.
pub fn pair() -> nix::Result<(OwnedFd, OwnedFd)> {
    socketpair(
        AddressFamily::Unix,
        SockType::SeqPacket,
        None,
        SockFlag::SOCK_CLOEXEC,
    )
}

/// Sends one message. Returns `EPIPE` if the peer is gone, without a signal.
pub fn send(
    socket: BorrowedFd<'_>,
    bytes: &[u8],
    descriptors: &[BorrowedFd<'_>],
) -> nix::Result<()> {
    let raw: Vec<_> = descriptors.iter().map(|fd| fd.as_raw_fd()).collect();
    let rights = [ControlMessage::ScmRights(&raw)];
    let control: &[ControlMessage<'_>] = if raw.is_empty() { &[] } else { &rights };
    loop {
        let sent = sendmsg::<()>(
            socket.as_raw_fd(),
            &[IoSlice::new(bytes)],
            control,
            MsgFlags::MSG_NOSIGNAL,
            None,
        );
        match sent {
            Err(Errno::EINTR) => {}
            other => return other.map(drop),
        }
    }
}

/// A received message.
#[derive(Debug)]
pub struct SocketMessage {
    /// The number of bytes in the buffer; 0 means that the peer has closed its end.
    pub length: usize,
    /// The descriptors sent with the message.
    pub descriptors: Vec<OwnedFd>,
}

/// Receives one message into `buffer`.
pub fn receive(socket: BorrowedFd<'_>, buffer: &mut [u8]) -> nix::Result<SocketMessage> {
    let mut control = nix::cmsg_space!([std::os::fd::RawFd; DESCRIPTORS_MAX]);
    loop {
        let mut parts = [IoSliceMut::new(buffer)];
        let received = recvmsg::<()>(
            socket.as_raw_fd(),
            &mut parts,
            Some(&mut control),
            MsgFlags::MSG_CMSG_CLOEXEC,
        );
        let received = match received {
            Err(Errno::EINTR) => continue,
            other => other?,
        };
        let mut descriptors = Vec::new();
        for message in received.cmsgs()? {
            if let ControlMessageOwned::ScmRights(fds) = message {
                descriptors.extend(fds.into_iter().map(|fd| {
                    // SAFETY: the kernel has just installed this descriptor, which has no other
                    // owner.
                    unsafe { OwnedFd::from_raw_fd(fd) }
                }));
            }
        }
        // Checked only now, when the descriptors have an owner that closes them.
        if received.flags.contains(MsgFlags::MSG_TRUNC) {
            return Err(Errno::EMSGSIZE);
        }
        return Ok(SocketMessage {
            length: received.bytes,
            descriptors,
        });
    }
}

/// Creates a memory file with these bytes, to be sent to another process.
pub fn memory_file(bytes: &[u8]) -> std::io::Result<OwnedFd> {
    let mut file = File::from(memfd_create(c"maelstrom", MFdFlags::MFD_CLOEXEC)?);
    file.write_all(bytes)?;
    Ok(file.into())
}

/// Returns the content of a memory file.
pub fn read_memory_file(file: OwnedFd) -> std::io::Result<Vec<u8>> {
    let mut file = File::from(file);
    // The position is shared with the process that wrote the file, and is at its end.
    file.seek(SeekFrom::Start(0))?;
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Registers a non-blocking descriptor with the async runtime, which then reports when it is
/// readable.
pub fn watch(descriptor: OwnedFd) -> std::io::Result<AsyncFd<OwnedFd>> {
    // SAFETY: an `OwnedFd` remains open and refers to the same descriptor until it is dropped,
    // which `AsyncFd` does only after deregistering it.
    Ok(unsafe { AsyncFd::register_with_interest(descriptor, Interest::READABLE) }?)
}
