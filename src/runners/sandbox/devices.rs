//! The devices that every Linux program expects, and the links to them.

use maelstrom_model::job::DeviceKind;

/// The devices.
pub const DEVICES: [DeviceKind; 6] = [
    DeviceKind::Full,
    DeviceKind::Null,
    DeviceKind::Random,
    DeviceKind::Tty,
    DeviceKind::Urandom,
    DeviceKind::Zero,
];

/// The links, each with its target.
pub const DEVICE_LINKS: [(&str, &str); 5] = [
    ("/dev/fd", "/proc/self/fd"),
    ("/dev/ptmx", "pts/ptmx"),
    ("/dev/stderr", "/proc/self/fd/2"),
    ("/dev/stdin", "/proc/self/fd/0"),
    ("/dev/stdout", "/proc/self/fd/1"),
];
