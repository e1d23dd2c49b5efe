//! Tests the machine against a simulated backend, with random inputs.

mod failed_only;
mod following;
mod scenarios;

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::run::attempt::JobRole;
use crate::run::message::{ChangedFiles, RunMode};
use crate::schedule::{SlotScheduler, WithdrawResult};
use maelstrom_model::backend::{JobId, StopMode};
use maelstrom_model::event::{
    AttemptEvent, BackendInfo, ExitStatus, IsolationMode, OutputStream, PreviousOutcome,
    RoundEvent, RoundSummary, TestOutcome,
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
}

fn wishes() -> RunOptions {
    RunOptions {
        errand: RunMode::Run,
        history: HistoryFilter::All,
        repeat: NonZeroU32::MIN,
        stop_after: None,
        at_end: AtEnd::Leave,
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
        },
        priority: None,
        history: PreviousOutcome::New,
        estimate: None,
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
        };
        world.run_effects();
        world
    }

    fn handle_input(&mut self, input: RunInput) -> Result<(), UnexpectedInputError> {
        self.now_us += 10;
        let answer = self.machine.handle(self.now_us, input);
        self.run_effects();
        answer
    }

    fn run_effects(&mut self) {
        while let Some(effect) = self.machine.poll() {
            match effect {
                RunEffect::Emit(event) => self.events.push(event),
                RunEffect::Submit { id, job: _, rank } if !self.lost => {
                    self.scheduler.enqueue(id, rank, ()).unwrap();
                }
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
            let tests = (self.found..self.found + count).map(test).collect();
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
        let _ = self.handle_input(RunInput::Command(UiCommand::Resume));
        let _ = self.handle_input(RunInput::Command(UiCommand::Leave));
        loop {
            // A waiting change has started another round, and with it another discovery.
            self.end_discovery();
            self.start();
            self.end(0, JobOutcome::Exited(ExitStatus::Code(0)));
            if self.mail.is_empty() && !self.discovering {
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

    fn outcomes(&self) -> Vec<(u32, TestOutcome)> {
        self.events
            .iter()
            .filter_map(|event| match event {
                EventKind::Attempt(AttemptEvent::Finished(end)) => {
                    Some((end.test.0, end.outcome.clone()))
                }
                _ => None,
            })
            .collect()
    }
}

fn which(job: JobId) -> (TestId, Attempt) {
    match JobRole::of(job) {
        JobRole::Attempt(test, attempt) => (test, attempt),
        JobRole::Helper(_) => panic!("the machine has no helpers"),
    }
}

#[derive(Clone, Debug)]
enum Step {
    Find(u32),
    FindBroken,
    EndDiscovery,
    FailDiscovery,
    Start,
    Write(usize),
    End(usize, JobOutcome),
    Deliver,
    Lose,
    Watch,
    Unwatch,
    Change,
    Command(UiCommand),
}

fn end() -> impl Strategy<Value = JobOutcome> {
    prop_oneof![
        4 => Just(JobOutcome::Exited(ExitStatus::Code(0))),
        2 => Just(JobOutcome::Exited(ExitStatus::Code(101))),
        1 => Just(JobOutcome::TimedOut),
        1 => Just(JobOutcome::Error("mount proc on /proc: EPERM".into())),
    ]
}

fn command() -> impl Strategy<Value = UiCommand> {
    let some_test = (0u32..9).prop_map(TestId);
    prop_oneof![
        3 => prop::collection::vec((0u32..9).prop_map(TestId), 0..4)
            .prop_map(|tests| UiCommand::Rerun { tests }),
        2 => some_test.prop_map(|test| UiCommand::CancelTest { test }),
        1 => Just(UiCommand::Cancel),
        1 => Just(UiCommand::Kill),
        1 => Just(UiCommand::Pause),
        2 => Just(UiCommand::Resume),
        1 => Just(UiCommand::Describe { test: TestId(1) }),
        1 => Just(UiCommand::Suspend),
        1 => Just(UiCommand::Continue),
        1 => Just(UiCommand::Leave),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (0u32..4).prop_map(Step::Find),
        1 => Just(Step::FindBroken),
        2 => Just(Step::EndDiscovery),
        1 => Just(Step::FailDiscovery),
        8 => Just(Step::Start),
        3 => any::<usize>().prop_map(Step::Write),
        8 => (any::<usize>(), end()).prop_map(|(index, end)| Step::End(index, end)),
        16 => Just(Step::Deliver),
        1 => Just(Step::Lose),
        1 => Just(Step::Watch),
        1 => Just(Step::Unwatch),
        2 => Just(Step::Change),
        3 => command().prop_map(Step::Command),
    ]
}

fn any_wishes() -> impl Strategy<Value = RunOptions> {
    let stop_after = prop::option::weighted(0.3, 1u32..3);
    let at_end = prop::sample::select(vec![AtEnd::Leave, AtEnd::Stay, AtEnd::Watch]);
    let history = prop::sample::select(vec![HistoryFilter::All, HistoryFilter::Failed]);
    let parts = (1u32..3, stop_after, at_end, history);
    parts.prop_map(|(repeat, stop_after, at_end, history)| RunOptions {
        history,
        repeat: NonZeroU32::new(repeat).unwrap(),
        stop_after: stop_after.and_then(NonZeroU32::new),
        at_end,
        ..wishes()
    })
}

fn play(wishes: RunOptions, steps: &[Step]) -> World {
    let mut world = World::new(wishes);
    for step in steps {
        match step.clone() {
            Step::Find(count) => world.find(count),
            Step::FindBroken => world.find_broken(),
            Step::EndDiscovery => world.end_discovery(),
            Step::FailDiscovery => world.fail_discovery(),
            Step::Start => world.start(),
            Step::Write(index) => world.write(index),
            Step::End(index, end) => world.end(index, end),
            Step::Deliver => world.deliver(),
            Step::Lose => world.lose(),
            // File events may also arrive too late.
            Step::Watch => drop(world.handle_input(RunInput::Watched { directories: 1 })),
            Step::Unwatch => drop(world.handle_input(RunInput::Unwatched {
                message: "it vanished".into(),
                help: None,
            })),
            Step::Change => drop(world.change("src/lib.rs")),
            // A command may come at any time; an invalid one changes nothing.
            Step::Command(command) => drop(world.handle_input(RunInput::Command(command))),
        }
    }
    world.finish();
    world
}

proptest! {
    /// Invariant 3, and the rules of the event stream.
    #[test]
    fn every_run_keeps_the_rules(
        wishes in any_wishes(),
        steps in prop::collection::vec(step(), 0..150),
    ) {
        let world = play(wishes, &steps);
        testing::check_stream(&world.events).map_err(TestCaseError::fail)?;
        prop_assert_eq!(world.machine.state(), RunState::Over);
        prop_assert!(world.code.is_some());
        for event in &world.events {
            let EventKind::Attempt(AttemptEvent::Finished(finished)) = event else { continue };
            let told = match &finished.outcome {
                TestOutcome::Ignored { .. } => continue,
                TestOutcome::Passed => Some(JobOutcome::Exited(ExitStatus::Code(0))),
                TestOutcome::Failed { exit, reason: _ } => exit.map(JobOutcome::Exited),
                TestOutcome::TimedOut { .. } => Some(JobOutcome::TimedOut),
                TestOutcome::Cancelled => Some(JobOutcome::Cancelled),
                TestOutcome::Error { message } if message == "signal 11 while listing" => continue,
                TestOutcome::Error { message } => Some(JobOutcome::Error(message.clone())),
            };
            let said = world.ends.get(&(finished.test, finished.attempt));
            // An attempt whose end the lost backend did not report is an error or was never
            // started.
            if !world.lost {
                prop_assert_eq!(told.as_ref(), said);
            } else if let (Some(JobOutcome::Exited(_) | JobOutcome::TimedOut), told) = (&told, &told) {
                prop_assert_eq!(told.as_ref(), said);
            }
        }
    }

    /// Invariant 6: the same calls return the same results.
    #[test]
    fn the_same_happenings_give_the_same_run(
        wishes in any_wishes(),
        steps in prop::collection::vec(step(), 0..80),
    ) {
        prop_assert_eq!(play(wishes, &steps).events, play(wishes, &steps).events);
    }

    /// Invariant 10: a recording contains everything in the event stream.
    #[test]
    fn the_stream_survives_being_recorded(steps in prop::collection::vec(step(), 0..60)) {
        for kind in play(wishes(), &steps).events {
            let event = maelstrom_model::event::Event { at_us: 1, kind };
            let line = serde_json::to_string(&event).unwrap();
            let read: maelstrom_model::event::Event = serde_json::from_str(&line).unwrap();
            prop_assert_eq!(read, event);
        }
    }
}
