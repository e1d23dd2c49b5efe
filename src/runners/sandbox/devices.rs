//! The device files that programs on Linux expect in `/dev`, and the symbolic links to them.

use maelstrom_model::job::DeviceKind;

/// The device files of every container.
pub const DEVICES: [DeviceKind; 6] = [
    DeviceKind::Full,
    DeviceKind::Null,
    DeviceKind::Random,
    DeviceKind::Tty,
    DeviceKind::Urandom,
    DeviceKind::Zero,
];

/// The symbolic links in `/dev`: the link's path and its target.
pub const DEVICE_LINKS: [(&str, &str); 5] = [
    ("/dev/fd", "/proc/self/fd"),
    ("/dev/ptmx", "pts/ptmx"),
    ("/dev/stderr", "/proc/self/fd/2"),
    ("/dev/stdin", "/proc/self/fd/0"),
    ("/dev/stdout", "/proc/self/fd/1"),
];
