//! The actions of the run machine's transitions. The parent module selects the action.

use std::sync::Arc;

use super::{BrokenTest, RunState, RunStateMachine, TestAction, TrackedTest};
use crate::run::ending::{count, micros};
use crate::run::message::{FoundTest, HistoryFilter, RunEffect, RunMode};
use crate::run::tally::AttemptTally;
use maelstrom_model::backend::JobPriority;
use maelstrom_model::event::{
    AttemptEvent, EventKind, NoticeSeverity, OutputStream, OutputText, PreviousOutcome, RunEvent,
    TestEvent, TestInfo, UserNotice,
};
use maelstrom_model::exit_code;
use maelstrom_model::framework::{BrokenEntry, DiscoverySummary};
use maelstrom_model::ids::{Attempt, TestId};
use maelstrom_model::job::TestKey;
use maelstrom_model::policy::TestPolicy;

impl RunStateMachine {
    pub(super) fn found(&mut self, now_us: u64, found: Vec<FoundTest>) {
        let any = !found.is_empty();
        let own = self.in_part(found);
        // The other tests of the part are added when discovery has ended.
        if !own.is_empty() || !any {
            self.add_by_history(now_us, own);
        }
    }

    /// Adds those of the tests that are selected by their results in earlier runs.
    pub(super) fn add_by_history(&mut self, now_us: u64, found: Vec<FoundTest>) {
        match self.wishes.history {
            HistoryFilter::All => self.add(now_us, found),
            HistoryFilter::Failed => {
                let failed = self.hold_back(found);
                if !failed.is_empty() {
                    self.add(now_us, failed);
                }
            }
        }
    }

    /// Adds tests to the run, and queues them.
    pub(super) fn add(&mut self, now_us: u64, found: Vec<FoundTest>) {
        let mut infos = Vec::with_capacity(found.len());
        self.tests.reserve(found.len());
        for FoundTest {
            case,
            priority,
            history,
            estimate,
            group,
        } in found
        {
            let mut info = self.info(&case.key, case.title);
            info.expected_us = estimate.map(micros);
            info.history = history;
            info.ignored = case.ignored.is_some();
            let work = match (case.ignored, &case.known) {
                (Some(ignored), _) => TestAction::Ignore(Box::new((ignored, case.job))),
                (None, Some(known)) => TestAction::Known(Box::new((known.clone(), case.job))),
                (None, None) => TestAction::Run(case.job),
            };
            // New tests and tests that failed last time come first, so that failures show early.
            let priority = priority.or(case.policy.priority).unwrap_or(match history {
                PreviousOutcome::New | PreviousOutcome::Failure => 1,
                PreviousOutcome::Success => 0,
            });
            let rank = JobPriority { priority, estimate };
            info.test = self.enter(case.key, work, (rank, case.policy), history);
            if let Some(test) = self.tests.get_mut(info.test.index()) {
                test.is_shared = group.is_some();
            }
            infos.push(info);
        }
        let ids: Vec<TestId> = infos.iter().map(|info| info.test).collect();
        self.emit(TestEvent::Discovered { tests: infos });
        match self.wishes.errand {
            RunMode::Run => {
                for test in ids {
                    self.queue(now_us, test);
                }
            }
            RunMode::List => {}
        }
    }

    pub(super) fn broken(&mut self, now_us: u64, entry: BrokenEntry) {
        let mut info = self.info(&entry.key, entry.title);
        let work = TestAction::Report(Box::new(BrokenTest {
            message: entry.message,
            location: entry.location,
        }));
        let handling = (JobPriority::default(), Arc::default());
        let test = self.enter(entry.key, work, handling, PreviousOutcome::New);
        info.test = test;
        self.emit(TestEvent::Discovered { tests: vec![info] });
        self.output_unrun(test, OutputStream::Stdout, entry.stdout);
        self.output_unrun(test, OutputStream::Stderr, entry.stderr);
        self.queue(now_us, test);
    }

    /// Emits output of a test that is only reported, not run. It comes before the end of the
    /// attempt, which assigns the attempt's number, so that number is needed here already.
    pub(super) fn output_unrun(&mut self, test: TestId, stream: OutputStream, bytes: Vec<u8>) {
        if bytes.is_empty() {
            return;
        }
        let earlier = self.tests.get(test.index()).map_or(0, |test| test.attempts);
        self.emit(AttemptEvent::Output {
            test,
            attempt: Attempt(earlier + 1),
            stream,
            text: OutputText(bytes),
        });
    }

    fn info(&self, key: &TestKey, title: String) -> TestInfo {
        TestInfo {
            test: test_id(self.tests.len()),
            package: key.package.to_string(),
            artifact: key.artifact.to_string(),
            name: key.name.clone(),
            title,
            expected_us: None,
            history: PreviousOutcome::New,
            ignored: false,
        }
    }

    /// Adds a test, or updates a test of an earlier round with the same key.
    fn enter(
        &mut self,
        key: TestKey,
        work: TestAction,
        (rank, policy): (JobPriority, Arc<TestPolicy>),
        last: PreviousOutcome,
    ) -> TestId {
        if let Some(id) = self.claim(&key)
            && let Some(test) = self.tests.get_mut(id.index())
        {
            test.work = work;
            test.rank = rank;
            test.policy = policy;
            return id;
        }
        let id = test_id(self.tests.len());
        self.tests.push(TrackedTest {
            key,
            work,
            rank,
            policy,
            is_shared: false,
            attempts: 0,
            copies: 0,
            last,
            round: 0,
            tally: AttemptTally::default(),
            failure: None,
        });
        id
    }

    pub(super) fn discovery_finished(&mut self, now_us: u64, summary: DiscoverySummary) {
        let elsewhere = self.settle_partition(now_us);
        let left_out = self.settle_held_back(now_us, &summary) + elsewhere;
        // After a failed build, some tests may not have been found although they still exist.
        if summary.failure.is_none() {
            self.forget_unclaimed();
        }
        let selected = self.selected();
        let deselected = summary.deselected.saturating_add(left_out);
        self.discovery_code = summary.failure;
        if selected == 0 && self.wishes.errand == RunMode::Run {
            let text = match deselected {
                0 => "there are no tests to run".to_owned(),
                1 => "no test was selected: the filters leave out the only one".to_owned(),
                more => format!("no test was selected: the filters leave out all {more}"),
            };
            let severity = self.wishes.no_tests.unwrap_or(match summary.failure {
                Some(_) => NoticeSeverity::Error,
                None => NoticeSeverity::Warning,
            });
            self.notice(severity, text, None);
            if self.wishes.no_tests == Some(NoticeSeverity::Error) {
                // The framework does not know that the run takes only a part of its tests.
                self.discovery_code = summary.failure.or(Some(exit_code::NO_TESTS));
            }
        }
        self.emit(TestEvent::DiscoveryFinished {
            selected,
            deselected,
        });
        self.fill_slots(now_us);
    }

    pub(super) fn discovery_failed(
        &mut self,
        now_us: u64,
        exit_code: u8,
        (message, help): (String, Option<String>),
    ) {
        self.discovery_code = Some(exit_code);
        self.notice(NoticeSeverity::Error, message, help);
        let deselected = self.leave_out_other_parts() + self.leave_out_held_back();
        self.emit(TestEvent::DiscoveryFinished {
            selected: self.selected(),
            deselected,
        });
        // Running tests may finish, and their results are reported. Waiting tests would only delay
        // the end of a failed run.
        self.state = RunState::Stopping;
        self.stop_active(now_us, None);
    }

    /// Returns the number of selected tests.
    pub(super) fn selected(&self) -> u32 {
        let tests = self.tests().filter(|(_, key)| !key.is_place());
        count(tests.count().saturating_sub(self.unclaimed.len()))
    }

    pub(super) fn emit_backend_effect(&mut self, effect: RunEffect, event: RunEvent) {
        self.effects.push_back(effect);
        self.emit(event);
    }

    pub(super) fn notice(&mut self, severity: NoticeSeverity, text: String, help: Option<String>) {
        self.emit(EventKind::Notice(UserNotice {
            severity,
            text,
            help,
            in_summary: true,
        }));
    }

    pub(super) fn emit(&mut self, event: impl Into<EventKind>) {
        self.effects.push_back(RunEffect::Emit(event.into()));
    }
}

fn test_id(index: usize) -> TestId {
    TestId(count(index))
}
