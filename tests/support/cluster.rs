//! A broker and its workers, as processes of this machine.
#![allow(dead_code)] // Each test binary uses its own part.

use std::io::{BufRead, BufReader, Read};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};

use tempfile::TempDir;

use crate::support::homes::Homes;

/// A program that is killed with this value.
pub struct Running {
    child: Child,
    /// What it has not said yet.
    pub said: BufReader<ChildStdout>,
}

impl Running {
    /// Starts a program, and waits for its first line.
    pub fn start(command: &mut Command) -> (Running, String) {
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut said = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        said.read_line(&mut line).unwrap();
        (Running { child, said }, line)
    }

    /// The process.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Kills it, without a word of warning.
    pub fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Waits until it has ended by itself; its exit code.
    pub fn wait(&mut self) -> Option<i32> {
        self.child.wait().unwrap().code()
    }

    /// Asks it to end, and waits until it has; its exit code.
    pub fn terminate(&mut self) -> Option<i32> {
        let id = nix::unistd::Pid::from_raw(i32::try_from(self.id()).unwrap());
        nix::sys::signal::kill(id, nix::sys::signal::Signal::SIGTERM).unwrap();
        self.child.wait().unwrap().code()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Its caller may have done so.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// A broker, and where its workers and clients keep what they need.
pub struct Cluster {
    directory: TempDir,
    homes: Homes,
    /// The broker.
    pub broker: Running,
    /// Host and port.
    pub address: String,
}

impl Cluster {
    /// A broker with these options besides.
    pub fn start(options: &[&str]) -> Cluster {
        Cluster::start_as(options, |command| command)
    }

    /// The same, started in another way.
    pub fn start_as(options: &[&str], way: impl Fn(Command) -> Command) -> Cluster {
        let directory = tempfile::tempdir().unwrap();
        let port = lasting_port().to_string();
        let mut command = way(broker(directory.path(), &port, options));
        let (broker, line) = Running::start(&mut command);
        let address = line.split_whitespace().nth(4).unwrap_or_default();
        let address = address.trim_end_matches(',').to_owned();
        assert!(address.starts_with("127.0.0.1:"), "{line}");
        Cluster {
            directory,
            homes: Homes::new(),
            broker,
            address,
        }
    }

    /// Kills the broker, and starts it again where it was.
    pub fn restart(&mut self, options: &[&str]) {
        self.broker.kill();
        self.broker = Running::start(&mut self.broker_command(options)).0;
    }

    /// Where the broker keeps what it has.
    pub fn broker_directory(&self) -> PathBuf {
        self.directory.path().join("broker")
    }

    /// The broker again, as it was started.
    pub fn broker_command(&self, options: &[&str]) -> Command {
        let (_, port) = self.address.rsplit_once(':').unwrap();
        broker(self.directory.path(), port, options)
    }

    /// A worker with two slots.
    pub fn worker(&self, name: &str) -> Running {
        let (worker, line) = Running::start(&mut self.worker_command(name));
        assert!(line.contains(name), "{line}");
        worker
    }

    /// How that is started.
    pub fn worker_command(&self, name: &str) -> Command {
        let cache = self.directory.path().join(format!("worker-{name}"));
        let mut command = Command::new(env!("CARGO_BIN_EXE_maelstrom-worker"));
        command
            .args(["--broker", &self.address, "--name", name, "--slots", "2"])
            .args(["--log-level", "error", "--cache-root"])
            .arg(cache);
        self.homes.tell(&mut command);
        command
    }

    /// A worker that is started with these options besides. It may not be let in.
    pub fn worker_with(&self, options: &[String]) -> Command {
        let mut command = self.worker_command("shown");
        command.args(options);
        command
    }

    /// A client's program that uses the cluster.
    pub fn client(&self, program: &str, project: &Path) -> Command {
        let mut command = Command::new(program);
        command
            .env("MAELSTROM_BROKER", &self.address)
            .current_dir(project)
            .stdin(Stdio::null());
        self.homes.tell(&mut command);
        command
    }
}

/// A free port that is nobody's by chance: one that the kernel chose could be another program's
/// while a broker is started again.
fn lasting_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let first = 10_000 + u16::try_from(std::process::id() % 20_000).unwrap();
    loop {
        let port = first + NEXT.fetch_add(1, Ordering::Relaxed);
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}

fn broker(directory: &Path, port: &str, options: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_maelstrom-broker"));
    command
        .args(["--port", port, "--log-level", "error", "--cache-root"])
        .arg(directory.join("broker"))
        .args(options);
    command
}

/// Of a job as `maelstrom-run` reads it: what lets it run on any worker.
pub const PORTABLE: &str = r#""parent": {"name": "default",
    "use": ["layers", "environment", "mounts", "user", "group"]}"#;

/// A job that reads an input of this content, run by a client in that directory.
pub fn reading_job(cluster: &Cluster, directory: &Path, content: &[u8]) -> Command {
    std::fs::write(directory.join("input"), content).unwrap();
    let job = format!(
        r#"{{"program": "/bin/cmp", "arguments": ["/input", "/input"], {PORTABLE},
        "added_layers": [{{"paths": ["input"], "prepend_prefix": "/"}}]}}"#
    );
    std::fs::write(directory.join("job.json"), job).unwrap();
    let mut command = cluster.client(env!("CARGO_BIN_EXE_maelstrom-run"), directory);
    command.args(["--no-tui", "--file", "job.json"]);
    command
}

/// A client that runs, line by line.
pub struct Client {
    running: Running,
    /// What it has said.
    pub lines: Vec<String>,
}

impl Client {
    /// Starts it.
    pub fn start(command: &mut Command) -> Client {
        let (running, line) = Running::start(command);
        Client {
            running,
            lines: vec![line.trim_end().to_owned()],
        }
    }

    /// Reads on until so many tests have passed.
    pub fn wait_for_passes(&mut self, count: usize) {
        while self.passes().len() < count {
            let mut line = String::new();
            let length = self.running.said.read_line(&mut line).unwrap();
            assert_ne!(length, 0, "it ended early:\n{}", self.lines.join("\n"));
            self.lines.push(line.trim_end().to_owned());
        }
    }

    /// The tests that have passed, as often as that was said, sorted.
    pub fn passes(&self) -> Vec<&str> {
        let passed = self.lines.iter().filter(|line| line.starts_with("PASS"));
        let mut names: Vec<&str> = passed
            .map(|line| line.rsplit(' ').next().unwrap())
            .collect();
        names.sort_unstable();
        names
    }

    /// Kills it.
    pub fn kill(mut self) {
        self.running.kill();
    }

    /// Reads to the end; its exit code.
    pub fn finish(&mut self) -> Option<i32> {
        let mut rest = String::new();
        self.running.said.read_to_string(&mut rest).unwrap();
        self.lines.extend(rest.lines().map(str::to_owned));
        self.running.child.wait().unwrap().code()
    }
}

/// A program whose cache is on a disk of its own, of so many bytes.
pub fn with_small_disk(command: &Command, bytes: u64) -> Command {
    let mut words = command.get_args();
    let cache = words.find(|word| *word == "--cache-root");
    let cache = cache.and(words.next()).expect("a cache").to_owned();
    std::fs::create_dir_all(&cache).unwrap();
    let mount = format!("mount -t tmpfs -o size={bytes} none \"$0\" && exec \"$@\"");
    let mut wrapped = Command::new("unshare");
    wrapped
        .args(["--user", "--map-root-user", "--mount", "sh", "-c", &mount])
        .arg(cache)
        .arg(command.get_program())
        .args(command.get_args());
    for (name, value) in command.get_envs() {
        wrapped.env(name, value.expect("a value"));
    }
    wrapped
}

/// What a team's broker, workers and clients are started with, so that they believe each other.
pub struct Credentials {
    /// Options of the broker.
    pub broker: Vec<String>,
    /// Of a worker.
    pub worker: Vec<String>,
    /// Of a client.
    pub client: Vec<String>,
}

/// Makes them in that directory, for a broker of these names.
pub fn credentials(directory: &Path, names: &[&str]) -> Credentials {
    let make = |what: &str, words: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_maelstrom-broker"));
        command.args(["credentials", what]).arg(directory);
        let output = command.args(words).output().unwrap();
        assert!(output.status.success(), "{output:?}");
    };
    let names: Vec<&str> = names.iter().flat_map(|name| ["--name", name]).collect();
    make("init", &names);
    for role in ["client", "worker"] {
        make("token", &["--role", role, "--name", role]);
    }
    let options = |files: &[(&str, &str)]| {
        let file = |name| directory.join(name).display().to_string();
        let pairs = files.iter();
        pairs
            .flat_map(|(option, name)| [(*option).to_owned(), file(name)])
            .collect()
    };
    let shown = |token| options(&[("--broker-ca", "ca.pem"), ("--broker-token-file", token)]);
    Credentials {
        broker: options(&[
            ("--tls-certificate", "broker.pem"),
            ("--tls-key", "broker.key"),
            ("--tokens", "tokens"),
        ]),
        worker: shown("worker.token"),
        client: shown("client.token"),
    }
}
