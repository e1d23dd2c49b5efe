//! A slot that is given one script after another.

use std::fs::File;
use std::io::Read;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

use maelstrom_container::message::{
    self, ContainerReply, ContainerRequest, ContainerReuse, LaunchMode, PackedStrings, ProcessImage,
};
use maelstrom_container::plan::plan;
use maelstrom_container::spawner::Spawner;
use maelstrom_container::spec::*;

use crate::support::{self, EXECUTABLE};

/// A container, with the spawner that it ends with.
pub struct Slot {
    socket: OwnedFd,
    _spawner: Spawner,
}

/// What came of a script.
pub struct Ran {
    pub status: ExitStatus,
    pub fate: ContainerReuse,
    pub output: String,
}

impl Slot {
    pub fn start(spec: &ContainerSpec) -> Slot {
        let spawner = Spawner::launch(Path::new(EXECUTABLE)).unwrap();
        let socket = spawner.start_container(&plan(spec).unwrap()).unwrap();
        match message::receive(socket.as_fd()).unwrap().0 {
            ContainerReply::Ready => Slot {
                socket,
                _spawner: spawner,
            },
            other => panic!("{other:?}"),
        }
    }

    /// Runs a script that has nothing to read. Nothing is wrong with it if it fails.
    pub fn sh(&self, text: &str) -> Ran {
        let process = support::script(text);
        let (reader, writer) = nix::unistd::pipe2(nix::fcntl::OFlag::O_CLOEXEC).unwrap();
        let environment = PackedStrings::of_environment(&process.environment).unwrap();
        let image = ProcessImage::new(&process, environment).unwrap();
        let order = ContainerRequest::Do(LaunchMode::Run, image);
        let streams = [writer.as_fd(), writer.as_fd()];
        message::send(self.socket.as_fd(), &order, &streams).unwrap();
        drop(writer);
        let mut output = String::new();
        File::from(reader).read_to_string(&mut output).unwrap();
        match message::receive(self.socket.as_fd()).unwrap().0 {
            ContainerReply::Ended { status, fate, .. } => Ran {
                status,
                fate,
                output,
            },
            other => panic!("{text}: {other:?}: {output}"),
        }
    }
}
