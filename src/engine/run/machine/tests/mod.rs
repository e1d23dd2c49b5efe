//! Tests the machine against a simulated backend: with random inputs, and in single scenarios.

mod failed_only;
mod following;
mod partition;
mod random;
mod repeats;
mod retries;
mod scenarios;

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::time::Duration;

use super::*;
use crate::run::attempt::JobRole;
use crate::run::message::{ChangedFiles, RepeatCount, RepeatPlan, RetryPlacement, RunMode};
use crate::schedule::{SlotScheduler, WithdrawResult};
use maelstrom_model::backend::{JobId, StopMode};
use maelstrom_model::event::{
    AttemptEvent, AttemptFinished, BackendInfo, ExitStatus, IsolationMode, OutputStream,
    PreviousOutcome, RoundEvent, RoundSummary, TestOutcome,
};
use maelstrom_model::framework::{BrokenEntry, DiscoverySummary, OutputAnalysis};
use maelstrom_model::ids::{RunId, WorkerId};
use maelstrom_model::job::{JobOutcome, JobResult, ResourceUsage, TestCase};
use maelstrom_model::testing;

/// A machine and a backend with two slots whose jobs follow the script.
struct World {
    machine: RunStateMachine,
    scheduler: SlotScheduler<()>,
    running: Vec<(JobId, Option<StopMode>)>,
    /// Events of the backend that have not arrived yet, oldest first.
    mail: VecDeque<RunInput>,
    now_us: u64,
    events: Vec<EventKind>,
    /// The outcome that the backend reported for each attempt.
    ends: BTreeMap<(TestId, Attempt), JobOutcome>,
    discovering: bool,
    found: u32,
    lost: bool,
    code: Option<u8>,
    /// The policy of all tests.
    policy: Arc<TestPolicy>,
    /// When the machine asks to be woken.
    alarm_us: Option<u64>,
    /// The jobs that were submitted.
    jobs: Vec<(JobId, Job)>,
}

fn wishes() -> RunOptions {
    RunOptions {
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
    }
}

fn run_started() -> RunStarted {
    RunStarted {
        schema: maelstrom_model::event::SCHEMA_VERSION,
        run: RunId(7),
        program: "cargo-maelstrom".into(),
        version: "1".into(),
        command: vec!["cargo-maelstrom".into()],
        directory: "/project".into(),
        started_unix_ms: 0,
        backend: BackendInfo::Local,
        isolation: IsolationMode::Container,
    }
}

fn test(number: u32) -> FoundTest {
    FoundTest {
        case: TestCase {
            key: TestKey {
                package: "p".into(),
                artifact: "p(library)".into(),
                name: format!("t{number}"),
            },
            title: format!("p t{number}"),
            ignored: (number % 7 == 6).then_some(IgnoredTest { reason: None }),
            job: testing::job(),
            policy: Default::default(),
            known: None,
        },
        priority: None,
        history: PreviousOutcome::New,
        estimate: None,
        group: None,
    }
}

fn broken(number: u32) -> BrokenEntry {
    BrokenEntry {
        key: TestKey {
            package: "p".into(),
            artifact: format!("b{number}(binary)").into(),
            name: String::new(),
        },
        title: format!("p b{number}"),
        message: "signal 11 while listing".into(),
        stdout: Vec::new(),
        stderr: b"core dumped".to_vec(),
        location: None,
    }
}

impl World {
    fn new(wishes: RunOptions) -> Self {
        let mut world = World {
            machine: RunStateMachine::new(wishes, run_started()),
            scheduler: SlotScheduler::new(2),
            running: Vec::new(),
            mail: VecDeque::new(),
            now_us: 0,
            events: Vec::new(),
            ends: BTreeMap::new(),
            discovering: true,
            found: 0,
            lost: false,
            code: None,
            policy: Arc::default(),
            alarm_us: None,
            jobs: Vec::new(),
        };
        world.run_effects();
        world
    }

    fn with_policy(wishes: RunOptions, policy: TestPolicy) -> Self {
        World {
            policy: Arc::new(policy),
            ..World::new(wishes)
        }
    }

    fn handle_input(&mut self, input: RunInput) -> Result<(), UnexpectedInputError> {
        self.now_us += 10;
        let (before, known) = (self.machine.state(), self.events.len());
        let answer = self.machine.handle(self.now_us, input);
        self.run_effects();
        if let RunState::Stopping | RunState::Killing = before {
            let of_round = self.events[known..].iter().take_while(|event| {
                !matches!(event, EventKind::Round(RoundEvent::Finished { .. }))
            });
            for event in of_round {
                let queued = matches!(event, EventKind::Attempt(AttemptEvent::Queued { .. }));
                assert!(!queued, "a stopped round starts an attempt");
            }
        }
        answer
    }

    /// Waits until the time at which the machine asks to be woken. Returns whether there is one.
    fn wake(&mut self) -> bool {
        let Some(at_us) = self.alarm_us.take() else {
            return false;
        };
        // `handle_input` adds ten.
        self.now_us = self.now_us.max(at_us.saturating_sub(10));
        self.handle_input(RunInput::Woke).unwrap();
        true
    }

    fn run_effects(&mut self) {
        while let Some(effect) = self.machine.poll() {
            match effect {
                RunEffect::Emit(event) => self.events.push(event),
                RunEffect::Submit { id, job, rank } if !self.lost => {
                    self.scheduler.enqueue(id, rank, ()).unwrap();
                    self.jobs.push((id, job));
                }
                RunEffect::WakeAt { at_us } => self.alarm_us = at_us,
                RunEffect::Submit { .. } => panic!("a job for a backend that is gone"),
                RunEffect::Stop { id, how } => self.stop(id, how),
                RunEffect::AbandonDiscovery => {
                    assert!(self.discovering, "abandoned twice");
                    self.discovering = false;
                }
                RunEffect::Discover => {
                    assert!(!self.discovering, "two discoveries");
                    self.discovering = true;
                    self.found = 0;
                }
                RunEffect::Hold => self.scheduler.hold(),
                RunEffect::Release => self.scheduler.release(),
                RunEffect::End { exit_code } => {
                    assert_eq!(self.code.replace(exit_code), None);
                }
                RunEffect::Suspend
                | RunEffect::Resume
                | RunEffect::Record { .. }
                | RunEffect::SaveHistory => {}
            }
        }
    }

    fn stop(&mut self, job: JobId, how: StopMode) {
        match self.scheduler.withdraw(job) {
            WithdrawResult::FromQueue(()) => self.post_end(job, JobOutcome::Cancelled),
            WithdrawResult::StillRunning { .. } => {
                for (running, stop) in &mut self.running {
                    if *running == job {
                        *stop = Some(how);
                    }
                }
            }
            WithdrawResult::Unknown => {}
        }
    }

    fn start(&mut self) {
        while let Some(start) = self.scheduler.start_next() {
            self.running.push((start.job, None));
            let (test, attempt) = which(start.job);
            self.mail.push_back(RunInput::Started {
                test,
                attempt,
                worker: WorkerId(0),
                slot: start.slot,
            });
        }
    }

    /// Writes output of the running job at `index`, modulo their number.
    fn write(&mut self, index: usize) {
        if self.running.is_empty() {
            return;
        }
        let (test, attempt) = which(self.running[index % self.running.len()].0);
        self.mail.push_back(RunInput::Output {
            test,
            attempt,
            stream: OutputStream::Stderr,
            bytes: b"hello".to_vec(),
        });
    }

    /// Ends the running job at `index`, modulo their number.
    fn end(&mut self, index: usize, end: JobOutcome) {
        if self.running.is_empty() {
            return;
        }
        let (job, stop) = self.running.remove(index % self.running.len());
        self.scheduler.finished(job).unwrap();
        self.post_end(job, stop.map_or(end, |_| JobOutcome::Cancelled));
    }

    fn post_end(&mut self, job: JobId, end: JobOutcome) {
        let (test, attempt) = which(job);
        assert_eq!(self.ends.insert((test, attempt), end.clone()), None);
        self.mail.push_back(RunInput::Finished {
            test,
            attempt,
            result: JobResult {
                end,
                usage: ResourceUsage::default(),
                prepared: Duration::ZERO,
                ran: Duration::from_millis(3),
                leaked: Default::default(),
            },
            reading: OutputAnalysis::default(),
        });
    }

    fn change(&mut self, path: &str) -> Result<(), UnexpectedInputError> {
        self.handle_input(RunInput::Changed(ChangedFiles {
            paths: vec![path.to_owned()],
            more: 0,
        }))
    }

    fn deliver(&mut self) {
        if let Some(input) = self.mail.pop_front() {
            self.handle_input(input).unwrap();
        }
    }

    fn find(&mut self, count: u32) {
        if self.discovering {
            let found = (self.found..self.found + count).map(|number| {
                let mut found = test(number);
                found.case.policy = Arc::clone(&self.policy);
                found
            });
            let tests = found.collect();
            self.found += count;
            self.handle_input(RunInput::Found(tests)).unwrap();
        }
    }

    fn find_broken(&mut self) {
        if self.discovering {
            let number = self.found;
            self.found += 1;
            self.handle_input(RunInput::Broken(broken(number))).unwrap();
        }
    }

    fn end_discovery(&mut self) {
        if self.discovering {
            self.discovering = false;
            let summary = DiscoverySummary::default();
            self.handle_input(RunInput::DiscoveryFinished(summary))
                .unwrap();
        }
    }

    fn fail_discovery(&mut self) {
        if self.discovering {
            self.discovering = false;
            self.handle_input(RunInput::DiscoveryFailed {
                exit_code: 101,
                message: "could not compile `p`".into(),
                help: None,
            })
            .unwrap();
        }
    }

    fn lose(&mut self) {
        if !self.lost && self.machine.state() != RunState::Over {
            self.lost = true;
            self.mail.clear();
            self.running.clear();
            self.scheduler = SlotScheduler::new(2);
            self.handle_input(RunInput::BackendLost {
                message: "the spawner died".into(),
                help: None,
            })
            .unwrap();
        }
    }

    /// Ends everything; every job that is not stopped passes.
    fn finish(&mut self) {
        self.end_discovery();
        let repeat = self.machine.wishes.repeat;
        if repeat.copies == RepeatCount::Endless && repeat.time.is_none() {
            let _ = self.handle_input(RunInput::Command(UiCommand::Cancel));
        }
        let _ = self.handle_input(RunInput::Command(UiCommand::Continue));
        let _ = self.handle_input(RunInput::Command(UiCommand::Resume));
        let _ = self.handle_input(RunInput::Command(UiCommand::Leave));
        loop {
            // A waiting change has started another round, and with it another discovery.
            self.end_discovery();
            self.start();
            self.end(0, JobOutcome::Exited(ExitStatus::Code(0)));
            if self.mail.is_empty() && !self.discovering && !self.wake() {
                break;
            }
            self.deliver();
        }
    }

    fn summaries(&self) -> Vec<RoundSummary> {
        self.events
            .iter()
            .filter_map(|event| match event {
                EventKind::Round(RoundEvent::Finished { round: _, summary }) => Some(*summary),
                _ => None,
            })
            .collect()
    }

    /// Returns the attempts that have ended, in this order.
    fn finished(&self) -> impl Iterator<Item = &AttemptFinished> {
        self.events.iter().filter_map(|event| match event {
            EventKind::Attempt(AttemptEvent::Finished(end)) => Some(&**end),
            _ => None,
        })
    }

    fn outcomes(&self) -> Vec<(u32, TestOutcome)> {
        let outcome = |end: &AttemptFinished| (end.test.0, end.outcome.clone());
        self.finished().map(outcome).collect()
    }
}

fn which(job: JobId) -> (TestId, Attempt) {
    match JobRole::of(job) {
        JobRole::Attempt(test, attempt) => (test, attempt),
        JobRole::Helper(_) => panic!("the machine has no helpers"),
    }
}

fn nth(number: u32) -> Option<NonZeroU32> {
    NonZeroU32::new(number)
}

fn times(number: u32) -> RepeatPlan {
    RepeatPlan {
        copies: RepeatCount::Times(NonZeroU32::new(number).unwrap()),
        ..RepeatPlan::ONCE
    }
}

fn passed() -> JobOutcome {
    JobOutcome::Exited(ExitStatus::Code(0))
}

fn failed() -> JobOutcome {
    JobOutcome::Exited(ExitStatus::Code(101))
}

/// Starts what can start, ends the first running job with this outcome, and delivers the events.
fn run_one(world: &mut World, end: JobOutcome) {
    world.start();
    world.end(0, end);
    while !world.mail.is_empty() {
        world.deliver();
    }
}
