//! What a host has that a test in a container must not see.

use std::fs;
use std::net::TcpListener;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixListener};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use nix::mqueue::{MQ_OFlag, MqAttr, mq_open, mq_unlink};
use nix::sys::stat::Mode;

/// What the host has for the tests to find. Goes away when dropped.
pub struct Traces {
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
    /// Prepares it. The name tells apart those that are there at the same time.
    pub fn plant(who: &str) -> Traces {
        let name = format!("maelstrom-hermeticity-{}-{who}", std::process::id());
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

    /// Tells the tests where to look.
    pub fn tell(&self, command: &mut Command) {
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
