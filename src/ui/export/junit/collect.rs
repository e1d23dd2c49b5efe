//! Collects the events of a run for a report. The only side effect is the log store's spool file.

use std::collections::BTreeMap;

use crate::log::{BUILD_LOG, LogStore};
use crate::report::PassingOutputDisplay;
use maelstrom_model::event::{
    AttemptEvent, AttemptFinished, BuildEvent, Event, EventKind, NoticeSeverity, RoundCause,
    RoundEvent, RunEvent, RunStarted, TestEvent, TestInfo, TestOutcome, WorkerStatusEvent,
};
use maelstrom_model::ids::{Attempt, TestId, WorkerId};

use super::super::names::ReportNames;

/// The number of attempts at a test above which those that passed are only counted.
const ATTEMPTS_MAX: usize = 256;

/// The suite of what does not compile.
pub(super) const BUILD_SUITE: &str = "build";

/// What a report contains beyond the events.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JunitOptions {
    /// The name of this machine.
    pub hostname: String,
    /// Whether the output of tests that passed is in the report.
    pub passing_output: PassingOutputDisplay,
}

/// A JUnit report in the making.
#[derive(Debug)]
pub struct JunitReport {
    pub(super) options: JunitOptions,
    pub(super) run: Option<RunStarted>,
    /// The tests by their ids.
    pub(super) tests: Vec<JunitTest>,
    pub(super) workers: BTreeMap<WorkerId, String>,
    pub(super) logs: LogStore,
    pub(super) build: JunitBuild,
    /// The current round, and when the first one of the report began.
    pub(super) round: u32,
    pub(super) started_us: u64,
    pub(super) ended_us: u64,
    /// The first error of the run as a whole.
    pub(super) error: Option<String>,
    /// The exit code of the program, once the run is over.
    pub(super) exit_code: Option<u8>,
}

/// A test with its attempts.
#[derive(Debug)]
pub(super) struct JunitTest {
    pub(super) names: ReportNames,
    pub(super) presence: TestPresence,
    pub(super) attempts: Vec<JunitAttempt>,
    /// The number of further attempts, which passed.
    pub(super) dropped: usize,
}

/// What a discovered entry is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TestPresence {
    Present,
    /// A binary, package or file whose tests could not be listed.
    Broken,
    /// A location in the source that does not compile.
    Place,
    /// It no longer exists.
    Vanished,
}

/// An attempt at a test.
#[derive(Debug)]
pub(super) struct JunitAttempt {
    pub(super) attempt: Attempt,
    pub(super) round: u32,
    /// When it started and where, if it did.
    pub(super) started: Option<(u64, WorkerId)>,
    pub(super) finished: Option<AttemptFinished>,
}

/// The state of the build.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum JunitBuild {
    #[default]
    Unknown,
    Succeeded,
    Failed,
}

impl JunitReport {
    /// Creates an empty report.
    pub fn new(options: JunitOptions) -> JunitReport {
        JunitReport {
            options,
            run: None,
            tests: Vec::new(),
            workers: BTreeMap::new(),
            logs: LogStore::new(),
            build: JunitBuild::Unknown,
            round: 0,
            started_us: 0,
            ended_us: 0,
            error: None,
            exit_code: None,
        }
    }

    /// Takes in an event.
    pub fn apply(&mut self, event: &Event) {
        self.ended_us = event.at_us;
        match &event.kind {
            EventKind::Run(RunEvent::Started(run)) => self.run = Some(run.clone()),
            EventKind::Run(RunEvent::Finished { exit_code }) => {
                self.exit_code = Some(*exit_code);
            }
            EventKind::Build(change) => self.build(change, event.at_us),
            EventKind::Test(TestEvent::Discovered { tests }) => self.discovered(tests),
            EventKind::Test(TestEvent::Vanished { tests }) => {
                for test in tests {
                    if let Some(test) = self.tests.get_mut(test.index()) {
                        test.presence = TestPresence::Vanished;
                    }
                }
            }
            EventKind::Round(RoundEvent::Started { round, cause }) => {
                self.round = *round;
                match cause {
                    RoundCause::Rerun => {}
                    RoundCause::Start | RoundCause::Watch => self.begin(event.at_us),
                }
            }
            EventKind::Attempt(change) => self.attempt(change, event.at_us),
            EventKind::Worker(WorkerStatusEvent::Joined { worker, name, .. }) => {
                self.workers.insert(*worker, name.clone());
            }
            EventKind::Notice(notice) if notice.severity == NoticeSeverity::Error => {
                self.error.get_or_insert_with(|| notice.text.clone());
            }
            EventKind::Run(_)
            | EventKind::Test(_)
            | EventKind::Round(_)
            | EventKind::Worker(_)
            | EventKind::Watch(_)
            | EventKind::Cluster(_)
            | EventKind::Notice(_) => {}
        }
    }

    /// Takes note that no events follow: without an end of the run, it broke off.
    pub fn close(&mut self) {
        if self.exit_code.is_none() {
            let text = "the run broke off: the output of the program says why";
            self.error.get_or_insert_with(|| text.to_owned());
        }
    }

    /// Starts over: the results so far are those of earlier sources.
    fn begin(&mut self, at_us: u64) {
        self.started_us = at_us;
        self.error = None;
        let round = self.round;
        for (index, test) in self.tests.iter_mut().enumerate() {
            let outdated = test
                .attempts
                .extract_if(.., |attempt| attempt.round < round);
            test.dropped = 0;
            for attempt in outdated {
                self.logs.remove((test_id(index), attempt.attempt));
            }
        }
    }

    fn build(&mut self, change: &BuildEvent, at_us: u64) {
        match change {
            BuildEvent::Started { .. } => {
                self.build = JunitBuild::Unknown;
                self.logs.remove(BUILD_LOG);
            }
            BuildEvent::Output { text } | BuildEvent::UnitOutput { text, .. } => {
                let stream = maelstrom_model::event::OutputStream::Joined;
                self.logs.append(BUILD_LOG, stream, &text.0, at_us);
            }
            BuildEvent::Finished { succeeded: true } => {
                self.build = JunitBuild::Succeeded;
                self.logs.remove(BUILD_LOG);
            }
            BuildEvent::Finished { succeeded: false } => self.build = JunitBuild::Failed,
            BuildEvent::Progress { .. } | BuildEvent::Package { .. } => {}
        }
    }

    fn discovered(&mut self, tests: &[TestInfo]) {
        let program = self.run.as_ref().map_or("", |run| run.program.as_str());
        for info in tests {
            let presence = match (info.package.is_empty(), info.name.is_empty()) {
                (true, _) => TestPresence::Place,
                (false, true) => TestPresence::Broken,
                (false, false) => TestPresence::Present,
            };
            let names = match presence {
                TestPresence::Place => ReportNames {
                    suite: BUILD_SUITE.to_owned(),
                    class: BUILD_SUITE.to_owned(),
                    name: info.title.clone(),
                },
                TestPresence::Present | TestPresence::Broken | TestPresence::Vanished => {
                    ReportNames::of(program, info)
                }
            };
            match self.tests.get_mut(info.test.index()) {
                Some(known) => {
                    known.names = names;
                    known.presence = presence;
                }
                // Ids are dense: a new test has the next one.
                None => self.tests.push(JunitTest {
                    names,
                    presence,
                    attempts: Vec::new(),
                    dropped: 0,
                }),
            }
        }
    }

    fn attempt(&mut self, change: &AttemptEvent, at_us: u64) {
        match change {
            AttemptEvent::Queued { test, attempt, .. } => {
                self.at(*test, *attempt);
            }
            AttemptEvent::Started {
                test,
                attempt,
                worker,
                slot: _,
            } => {
                if let Some(attempt) = self.at(*test, *attempt) {
                    attempt.started = Some((at_us, *worker));
                }
            }
            AttemptEvent::Output {
                test,
                attempt,
                stream,
                text,
            } => self.logs.append((*test, *attempt), *stream, &text.0, at_us),
            AttemptEvent::Finished(finished) => {
                let is_kept = finished.outcome != TestOutcome::Passed
                    || self.options.passing_output != PassingOutputDisplay::Hidden;
                if !is_kept {
                    self.logs.remove((finished.test, finished.attempt));
                }
                if let Some(attempt) = self.at(finished.test, finished.attempt) {
                    attempt.finished = Some((**finished).clone());
                }
                self.drop_one(finished.test);
            }
            AttemptEvent::Subtest { .. } | AttemptEvent::Slow { .. } => {}
        }
    }

    /// Drops an attempt that passed if the test has too many, as with endless repetitions.
    fn drop_one(&mut self, test: TestId) {
        let Some(known) = self.tests.get_mut(test.index()) else {
            return;
        };
        if known.attempts.len() <= ATTEMPTS_MAX {
            return;
        }
        let passed = |attempt: &JunitAttempt| {
            let finished = attempt.finished.as_ref();
            finished.is_some_and(|end| end.outcome == TestOutcome::Passed && end.retry.is_none())
        };
        // The first and the last say whether the test ever passed.
        let between = known.attempts.len() - 1;
        let index = (1..between).find(|index| known.attempts.get(*index).is_some_and(passed));
        if let Some(index) = index {
            let dropped = known.attempts.remove(index);
            known.dropped = known.dropped.saturating_add(1);
            self.logs.remove((test, dropped.attempt));
        }
    }

    /// Returns the record of an attempt, made if need be.
    fn at(&mut self, test: TestId, attempt: Attempt) -> Option<&mut JunitAttempt> {
        let round = self.round;
        let attempts = &mut self.tests.get_mut(test.index())?.attempts;
        let index = match attempts.iter().position(|known| known.attempt == attempt) {
            Some(index) => index,
            None => {
                attempts.push(JunitAttempt {
                    attempt,
                    round,
                    started: None,
                    finished: None,
                });
                attempts.len() - 1
            }
        };
        attempts.get_mut(index)
    }
}

pub(super) fn test_id(index: usize) -> TestId {
    TestId(u32::try_from(index).unwrap_or(u32::MAX))
}
