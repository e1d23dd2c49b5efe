//! The stream of `go test -json`, as `cmd/test2json` documents it, for `gotestsum`, `tparse`,
//! editors and other readers.
//!
//! ```text
//! events ─▶ Test2JsonStream ─▶ PackageProgress: start, pass, fail, skip of a package
//!                           └▶ ProcessConverter: run, output, pause, cont, ... of its tests
//! ```
//!
//! In Go one process runs the tests of a package; here each test has its own. The records of
//! different tests of a package may alternate, as those of parallel tests do in Go. Attempts of one
//! test do not alternate: those of the second follow those of the first.
//!
//! The attempts' output holds the test binaries' own lines with their markers, which the runner
//! removes if people read the output.

mod converter;
mod lines;
mod packages;
mod record;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::io::{self, Write};
use std::time::Duration;

use serde::Serialize;

use maelstrom_model::event::{
    AttemptEvent, AttemptFinished, BuildEvent, Event, EventKind, PackageState, RoundEvent,
    RunEvent, TestEvent, TestInfo, TestOutcome,
};
use maelstrom_model::ids::{Attempt, TestId};

use self::converter::ProcessConverter;
use self::packages::PackageProgress;
use self::record::{BuildRecord, StreamRecord, rfc3339, seconds};
use super::EventExport;
use super::go_list::PackageVerdict;

/// Writes the lines of `go test -json`.
#[derive(Debug, Default)]
pub struct Test2JsonStream {
    purpose: StreamPurpose,
    /// When the run began, in microseconds since 1970.
    began_unix_us: u64,
    tests: BTreeMap<TestId, KnownTest>,
    packages: BTreeMap<String, PackageProgress>,
    /// The attempts of each test that run or whose records wait, in the order of their starts.
    attempts: BTreeMap<TestId, VecDeque<AttemptRecords>>,
    failed_units: BTreeSet<String>,
}

/// Whether tests run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum StreamPurpose {
    #[default]
    Run,
    List,
}

/// A test's names.
#[derive(Debug)]
struct KnownTest {
    package: String,
    /// Empty for an entry in place of tests that could not be built or listed.
    name: String,
}

/// The records of an attempt. Those of the first attempt of a test are written at once.
#[derive(Debug)]
struct AttemptRecords {
    attempt: Attempt,
    converter: Option<ProcessConverter>,
    waiting: Vec<u8>,
}

impl Test2JsonStream {
    /// Returns the stream of `go test -json -list`.
    pub fn of_list() -> Test2JsonStream {
        Test2JsonStream {
            purpose: StreamPurpose::List,
            ..Test2JsonStream::default()
        }
    }

    fn discovered(&mut self, now_us: u64, test: &TestInfo, out: &mut dyn Write) -> io::Result<()> {
        let known = KnownTest {
            package: test.package.clone(),
            name: test.name.clone(),
        };
        self.tests.insert(test.test, known);
        if self.purpose == StreamPurpose::List && !test.name.is_empty() {
            self.begin(now_us, &test.package, out)?;
            let name = StreamRecord::output("", format!("{}\n", test.name));
            return self.write(now_us, &test.package, name, out);
        }
        Ok(())
    }

    fn build(&mut self, now_us: u64, event: &BuildEvent, out: &mut dyn Write) -> io::Result<()> {
        match event {
            BuildEvent::UnitOutput { unit, text } => {
                for line in text.0.split_inclusive(|byte| *byte == b'\n') {
                    let line = String::from_utf8_lossy(line);
                    let record = BuildRecord {
                        import_path: unit,
                        action: "build-output",
                        output: Some(&line),
                    };
                    write_line(out, &record)?;
                }
                Ok(())
            }
            BuildEvent::Package { package, state } => {
                self.package_known(package, state);
                self.close_if_complete(now_us, package, out)
            }
            BuildEvent::Started { .. }
            | BuildEvent::Output { .. }
            | BuildEvent::Progress { .. }
            | BuildEvent::Finished { .. } => Ok(()),
        }
    }

    fn package_known(&mut self, package: &str, state: &PackageState) {
        self.packages
            .entry(package.to_owned())
            .or_default()
            .known(state.clone());
    }

    fn attempt(
        &mut self,
        now_us: u64,
        event: &AttemptEvent,
        out: &mut dyn Write,
    ) -> io::Result<()> {
        match event {
            AttemptEvent::Queued {
                test,
                attempt,
                retry,
            } => {
                if let Some(known) = self.tests.get(test) {
                    let package = self.packages.entry(known.package.clone());
                    package
                        .or_default()
                        .queued((*test, *attempt), retry.is_some());
                }
                Ok(())
            }
            AttemptEvent::Started { test, attempt, .. } => {
                self.started((*test, *attempt));
                match self.tests.get(test).map(|known| known.package.clone()) {
                    Some(package) => self.begin(now_us, &package, out),
                    None => Ok(()),
                }
            }
            AttemptEvent::Output {
                test,
                attempt,
                text,
                ..
            } => self.wrote(now_us, (*test, *attempt), &text.0, out),
            // The output holds the lines that these are made from.
            AttemptEvent::Subtest { .. } | AttemptEvent::Slow { .. } => Ok(()),
            AttemptEvent::Finished(finished) => self.finished(now_us, finished, out),
        }
    }

    fn started(&mut self, (test, attempt): (TestId, Attempt)) {
        let name = self.tests.get(&test).map(|known| known.name.as_str());
        let records = AttemptRecords {
            attempt,
            converter: name.map(ProcessConverter::new),
            waiting: Vec::new(),
        };
        self.attempts.entry(test).or_default().push_back(records);
    }

    fn wrote(
        &mut self,
        now_us: u64,
        (test, attempt): (TestId, Attempt),
        text: &[u8],
        out: &mut dyn Write,
    ) -> io::Result<()> {
        let queue = self.attempts.get_mut(&test);
        let mut running = queue.into_iter().flatten();
        let records = running.find(|records| records.attempt == attempt);
        match records.and_then(|records| records.converter.as_mut()) {
            Some(converter) => {
                let records = converter.wrote(text);
                self.emit(now_us, (test, attempt), records, out)
            }
            None => self.entry_wrote(now_us, test, text, out),
        }
    }

    /// Takes output of an entry in place of tests: that of a test binary that lists no tests.
    fn entry_wrote(
        &mut self,
        now_us: u64,
        test: TestId,
        text: &[u8],
        out: &mut dyn Write,
    ) -> io::Result<()> {
        let Some(package) = self.open_package(test) else {
            return Ok(());
        };
        self.begin(now_us, &package, out)?;
        let text = String::from_utf8_lossy(text).into_owned();
        for line in text.split_inclusive('\n') {
            self.write(now_us, &package, StreamRecord::output("", line), out)?;
        }
        Ok(())
    }

    /// Returns the package of a test, if the stream has not ended it.
    fn open_package(&self, test: TestId) -> Option<String> {
        let package = &self.tests.get(&test)?.package;
        let progress = self.packages.get(package);
        let is_over = progress.is_some_and(PackageProgress::is_over);
        (!is_over).then(|| package.clone())
    }

    fn finished(
        &mut self,
        now_us: u64,
        finished: &AttemptFinished,
        out: &mut dyn Write,
    ) -> io::Result<()> {
        let (test, attempt) = (finished.test, finished.attempt);
        let Some(package) = self.open_package(test) else {
            return Ok(());
        };
        let has_started = self.attempts.get(&test).is_some_and(|queue| {
            let mut attempts = queue.iter();
            attempts.any(|records| records.attempt == attempt)
        });
        let is_entry = self
            .tests
            .get(&test)
            .is_some_and(|test| test.name.is_empty());
        if finished.outcome == TestOutcome::Cancelled && !has_started {
            let progress = self.packages.entry(package.clone()).or_default();
            progress.dropped((test, attempt));
            return self.close_if_complete(now_us, &package, out);
        }
        self.begin(now_us, &package, out)?;
        if is_entry {
            if let TestOutcome::Error { message } = &finished.outcome {
                let line = StreamRecord::output("", format!("maelstrom: {message}\n"));
                self.write(now_us, &package, line, out)?;
            }
        } else {
            if !has_started {
                self.started((test, attempt));
            }
            self.finish_attempt(now_us, finished, out)?;
        }
        let progress = self.packages.entry(package.clone()).or_default();
        match finished.is_retried() {
            true => progress.retried((test, attempt)),
            false => progress.ended((test, attempt), &finished.counted_outcome()),
        }
        self.close_if_complete(now_us, &package, out)
    }

    fn finish_attempt(
        &mut self,
        now_us: u64,
        finished: &AttemptFinished,
        out: &mut dyn Write,
    ) -> io::Result<()> {
        let (test, attempt) = (finished.test, finished.attempt);
        let ran = Duration::from_micros(finished.timings.ran_us);
        let queue = self.attempts.get_mut(&test);
        let mut running = queue.into_iter().flatten();
        let records = running.find(|records| records.attempt == attempt);
        let converter = records.and_then(|records| records.converter.take());
        if let Some(converter) = converter {
            let records = converter.finished(&finished.counted_outcome(), ran);
            self.emit(now_us, (test, attempt), records, out)?;
        }
        let Some(queue) = self.attempts.get_mut(&test) else {
            return Ok(());
        };
        while queue.front().is_some_and(|first| first.converter.is_none()) {
            queue.pop_front();
            if let Some(next) = queue.front_mut() {
                out.write_all(&std::mem::take(&mut next.waiting))?;
            }
        }
        if queue.is_empty() {
            self.attempts.remove(&test);
        }
        Ok(())
    }

    /// Writes records of an attempt, or keeps them until earlier attempts of its test have ended.
    fn emit(
        &mut self,
        now_us: u64,
        (test, attempt): (TestId, Attempt),
        records: Vec<StreamRecord>,
        out: &mut dyn Write,
    ) -> io::Result<()> {
        let (time, Some(known)) = (self.time(now_us), self.tests.get(&test)) else {
            return Ok(());
        };
        let queue = self.attempts.get_mut(&test);
        let mut running = queue.into_iter().flatten().enumerate();
        let place = running.find(|(_, records)| records.attempt == attempt);
        let out: &mut dyn Write = match place {
            Some((0, _)) | None => &mut *out,
            Some((_, records)) => &mut records.waiting,
        };
        for record in records {
            let record = StreamRecord {
                time: time.clone(),
                package: known.package.clone(),
                ..record
            };
            write_line(out, &record)?;
        }
        Ok(())
    }

    fn begin(&mut self, now_us: u64, package: &str, out: &mut dyn Write) -> io::Result<()> {
        let progress = self.packages.entry(package.to_owned()).or_default();
        match progress.begin(now_us) {
            true => self.write(now_us, package, StreamRecord::new("start", ""), out),
            false => Ok(()),
        }
    }

    fn close_if_complete(
        &mut self,
        now_us: u64,
        package: &str,
        out: &mut dyn Write,
    ) -> io::Result<()> {
        let progress = self.packages.get(package);
        match progress.is_some_and(|known| known.is_complete() && !known.is_over()) {
            true => self.close(now_us, package, out),
            false => Ok(()),
        }
    }

    /// Writes the end of a package.
    fn close(&mut self, now_us: u64, package: &str, out: &mut dyn Write) -> io::Result<()> {
        let Some(progress) = self.packages.get_mut(package) else {
            return Ok(());
        };
        progress.close();
        let elapsed = progress.elapsed(now_us);
        let failed_unit = progress.failed_unit().map(str::to_owned);
        let verdict = match (self.purpose, progress.verdict()) {
            (StreamPurpose::Run, Some(verdict)) => verdict,
            (StreamPurpose::Run, None) => return Ok(()),
            (StreamPurpose::List, None | Some(PackageVerdict::NothingRan)) => {
                PackageVerdict::Passed
            }
            (StreamPurpose::List, Some(verdict)) => verdict,
        };
        let said: &[&str] = match (verdict, self.purpose) {
            (PackageVerdict::NothingRan, _) => &["testing: warning: no tests to run\n", "PASS\n"],
            (PackageVerdict::Passed, StreamPurpose::Run) => &["PASS\n"],
            (PackageVerdict::Failed, _) => &["FAIL\n"],
            (
                PackageVerdict::Passed
                | PackageVerdict::WithoutTestFiles
                | PackageVerdict::NotRun(_),
                _,
            ) => &[],
        };
        let (line, action) = (verdict.line(package, elapsed), verdict.action());
        if let Some(unit) = failed_unit.as_ref()
            && self.failed_units.insert(unit.clone())
        {
            let record = BuildRecord {
                import_path: unit,
                action: "build-fail",
                output: None,
            };
            write_line(out, &record)?;
        }
        self.begin(now_us, package, out)?;
        for text in said.iter().copied().chain([line.as_str()]) {
            self.write(now_us, package, StreamRecord::output("", text), out)?;
        }
        let end = StreamRecord {
            elapsed: Some(seconds(elapsed, 3)),
            failed_build: failed_unit,
            ..StreamRecord::new(action, "")
        };
        self.write(now_us, package, end, out)?;
        out.flush()
    }

    /// Ends the packages that a stopped run has left open.
    fn round_over(&mut self, now_us: u64, out: &mut dyn Write) -> io::Result<()> {
        let packages = self.packages.iter();
        let open = packages.filter(|(_, progress)| !progress.is_over());
        for package in open.map(|(name, _)| name.clone()).collect::<Vec<_>>() {
            self.close(now_us, &package, out)?;
        }
        self.packages.clear();
        self.failed_units.clear();
        Ok(())
    }

    /// Writes a record about a package.
    fn write(
        &self,
        now_us: u64,
        package: &str,
        record: StreamRecord,
        out: &mut dyn Write,
    ) -> io::Result<()> {
        let record = StreamRecord {
            time: self.time(now_us),
            package: package.to_owned(),
            ..record
        };
        write_line(out, &record)
    }

    fn time(&self, now_us: u64) -> String {
        rfc3339(self.began_unix_us.saturating_add(now_us))
    }
}

impl EventExport for Test2JsonStream {
    fn apply(&mut self, event: &Event, out: &mut dyn Write) -> io::Result<()> {
        let now_us = event.at_us;
        match &event.kind {
            EventKind::Run(RunEvent::Started(run)) => {
                self.began_unix_us = run.started_unix_ms.saturating_mul(1000);
                Ok(())
            }
            EventKind::Build(event) => self.build(now_us, event, out),
            EventKind::Test(TestEvent::Discovered { tests }) => {
                let mut tests = tests.iter();
                tests.try_for_each(|test| self.discovered(now_us, test, out))
            }
            EventKind::Attempt(event) => self.attempt(now_us, event, out),
            EventKind::Round(RoundEvent::Finished { .. })
            | EventKind::Run(RunEvent::Finished { .. }) => self.round_over(now_us, out),
            EventKind::Run(_)
            | EventKind::Test(_)
            | EventKind::Round(_)
            | EventKind::Watch(_)
            | EventKind::Worker(_)
            | EventKind::Cluster(_)
            | EventKind::Notice(_) => Ok(()),
        }
    }
}

fn write_line(out: &mut dyn Write, record: &impl Serialize) -> io::Result<()> {
    serde_json::to_writer(&mut *out, record)?;
    out.write_all(b"\n")
}
