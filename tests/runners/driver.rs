//! The driver with real processes: a framework whose tests are shell scripts, and this machine's
//! backend without containers.

use crate::support;
use std::num::NonZeroU32;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use maelstrom_engine::local::LocalBackend;
use maelstrom_engine::log::ProgramLog;
use maelstrom_engine::run::driver::{RunSetup, drive};
use maelstrom_engine::run::event_sink::EventSink;
use maelstrom_engine::run::message::{
    AtEnd, HistoryFilter, RepeatPlan, RetryPlacement, RunMode, RunOptions,
};
use maelstrom_engine::run::signals::TerminationSignal;
use maelstrom_engine::run::watch::WatchMode;
use maelstrom_model::error::ProgramError;
use maelstrom_model::event::channel::{EventReceiver, channel};
use maelstrom_model::event::{
    AttemptEvent, BackendInfo, EventKind, ExitStatus, IsolationMode, RoundEvent, RoundSummary,
    RunStarted, SCHEMA_VERSION, SourceLocation, TestOutcome, UiCommand, WorkerStatusEvent,
};
use maelstrom_model::exit_code;
use maelstrom_model::framework::{DiscoverySummary, Framework, FrameworkHost};
use maelstrom_model::ids::RunId;
use maelstrom_model::job::{
    Job, JobOutcome, OutputPipes, PlacementConstraint, ProcessSpec, TestCase, TestKey,
};
use maelstrom_model::policy::{RetryDelay, RetryPolicy, TestPolicy};
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};

/// Never ends by itself.
const FOR_EVER: &str = "tail -f /dev/null";

/// Long enough for a shell to come to its first words, on a machine that does much else.
const LIMIT: Duration = Duration::from_secs(3);

/// Long enough for a shell to hear a signal and answer.
const GRACE: Duration = Duration::from_secs(3);

/// Its tests are the lines that a listing script prints.
struct Scripts {
    listing: String,
}

#[derive(Debug, miette::Diagnostic, thiserror::Error)]
#[error("the listing ended so: {0:?}")]
struct ListingFailed(JobOutcome);

impl ProgramError for ListingFailed {
    fn exit_code(&self) -> u8 {
        42
    }
}

fn job(script: &str, timeout: Option<Duration>) -> Job {
    Job {
        container: Arc::new(support::spec(Path::new("/not/there"))),
        process: Arc::new(ProcessSpec {
            working_directory: Path::new("/").into(),
            ..support::script(script)
        }),
        resident: None,
        timeout,
        output: OutputPipes::Separate,
        placement: PlacementConstraint::Here,
        grace: None,
        needs: Default::default(),
        additions: Default::default(),
    }
}

impl Framework for Scripts {
    type Error = ListingFailed;

    async fn discover<H: FrameworkHost>(
        &self,
        host: &H,
    ) -> Result<DiscoverySummary, ListingFailed> {
        let listed = host.run(job(&self.listing, None)).await;
        if listed.result.end != JobOutcome::Exited(ExitStatus::Code(0)) {
            return Err(ListingFailed(listed.result.end));
        }
        let listing = String::from_utf8(listed.stdout).unwrap();
        let retry = RetryPolicy {
            retries: 2,
            delay: RetryDelay::Fixed {
                delay: Duration::from_millis(5),
                jitter: true,
            },
            ..RetryPolicy::default()
        };
        let retried = Arc::new(TestPolicy {
            retry,
            ..TestPolicy::default()
        });
        let tests = listing.lines().enumerate().map(|(number, script)| {
            let limited = script.contains("limited");
            TestCase {
                key: TestKey {
                    package: "p".into(),
                    artifact: "scripts".into(),
                    name: number.to_string(),
                },
                title: format!("p {number}"),
                ignored: None,
                job: job(script, limited.then_some(LIMIT)),
                policy: match script.contains("retried") {
                    true => Arc::clone(&retried),
                    false => Arc::default(),
                },
                known: None,
            }
        });
        host.found(tests.collect());
        Ok(DiscoverySummary::default())
    }

    fn failure_location(&self, _: &[u8], stderr: &[u8]) -> Option<SourceLocation> {
        let text = std::str::from_utf8(stderr).ok()?;
        let line = text.strip_prefix("line ")?.trim().parse().ok()?;
        let path = "script".to_owned();
        Some(SourceLocation {
            path,
            line,
            column: None,
        })
    }
}

/// What reacts to each event as it comes.
type React<'a> = &'a mut dyn FnMut(&EventKind, &UnboundedSender<TerminationSignal>);

fn run(listing: &[&str], stop_after: Option<NonZeroU32>, react: React) -> (u8, Vec<EventKind>) {
    let lines: Vec<String> = listing
        .iter()
        .map(|line| format!("echo '{line}'"))
        .collect();
    drive_scripts(lines.join(";"), stop_after, react)
}

fn drive_scripts(
    listing: String,
    stop_after: Option<NonZeroU32>,
    react: React,
) -> (u8, Vec<EventKind>) {
    drive_scripts_within(None, listing, stop_after, react)
}

fn drive_scripts_within(
    limit: Option<Duration>,
    listing: String,
    stop_after: Option<NonZeroU32>,
    react: React,
) -> (u8, Vec<EventKind>) {
    let framework = Scripts { listing };
    let (sender, mut receiver) = channel();
    let (_commands, commands) = unbounded_channel::<UiCommand>();
    let (interrupt, interrupts) = unbounded_channel();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let log = ProgramLog::default();
        let setup = RunSetup {
            wishes: RunOptions {
                errand: RunMode::Run,
                history: HistoryFilter::All,
                repeat: RepeatPlan::ONCE,
                retry_placement: RetryPlacement::Anywhere,
                seed: 7,
                stop_after,
                at_end: AtEnd::Leave,
                no_tests: None,
                failure_code: None,
                grace: GRACE,
            },
            run: run_started(),
            partition: None,
            notices: Vec::new(),
            framework: &framework,
            backend: LocalBackend::without_containers(2)
                .unwrap()
                .with_grace(GRACE),
            outlet: EventSink::new(sender),
            log: &log,
            shell: None,
            commands,
            interrupts,
            watching: WatchMode::Off,
            limit,
            tells_run: false,
        };
        tokio::join!(drive(setup), watch(&mut receiver, react, interrupt))
    })
}

async fn watch(
    receiver: &mut EventReceiver,
    react: React<'_>,
    interrupt: UnboundedSender<TerminationSignal>,
) -> Vec<EventKind> {
    let mut events = Vec::new();
    while let Some(event) = receiver.recv().await {
        react(&event.kind, &interrupt);
        events.push(event.kind);
    }
    events
}

fn run_started() -> RunStarted {
    RunStarted {
        schema: SCHEMA_VERSION,
        run: RunId(7),
        program: "scripts".into(),
        version: "1".into(),
        command: vec!["scripts".into()],
        directory: "/".into(),
        started_unix_ms: 0,
        backend: BackendInfo::Local,
        isolation: IsolationMode::Process,
    }
}

fn summary(events: &[EventKind]) -> RoundSummary {
    let mut summaries = events.iter().filter_map(|event| match event {
        EventKind::Round(RoundEvent::Finished { round: _, summary }) => Some(*summary),
        _ => None,
    });
    summaries.next_back().unwrap()
}

/// Everything a test wrote.
fn output(events: &[EventKind], number: u32) -> String {
    let texts = events.iter().filter_map(|event| match event {
        EventKind::Attempt(AttemptEvent::Output { test, text, .. }) if test.0 == number => {
            Some(text.0.as_slice())
        }
        _ => None,
    });
    String::from_utf8(texts.flatten().copied().collect()).unwrap()
}

fn outcome(events: &[EventKind], number: u32) -> TestOutcome {
    let mut outcomes = events.iter().filter_map(|event| match event {
        EventKind::Attempt(AttemptEvent::Finished(end)) if end.test.0 == number => {
            Some(end.outcome.clone())
        }
        _ => None,
    });
    let outcome = outcomes.next().unwrap();
    assert_eq!(outcomes.next(), None, "exactly one outcome an attempt");
    outcome
}

fn failed(exit: ExitStatus) -> TestOutcome {
    TestOutcome::Failed {
        exit: Some(exit),
        reason: None,
    }
}

#[test]
fn a_run_that_reaches_its_limit_is_cancelled_and_says_so() {
    let limit = Some(Duration::from_millis(200));
    let listing = "echo true; echo tail -f /dev/null".to_owned();
    let (code, events) = drive_scripts_within(limit, listing, None, &mut |_, _| {});
    assert_eq!(code, exit_code::INTERRUPTED);
    assert_eq!(outcome(&events, 1), TestOutcome::Cancelled);
    let notice = events.iter().find_map(|event| match event {
        EventKind::Notice(notice) if notice.in_summary => Some(notice.text.as_str()),
        _ => None,
    });
    assert_eq!(
        notice,
        Some("the run was stopped: it took longer than its limit of 0.2 s")
    );
}

#[test]
fn every_end_of_a_process_is_told_as_what_it_is() {
    let script = [
        "echo fine",
        "echo line 7 >&2; exit 9",
        "kill -KILL $$",
        "echo limited; tail -f /dev/null",
    ];
    let (code, events) = run(&script, None, &mut |_, _| {});
    assert_eq!(outcome(&events, 0), TestOutcome::Passed);
    assert_eq!(output(&events, 0), "fine\n");
    assert_eq!(outcome(&events, 1), failed(ExitStatus::Code(9)));
    let killed = ExitStatus::Signal {
        number: 9,
        core_dumped: false,
    };
    assert_eq!(outcome(&events, 2), failed(killed));
    let limit_us = LIMIT.as_micros() as u64;
    assert_eq!(outcome(&events, 3), TestOutcome::TimedOut { limit_us });
    assert_eq!(output(&events, 3), "limited\n");
    let located = events.iter().find_map(|event| match event {
        EventKind::Attempt(AttemptEvent::Finished(end)) => {
            end.location.as_ref().map(|at| (end.test.0, at.line))
        }
        _ => None,
    });
    assert_eq!(located, Some((1, 7)));
    let first = events.iter().find_map(|event| match event {
        EventKind::Attempt(AttemptEvent::Finished(end)) => match end.outcome {
            TestOutcome::Failed {
                exit: Some(ExitStatus::Code(9)),
                ..
            } => Some(9),
            TestOutcome::Failed { .. } | TestOutcome::TimedOut { .. } => {
                Some(exit_code::TEST_FAILURE)
            }
            _ => None,
        },
        _ => None,
    });
    assert_eq!(Some(code), first, "the first failure lends its code");
}

#[test]
fn an_interrupt_asks_and_then_kills_whoever_does_not_listen() {
    let polite = format!("trap \"echo bye; exit 0\" TERM; echo up; {FOR_EVER} & wait");
    let deaf = format!("trap \"\" TERM; echo up; {FOR_EVER}");
    let mut up = 0;
    let (code, events) = run(&[&polite, &deaf, "true"], None, &mut |event, interrupt| {
        if let EventKind::Attempt(AttemptEvent::Output { text, .. }) = event
            && text.0 == b"up\n"
        {
            up += 1;
            if up == 2 {
                interrupt.send(TerminationSignal::Interrupt).unwrap();
            }
        }
    });
    assert_eq!(code, exit_code::INTERRUPTED);
    assert_eq!(output(&events, 0), "up\nbye\n");
    let RoundSummary {
        cancelled, not_run, ..
    } = summary(&events);
    assert_eq!((cancelled, not_run), (2, 1));
}

#[test]
fn the_first_failure_stops_what_runs_if_that_is_wished() {
    let endless = format!("trap \"\" TERM; {FOR_EVER}");
    let (code, events) = run(
        &[&endless, "exit 3", "true"],
        NonZeroU32::new(1),
        &mut |_, _| {},
    );
    assert_eq!(code, 3);
    let RoundSummary {
        failed,
        cancelled,
        not_run,
        ..
    } = summary(&events);
    assert_eq!((failed, cancelled, not_run), (1, 1, 1));
}

#[test]
fn a_failed_test_runs_again_and_knows_its_attempt() {
    let (code, events) = run(
        &[
            "echo try $MAELSTROM_ATTEMPT of $MAELSTROM_TOTAL_ATTEMPTS; \
             test $MAELSTROM_ATTEMPT = 2; # retried",
            "echo try $MAELSTROM_ATTEMPT; exit 4; # retried",
        ],
        None,
        &mut |_, _| {},
    );
    assert_eq!(code, 4);
    assert_eq!(output(&events, 0), "try 1 of 3\ntry 2 of 3\n");
    assert_eq!(output(&events, 1), "try 1\ntry 2\ntry 3\n");
    let RoundSummary {
        passed,
        flaky_passed,
        failed,
        ..
    } = summary(&events);
    assert_eq!((passed, flaky_passed, failed), (1, 1, 1));
}

#[test]
fn a_listing_that_fails_ends_the_run_with_its_code() {
    let (code, events) = drive_scripts("exit 5".to_owned(), None, &mut |_, _| {});
    assert_eq!(code, 42);
    assert!(events.iter().any(|event| match event {
        EventKind::Notice(notice) => notice.text.contains("Code(5)"),
        _ => false,
    }));
}

#[test]
fn an_abandoned_listing_is_killed() {
    let home = tempfile::tempdir().unwrap();
    let pid_file = home.path().join("pid");
    let listing = format!(
        "trap \"\" TERM; echo $$ > {}; {FOR_EVER}",
        pid_file.display()
    );
    let mut interrupted = false;
    let (code, _) = drive_scripts(listing, None, &mut |event, interrupt| {
        // The first event comes before the listing has begun, so this waits for its file.
        if let EventKind::Worker(WorkerStatusEvent::Joined { .. }) = event
            && !interrupted
        {
            interrupted = true;
            let (interrupt, pid_file) = (interrupt.clone(), pid_file.clone());
            tokio::spawn(async move {
                while !std::fs::read_to_string(&pid_file).is_ok_and(|text| text.ends_with('\n')) {
                    tokio::task::yield_now().await;
                }
                interrupt.send(TerminationSignal::Terminate).unwrap();
            });
        }
    });
    assert_eq!(code, exit_code::INTERRUPTED);
    let pid = std::fs::read_to_string(&pid_file).unwrap();
    assert!(!Path::new("/proc").join(pid.trim()).exists(), "{pid}");
}
