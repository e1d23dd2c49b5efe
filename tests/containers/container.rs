//! What becomes of a container after a job: used again as it is, with new scratch directories, or
//! not at all. Real containers, made by the real spawner.

use crate::support;
use std::fs::{self, File};
use std::io::Read;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

use crate::support::{EXECUTABLE, directory, mount, read_only, script, spec};
use maelstrom_container::init::build::StepFailed;
use maelstrom_container::message::{
    self, ContainerReply, ContainerRequest, ContainerReuse, LaunchMode, PackedStrings,
    ProcessImage, RetirementReason,
};
use maelstrom_container::plan::plan;
use maelstrom_container::spawner::Spawner;
use maelstrom_container::spec::*;

struct Slot(OwnedFd);

struct Ran {
    status: ExitStatus,
    fate: ContainerReuse,
    output: String,
}

fn spawner() -> Spawner {
    Spawner::launch(Path::new(EXECUTABLE)).unwrap()
}

fn start(spawner: &Spawner, spec: &ContainerSpec) -> Result<Slot, StepFailed> {
    let socket = spawner.start_container(&plan(spec).unwrap()).unwrap();
    match message::receive(socket.as_fd()).unwrap().0 {
        ContainerReply::Ready => Ok(Slot(socket)),
        ContainerReply::NotBuilt(failed) => Err(failed),
        other => panic!("{other:?}"),
    }
}

impl Slot {
    fn run(&self, process: &ProcessSpec) -> (ContainerReply, String) {
        let (reader, writer) = nix::unistd::pipe2(nix::fcntl::OFlag::O_CLOEXEC).unwrap();
        let null = File::open("/dev/null").unwrap();
        let environment = PackedStrings::of_environment(&process.environment).unwrap();
        let image = ProcessImage::new(process, environment).unwrap();
        let order = ContainerRequest::Do(LaunchMode::Run, image);
        message::send(
            self.0.as_fd(),
            &order,
            &[null.as_fd(), writer.as_fd(), writer.as_fd()],
        )
        .unwrap();
        drop(writer);
        let mut output = String::new();
        File::from(reader).read_to_string(&mut output).unwrap();
        (message::receive(self.0.as_fd()).unwrap().0, output)
    }

    fn sh(&self, text: &str) -> Ran {
        match self.run(&script(text)) {
            (ContainerReply::Ended { status, fate, .. }, output) => Ran {
                status,
                fate,
                output,
            },
            (other, output) => panic!("{other:?}: {output}"),
        }
    }
}

/// A directory of the host that the invoking user owns, with one file.
fn source() -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("file"), "original\n").unwrap();
    directory
}

#[test]
fn every_job_sees_the_same_container() {
    let (source, spawner) = (source(), spawner());
    let slot = start(&spawner, &spec(source.path())).unwrap();
    let look = "echo pid $$; ls -A /tmp /home/me /dev/shm /src; cat /src/file; uname -n; \
                set -- /proc/[0-9]*; echo $#; ulimit -a; cat /proc/self/mountinfo | wc -l; \
                cat /proc/net/dev /proc/sysvipc/*; umask";
    let first = slot.sh(look);
    assert_eq!(
        (first.status, first.fate),
        (ExitStatus::Code(0), ContainerReuse::Reusable)
    );
    assert!(first.output.starts_with("pid 2\n"), "{}", first.output);
    let written = slot.sh("echo x | tee /tmp/a /home/me/b /dev/shm/c /src/file; rm /tmp/a");
    assert_eq!(
        (written.status, written.fate),
        (ExitStatus::Code(0), ContainerReuse::Reusable)
    );
    assert_eq!(slot.sh(look).output, first.output);
    assert_eq!(slot.sh(look).output, first.output);
    assert_eq!(
        fs::read_to_string(source.path().join("file")).unwrap(),
        "original\n"
    );
    spawner.close();
}

#[test]
fn changed_attributes_of_a_scratch_directory_are_undone() {
    let (source, spawner) = (source(), spawner());
    let slot = start(&spawner, &spec(source.path())).unwrap();
    let look = "stat -c '%a %h' /tmp /home/me /src";
    let before = slot.sh(look).output;
    slot.sh("chmod 700 /tmp /home/me /src; mkdir /tmp/a; rmdir /tmp/a");
    assert_eq!(slot.sh(look).output, before);
    spawner.close();
}

#[test]
fn what_outlives_a_job_in_the_kernel_ends_its_container() {
    let (source, spawner) = (source(), spawner());
    let spec = spec(source.path());
    use RetirementReason::{Attributes, Queues, SystemV};
    for (what, remains, text) in [
        ("shared memory", SystemV, "ipcmk -M 64"),
        ("semaphores", SystemV, "ipcmk -S 1"),
        ("a message queue", SystemV, "ipcmk -Q"),
        ("a POSIX queue", Queues, "touch /dev/mqueue/queue"),
        (
            "limits of process 1",
            Attributes,
            "prlimit --pid 1 --nofile=64:64",
        ),
        ("affinity of process 1", Attributes, "taskset -p 1 1"),
        ("niceness of process 1", Attributes, "renice 5 -p 1"),
    ] {
        let slot = start(&spawner, &spec).unwrap();
        match slot.run(&script(text)) {
            (ContainerReply::Ended { status, fate, .. }, output) => {
                // The kernel may refuse these to begin with, as the first process has
                // capabilities that the job lacks.
                let refusable = ["affinity of process 1", "niceness of process 1"];
                if refusable.contains(&what) && status != ExitStatus::Code(0) {
                    assert_eq!(fate, ContainerReuse::Reusable, "{what}: {output}");
                    continue;
                }
                assert_eq!(status, ExitStatus::Code(0), "{what}: {output}");
                assert_eq!(fate, ContainerReuse::Retired(remains), "{what}: {output}");
            }
            (other, output) => panic!("{what}: {other:?}: {output}"),
        }
    }
    spawner.close();
}

#[test]
fn no_process_of_a_job_outlives_it() {
    let (source, spawner) = (source(), spawner());
    let slot = start(&spawner, &spec(source.path())).unwrap();
    let daemons = "for i in 1 2 3; do setsid sh -c 'trap \"\" TERM HUP; exec sleep 1000' & done";
    let ran = slot.sh(daemons);
    assert_eq!(
        (ran.status, ran.fate),
        (ExitStatus::Code(0), ContainerReuse::Reusable)
    );
    assert_eq!(slot.sh("pgrep -c sleep").output, "0\n");
    spawner.close();
}

#[test]
fn the_first_process_cannot_be_harmed_by_a_job() {
    let (source, spawner) = (source(), spawner());
    let slot = start(&spawner, &spec(source.path())).unwrap();
    let ran = slot.sh("for signal in KILL TERM STOP SEGV; do kill -$signal 1; done; echo alive");
    assert_eq!(ran.output, "alive\n");
    assert_eq!(ran.fate, ContainerReuse::Reusable);
    let ran = slot.sh("cat /proc/1/environ /proc/1/maps; ls /proc/1/fd; readlink /proc/1/exe");
    assert_ne!(ran.status, ExitStatus::Code(0), "{}", ran.output);
    // Everybody but itself and the first process: the rest of the job.
    let ran = slot.sh("sleep 1000 & kill -9 -1; wait; echo alive");
    assert_eq!(ran.output.lines().last(), Some("alive"));
    spawner.close();
}

#[test]
fn ordinary_jobs_cannot_alter_their_namespaces() {
    let (source, spawner) = (source(), spawner());
    for text in [
        "hostname other",
        "mount -t tmpfs none /tmp",
        "umount /tmp",
        "ip link set lo down",
        "echo 1 > /proc/sys/kernel/shmmax",
        "echo /tmp/core > /proc/sys/kernel/core_pattern",
        "echo 1 > /proc/sysrq-trigger",
        "echo 5 > /proc/sys/net/ipv4/ip_default_ttl",
        "echo x > /usr/bin/x",
        "nsenter -t 1 -m true",
        "chroot / mount -t tmpfs none /tmp",
    ] {
        let slot = start(&spawner, &spec(source.path())).unwrap();
        let ran = slot.sh(text);
        assert_ne!(ran.status, ExitStatus::Code(0), "{text}: {}", ran.output);
        assert_eq!(ran.fate, ContainerReuse::Reusable, "{text}: {}", ran.output);
    }
    spawner.close();
}

#[test]
fn full_privileges_are_for_one_job() {
    let (source, spawner) = (source(), spawner());
    let spec = ContainerSpec {
        privileges: PrivilegeLevel::Full,
        user: 0,
        group: 0,
        ..spec(source.path())
    };
    let slot = start(&spawner, &spec).unwrap();
    let ran = slot.sh("hostname other && mount -t tmpfs none /tmp && id -u && uname -n");
    assert_eq!(ran.output, "0\nother\n");
    assert_eq!(
        ran.fate,
        ContainerReuse::Retired(RetirementReason::Privileges)
    );
    spawner.close();
}

/// Whoever says what a container looks like may be a stranger to this machine: the first mount would
/// put a link of his where the second one looks for a file of the host.
#[test]
fn no_mount_point_leads_out_of_the_container() {
    let spawner = spawner();
    let [shown, secret, foreign] = [0; 3].map(|_| tempfile::tempdir().unwrap());
    fs::write(shown.path().join("file"), "shown\n").unwrap();
    fs::write(secret.path().join("file"), "secret\n").unwrap();
    let link = foreign.path().join("file");
    std::os::unix::fs::symlink(secret.path().join("file"), link).unwrap();
    for descriptor in 3..32 {
        for way in [
            format!("/proc/self/fd/{descriptor}{}", shown.path().display()),
            format!("/way/{descriptor}{}", shown.path().display()),
        ] {
            let mut spec = spec(shown.path());
            if let RootKind::Skeleton(entries) = &mut spec.root {
                entries.push(SkeletonEntry {
                    path: "/way".into(),
                    kind: SkeletonKind::Symlink("/proc/self/fd".into()),
                });
                entries.push(SkeletonEntry {
                    path: "/there".into(),
                    kind: SkeletonKind::File(Vec::new()),
                });
            }
            spec.mounts.push(read_only_from(foreign.path(), &way));
            let file = shown.path().join("file");
            spec.mounts.push(read_only_from(&file, "/there"));
            match start(&spawner, &spec) {
                // ELOOP, or there is nothing of this number.
                Err(failed) => assert!(failed.step.contains(&way), "{failed}"),
                Ok(slot) => assert_eq!(slot.sh("cat /there").output, "shown\n", "{way}"),
            }
        }
    }
    spawner.close();
}

fn read_only_from(source: &Path, mount_point: &str) -> Mount {
    let kind = MountKind::Bind {
        source: source.to_owned(),
        access: BindAccess::ReadOnly,
    };
    mount(mount_point, kind)
}

#[test]
fn the_network_is_as_the_spec_says() {
    let (source, spawner) = (source(), spawner());
    let interfaces =
        "cat /proc/net/dev | tail -n +3 | cut -d: -f1 | tr -d ' '; cat /sys/class/net/lo/flags";
    let with = |network| {
        let mut spec = spec(source.path());
        spec.network = network;
        if let RootKind::Skeleton(entries) = &mut spec.root {
            entries.push(directory("/sys"));
        }
        if network != NetworkMode::Local {
            let kind = MountKind::Sys {
                when_forbidden: WhenForbidden::Fail,
            };
            spec.mounts.push(mount("/sys", kind));
        }
        start(&spawner, &spec).unwrap()
    };
    // Up, loopback, multicast.
    let output = with(NetworkMode::Loopback).sh(interfaces).output;
    assert_eq!(output, "lo\n0x1009\n");
    assert_eq!(
        with(NetworkMode::Disabled).sh(interfaces).output,
        "lo\n0x8\n"
    );
    let host = fs::read_link("/proc/self/ns/net").unwrap();
    let inside = with(NetworkMode::Local)
        .sh("readlink /proc/self/ns/net")
        .output;
    assert_eq!(inside.trim_end(), host.to_str().unwrap());
    let inside = with(NetworkMode::Loopback)
        .sh("readlink /proc/self/ns/net")
        .output;
    assert_ne!(inside.trim_end(), host.to_str().unwrap());
    spawner.close();
}

#[test]
fn a_root_of_layers_is_stacked_and_its_changes_are_thrown_away() {
    let (lower, upper) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    for (layer, text) in [(&lower, "lower"), (&upper, "upper")] {
        for path in ["usr", "proc", "lib", "lib64", "bin", "src"] {
            fs::create_dir(layer.path().join(path)).unwrap();
        }
        fs::write(layer.path().join("which"), text).unwrap();
        fs::write(layer.path().join(text), text).unwrap();
    }
    let spawner = spawner();
    let with = |access, trees: &[&tempfile::TempDir]| {
        let mut spec = spec(Path::new("/"));
        let trees = trees.iter().map(|tree| tree.path().to_owned()).collect();
        spec.root = RootKind::Layers { trees, access };
        spec.mounts = ["/usr", "/lib", "/lib64", "/bin"]
            .into_iter()
            .filter(|path| Path::new(path).exists())
            .map(|path| mount(path, read_only(path)))
            .collect();
        start(&spawner, &spec).unwrap()
    };
    let look = "cat /which; echo; cat /lower /upper; echo; echo changed > /which; cat /which";
    let slot = with(RootAccess::Ephemeral, &[&lower, &upper]);
    let ran = slot.sh(look);
    assert_eq!(ran.output, "upper\nlowerupper\nchanged\n");
    assert_eq!(
        ran.fate,
        ContainerReuse::Retired(RetirementReason::WritableRoot)
    );
    let ran = with(RootAccess::ReadOnly, &[&lower, &upper]).sh(look);
    assert!(
        ran.output.starts_with("upper\nlowerupper\n"),
        "{}",
        ran.output
    );
    assert!(
        ran.output.contains("Read-only file system"),
        "{}",
        ran.output
    );
    // A layer may stand twice: an overlay itself would refuse it.
    let ran = with(RootAccess::ReadOnly, &[&upper, &lower, &upper]).sh("cat /which");
    assert_eq!(ran.output, "upper");
    let ran = with(RootAccess::ReadOnly, &[&lower]).sh("cat /which; echo x > /which");
    assert!(
        ran.output.contains("Read-only file system"),
        "{}",
        ran.output
    );
    assert_eq!(
        fs::read_to_string(upper.path().join("which")).unwrap(),
        "upper"
    );
    spawner.close();
}

#[test]
fn an_error_names_the_step() {
    let (source, spawner) = (source(), spawner());
    let mut missing = spec(source.path());
    missing.mounts.push(mount("/not/there", MountKind::Tmp));
    let failed = start(&spawner, &missing).err().unwrap();
    let failed = failed.to_string();
    assert!(
        failed.starts_with("mount an empty directory (stash:scratch/")
            && failed.ends_with(") on /not/there: No such file or directory (ENOENT)"),
        "{failed}"
    );
    let mut missing = spec(source.path());
    missing
        .mounts
        .push(mount("/src/x", read_only("/not/there")));
    let failed = start(&spawner, &missing).err().unwrap();
    assert_eq!(
        failed.to_string(),
        "bind /not/there of the host read-only on stash:1: No such file or directory (ENOENT)"
    );
    let slot = start(&spawner, &spec(source.path())).unwrap();
    let not_started = |process: &ProcessSpec| match slot.run(process).0 {
        ContainerReply::NotStarted(failed) => failed.to_string(),
        other => panic!("{other:?}"),
    };
    let mut process = script("true");
    process.working_directory = Path::new("/nowhere").into();
    assert_eq!(
        not_started(&process),
        "change into the working directory /nowhere: No such file or directory (ENOENT)"
    );
    assert_eq!(
        not_started(&support::program("no-such-program", &[])),
        "execute no-such-program: No such file or directory (ENOENT)"
    );
    assert_eq!(
        not_started(&support::program("/src/file", &[])),
        "execute /src/file: Permission denied (EACCES)"
    );
    assert_eq!(slot.sh("echo still fine").output, "still fine\n");
    spawner.close();
}
