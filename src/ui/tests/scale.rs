//! A run of 100,000 tests in limited memory (invariant 8): driver, machine, scheduler, history and
//! plain report, with a backend that runs nothing.
//!
//! There is only one test in this file, because peak memory is measured for the process.

// A test fails by panicking.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used)]

use std::collections::{BTreeMap, VecDeque};
use std::ffi::OsString;
use std::fs::{self, File};
use std::future::pending;
use std::io::{BufRead, BufReader, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use maelstrom_container::spec::{
    ContainerSpec, ExitStatus, NetworkMode, PrivilegeLevel, ProcessSpec, ResourceUsage, RootKind,
};
use maelstrom_engine::log::ProgramLog;
use maelstrom_engine::run::driver::{RunSetup, drive};
use maelstrom_engine::run::event_sink::EventSink;
use maelstrom_engine::run::message::{
    AtEnd, HistoryFilter, RepeatPlan, RetryPlacement, RunMode, RunOptions,
};
use maelstrom_engine::run::signals::TerminationSignal;
use maelstrom_engine::run::watch::WatchMode;
use maelstrom_engine::schedule::SlotScheduler;
use maelstrom_model::backend::{Backend, BackendEvent, JobId, JobPriority, StopMode};
use maelstrom_model::error::ProgramError;
use maelstrom_model::event::channel::channel;
use maelstrom_model::event::{
    BackendInfo, IsolationMode, OutputStream, RunStarted, SCHEMA_VERSION, SourceLocation, UiCommand,
};
use maelstrom_model::framework::{DiscoverySummary, Framework, FrameworkHost};
use maelstrom_model::ids::{RunId, WorkerId};
use maelstrom_model::job::{
    Job, JobOutcome, JobResult, OutputPipes, PlacementConstraint, TestCase, TestKey,
};
use maelstrom_ui::report;
use maelstrom_ui::style::OutputColor;
use maelstrom_ui::terminal_features::TerminalFeatureSet;
use tokio::sync::mpsc::unbounded_channel;

const TESTS: u32 = 100_000;

/// The maximum memory of a client with this many tests, including the unoptimized code of the
/// program. About 190 MiB are in use; how much freed memory the allocator keeps depends on how far
/// one thread is ahead of the other.
const PEAK_BYTES_MAX: u64 = 256 << 20;

/// The number of test binaries. Each provides its tests as soon as it is listed.
const BINARIES: u32 = 20;

const PACKAGE: &str = "a-package-with-a-name";

fn name(number: u32) -> String {
    format!("module::of_some_depth::tests::it_does_what_it_should_{number:05}")
}

struct ManyTests {
    state_directory: PathBuf,
}

#[derive(Debug, miette::Diagnostic, thiserror::Error)]
#[error("this never happens")]
struct Never;

impl ProgramError for Never {}

impl Framework for ManyTests {
    type Error = Never;

    async fn discover<H: FrameworkHost>(&self, host: &H) -> Result<DiscoverySummary, Never> {
        host.state_directory(self.state_directory.clone());
        let container = Arc::new(ContainerSpec {
            root: RootKind::Skeleton(Vec::new()),
            mounts: Vec::new(),
            network: NetworkMode::Loopback,
            hostname: "localhost".into(),
            user: 1000,
            group: 1000,
            privileges: PrivilegeLevel::Ordinary,
            services: Vec::new(),
            devices: Vec::new(),
        });
        let variable = |n: u32| (format!("VARIABLE_{n}").into(), "x".repeat(60).into());
        let environment: Arc<BTreeMap<OsString, OsString>> =
            Arc::new((0..60).map(variable).collect());
        for binary in 0..BINARIES {
            // Yield, so that the next binary is listed while the tests of this one are consumed.
            tokio::task::yield_now().await;
            let artifact: Arc<str> = format!("integration_{binary}(test)").into();
            let package: Arc<str> = PACKAGE.into();
            let program = format!(
                "/home/somebody/project/target/debug/deps/integration_{binary}-0123456789abcdef"
            );
            let program = OsString::from(program);
            let program = Arc::from(program.as_os_str());
            let working_directory = Arc::from(Path::new("/home/somebody/project"));
            let tests = (0..TESTS / BINARIES).map(|number| {
                let name =
                    format!("module::of_some_depth::tests::it_does_what_it_should_{number:05}");
                TestCase {
                    title: format!("{package} integration_{binary} {name}"),
                    ignored: None,
                    job: Job {
                        placement: PlacementConstraint::Here,
                        container: Arc::clone(&container),
                        process: Arc::new(ProcessSpec {
                            program: Arc::clone(&program),
                            arguments: vec![
                                "--exact".into(),
                                "--nocapture".into(),
                                name.clone().into(),
                            ],
                            environment: Arc::clone(&environment),
                            working_directory: Arc::clone(&working_directory),
                        }),
                        resident: None,
                        timeout: None,
                        output: OutputPipes::Separate,
                        grace: None,
                        needs: Default::default(),
                        additions: Default::default(),
                    },
                    key: TestKey {
                        package: Arc::clone(&package),
                        artifact: Arc::clone(&artifact),
                        name,
                    },
                    policy: Default::default(),
                    known: None,
                }
            });
            host.found(tests.collect());
        }
        Ok(DiscoverySummary::default())
    }

    fn failure_location(&self, _: &[u8], _: &[u8]) -> Option<SourceLocation> {
        None
    }
}

/// A backend whose jobs write a little output and pass immediately.
struct Instant {
    scheduler: SlotScheduler<Job>,
    news: VecDeque<BackendEvent>,
}

impl Backend for Instant {
    fn slots(&self) -> u32 {
        2
    }

    fn submit(&mut self, id: JobId, job: Job, rank: JobPriority) {
        self.scheduler.enqueue(id, rank, job).unwrap();
    }

    fn stop(&mut self, _: JobId, _: StopMode) {}
    fn hold(&mut self) {}
    fn release(&mut self) {}
    fn suspend(&mut self) {}
    fn resume(&mut self) {}

    async fn next(&mut self) -> BackendEvent {
        if let Some(news) = self.news.pop_front() {
            return news;
        }
        let Some(start) = self.scheduler.start_next() else {
            return pending().await;
        };
        let job = start.job;
        self.scheduler.finished(job);
        self.news.push_back(BackendEvent::Output {
            job,
            stream: OutputStream::Stdout,
            bytes: b"\nrunning 1 test\ntest x ... ok\n\ntest result: ok. 1 passed\n\n".to_vec(),
        });
        self.news.push_back(BackendEvent::Finished {
            job,
            result: JobResult {
                end: JobOutcome::Exited(ExitStatus::Code(0)),
                usage: ResourceUsage::default(),
                prepared: Duration::from_micros(100),
                ran: Duration::from_micros(900),
                leaked: Default::default(),
            },
        });
        BackendEvent::Started {
            job,
            worker: WorkerId(0),
            slot: start.slot,
        }
    }

    async fn close(self) {}
}

fn run(state_directory: &Path) -> u8 {
    let framework = ManyTests {
        state_directory: state_directory.to_owned(),
    };
    let (sender, events) = channel();
    let (_commands, commands) = unbounded_channel::<UiCommand>();
    let (_interrupts, interrupts) = unbounded_channel::<TerminationSignal>();
    let options = report::RunReportOptions {
        style: report::ReportStyle::Lines,
        color: OutputColor::Never,
        passing_output: report::PassingOutputDisplay::Hidden,
        slowest: report::SlowestTests::wanted(None, report::ReportStyle::Lines),
        terminal: TerminalFeatureSet::NONE,
    };
    let output = report::BackgroundWriter::start(std::io::sink()).unwrap();
    let screen = std::thread::spawn(move || report::run(events, options, output));
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let log = ProgramLog::default();
    let setup = RunSetup {
        wishes: RunOptions {
            errand: RunMode::Run,
            history: HistoryFilter::All,
            repeat: RepeatPlan::ONCE,
            retry_placement: RetryPlacement::Anywhere,
            seed: 7,
            stop_after: None,
            at_end: AtEnd::Leave,
            no_tests: None,
            failure_code: None,
            grace: Duration::from_secs(5),
        },
        run: RunStarted {
            schema: SCHEMA_VERSION,
            run: RunId(7),
            program: "cargo-maelstrom".into(),
            version: "1".into(),
            command: vec!["cargo-maelstrom".into()],
            directory: "/home/somebody/project".into(),
            started_unix_ms: 0,
            backend: BackendInfo::Local,
            isolation: IsolationMode::Container,
        },
        partition: None,
        notices: Vec::new(),
        framework: &framework,
        backend: Instant {
            scheduler: SlotScheduler::new(2),
            news: VecDeque::new(),
        },
        outlet: EventSink::new(sender),
        log: &log,
        shell: None,
        commands,
        interrupts,
        watching: WatchMode::Off,
        limit: None,
        tells_run: false,
    };
    let code = runtime.block_on(drive(setup));
    screen.join().unwrap().unwrap();
    code
}

fn peak_bytes() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status
        .lines()
        .find(|line| line.starts_with("VmHWM:"))
        .unwrap();
    let kilobytes: u64 = line.split_whitespace().nth(1).unwrap().parse().unwrap();
    kilobytes << 10
}

/// Writes the history of an earlier run.
fn write_history(path: &Path) {
    let mut file = BufWriter::new(File::create(path).unwrap());
    writeln!(file, "version = 3").unwrap();
    for binary in 0..BINARIES {
        for number in 0..TESTS / BINARIES {
            writeln!(
                file,
                "\n[{PACKAGE}.\"integration_{binary}(test)\".\"{}\"]\n\
                 timings = [0.0007, 0.0008]\noutcome = \"success\"",
                name(number)
            )
            .unwrap();
        }
    }
    file.flush().unwrap();
}

#[test]
fn a_hundred_thousand_tests_fit_into_little_memory() {
    let state = tempfile::tempdir().unwrap();
    let listing = state.path().join("test-listing.toml");
    write_history(&listing);
    assert_eq!(run(state.path()), 0);
    let peak = peak_bytes();
    println!("peak: {} MiB", peak >> 20);
    assert!(peak < PEAK_BYTES_MAX, "{} MiB", peak >> 20);
    let learned = BufReader::new(File::open(&listing).unwrap())
        .lines()
        .filter(|line| line.as_ref().unwrap() == "timings = [0.0007, 0.0008, 0.0009]");
    assert_eq!(learned.count(), TESTS as usize);
}
