//! Writes a JUnit report as XML.
//!
//! The elements and attributes are those of the schema of Jenkins' xUnit plugin (`junit-10.xsd`),
//! and these, which nextest, pytest or GitLab use as well: `timestamp` and `skipped` of `testsuites`;
//! `timestamp`, `file`, `line` and `properties` of `testcase`; `time` and `timestamp` of attempts.
//! Output is read from the log store one attempt at a time, so that memory does not limit a report.

use std::collections::BTreeMap;
use std::io::{self, Write};

use quick_xml::Writer;
use quick_xml::events::{BytesDecl, BytesStart, Event as XmlEvent};

use crate::log::{BUILD_LOG, LogKey};
use maelstrom_model::event::{
    AttemptFinished, BackendInfo, ExitStatus, IsolationMode, SourceLocation, TestOutcome,
};

use super::super::output::{TextStreams, cleaned, tail};
use super::super::times::{milliseconds, seconds, utc};
use super::super::xml::{XmlWriter, text_element, within, xml_line};
use super::case::{CaseResult, ReportedCase};
use super::collect::{
    BUILD_SUITE, JunitAttempt, JunitBuild, JunitReport, JunitTest, TestPresence, test_id,
};

/// The suite of a failure that no test explains.
const RUN_SUITE: &str = "run";

/// The counts of a suite or of the report.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct CaseCounts {
    tests: u64,
    failures: u64,
    errors: u64,
    skipped: u64,
    /// The sum of the tests' durations.
    time_us: u64,
}

impl CaseCounts {
    fn add(&mut self, result: CaseResult, time_us: u64) {
        self.tests += 1;
        self.time_us = self.time_us.saturating_add(time_us);
        match result {
            CaseResult::Passed => {}
            CaseResult::Skipped => self.skipped += 1,
            CaseResult::Failure => self.failures += 1,
            CaseResult::Error => self.errors += 1,
        }
    }

    fn plus(&mut self, other: &CaseCounts) {
        self.tests += other.tests;
        self.failures += other.failures;
        self.errors += other.errors;
        self.skipped += other.skipped;
    }
}

/// A suite, with the ids of its tests.
#[derive(Debug, Default)]
struct ReportSuite {
    counts: CaseCounts,
    tests: Vec<usize>,
    /// When its first test started.
    started_us: Option<u64>,
}

impl JunitReport {
    /// Returns whether the run failed although nothing in the report says why.
    pub fn fails_unexplained(&self) -> bool {
        let explained = self.suites().values().any(|suite| {
            let counts = suite.counts;
            counts.failures + counts.errors > 0
        });
        (self.exit_code.is_some_and(|code| code != 0) || self.error.is_some()) && !explained
    }

    /// Writes the report as it is now.
    pub fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        let suites = self.suites();
        let mut total = CaseCounts::default();
        for suite in suites.values() {
            total.plus(&suite.counts);
        }
        let run_error = self.fails_unexplained().then(|| self.run_error());
        if run_error.is_some() {
            total.add(CaseResult::Error, 0);
        }
        total.time_us = self.ended_us.saturating_sub(self.started_us);
        let mut xml = Writer::new_with_indent(out, b' ', 2);
        xml.write_event(XmlEvent::Decl(BytesDecl::new("1.0", Some("UTF-8"), None)))?;
        let program = self
            .run
            .as_ref()
            .map_or("maelstrom", |run| run.program.as_str());
        let mut root = counted("testsuites", program, &total);
        root.push_attribute(("skipped", total.skipped.to_string().as_str()));
        root.push_attribute(("timestamp", self.timestamp(self.started_us).as_str()));
        within(&mut xml, root, |xml| {
            for (name, suite) in &suites {
                self.suite(xml, name, suite)?;
            }
            match &run_error {
                Some(message) => self.run_suite(xml, message),
                None => Ok(()),
            }
        })?;
        let out = xml.into_inner();
        out.write_all(b"\n")
    }

    /// Returns whether the build failed and no other case says so: Go builds packages one by one.
    fn has_build_case(&self) -> bool {
        let broken = |test: &JunitTest| test.presence == TestPresence::Broken;
        self.build == JunitBuild::Failed && !self.tests.iter().any(broken)
    }

    /// Groups the tests by suite, in the order of their names.
    fn suites(&self) -> BTreeMap<&str, ReportSuite> {
        let mut suites: BTreeMap<&str, ReportSuite> = BTreeMap::new();
        if self.has_build_case() {
            let suite = suites.entry(BUILD_SUITE).or_default();
            suite.counts.add(CaseResult::Error, 0);
        }
        for (index, test) in self.tests.iter().enumerate() {
            match test.presence {
                TestPresence::Present | TestPresence::Broken | TestPresence::Place => {}
                TestPresence::Vanished => continue,
            }
            let case = ReportedCase::of(test);
            let suite = suites.entry(&test.names.suite).or_default();
            suite.tests.push(index);
            suite.counts.add(case.result, time_us(case.main));
            let starts = test.attempts.iter().filter_map(|attempt| attempt.started);
            let starts = starts.map(|(at_us, _)| at_us).chain(suite.started_us);
            suite.started_us = starts.min();
        }
        suites
    }

    fn suite(&self, xml: &mut XmlWriter<'_>, name: &str, suite: &ReportSuite) -> io::Result<()> {
        let begun_us = suite.started_us.unwrap_or(self.started_us);
        within(
            xml,
            self.suite_start(name, &suite.counts, begun_us),
            |xml| {
                self.properties(xml)?;
                if name == BUILD_SUITE && self.has_build_case() {
                    self.build_case(xml)?;
                }
                for index in &suite.tests {
                    if let Some(test) = self.tests.get(*index) {
                        self.case(xml, *index, test)?;
                    }
                }
                Ok(())
            },
        )
    }

    fn suite_start(&self, name: &str, counts: &CaseCounts, at_us: u64) -> BytesStart<'static> {
        let mut start = counted("testsuite", name, counts);
        start.push_attribute(("skipped", counts.skipped.to_string().as_str()));
        start.push_attribute(("timestamp", self.timestamp(at_us).as_str()));
        start.push_attribute(("hostname", xml_line(&self.options.hostname).as_str()));
        start
    }

    /// Writes the facts about the run.
    fn properties(&self, xml: &mut XmlWriter<'_>) -> io::Result<()> {
        let Some(run) = &self.run else {
            return Ok(());
        };
        let backend = match &run.backend {
            BackendInfo::Local => "local",
            BackendInfo::Broker { address } => address,
        };
        let isolation = match run.isolation {
            IsolationMode::Container => "container",
            IsolationMode::Process => "process",
        };
        let command = shlex::try_join(run.command.iter().map(String::as_str));
        let command = command.unwrap_or_else(|_| run.command.join(" "));
        let program = format!("{} {}", run.program, run.version);
        let list = [
            ("run-id", run.run.to_string()),
            ("program", program),
            ("command", command),
            ("backend", backend.to_owned()),
            ("isolation", isolation.to_owned()),
        ];
        properties_element(xml, &list)
    }

    fn case(&self, xml: &mut XmlWriter<'_>, index: usize, test: &JunitTest) -> io::Result<()> {
        let case = ReportedCase::of(test);
        let mut start = case_start(&test.names.name, &test.names.class, time_us(case.main));
        let began = case.main.and_then(|attempt| attempt.started);
        if let Some((at_us, _)) = began {
            start.push_attribute(("timestamp", self.timestamp(at_us).as_str()));
        }
        let location = case.main.and_then(location);
        if let Some(place) = location {
            start.push_attribute(("file", xml_line(&place.path).as_str()));
            start.push_attribute(("line", place.line.to_string().as_str()));
        }
        let properties = self.case_properties(test, &case);
        let has_output = |main: &JunitAttempt| !self.logs.is_empty((test_id(index), main.attempt));
        if case.result == CaseResult::Passed
            && properties.is_empty()
            && case.others.is_empty()
            && !case.main.is_some_and(has_output)
        {
            return xml.write_event(XmlEvent::Empty(start));
        }
        within(xml, start, |xml| {
            properties_element(xml, &properties)?;
            if let Some(main) = case.main {
                let key = (test_id(index), main.attempt);
                match case.result {
                    CaseResult::Passed => {}
                    CaseResult::Skipped => skipped(xml, main.message())?,
                    CaseResult::Failure => self.failed(xml, "failure", key, main)?,
                    CaseResult::Error => self.failed(xml, "error", key, main)?,
                }
                let passed = case.result == CaseResult::Passed;
                for other in &case.others {
                    self.other(xml, (test_id(index), other.attempt), other, passed)?;
                }
                self.output(xml, key)
            } else {
                skipped(
                    xml,
                    Some("the run ended before the test was queued".to_owned()),
                )
            }
        })
    }

    /// Returns the facts about a test.
    fn case_properties(
        &self,
        test: &JunitTest,
        case: &ReportedCase<'_>,
    ) -> Vec<(&'static str, String)> {
        let finished = case.main.and_then(|main| main.finished.as_ref());
        let attempts = test.attempts.len() + test.dropped;
        let worker = match self.run.as_ref().map(|run| &run.backend) {
            Some(BackendInfo::Broker { .. }) => case
                .main
                .and_then(|main| main.started)
                .and_then(|(_, worker)| self.workers.get(&worker).cloned()),
            Some(BackendInfo::Local) | None => None,
        };
        [
            worker.map(|name| ("worker", name)),
            finished
                .and_then(exit_status)
                .map(|status| ("exit-status", status)),
            (attempts > 1).then(|| ("attempts", attempts.to_string())),
            case.is_flaky.then(|| ("flaky", "true".to_owned())),
            finished
                .is_some_and(|end| end.cached)
                .then(|| ("cached", "true".to_owned())),
            finished
                .filter(|end| !end.leaked.is_empty())
                .map(|end| ("left-running", end.leaked.to_string())),
        ]
        .into_iter()
        .flatten()
        .collect()
    }

    /// Writes the failure of the attempt that decides.
    fn failed(
        &self,
        xml: &mut XmlWriter<'_>,
        element: &'static str,
        key: LogKey,
        attempt: &JunitAttempt,
    ) -> io::Result<()> {
        let mut start = BytesStart::new(element);
        typed(&mut start, attempt);
        text_element(xml, start, &self.trace(key, attempt))
    }

    /// Writes another attempt that failed.
    fn other(
        &self,
        xml: &mut XmlWriter<'_>,
        key: LogKey,
        attempt: &JunitAttempt,
        passed: bool,
    ) -> io::Result<()> {
        let is_failure = attempt.result() == CaseResult::Failure;
        let mut start = BytesStart::new(match (passed, is_failure) {
            (true, true) => "flakyFailure",
            (true, false) => "flakyError",
            (false, true) => "rerunFailure",
            (false, false) => "rerunError",
        });
        typed(&mut start, attempt);
        if let Some((at_us, _)) = attempt.started {
            start.push_attribute(("timestamp", self.timestamp(at_us).as_str()));
            start.push_attribute(("time", seconds(time_us(Some(attempt))).as_str()));
        }
        within(xml, start, |xml| {
            let trace = self.trace(key, attempt);
            text_element(xml, BytesStart::new("stackTrace"), &trace)?;
            self.output(xml, key)
        })
    }

    /// Returns the text of a failure: what happened and where, and the end of the output.
    fn trace(&self, key: LogKey, attempt: &JunitAttempt) -> String {
        let place = location(attempt).map(|place| {
            let column = place
                .column
                .map_or(String::new(), |column| format!(":{column}"));
            format!("at {}:{}{column}", place.path, place.line)
        });
        let output = tail(&self.logs, key);
        let parts = [
            attempt.message(),
            place,
            (!output.is_empty()).then_some(output),
        ];
        let parts: Vec<String> = parts.into_iter().flatten().collect();
        parts.join("\n")
    }

    fn output(&self, xml: &mut XmlWriter<'_>, key: LogKey) -> io::Result<()> {
        for (element, streams) in [
            ("system-out", TextStreams::Out),
            ("system-err", TextStreams::Err),
        ] {
            let text = cleaned(&self.logs, key, streams);
            if !text.is_empty() {
                text_element(xml, BytesStart::new(element), &text)?;
            }
        }
        Ok(())
    }

    /// Writes the case of the build that failed.
    fn build_case(&self, xml: &mut XmlWriter<'_>) -> io::Result<()> {
        within(xml, case_start(BUILD_SUITE, BUILD_SUITE, 0), |xml| {
            let mut start = BytesStart::new("error");
            start.push_attribute(("type", "build failure"));
            start.push_attribute(("message", "the build failed"));
            text_element(xml, start, &tail(&self.logs, BUILD_LOG))?;
            self.output(xml, BUILD_LOG)
        })
    }

    fn run_error(&self) -> String {
        let code = self.exit_code.unwrap_or_default();
        let error = self.error.clone();
        error.unwrap_or_else(|| format!("the run ended with exit code {code}"))
    }

    /// Writes the case of a run that failed for another reason than its tests.
    fn run_suite(&self, xml: &mut XmlWriter<'_>, message: &str) -> io::Result<()> {
        let mut counts = CaseCounts::default();
        counts.add(CaseResult::Error, 0);
        let start = self.suite_start(RUN_SUITE, &counts, self.started_us);
        within(xml, start, |xml| {
            self.properties(xml)?;
            within(xml, case_start(RUN_SUITE, RUN_SUITE, 0), |xml| {
                let mut start = BytesStart::new("error");
                start.push_attribute(("type", "run error"));
                start.push_attribute(("message", xml_line(message).as_str()));
                text_element(xml, start, message)
            })
        })
    }

    /// Returns the time of day at a time of the run.
    fn timestamp(&self, at_us: u64) -> String {
        let started_ms = self.run.as_ref().map_or(0, |run| run.started_unix_ms);
        utc(started_ms.saturating_add(at_us / 1_000))
    }
}

/// Returns the start of an element with a name and counts.
fn counted(element: &'static str, name: &str, counts: &CaseCounts) -> BytesStart<'static> {
    let mut start = BytesStart::new(element);
    for (attribute, value) in [
        ("name", xml_line(name)),
        ("tests", counts.tests.to_string()),
        ("failures", counts.failures.to_string()),
        ("errors", counts.errors.to_string()),
        ("time", milliseconds(counts.time_us)),
    ] {
        start.push_attribute((attribute, value.as_str()));
    }
    start
}

fn case_start(name: &str, class: &str, time_us: u64) -> BytesStart<'static> {
    let mut start = BytesStart::new("testcase");
    start.push_attribute(("name", xml_line(name).as_str()));
    start.push_attribute(("classname", xml_line(class).as_str()));
    start.push_attribute(("time", seconds(time_us).as_str()));
    start
}

/// Adds the type and the message of a failure.
fn typed(start: &mut BytesStart<'_>, attempt: &JunitAttempt) {
    start.push_attribute(("type", attempt.failure_type()));
    if let Some(message) = attempt.message() {
        start.push_attribute(("message", xml_line(&message).as_str()));
    }
}

fn skipped(xml: &mut XmlWriter<'_>, message: Option<String>) -> io::Result<()> {
    let mut start = BytesStart::new("skipped");
    if let Some(message) = message {
        start.push_attribute(("message", xml_line(&message).as_str()));
    }
    xml.write_event(XmlEvent::Empty(start))
}

fn properties_element(xml: &mut XmlWriter<'_>, list: &[(&str, String)]) -> io::Result<()> {
    if list.is_empty() {
        return Ok(());
    }
    within(xml, BytesStart::new("properties"), |xml| {
        for (name, value) in list {
            property(xml, name, value)?;
        }
        Ok(())
    })
}

fn property(xml: &mut XmlWriter<'_>, name: &str, value: &str) -> io::Result<()> {
    let mut start = BytesStart::new("property");
    start.push_attribute(("name", name));
    start.push_attribute(("value", xml_line(value).as_str()));
    xml.write_event(XmlEvent::Empty(start))
}

fn location(attempt: &JunitAttempt) -> Option<&SourceLocation> {
    attempt.finished.as_ref()?.location.as_ref()
}

fn exit_status(finished: &AttemptFinished) -> Option<String> {
    match &finished.outcome {
        TestOutcome::Failed { exit, reason: _ } => exit.map(|exit| match exit {
            ExitStatus::Code(code) => code.to_string(),
            ExitStatus::Signal { number, .. } => format!("signal {number}"),
        }),
        TestOutcome::Passed
        | TestOutcome::TimedOut { .. }
        | TestOutcome::Ignored { .. }
        | TestOutcome::Cancelled
        | TestOutcome::Error { .. } => None,
    }
}

fn time_us(attempt: Option<&JunitAttempt>) -> u64 {
    let finished = attempt.and_then(|attempt| attempt.finished.as_ref());
    finished.map_or(0, |end| end.timings.ran_us)
}
