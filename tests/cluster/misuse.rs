//! A broker and a worker to whom something happens that should not: garbage, messages without end,
//! full disks. Each is told to whoever it concerns, and concerns nobody else.

use std::fs;
use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::path::Path;
use std::process::{Command, Output, Stdio};

use crate::cluster::{Cluster, Running, reading_job, with_small_disk};
use crate::support::files::noise;
use maelstrom_wire::v1::jobs_client::JobsClient;
use maelstrom_wire::v1::{ClientMessage, Hello, client_message};
use maelstrom_wire::versions::VERSIONS;

/// A job that reads an input of this size.
fn job(cluster: &Cluster, directory: &Path, bytes: usize) -> Command {
    reading_job(cluster, directory, &noise(bytes))
}

fn run(cluster: &Cluster, directory: &Path, bytes: usize) -> Output {
    job(cluster, directory, bytes).output().unwrap()
}

fn told(output: &Output) -> String {
    let streams = [output.stdout.as_slice(), &output.stderr].concat();
    String::from_utf8_lossy(&streams).into_owned()
}

fn descriptors(process: u32) -> usize {
    fs::read_dir(format!("/proc/{process}/fd")).unwrap().count()
}

/// Says this to the broker, and reads until it hangs up.
fn say(cluster: &Cluster, bytes: &[u8]) {
    let mut stream = TcpStream::connect(&cluster.address).unwrap();
    // It may hang up before it has read everything.
    let written = stream.write_all(bytes);
    drop(stream.shutdown(Shutdown::Write));
    let mut answer = Vec::new();
    for result in [written, stream.read_to_end(&mut answer).map(|_| ())] {
        if let Err(error) = result {
            let kinds = [
                ErrorKind::BrokenPipe,
                ErrorKind::ConnectionReset,
                ErrorKind::NotConnected,
            ];
            assert!(kinds.contains(&error.kind()), "{error}");
        }
    }
}

#[tokio::test]
async fn garbage_concerns_nobody_but_its_sender() {
    const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
    let cluster = Cluster::start(&[]);
    let _worker = cluster.worker("far");
    let directory = tempfile::tempdir().unwrap();
    let sound = run(&cluster, directory.path(), 1 << 10);
    assert!(sound.status.success(), "{}", told(&sound));
    let before = descriptors(cluster.broker.id());

    say(&cluster, b"GET / HTTP/1.1\r\nHost: broker\r\n\r\n");
    say(&cluster, &[0xff; 100_000]);
    // A frame that says it is as long as can be said, settings that are none, headers that are none.
    for frame in [
        [0xff, 0xff, 0xff, 0, 0, 0, 0, 0, 1],
        [0, 0, 5, 4, 0, 0, 0, 0, 0],
        [0, 0, 9, 1, 4, 0, 0, 0, 1],
    ] {
        say(&cluster, &[PREFACE, &frame, &[0xa5; 1000]].concat());
    }
    // A message that is far longer than any may be.
    let address = format!("http://{}", cluster.address);
    let mut client = JobsClient::connect(address).await.unwrap();
    let hello = Hello {
        versions: Some(VERSIONS.clone()),
        run: vec![7; 16].into(),
        name: "x".repeat(64 << 20),
        weight: 1,
        ..Hello::default()
    };
    let message = ClientMessage {
        kind: Some(client_message::Kind::Hello(hello)),
    };
    let ended = match client.session(tokio_stream::iter([message])).await {
        Ok(response) => response.into_inner().message().await.map(|_| ()),
        Err(status) => Err(status),
    };
    assert!(ended.is_err());
    drop(client);

    while descriptors(cluster.broker.id()) > before {}
    let sound = run(&cluster, directory.path(), 1 << 11);
    assert!(sound.status.success(), "{}", told(&sound));
}

#[test]
fn a_broker_with_a_full_disk_says_so_and_goes_on() {
    let cluster = Cluster::start_as(&[], |command| with_small_disk(&command, 16 << 20));
    let _worker = cluster.worker("far");
    let directory = tempfile::tempdir().unwrap();
    let refused = run(&cluster, directory.path(), 32 << 20);
    let text = told(&refused);
    assert_eq!(refused.status.code(), Some(1), "{text}");
    assert!(text.contains("No space left on device"), "{text}");
    assert!(text.contains("broker"), "{text}");
    let sound = run(&cluster, directory.path(), 1 << 10);
    assert!(sound.status.success(), "{}", told(&sound));
}

#[test]
fn a_worker_with_a_full_disk_takes_no_jobs_and_says_so() {
    let cluster = Cluster::start(&[]);
    let command = cluster.worker_command("small");
    let (_worker, _) = Running::start(&mut with_small_disk(&command, 16 << 20));
    let directory = tempfile::tempdir().unwrap();
    let mut waits = job(&cluster, directory.path(), 1 << 10);
    let mut waits = waits.stderr(Stdio::piped()).spawn().unwrap();
    let said = BufReader::new(waits.stderr.take().unwrap());
    let mut lines = said.lines().map(Result::unwrap);
    let told = lines.find(|line| line.contains("worker small takes no jobs"));
    let told = told.expect("a warning");
    assert!(told.contains("MiB left, and 256 MiB are wanted"), "{told}");
    // Another worker does what it can't.
    let _other = cluster.worker("large");
    assert!(waits.wait().unwrap().success());
}

/// The file of the broker that holds a content of this many bytes.
fn stored(cluster: &Cluster, bytes: u64) -> std::path::PathBuf {
    let command = cluster.broker_command(&[]);
    let mut words = command.get_args();
    let root = words.find(|word| *word == "--cache-root").and(words.next());
    let found = walkdir::WalkDir::new(root.unwrap())
        .into_iter()
        .map(Result::unwrap)
        .find(|entry| {
            entry
                .metadata()
                .is_ok_and(|of| of.is_file() && of.len() == bytes)
        });
    found.expect("the content is there").into_path()
}

#[test]
fn a_content_that_was_damaged_on_the_brokers_disk_is_uploaded_again() {
    const BYTES: usize = 100_003;
    let cluster = Cluster::start(&[]);
    let directory = tempfile::tempdir().unwrap();
    let first = cluster.worker("first");
    let sound = run(&cluster, directory.path(), BYTES);
    assert!(sound.status.success(), "{}", told(&sound));
    drop(first);
    // In two ways that a disk may have: other bytes, and none.
    for (name, damage) in [("second", true), ("third", false)] {
        let blob = stored(&cluster, BYTES as u64);
        fs::set_permissions(&blob, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
        match damage {
            true => fs::write(&blob, vec![0; BYTES]).unwrap(),
            false => fs::remove_file(&blob).unwrap(),
        }
        let worker = cluster.worker(name);
        let again = run(&cluster, directory.path(), BYTES);
        assert!(again.status.success(), "{name}: {}", told(&again));
        drop(worker);
    }
}
