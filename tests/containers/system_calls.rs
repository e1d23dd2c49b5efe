//! What the system call filter keeps from a job, what it leaves to it, and what lifts it, in real containers.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Read;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::LazyLock;

use crate::support::{EXECUTABLE, script, spec};
use maelstrom_container::filter::{compile, numbers};
use maelstrom_container::message::{
    self, ContainerReply, ContainerRequest, ContainerReuse, LaunchMode, PackedStrings,
    ProcessImage, RetirementReason,
};
use maelstrom_container::plan::plan;
use maelstrom_container::spawner::Spawner;
use maelstrom_container::spec::*;
use nix::unistd::geteuid;

const PROBE: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/tests/fixtures/system-calls/probe.c"
);
const PROGRAM: &str = env!("CARGO_BIN_EXE_maelstrom-run");
/// The program that makes calls.
static BUILT: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let directory = tempfile::tempdir().unwrap();
    let probe = directory.path().join("probe");
    let built = Command::new("cc").arg("-o").arg(&probe).arg(PROBE).status();
    assert!(built.unwrap().success());
    fs::read(probe).unwrap()
});

/// A directory of the host with the program; containers have it at `/src`.
struct Source(tempfile::TempDir);

impl Source {
    fn new() -> Source {
        let directory = tempfile::tempdir().unwrap();
        let probe = directory.path().join("probe");
        fs::write(&probe, &*BUILT).unwrap();
        fs::set_permissions(probe, fs::Permissions::from_mode(0o755)).unwrap();
        Source(directory)
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    /// Runs the program outside of any container.
    fn outside(&self, words: &[&str]) -> String {
        let probe = self.path().join("probe");
        let output = Command::new(probe).args(words).output().unwrap();
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    }
}

fn spawner() -> Spawner {
    Spawner::launch(Path::new(EXECUTABLE)).unwrap()
}

struct Slot(OwnedFd);

/// A slot, once it is ready.
fn start(spawner: &Spawner, spec: &ContainerSpec) -> Slot {
    let slot = Slot(spawner.start_container(&plan(spec).unwrap()).unwrap());
    slot.expect_ready();
    slot
}

impl Slot {
    fn expect_ready(&self) {
        let reply = message::receive(self.0.as_fd()).unwrap().0;
        assert!(matches!(reply, ContainerReply::Ready), "{reply:?}");
    }

    /// What a shell script writes, and what becomes of the container.
    fn sh(&self, text: &str) -> (String, ContainerReuse) {
        let (reader, writer) = nix::unistd::pipe2(nix::fcntl::OFlag::O_CLOEXEC).unwrap();
        let null = File::open("/dev/null").unwrap();
        let process = script(text);
        let environment = PackedStrings::of_environment(&process.environment).unwrap();
        let order = ContainerRequest::Do(
            LaunchMode::Run,
            ProcessImage::new(&process, environment).unwrap(),
        );
        let streams = [null.as_fd(), writer.as_fd(), writer.as_fd()];
        message::send(self.0.as_fd(), &order, &streams).unwrap();
        drop(writer);
        let mut output = String::new();
        File::from(reader).read_to_string(&mut output).unwrap();
        match message::receive(self.0.as_fd()).unwrap().0 {
            ContainerReply::Ended { fate, .. } => (output, fate),
            other => panic!("{other:?}: {output}"),
        }
    }
}

/// As a job without privileges sees it.
fn ordinary(text: &str) -> String {
    let (source, spawner) = (Source::new(), spawner());
    let (output, _) = start(&spawner, &spec(source.path())).sh(text);
    spawner.close();
    output
}

fn full(source: &Source) -> ContainerSpec {
    ContainerSpec {
        privileges: PrivilegeLevel::Full,
        ..spec(source.path())
    }
}

#[test]
fn calls_that_lead_out_of_a_container_are_answered() {
    insta::assert_snapshot!(ordinary("./probe calls"), @r"
    add_key: ENOSYS
    request_key: ENOSYS
    keyctl: ENOSYS
    keyctl join: ENOSYS
    io_uring_setup: ENOSYS
    io_uring_enter: ENOSYS
    io_uring_register: ENOSYS
    vsock: EAFNOSUPPORT
    vsock with high bits: EAFNOSUPPORT
    vsock pair: EAFNOSUPPORT
    alg: EAFNOSUPPORT
    bluetooth: EAFNOSUPPORT
    family of the future: EAFNOSUPPORT
    unix: ok
    unix pair: ok
    inet: ok
    inet6: ok
    netlink: ok
    lease: EINVAL
    notify: EINVAL
    get lease: ok
    encryption key: ENOTTY
    file flags: ENOTTY
    file attributes by their call: EOPNOTSUPP
    kernel log: EPERM
    bpf: EPERM
    quota: EPERM
    swapoff: EPERM
    open_by_handle_at: EPERM
    a processor's events: EACCES
    a group's events: EACCES
    call of the future: ENOSYS
    ");
}

#[test]
fn other_binary_interfaces_are_no_way_around() {
    let said = ordinary("./probe foreign");
    // A kernel for one interface only does not get as far as the filter.
    let interpreted = said.lines().filter(|line| !line.is_empty());
    let said: BTreeMap<&str, &str> = interpreted
        .map(|line| line.split_once(": ").unwrap())
        .collect();
    for (call, result) in said {
        let expected = match call {
            "getpid" | "unix" => "ok",
            "vsock" | "vsock pair" => "EAFNOSUPPORT",
            "lease" | "older lease" => "EINVAL",
            "kernel log" => "EPERM",
            _ => "ENOSYS",
        };
        assert_eq!(result, expected, "{call}");
    }
}

/// A key in the keyring that the user has outside, gone when the test is.
struct Planted<'a> {
    source: &'a Source,
    serial: String,
}

impl Planted<'_> {
    fn new(source: &Source) -> Planted<'_> {
        let description = format!("maelstrom-{}", std::process::id());
        let serial = source.outside(&["plant", &description]).trim().to_owned();
        Planted { source, serial }
    }
}

impl Drop for Planted<'_> {
    fn drop(&mut self) {
        self.source.outside(&["unlink", &self.serial]);
    }
}

#[test]
fn no_key_of_the_user_can_be_reached() {
    let (source, spawner) = (Source::new(), spawner());
    let planted = Planted::new(&source);
    let slot = start(&spawner, &spec(source.path()));
    let (output, fate) = slot.sh(&format!("./probe key {}", planted.serial));
    let answers: Vec<&str> = output.lines().collect();
    assert_eq!(answers.len(), 5, "{output}");
    for answer in answers {
        assert!(answer.ends_with(": ENOSYS"), "{output}");
    }
    assert_eq!(fate, ContainerReuse::Reusable);
    // It is as it was, where the test itself may have keys.
    if planted.serial != "-1" {
        assert_eq!(source.outside(&["shown", &planted.serial]), "secret\n");
    }
    drop(planted);
    spawner.close();
}

/// More than a user's quota has room for, if each took a key.
const MANY: usize = 60;

#[test]
fn many_containers_at_once_need_no_keys() {
    let (source, spawner) = (Source::new(), spawner());
    let plan = plan(&spec(source.path())).unwrap();
    let slots: Vec<Slot> = (0..MANY)
        .map(|_| Slot(spawner.start_container(&plan).unwrap()))
        .collect();
    slots.iter().for_each(Slot::expect_ready);
    drop(slots);
    spawner.close();
}

#[test]
fn sandboxes_work_in_a_container() {
    insta::assert_snapshot!(ordinary("./probe sandbox"), @r"
    no new privileges: ok
    filter with a listener: ok
    filtered call: EACCES
    stopped child: ok
    traced child: ok
    ended child: ok
    ");
    let nested = "unshare --user --map-root-user --mount --pid --net --ipc --uts --fork sh -ec '
        echo $$; id -u; mount -t tmpfs none /tmp; hostname inner; uname -n
        unshare --user --map-root-user --net echo deeper'";
    let output = ordinary(nested);
    assert_eq!(output, "1\n0\ninner\ndeeper\n");
    // Where `proc` has parts that are read-only, which it has for root, the kernel allows none
    // that would not.
    if !geteuid().is_root() {
        let nested = "unshare -Urmpnf --mount-proc sh -c 'echo /proc/[0-9]*'";
        assert_eq!(ordinary(nested), "/proc/1\n");
    }
}

#[test]
fn no_tree_of_control_groups_can_be_mounted() {
    let refused = "cgroup namespace: ENOSPC\nsecond version: EPERM\nfirst version: EPERM\n";
    let nested = |more: &str, text: &str| {
        ordinary(&format!(
            "unshare --user --map-root-user --mount {more} sh -c '{text}'"
        ))
    };
    let probe = "./probe cgroup";
    assert_eq!(nested("", probe), format!("{refused}tmpfs: ok\n"));
    let deeper = "unshare --user --map-root-user --mount ./probe cgroup";
    assert_eq!(nested("", deeper), format!("{refused}tmpfs: ok\n"));
    let raised = "echo 9 > /proc/sys/user/max_cgroup_namespaces; ./probe cgroup";
    assert!(nested("", raised).ends_with(&format!("{refused}tmpfs: ok\n")));
    let others = "--pid --net --ipc --uts --fork";
    assert_eq!(nested(others, probe), format!("{refused}tmpfs: ok\n"));
    let whole = ordinary("unshare --user --map-root-user --mount --cgroup echo made 2>&1");
    assert!(whole.contains("No space left on device"), "{whole}");
    let (source, spawner) = (Source::new(), spawner());
    let (view, _) = start(&spawner, &spec(source.path())).sh("cat /proc/self/cgroup");
    assert!(view.lines().all(|line| line.ends_with(":/")), "{view}");
    spawner.close();
}

#[test]
fn nested_namespaces_are_counted_and_the_count_cannot_be_raised() {
    let raise = "for kind in user mnt pid net ipc uts time cgroup; do
        echo 9999 > /proc/sys/user/max_${kind}_namespaces && echo raised $kind; done 2>/dev/null
        unshare --user --map-root-user ./probe nest-user";
    assert_eq!(ordinary(raise), "ENOSPC after enough\n");
    let within = "unshare --user --map-root-user sh -c '
        echo 9999 > /proc/sys/user/max_user_namespaces; ./probe nest-user' 2>/dev/null";
    assert_eq!(ordinary(within), "ENOSPC after enough\n");
}

#[test]
fn what_one_job_takes_of_the_count_the_next_one_has() {
    let (source, spawner) = (Source::new(), spawner());
    let nested = "unshare --user --map-root-user ./probe nest-net";
    let enough = "ENOSPC after enough\n";
    let mut slot = start(&spawner, &spec(source.path()));
    for _ in 0..3 {
        let (output, fate) = slot.sh(nested);
        assert_eq!(output, enough);
        match fate {
            ContainerReuse::Reusable => {}
            ContainerReuse::Retired(remains) => {
                assert_eq!(remains, RetirementReason::Namespaces);
                slot = start(&spawner, &spec(source.path()));
            }
        }
    }
    // A job that makes none leaves its container as it was.
    let slot = start(&spawner, &spec(source.path()));
    for _ in 0..3 {
        assert_eq!(slot.sh("true").1, ContainerReuse::Reusable);
    }
    spawner.close();
}

#[test]
fn full_privileges_lift_the_filter_for_one_job() {
    let (source, spawner) = (Source::new(), spawner());
    let (lifted, fate) = start(&spawner, &full(&source)).sh("./probe calls");
    assert_eq!(fate, ContainerReuse::Retired(RetirementReason::Privileges));
    // What decides without a filter is the kernel, as outside.
    let outside = source.outside(&["calls"]);
    let of = |said: &str, call: &str| {
        let line = said
            .lines()
            .find(|line| line.starts_with(&format!("{call}: ")));
        line.unwrap().to_owned()
    };
    for call in [
        "add_key",
        "keyctl",
        "io_uring_setup",
        "vsock",
        "lease",
        "notify",
    ] {
        assert_eq!(of(&lifted, call), of(&outside, call), "{call}");
    }
    // A container without privileges of the same spawner is behind the filter.
    let (kept, _) = start(&spawner, &spec(source.path())).sh("./probe calls");
    assert_eq!(of(&kept, "add_key"), "add_key: ENOSYS");
    spawner.close();
}

#[test]
fn a_lifted_filter_does_not_give_the_callers_session_keyring() {
    let (source, spawner) = (Source::new(), spawner());
    let run = |text: &str| start(&spawner, &full(&source)).sh(text).0;
    let (added, found) = ("./probe calls | grep ^add_key", "./probe search");
    // What one job adds to its session it finds there, and another does not.
    let one = run(&format!("{added}; {found}"));
    let other = run(found);
    match one.starts_with("add_key: ok") {
        true => assert_eq!(one, "add_key: ok\nsearch: ok\n"),
        false => assert!(!one.contains("search: ok"), "{one}"),
    }
    assert!(!other.contains(": ok"), "{other}");
    spawner.close();
}

#[test]
fn locks_on_the_projects_files_are_the_containers_own() {
    let (source, spawner) = (Source::new(), spawner());
    let [one, other] = [(), ()].map(|()| start(&spawner, &spec(source.path())));
    let lock = "flock --nonblock --exclusive probe echo locked";
    let outside = File::open(source.path().join("probe")).unwrap();
    outside.lock().unwrap();
    assert_eq!(one.sh(lock).0, "locked\n");
    assert_eq!(other.sh(lock).0, "locked\n");
    spawner.close();
}

#[test]
fn whoever_lifts_the_filter_is_told_in_the_summary() {
    let project = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| {
        fs::write(project.path().join(name), text).unwrap();
    };
    let manifest = "[package]\nname = \"lifted\"\nedition = \"2021\"\n[lib]\npath = \"lib.rs\"\n";
    write("Cargo.toml", manifest);
    write("lib.rs", FILTERED);
    let run = |file: &str| {
        write("cargo-maelstrom.toml", file);
        let mut command = Command::new(EXECUTABLE);
        command.arg("--no-tui").current_dir(project.path());
        let output = command.env("MODE", mode()).output().unwrap();
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    let all = "[[directives]]\nparent = \"default\"\n";
    let lifted = "[[directives]]\nfilter = \"name.equals(lifted)\"\nprivileges = \"full\"\n";
    let said = run(&format!(
        "{all}{lifted}added_environment = {{ MODE = \"$env{{MODE}}\" }}\n"
    ));
    assert!(said.contains("2 passed, 0 failed"), "{said}");
    let told = "could reach this machine's keyrings, vsock ports and control groups";
    assert!(said.contains(told), "{said}");
    let ignored = "[[directives]]\nfilter = \"name.equals(lifted)\"\nignore = true\n";
    let said = run(&format!("{all}{ignored}"));
    assert!(said.contains("1 passed, 0 failed"), "{said}");
    assert!(!said.contains(told), "{said}");
}

/// Two tests that look whether a filter is in force.
const FILTERED: &str = r#"
#[cfg(test)]
fn mode() -> String {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let mut lines = status.lines();
    lines.find_map(|line| line.strip_prefix("Seccomp:")).unwrap().trim().to_owned()
}

#[test]
fn filtered() {
    assert_eq!(mode(), "2");
}

#[test]
fn lifted() {
    assert_eq!(mode(), std::env::var("MODE").unwrap());
}
"#;

/// The filter that is in force for the tests themselves, as `/proc` has it.
fn mode() -> String {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let mut lines = status.lines();
    let mode = lines.find_map(|line| line.strip_prefix("Seccomp:"));
    mode.unwrap().trim().to_owned()
}

/// A container in a container: for ordinary users, since root's containers have no `proc` that
/// another can be mounted beside.
#[test]
fn maelstrom_runs_in_a_container_of_its_own() {
    let (source, spawner) = (Source::new(), spawner());
    fs::copy(PROGRAM, source.path().join("maelstrom-run")).unwrap();
    let nested = "./maelstrom-run sh -c 'echo nested; ./probe calls | grep add_key'";
    let (output, _) = start(&spawner, &spec(source.path())).sh(nested);
    let expected = match geteuid().is_root() {
        false => "nested\nadd_key: ENOSYS\n",
        true => "mount proc on /proc",
    };
    assert!(output.contains(expected), "{output}");
    spawner.close();
}

/// What this machine's headers call the numbers of an interface.
fn headers(file: &str) -> BTreeMap<String, u32> {
    let output = Command::new("cc")
        .args(["-E", "-dM", "-include", file, "-x", "c", "/dev/null"])
        .stderr(Stdio::null())
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let defined: BTreeMap<&str, &str> = text
        .lines()
        .filter_map(|line| line.strip_prefix("#define ")?.split_once(' '))
        .collect();
    let value = |text: &str| {
        let mut value = text.to_owned();
        while let Some(other) = defined.get(value.as_str()) {
            value = (*other).to_owned();
        }
        value.trim_matches(['(', ')']).parse().ok()
    };
    let numbers = defined.iter().filter_map(|(name, text)| {
        let name = name.strip_prefix("__NR_")?;
        Some((name.to_owned(), value(text)?))
    });
    numbers.collect()
}

/// Names in headers that are no calls.
const NO_CALLS: [&str; 2] = ["syscalls", "arch_specific_syscall"];

#[test]
fn every_call_in_this_machines_headers_is_classified() {
    let i386 = Path::new("/usr/include/x86_64-linux-gnu/asm/unistd_32.h");
    let native = match std::env::consts::ARCH {
        "x86_64" => compile::X86_64,
        "aarch64" => compile::AARCH64,
        other => panic!("{other} has no table"),
    };
    let mut interfaces = vec![(PathBuf::from("asm/unistd.h"), native)];
    if i386.exists() {
        interfaces.push((i386.to_owned(), compile::I386));
    }
    for (file, interface) in interfaces {
        let calls = numbers::parse(interface.calls);
        let known: BTreeMap<&str, u32> = calls
            .iter()
            .map(|(number, name)| (*name, *number))
            .collect();
        let defined = headers(file.to_str().unwrap());
        assert!(defined.len() > 250, "{file:?}: {}", defined.len());
        for (name, number) in defined {
            if !NO_CALLS.contains(&name.as_str()) {
                assert_eq!(known.get(name.as_str()), Some(&number), "{file:?}: {name}");
            }
        }
    }
}
