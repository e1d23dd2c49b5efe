//! A client that does everything that it must not, and an honest one beside it, which does not notice.
//!
//! `MAELSTROM_HOSTILE_SECONDS=60` lets it go on for a minute. Needs Python 3.11 with grpcio-tools, and a
//! static busybox. There is one test in this file, since it looks at what a process takes.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::fs::{self, File};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use crate::cluster::{Cluster, PORTABLE, Running, credentials};

const PROJECT: &str = env!("CARGO_MANIFEST_DIR");

/// How long the hostile client goes on, unless somebody wants to know it for certain.
const SECONDS: &str = "10";

/// What the hostile client does.
const ATTACKS: usize = 15;

/// What the honest client runs beside it.
const TESTS: usize = 2_000;

/// What the broker may have more than before: what redb keeps of the journal (32 MiB), the storage's
/// index of what was uploaded, and pages that the allocator shares between what lives and what does not.
const MORE_BYTES_MAX: u64 = 96 << 20;

/// The broker gives back to the system what it frees, so that what it has is what it needs.
const ALLOCATOR: [(&str, &str); 3] = [
    ("MALLOC_ARENA_MAX", "1"),
    ("MALLOC_MMAP_THRESHOLD_", "65536"),
    ("MALLOC_TRIM_THRESHOLD_", "65536"),
];

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// What protoc makes for Python.
fn generated(directory: &Path) -> PathBuf {
    let modules = directory.join("generated");
    fs::create_dir(&modules).unwrap();
    let files = |directory: &str| {
        let entries = fs::read_dir(Path::new(PROJECT).join(directory)).unwrap();
        entries.map(|entry| entry.unwrap().path())
    };
    let output = Command::new("python3")
        .args(["-m", "grpc_tools.protoc"])
        .arg(format!("-I{PROJECT}/proto"))
        .arg(format!("-I{PROJECT}/examples/python/proto"))
        .arg(format!("--python_out={}", modules.display()))
        .arg(format!("--grpc_python_out={}", modules.display()))
        .args(files("proto/maelstrom/v1"))
        .args(files("examples/python/proto"))
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", text(&output.stderr));
    modules
}

/// A root directory with a shell.
fn shell(directory: &Path) -> PathBuf {
    let root = directory.join("root");
    fs::create_dir_all(root.join("bin")).unwrap();
    fs::copy("/bin/busybox", root.join("bin/busybox")).unwrap();
    for name in ["sh", "cat", "echo"] {
        symlink("busybox", root.join("bin").join(name)).unwrap();
    }
    root
}

/// The honest client: so many jobs, each of which says its number.
fn honest(cluster: &Cluster, shown: &[String], directory: &Path, jobs: usize) -> Command {
    let mut input = String::new();
    for number in 0..jobs {
        writeln!(
            input,
            r#"{{"program": "/bin/echo", "arguments": ["number {number}"], {PORTABLE}}}"#
        )
        .unwrap();
    }
    let name = format!("{jobs}.json");
    fs::write(directory.join(&name), input).unwrap();
    let mut command = cluster.client(env!("CARGO_BIN_EXE_maelstrom-run"), directory);
    command.args(["--no-tui", "--file", &name]).args(shown);
    command
}

fn all_passed(output: &Output, jobs: usize) {
    let (stdout, stderr) = (text(&output.stdout), text(&output.stderr));
    assert!(output.status.success(), "{stderr}");
    let told = stdout
        .lines()
        .filter_map(|line| line.strip_prefix("number "));
    let told: Vec<&str> = told.collect();
    let different: BTreeSet<&str> = told.iter().copied().collect();
    assert_eq!((told.len(), different.len()), (jobs, jobs), "{stderr}");
}

fn descriptors(process: u32) -> usize {
    fs::read_dir(format!("/proc/{process}/fd")).unwrap().count()
}

fn resident_bytes(process: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kilobytes = line.unwrap().split_whitespace().next().unwrap();
    kilobytes.parse::<u64>().unwrap() << 10
}

#[test]
#[ignore = "needs Python with grpcio-tools, and a static busybox"]
fn promise_9_a_hostile_client_harms_nobody() {
    let keep = tempfile::tempdir().unwrap();
    let team = keep.path().join("team");
    let shown = credentials(&team, &["127.0.0.1"]);
    let mut token = Command::new(env!("CARGO_BIN_EXE_maelstrom-broker"));
    token.args(["credentials", "token"]).arg(&team);
    let made = token
        .args(["--role", "client", "--name", "mallory"])
        .output();
    assert!(made.unwrap().status.success());

    let mut options: Vec<&str> = shown.broker.iter().map(String::as_str).collect();
    options.extend(["--client-timeout", "1"]);
    let log = keep.path().join("log");
    let cluster = Cluster::start_as(&options, |command| {
        let mut logging = Command::new(command.get_program());
        logging
            .args(command.get_args().map(|word| match word.to_str() {
                Some("error") => "info".as_ref(),
                _ => word,
            }))
            .stderr(File::create(&log).unwrap())
            .envs(ALLOCATOR);
        logging
    });
    let (_worker, _) = Running::start(&mut cluster.worker_with(&shown.worker));
    let broker = cluster.broker.id();
    let first = honest(&cluster, &shown.client, keep.path(), 20).output();
    all_passed(&first.unwrap(), 20);
    let before = (descriptors(broker), resident_bytes(broker));

    let seconds = std::env::var("MAELSTROM_HOSTILE_SECONDS");
    let hostile = Command::new("python3")
        .arg(format!("{PROJECT}/tests/hostile/hostile.py"))
        .env("GENERATED", generated(keep.path()))
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .arg("--ca")
        .arg(team.join("ca.pem"))
        .arg("--token-file")
        .arg(team.join("mallory.token"))
        .args(["--seconds", seconds.as_deref().unwrap_or(SECONDS)])
        .arg(&cluster.address)
        .arg(shell(keep.path()))
        .stdout(File::create(keep.path().join("hostile")).unwrap())
        .stderr(File::create(keep.path().join("hostile-errors")).unwrap())
        .spawn();
    let mut hostile = hostile.unwrap();
    let run = honest(&cluster, &shown.client, keep.path(), TESTS).output();
    all_passed(&run.unwrap(), TESTS);
    let ended = hostile.wait().unwrap();
    let told = |name| fs::read_to_string(keep.path().join(name)).unwrap();
    let (said, errors) = (told("hostile"), told("hostile-errors"));
    assert!(ended.success(), "{said}\n{errors}");
    let made: Vec<&str> = said.lines().filter(|line| !line.ends_with(": 0")).collect();
    assert_eq!(made.len(), ATTACKS, "{said}");

    // What it left is given up in time.
    while descriptors(broker) > before.0 {
        std::thread::yield_now();
    }
    let more = resident_bytes(broker).saturating_sub(before.1);
    assert!(
        more <= MORE_BYTES_MAX,
        "the broker has {more} bytes more than before\n{said}"
    );
    let log = fs::read_to_string(&log).unwrap();
    assert!(log.contains("a client is at a limit"), "{log}");
    assert!(!log.lines().any(|line| line.starts_with("FORGED")), "{log}");
    assert!(!log.contains(['\x1b', '\u{202e}', '\u{2028}']), "{log}");
    let last = honest(&cluster, &shown.client, keep.path(), 20).output();
    all_passed(&last.unwrap(), 20);
}
