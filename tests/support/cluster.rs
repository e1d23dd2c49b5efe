//! A broker and its workers, as processes of this machine.

use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};

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
        let directory = tempfile::tempdir().unwrap();
        let (broker, line) = broker(directory.path(), "0", options);
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
        let (_, port) = self.address.rsplit_once(':').unwrap();
        self.broker = broker(self.directory.path(), port, options).0;
    }

    /// A worker with two slots.
    pub fn worker(&self, name: &str) -> Running {
        let cache = self.directory.path().join(format!("worker-{name}"));
        let mut command = Command::new(env!("CARGO_BIN_EXE_maelstrom-worker"));
        command
            .args(["--broker", &self.address, "--name", name, "--slots", "2"])
            .args(["--log-level", "error", "--cache-root"])
            .arg(cache);
        self.homes.tell(&mut command);
        let (worker, line) = Running::start(&mut command);
        assert!(line.contains(name), "{line}");
        worker
    }

    /// A worker that shows this token to a broker with this authority. It may not be let in.
    pub fn worker_with(&self, authority: &Path, token: &Path) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_maelstrom-worker"));
        command
            .args(["--broker", &self.address, "--name", "shown", "--slots", "2"])
            .arg("--broker-ca")
            .arg(authority)
            .arg("--broker-token-file")
            .arg(token)
            .arg("--cache-root")
            .arg(self.directory.path().join("worker-shown"));
        self.homes.tell(&mut command);
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

fn broker(directory: &Path, port: &str, options: &[&str]) -> (Running, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_maelstrom-broker"));
    command
        .args(["--port", port, "--log-level", "error", "--cache-root"])
        .arg(directory.join("broker"))
        .args(options);
    Running::start(&mut command)
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
