//! The actions of the run machine's transitions. The parent module selects the action.

use std::time::Duration;

use super::{
    ActiveAttempt, BrokenTest, RunState, RunStateMachine, TestAction, TrackedTest,
    UnexpectedInputError, WrittenBytes,
};
use crate::run::attempt::JobRole;
use crate::run::ending::{blank, count, judged, micros, outcome, recorded_history};
use crate::run::message::{FoundTest, HistoryFilter, RunEffect, RunMode};
use crate::run::tally::{AttemptProgress, AttemptTally, ResultSource, TestStatus};
use maelstrom_model::backend::JobPriority;
use maelstrom_model::event::{
    AttemptEvent, AttemptFinished, EventKind, NoticeSeverity, OutputStream, OutputText,
    PreviousOutcome, RunEvent, SourceLocation, TestEvent, TestInfo, TestOutcome, UserNotice,
};
use maelstrom_model::exit_code;
use maelstrom_model::framework::{BrokenEntry, DiscoverySummary, OutputAnalysis};
use maelstrom_model::ids::{Attempt, TestId, WorkerId};
use maelstrom_model::job::{JobResult, TestKey};

impl RunStateMachine {
    pub(super) fn found(&mut self, now_us: u64, found: Vec<FoundTest>) {
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
        } in found
        {
            let mut info = self.info(&case.key, case.title);
            info.expected_us = estimate.map(micros);
            info.history = history;
            info.ignored = case.ignored.is_some();
            let work = match case.ignored {
                Some(ignored) => TestAction::Ignore(Box::new((ignored, case.job))),
                None => TestAction::Run(case.job),
            };
            // New tests and tests that failed last time come first, so that failures show early.
            let priority = priority.unwrap_or(match history {
                PreviousOutcome::New | PreviousOutcome::Failure => 1,
                PreviousOutcome::Success => 0,
            });
            let rank = JobPriority { priority, estimate };
            info.test = self.enter(case.key, work, rank, history);
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
        let rank = JobPriority::default();
        let test = self.enter(entry.key, work, rank, PreviousOutcome::New);
        info.test = test;
        self.emit(TestEvent::Discovered { tests: vec![info] });
        // The output has to come before the end of the attempt, which `queue` emits. So the
        // attempt's number is needed before `queue` assigns it.
        let earlier = self.tests.get(test.index()).map_or(0, |test| test.attempts);
        let attempt = Attempt(earlier + 1);
        for (stream, bytes) in [
            (OutputStream::Stdout, entry.stdout),
            (OutputStream::Stderr, entry.stderr),
        ] {
            if !bytes.is_empty() {
                let text = OutputText(bytes);
                self.emit(AttemptEvent::Output {
                    test,
                    attempt,
                    stream,
                    text,
                });
            }
        }
        self.queue(now_us, test);
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
        rank: JobPriority,
        last: PreviousOutcome,
    ) -> TestId {
        if let Some(id) = self.claim(&key)
            && let Some(test) = self.tests.get_mut(id.index())
        {
            test.work = work;
            test.rank = rank;
            return id;
        }
        let id = test_id(self.tests.len());
        self.tests.push(TrackedTest {
            key,
            work,
            rank,
            attempts: 0,
            last,
            round: 0,
            tally: AttemptTally::default(),
            failure: None,
        });
        id
    }

    pub(super) fn discovery_finished(&mut self, now_us: u64, summary: DiscoverySummary) {
        let left_out = self.settle_held_back(now_us, &summary);
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
            self.notice(NoticeSeverity::Warning, text, None);
        }
        self.emit(TestEvent::DiscoveryFinished {
            selected,
            deselected,
        });
    }

    pub(super) fn discovery_failed(
        &mut self,
        exit_code: u8,
        message: String,
        help: Option<String>,
    ) {
        self.discovery_code = Some(exit_code);
        self.notice(NoticeSeverity::Error, message, help);
        let deselected = self.leave_out_held_back();
        self.emit(TestEvent::DiscoveryFinished {
            selected: self.selected(),
            deselected,
        });
        // Running tests may finish, and their results are reported. Waiting tests would only delay
        // the end of a failed run.
        self.state = RunState::Stopping;
        self.stop_active(None);
    }

    pub(super) fn queue(&mut self, now_us: u64, id: TestId) {
        let Some(test) = self.tests.get_mut(id.index()) else {
            return;
        };
        test.round = self.round;
        test.tally = AttemptTally::default();
        test.failure = None;
        let job = match &test.work {
            TestAction::Run(job) => job.clone(),
            TestAction::Ignore(ignored) => {
                let reason = ignored.0.reason.clone();
                return self.end_unrun(id, TestOutcome::Ignored { reason }, None);
            }
            TestAction::Report(breakage) => {
                let location = breakage.location.clone();
                let message = breakage.message.clone();
                return self.end_unrun(id, TestOutcome::Error { message }, location);
            }
            TestAction::Gone => return,
        };
        let since_us = self.stillness.moving_us(now_us);
        for _ in 0..self.wishes.repeat.get() {
            test.attempts += 1;
            let attempt = Attempt(test.attempts);
            self.active
                .insert((id, attempt), ActiveAttempt::Queued { since_us });
            let queued = EventKind::Attempt(AttemptEvent::Queued { test: id, attempt });
            self.effects.push_back(RunEffect::Emit(queued));
            self.effects.push_back(RunEffect::Submit {
                id: JobRole::Attempt(id, attempt).job(),
                job: job.clone(),
                rank: test.rank,
            });
        }
    }

    /// Ends a test that is only reported, not run.
    fn end_unrun(&mut self, id: TestId, outcome: TestOutcome, location: Option<SourceLocation>) {
        let Some(test) = self.tests.get_mut(id.index()) else {
            return;
        };
        test.attempts += 1;
        let attempt = Attempt(test.attempts);
        let waiting = ActiveAttempt::Queued { since_us: 0 };
        let finished = AttemptFinished {
            location,
            ..blank(id, attempt, outcome)
        };
        self.end(waiting, finished);
    }

    pub(super) fn started(
        &mut self,
        now_us: u64,
        (test, attempt): (TestId, Attempt),
        worker: WorkerId,
        slot: u32,
    ) -> Result<(), UnexpectedInputError> {
        let Some(&ActiveAttempt::Queued { since_us }) = self.active.get(&(test, attempt)) else {
            return Err(self.unexpected("the start of an attempt that does not wait"));
        };
        let running = ActiveAttempt::Running {
            queued_us: self.stillness.moving_us(now_us).saturating_sub(since_us),
            written: WrittenBytes::default(),
        };
        self.active.insert((test, attempt), running);
        self.emit(AttemptEvent::Started {
            test,
            attempt,
            worker,
            slot,
        });
        Ok(())
    }

    pub(super) fn output(
        &mut self,
        (test, attempt): (TestId, Attempt),
        stream: OutputStream,
        bytes: Vec<u8>,
    ) -> Result<(), UnexpectedInputError> {
        let Some(ActiveAttempt::Running {
            queued_us: _,
            written,
        }) = self.active.get_mut(&(test, attempt))
        else {
            return Err(self.unexpected("output of an attempt that does not run"));
        };
        written.add(stream, bytes.len() as u64);
        self.emit(AttemptEvent::Output {
            test,
            attempt,
            stream,
            text: OutputText(bytes),
        });
        Ok(())
    }

    pub(super) fn finished(
        &mut self,
        (test, attempt): (TestId, Attempt),
        result: JobResult,
        reading: OutputAnalysis,
    ) -> Result<(), UnexpectedInputError> {
        let Some(active) = self.active.remove(&(test, attempt)) else {
            return Err(self.unexpected("the end of an attempt that is not under way"));
        };
        let limit = self
            .tests
            .get(test.index())
            .and_then(|test| test.work.job())
            .and_then(|job| job.timeout);
        for part in reading.parts {
            self.emit(AttemptEvent::Subtest {
                test,
                attempt,
                name: part.name,
                outcome: part.outcome,
                duration_us: micros(part.duration),
            });
        }
        let outcome = judged(outcome(result.end, limit), reading.judgement);
        let mut finished = AttemptFinished {
            user_us: micros(result.usage.user),
            system_us: micros(result.usage.system),
            memory_peak_bytes: result.usage.memory_peak_bytes,
            location: reading.location.filter(|_| outcome.is_failure()),
            ..blank(test, attempt, outcome)
        };
        finished.timings.prepared_us = micros(result.prepared);
        finished.timings.ran_us = micros(result.ran);
        self.end(active, finished);
        Ok(())
    }

    /// Ends an attempt. All attempts end here.
    pub(super) fn end(&mut self, active: ActiveAttempt, mut finished: AttemptFinished) {
        let progress = match active {
            ActiveAttempt::Queued { since_us: _ } => AttemptProgress::NeverStarted,
            ActiveAttempt::Running { queued_us, written } => {
                finished.timings.queued_us = queued_us;
                finished.stdout_bytes = written.stdout;
                finished.stderr_bytes = written.stderr;
                finished.joined_bytes = written.joined;
                AttemptProgress::Started
            }
        };
        self.ends = self.ends.saturating_add(1);
        let standing = TestStatus::of(&finished.outcome, progress);
        let failure = exit_code::of_failure(&finished.outcome);
        let id = finished.test;
        let ran = Duration::from_micros(finished.timings.ran_us);
        self.emit(AttemptEvent::Finished(Box::new(finished)));

        let Some(test) = self.tests.get_mut(id.index()) else {
            return;
        };
        let before = test.tally.standing();
        test.tally.add(standing, ResultSource::Ran);
        if let Some(code) = failure {
            // The exit code is that of the first failure, so later failures of the same test do not
            // count.
            test.failure.get_or_insert((self.ends, code));
        }
        let lesson = recorded_history(standing, test.tally.standing());
        let is_test = match &test.work {
            TestAction::Run(_) | TestAction::Ignore(_) | TestAction::Gone => !test.key.is_place(),
            // The tests that the entry represents have names that are not known.
            TestAction::Report(_) => false,
        };
        if let Some(history) = lesson.filter(|_| is_test) {
            test.last = history;
            self.effects.push_back(RunEffect::Record {
                test: id,
                history,
                ran,
            });
        }
        // A test counts once against the failure limit, however many of its attempts fail.
        if !before.is_failure() && standing.is_failure() {
            self.round_failures += 1;
            self.stop_if_enough();
        }
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
