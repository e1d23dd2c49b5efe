//! A broker as whoever operates it sees it: status, drain, stop, metrics, health, and what it tells
//! systemd. Each test has a broker process of its own.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Lines, Read, Write};
use std::net::TcpStream;
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::process::{Child, ChildStdout, Command, ExitStatus, Output, Stdio};

use maelstrom_wire::v1::workers_client::WorkersClient;
use maelstrom_wire::v1::{Register, WorkerMessage, worker_message, worker_order};
use maelstrom_wire::versions::VERSIONS;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tempfile::TempDir;
use tokio_stream::wrappers::UnboundedReceiverStream;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;

const PROGRAM: &str = env!("CARGO_BIN_EXE_maelstrom-broker");
const WORKER: &str = env!("CARGO_BIN_EXE_maelstrom-worker");
const RUN: &str = env!("CARGO_BIN_EXE_maelstrom-run");

struct Broker {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
    address: String,
    _cache: TempDir,
}

impl Drop for Broker {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

impl Broker {
    fn start(arguments: &[&str]) -> Broker {
        Broker::start_with(arguments, |command| command)
    }

    fn start_with(arguments: &[&str], how: impl FnOnce(&mut Command) -> &mut Command) -> Broker {
        let cache = tempfile::tempdir().unwrap();
        let mut command = program();
        command.args(["--config-file=-", "--port=0", "--cache-root"]);
        command.arg(cache.path()).args(arguments);
        let command = how(&mut command).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let first = lines.next().unwrap().unwrap();
        let address = first.split_once(" listens on ").unwrap().1;
        let address = address.split_once(',').unwrap().0.to_owned();
        Broker {
            child,
            lines,
            address,
            _cache: cache,
        }
    }

    /// Where it tells its figures: on its second line.
    fn http(&mut self) -> String {
        let second = self.lines.next().unwrap().unwrap();
        second.split_once("http://").unwrap().1.to_owned()
    }

    fn operate(&self, arguments: &[&str]) -> Output {
        let mut command = program();
        let command = command
            .args(arguments)
            .env("MAELSTROM_BROKER", &self.address);
        command.output().unwrap()
    }

    fn ended(mut self) -> ExitStatus {
        self.child.wait().unwrap()
    }
}

fn program() -> Command {
    command(PROGRAM)
}

fn command(program: &str) -> Command {
    let mut command = Command::new(program);
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("MAELSTROM_") {
            command.env_remove(name);
        }
    }
    command
        .env_remove("NOTIFY_SOCKET")
        .env_remove("WATCHDOG_USEC");
    command
}

/// What a service tells systemd next.
fn heard(socket: &UnixDatagram) -> String {
    let mut buffer = [0; 256];
    let count = socket.recv(&mut buffer).unwrap();
    let text = String::from_utf8(buffer[..count].to_vec()).unwrap();
    text.trim_end().to_owned()
}

fn terminate(child: &Child) {
    let pid = Pid::from_raw(i32::try_from(child.id()).unwrap());
    kill(pid, Signal::SIGTERM).unwrap();
}

fn said(output: &Output) -> (Option<i32>, String, String) {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    let (stdout, stderr) = (text(&output.stdout), text(&output.stderr));
    (output.status.code(), stdout, stderr)
}

/// The status line's code and the body.
fn get(address: &str, path: &str) -> (String, String) {
    let mut stream = TcpStream::connect(address).unwrap();
    write!(stream, "GET {path} HTTP/1.0\r\nHost: broker\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let code = head.split(' ').nth(1).unwrap();
    (code.to_owned(), body.to_owned())
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
}

#[test]
fn status_and_stop() {
    let broker = Broker::start(&[]);
    let (code, stdout, stderr) = said(&broker.operate(&["status"]));
    assert_eq!((code, stderr.as_str()), (Some(0), ""));
    let mut lines = stdout.lines();
    assert_eq!(lines.next(), Some("Number of workers: 0"));
    assert_eq!(lines.next(), Some("Number of clients: 0"));

    let (code, stdout, _) = said(&broker.operate(&["status", "--json"]));
    let json: serde_json::Value = serde_json::from_str(&stdout).unwrap();
    assert_eq!((code, &json["queued"]), (Some(0), &0.into()));

    let (code, stdout, _) = said(&broker.operate(&["drain"]));
    assert_eq!(
        (code, stdout.as_str()),
        (Some(0), "no worker is connected\n")
    );
    let (code, _, stderr) = said(&broker.operate(&["drain", "w9"]));
    assert_eq!(code, Some(2));
    assert!(
        stderr.contains("w9") && stderr.contains("status"),
        "{stderr}"
    );

    let (code, _, stderr) = said(&broker.operate(&["status", "--watch"]));
    assert_eq!(code, Some(2));
    assert!(stderr.contains("terminal"), "{stderr}");

    let (code, stdout, stderr) = said(&broker.operate(&["stop"]));
    assert_eq!(code, Some(0), "{stderr}");
    assert!(stdout.contains("the broker ends"), "{stdout}");
    let address = broker.address.clone();
    assert_eq!(broker.ended().code(), Some(0));

    let gone = program()
        .args(["status", "--broker", &address])
        .output()
        .unwrap();
    let (code, _, stderr) = said(&gone);
    assert_eq!(code, Some(125));
    assert!(stderr.contains(&address), "{stderr}");
    assert!(stderr.contains("see whether maelstrom-broker runs there"));
}

#[test]
fn without_an_address_there_is_nobody_to_ask() {
    let (code, _, stderr) = said(&program().arg("status").output().unwrap());
    assert_eq!(code, Some(2));
    assert!(stderr.contains("MAELSTROM_BROKER"), "{stderr}");
}

#[test]
fn metrics_and_health() {
    let mut broker = Broker::start(&["--http-port=0"]);
    let http = broker.http();
    let (code, metrics) = get(&http, "/metrics");
    assert_eq!(code, "200");
    for line in [
        "maelstrom_ready 1.0",
        "maelstrom_workers{state=\"online\"} 0.0",
    ] {
        assert!(metrics.lines().any(|it| it == line), "{line}: {metrics}");
    }
    assert!(metrics.ends_with("# EOF\n"));
    assert_eq!(
        get(&http, "/healthz"),
        ("200".to_owned(), "alive\n".to_owned())
    );
    assert_eq!(
        get(&http, "/readyz"),
        ("200".to_owned(), "ready\n".to_owned())
    );
    assert_eq!(get(&http, "/").0, "404");

    let health = runtime().block_on(async {
        let address = format!("http://{}", broker.address);
        let channel = tonic::transport::Endpoint::from_shared(address).unwrap();
        let mut client = HealthClient::new(channel.connect().await.unwrap());
        let request = HealthCheckRequest::default();
        client.check(request).await.unwrap().into_inner().status()
    });
    assert_eq!(health, ServingStatus::Serving);
}

#[test]
fn a_port_that_is_taken_is_told_with_its_option() {
    let broker = Broker::start(&[]);
    let port = broker.address.rsplit(':').next().unwrap().to_owned();
    let cache = tempfile::tempdir().unwrap();
    for option in ["--port", "--http-port"] {
        let mut command = program();
        command.args(["--config-file=-", option, &port, "--cache-root"]);
        let (code, _, stderr) = said(&command.arg(cache.path()).output().unwrap());
        assert_eq!(code, Some(125));
        assert!(stderr.contains(&format!("`{option}`")), "{stderr}");
    }
}

#[test]
fn a_drained_worker_is_told_and_shown() {
    let mut broker = Broker::start(&["--http-port=0"]);
    let http = broker.http();
    runtime().block_on(async {
        let address = format!("http://{}", broker.address);
        let mut workers = WorkersClient::connect(address).await.unwrap();
        let (sender, messages) = tokio::sync::mpsc::unbounded_channel();
        let register = Register {
            versions: Some(VERSIONS.clone()),
            instance: vec![7; 16].into(),
            name: "lathe".to_owned(),
            architecture: std::env::consts::ARCH.to_owned(),
            slots: 3,
            held: Vec::new(),
        };
        let kind = Some(worker_message::Kind::Register(register));
        sender.send(WorkerMessage { kind }).unwrap();
        let orders = workers.work(UnboundedReceiverStream::new(messages)).await;
        let mut orders = orders.unwrap().into_inner();
        let first = orders.message().await.unwrap().unwrap().kind.unwrap();
        assert!(matches!(first, worker_order::Kind::Registered(_)));

        let (_, stdout, _) = said(&broker.operate(&["status"]));
        assert!(stdout.starts_with("Number of workers: 1\n"), "{stdout}");
        let row = stdout.lines().find(|line| line.starts_with("lathe"));
        assert!(row.unwrap().contains("online"), "{stdout}");

        let (code, stdout, _) = said(&broker.operate(&["drain", "lathe"]));
        assert_eq!(code, Some(0));
        assert!(stdout.starts_with("lathe finishes"), "{stdout}");
        let second = orders.message().await.unwrap().unwrap().kind.unwrap();
        assert!(matches!(second, worker_order::Kind::Drain(_)));
        let (_, metrics) = get(&http, "/metrics");
        assert!(metrics.contains("maelstrom_workers{state=\"draining\"} 1.0"));
        assert!(metrics.contains("\nmaelstrom_slots 0.0\n"), "{metrics}");
    });
}

#[test]
fn systemd_hears_of_the_beginning_and_the_end() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("notify");
    let socket = UnixDatagram::bind(&path).unwrap();
    let broker = Broker::start_with(&[], |command| command.env("NOTIFY_SOCKET", &path));
    assert_eq!(heard(&socket), "READY=1");
    terminate(&broker.child);
    assert_eq!(heard(&socket), "STOPPING=1");
    assert_eq!(broker.ended().code(), Some(0));
}

/// The lines of a log with this message: each an object.
fn told(log: &Path, message: &str) -> Vec<serde_json::Value> {
    let text = fs::read_to_string(log).unwrap();
    let lines = text.lines().map(|line| serde_json::from_str(line).unwrap());
    let is_this = |line: &serde_json::Value| line["message"] == message;
    lines.filter(is_this).collect()
}

#[test]
fn logs_for_other_programs_name_runs_and_jobs() {
    let directory = tempfile::tempdir().unwrap();
    let [brokers, workers] = ["broker.log", "worker.log"].map(|name| directory.path().join(name));
    let log = ["--log-format=json", "--log-level=debug"];
    let broker = Broker::start_with(&log, |command| {
        command.stderr(File::create(&brokers).unwrap())
    });
    let mut worker = command(WORKER)
        .args(["--config-file=-", "--slots=1", "--broker", &broker.address])
        .arg("--cache-root")
        .arg(directory.path().join("cache"))
        .args(log)
        .stdout(Stdio::null())
        .stderr(File::create(&workers).unwrap())
        .spawn()
        .unwrap();
    let job = directory.path().join("job.json");
    let uses = r#"["layers", "environment", "mounts", "user", "group"]"#;
    let parent = format!(r#"{{"name": "default", "use": {uses}}}"#);
    let text = format!(r#"{{"program": "/bin/true", "parent": {parent}}}"#);
    fs::write(&job, text).unwrap();
    let output = command(RUN)
        .args(["--config-file=-", "--ui=quiet", "--broker", &broker.address])
        .arg("--cache-root")
        .arg(directory.path().join("client"))
        .arg("--file")
        .arg(&job)
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    terminate(&worker);
    assert_eq!(worker.wait().unwrap().code(), Some(0));
    terminate(&broker.child);
    assert_eq!(broker.ended().code(), Some(0));
    let leased = told(&brokers, "a job is leased");
    let started = told(&workers, "a job starts");
    assert_eq!((leased.len(), started.len()), (1, 1));
    for field in ["run", "job"] {
        let name = leased[0][field].as_str().unwrap();
        assert_eq!(started[0][field], name);
    }
}

#[test]
fn systemd_hears_that_a_worker_is_up_and_answers() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("notify");
    let socket = UnixDatagram::bind(&path).unwrap();
    let broker = Broker::start(&[]);
    let mut worker = command(WORKER)
        .args(["--config-file=-", "--slots=1", "--broker", &broker.address])
        .arg("--cache-root")
        .arg(directory.path().join("cache"))
        .env("NOTIFY_SOCKET", &path)
        // Twice in this time it says so, for the first time at once.
        .env("WATCHDOG_USEC", "60000000")
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let mut first = [heard(&socket), heard(&socket)];
    first.sort();
    assert_eq!(first, ["READY=1", "WATCHDOG=1"]);
    terminate(&worker);
    assert_eq!(heard(&socket), "STOPPING=1");
    assert_eq!(worker.wait().unwrap().code(), Some(0));
}

/// Under this limit of open files, which a shell sets.
fn limited(limit: &str, program: &str, arguments: &[&str]) -> Command {
    let mut shell = command("sh");
    let script = format!("ulimit {limit} && exec \"$0\" \"$@\"");
    shell.args(["-c", &script, program]).args(arguments);
    shell
}

#[test]
fn too_few_open_files_are_told_before_anything_begins() {
    let cache = tempfile::tempdir().unwrap();
    let cache = cache.path().display().to_string();
    let common = ["--config-file=-", "--cache-root", &cache];
    let worker = [&common[..], &["--slots=2", "--broker=localhost:1"]].concat();
    for (program, arguments, needed) in [(PROGRAM, &common[..], "4096"), (WORKER, &worker, "544")] {
        let output = limited("-n 256", program, arguments).output().unwrap();
        let (code, _, stderr) = said(&output);
        assert_eq!(code, Some(125), "{stderr}");
        assert!(
            stderr.contains("the limit of open files is 256"),
            "{stderr}"
        );
        assert!(
            stderr.contains(&format!("`ulimit -n {needed}`")),
            "{stderr}"
        );
    }
}

#[test]
fn the_soft_limit_of_open_files_is_raised() {
    let cache = tempfile::tempdir().unwrap();
    let cache = cache.path().display().to_string();
    let mut shell = limited(
        "-Sn 256",
        PROGRAM,
        &["--config-file=-", "--cache-root", &cache],
    );
    let mut child = shell.stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    assert!(lines.next().unwrap().unwrap().contains(" listens on "));
    let limits = std::fs::read_to_string(format!("/proc/{}/limits", child.id())).unwrap();
    let files = limits
        .lines()
        .find(|line| line.starts_with("Max open files"));
    assert!(files.unwrap().contains(" 4096 "), "{limits}");
    terminate(&child);
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

/// They are about being a broker.
#[test]
fn a_brokers_own_values_do_not_concern_its_commands() {
    let broker = Broker::start(&[]);
    let mut status = program();
    let output = status
        .args(["status", "--broker", &broker.address])
        .env("MAELSTROM_BROKER_PORT", "4000")
        .env("MAELSTROM_CACHE_SIZE", "nonsense")
        .output()
        .unwrap();
    let (code, _, stderr) = said(&output);
    assert_eq!(code, Some(0), "{stderr}");
}
