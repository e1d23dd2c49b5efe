//! Inodes of the host that a job sees: what it does to them by name or by descriptor changes neither
//! the host's nor what the next job finds.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use maelstrom_container::message::{ContainerReuse, RetirementReason};
use maelstrom_container::spec::*;

use crate::mounts::slot::Slot;
use crate::support::{directory, mount, read_only, spec};

const DEVICES: [DeviceKind; 7] = [
    DeviceKind::Full,
    DeviceKind::Fuse,
    DeviceKind::Null,
    DeviceKind::Random,
    DeviceKind::Tty,
    DeviceKind::Urandom,
    DeviceKind::Zero,
];

/// A container of this user's with every device that the host has, and a file of the host's.
fn everything(source: &Path) -> ContainerSpec {
    let mut spec = spec(source);
    let RootKind::Skeleton(entries) = &mut spec.root else {
        panic!("no skeleton");
    };
    let there = |device: &DeviceKind| Path::new("/dev").join(device.name()).exists();
    for device in DEVICES.into_iter().filter(there) {
        let path = format!("/dev/{}", device.name());
        if spec
            .mounts
            .iter()
            .all(|mount| mount.mount_point != Path::new(&path))
        {
            entries.push(SkeletonEntry {
                path: path.clone().into(),
                kind: SkeletonKind::File(Vec::new()),
            });
            spec.mounts.push(mount(&path, MountKind::Device(device)));
        }
    }
    entries.push(directory("/bound"));
    spec.mounts
        .push(mount("/bound", read_only(source.to_str().unwrap())));
    spec
}

fn state(path: &Path) -> String {
    let metadata = fs::metadata(path).unwrap();
    format!(
        "{} {:o} {}:{} {}.{} {}.{}",
        path.display(),
        metadata.mode(),
        metadata.uid(),
        metadata.gid(),
        metadata.mtime(),
        metadata.mtime_nsec(),
        metadata.ctime(),
        metadata.ctime_nsec(),
    )
}

#[test]
fn no_device_and_no_file_of_the_host_takes_another_mode_owner_or_time() {
    let source = tempfile::tempdir().unwrap();
    fs::write(source.path().join("file"), "x").unwrap();
    let slot = Slot::start(&everything(source.path()));
    let devices = DEVICES.map(|device| Path::new("/dev").join(device.name()));
    let devices = devices.iter().filter(|path| path.exists());
    let targets = devices.map(|path| (path.clone(), path.display().to_string()));
    let file = source.path().join("file");
    let targets = targets.chain([
        (file.clone(), "/bound/file".to_owned()),
        (source.path().to_owned(), "/bound".to_owned()),
        // What a job has for its standard input.
        ("/dev/null".into(), "/proc/self/fd/0".to_owned()),
    ]);
    for (host, inside) in targets {
        for change in [
            "chmod 640",
            "chown $(id -u):$(id -g)",
            "touch -d 2001-01-01",
            "touch -a",
            "setfattr -n user.x -v y",
        ] {
            if change.starts_with("setfattr") && !Path::new("/usr/bin/setfattr").exists() {
                continue;
            }
            let before = state(&host);
            let ran = slot.sh(&format!("{change} {inside}"));
            assert_ne!(ran.status, ExitStatus::Code(0), "{change} {inside}");
            assert_eq!(ran.fate, ContainerReuse::Reusable, "{change} {inside}");
            assert_eq!(state(&host), before, "{change} {inside}");
        }
    }
}

#[test]
fn devices_work_all_the_same() {
    let source = tempfile::tempdir().unwrap();
    let slot = Slot::start(&everything(source.path()));
    let ran = slot.sh(
        "echo x > /dev/null && echo null; head -c 3 /dev/zero | wc -c; head -c 4 /dev/urandom | \
         wc -c; echo x 2>&- > /dev/full || echo full; test -c /dev/tty && echo tty; wc -c; \
         exec 3<>/dev/zero && echo both",
    );
    assert_eq!(ran.output, "null\n3\n4\nfull\ntty\n0\nboth\n");
    if Path::new("/dev/fuse").exists() {
        // As it is for whoever may not open it.
        let ours = fs::File::options().read(true).write(true).open("/dev/fuse");
        let ran = slot.sh("exec 3<>/dev/fuse");
        assert_eq!(
            ran.status == ExitStatus::Code(0),
            ours.is_ok(),
            "{}",
            ran.output
        );
    }
}

#[test]
fn nothing_that_is_set_on_standard_input_is_there_for_the_next_job() {
    let source = tempfile::tempdir().unwrap();
    let slot = Slot::start(&everything(source.path()));
    let look = "grep flags /proc/self/fdinfo/0; readlink /proc/self/fd/0";
    let before = slot.sh(look).output;
    assert!(before.ends_with("\n/dev/null\n"), "{before}");
    // It sets the flag on the open file, which outlives it.
    let ran = slot.sh(&format!("dd iflag=nonblock count=0 2>&-; {look}"));
    assert_ne!(ran.output, before);
    assert_eq!(ran.fate, ContainerReuse::Reusable);
    assert_eq!(slot.sh(look).output, before);
}

/// They belong to the machine's root, and so to its jobs.
#[test]
fn files_of_proc_that_are_the_machines_are_as_before_after_a_job() {
    let source = tempfile::tempdir().unwrap();
    let files = [
        "/proc/uptime",
        "/proc/tty/drivers",
        "/proc/driver",
        "/proc/pressure",
    ];
    for file in files.into_iter().filter(|file| Path::new(file).exists()) {
        for change in ["chmod 755", "chown 0:1", "touch -d 2001-01-01"] {
            let slot = Slot::start(&everything(source.path()));
            let look = format!("stat -c '%a %u:%g' {file}");
            let before = slot.sh(&look).output;
            let ran = slot.sh(&format!("{change} {file}"));
            let fate = match ran.status {
                ExitStatus::Code(0) => ContainerReuse::Retired(RetirementReason::KernelFiles),
                _ => ContainerReuse::Reusable,
            };
            assert_eq!(ran.fate, fate, "{change} {file}: {}", ran.output);
            drop(slot);
            let slot = Slot::start(&everything(source.path()));
            assert_eq!(slot.sh(&look).output, before, "{change}");
        }
    }
    // What an ordinary job does there is no change.
    let slot = Slot::start(&everything(source.path()));
    let ran = slot.sh("cat /proc/meminfo /proc/self/status >&-; echo 5 > /proc/self/oom_score_adj");
    assert_eq!(ran.fate, ContainerReuse::Reusable, "{}", ran.output);
}

/// A container without devices has it for its standard input all the same.
#[test]
fn there_is_nothing_to_read_without_devices_as_well() {
    let source = tempfile::tempdir().unwrap();
    let mut spec = spec(source.path());
    spec.mounts
        .retain(|mount| !matches!(mount.kind, MountKind::Device(_)));
    let slot = Slot::start(&spec);
    let ran = slot.sh("wc -c; stat -Lc '%F %t:%T' /proc/self/fd/0; chmod 640 /proc/self/fd/0");
    assert!(
        ran.output.starts_with("0\ncharacter special file 1:3\n"),
        "{}",
        ran.output
    );
    assert_ne!(ran.status, ExitStatus::Code(0));
}

/// `find -xdev` and their like compare device numbers.
#[test]
fn files_and_directories_of_one_tree_are_on_one_device() {
    let source = tempfile::tempdir().unwrap();
    fs::create_dir(source.path().join("directory")).unwrap();
    fs::write(source.path().join("directory/file"), "x").unwrap();
    let slot = Slot::start(&spec(source.path()));
    let ran = slot.sh("echo x > new; stat -c %d . directory directory/file new | sort -u | wc -l");
    assert_eq!(ran.output, "1\n");
    let ran =
        slot.sh("stat -c %i directory/file; echo y >> directory/file; stat -c %i directory/file");
    let numbers: Vec<_> = ran.output.lines().collect();
    assert_eq!(
        numbers[0], numbers[1],
        "a file that is written to stays the same file"
    );
}
