//! The same run on a cluster: a real broker, real workers, real containers.

use crate::cluster;
use std::fmt::Write;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use crate::cluster::{Client, Cluster, PORTABLE};
use crate::support::EXECUTABLE;
use crate::support::crates::built;
use maelstrom_wire::v1::workers_client::WorkersClient;
use maelstrom_wire::v1::{self, worker_message, worker_order};
use maelstrom_wire::versions::VERSIONS;
use tempfile::TempDir;
use tokio::sync::mpsc::unbounded_channel;
use tokio_stream::wrappers::UnboundedReceiverStream;

const RUN: &str = env!("CARGO_BIN_EXE_maelstrom-run");

/// Leases that are soon lost, so that nobody waits long for a worker that was killed.
const SHORT_LEASES: [&str; 4] = ["--lease", "4", "--heartbeat", "1"];

/// A crate of tests that pass, each after it has read and written files.
fn many(count: usize) -> TempDir {
    let mut source = String::new();
    for number in 0..count {
        writeln!(
            source,
            "#[test] fn t{number:03}() {{ std::fs::write(\"/tmp/x\", \"y\").unwrap(); \
             for _ in 0..20 {{ assert!(std::fs::read(\"src/lib.rs\").is_ok()); }} }}"
        )
        .unwrap();
    }
    built(&source)
}

fn tests(cluster: &Cluster, project: &Path) -> Command {
    let mut command = cluster.client(EXECUTABLE, project);
    command.args(["--no-tui", "--offline"]);
    command
}

fn names(count: usize) -> Vec<String> {
    (0..count).map(|number| format!("t{number:03}")).collect()
}

/// What a run said, without times and what depends on the order.
fn outcomes(command: &mut Command) -> (Vec<String>, Option<i32>) {
    let output = command.output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let mut lines: Vec<String> = text
        .lines()
        .filter(|line| {
            ["PASS", "FAIL", "IGNORE"]
                .iter()
                .any(|word| line.starts_with(word))
        })
        .map(|line| {
            let words: Vec<&str> = line.split_whitespace().collect();
            format!("{} {}", words[0], words.last().unwrap())
        })
        .collect();
    lines.sort();
    // The summary repeats failures.
    lines.dedup();
    (lines, output.status.code())
}

#[test]
fn a_run_on_a_cluster_is_as_one_here() {
    let source = r#"
        use std::{env, fs, net::TcpListener, process::Command};
        #[test] fn passes() {}
        #[test] fn fails() { println!("said before"); panic!("as it should"); }
        #[test] #[ignore] fn is_ignored() {}
        #[test] fn aborts() { std::process::abort() }
        #[test] fn sees_its_sources() { assert!(fs::read_to_string("src/lib.rs").unwrap().contains("sees_its")); }
        #[test] fn writes_in_its_directory() { fs::write("new", "x").unwrap(); fs::write("/tmp/new", "x").unwrap(); }
        #[test] fn nobody_wrote_before() { assert!(!fs::exists("new").unwrap() && !fs::exists("/tmp/new").unwrap()); }
        #[test] fn has_programs() { assert!(Command::new("sh").args(["-c", "true"]).status().unwrap().success()); }
        #[test] fn has_loopback() { TcpListener::bind("127.0.0.1:4000").unwrap(); }
        #[test] fn has_variables() { assert_eq!(env::var("CARGO_PKG_NAME").unwrap(), "victim"); }
    "#;
    let project = built(source);
    let cluster = Cluster::start(&[]);
    let _worker = cluster.worker("far");
    let here = outcomes(tests(&cluster, project.path()).env_remove("MAELSTROM_BROKER"));
    let there = outcomes(&mut tests(&cluster, project.path()));
    assert_eq!(there, here);
    assert_eq!(there.0.len(), 10);
    let output = tests(&cluster, project.path())
        .arg("fails")
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        text.contains("said before") && text.contains("as it should"),
        "{text}"
    );
    assert!(!project.path().join("new").exists());
}

/// Promise 4: a restart of the broker loses no job, and none that runs.
#[test]
fn what_tests_write_in_vain_on_a_worker_is_named() {
    let cluster = Cluster::start(&[]);
    let _worker = cluster.worker("one");
    let project = built(
        r#"
        #[test] fn a() { std::fs::write("a\u{1b}[2J.snap", "x").unwrap(); }
        #[test] fn b() { std::fs::write("src/b.snap", "x").unwrap(); std::fs::write("/tmp/c", "x").unwrap(); }
        #[test] fn c() { std::fs::write("src/b.snap", "y").unwrap(); }
        "#,
    );
    let output = tests(&cluster, project.path()).output().unwrap();
    let text = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
    assert_eq!(output.status.code(), Some(0), "{text}");
    let said = "2 files that tests wrote among the sources were discarded: a\u{fffd}[2J.snap, \
                src/b.snap";
    assert!(text.contains(said), "{text}");
}

#[test]
fn a_killed_broker_loses_nothing() {
    let project = many(60);
    let mut cluster = Cluster::start(&[]);
    let _worker = cluster.worker("far");
    let mut client = Client::start(&mut tests(&cluster, project.path()));
    for passes in [1, 20, 40] {
        client.wait_for_passes(passes);
        cluster.restart(&[]);
    }
    assert_eq!(client.finish(), Some(0), "{}", client.lines.join("\n"));
    assert_eq!(client.passes(), names(60));
}

/// Promises 1 and 3: what a worker had goes to another, and is told once.
#[test]
fn a_killed_worker_loses_nothing() {
    let project = many(60);
    let cluster = Cluster::start(&SHORT_LEASES);
    let mut victims = [cluster.worker("first"), cluster.worker("second")];
    let mut client = Client::start(&mut tests(&cluster, project.path()));
    for (passes, victim) in [1, 20].into_iter().zip(&mut victims) {
        client.wait_for_passes(passes);
        victim.kill();
    }
    let _third = cluster.worker("third");
    assert_eq!(client.finish(), Some(0), "{}", client.lines.join("\n"));
    assert_eq!(client.passes(), names(60));
}

/// Promise 8: a worker that is told to end hands back what it has not started.
#[test]
fn a_drained_worker_leaves_the_rest_to_others() {
    let project = many(40);
    let cluster = Cluster::start(&[]);
    let mut leaving = cluster.worker("leaving");
    let mut client = Client::start(&mut tests(&cluster, project.path()));
    client.wait_for_passes(5);
    let _staying = cluster.worker("staying");
    assert_eq!(leaving.terminate(), Some(0));
    assert_eq!(client.finish(), Some(0), "{}", client.lines.join("\n"));
    assert_eq!(client.passes(), names(40));
}

#[test]
fn a_client_that_was_killed_is_no_burden_to_the_next() {
    let project = many(40);
    let cluster = Cluster::start(&[]);
    let _worker = cluster.worker("far");
    for passes in [1, 10] {
        let mut client = Client::start(&mut tests(&cluster, project.path()));
        client.wait_for_passes(passes);
        client.kill();
    }
    let mut client = Client::start(&mut tests(&cluster, project.path()));
    assert_eq!(client.finish(), Some(0), "{}", client.lines.join("\n"));
    assert_eq!(client.passes(), names(40));
}

#[test]
fn any_job_runs_there_and_what_must_stay_stays() {
    let cluster = Cluster::start(&[]);
    let _worker = cluster.worker("far");
    let directory = tempfile::tempdir().unwrap();
    let kept = directory.path().display();
    let jobs = format!(
        r#"{{"program": "/bin/echo", "arguments": ["far"], {PORTABLE}}}
        {{"program": "/bin/sh", "arguments": ["-c", "echo here > /kept/file"], {PORTABLE},
          "added_layers": [{{"stubs": ["/kept/"]}}],
          "added_mounts": [{{"type": "bind", "mount_point": "/kept", "local_path": "{kept}"}}]}}"#,
    );
    let file = directory.path().join("jobs.json");
    fs::write(&file, jobs).unwrap();
    let mut command = cluster.client(RUN, Path::new("/"));
    let output = command
        .args(["--no-tui", "--file"])
        .arg(&file)
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(0), "{told}");
    assert_eq!(String::from_utf8_lossy(&output.stdout), "far\n", "{told}");
    assert_eq!(
        fs::read_to_string(directory.path().join("file")).unwrap(),
        "here\n"
    );
}

/// What a run needs stays while it is uploaded, however little the broker keeps of what nobody uses.
#[test]
fn inputs_may_be_larger_than_the_brokers_cache() {
    let cluster = Cluster::start(&["--cache-size", "100 kB"]);
    let _worker = cluster.worker("far");
    let directory = tempfile::tempdir().unwrap();
    for number in 0..20 {
        let below = directory.path().join(format!("data/{number}"));
        fs::create_dir_all(&below).unwrap();
        let content: String = (0..5_000)
            .map(|line| format!("{number} {line}\n"))
            .collect();
        fs::write(below.join("file"), content).unwrap();
    }
    let job = format!(
        r#"{{"program": "/bin/sh", "arguments": ["-c", "cat /data/*/file | wc -l"], {PORTABLE},
        "added_layers": [{{"glob": "data/**", "prepend_prefix": "/"}}]}}"#
    );
    fs::write(directory.path().join("job.json"), job).unwrap();
    let mut command = cluster.client(RUN, directory.path());
    let output = command
        .args(["--no-tui", "--file", "job.json"])
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(0), "{told}");
    assert_eq!(
        String::from_utf8_lossy(&output.stdout),
        "100000\n",
        "{told}"
    );
}

/// What a recording says of one kind of event.
fn recorded(path: &Path, event: &str) -> Vec<serde_json::Value> {
    let text = fs::read_to_string(path).unwrap();
    let lines = text.lines().map(|line| serde_json::from_str(line).unwrap());
    lines
        .filter(|it: &serde_json::Value| it["event"] == event)
        .collect()
}

#[test]
fn slots_of_this_machine_help_the_clusters() {
    let project = many(30);
    let cluster = Cluster::start(&[]);
    let _worker = cluster.worker("far");
    wait_for_worker(&cluster);
    let keep = tempfile::tempdir().unwrap();
    let record = keep.path().join("record");
    let mut run = tests(&cluster, project.path());
    run.args(["--local-slots", "1", "--record"]).arg(&record);
    let mut client = Client::start(&mut run);
    assert_eq!(client.finish(), Some(0), "{}", client.lines.join("\n"));
    assert_eq!(client.passes(), names(30));

    let started = recorded(&record, "started");
    let mut once: Vec<u64> = started
        .iter()
        .map(|it| it["test"].as_u64().unwrap())
        .collect();
    once.sort_unstable();
    assert_eq!(once, (0..30).collect::<Vec<u64>>());
    let on = |worker: u64| started.iter().filter(|it| it["worker"] == worker).count();
    // This machine is the first worker that is told of.
    let told = client.lines.join("\n");
    assert!(
        on(0) > 0 && on(1) > 0,
        "{} here, {} far\n{told}",
        on(0),
        on(1)
    );
    assert_eq!(on(0) + on(1), 30);
}

#[test]
fn slots_of_this_machine_do_it_alone_while_there_are_no_workers() {
    let project = many(5);
    let cluster = Cluster::start(&[]);
    let mut run = tests(&cluster, project.path());
    run.args(["--local-slots", "2"]);
    let mut client = Client::start(&mut run);
    assert_eq!(client.finish(), Some(0), "{}", client.lines.join("\n"));
    assert_eq!(client.passes(), names(5));
}

/// Names that are no text cannot be said to the broker's storage.
#[test]
fn slots_of_this_machine_run_what_the_cluster_cannot_begin() {
    let project = many(5);
    let name = std::ffi::OsStr::from_bytes(b"\xff");
    fs::write(project.path().join(name), "").unwrap();
    let cluster = Cluster::start(&[]);
    let _worker = cluster.worker("far");
    wait_for_worker(&cluster);
    let mut run = tests(&cluster, project.path());
    run.args(["--local-slots", "1"]);
    let mut client = Client::start(&mut run);
    let code = client.finish();
    let told = client.lines.join("\n");
    assert_eq!(code, Some(0), "{told}");
    assert_eq!(client.passes(), names(5));
    let why = "some jobs run on this machine: the name of";
    assert!(
        told.contains(why) && told.contains("is not UTF-8"),
        "{told}"
    );

    let mut alone = Client::start(&mut tests(&cluster, project.path()));
    assert_eq!(alone.finish(), Some(125), "{}", alone.lines.join("\n"));
}

/// A worker that lacks every toolbox, as far as the broker can tell. It is gone when it is dropped.
struct OddWorker {
    _runtime: tokio::runtime::Runtime,
}

impl OddWorker {
    fn start(cluster: &Cluster, lacks: &'static str) -> OddWorker {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let address = format!("http://{}", cluster.address);
        let (say, messages) = unbounded_channel();
        let tell = move |kind| drop(say.send(v1::WorkerMessage { kind: Some(kind) }));
        tell(worker_message::Kind::Register(v1::Register {
            versions: Some(VERSIONS.clone()),
            instance: vec![1; 16].into(),
            name: "odd".to_owned(),
            architecture: std::env::consts::ARCH.to_owned(),
            slots: 1,
            held: Vec::new(),
        }));
        runtime.spawn(async move {
            let mut broker = WorkersClient::connect(address).await.unwrap();
            let orders = broker.work(UnboundedReceiverStream::new(messages)).await;
            let mut orders = orders.unwrap().into_inner();
            let mut heart = tokio::time::interval(Duration::from_secs(1));
            loop {
                tokio::select! {
                    _ = heart.tick() => tell(worker_message::Kind::Heartbeat(v1::Heartbeat::default())),
                    Ok(Some(order)) = orders.message() => {
                        if let Some(worker_order::Kind::Toolbox(question)) = order.kind {
                            tell(worker_message::Kind::Toolbox(v1::ToolboxAnswer {
                                toolbox: question.toolbox,
                                lacks: lacks.to_owned(),
                            }));
                        }
                    }
                    else => return,
                }
            }
        });
        OddWorker { _runtime: runtime }
    }
}

#[test]
fn a_worker_with_other_programs_gets_no_job_that_wants_this_machines() {
    let project = many(5);
    let cluster = Cluster::start(&[]);
    let _worker = OddWorker::start(&cluster, "its programs are older");
    wait_for_worker(&cluster);
    let mut refused = Client::start(&mut tests(&cluster, project.path()));
    let code = refused.finish();
    let told = refused.lines.join("\n");
    assert_eq!(code, Some(125), "{told}");
    let why = "no worker has this machine's programs and toolchain (odd: its programs are older); \
               `--strict` runs the tests without, an image brings its own, and `--local-slots` \
               runs them here";
    assert!(told.contains(why), "{told}");

    let mut run = tests(&cluster, project.path());
    run.args(["--local-slots", "1"]);
    let mut here = Client::start(&mut run);
    assert_eq!(here.finish(), Some(0), "{}", here.lines.join("\n"));
    assert_eq!(here.passes(), names(5));
}

#[test]
fn a_broker_that_is_not_there_is_named() {
    let project = built("#[test] fn t() {}");
    let mut cluster = Cluster::start(&[]);
    cluster.broker.kill();
    let output = tests(&cluster, project.path()).output().unwrap();
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(125), "{told}");
    assert!(told.contains(&cluster.address), "{told}");
}

const BROKER: &str = env!("CARGO_BIN_EXE_maelstrom-broker");

/// Promise 9: nobody is let in without a credential of the right role.
#[test]
fn who_shows_nothing_or_the_wrong_thing_is_not_let_in() {
    let keep = tempfile::tempdir().unwrap();
    let team = cluster::credentials(&keep.path().join("team"), &["127.0.0.1"]);
    let options: Vec<&str> = team.broker.iter().map(String::as_str).collect();
    let cluster = Cluster::start(&options);

    let refused = cluster.worker_with(&team.client).output().unwrap();
    let told = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert_eq!(refused.status.code(), Some(125), "{told}");
    assert!(
        told.contains("client has the role client; this is for worker"),
        "{told}"
    );

    let _worker = cluster::Running::start(&mut cluster.worker_with(&team.worker));
    let project = built("#[test] fn t() {}");
    let run = |words: &[String]| {
        let mut command = tests(&cluster, project.path());
        let output = command.args(words).output().unwrap();
        let streams = [output.stdout, output.stderr].concat();
        (
            output.status.code(),
            String::from_utf8_lossy(&streams).into_owned(),
        )
    };
    let (code, told) = run(&team.client);
    assert_eq!(code, Some(0), "{told}");
    let mistakes: [(&[String], &str); 3] = [
        (&[], "see whether it runs and which callers it accepts"),
        (&team.client[..2], "this broker wants a token"),
        (
            &team.worker,
            "worker has the role worker; this is for client",
        ),
    ];
    for (words, mistake) in mistakes {
        let (code, told) = run(words);
        assert_eq!(code, Some(125), "{told}");
        assert!(told.contains(mistake), "{mistake:?} is not in:\n{told}");
    }
    // Elsewhere than on this machine it does not even listen.
    let mut exposed = Command::new(BROKER);
    exposed
        .args(["--listen", "0.0.0.0", "--cache-root"])
        .arg(keep.path().join("other"));
    let output = exposed.output().unwrap();
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(2), "{told}");
    assert!(
        told.contains("could run programs on every worker"),
        "{told}"
    );
}

/// A worker is there when it says so, and joins a moment later.
fn wait_for_worker(cluster: &Cluster) {
    let has_joined = || {
        let mut status = Command::new(BROKER);
        let output = status
            .args(["status", "--broker", &cluster.address])
            .output();
        output
            .unwrap()
            .stdout
            .starts_with(b"Number of workers: 1\n")
    };
    while !has_joined() {}
}

#[test]
fn operators_see_drain_and_stop() {
    let mut cluster = Cluster::start(&[]);
    let mut worker = cluster.worker("far");
    let ask = |words: &[&str]| {
        let mut command = Command::new(BROKER);
        let output = command
            .args(words)
            .args(["--broker", &cluster.address])
            .output()
            .unwrap();
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    wait_for_worker(&cluster);
    let status = ask(&["status"]);
    assert!(status.starts_with("Number of workers: 1\nNumber of clients: 0\n"));
    let drained = ask(&["drain", "far"]);
    assert_eq!(drained, "far finishes what it runs and takes no more\n");
    assert_eq!(worker.wait(), Some(0));
    assert!(ask(&["stop"]).starts_with("the broker ends"));
    assert_eq!(cluster.broker.wait(), Some(0));
}
