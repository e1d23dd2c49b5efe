//! What tests find of a network, and what one that has used it leaves to the next: nothing, in the
//! same container.

use std::fs::File;
use std::io::Read;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;
use std::process::Command;

use crate::support::{EXECUTABLE, directory, mount, program, spec};
use maelstrom_container::message::{
    self, ContainerReply, ContainerRequest, ContainerReuse, LaunchMode, PackedStrings,
    ProcessImage, RetirementReason,
};
use maelstrom_container::plan::plan;
use maelstrom_container::spawner::Spawner;
use maelstrom_container::spec::*;
use nix::unistd::geteuid;

const SOURCE: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/tests/fixtures/network/inside.c"
);

/// How a slot starts its jobs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    Program,
    Fork,
}

/// A container in which `/src/inside` is the program of the fixture.
struct Container {
    spawner: Spawner,
    slot: OwnedFd,
    way: Way,
    _source: tempfile::TempDir,
}

/// What a job had to say.
#[derive(Debug, PartialEq, Eq)]
struct Ran {
    /// The network namespace it was in.
    namespace: String,
    text: String,
}

impl Container {
    fn start(network: NetworkMode, way: Way) -> Container {
        let source = tempfile::tempdir().unwrap();
        let built = Command::new("cc")
            .arg("-o")
            .arg(source.path().join("inside"))
            .arg(SOURCE)
            .status();
        assert!(built.unwrap().success());
        let mut spec = ContainerSpec {
            network,
            ..spec(source.path())
        };
        if let RootKind::Skeleton(entries) = &mut spec.root {
            let file = |path: &str, text: &str| SkeletonEntry {
                path: path.into(),
                kind: SkeletonKind::File(text.into()),
            };
            entries.extend([
                directory("/sys"),
                file("/etc/hosts", "127.0.0.1 localhost\n::1 localhost\n"),
                file("/etc/nsswitch.conf", "hosts: files\n"),
                file("/etc/host.conf", "multi on\n"),
            ]);
        }
        let when_forbidden = WhenForbidden::LeaveEmpty;
        spec.mounts
            .push(mount("/sys", MountKind::Sys { when_forbidden }));
        let spawner = Spawner::launch(Path::new(EXECUTABLE)).unwrap();
        let slot = spawner.start_container(&plan(&spec).unwrap()).unwrap();
        let container = Container {
            spawner,
            slot,
            way,
            _source: source,
        };
        assert!(matches!(container.reply(), ContainerReply::Ready));
        if way == Way::Fork {
            container.order(LaunchMode::Keep, &["serve"], &[]);
            let reply = container.reply();
            assert!(matches!(reply, ContainerReply::Kept), "{reply:?}");
        }
        container
    }

    fn order(&self, task: LaunchMode, words: &[&str], streams: &[&OwnedFd]) {
        let process = program("/src/inside", words);
        let environment = PackedStrings::of_environment(&process.environment).unwrap();
        let image = ProcessImage::new(&process, environment).unwrap();
        let streams: Vec<_> = streams.iter().map(|stream| stream.as_fd()).collect();
        message::send(
            self.slot.as_fd(),
            &ContainerRequest::Do(task, image),
            &streams,
        )
        .unwrap();
    }

    fn reply(&self) -> ContainerReply {
        message::receive(self.slot.as_fd()).unwrap().0
    }

    /// Runs a job, after which the container takes the next.
    fn run(&self, words: &str) -> Ran {
        let (ran, fate) = self.end(words);
        assert_eq!(fate, ContainerReuse::Reusable, "{words:?}: {}", ran.text);
        ran
    }

    /// Runs a job, and says what becomes of the container.
    fn end(&self, words: &str) -> (Ran, ContainerReuse) {
        let (reader, writer) = nix::unistd::pipe2(nix::fcntl::OFlag::O_CLOEXEC).unwrap();
        let null = File::open("/dev/null").unwrap().into();
        let task = match self.way {
            Way::Program => LaunchMode::Run,
            Way::Fork => LaunchMode::Fork,
        };
        let words: Vec<_> = words.split(' ').collect();
        self.order(task, &words, &[&null, &writer, &writer]);
        drop(writer);
        let mut output = String::new();
        File::from(reader).read_to_string(&mut output).unwrap();
        let fate = match self.reply() {
            ContainerReply::Ended { fate, .. } => fate,
            other => panic!("{words:?}: {other:?}: {output}"),
        };
        let (namespace, text) = output.split_once('\n').unwrap();
        let ran = Ran {
            namespace: namespace.to_owned(),
            text: text.to_owned(),
        };
        (ran, fate)
    }
}

/// What becomes of the network namespace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Namespace {
    /// The next job has it.
    Kept,
    /// The next job has another.
    Replaced,
    /// The kernel may be slow to count down, or nothing was left.
    Either,
}

#[test]
fn what_a_job_leaves_in_the_network_the_next_does_not_find() {
    use Namespace::{Either, Kept, Replaced};
    for way in [Way::Program, Way::Fork] {
        let container = Container::start(NetworkMode::Loopback, way);
        let fresh = container.run("look");
        assert_eq!(fresh.text.lines().last(), Some(""), "{}", fresh.text);
        for (left_by, namespace) in [
            ("nothing", Kept),
            ("packet 127.0.0.1", Replaced),
            ("packet ::1", Replaced),
            ("packet 198.51.100.7", Replaced),
            ("time-wait", Replaced),
            ("membership 239.1.1.1", Either),
            ("membership ff02::114", Replaced),
            ("membership ff05::114", Replaced),
            ("flow-label", Replaced),
            ("interfaces", Either),
            ("group 239.1.1.1", Replaced),
            ("broadcast 255.255.255.255", Replaced),
        ] {
            let used = container.run(left_by).namespace;
            let found = container.run("look");
            assert_eq!(found.text, fresh.text, "{way:?}, left by {left_by}");
            match namespace {
                Kept => assert_eq!(found.namespace, used, "{way:?}, {left_by}"),
                Replaced => assert_ne!(found.namespace, used, "{way:?}, {left_by}"),
                Either => {}
            }
        }
        container.spawner.close();
    }
}

/// Such a socket can hold a file of root's root open, to which a mapping has written: that is reported
/// when the file is closed, which the kernel does at its leisure.
#[test]
fn a_socket_in_a_message_ends_a_container_whose_root_takes_writes() {
    for way in [Way::Program, Way::Fork] {
        let container = Container::start(NetworkMode::Loopback, way);
        let fresh = container.run("look").text;
        match (container.end("in-flight").1, geteuid().is_root()) {
            (ContainerReuse::Retired(RetirementReason::Sockets), true) => {}
            (ContainerReuse::Reusable, false) => assert_eq!(container.run("look").text, fresh),
            (other, _) => panic!("{way:?}: {other:?}"),
        }
        container.spawner.close();
    }
}

#[test]
fn a_container_goes_on_after_many_jobs_that_used_its_network() {
    for way in [Way::Program, Way::Fork] {
        let container = Container::start(NetworkMode::Loopback, way);
        for _ in 0..20 {
            assert_eq!(container.run("time-wait").text, "");
        }
        container.spawner.close();
    }
}

#[test]
fn a_network_without_loopback_is_replaced_as_well() {
    let container = Container::start(NetworkMode::Disabled, Way::Program);
    let fresh = container.run("look");
    assert_eq!(
        container.run("reach 127.0.0.1").text,
        "connect: Network is unreachable\n"
    );
    let used = container.run("flow-label");
    let found = container.run("look");
    assert_eq!(found.text, fresh.text);
    if used.text.is_empty() {
        assert_ne!(found.namespace, used.namespace);
    }
    container.spawner.close();
}

#[test]
fn programs_find_a_network_of_their_own() {
    const OWN: (&str, &str) = ("10.213.7.1\n", "fd6d:6165:6c73::1\n");
    const UNREACHABLE: &str = "connect: Network is unreachable\n";
    const FOREIGN: &str = "bind: Cannot assign requested address\n";
    const INTERFACES: &str = "lo 127.0.0.1\nlo 10.213.7.1\nlo fd6d:6165:6c73::1\nlo ::1\n";
    let container = Container::start(NetworkMode::Loopback, Way::Program);
    for (words, found) in [
        ("interfaces", INTERFACES),
        // The address that others would see.
        ("own 8.8.8.8", OWN.0),
        ("own 192.0.2.1", OWN.0),
        ("own 255.255.255.255", "connect: Permission denied\n"),
        ("own 2001:4860:4860::8888", OWN.1),
        ("own 127.0.0.1", "127.0.0.1\n"),
        ("own ::1", "::1\n"),
        ("itself 127.0.0.1", "127.0.0.1\n"),
        ("itself ::1", "::1\n"),
        ("itself 10.213.7.1", OWN.0),
        ("itself fd6d:6165:6c73::1", OWN.1),
        // Nobody is elsewhere, and nothing waits for somebody.
        ("reach 8.8.8.8", UNREACHABLE),
        ("reach 192.0.2.1", UNREACHABLE),
        ("reach 10.255.255.1", UNREACHABLE),
        ("reach 2001:4860:4860::8888", UNREACHABLE),
        ("reach 10.213.7.1", "connect: Connection refused\n"),
        ("bind 8.8.8.8", FOREIGN),
        ("bind 2001:4860:4860::8888", FOREIGN),
        ("group 224.0.0.251", "hello\n"),
        ("group 239.1.1.1", "hello\n"),
        ("group ff02::114", "hello\n"),
        ("group ff05::114", "hello\n"),
        ("broadcast 255.255.255.255", "hello\n"),
        ("broadcast 127.255.255.255", "hello\n"),
        // `AI_ADDRCONFIG` does not count the loopback addresses.
        ("resolve localhost 0", "::1\n127.0.0.1\n"),
        ("resolve localhost 4", "127.0.0.1\n"),
        ("resolve localhost 6", "::1\n"),
        ("resolve 127.0.0.1 4", "127.0.0.1\n"),
        ("resolve ::1 6", "::1\n"),
    ] {
        assert_eq!(container.run(words).text, found, "{words}");
    }
    container.spawner.close();
}
