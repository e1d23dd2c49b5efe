//! What a report writes for each test: its output while it runs, and its line or character when it
//! ends.

use std::io::{self, Write};

use maelstrom_model::event::{AttemptEvent, AttemptFinished, RetryStart, TestOutcome};
use maelstrom_model::ids::TestId;

use super::details::{OutputExtent, representative_attempt, title, write_details, write_line};
use super::dots::IgnoredWord;
use super::links::FileLinks;
use super::live::LiveForm;
use super::log_lines::write_log;
use super::options::{PassingOutputDisplay, ReportStyle};
use super::plain::RunReport;
use super::text::{PreciseDuration, printable, status};
use super::writer::ReportWriter;
use crate::log::LogKey;
use crate::style::TextRole;

impl RunReport {
    pub(super) fn attempt(
        &mut self,
        at_us: u64,
        event: &AttemptEvent,
        out: &mut ReportWriter<'_>,
    ) -> io::Result<()> {
        match event {
            AttemptEvent::Output {
                test,
                attempt,
                stream,
                text,
            } => {
                let key = (*test, *attempt);
                self.logs.append(key, *stream, &text.0, at_us);
                if self.model.tests.is_place(*test) || !self.is_live() {
                    return Ok(());
                }
                let color = self.options.color;
                let title = self.live_title(key);
                let form = match (self.counter.is_lone(), self.has_one_slot()) {
                    (true, _) => LiveForm::Raw { title: None },
                    (false, true) => LiveForm::Raw {
                        title: Some(&title),
                    },
                    (false, false) => LiveForm::Lines { title: &title },
                };
                self.live.write(out, color, (key, *stream, &text.0), form)
            }
            // The output of the build already shows this failure.
            AttemptEvent::Finished(finished) if self.model.tests.is_place(finished.test) => Ok(()),
            AttemptEvent::Finished(finished) => {
                let key = (finished.test, finished.attempt);
                if self.is_live() {
                    let title = self.live_title(key);
                    self.live.end(out, self.options.color, key, &title)?;
                }
                self.finished(finished, out)?;
                self.forget_logs(finished);
                Ok(())
            }
            AttemptEvent::Queued {
                test,
                retry: Some(retry),
                ..
            } => self.retried(*test, retry, out),
            AttemptEvent::Slow {
                test,
                attempt,
                after_us,
            } => self.slow((*test, *attempt), *after_us, out),
            AttemptEvent::Queued { .. }
            | AttemptEvent::Started { .. }
            | AttemptEvent::Subtest { .. } => Ok(()),
        }
    }

    /// Returns whether output is shown while it is written.
    pub(super) fn is_live(&self) -> bool {
        match self.options.passing_output {
            PassingOutputDisplay::Live => true,
            PassingOutputDisplay::AtEnd | PassingOutputDisplay::Hidden => false,
        }
    }

    fn live_title(&self, (test, attempt): LogKey) -> String {
        let title = printable(self.model.tests.title(test));
        match self.model.tests.ordinal(test, attempt) {
            0 | 1 => title,
            ordinal => format!("{title} (attempt {ordinal})"),
        }
    }

    fn finished(
        &mut self,
        finished: &AttemptFinished,
        out: &mut ReportWriter<'_>,
    ) -> io::Result<()> {
        // The summary has the number of the tests that were cancelled before they started.
        let was_started = finished.timings.ran_us > 0;
        let outcome = finished.counted_outcome();
        let is_failure = outcome.is_failure() && !finished.is_retried();
        let is_told = is_failure || *outcome != TestOutcome::Cancelled || was_started;
        let color = self.options.color;
        match self.options.style {
            _ if !is_told => Ok(()),
            ReportStyle::Lines => self.write_test(finished, out),
            ReportStyle::Failures if is_failure => self.write_test(finished, out),
            ReportStyle::Failures => self.write_passing_output(finished, out),
            ReportStyle::Names => {
                let (paint, word) = status(finished);
                let mark = color.paint(paint, format!("{word:<9}"));
                out.begin_line()?;
                writeln!(out, "{mark} {}", title(&self.model, finished))?;
                self.write_passing_output(finished, out)
            }
            ReportStyle::Dots => {
                let run = self.model.run.as_ref();
                let word = IgnoredWord::of_program(run.map_or("", |run| &run.program));
                let counter = self.counter.to_string();
                self.dots.write(out, color, (finished, word), &counter)?;
                self.write_passing_output(finished, out)
            }
        }
    }

    /// Writes that a test waits until it is retried.
    fn retried(
        &mut self,
        test: TestId,
        retry: &RetryStart,
        out: &mut ReportWriter<'_>,
    ) -> io::Result<()> {
        if self.options.style != ReportStyle::Lines || retry.delay_us == 0 {
            return Ok(());
        }
        let word = format!("RETRY {}/{}", retry.number, retry.attempts_max);
        let delay = format!("in {}", PreciseDuration(retry.delay_us));
        let title = printable(self.model.tests.title(test));
        self.mark((TextRole::Attention, &word), &delay, &title, out)
    }

    /// Writes that a running test is slow.
    fn slow(
        &mut self,
        (test, attempt): LogKey,
        after_us: u64,
        out: &mut ReportWriter<'_>,
    ) -> io::Result<()> {
        match self.options.style {
            ReportStyle::Lines | ReportStyle::Names => {}
            ReportStyle::Dots | ReportStyle::Failures => return Ok(()),
        }
        let elapsed = format!("> {}", PreciseDuration(after_us));
        let title = self.live_title((test, attempt));
        self.mark((TextRole::Attention, "SLOW"), &elapsed, &title, out)
    }

    /// Writes a line about a test that has not ended.
    fn mark(
        &mut self,
        (paint, word): (TextRole, &str),
        time: &str,
        title: &str,
        out: &mut ReportWriter<'_>,
    ) -> io::Result<()> {
        let mark = self.options.color.paint(paint, format!("{word:<9}"));
        let counter = self.counter.to_string();
        out.begin_line()?;
        writeln!(out, "{mark} {time:>9} {counter} {title}")
    }

    /// Writes the line of a test that has ended, and its output if that is wanted.
    fn write_test(
        &mut self,
        finished: &AttemptFinished,
        out: &mut ReportWriter<'_>,
    ) -> io::Result<()> {
        let color = self.options.color;
        out.begin_line()?;
        let counter = self.counter.to_string();
        if !finished.counted_outcome().is_failure() {
            write_line(out, color, (&self.model, finished), &counter)?;
            return self.write_passing_output(finished, out);
        }
        let began = out.position();
        write_line(out, color, (&self.model, finished), &counter)?;
        let extent = match self.is_live() {
            // The output is further up, perhaps above the screen.
            true => OutputExtent::Nothing,
            false => {
                if !finished.is_retried() {
                    self.shown_failures.add(finished.test, began);
                }
                OutputExtent::Whole
            }
        };
        let paint = (color, FileLinks::of(self.options.terminal));
        let run = (&self.model, &self.logs);
        write_details(out, paint, run, (finished, extent))
    }

    /// Writes the output of a test that has passed, if that is wanted.
    fn write_passing_output(
        &self,
        finished: &AttemptFinished,
        out: &mut ReportWriter<'_>,
    ) -> io::Result<()> {
        match (&finished.outcome, self.options.passing_output) {
            (TestOutcome::Passed, PassingOutputDisplay::AtEnd) => {
                let key = (finished.test, finished.attempt);
                if !self.logs.is_empty(key) {
                    out.begin_line()?;
                }
                write_log(out, self.options.color, &self.logs, key)
            }
            (
                TestOutcome::Passed
                | TestOutcome::Failed { .. }
                | TestOutcome::TimedOut { .. }
                | TestOutcome::Error { .. }
                | TestOutcome::Ignored { .. }
                | TestOutcome::Cancelled,
                _,
            ) => Ok(()),
        }
    }

    /// Removes logs that are no longer needed. The ending has the output of one attempt of each
    /// failed test. Attempts that are still running keep their logs.
    fn forget_logs(&mut self, finished: &AttemptFinished) {
        let needed = representative_attempt(&self.model, finished.test)
            .filter(|_| self.model.tests.state(finished.test).is_failure())
            .map(|finished| finished.attempt);
        let attempts: Vec<_> = self.model.tests.attempts(finished.test).collect();
        for record in attempts {
            // If the retry does not run, this attempt is the one that counts.
            let may_count = finished.is_retried() && record.attempt == finished.attempt;
            if record.finished.is_some() && Some(record.attempt) != needed && !may_count {
                self.logs.remove((finished.test, record.attempt));
            }
        }
    }
}
