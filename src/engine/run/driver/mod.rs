//! Drives one run: carries what happens to the machine, and does what the machine says.
//!
//! One task on a single-threaded runtime awaits one happening at a time, in this order of
//! precedence: signals, commands, the framework's mail, changed files, the discovery's end, the
//! backend. Everything
//! that is decided is decided in [`super::machine`].
//!
//! Owner of the state: [`drive`], for the length of the run. When it returns, nothing of the
//! backend is left.
//!
//! Absent on purpose: the tests' output, which passes through; only the end of what a running test
//! wrote is kept ([`super::tail`]).

use std::collections::BTreeMap;
use std::future::{Future, pending};
use std::path::PathBuf;
use std::pin::Pin;
use std::time::Duration;

use tokio::sync::mpsc::UnboundedReceiver;

use super::attempt::Role;
use super::chronicle;
use super::discarded::Wastage;
use super::history::{Coverage, Store};
use super::host::{Helpers, Mail, Mailbox, Verdict, mailbox};
use super::machine::{Machine, State};
use super::message::{Effect, Input, Wishes};
use super::notebook::Notebook;
use super::outlet::Outlet;
use super::shells::Shells;
use super::signals::Interrupt;
use super::tail::Memory;
use super::watch::{Sentinel, Watching};
use crate::log::Log;
use crate::together::Together;
use maelstrom_model::backend::{Backend, BackendEvent, JobId, Rank, Stop};
use maelstrom_model::error::with_causes;
use maelstrom_model::event::{Command, EventKind, Notice, RunStarted, Stream};
use maelstrom_model::exit_code;
use maelstrom_model::framework::{DiscoveryError, DiscoverySummary, Followed, Framework};
use maelstrom_model::ids::{Attempt, TestId};
use maelstrom_model::job::{Job, JobEnd, JobResult};

/// How long containers may take to vanish when the run is over. The program's own end kills what is
/// left then; waiting is only for telling so.
const CLOSING_MAX: Duration = Duration::from_secs(10);

/// Discovery's own jobs come before all tests: tests cannot start before they are found.
const HELPER_RANK: Rank = Rank {
    priority: i8::MAX,
    estimate: None,
};

/// Everything a run needs.
#[derive(Debug)]
pub struct Setup<'a, F, B> {
    /// What the user wants.
    pub wishes: Wishes,
    /// What is known at the start; told first.
    pub run: RunStarted,
    /// What the user should know from the start.
    pub notices: Vec<Notice>,
    /// What finds the tests.
    pub framework: &'a F,
    /// What runs them.
    pub backend: B,
    /// Where events go.
    pub outlet: Outlet,
    /// What the user interface asks for. When it is gone, nobody stays.
    pub commands: UnboundedReceiver<Command>,
    /// The program's log, which may want to know where the run's state is.
    pub log: &'a Log,
    /// The program that opens a shell in a test's container, where there is one.
    pub shell: Option<PathBuf>,
    /// Who else may end the run.
    pub interrupts: UnboundedReceiver<Interrupt>,
    /// Whether changed files begin rounds.
    pub watching: Watching,
}

/// Runs to the end, and returns the program's exit code.
pub async fn drive<F: Framework, B: Backend>(setup: Setup<'_, F, B>) -> u8 {
    let Setup {
        wishes,
        run,
        notices,
        framework,
        backend,
        outlet,
        log,
        shell,
        mut commands,
        mut interrupts,
        watching,
    } = setup;
    let (host, mut mail) = mailbox();
    let mut sentinel = Sentinel::new(watching, PathBuf::from(&run.directory));
    let directory = PathBuf::from(&run.directory);
    let mut driver = Driver {
        machine: Machine::new(wishes, run),
        framework,
        backend: Together::new(backend),
        outlet,
        notebook: Notebook::default(),
        helpers: Helpers::default(),
        memories: BTreeMap::new(),
        wastage: Wastage::default(),
        directory,
        shells: Shells::new(shell),
        log,
        end: None,
    };
    let mut discovery: Discovery<'_, F> = Some(Box::pin(framework.discover(&host)));
    for notice in notices {
        driver.tell(Input::Fact(EventKind::Notice(notice)));
    }
    driver.obey((&host, &mut mail), &mut discovery);
    let mut watched = Watched::Yes;
    let exit_code = loop {
        if let Some(exit_code) = driver.end {
            break exit_code;
        }
        tokio::select! {
            biased;
            Some(interrupt) = interrupts.recv() => driver.interrupt(interrupt),
            command = commands.recv(), if watched == Watched::Yes => {
                if command.is_none() {
                    watched = Watched::No;
                }
                driver.tell(Input::Command(command.unwrap_or(Command::Leave)));
            }
            Some(mail) = mail.recv() => driver.read(mail, &mut sentinel),
            input = sentinel.next(driver.machine.state()) => driver.tell(input),
            result = discovered::<F>(&mut discovery) => {
                discovery = None;
                while let Ok(mail) = mail.try_recv() {
                    driver.read(mail, &mut sentinel);
                }
                driver.discovered(result);
            }
            event = driver.next_of_backend() => driver.hear(event),
        }
        driver.obey((&host, &mut mail), &mut discovery);
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

/// `None` when it is over or abandoned.
type Discovery<'a, F> =
    Option<Pin<Box<dyn Future<Output = Result<DiscoverySummary, <F as Framework>::Error>> + 'a>>>;

async fn discovered<F: Framework>(
    discovery: &mut Discovery<'_, F>,
) -> Result<DiscoverySummary, F::Error> {
    match discovery {
        Some(discovery) => discovery.await,
        None => pending().await,
    }
}

/// Whether an event means that the files that tests see may be others than before.
fn changes_files(event: &EventKind) -> bool {
    matches!(
        event,
        EventKind::BuildProgress { .. }
            | EventKind::BuildFinished { .. }
            | EventKind::RoundStarted { .. }
    )
}

/// Whether a user interface is there to send commands.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Watched {
    Yes,
    No,
}

struct Driver<'a, F, B> {
    machine: Machine,
    framework: &'a F,
    backend: Together<B>,
    outlet: Outlet,
    notebook: Notebook,
    helpers: Helpers,
    memories: BTreeMap<JobId, Memory>,
    wastage: Wastage,
    /// Where the program was called.
    directory: PathBuf,
    shells: Shells,
    log: &'a Log,
    end: Option<u8>,
}

impl<'a, F: Framework, B: Backend> Driver<'a, F, B> {
    fn tell(&mut self, input: Input) {
        let now_us = self.outlet.now_us();
        if let Err(unexpected) = self.machine.handle(now_us, input) {
            // Commands and the backend's news cross each other; what comes too late is no harm.
            tracing::debug!(%unexpected, "left aside");
        }
    }

    async fn next_of_backend(&mut self) -> BackendEvent {
        self.outlet.ready().await;
        self.backend.next().await
    }

    fn interrupt(&mut self, interrupt: Interrupt) {
        tracing::debug!(?interrupt, "the run is to end");
        match self.machine.state() {
            State::Open | State::Closed => self.tell(Input::Command(Command::Cancel)),
            State::Stopping | State::Killing => self.tell(Input::Command(Command::Kill)),
            State::Idle | State::Over => {}
        }
        self.tell(Input::Command(Command::Leave));
    }

    fn read(&mut self, mail: Mail, sentinel: &mut Sentinel) {
        match mail {
            Mail::Event(event) => self.tell(Input::Fact(event)),
            Mail::StateDirectory(directory) => {
                self.log.keep_in(&directory);
                self.shells.keep_jobs_in(directory.join("jobs"));
                if let Some(notice) = self.notebook.open(Store::new(&directory)) {
                    self.tell(Input::Fact(EventKind::Notice(notice)));
                }
            }
            Mail::Watch(list) => {
                if let Some(input) = sentinel.watch(list) {
                    self.tell(input);
                }
            }
            Mail::Found { tests, priority } => {
                let tests = tests.into_iter();
                let tests = tests.map(|test| self.notebook.look_up(test, priority));
                let tests = tests.collect();
                self.tell(Input::Found(tests));
            }
            Mail::Broken(entry) => self.tell(Input::Broken(entry)),
            Mail::Run { id, job, reply } => {
                chronicle::helper_waits(id, &job);
                self.helpers.began(id, reply);
                self.backend.submit(id, job, HELPER_RANK);
            }
            Mail::StopAfter(failures) => self.machine.stop_after(failures),
            Mail::Forget(id) => self.forget(id),
        }
    }

    fn submit(&mut self, id: JobId, job: Job, rank: Rank) {
        let member = match Role::of(id) {
            Role::Attempt(test, _) => {
                let key = self.machine.key(test);
                key.and_then(|key| self.framework.together(key))
            }
            Role::Helper(_) => None,
        };
        match member {
            Some(member) => self.backend.submit_member(id, member, job, rank),
            None => self.backend.submit(id, job, rank),
        }
    }

    fn forget(&mut self, helper: JobId) {
        if self.helpers.forget(helper) {
            self.backend.stop(helper, Stop::Kill);
        }
    }

    fn discovered(&mut self, result: Result<DiscoverySummary, F::Error>) {
        let (coverage, input) = match result {
            Ok(summary) => (
                match summary.deselected {
                    0 => Coverage::Whole,
                    _ => Coverage::Partial,
                },
                Input::DiscoveryFinished(summary),
            ),
            Err(error) => (
                Coverage::Partial,
                Input::DiscoveryFailed {
                    exit_code: error.exit_code(),
                    message: with_causes(&error),
                    help: error.help(),
                },
            ),
        };
        self.notebook.discovery_is_over(coverage);
        self.tell(input);
    }

    fn hear(&mut self, event: BackendEvent) {
        match event {
            BackendEvent::Started { job, worker, slot } => match Role::of(job) {
                Role::Attempt(test, attempt) => {
                    chronicle::test_has_slot(job, slot, self.machine.key(test));
                    let memory = self.memory(test);
                    self.memories.insert(job, memory);
                    self.tell(Input::Started {
                        test,
                        attempt,
                        worker,
                        slot,
                    });
                }
                Role::Helper(_) => {}
            },
            BackendEvent::Output { job, stream, bytes } => match Role::of(job) {
                Role::Attempt(test, attempt) => {
                    let bytes = match self.memories.get_mut(&job) {
                        Some(Memory::Tails(tails)) => {
                            tails.push(stream, &bytes);
                            bytes
                        }
                        Some(Memory::Follower(follower)) => follower.wrote(stream, bytes),
                        None => bytes,
                    };
                    self.output((test, attempt), stream, bytes);
                }
                Role::Helper(_) => match self.helpers.wrote(job, stream, &bytes) {
                    Verdict::GoOn => {}
                    Verdict::Kill => self.backend.stop(job, Stop::Kill),
                },
            },
            BackendEvent::Restarted { job, reason } => match Role::of(job) {
                Role::Attempt(test, attempt) => {
                    let memory = self.memory(test);
                    self.memories.insert(job, memory);
                    let text = format!("\n-- begins again: {reason} --\n");
                    self.output((test, attempt), Stream::Stderr, text.into());
                }
                Role::Helper(_) => self.helpers.restarted(job),
            },
            BackendEvent::Discarded { job, files } => match Role::of(job) {
                Role::Attempt(..) => {
                    let framework = self.framework;
                    self.wastage.add(files, |path| framework.is_own(path));
                }
                Role::Helper(_) => {}
            },
            BackendEvent::Finished { job, result } => match Role::of(job) {
                Role::Attempt(test, attempt) => {
                    let memory = self.memories.remove(&job).unwrap_or_default();
                    let Followed { held, reading } = self.read_end(&result, memory);
                    if let Some((stream, bytes)) = held {
                        self.output((test, attempt), stream, bytes);
                    }
                    self.tell(Input::Finished {
                        test,
                        attempt,
                        result,
                        reading,
                    });
                }
                Role::Helper(_) => self.helpers.finished(job, result),
            },
            BackendEvent::Fact(event) => self.tell(Input::Fact(event)),
            BackendEvent::Lost(lost) => {
                let message = with_causes(&lost);
                self.helpers.lost(&message);
                self.memories.clear();
                let help = lost.help;
                self.tell(Input::BackendLost { message, help });
            }
        }
    }

    fn memory(&self, test: TestId) -> Memory {
        let key = self.machine.key(test);
        key.and_then(|key| self.framework.follow(key))
            .map_or_else(Memory::default, Memory::Follower)
    }

    /// A follower may have kept everything to itself.
    fn output(&mut self, (test, attempt): (TestId, Attempt), stream: Stream, bytes: Vec<u8>) {
        if !bytes.is_empty() {
            self.tell(Input::Output {
                test,
                attempt,
                stream,
                bytes,
            });
        }
    }

    fn read_end(&self, result: &JobResult, memory: Memory) -> Followed {
        let status = match result.end {
            JobEnd::TimedOut | JobEnd::Cancelled | JobEnd::Error(_) => None,
            JobEnd::Exited(status) => Some(status),
        };
        match (memory, status) {
            (Memory::Follower(mut follower), status) => follower.ended(status),
            (Memory::Tails(_), None) => Followed::default(),
            (Memory::Tails(tails), Some(status)) => Followed {
                held: None,
                reading: self.framework.read(status, tails.stdout(), tails.stderr()),
            },
        }
    }

    /// Drops what an abandoned discovery had to say of tests. Jobs of which nobody awaits the end
    /// are not even begun.
    fn read_leftovers(&mut self, mail: &mut UnboundedReceiver<Mail>) {
        while let Ok(mail) = mail.try_recv() {
            match mail {
                Mail::Event(event) => self.tell(Input::Fact(event)),
                Mail::Forget(id) => self.forget(id),
                Mail::StateDirectory(_)
                | Mail::StopAfter(_)
                | Mail::Watch(_)
                | Mail::Found { .. }
                | Mail::Broken(_)
                | Mail::Run { .. } => {}
            }
        }
    }

    /// Emits an event; one about a failure or a test's job is completed by the command that opens a
    /// shell in its container.
    fn emit(&mut self, mut event: EventKind) {
        let described = match &mut event {
            EventKind::Described(description) => {
                let job = self.machine.job(description.test);
                description.shell = job.and_then(|job| self.shells.command(job));
                None
            }
            EventKind::Finished(finished) if exit_code::of_failure(&finished.outcome).is_some() => {
                let job = self.machine.job(finished.test);
                job.and_then(|job| self.shells.describe_failure(finished.test, job))
            }
            _ => None,
        };
        if let EventKind::RoundFinished { .. } = &event {
            let discarded = self.wastage.tell(&self.directory);
            for notice in discarded.into_iter().chain(self.framework.conclusions()) {
                self.outlet.emit(EventKind::Notice(notice));
            }
        }
        chronicle::tell(&event);
        self.outlet.emit(event);
        if let Some(description) = described {
            self.outlet
                .emit(EventKind::Described(Box::new(description)));
        }
    }

    fn obey(
        &mut self,
        (host, mail): (&'a Mailbox, &mut UnboundedReceiver<Mail>),
        discovery: &mut Discovery<'a, F>,
    ) {
        while let Some(effect) = self.machine.poll() {
            match effect {
                Effect::Emit(event) => {
                    if changes_files(&event) {
                        self.backend.files_changed();
                    }
                    self.emit(event);
                }
                Effect::Submit { id, job, rank } => self.submit(id, job, rank),
                Effect::Stop { id, how } => self.backend.stop(id, how),
                Effect::AbandonDiscovery => {
                    *discovery = None;
                    self.read_leftovers(mail);
                    self.notebook.discovery_is_over(Coverage::Partial);
                }
                Effect::Discover => *discovery = Some(Box::pin(self.framework.discover(host))),
                Effect::Hold => self.backend.hold(),
                Effect::Release => self.backend.release(),
                Effect::Suspend => self.backend.suspend(),
                Effect::Resume => self.backend.resume(),
                Effect::Record { test, history, ran } => self.notebook.record(test, history, ran),
                Effect::SaveHistory => {
                    if let Some(notice) = self.notebook.save(self.machine.tests()) {
                        self.outlet.emit(EventKind::Notice(notice));
                    }
                }
                Effect::End { exit_code } => self.end = Some(exit_code),
            }
        }
    }
}

#[cfg(test)]
mod tests;
