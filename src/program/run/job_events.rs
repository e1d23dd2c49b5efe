//! The events of jobs that run without a user interface, for recordings and reports in files.

use std::time::{Duration, Instant};

use crate::program::failure::ProgramFailure;
use crate::program::report_files::{ReportFiles, RunningReports};
use maelstrom_engine::run::ending::{micros, outcome};
use maelstrom_engine::run::event_sink::EventSink;
use maelstrom_model::backend::{BackendEvent, JobId};
use maelstrom_model::event::channel::channel;
use maelstrom_model::event::{
    AttemptEvent, AttemptFinished, OutputText, PreviousOutcome, RoundCause, RoundEvent,
    RoundSummary, RunEvent, RunStarted, TestEvent, TestInfo, TestOutcome,
};
use maelstrom_model::ids::{Attempt, TestId};
use maelstrom_model::job::TestKey;

/// The only attempt at a job.
const ATTEMPT: Attempt = Attempt(1);

/// Turns what happens to jobs into events, if there is a report to feed.
#[derive(Debug, Default)]
pub(super) struct JobEvents(Option<ReportFeed>);

#[derive(Debug)]
struct ReportFeed {
    sink: EventSink,
    reports: RunningReports,
    /// The timeouts of the jobs, by their position in the input.
    limits: Vec<Option<Duration>>,
    begun: Instant,
    /// The counts of the jobs that have ended.
    summary: RoundSummary,
}

impl JobEvents {
    /// Starts to write the reports.
    pub(super) fn start(
        files: ReportFiles,
        started: RunStarted,
    ) -> Result<JobEvents, ProgramFailure> {
        if files.is_empty() {
            return Ok(JobEvents::default());
        }
        let (sender, events) = channel();
        let sink = EventSink::new(sender);
        // Nothing else consumes the events.
        let (_, reports) = files.tee(events)?;
        sink.emit(RunEvent::Started(started));
        sink.emit(RoundEvent::Started {
            round: 1,
            cause: RoundCause::Start,
        });
        Ok(JobEvents(Some(ReportFeed {
            sink,
            reports,
            limits: Vec::new(),
            begun: Instant::now(),
            summary: RoundSummary::default(),
        })))
    }

    /// Reports the next job of the input.
    pub(super) fn found(&mut self, key: &TestKey, title: &str, limit: Option<Duration>) {
        let Some(feed) = &mut self.0 else {
            return;
        };
        let test = TestId(u32::try_from(feed.limits.len()).unwrap_or(u32::MAX));
        feed.limits.push(limit);
        let info = TestInfo {
            test,
            package: key.package.to_string(),
            artifact: key.artifact.to_string(),
            name: key.name.clone(),
            title: title.to_owned(),
            expected_us: None,
            history: PreviousOutcome::New,
            ignored: false,
        };
        feed.sink.emit(TestEvent::Discovered { tests: vec![info] });
        feed.sink.emit(AttemptEvent::Queued {
            test,
            attempt: ATTEMPT,
            retry: None,
        });
    }

    /// Reports that the job found last could not be built.
    pub(super) fn broken(&mut self, message: &str) {
        let Some(feed) = &mut self.0 else {
            return;
        };
        let last = feed.limits.len().saturating_sub(1);
        let test = TestId(u32::try_from(last).unwrap_or(u32::MAX));
        let message = message.to_owned();
        feed.finished(AttemptFinished::new(
            test,
            ATTEMPT,
            TestOutcome::Error { message },
        ));
    }

    /// Waits until the reports have room for more output.
    pub(super) async fn ready(&self) {
        if let Some(feed) = &self.0 {
            feed.sink.ready().await;
        }
    }

    /// Reports an event of the backend. `number` is the position of a job in the input, from 0.
    pub(super) fn observe(&mut self, event: &BackendEvent, number: impl Fn(JobId) -> u64) {
        let Some(feed) = &mut self.0 else {
            return;
        };
        let test = |job| TestId(u32::try_from(number(job)).unwrap_or(u32::MAX));
        match event {
            BackendEvent::Started { job, worker, slot } => {
                feed.sink.emit(AttemptEvent::Started {
                    test: test(*job),
                    attempt: ATTEMPT,
                    worker: *worker,
                    slot: *slot,
                });
            }
            BackendEvent::Output { job, stream, bytes } => {
                feed.sink.emit(AttemptEvent::Output {
                    test: test(*job),
                    attempt: ATTEMPT,
                    stream: *stream,
                    text: OutputText(bytes.clone()),
                });
            }
            BackendEvent::Finished { job, result } => {
                let test = test(*job);
                let limit = feed.limits.get(test.index()).copied().flatten();
                let mut finished =
                    AttemptFinished::new(test, ATTEMPT, outcome(result.end.clone(), limit));
                finished.user_us = micros(result.usage.user);
                finished.system_us = micros(result.usage.system);
                finished.memory_peak_bytes = result.usage.memory_peak_bytes;
                finished.timings.prepared_us = micros(result.prepared);
                finished.timings.ran_us = micros(result.ran);
                feed.finished(finished);
            }
            BackendEvent::Worker(change) => feed.sink.emit(change.clone()),
            BackendEvent::Notice(notice) => feed.sink.emit(notice.clone()),
            // A job that begins again writes its output again, and the report has both.
            BackendEvent::Restarted { .. }
            | BackendEvent::Discarded { .. }
            | BackendEvent::Cluster(_)
            | BackendEvent::Lost(_) => {}
        }
    }

    /// Ends the run, and waits for the reports.
    pub(super) fn finish(self, ended: Result<u8, ProgramFailure>) -> Result<u8, ProgramFailure> {
        let Some(feed) = self.0 else {
            return ended;
        };
        let ReportFeed {
            sink,
            reports,
            limits,
            begun,
            summary,
        } = feed;
        if let Ok(exit_code) = &ended {
            sink.emit(TestEvent::DiscoveryFinished {
                selected: u32::try_from(limits.len()).unwrap_or(u32::MAX),
                deselected: 0,
            });
            let summary = RoundSummary {
                duration_us: micros(begun.elapsed()),
                ..summary
            };
            sink.emit(RoundEvent::Finished { round: 1, summary });
            let exit_code = *exit_code;
            sink.emit(RunEvent::Finished { exit_code });
        }
        drop(sink);
        reports.settle(ended)
    }
}

impl ReportFeed {
    fn finished(&mut self, finished: AttemptFinished) {
        let summary = &mut self.summary;
        let counted = match &finished.outcome {
            TestOutcome::Passed => &mut summary.passed,
            TestOutcome::Failed { .. } => &mut summary.failed,
            TestOutcome::TimedOut { .. } => &mut summary.timed_out,
            TestOutcome::Error { .. } => &mut summary.errors,
            TestOutcome::Ignored { .. } => &mut summary.ignored,
            TestOutcome::Cancelled => &mut summary.cancelled,
        };
        *counted += 1;
        self.sink.emit(AttemptEvent::Finished(Box::new(finished)));
    }
}
