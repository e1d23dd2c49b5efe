//! The examples of clients, with a real broker and a real worker: what the documentation of the API
//! shows is true. Needs Python 3.11 with grpcio-tools, and a static busybox.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use crate::cluster::{Cluster, Running};
use tempfile::TempDir;

const PROJECT: &str = env!("CARGO_MANIFEST_DIR");

/// Says something on both streams, reads a file that does not fit into one message, and fails.
const SCRIPT: &str = "echo hello; echo oops >&2; wc -c < /large; cat /etc/greeting; exit 7";

/// What a container holds.
fn root() -> TempDir {
    let root = tempfile::tempdir().unwrap();
    let at = |path: &str| root.path().join(path);
    fs::create_dir_all(at("bin")).unwrap();
    fs::create_dir_all(at("etc")).unwrap();
    fs::copy("/bin/busybox", at("bin/busybox")).unwrap();
    for name in ["sh", "sleep", "wc", "cat"] {
        symlink("busybox", at("bin").join(name)).unwrap();
    }
    fs::write(at("etc/greeting"), "greetings\n").unwrap();
    fs::write(at("large"), vec![b'x'; 5_000_000]).unwrap();
    root
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

fn check(output: &Output) {
    let (stdout, stderr) = (text(&output.stdout), text(&output.stderr));
    assert_eq!(output.status.code(), Some(7), "{stdout}\n{stderr}");
    assert_eq!(stdout, "hello\n5000000\ngreetings\n", "{stderr}");
    assert!(stderr.lines().any(|line| line == "oops"), "{stderr}");
}

/// The example's executable, built with everything else that `cargo test` builds: with less selected
/// the features of dependencies differ, and all of them would be built once more.
fn submit() -> PathBuf {
    let mut build = Command::new(env!("CARGO"));
    build
        .args(["test", "--quiet", "--no-run", "--message-format=json"])
        .current_dir(PROJECT);
    // Build scripts run again when what cargo tells a test of its package is in their environment.
    for (name, _) in std::env::vars_os() {
        let name = name.to_string_lossy();
        if name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_") {
            build.env_remove(&*name);
        }
    }
    let output = build.output().unwrap();
    assert!(output.status.success(), "{}", text(&output.stderr));
    let messages = text(&output.stdout);
    let executable = messages.lines().find_map(|line| {
        let message: serde_json::Value = serde_json::from_str(line).unwrap();
        let is_example = message["target"]["name"] == "submit";
        message["executable"]
            .as_str()
            .filter(|_| is_example)
            .map(PathBuf::from)
    });
    executable.unwrap()
}

#[test]
#[ignore = "needs a static busybox"]
fn the_rust_example_runs_a_program() {
    let cluster = Cluster::start(&[]);
    let _worker = cluster.worker("far");
    let root = root();
    let mut example = Command::new(submit());
    let output = example
        .arg(&cluster.address)
        .arg(root.path())
        .args(["/bin/sh", "-c", SCRIPT])
        .output();
    check(&output.unwrap());
}

/// What protoc makes for Python.
fn generated(directory: &Path) {
    let files = |directory: &str| {
        let entries = fs::read_dir(Path::new(PROJECT).join(directory)).unwrap();
        entries.map(|entry| entry.unwrap().path())
    };
    let mut compile = Command::new("python3");
    compile
        .args(["-m", "grpc_tools.protoc"])
        .arg(format!("-I{PROJECT}/proto"))
        .arg(format!("-I{PROJECT}/examples/python/proto"))
        .arg(format!("--python_out={}", directory.display()))
        .arg(format!("--grpc_python_out={}", directory.display()))
        .args(files("proto/maelstrom/v1"))
        .args(files("examples/python/proto"));
    let output = compile.output().unwrap();
    assert!(output.status.success(), "{}", text(&output.stderr));
}

fn credentials(words: &[&str], directory: &Path) {
    let mut make = Command::new(env!("CARGO_BIN_EXE_maelstrom-broker"));
    let (first, rest) = words.split_first().unwrap();
    make.args(["credentials", first]).arg(directory).args(rest);
    assert!(make.output().unwrap().status.success());
}

/// With TLS and tokens, as between machines.
#[test]
#[ignore = "needs Python with grpcio-tools, and a static busybox"]
fn the_python_example_runs_a_program_and_cancels_another() {
    let keep = tempfile::tempdir().unwrap();
    let team = keep.path().join("team");
    credentials(&["init", "--name", "127.0.0.1"], &team);
    credentials(&["token", "--role", "worker", "--name", "far"], &team);
    credentials(&["token", "--role", "client", "--name", "ann"], &team);
    let file = |name: &str| team.join(name).display().to_string();
    let (certificate, key, tokens) = (file("broker.pem"), file("broker.key"), file("tokens"));
    let cluster = Cluster::start(&[
        "--tls-certificate",
        &certificate,
        "--tls-key",
        &key,
        "--tokens",
        &tokens,
    ]);
    let authority = team.join("ca.pem");
    let shown = [
        "--broker-ca",
        &file("ca.pem"),
        "--broker-token-file",
        &file("far.token"),
    ];
    let (_worker, _) = Running::start(&mut cluster.worker_with(&shown.map(str::to_owned)));

    let modules = keep.path().join("generated");
    fs::create_dir(&modules).unwrap();
    generated(&modules);
    let root = root();
    let example = |token: &str| {
        let mut example = Command::new("python3");
        example
            .arg("examples/python/client.py")
            .env("GENERATED", &modules)
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .arg("--ca")
            .arg(&authority)
            .arg("--token-file")
            .arg(team.join(token))
            .arg(&cluster.address)
            .arg(root.path())
            .args(["/bin/sh", "-c", SCRIPT])
            .current_dir(PROJECT);
        example.output().unwrap()
    };
    let output = example("ann.token");
    check(&output);
    let stderr = text(&output.stderr);
    for line in ["/bin/sh: exit code 7", "sleep: it was cancelled"] {
        assert!(stderr.lines().any(|it| it == line), "{line}: {stderr}");
    }
    assert!(stderr.contains(" slots of "), "{stderr}");

    let refused = example("far.token");
    assert_eq!(refused.status.code(), Some(1));
    let stderr = text(&refused.stderr);
    assert!(stderr.contains("PERMISSION_DENIED"), "{stderr}");
}
