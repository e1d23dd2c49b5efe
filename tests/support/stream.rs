//! Streams of events as a run would send them, for tests and benchmarks of what shows them.

#![allow(dead_code)] // Each user of this file uses a part of it.

use maelstrom_model::event::{
    AttemptEvent, AttemptFinished, AttemptTimings, BackendInfo, ClusterClient, ClusterEvent,
    ClusterSample, Event, EventKind, ExitStatus, IsolationMode, OutputStream, OutputText,
    PreviousOutcome, RoundCause, RoundEvent, RoundSummary, RunEvent, RunStarted, SCHEMA_VERSION,
    SourceLocation, TestDescription, TestEvent, TestInfo, TestOutcome, WorkerCondition,
    WorkerSample, WorkerStatusEvent,
};
use maelstrom_model::ids::{Attempt, RunId, TestId, WorkerId};

/// A run being made up, event by event.
pub struct Script {
    /// What happened so far.
    pub events: Vec<Event>,
    /// The present moment.
    pub at_us: u64,
    tests: u32,
    started_us: Vec<u64>,
}

impl Script {
    /// A run on this machine, with two slots.
    pub fn local() -> Self {
        let mut script = Script::begun(BackendInfo::Local);
        script.worker(0, "local", 2);
        script
    }

    /// A run on a cluster, without workers so far.
    pub fn broker() -> Self {
        Script::begun(BackendInfo::Broker {
            address: "build-7:9000".to_owned(),
        })
    }

    fn begun(backend: BackendInfo) -> Self {
        let mut script = Script {
            events: Vec::new(),
            at_us: 0,
            tests: 0,
            started_us: Vec::new(),
        };
        script.push(RunEvent::Started(RunStarted {
            schema: SCHEMA_VERSION,
            run: RunId(0x7f3a_0000_0000_0001),
            program: "cargo-maelstrom".to_owned(),
            version: "0.1.0".to_owned(),
            command: vec!["cargo".to_owned(), "maelstrom".to_owned()],
            directory: "/home/dev/project".to_owned(),
            started_unix_ms: 1_700_000_000_000,
            backend,
            isolation: IsolationMode::Container,
        }));
        script
    }

    /// Adds what happened, now.
    pub fn push(&mut self, kind: impl Into<EventKind>) {
        let (at_us, kind) = (self.at_us, kind.into());
        self.events.push(Event { at_us, kind });
    }

    /// Lets time pass.
    pub fn wait_ms(&mut self, ms: u64) {
        self.at_us += ms * 1000;
    }

    pub fn worker(&mut self, id: u32, name: &str, slots: u32) {
        self.push(WorkerStatusEvent::Joined {
            worker: WorkerId(id),
            name: name.to_owned(),
            slots,
            architecture: "x86_64".to_owned(),
        });
    }

    pub fn sample(&mut self, id: u32, state: WorkerCondition, busy: u32, cpu_permille: u32) {
        self.push(WorkerStatusEvent::Sample(WorkerSample {
            worker: WorkerId(id),
            state,
            busy,
            cpu_permille,
            memory_used_bytes: (3 << 30) + (u64::from(id) << 28),
            memory_total_bytes: 16 << 30,
        }));
    }

    /// Finds tests of a package; their ids follow the earlier ones.
    pub fn discover(&mut self, package: &str, names: &[&str]) -> Vec<TestId> {
        let ids: Vec<TestId> = (self.tests..).map(TestId).take(names.len()).collect();
        let tests = ids.iter().zip(names).map(|(test, name)| TestInfo {
            test: *test,
            package: package.to_owned(),
            artifact: String::new(),
            name: (*name).to_owned(),
            title: format!("{package} {name}"),
            expected_us: None,
            history: PreviousOutcome::New,
            ignored: false,
        });
        let tests = tests.collect();
        self.push(TestEvent::Discovered { tests });
        self.tests += names.len() as u32;
        self.started_us.resize(self.tests as usize, 0);
        ids
    }

    /// No more tests will be found, and the first round begins.
    pub fn begin_round(&mut self, round: u32, cause: RoundCause) {
        let selected = self.tests;
        self.push(TestEvent::DiscoveryFinished {
            selected,
            deselected: 0,
        });
        self.push(RoundEvent::Started { round, cause });
    }

    pub fn queue(&mut self, test: TestId) {
        let attempt = Attempt(1);
        self.push(AttemptEvent::Queued {
            test,
            attempt,
            retry: None,
        });
    }

    pub fn start(&mut self, test: TestId) {
        self.start_on(test, 1, 0, 0);
    }

    pub fn start_on(&mut self, test: TestId, attempt: u32, worker: u32, slot: u32) {
        self.started_us[test.index()] = self.at_us;
        self.push(AttemptEvent::Started {
            test,
            attempt: Attempt(attempt),
            worker: WorkerId(worker),
            slot,
        });
    }

    pub fn write(&mut self, test: TestId, stream: OutputStream, text: &str) {
        self.push(AttemptEvent::Output {
            test,
            attempt: Attempt(1),
            stream,
            text: OutputText(text.as_bytes().to_vec()),
        });
    }

    /// A million lines, one in a thousand of which says `needle`.
    pub fn write_million_lines(&mut self, test: TestId) {
        for block in 0..1000 {
            let mut text = format!("needle {block}\n");
            for line in 0..999 {
                text.push_str(&format!(
                    "block {block} line {line}: nothing to see in this line\n"
                ));
            }
            self.write(test, OutputStream::Stdout, &text);
        }
    }

    pub fn finish(&mut self, test: TestId, outcome: TestOutcome) {
        self.finish_attempt(test, 1, outcome, None);
    }

    pub fn pass(&mut self, test: TestId) {
        self.finish(test, TestOutcome::Passed);
    }

    /// Fails as a panicking Rust test does, at line 412 of a file.
    pub fn fail(&mut self, test: TestId) {
        let location = SourceLocation {
            path: "net/src/tcp.rs".to_owned(),
            line: 412,
            column: Some(9),
        };
        self.finish_attempt(test, 1, failed(), Some(location));
    }

    pub fn finish_attempt(
        &mut self,
        test: TestId,
        attempt: u32,
        outcome: TestOutcome,
        location: Option<SourceLocation>,
    ) {
        let ran_us = self.at_us - self.started_us[test.index()];
        self.push(AttemptEvent::Finished(Box::new(AttemptFinished {
            timings: AttemptTimings {
                queued_us: 12_000,
                prepared_us: 1_100,
                ran_us,
            },
            user_us: ran_us / 2,
            system_us: ran_us / 10,
            memory_peak_bytes: 34 << 20,
            stdout_bytes: 120,
            stderr_bytes: 480,
            location,
            ..AttemptFinished::new(test, Attempt(attempt), outcome)
        })));
    }

    pub fn end_round(&mut self, round: u32, summary: RoundSummary) {
        self.push(RoundEvent::Finished { round, summary });
    }

    pub fn end(&mut self, exit_code: u8) {
        self.push(RunEvent::Finished { exit_code });
    }
}

/// How a Rust test that panics ends.
pub fn failed() -> TestOutcome {
    TestOutcome::Failed {
        exit: Some(ExitStatus::Code(101)),
        reason: None,
    }
}

/// What a panicking Rust test writes.
pub const PANIC: &str = "\
thread 'reset_mid_write' panicked at net/src/tcp.rs:412:9:
assertion `left == right` failed
  left: Err(ConnectionReset)
 right: Ok(512)
note: run with `RUST_BACKTRACE=1` environment variable to display a backtrace
";

/// A run on a cluster in the middle: every state, several workers, transfers, other people.
pub fn showcase() -> Script {
    let mut script = Script::broker();
    for id in 0..12 {
        script.worker(id, &format!("w{id:02}"), 8);
    }
    let net: Vec<String> = (0..40)
        .map(|i| format!("tcp::tests::case_{i:02}"))
        .collect();
    let mut names: Vec<&str> = vec![
        "tcp::tests::reset_mid_write",
        "tcp::tests::half_close",
        "quic::tests::idle_timeout",
        "quic::tests::migrate",
        "quic::tests::zero_rtt",
    ];
    names.extend(net.iter().map(String::as_str));
    let net = script.discover("net", &names);
    let db_names: Vec<String> = (0..30)
        .map(|i| format!("wal::tests::replay_{i:02}"))
        .collect();
    let mut names = vec!["bench::compact_large", "index::tests::split"];
    names.extend(db_names.iter().map(String::as_str));
    let db = script.discover("db", &names);
    script.begin_round(1, RoundCause::Start);
    for test in net.iter().chain(&db) {
        script.queue(*test);
    }
    script.wait_ms(300);
    script.start_on(db[0], 1, 2, 0);
    script.start_on(net[2], 1, 3, 1);
    for (slot, test) in (0..).zip(&net[5..40]) {
        script.wait_ms(5);
        script.start_on(*test, 1, slot % 12, slot / 12);
        script.wait_ms(20);
        script.pass(*test);
    }
    script.start_on(net[0], 1, 7, 0);
    script.write(net[0], OutputStream::Stdout, "running 1 test\n");
    script.write(net[0], OutputStream::Stderr, PANIC);
    script.wait_ms(1204);
    script.fail(net[0]);
    script.start_on(net[1], 1, 11, 4);
    script.wait_ms(318);
    script.fail(net[1]);
    script.start_on(net[1], 2, 11, 4);
    script.wait_ms(310);
    script.finish_attempt(net[1], 2, TestOutcome::Passed, None);
    script.start_on(net[3], 1, 11, 4);
    script.finish(net[40], TestOutcome::Ignored { reason: None });
    script.wait_ms(57_000);
    script.finish(
        net[2],
        TestOutcome::TimedOut {
            limit_us: 60_000_000,
        },
    );
    script.start_on(db[1], 1, 0, 3);
    script.finish(
        net[41],
        TestOutcome::Error {
            message: "mount proc on /proc: EPERM".to_owned(),
        },
    );
    for id in 0..12 {
        for busy in [2, 4, 7, 8, 8] {
            let state = if id == 3 {
                WorkerCondition::Degraded
            } else {
                WorkerCondition::Online
            };
            script.sample(id, state, busy, 900 + busy * 10);
        }
    }
    script.push(ClusterEvent::Transfer {
        transfer: 1,
        worker: Some(WorkerId(4)),
        name: "layer 5 of image rust:1.95".to_owned(),
        done_bytes: 212 << 20,
        total_bytes: 298 << 20,
    });
    script.push(ClusterEvent::Sample(ClusterSample {
        queued: 41_351,
        running: 91,
        slots: 96,
        cache_hits: 9_204,
        cache_misses: 800,
        store_bytes: 17 << 30,
        clients: vec![
            ClusterClient {
                name: "dev@laptop".to_owned(),
                run: RunId(0x7f3a_0000_0000_0001),
                queued: 30,
                running: 3,
            },
            ClusterClient {
                name: "ci@build-9".to_owned(),
                run: RunId(0x1122_0000_0000_0001),
                queued: 41_321,
                running: 88,
            },
        ],
    }));
    script.push(TestEvent::Described(Box::new(TestDescription {
        test: net[0],
        command: vec![
            "/bin/net-1f2e".to_owned(),
            "--exact".to_owned(),
            "tcp::tests::reset_mid_write".to_owned(),
        ],
        directory: "/".to_owned(),
        mounts: vec!["proc on /proc".to_owned(), "tmpfs on /tmp".to_owned()],
        network: "loopback".to_owned(),
        timeout_us: Some(60_000_000),
        shell: Some(vec![
            "maelstrom-run".to_owned(),
            "--tty".to_owned(),
            "net".to_owned(),
        ]),
    })));
    script.wait_ms(1000);
    script
}

/// The name of a test of [`big`].
pub fn big_name(index: u32) -> String {
    format!(
        "module_{:03}::group_{:02}::tests::case_{index:06}",
        index / 400 % 250,
        index / 20 % 20
    )
}

/// `count` tests found and queued, in packages of ten thousand.
pub fn big(count: u32) -> Script {
    let mut script = Script::broker();
    for id in 0..12 {
        script.worker(id, &format!("w{id:02}"), 8);
    }
    for first in (0..count).step_by(10_000) {
        let names: Vec<String> = (first..count.min(first + 10_000)).map(big_name).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        script.discover(&format!("package-{}", first / 10_000), &names);
    }
    script.begin_round(1, RoundCause::Start);
    for test in 0..count {
        script.queue(TestId(test));
    }
    script
}

/// The run of [`big`] to its end: 96 at a time, one of a thousand fails, each writes three lines.
pub fn run_big(script: &mut Script, count: u32) {
    for first in (0..count).step_by(96) {
        let tests = (first..count.min(first + 96)).map(TestId);
        for (slot, test) in (0..).zip(tests.clone()) {
            script.start_on(test, 1, slot % 12, slot / 12);
        }
        for test in tests {
            script.at_us += 100;
            script.write(
                test,
                OutputStream::Stdout,
                "running 1 test\ntest case ... ok\n\n",
            );
            if test.0 % 1000 == 7 {
                script.write(test, OutputStream::Stderr, PANIC);
                script.fail(test);
            } else {
                script.pass(test);
            }
        }
    }
}
