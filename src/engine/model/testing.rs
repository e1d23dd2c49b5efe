//! Test helpers shared by all crates: a job, and a checker for the rules of the event stream.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::path::Path;
use std::sync::Arc;

use proptest::prelude::*;

use super::event::{
    AttemptEvent, AttemptTimings, EventKind, RoundCause, RoundEvent, RoundSummary, RunEvent,
    TestEvent, TestOutcome, WatchEvent, untrusted_text,
};
use super::ids::{Attempt, TestId};
use super::job::{
    ContainerSpec, Job, NetworkMode, OutputPipes, PlacementConstraint, PrivilegeLevel, ProcessSpec,
    RootKind,
};

/// Returns a job that runs `true` with default settings.
pub fn job() -> Job {
    job_of("true", &[])
}

/// Returns a job that runs this program.
pub fn job_of(program: &str, arguments: &[&str]) -> Job {
    Job {
        placement: PlacementConstraint::Here,
        container: Arc::new(ContainerSpec {
            root: RootKind::Skeleton(Vec::new()),
            mounts: Vec::new(),
            network: NetworkMode::Loopback,
            hostname: "localhost".into(),
            user: 0,
            group: 0,
            privileges: PrivilegeLevel::Ordinary,
            services: Vec::new(),
            devices: Vec::new(),
        }),
        process: Arc::new(ProcessSpec {
            program: AsRef::<std::ffi::OsStr>::as_ref(program).into(),
            arguments: arguments.iter().map(OsString::from).collect(),
            environment: Arc::new(BTreeMap::from([(
                OsString::from("PATH"),
                OsString::from("/usr/bin:/bin"),
            )])),
            working_directory: Path::new("/").into(),
        }),
        resident: None,
        timeout: None,
        output: OutputPipes::Separate,
        grace: None,
        needs: Default::default(),
        additions: Default::default(),
    }
}

#[derive(Debug, PartialEq)]
enum Phase {
    /// It wrote output before any `Queued`, and can only end as an error.
    Broken,
    Queued,
    Started,
    Finished,
}

/// Checks a whole run's events against the rules in the documentation of [`super::event`].
pub fn check_stream(events: &[EventKind]) -> Result<(), String> {
    let mut checker = Checker::default();
    for (index, event) in events.iter().enumerate() {
        checker
            .take(index, event)
            .map_err(|problem| format!("event {index}, {event:?}: {problem}"))?;
    }
    match events.last() {
        Some(EventKind::Run(RunEvent::Finished { .. })) => Ok(()),
        Some(other) => Err(format!("the last event is {other:?}")),
        None => Err("no event at all".into()),
    }
}

#[derive(Default)]
struct Checker {
    tests: u32,
    attempts: BTreeMap<(TestId, Attempt), Phase>,
    in_round: BTreeSet<TestId>,
    /// Whether this round discovers all tests again.
    anew: bool,
    /// Whether a change was reported for which no round has begun yet.
    changed: bool,
    /// The tests found since the last complete discovery began.
    found: BTreeSet<TestId>,
    gone: BTreeSet<TestId>,
    round: Option<u32>,
    rounds: u32,
    over: bool,
}

impl Checker {
    fn take(&mut self, index: usize, event: &EventKind) -> Result<(), String> {
        ensure(!self.over, "after the last")?;
        let first = matches!(event, EventKind::Run(RunEvent::Started(_)));
        ensure(first == (index == 0), "RunStarted is first and only first")?;
        match event {
            EventKind::Test(TestEvent::Discovered { tests }) => {
                for test in tests {
                    let again = self.anew && test.test.0 < self.tests;
                    ensure(again || test.test.0 == self.tests, "ids are dense")?;
                    ensure(!self.gone.contains(&test.test), "what is gone stays gone")?;
                    ensure(self.found.insert(test.test), "found once a round")?;
                    self.tests = self.tests.max(test.test.0 + 1);
                }
                Ok(())
            }
            EventKind::Test(TestEvent::Vanished { tests }) => {
                ensure(self.anew, "tests vanish where all are looked for again")?;
                for test in tests {
                    ensure(test.0 < self.tests, "discovered first")?;
                    ensure(!self.found.contains(test), "what was found is there")?;
                    ensure(self.gone.insert(*test), "vanished once")?;
                }
                Ok(())
            }
            EventKind::Watch(WatchEvent::FilesChanged { .. }) => {
                self.changed = true;
                Ok(())
            }
            EventKind::Watch(WatchEvent::AwaitingChange { .. }) => {
                ensure(self.round.is_none(), "it is awaited between rounds")
            }
            EventKind::Round(RoundEvent::Started { round, cause }) => {
                self.anew = *cause == RoundCause::Watch;
                if self.anew {
                    let told = std::mem::take(&mut self.changed);
                    ensure(told, "it is told what changed")?;
                    self.found.clear();
                }
                ensure(self.round.is_none(), "rounds do not overlap")?;
                self.rounds += 1;
                ensure(*round == self.rounds, "rounds count from 1")?;
                self.round = Some(*round);
                self.in_round.clear();
                Ok(())
            }
            EventKind::Round(RoundEvent::Finished { round, summary }) => {
                ensure(self.round.take() == Some(*round), "a round ends once")?;
                ensure(
                    self.attempts
                        .values()
                        .all(|phase| *phase == Phase::Finished),
                    "no attempt is left when its round ends",
                )?;
                ensure(
                    total(summary) as usize == self.in_round.len(),
                    "the summary counts each test of the round once",
                )
            }
            EventKind::Attempt(AttemptEvent::Queued { test, attempt, .. }) => {
                ensure(self.round.is_some(), "attempts belong to rounds")?;
                ensure(test.0 < self.tests, "discovered first")?;
                ensure(!self.gone.contains(test), "what is gone is not run")?;
                self.in_round.insert(*test);
                let before = self.attempts.insert((*test, *attempt), Phase::Queued);
                ensure(before.is_none(), "queued once")
            }
            EventKind::Attempt(AttemptEvent::Started { test, attempt, .. }) => {
                self.step(*test, *attempt, &[Phase::Queued], Phase::Started)
            }
            EventKind::Attempt(AttemptEvent::Output { test, attempt, .. })
                if !self.attempts.contains_key(&(*test, *attempt)) =>
            {
                ensure(test.0 < self.tests, "discovered first")?;
                self.attempts.insert((*test, *attempt), Phase::Broken);
                Ok(())
            }
            EventKind::Attempt(AttemptEvent::Output { test, attempt, .. })
                if self.attempts.get(&(*test, *attempt)) == Some(&Phase::Broken) =>
            {
                Ok(())
            }
            EventKind::Attempt(
                AttemptEvent::Output { test, attempt, .. }
                | AttemptEvent::Slow { test, attempt, .. }
                | AttemptEvent::Subtest { test, attempt, .. },
            ) => self.step(*test, *attempt, &[Phase::Started], Phase::Started),
            EventKind::Attempt(AttemptEvent::Finished(end)) => {
                ensure(self.round.is_some(), "attempts belong to rounds")?;
                ensure(end.test.0 < self.tests, "discovered first")?;
                self.in_round.insert(end.test);
                match &end.outcome {
                    TestOutcome::Ignored { .. } => {
                        let key = (end.test, end.attempt);
                        let before = self.attempts.insert(key, Phase::Finished);
                        ensure(
                            matches!(before, None | Some(Phase::Started)),
                            "an ignored test is not run, or decides so itself",
                        )
                    }
                    TestOutcome::Error { .. }
                        if !self.attempts.contains_key(&(end.test, end.attempt)) =>
                    {
                        let key = (end.test, end.attempt);
                        self.attempts.insert(key, Phase::Finished);
                        Ok(())
                    }
                    TestOutcome::Error { .. } => self.step(
                        end.test,
                        end.attempt,
                        &[Phase::Broken, Phase::Queued, Phase::Started],
                        Phase::Finished,
                    ),
                    TestOutcome::Cancelled => self.step(
                        end.test,
                        end.attempt,
                        &[Phase::Queued, Phase::Started],
                        Phase::Finished,
                    ),
                    // The build has determined the result.
                    TestOutcome::Passed | TestOutcome::Failed { .. }
                        if end.timings == AttemptTimings::default()
                            && self.is_unrun((end.test, end.attempt)) =>
                    {
                        let key = (end.test, end.attempt);
                        self.attempts.insert(key, Phase::Finished);
                        Ok(())
                    }
                    TestOutcome::Passed
                    | TestOutcome::Failed { .. }
                    | TestOutcome::TimedOut { .. } => {
                        self.step(end.test, end.attempt, &[Phase::Started], Phase::Finished)
                    }
                }
            }
            EventKind::Run(RunEvent::Finished { .. }) => {
                self.over = true;
                ensure(self.round.is_none(), "the run ends between rounds")
            }
            _ => Ok(()),
        }
    }

    /// Returns whether an attempt has had no event, or only output.
    fn is_unrun(&self, attempt: (TestId, Attempt)) -> bool {
        matches!(self.attempts.get(&attempt), None | Some(Phase::Broken))
    }

    fn step(
        &mut self,
        test: TestId,
        attempt: Attempt,
        from: &[Phase],
        to: Phase,
    ) -> Result<(), String> {
        let phase = self.attempts.get_mut(&(test, attempt));
        let phase = phase.ok_or("an attempt nobody queued")?;
        ensure(
            from.contains(phase),
            "attempts go queued, started, finished",
        )?;
        *phase = to;
        Ok(())
    }
}

fn total(summary: &RoundSummary) -> u32 {
    let RoundSummary {
        passed,
        failed,
        timed_out,
        errors,
        ignored,
        cancelled,
        not_run,
        cached: _,
        flaky: _,
        flaky_passed: _,
        duration_us: _,
    } = *summary;
    passed + failed + timed_out + errors + ignored + cancelled + not_run
}

fn ensure(holds: bool, rule: &str) -> Result<(), String> {
    if holds { Ok(()) } else { Err(rule.to_owned()) }
}

/// Generates texts with hostile characters, and any others.
pub fn hostile_text() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        Just("\n".to_owned()),
        Just("\r\n".to_owned()),
        Just("\u{1b}[2J\u{1b}]0;title\u{7}".to_owned()),
        Just("\u{9b}31m".to_owned()),
        Just("\u{85}\u{2028}\u{2029}".to_owned()),
        Just("\u{202e}\u{2066}\u{200f}\u{61c}".to_owned()),
        Just("\u{200b}\u{200d}\u{feff}\u{e0041}".to_owned()),
        Just("\t\0\u{7f}".to_owned()),
        any::<char>().prop_map(String::from),
        "[a-z ]{0,8}",
    ];
    proptest::collection::vec(piece, 0..8).prop_map(|pieces| pieces.concat())
}

/// Asserts that a text is one line without hostile characters.
#[track_caller]
pub fn assert_clean(line: &str) {
    let hostile = line
        .chars()
        .find(|c| untrusted_text::is_hostile(*c) || untrusted_text::is_joiner(*c));
    assert_eq!(hostile, None, "in {}", line.escape_debug());
}
