//! What one job may take of the machine, and what happens when the machine has no more.

use crate::feed;
use std::process::{Command, Output};

const RUN: &str = env!("CARGO_BIN_EXE_maelstrom-run");

fn run(arguments: &[&str]) -> Output {
    let directory = tempfile::tempdir().unwrap();
    let mut command = Command::new(RUN);
    command
        .args(arguments)
        .current_dir(directory.path())
        .env("XDG_CACHE_HOME", directory.path().join("cache"));
    feed::output(&mut command, "")
}

/// Wherever a job writes, it writes to memory of which there is so much.
#[test]
fn files_take_no_more_memory_than_they_may_and_the_limit_is_named() {
    for (options, place) in [
        (&[][..], "/tmp"),
        (&[], "/var/tmp"),
        (&[], "/dev/shm"),
        (&[], "$HOME"),
        (&[], "."),
        (&["--mount", "type=tmp,target=/mnt"], "/mnt"),
        (&["--writable"], "/srv"),
    ] {
        let fill = |size: &str| {
            let script = format!("head -c {size} /dev/zero > {place}/file");
            let limited = ["--scratch-memory", "8 MiB"];
            run(&[&limited, options, &["--", "sh", "-c", &script]].concat())
        };
        let output = fill("16777216");
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success(), "{place}");
        assert!(stderr.contains("No space left"), "{place}: {stderr}");
        assert!(stderr.contains("--scratch-memory"), "{place}: {stderr}");
        let output = fill("1048576");
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{place}: {stderr}");
        assert_eq!(stderr, "", "{place}");
    }
}

#[test]
fn many_small_files_are_limited_too() {
    let script = "i=0; while : >/tmp/$i; do i=$((i + 1)); done; exit 1";
    let output = run(&["--scratch-memory", "4 MiB", "--", "sh", "-c", script]);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(stderr.contains("--scratch-memory"), "{stderr}");
}

#[test]
fn countable_things_of_the_machine_have_limits() {
    let script = "cat /proc/sys/user/max_inotify_instances /proc/sys/user/max_inotify_watches; \
                  grep pending /proc/self/limits | tr -s ' ' | cut -d' ' -f4; grep -o 'devpts.*max=[0-9]*' /proc/mounts | grep -o '[0-9]*$'";
    let output = run(&["--", "sh", "-c", script]);
    let stdout = String::from_utf8(output.stdout).unwrap();
    let inside: Vec<u64> = stdout.lines().map(|line| line.parse().unwrap()).collect();
    let read = |path: &str| -> u64 {
        let text = std::fs::read_to_string(path).unwrap();
        text.trim().parse().unwrap()
    };
    let signals = nix::sys::resource::Resource::RLIMIT_SIGPENDING;
    let outside = [
        read("/proc/sys/user/max_inotify_instances"),
        read("/proc/sys/user/max_inotify_watches"),
        nix::sys::resource::getrlimit(signals).unwrap().0,
        read("/proc/sys/kernel/pty/max"),
    ];
    assert_eq!(inside.len(), outside.len(), "{stdout}");
    for (inside, outside) in inside.iter().zip(outside) {
        assert!(
            *inside > 0 && *inside <= outside / 2,
            "{inside} of {outside}"
        );
    }
}

/// `unshare` makes a user namespace in which limits can be lowered for what runs in it alone.
fn under(limit: &str, arguments: &str, input: &str) -> Output {
    let directory = tempfile::tempdir().unwrap();
    let mut command = Command::new("unshare");
    let script = format!("{limit} && exec {RUN} {arguments}");
    command
        .args(["--user", "--map-root-user", "sh", "-c", &script])
        .current_dir(directory.path())
        .env("XDG_CACHE_HOME", directory.path().join("cache"));
    feed::output(&mut command, input)
}

#[test]
fn jobs_wait_when_the_machine_has_no_more() {
    const JOBS: usize = 60;
    let job = r#"{"program": "sh", "arguments": ["-c", "echo done"], "parent": "default"}"#;
    let jobs = vec![job; JOBS].join("\n");
    for limit in [
        "echo 4 > /proc/sys/user/max_net_namespaces",
        "echo 4 > /proc/sys/user/max_pid_namespaces",
        "echo 5 > /proc/sys/user/max_user_namespaces",
        "echo 4 > /proc/sys/user/max_ipc_namespaces",
        "ulimit -n 48",
    ] {
        let output = under(limit, "--slots 12", &jobs);
        let stdout = String::from_utf8_lossy(&output.stdout);
        let done = stdout.matches("done").count();
        assert_eq!(done, JOBS, "{limit}: {output:?}");
        assert!(output.status.success(), "{limit}: {output:?}");
    }
}

#[test]
fn too_few_descriptors_are_an_error_and_no_panic() {
    let programs = [
        (RUN, "true"),
        (RUN, "--tty true"),
        (env!("CARGO_BIN_EXE_cargo-maelstrom"), "maelstrom"),
        (env!("CARGO_BIN_EXE_maelstrom-go-test"), ""),
        (env!("CARGO_BIN_EXE_maelstrom-pytest"), ""),
        (env!("CARGO_BIN_EXE_maelstrom-broker"), ""),
        (
            env!("CARGO_BIN_EXE_maelstrom-broker"),
            "status --broker 127.0.0.1:1",
        ),
        (
            env!("CARGO_BIN_EXE_maelstrom-worker"),
            "--broker 127.0.0.1:1",
        ),
    ];
    for (program, arguments) in programs {
        for files in [6, 12, 20] {
            let directory = tempfile::tempdir().unwrap();
            let mut command = Command::new("sh");
            let script = format!("ulimit -n {files}; exec {program} {arguments}");
            command
                .args(["-c", &script])
                .current_dir(directory.path())
                .env("XDG_CACHE_HOME", directory.path().join("cache"));
            let output = feed::output(&mut command, "");
            let stderr = String::from_utf8_lossy(&output.stderr);
            assert!(
                output.status.code().is_some_and(|code| code > 0),
                "{script}: {output:?}"
            );
            assert!(!stderr.contains("panicked"), "{script}: {stderr}");
        }
    }
}
