//! What one job leaves in a mount is not there for the next in the same container, or there is no
//! next in it.

use maelstrom_container::message::{ContainerReuse, RetirementReason};
use maelstrom_container::spec::*;

use crate::mounts::slot::Slot;
use crate::support::{directory, mount, spec};

/// The container of [`spec`], with these mounts besides, as this user.
fn with(user: u32, mounts: &[(&str, MountKind)]) -> ContainerSpec {
    let source = env!("CARGO_MANIFEST_DIR");
    let mut spec = ContainerSpec {
        user,
        ..spec(&std::path::Path::new(source).join("src"))
    };
    let RootKind::Skeleton(entries) = &mut spec.root else {
        panic!("no skeleton");
    };
    for (point, kind) in mounts {
        entries.push(directory(point));
        spec.mounts.push(mount(point, kind.clone()));
    }
    spec
}

fn own() -> u32 {
    nix::unistd::geteuid().as_raw()
}

#[test]
fn nothing_is_left_in_what_is_mounted_to_be_written_to() {
    let scratch = MountKind::Scratch { mode: 0o755 };
    let shm = MountKind::Device(DeviceKind::Shm);
    for (what, mounts, leave, look) in [
        (
            "a tmpfs",
            vec![("/srv", MountKind::Tmp)],
            "echo left > /srv/x",
            "ls -A /srv",
        ),
        (
            "a tmpfs on a tmpfs",
            vec![("/srv", MountKind::Tmp), ("/srv/in", MountKind::Tmp)],
            "echo left > /srv/x; echo left > /srv/in/x",
            "ls -A /srv /srv/in",
        ),
        (
            "a tmpfs below a scratch directory, and one below it",
            vec![
                ("/srv", scratch.clone()),
                ("/srv/in", MountKind::Tmp),
                ("/srv/in/deep/er", scratch.clone()),
            ],
            "echo left | tee /srv/in/x /srv/in/deep/x /srv/in/deep/er/x",
            "find /srv",
        ),
        (
            "the host's shared memory",
            vec![("/srv/shm", shm)],
            "ls -A /dev/shm; echo left > /srv/shm/x",
            "ls -A /srv/shm",
        ),
        (
            "modes of a tmpfs",
            vec![("/srv", MountKind::Tmp)],
            "chmod 700 /srv",
            "stat -c %a /srv",
        ),
        (
            "the times of a tmpfs",
            vec![("/srv", MountKind::Tmp)],
            "touch -d 2001-01-01 /srv; mkdir /srv/d; rmdir /srv/d",
            "stat -c %Y /srv | grep -v ^1 | wc -l; ls -A /srv",
        ),
        (
            "an overlay",
            vec![("/srv", MountKind::Tmp)],
            "rm -r /src/*; echo left > /src/x",
            "ls /src/lib.rs /src/x",
        ),
    ] {
        let slot = Slot::start(&with(own(), &mounts));
        let before = slot.sh(look);
        assert_eq!(
            before.fate,
            ContainerReuse::Reusable,
            "{what}: {}",
            before.output
        );
        let left = slot.sh(leave);
        assert_eq!(
            left.fate,
            ContainerReuse::Reusable,
            "{what}: {}",
            left.output
        );
        assert_eq!(slot.sh(look).output, before.output, "{what}");
        // A second time, since what is made again may be made otherwise.
        slot.sh(leave);
        assert_eq!(slot.sh(look).output, before.output, "{what}");
    }
}

#[test]
fn what_cannot_be_made_as_it_was_ends_its_container() {
    for (text, remains) in [
        ("chmod 600 /dev/pts/ptmx", RetirementReason::Shown),
        ("touch -d 2001-01-01 /dev/pts/ptmx", RetirementReason::Shown),
        ("chmod 700 /dev/pts", RetirementReason::Shown),
        ("chmod 700 /dev/mqueue", RetirementReason::Queues),
    ] {
        // As user 0 of the container a job owns all of them; which of them another one owns
        // is the kernel's business.
        for user in [0, own()] {
            let slot = Slot::start(&with(user, &[]));
            let ran = slot.sh(text);
            let fate = match ran.status {
                ExitStatus::Code(0) => ContainerReuse::Retired(remains),
                _ => ContainerReuse::Reusable,
            };
            assert_eq!(ran.fate, fate, "{text} by {user}: {}", ran.output);
            // The directory itself may be the machine's root's.
            let is_owned = user == 0 && text != "chmod 700 /dev/pts";
            assert!(!is_owned || ran.status == ExitStatus::Code(0), "{text}");
        }
    }
}

/// What a terminal's use does to `/dev/pts` is no change.
#[test]
fn a_container_in_which_a_terminal_was_made_is_used_again() {
    let slot = Slot::start(&with(own(), &[]));
    let before = slot.sh("ls -A /dev/pts").output;
    for _ in 0..2 {
        let ran = slot.sh("script -qec 'tty; echo typed' /dev/null </dev/null");
        assert_eq!(ran.fate, ContainerReuse::Reusable, "{}", ran.output);
    }
    assert_eq!(slot.sh("ls -A /dev/pts").output, before);
}

#[test]
fn the_root_takes_what_user_0_writes_and_then_ends() {
    let hosts = SkeletonEntry {
        path: "/etc/hosts".into(),
        kind: SkeletonKind::File(b"127.0.0.1 localhost\n".to_vec()),
    };
    let as_user = |user| {
        let mut spec = with(user, &[("/srv", MountKind::Tmp)]);
        if let RootKind::Skeleton(entries) = &mut spec.root {
            entries.extend([hosts.clone(), directory("/run"), directory("/var/lib")]);
        }
        Slot::start(&spec)
    };
    for text in [
        "echo x > /new",
        "mkdir /run/new",
        "echo x > /var/lib/new",
        "echo 127.0.0.1 other > /etc/hosts",
        "chmod 600 /etc/hosts",
        "touch -d 2001-01-01 /var",
        "chmod 700 /",
        "mkdir /run/new && rmdir /run/new",
        "ln -s /tmp /link",
    ] {
        let ran = as_user(0).sh(text);
        assert_eq!(ran.status, ExitStatus::Code(0), "{text}: {}", ran.output);
        let fate = ContainerReuse::Retired(RetirementReason::Root);
        assert_eq!(ran.fate, fate, "{text}: {}", ran.output);
        let other = as_user(1234).sh(text);
        assert_ne!(other.status, ExitStatus::Code(0), "{text}");
        assert_eq!(other.fate, ContainerReuse::Reusable, "{text}");
    }
    let slot = as_user(0);
    for text in [
        "cat /etc/hosts; ls / /var",
        "echo x > /tmp/x; echo y > /srv/y",
    ] {
        assert_eq!(slot.sh(text).fate, ContainerReuse::Reusable, "{text}");
    }
}
