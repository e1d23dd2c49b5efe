//! Drives one run: feeds inputs to the run machine and runs its effects.
//!
//! One task on a single-threaded runtime awaits one input at a time, in this order of precedence:
//! signals, commands, discovery events, changed files, the end of discovery, the machine's alarm,
//! the backend. All decisions are made in [`super::machine`].
//!
//! [`drive`] owns the state for the length of the run. When it returns, the backend is closed.
//!
//! The output of tests is passed on; only the end of a running test's output is kept
//! ([`super::output_tail`]).

mod discovery;
mod interruption;
mod setup;

use std::collections::BTreeMap;
use std::future::{Future, pending};
use std::path::PathBuf;
use std::pin::Pin;
use std::time::Duration;

use tokio::sync::mpsc::UnboundedReceiver;

use super::attempt::JobRole;
use super::debug_shell::DebugShell;
use super::discarded::DiscardSummary;
use super::event_sink::EventSink;
use super::history::DiscoveryCoverage;
use super::history_recorder::HistoryRecorder;
use super::host::{DiscoveryEvent, DiscoveryHost, HelperAction, HelperJobs, discovery_host};
use super::machine::RunStateMachine;
use super::message::{RunEffect, RunInput};
use super::output_tail::OutputTail;
use super::trace;
use super::watch::FileWatcher;
use crate::log::ProgramLog;
use maelstrom_model::backend::{Backend, BackendEvent, JobId, JobPriority, StopMode};
use maelstrom_model::error::with_causes;
use maelstrom_model::event::{
    AttemptEvent, BuildEvent, EventKind, OutputStream, RoundEvent, TestEvent, UiCommand,
};
use maelstrom_model::exit_code;
use maelstrom_model::framework::{DiscoverySummary, Framework, ParsedOutput};
use maelstrom_model::ids::{Attempt, RunId, TestId};
use maelstrom_model::job::{Job, JobOutcome, JobResult};
use maelstrom_model::shared_process::SharedProcessBackend;
use maelstrom_model::variables;

use self::interruption::{RunLimit, inputs_of_limit, inputs_of_signal};
pub use self::setup::RunSetup;

/// How long the backend may take to remove its containers at the end of the run. Containers that
/// are left then are killed when the program exits; the wait only serves to report them.
const CLOSING_MAX: Duration = Duration::from_secs(10);

/// The priority of helper jobs: before all tests, because no test can start before it is found.
const HELPER_RANK: JobPriority = JobPriority {
    priority: i8::MAX,
    estimate: None,
};

/// Drives the run to its end and returns the program's exit code.
pub async fn drive<F: Framework, B: Backend>(setup: RunSetup<'_, F, B>) -> u8 {
    let RunSetup {
        mut wishes,
        run,
        partition,
        notices,
        framework,
        backend,
        outlet,
        log,
        shell,
        mut commands,
        mut interrupts,
        watching,
        limit,
        tells_run,
    } = setup;
    wishes.repeat.slots = backend.slots();
    let told_run = tells_run.then_some(run.run);
    let mut limit = RunLimit::start(limit);
    let (host, mut mail) = discovery_host();
    let mut sentinel = FileWatcher::new(watching, PathBuf::from(&run.directory));
    let directory = PathBuf::from(&run.directory);
    let mut driver = RunDriver {
        machine: RunStateMachine::new(wishes, run).with_partition(partition),
        framework,
        backend: SharedProcessBackend::new(backend),
        outlet,
        notebook: HistoryRecorder::default(),
        helpers: HelperJobs::default(),
        memories: BTreeMap::new(),
        wastage: DiscardSummary::default(),
        directory,
        shells: DebugShell::new(shell),
        log,
        alarm_us: None,
        told_run,
        end: None,
    };
    let mut discovery: DiscoveryFuture<'_, F> = Some(Box::pin(framework.discover(&host)));
    for notice in notices {
        driver.handle_input(RunInput::Fact(EventKind::Notice(notice)));
    }
    driver.run_effects((&host, &mut mail), &mut discovery);
    let mut watched = UiPresence::Yes;
    let exit_code = loop {
        if let Some(exit_code) = driver.end {
            break exit_code;
        }
        let alarm = driver.alarm();
        tokio::select! {
            biased;
            Some(interrupt) = interrupts.recv() => {
                tracing::debug!(?interrupt, "the run is to end");
                driver.handle_inputs(inputs_of_signal(driver.machine.state()));
            }
            notice = limit.reached() => {
                let inputs = inputs_of_limit(driver.machine.state(), notice);
                driver.handle_inputs(inputs);
            }
            // A closed channel is always ready: without the condition, the loop would never wait
            // again.
            command = commands.recv(), if watched == UiPresence::Yes => {
                if command.is_none() {
                    watched = UiPresence::No;
                }
                driver.handle_input(RunInput::Command(command.unwrap_or(UiCommand::Leave)));
            }
            Some(mail) = mail.recv() => driver.on_discovery_event(mail, &mut sentinel),
            input = sentinel.next(driver.machine.state()) => driver.handle_input(input),
            result = discovered::<F>(&mut discovery) => {
                discovery = None;
                // The machine accepts events about tests only until it gets the result of
                // discovery, so the events that the framework sent before are handled first.
                while let Ok(mail) = mail.try_recv() {
                    driver.on_discovery_event(mail, &mut sentinel);
                }
                driver.discovered(result);
            }
            () = alarm => {
                driver.alarm_us = None;
                driver.handle_input(RunInput::Woke);
            }
            event = driver.next_of_backend() => driver.on_backend_event(event),
        }
        driver.run_effects((&host, &mut mail), &mut discovery);
    };
    drop(discovery);
    if tokio::time::timeout(CLOSING_MAX, driver.backend.close())
        .await
        .is_err()
    {
        tracing::warn!("containers are still there after {CLOSING_MAX:?}");
    }
    exit_code
}

/// The running discovery. `None` when it has ended or was abandoned.
type DiscoveryFuture<'a, F> =
    Option<Pin<Box<dyn Future<Output = Result<DiscoverySummary, <F as Framework>::Error>> + 'a>>>;

async fn discovered<F: Framework>(
    discovery: &mut DiscoveryFuture<'_, F>,
) -> Result<DiscoverySummary, F::Error> {
    match discovery {
        Some(discovery) => discovery.await,
        None => pending().await,
    }
}

/// Returns whether files that tests see may have changed by this event.
fn changes_files(event: &EventKind) -> bool {
    matches!(
        event,
        EventKind::Build(BuildEvent::Progress { .. } | BuildEvent::Finished { .. })
            | EventKind::Round(RoundEvent::Started { .. })
    )
}

/// Whether the user interface still sends commands.
#[derive(Clone, Copy, PartialEq, Eq)]
enum UiPresence {
    Yes,
    No,
}

struct RunDriver<'a, F, B> {
    machine: RunStateMachine,
    framework: &'a F,
    backend: SharedProcessBackend<B>,
    outlet: EventSink,
    notebook: HistoryRecorder,
    helpers: HelperJobs,
    memories: BTreeMap<JobId, OutputTail>,
    wastage: DiscardSummary,
    /// The directory in which the program was started.
    directory: PathBuf,
    shells: DebugShell,
    log: &'a ProgramLog,
    /// When the machine is to be woken, in microseconds since the run began.
    alarm_us: Option<u64>,
    /// The id of the run, if tests get to know it.
    told_run: Option<RunId>,
    end: Option<u8>,
}

impl<'a, F: Framework, B: Backend> RunDriver<'a, F, B> {
    fn handle_input(&mut self, input: RunInput) {
        let now_us = self.outlet.now_us();
        if let Err(unexpected) = self.machine.handle(now_us, input) {
            // Commands and backend events may cross, so a late event is harmless.
            tracing::debug!(%unexpected, "left aside");
        }
    }

    /// Returns a future that is ready at the time of the alarm.
    fn alarm(&self) -> impl Future<Output = ()> + use<F, B> {
        let now_us = self.outlet.now_us();
        let wait = self.alarm_us.map(|at_us| at_us.saturating_sub(now_us));
        async move {
            match wait {
                Some(wait_us) => tokio::time::sleep(Duration::from_micros(wait_us)).await,
                None => pending().await,
            }
        }
    }

    fn handle_inputs(&mut self, inputs: impl IntoIterator<Item = RunInput>) {
        for input in inputs {
            self.handle_input(input);
        }
    }

    async fn next_of_backend(&mut self) -> BackendEvent {
        self.outlet.ready().await;
        self.backend.next().await
    }

    fn submit(&mut self, id: JobId, mut job: Job, rank: JobPriority) {
        if let JobRole::Attempt(test, _) = JobRole::of(id)
            && let Some(key) = self.machine.key(test)
        {
            if let Some(member) = self.framework.together(key) {
                return self.backend.submit_member(id, member, job, rank);
            }
            variables::add(&mut job, key, self.told_run);
        }
        self.backend.submit(id, job, rank);
    }

    fn on_backend_event(&mut self, event: BackendEvent) {
        match event {
            BackendEvent::Started { job, worker, slot } => match JobRole::of(job) {
                JobRole::Attempt(test, attempt) => {
                    trace::test_has_slot(job, slot, self.machine.key(test));
                    self.follow(job, test);
                    self.handle_input(RunInput::Started {
                        test,
                        attempt,
                        worker,
                        slot,
                    });
                }
                JobRole::Helper(_) => {}
            },
            BackendEvent::Output { job, stream, bytes } => match JobRole::of(job) {
                JobRole::Attempt(test, attempt) => {
                    let bytes = match self.memories.get_mut(&job) {
                        Some(OutputTail::Tails(tails)) => {
                            tails.push(stream, &bytes);
                            bytes
                        }
                        Some(OutputTail::Follower(follower)) => follower.wrote(stream, bytes),
                        None => bytes,
                    };
                    self.output((test, attempt), stream, bytes);
                }
                JobRole::Helper(_) => match self.helpers.wrote(job, stream, &bytes) {
                    HelperAction::GoOn => {}
                    HelperAction::Kill => self.backend.stop(job, StopMode::Kill),
                },
            },
            BackendEvent::Restarted { job, reason } => match JobRole::of(job) {
                JobRole::Attempt(test, attempt) => {
                    self.follow(job, test);
                    let text = format!("\n-- begins again: {reason} --\n");
                    self.output((test, attempt), OutputStream::Stderr, text.into());
                }
                JobRole::Helper(_) => self.helpers.restarted(job),
            },
            BackendEvent::Discarded { job, files } => match JobRole::of(job) {
                JobRole::Attempt(..) => {
                    let framework = self.framework;
                    self.wastage.add(files, |path| framework.is_own(path));
                }
                JobRole::Helper(_) => {}
            },
            BackendEvent::Finished { job, result } => match JobRole::of(job) {
                JobRole::Attempt(test, attempt) => {
                    let is_error = matches!(result.end, JobOutcome::Error(_));
                    // The parser of a test that could not be started has its end to report.
                    if is_error && !self.memories.contains_key(&job) {
                        self.follow(job, test);
                    }
                    let memory = self.memories.remove(&job).unwrap_or_default();
                    let ParsedOutput { held, reading } = self.read_end(&result, memory);
                    if let Some((stream, bytes)) = held {
                        self.output((test, attempt), stream, bytes);
                    }
                    self.handle_input(RunInput::Finished {
                        test,
                        attempt,
                        result,
                        reading,
                    });
                }
                JobRole::Helper(_) => self.helpers.finished(job, result),
            },
            BackendEvent::Worker(event) => self.handle_input(RunInput::Fact(event.into())),
            BackendEvent::Cluster(event) => self.handle_input(RunInput::Fact(event.into())),
            BackendEvent::Notice(notice) => self.handle_input(RunInput::Fact(notice.into())),
            BackendEvent::Lost(lost) => {
                let message = with_causes(&lost);
                self.helpers.lost(&message);
                // No `Finished` event of a job will follow that would remove these.
                self.memories.clear();
                let help = lost.help;
                self.handle_input(RunInput::BackendLost { message, help });
            }
        }
    }

    fn follow(&mut self, job: JobId, test: TestId) {
        let key = self.machine.key(test);
        let parser = key.and_then(|key| self.framework.follow(key));
        self.memories.insert(job, parser.into());
    }

    /// Passes on output of an attempt. It may be empty, because an output parser can hold back
    /// everything.
    fn output(&mut self, (test, attempt): (TestId, Attempt), stream: OutputStream, bytes: Vec<u8>) {
        if !bytes.is_empty() {
            self.handle_input(RunInput::Output {
                test,
                attempt,
                stream,
                bytes,
            });
        }
    }

    fn read_end(&self, result: &JobResult, memory: OutputTail) -> ParsedOutput {
        let status = match result.end {
            JobOutcome::TimedOut | JobOutcome::Cancelled | JobOutcome::Error(_) => None,
            JobOutcome::Exited(status) => Some(status),
        };
        match (memory, status) {
            (OutputTail::Follower(mut follower), status) => follower.ended(status),
            (OutputTail::Tails(_), None) => ParsedOutput::default(),
            (OutputTail::Tails(tails), Some(status)) => ParsedOutput {
                held: None,
                reading: self.framework.read(status, tails.stdout(), tails.stderr()),
            },
        }
    }

    /// Emits an event. Adds the shell command to a description, and sends a description with a
    /// shell command after a failure.
    fn emit(&mut self, mut event: EventKind) {
        let described = match &mut event {
            EventKind::Test(TestEvent::Described(description)) => {
                let job = self.machine.job(description.test);
                description.shell = job.and_then(|job| self.shells.command(job));
                None
            }
            EventKind::Attempt(AttemptEvent::Finished(finished))
                if exit_code::of_failure(&finished.outcome).is_some() =>
            {
                let job = self.machine.job(finished.test);
                job.and_then(|job| self.shells.describe_failure(finished.test, job))
            }
            _ => None,
        };
        // User interfaces print their summary when a round has ended, and these notices belong
        // there, so they come before the event.
        if let EventKind::Round(RoundEvent::Finished { .. }) = &event {
            let discarded = self.wastage.take_notice(&self.directory);
            for notice in discarded.into_iter().chain(self.framework.conclusions()) {
                self.outlet.emit(EventKind::Notice(notice));
            }
        }
        trace::trace_event(&event);
        self.outlet.emit(event);
        if let Some(description) = described {
            self.outlet
                .emit(TestEvent::Described(Box::new(description)));
        }
    }

    fn run_effects(
        &mut self,
        (host, mail): (&'a DiscoveryHost, &mut UnboundedReceiver<DiscoveryEvent>),
        discovery: &mut DiscoveryFuture<'a, F>,
    ) {
        while let Some(effect) = self.machine.poll() {
            match effect {
                RunEffect::Emit(event) => {
                    // The backend has to know before the next jobs are submitted, because these
                    // must not get a container with the old files.
                    if changes_files(&event) {
                        self.backend.files_changed();
                    }
                    self.emit(event);
                }
                RunEffect::Submit { id, job, rank } => self.submit(id, job, rank),
                RunEffect::Stop { id, how } => self.backend.stop(id, how),
                RunEffect::AbandonDiscovery => {
                    *discovery = None;
                    self.read_leftovers(mail);
                    self.notebook.discovery_is_over(DiscoveryCoverage::Partial);
                }
                RunEffect::Discover => *discovery = Some(Box::pin(self.framework.discover(host))),
                RunEffect::Hold => self.backend.hold(),
                RunEffect::Release => self.backend.release(),
                RunEffect::Suspend => self.backend.suspend(),
                RunEffect::Resume => self.backend.resume(),
                RunEffect::WakeAt { at_us } => self.alarm_us = at_us,
                RunEffect::Record {
                    test,
                    history,
                    stability,
                    cost,
                } => self.notebook.record(test, history, stability, cost),
                RunEffect::SaveHistory => {
                    // After the last round the machine is in `Over` and accepts nothing more, so
                    // the notice does not go through it.
                    if let Some(notice) = self.notebook.save(self.machine.tests()) {
                        self.outlet.emit(EventKind::Notice(notice));
                    }
                }
                RunEffect::End { exit_code } => self.end = Some(exit_code),
            }
        }
    }
}

#[cfg(test)]
mod tests;
