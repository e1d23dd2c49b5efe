//! The lines of `cargo nextest run --message-format libtest-json` and `libtest-json-plus`: those of
//! libtest's unstable `--format json`, with the tests of each binary as a suite.
//!
//! [`lines`] has the lines themselves. Without `plus`, the lines of a suite stay together, as a
//! consumer of libtest's own lines expects, so they wait in a spool until its last test has ended.
//! With `plus` each line is written at once.
//!
//! A test that runs several times has `#N` behind its name from the second attempt on. Each attempt
//! has its lines; in the counts of a suite, a test that is retried counts as its last attempt.

mod lines;

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Read, Seek, SeekFrom, Write};

use tempfile::SpooledTempFile;

use crate::log::LogStore;
use maelstrom_model::event::{
    AttemptEvent, AttemptFinished, Event, EventKind, RoundEvent, RunEvent, TestEvent, TestInfo,
    TestOutcome,
};
use maelstrom_model::ids::{Attempt, TestId};

use self::lines::{NextestObject, SuiteEnd, SuiteStart, TestLine, TestLineEvent, line};
use super::EventExport;
use super::names::RustBinary;
use super::output::raw;

/// The number of bytes of a suite's lines that are kept in memory; more goes to a file.
const SPOOLED_BYTES: usize = 64 << 10;

/// Whether lines have nextest's further fields.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LibtestFields {
    /// Only those of libtest.
    Libtest,
    /// The `nextest` object with the package, the binary and its kind as well.
    Plus,
}

/// The stream of lines.
#[derive(Debug)]
pub struct LibtestStream {
    fields: LibtestFields,
    /// The tests by their ids; `None` for what is not a test.
    tests: Vec<Option<StreamedTest>>,
    suites: BTreeMap<String, StreamedSuite>,
    /// The attempts that run.
    started: BTreeSet<(TestId, Attempt)>,
    logs: LogStore,
}

#[derive(Debug)]
struct StreamedTest {
    /// The id of its binary.
    suite: String,
    /// Its name in lines.
    name: String,
    /// The attempts that were queued or started and have not ended.
    pending: u32,
    ended: u32,
}

#[derive(Debug)]
struct StreamedSuite {
    binary: RustBinary,
    /// The number of tests found, and of those without an attempt that ended.
    found: u32,
    open: u32,
    /// The number of attempts that have not ended.
    pending: u32,
    counts: SuiteCounts,
    /// The lines after the first, while they wait.
    lines: SpooledTempFile,
    begun: SuiteBegin,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct SuiteCounts {
    passed: u32,
    failed: u32,
    ignored: u32,
    not_run: u32,
    time_us: u64,
}

/// Whether the first line of a suite was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum SuiteBegin {
    Waiting,
    Written,
}

impl LibtestStream {
    /// Creates a stream in which nothing has happened yet.
    pub fn new(fields: LibtestFields) -> LibtestStream {
        LibtestStream {
            fields,
            tests: Vec::new(),
            suites: BTreeMap::new(),
            started: BTreeSet::new(),
            logs: LogStore::new(),
        }
    }

    fn discovered(&mut self, tests: &[TestInfo]) {
        for info in tests {
            if self.tests.len() > info.test.index() {
                continue;
            }
            if info.package.is_empty() {
                // A location in the source that does not compile: standard error has the message.
                self.tests.push(None);
                continue;
            }
            let binary = RustBinary::of(info);
            let id = binary.id();
            let name = match info.name.as_str() {
                "" => &info.title,
                name => name,
            };
            self.tests.push(Some(StreamedTest {
                name: format!("{}::{}${name}", binary.package, binary.name),
                suite: id.clone(),
                pending: 0,
                ended: 0,
            }));
            let suite = self.suites.entry(id).or_insert_with(|| StreamedSuite {
                binary,
                found: 0,
                open: 0,
                pending: 0,
                counts: SuiteCounts::default(),
                lines: SpooledTempFile::new(SPOOLED_BYTES),
                begun: SuiteBegin::Waiting,
            });
            suite.found += 1;
            suite.open += 1;
        }
    }

    fn attempt(
        &mut self,
        change: &AttemptEvent,
        at_us: u64,
        out: &mut dyn Write,
    ) -> io::Result<()> {
        match change {
            // The test is pending since its first attempt.
            AttemptEvent::Queued { retry: Some(_), .. } => Ok(()),
            AttemptEvent::Queued { test, .. } => {
                self.count_pending(*test);
                Ok(())
            }
            AttemptEvent::Started { test, attempt, .. } => {
                self.started.insert((*test, *attempt));
                let begins = TestLine::new(TestLineEvent::Started);
                self.test_line(*test, *attempt, begins, out)
            }
            AttemptEvent::Output {
                test,
                attempt,
                stream,
                text,
            } => {
                self.logs.append((*test, *attempt), *stream, &text.0, at_us);
                Ok(())
            }
            AttemptEvent::Subtest { .. } | AttemptEvent::Slow { .. } => Ok(()),
            AttemptEvent::Finished(finished) => self.finished(finished, out),
        }
    }

    fn count_pending(&mut self, test: TestId) {
        if let Some(Some(test)) = self.tests.get_mut(test.index()) {
            test.pending += 1;
            if let Some(suite) = self.suites.get_mut(&test.suite) {
                suite.pending += 1;
            }
        }
    }

    fn finished(&mut self, finished: &AttemptFinished, out: &mut dyn Write) -> io::Result<()> {
        let AttemptFinished { test, attempt, .. } = *finished;
        let key = (test, attempt);
        let time_us = finished.timings.ran_us;
        let seconds = time_us as f64 / 1e6;
        let mut counts = SuiteCounts {
            time_us,
            ..SuiteCounts::default()
        };
        // Errors come without output, and a message is better than none.
        let failure = |message: Option<&str>| {
            let output = raw(&self.logs, key);
            TestLine {
                exec_time: Some(seconds),
                stdout: Some(match message {
                    Some(message) if output.is_empty() => message.to_owned(),
                    Some(message) => format!("{output}\n{message}\n"),
                    None => output,
                }),
                ..TestLine::new(TestLineEvent::Failed)
            }
        };
        let ends = match &*finished.counted_outcome() {
            TestOutcome::Passed => {
                counts.passed = 1;
                Some(TestLine {
                    exec_time: Some(seconds),
                    ..TestLine::new(TestLineEvent::Ok)
                })
            }
            TestOutcome::Failed { exit: _, reason } => {
                counts.failed = 1;
                Some(failure(reason.as_deref()))
            }
            TestOutcome::TimedOut { .. } => {
                counts.failed = 1;
                Some(TestLine {
                    reason: Some("time limit exceeded"),
                    ..failure(None)
                })
            }
            TestOutcome::Error { message } => {
                counts.failed = 1;
                Some(failure(Some(message)))
            }
            TestOutcome::Ignored { reason } => {
                counts.ignored = 1;
                self.test_line(test, attempt, TestLine::new(TestLineEvent::Started), out)?;
                Some(TestLine {
                    message: reason.clone(),
                    ..TestLine::new(TestLineEvent::Ignored)
                })
            }
            TestOutcome::Cancelled => {
                counts.not_run = 1;
                None
            }
        };
        let is_started = self.started.remove(&key);
        if let Some(ends) = ends {
            match (&ends.event, is_started) {
                // The build has determined the result: there was nothing to start.
                (TestLineEvent::Ok | TestLineEvent::Failed, false) => {
                    self.test_line(test, attempt, TestLine::new(TestLineEvent::Started), out)?;
                }
                (TestLineEvent::Ok | TestLineEvent::Failed, true)
                | (TestLineEvent::Started | TestLineEvent::Ignored, _) => {}
            }
            self.test_line(test, attempt, ends, out)?;
        }
        self.logs.remove(key);
        match finished.is_retried() {
            true => Ok(()),
            false => self.end(test, counts, out),
        }
    }

    /// Counts an attempt that ended, and ends the suite after the last one.
    fn end(&mut self, test: TestId, counts: SuiteCounts, out: &mut dyn Write) -> io::Result<()> {
        let Some(Some(test)) = self.tests.get_mut(test.index()) else {
            return Ok(());
        };
        let Some(suite) = self.suites.get_mut(&test.suite) else {
            return Ok(());
        };
        suite.counts.add(&counts);
        if test.pending > 0 {
            test.pending -= 1;
            suite.pending = suite.pending.saturating_sub(1);
        }
        if test.ended == 0 {
            suite.open = suite.open.saturating_sub(1);
        }
        test.ended += 1;
        if suite.open == 0 && suite.pending == 0 {
            suite.finish(self.fields, out)?;
        }
        Ok(())
    }

    fn test_line(
        &mut self,
        test: TestId,
        attempt: Attempt,
        mut test_line: TestLine,
        out: &mut dyn Write,
    ) -> io::Result<()> {
        let Some(Some(test)) = self.tests.get(test.index()) else {
            return Ok(());
        };
        let Some(suite) = self.suites.get_mut(&test.suite) else {
            return Ok(());
        };
        test_line.name = match attempt {
            Attempt(0 | 1) => test.name.clone(),
            Attempt(number) => format!("{}#{number}", test.name),
        };
        match self.fields {
            LibtestFields::Libtest => line(&mut suite.lines, &test_line),
            LibtestFields::Plus => {
                suite.begin(self.fields, out)?;
                line(out, &test_line)
            }
        }
    }

    /// Ends all suites that have lines.
    fn finish(&mut self, out: &mut dyn Write) -> io::Result<()> {
        for suite in self.suites.values_mut() {
            suite.counts.not_run += suite.open;
            suite.open = 0;
            suite.pending = 0;
            suite.finish(self.fields, out)?;
        }
        self.suites.clear();
        self.tests.clear();
        Ok(())
    }
}

impl SuiteCounts {
    fn add(&mut self, other: &SuiteCounts) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.ignored += other.ignored;
        self.not_run += other.not_run;
        self.time_us = self.time_us.saturating_add(other.time_us);
    }
}

impl StreamedSuite {
    fn nextest(&self, fields: LibtestFields) -> Option<NextestObject<'_>> {
        match fields {
            LibtestFields::Libtest => None,
            LibtestFields::Plus => Some(NextestObject {
                package: &self.binary.package,
                test_binary: &self.binary.name,
                kind: self.binary.kind,
            }),
        }
    }

    /// Writes the first line, unless that has happened.
    fn begin(&mut self, fields: LibtestFields, out: &mut dyn Write) -> io::Result<()> {
        match self.begun {
            SuiteBegin::Written => return Ok(()),
            SuiteBegin::Waiting => self.begun = SuiteBegin::Written,
        }
        let start = SuiteStart::new(self.found, self.nextest(fields));
        line(out, &start)
    }

    /// Writes what waits, and the last line. If more tests of the binary are found, they begin a
    /// suite of their own.
    fn finish(&mut self, fields: LibtestFields, out: &mut dyn Write) -> io::Result<()> {
        let counts = std::mem::take(&mut self.counts);
        if counts == SuiteCounts::default() {
            return Ok(());
        }
        self.begin(fields, out)?;
        self.lines.seek(SeekFrom::Start(0))?;
        io::copy(&mut Read::by_ref(&mut self.lines), out)?;
        self.lines = SpooledTempFile::new(SPOOLED_BYTES);
        let end = SuiteEnd::new(
            [counts.passed, counts.failed, counts.ignored, counts.not_run],
            counts.time_us as f64 / 1e6,
            self.nextest(fields),
        );
        line(out, &end)?;
        self.found = 0;
        self.begun = SuiteBegin::Waiting;
        Ok(())
    }
}

impl EventExport for LibtestStream {
    fn apply(&mut self, event: &Event, out: &mut dyn Write) -> io::Result<()> {
        match &event.kind {
            EventKind::Test(TestEvent::Discovered { tests }) => {
                self.discovered(tests);
                Ok(())
            }
            EventKind::Attempt(change) => self.attempt(change, event.at_us, out),
            EventKind::Round(RoundEvent::Finished { .. })
            | EventKind::Run(RunEvent::Finished { .. }) => self.finish(out),
            EventKind::Run(_)
            | EventKind::Build(_)
            | EventKind::Test(_)
            | EventKind::Watch(_)
            | EventKind::Round(_)
            | EventKind::Worker(_)
            | EventKind::Cluster(_)
            | EventKind::Notice(_) => Ok(()),
        }
    }
}
