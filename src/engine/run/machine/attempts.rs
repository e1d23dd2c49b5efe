//! The life of an attempt: it is queued, starts, writes output and ends. Its end may queue the next
//! attempt of the same test: a retry, or the next copy of `--repeat`.
//!
//! A failed attempt is retried as the test's policy says, unless the round or the test is stopped.
//! Attempts that could not be run are not retried: the backend has done so already where that can
//! help (a lost worker). Those of a test that shares a process are: another test may have ended it. A test counts when its last attempt is known, so neither the failure limit
//! nor the exit code knows of an attempt that is retried.

use std::sync::Arc;
use std::time::Duration;

use super::{
    ActiveAttempt, AttemptPhase, BackendLink, RunState, RunStateMachine, TestAction,
    UnexpectedInputError, WrittenBytes,
};
use crate::run::attempt::JobRole;
use crate::run::ending::{judged, judged_by_leaks, micros, outcome, recorded_history};
use crate::run::message::{AttemptCost, RetryPlacement, RunEffect};
use crate::run::tally::{
    AttemptProgress, AttemptSeries, AttemptTally, ResultSource, RetryPermission, SeriesStep,
    TestStatus,
};
use maelstrom_model::event::{
    AttemptEvent, AttemptFinished, OutputStream, OutputText, RetryNext, RetryPosition, RetryStart,
    SourceLocation, TestOutcome,
};
use maelstrom_model::exit_code;
use maelstrom_model::framework::OutputAnalysis;
use maelstrom_model::ids::{Attempt, TestId, WorkerId};
use maelstrom_model::job::JobResult;
use maelstrom_model::job::{KnownResult, KnownVerdict};
use maelstrom_model::policy::{LeakVerdict, RetryPolicy, TimeoutVerdict};
use maelstrom_model::retry_delay::retry_delay;

impl RunStateMachine {
    /// Begins a test's part in the round.
    pub(super) fn queue(&mut self, now_us: u64, id: TestId) {
        let Some(test) = self.tests.get_mut(id.index()) else {
            return;
        };
        test.round = self.round;
        test.tally = AttemptTally::default();
        test.failure = None;
        test.copies = 0;
        match &test.work {
            TestAction::Run(_) => {
                self.round_tests = self.round_tests.saturating_add(1);
                for _ in 0..self.wishes.repeat.at_once() {
                    self.queue_copy(now_us, id);
                }
            }
            TestAction::Ignore(ignored) => {
                let reason = ignored.0.reason.clone();
                self.end_unrun(now_us, id, TestOutcome::Ignored { reason }, None);
            }
            TestAction::Known(known) => {
                let KnownResult {
                    verdict,
                    output,
                    location,
                } = known.0.clone();
                self.output_unrun(id, OutputStream::Stderr, output);
                let outcome = match verdict {
                    KnownVerdict::Passed => TestOutcome::Passed,
                    KnownVerdict::Failed { reason } => TestOutcome::Failed {
                        exit: None,
                        reason: Some(reason),
                    },
                    KnownVerdict::Error { message } => TestOutcome::Error { message },
                };
                self.end_unrun(now_us, id, outcome, location);
            }
            TestAction::Report(breakage) => {
                let location = breakage.location.clone();
                let message = breakage.message.clone();
                self.end_unrun(now_us, id, TestOutcome::Error { message }, location);
            }
            TestAction::Gone => {}
        }
    }

    /// Queues the first attempt of a further copy of a test.
    pub(super) fn queue_copy(&mut self, now_us: u64, id: TestId) {
        let Some(test) = self.tests.get_mut(id.index()) else {
            return;
        };
        test.copies = test.copies.saturating_add(1);
        test.attempts += 1;
        let attempt = Attempt(test.attempts);
        let series = AttemptSeries::default();
        self.emit(AttemptEvent::Queued {
            test: id,
            attempt,
            retry: None,
        });
        self.submit(now_us, (id, attempt), series, None);
    }

    /// Queues the attempt after a failed one that `worker` ran. Its job is submitted after a delay.
    fn queue_retry(
        &mut self,
        now_us: u64,
        id: TestId,
        series: AttemptSeries,
        worker: Option<WorkerId>,
    ) {
        let Some(test) = self.tests.get_mut(id.index()) else {
            return;
        };
        test.attempts += 1;
        let attempt = Attempt(test.attempts);
        let retry = test.policy.retry;
        let number = series.ended();
        let seed = (self.wishes.seed, JobRole::Attempt(id, attempt).job().0);
        let delay_us = micros(retry_delay(retry.delay, number, seed));
        self.emit(AttemptEvent::Queued {
            test: id,
            attempt,
            retry: Some(RetryStart {
                number: number.saturating_add(1),
                attempts_max: retry.retries.saturating_add(1),
                delay_us,
            }),
        });
        if delay_us == 0 {
            return self.submit(now_us, (id, attempt), series, worker);
        }
        let due_us = self.stillness.moving_us(now_us).saturating_add(delay_us);
        self.agenda.insert((due_us, id, attempt));
        let delayed = ActiveAttempt {
            series,
            due_us: Some(due_us),
            phase: AttemptPhase::Delayed { worker },
        };
        self.active.insert((id, attempt), delayed);
    }

    /// Submits the job of an attempt. `avoided` is the worker that ran the failed attempt before it.
    pub(super) fn submit(
        &mut self,
        now_us: u64,
        (id, attempt): (TestId, Attempt),
        series: AttemptSeries,
        avoided: Option<WorkerId>,
    ) {
        let since_us = self.stillness.moving_us(now_us);
        let Some(test) = self.tests.get(id.index()) else {
            return;
        };
        let TestAction::Run(job) = &test.work else {
            return;
        };
        let mut job = job.clone();
        let retries = test.policy.retry.retries;
        if series.ended() > 0 {
            // A fork has the environment of its fork server, which does not have the number of the
            // attempt. A fresh process also rules out that the fork server is why the test failed.
            job.resident = None;
        }
        if retries > 0 && job.resident.is_none() {
            let order = (series.ended() + 1, retries.saturating_add(1));
            let process = Arc::make_mut(&mut job.process);
            process.environment = self.environments.of(&process.environment, order);
        }
        if series.ended() > 0 {
            job.needs.avoided_worker = avoided;
            match self.wishes.retry_placement {
                RetryPlacement::Anywhere => {}
                RetryPlacement::Alone => job.needs.exclusive = true,
            }
        }
        let rank = test.rank;
        let queued = ActiveAttempt {
            series,
            due_us: None,
            phase: AttemptPhase::Queued { since_us },
        };
        self.active.insert((id, attempt), queued);
        self.effects.push_back(RunEffect::Submit {
            id: JobRole::Attempt(id, attempt).job(),
            job,
            rank,
        });
    }

    /// Ends a test that is only reported, not run.
    fn end_unrun(
        &mut self,
        now_us: u64,
        id: TestId,
        outcome: TestOutcome,
        location: Option<SourceLocation>,
    ) {
        let Some(test) = self.tests.get_mut(id.index()) else {
            return;
        };
        test.attempts += 1;
        let attempt = Attempt(test.attempts);
        let finished = AttemptFinished {
            location,
            ..AttemptFinished::new(id, attempt, outcome)
        };
        let waiting = ActiveAttempt {
            series: AttemptSeries::default(),
            due_us: None,
            phase: AttemptPhase::Queued { since_us: 0 },
        };
        self.end(now_us, waiting, finished);
    }

    pub(super) fn started(
        &mut self,
        now_us: u64,
        (test, attempt): (TestId, Attempt),
        worker: WorkerId,
        slot: u32,
    ) -> Result<(), UnexpectedInputError> {
        let moving_us = self.stillness.moving_us(now_us);
        let slow_after_us = self.slow_after_us(test);
        let Some(active) = self.active.get_mut(&(test, attempt)) else {
            return Err(self.unexpected("the start of an attempt that does not wait"));
        };
        let AttemptPhase::Queued { since_us } = active.phase else {
            return Err(self.unexpected("the start of an attempt that does not wait"));
        };
        active.phase = AttemptPhase::Running {
            worker,
            began_us: moving_us,
            queued_us: moving_us.saturating_sub(since_us),
            written: WrittenBytes::default(),
        };
        if let Some(slow_after_us) = slow_after_us {
            let due_us = moving_us.saturating_add(slow_after_us);
            active.due_us = Some(due_us);
            self.agenda.insert((due_us, test, attempt));
        }
        self.first_start_us.get_or_insert(moving_us);
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
        let active = self.active.get_mut(&(test, attempt));
        let Some(AttemptPhase::Running { written, .. }) = active.map(|active| &mut active.phase)
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
        now_us: u64,
        (test, attempt): (TestId, Attempt),
        result: JobResult,
        reading: OutputAnalysis,
    ) -> Result<(), UnexpectedInputError> {
        let submitted = |active: &ActiveAttempt| match active.phase {
            AttemptPhase::Delayed { .. } => false,
            AttemptPhase::Queued { .. } | AttemptPhase::Running { .. } => true,
        };
        let known = self.active.get(&(test, attempt)).is_some_and(submitted);
        let Some(active) = known
            .then(|| self.active.remove(&(test, attempt)))
            .flatten()
        else {
            return Err(self.unexpected("the end of an attempt that is not under way"));
        };
        let tracked = self.tests.get(test.index());
        let limit = tracked
            .and_then(|test| test.work.job())
            .and_then(|job| job.timeout);
        let on_timeout = tracked.map_or(TimeoutVerdict::Fail, |test| test.policy.on_timeout);
        let on_leak = tracked.map_or(LeakVerdict::Pass, |test| test.policy.on_leak);
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
        let mut outcome = judged_by_leaks(outcome, &result.leaked, on_leak);
        let mut passed_at_limit_us = None;
        // Of a group that reaches its limit, only the test that ran may pass.
        let has_run = !result.ran.is_zero();
        if let (TestOutcome::TimedOut { limit_us }, TimeoutVerdict::Pass, true) =
            (&outcome, on_timeout, has_run)
        {
            passed_at_limit_us = Some(*limit_us);
            outcome = TestOutcome::Passed;
        }
        let mut finished = AttemptFinished {
            user_us: micros(result.usage.user),
            system_us: micros(result.usage.system),
            memory_peak_bytes: result.usage.memory_peak_bytes,
            location: reading.location.filter(|_| outcome.is_failure()),
            passed_at_limit_us,
            leaked: result.leaked,
            ..AttemptFinished::new(test, attempt, outcome)
        };
        finished.timings.prepared_us = micros(result.prepared);
        finished.timings.ran_us = micros(result.ran);
        self.end(now_us, active, finished);
        Ok(())
    }

    /// Ends an attempt. All attempts end here.
    pub(super) fn end(
        &mut self,
        now_us: u64,
        mut active: ActiveAttempt,
        mut finished: AttemptFinished,
    ) {
        let id = finished.test;
        if let Some(due_us) = active.due_us {
            self.agenda.remove(&(due_us, id, finished.attempt));
        }
        let (progress, worker) = match active.phase {
            AttemptPhase::Delayed { .. } | AttemptPhase::Queued { since_us: _ } => {
                (AttemptProgress::NeverStarted, None)
            }
            AttemptPhase::Running {
                worker,
                began_us: _,
                queued_us,
                written,
            } => {
                finished.timings.queued_us = queued_us;
                finished.stdout_bytes = written.stdout;
                finished.stderr_bytes = written.stderr;
                finished.joined_bytes = written.joined;
                (AttemptProgress::Started, Some(worker))
            }
        };
        self.ends = self.ends.saturating_add(1);
        let status = TestStatus::of(&finished.outcome, progress);
        let code = exit_code::of_failure(&finished.outcome);
        let is_shared = self
            .tests
            .get(id.index())
            .is_some_and(|test| test.is_shared);
        let permission = match (
            self.may_start(),
            self.stopped.remove(&(id, finished.attempt)),
        ) {
            (true, false) if is_shared => RetryPermission::GrantedAfterErrors,
            (true, false) => RetryPermission::Granted,
            (false, _) | (_, true) => RetryPermission::Refused,
        };
        let retry = self.retry_policy(id);
        let step = active.series.add((status, code), retry, permission);
        finished.retry = (retry.retries > 0).then(|| RetryPosition {
            number: active.series.ended(),
            attempts_max: retry.retries.saturating_add(1),
            next: match step {
                SeriesStep::Again => RetryNext::Again,
                SeriesStep::Done { .. } => RetryNext::Done,
                SeriesStep::FlakyPassed => RetryNext::FlakyPassed,
                SeriesStep::FlakyFailed { .. } => RetryNext::FlakyFailed,
            },
        });
        let cost = AttemptCost {
            ran: Duration::from_micros(finished.timings.ran_us),
            memory_peak_bytes: finished.memory_peak_bytes,
        };
        self.emit(AttemptEvent::Finished(Box::new(finished)));
        match step {
            SeriesStep::Again => self.queue_retry(now_us, id, active.series, worker),
            SeriesStep::Done { .. } | SeriesStep::FlakyPassed | SeriesStep::FlakyFailed { .. } => {
                self.count(now_us, id, step, cost);
                let ran_to_end = match status {
                    TestStatus::Passed | TestStatus::TimedOut | TestStatus::Failed => true,
                    // What cannot run now hardly can a moment later.
                    TestStatus::Error
                    | TestStatus::Open
                    | TestStatus::Ignored
                    | TestStatus::NotRun
                    | TestStatus::Cancelled => false,
                };
                if ran_to_end && permission != RetryPermission::Refused {
                    self.queue_next_copy(now_us, id);
                }
            }
        }
    }

    /// Counts a test, or a copy of it, whose last attempt has ended.
    fn count(&mut self, now_us: u64, id: TestId, step: SeriesStep, cost: AttemptCost) {
        let Some(test) = self.tests.get_mut(id.index()) else {
            return;
        };
        let before = test.tally.standing();
        test.tally.add(step, ResultSource::Ran);
        let status = step.status();
        if let Some(code) = step.exit_code() {
            // The exit code is that of the first failure, so later failures of the same test do not
            // count.
            test.failure.get_or_insert((self.ends, code));
        }
        let lesson = recorded_history(status, test.tally.standing());
        let is_test = match &test.work {
            TestAction::Run(_)
            | TestAction::Ignore(_)
            | TestAction::Known(_)
            | TestAction::Gone => !test.key.is_place(),
            // The tests that the entry represents have names that are not known.
            TestAction::Report(_) => false,
        };
        if let Some(history) = lesson.filter(|_| is_test) {
            test.last = history;
            self.effects.push_back(RunEffect::Record {
                test: id,
                history,
                stability: test.tally.stability(),
                cost,
            });
        }
        // A test counts once against the failure limit, however many of its attempts fail.
        if !before.is_failure() && status.is_failure() {
            self.round_failures += 1;
            self.stop_if_enough(now_us);
        }
    }

    /// Returns whether the round may start attempts.
    pub(super) fn may_start(&self) -> bool {
        match (self.state, self.link) {
            (RunState::Open | RunState::Closed, BackendLink::Up) => true,
            (RunState::Open | RunState::Closed, BackendLink::Lost) => false,
            (RunState::Stopping | RunState::Killing | RunState::Idle | RunState::Over, _) => false,
        }
    }

    /// Returns how often a test runs again. A test that is only reported never does.
    fn retry_policy(&self, id: TestId) -> RetryPolicy {
        let Some(test) = self.tests.get(id.index()) else {
            return RetryPolicy::default();
        };
        match test.work {
            TestAction::Run(_) => test.policy.retry,
            TestAction::Ignore(_)
            | TestAction::Known(_)
            | TestAction::Report(_)
            | TestAction::Gone => RetryPolicy::default(),
        }
    }
}
