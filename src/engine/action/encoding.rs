//! The canonical encoding of an action.
//!
//! Version 2: a header, then every field in the order of its declaration. Numbers are eight bytes,
//! least significant first; texts and lists begin with their length; every choice is one byte, and
//! the numbers here are never given to another choice. So no two actions have the same encoding:
//! reading it from its beginning, each byte's meaning is settled by those before it.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::time::Duration;

use crate::container::digest::ContentHash;
use crate::container::spec::{
    BindAccess, ContainerSpec, Device, Mount, MountKind, Network, Privileges, ProcessSpec, Root,
    RootAccess, SkeletonEntry, SkeletonKind, WhenForbidden,
};
use crate::engine::job::OutputPipes;

/// Changes with every change to the encoding, so that encodings of two versions never meet.
const HEADER: &[u8] = b"maelstrom action 2\n";

/// Writes an encoding from front to back.
#[derive(Debug)]
pub struct Encoder {
    bytes: Vec<u8>,
}

impl Encoder {
    /// An encoding with nothing but its header.
    pub fn new() -> Self {
        Encoder {
            bytes: HEADER.to_vec(),
        }
    }

    /// The encoding.
    pub fn finish(self) -> Vec<u8> {
        self.bytes
    }

    /// A container.
    pub fn container(&mut self, container: &ContainerSpec) {
        let ContainerSpec {
            root,
            mounts,
            network,
            hostname,
            user,
            group,
            privileges,
        } = container;
        self.root(root);
        self.count(mounts.len());
        mounts.iter().for_each(|mount| self.mount(mount));
        self.choice(match network {
            Network::Disabled => 0,
            Network::Loopback => 1,
            Network::Local => 2,
        });
        self.text(hostname.as_bytes());
        self.number((*user).into());
        self.number((*group).into());
        self.choice(match privileges {
            Privileges::Ordinary => 0,
            Privileges::Full => 1,
        });
    }

    fn root(&mut self, root: &Root) {
        match root {
            Root::Skeleton(entries) => {
                self.choice(0);
                self.count(entries.len());
                entries.iter().for_each(|entry| self.skeleton_entry(entry));
            }
            Root::Layers { trees, access } => {
                self.choice(1);
                self.count(trees.len());
                trees.iter().for_each(|tree| self.path(tree));
                self.choice(match access {
                    RootAccess::ReadOnly => 0,
                    RootAccess::Ephemeral => 1,
                });
            }
        }
    }

    fn skeleton_entry(&mut self, entry: &SkeletonEntry) {
        let SkeletonEntry { path, kind } = entry;
        self.path(path);
        match kind {
            SkeletonKind::Directory => self.choice(0),
            SkeletonKind::File(bytes) => {
                self.choice(1);
                self.text(bytes);
            }
            SkeletonKind::Symlink(target) => {
                self.choice(2);
                self.path(target);
            }
        }
    }

    fn mount(&mut self, mount: &Mount) {
        let Mount { mount_point, kind } = mount;
        self.path(mount_point);
        match kind {
            MountKind::Bind { source, access } => {
                self.choice(0);
                self.path(source);
                self.choice(match access {
                    BindAccess::ReadOnly => 0,
                    BindAccess::ReadWrite => 1,
                });
            }
            MountKind::Overlay { source } => {
                self.choice(1);
                self.path(source);
            }
            MountKind::Scratch { mode } => {
                self.choice(2);
                self.number((*mode).into());
            }
            MountKind::Mask => self.choice(3),
            MountKind::Device(device) => {
                self.choice(4);
                self.device(*device);
            }
            MountKind::DevPts => self.choice(5),
            MountKind::MessageQueue => self.choice(6),
            MountKind::Proc => self.choice(7),
            MountKind::Sys { when_forbidden } => {
                self.choice(8);
                self.choice(match when_forbidden {
                    WhenForbidden::Fail => 0,
                    WhenForbidden::LeaveEmpty => 1,
                });
            }
            MountKind::Tmp => self.choice(9),
        }
    }

    fn device(&mut self, device: Device) {
        self.choice(match device {
            Device::Full => 0,
            Device::Fuse => 1,
            Device::Null => 2,
            Device::Random => 3,
            Device::Shm => 4,
            Device::Tty => 5,
            Device::Urandom => 6,
            Device::Zero => 7,
        });
    }

    /// A process.
    pub fn process(&mut self, process: &ProcessSpec) {
        let ProcessSpec {
            program,
            arguments,
            environment,
            working_directory,
        } = process;
        self.os_text(program);
        self.count(arguments.len());
        arguments.iter().for_each(|argument| self.os_text(argument));
        self.count(environment.len());
        for (name, value) in environment.iter() {
            self.os_text(name);
            self.os_text(value);
        }
        self.path(working_directory);
    }

    /// A time limit.
    pub fn timeout(&mut self, timeout: Option<Duration>) {
        match timeout {
            None => self.choice(0),
            Some(timeout) => {
                self.choice(1);
                self.number(timeout.as_secs());
                self.number(timeout.subsec_nanos().into());
            }
        }
    }

    /// What its output streams are: a program can tell whether they are one.
    pub fn output(&mut self, output: OutputPipes) {
        self.choice(match output {
            OutputPipes::Separate => 0,
            OutputPipes::Joined => 1,
        });
    }

    /// What a file or directory of the host holds.
    pub fn contents(&mut self, contents: Option<&ContentHash>) {
        match contents {
            None => self.choice(0),
            Some(hash) => {
                self.choice(1);
                self.bytes.extend_from_slice(hash.as_bytes());
            }
        }
    }

    fn choice(&mut self, choice: u8) {
        self.bytes.push(choice);
    }

    fn number(&mut self, number: u64) {
        self.bytes.extend_from_slice(&number.to_le_bytes());
    }

    fn count(&mut self, count: usize) {
        self.number(count as u64);
    }

    fn text(&mut self, text: &[u8]) {
        self.count(text.len());
        self.bytes.extend_from_slice(text);
    }

    fn os_text(&mut self, text: &OsStr) {
        self.text(text.as_bytes());
    }

    fn path(&mut self, path: &Path) {
        self.os_text(path.as_os_str());
    }
}
