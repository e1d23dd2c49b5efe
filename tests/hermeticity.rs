//! Hermeticity (invariant 5), tested and not assumed: the tests of `tests/fixtures/hermetic` try to see the host
//! and one another, and this test prepares what they would find.

mod support;

use std::fs;
use std::net::TcpListener;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use nix::mqueue::{MQ_OFlag, MqAttr, mq_open, mq_unlink};
use nix::sys::stat::Mode;
use support::EXECUTABLE;

const FIXTURE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/hermetic");

/// What the host has for the tests to find. Goes away when dropped.
struct Traces {
    port: TcpListener,
    _socket: UnixListener,
    tmp_file: tempfile::NamedTempFile,
    home_file: tempfile::NamedTempFile,
    process: Child,
    shm_id: String,
    shm_key: String,
    name: String,
}

/// A new System V shared memory segment: its id and its key.
fn shared_memory() -> (String, String) {
    let output = Command::new("ipcmk")
        .args(["--shmem", "16"])
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let id = text.trim().rsplit(' ').next().unwrap().to_owned();
    let table = fs::read_to_string("/proc/sysvipc/shm").unwrap();
    let mut rows = table
        .lines()
        .map(|line| line.split_whitespace().collect::<Vec<_>>());
    let row = rows.find(|row| row.get(1) == Some(&id.as_str())).unwrap();
    (id, row[0].to_owned())
}

impl Traces {
    fn plant(slots: &str) -> Traces {
        let name = format!("maelstrom-hermeticity-{}-{slots}", std::process::id());
        let address = SocketAddr::from_abstract_name(&name).unwrap();
        let home = std::env::var_os("HOME").map_or("/".into(), PathBuf::from);
        let queue = format!("/{name}");
        let mode = Mode::S_IRUSR | Mode::S_IWUSR;
        mq_open(
            queue.as_str(),
            MQ_OFlag::O_CREAT | MQ_OFlag::O_RDONLY,
            mode,
            Some(&MqAttr::new(0, 1, 64, 0)),
        )
        .unwrap();
        let (shm_id, shm_key) = shared_memory();
        Traces {
            port: TcpListener::bind("127.0.0.1:0").unwrap(),
            _socket: UnixListener::bind_addr(&address).unwrap(),
            tmp_file: tempfile::NamedTempFile::new_in("/tmp").unwrap(),
            home_file: tempfile::NamedTempFile::new_in(home).unwrap(),
            process: Command::new("sleep")
                .arg("1000")
                .stdin(Stdio::null())
                .spawn()
                .unwrap(),
            shm_id,
            shm_key,
            name,
        }
    }

    fn tell(&self, command: &mut Command) {
        let hostname = fs::read_to_string("/proc/sys/kernel/hostname").unwrap();
        command
            .env(
                "HOST_PORT",
                self.port.local_addr().unwrap().port().to_string(),
            )
            .env("HOST_ABSTRACT_NAME", &self.name)
            .env("HOST_TMP_FILE", self.tmp_file.path())
            .env("HOST_HOME_FILE", self.home_file.path())
            .env("HOST_PID", self.process.id().to_string())
            .env("HOST_SHM_KEY", &self.shm_key)
            .env("HOST_QUEUE", format!("/{}", self.name))
            .env("HOST_NAME", hostname.trim())
            .env("TMPDIR", "/tmp")
            .env("SSH_AUTH_SOCK", "/tmp/agent")
            .env("XDG_RUNTIME_DIR", "/run/user/0");
    }
}

impl Drop for Traces {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
        let _ = Command::new("ipcrm")
            .args(["--shmem-id", &self.shm_id])
            .status();
        let _ = mq_unlink(format!("/{}", self.name).as_str());
    }
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap().map(Result::unwrap) {
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

/// Every file below a directory with its content, without the build's own.
fn tree(directory: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut files: Vec<_> = walkdir::WalkDir::new(directory)
        .into_iter()
        .filter_entry(|entry| entry.file_name() != "target")
        .map(Result::unwrap)
        .filter(|entry| entry.file_type().is_file())
        .map(|entry| (entry.path().to_owned(), fs::read(entry.path()).unwrap()))
        .collect();
    files.sort();
    files
}

fn run_with(slots: &str) {
    let project = tempfile::tempdir().unwrap();
    copy(Path::new(FIXTURE), project.path());
    let traces = Traces::plant(slots);
    let mut command = Command::new(EXECUTABLE);
    command
        .args(["--no-tui", "--repeat", "3", "--slots", slots])
        .current_dir(project.path());
    traces.tell(&mut command);
    // Its lock file is made by the first build.
    let lock = Command::new("cargo")
        .arg("generate-lockfile")
        .current_dir(project.path())
        .status();
    assert!(lock.unwrap().success());
    let before = tree(project.path());
    let tests = before
        .iter()
        .find(|(path, _)| path.ends_with("src/lib.rs"))
        .map(|(_, source)| String::from_utf8_lossy(source).matches("#[test]").count())
        .unwrap();
    // The second run has a history of the first.
    for _ in 0..2 {
        let output = command.output().unwrap();
        let text = String::from_utf8_lossy(&output.stdout);
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{text}\n{errors}");
        assert!(text.contains(&format!("{tests} passed")), "{text}");
    }
    assert!(project.path().join("target/maelstrom/state").exists());
    assert_eq!(tree(project.path()), before);
}

#[test]
fn tests_that_follow_one_another_in_one_slot_see_nothing_of_each_other_or_the_host() {
    run_with("1");
}

#[test]
fn tests_that_run_side_by_side_see_nothing_of_each_other_or_the_host() {
    run_with("4");
}
