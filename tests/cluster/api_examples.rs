//! The examples of clients, with a real broker and a real worker: what the documentation of the API
//! shows is true. Needs Python 3.11 with grpcio-tools, and a static busybox.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, symlink};
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

/// What cargo makes of this target.
fn executable(name: &str, build: &mut Command) -> PathBuf {
    build.arg("--quiet").arg("--message-format=json");
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
        let is_wanted = message["target"]["name"] == name;
        message["executable"]
            .as_str()
            .filter(|_| is_wanted)
            .map(PathBuf::from)
    });
    executable.unwrap()
}

/// The example's executable, built with everything else that `cargo test` builds: with less selected
/// the features of dependencies differ, and all of them would be built once more.
fn submit() -> PathBuf {
    let mut build = Command::new(env!("CARGO"));
    build.args(["test", "--no-run"]).current_dir(PROJECT);
    executable("submit", &mut build)
}

/// The first block of this language in the documentation of the API.
fn documented(language: &str) -> String {
    let page = fs::read_to_string(Path::new(PROJECT).join("docs/api.md")).unwrap();
    let (_, block) = page.split_once(&format!("```{language}\n")).unwrap();
    block.split_once("```\n").unwrap().0.to_owned()
}

/// A text with these parts replaced. Each must be there.
fn replaced(text: &str, parts: &[(&str, &str)]) -> String {
    parts.iter().fold(text.to_owned(), |text, (old, new)| {
        assert!(text.contains(old), "{old} in {text}");
        text.replace(old, new)
    })
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

/// The page's own example, in a project outside of this repository that has the dependencies of the
/// page and no others.
#[test]
#[ignore = "needs a static busybox"]
fn the_documented_example_needs_only_the_client() {
    let keep = tempfile::tempdir().unwrap();
    let team = keep.path().join("team");
    let cluster = secured(&team);
    let (_worker, _) = Running::start(&mut cluster.worker_with(&worker_credentials(&team)));

    let image = root();
    let check = image.path().join("bin/check");
    fs::write(&check, "#!/bin/sh\necho \"checks $1\"; cat \"$1\"\n").unwrap();
    fs::set_permissions(&check, Permissions::from_mode(0o755)).unwrap();
    fs::create_dir(image.path().join("work")).unwrap();
    fs::create_dir(keep.path().join("src")).unwrap();
    for name in ["one", "two", "three"] {
        fs::write(keep.path().join("src").join(name), "sound\n").unwrap();
    }

    let client = format!("{PROJECT}/src/engine/client");
    let dependencies = replaced(
        &documented("toml"),
        &[("../maelstrom/src/engine/client", &client)],
    );
    let package = "[package]\nname = \"checker\"\nversion = \"1.0.0\"\nedition = \"2024\"\n";
    let manifest = format!("{package}{dependencies}[workspace]\n");
    fs::write(keep.path().join("Cargo.toml"), manifest).unwrap();
    let main = replaced(
        &documented("rust,no_run"),
        &[
            ("build.example:4000", &cluster.address),
            ("/srv/images/checker", &image.path().display().to_string()),
        ],
    );
    fs::write(keep.path().join("src/main.rs"), main).unwrap();
    // What is downloaded for this repository is enough.
    let lock = Path::new(PROJECT).join("Cargo.lock");
    fs::copy(lock, keep.path().join("Cargo.lock")).unwrap();
    let mut build = Command::new(env!("CARGO"));
    build
        .env("CARGO_PROFILE_DEV_DEBUG", "0")
        .args(["build", "--offline", "--target-dir"])
        .arg(concat!(env!("CARGO_TARGET_TMPDIR"), "/documented"))
        .current_dir(keep.path());
    let program = executable("checker", &mut build);

    let run = || {
        let mut program = Command::new(&program);
        program.current_dir(keep.path()).output().unwrap()
    };
    let output = run();
    let (stdout, stderr) = (text(&output.stdout), text(&output.stderr));
    assert!(output.status.success(), "{stdout}\n{stderr}");
    let mut lines: Vec<&str> = stdout.lines().collect();
    lines.sort_unstable();
    let checks = ["one", "two", "three"].map(|name| format!("checks /work/{name}"));
    let mut expected: Vec<&str> = checks.iter().map(String::as_str).collect();
    expected.extend(["2 slots", "sound", "sound", "sound"]);
    expected.sort_unstable();
    assert_eq!(lines, expected, "{stderr}");

    // A failure is reported, and the example still ends.
    fs::remove_file(keep.path().join("src/one")).unwrap();
    let output = run();
    let (stdout, stderr) = (text(&output.stdout), text(&output.stderr));
    assert!(output.status.success(), "{stdout}\n{stderr}");
    assert!(stdout.contains("0: Exited(Code(1))"), "{stdout}");
}

/// A broker that asks for credentials: those of the worker `far` and the client `ann`, which this
/// makes in the directory.
fn secured(team: &Path) -> Cluster {
    credentials(&["init", "--name", "127.0.0.1"], team);
    credentials(&["token", "--role", "worker", "--name", "far"], team);
    credentials(&["token", "--role", "client", "--name", "ann"], team);
    let file = |name: &str| team.join(name).display().to_string();
    Cluster::start(&[
        "--tls-certificate",
        &file("broker.pem"),
        "--tls-key",
        &file("broker.key"),
        "--tokens",
        &file("tokens"),
    ])
}

/// The options of a worker of such a broker.
fn worker_credentials(team: &Path) -> [String; 4] {
    let file = |name: &str| team.join(name).display().to_string();
    [
        "--broker-ca".to_owned(),
        file("ca.pem"),
        "--broker-token-file".to_owned(),
        file("far.token"),
    ]
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
    let cluster = secured(&team);
    let authority = team.join("ca.pem");
    let (_worker, _) = Running::start(&mut cluster.worker_with(&worker_credentials(&team)));

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
