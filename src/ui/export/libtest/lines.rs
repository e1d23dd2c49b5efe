//! The lines of libtest's JSON format, with their fields in libtest's order. Durations are seconds.

use std::io::{self, Write};

use serde::Serialize;

/// Writes a value as a line.
pub(super) fn line(out: &mut (impl Write + ?Sized), value: &impl Serialize) -> io::Result<()> {
    serde_json::to_writer(&mut *out, value)?;
    out.write_all(b"\n")
}

/// A line about a test.
#[derive(Clone, Debug, Serialize)]
pub(super) struct TestLine {
    #[serde(rename = "type")]
    pub subject: &'static str,
    pub event: TestLineEvent,
    pub name: String,
    /// The duration.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exec_time: Option<f64>,
    /// Everything that the test wrote, to standard error as well.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stdout: Option<String>,
    /// Why the test failed, beyond its own failure.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<&'static str>,
    /// Why the test is ignored.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum TestLineEvent {
    Started,
    Ok,
    Failed,
    Ignored,
}

impl TestLine {
    /// Returns a line without details.
    pub(super) fn new(event: TestLineEvent) -> Self {
        TestLine {
            subject: "test",
            event,
            name: String::new(),
            exec_time: None,
            stdout: None,
            reason: None,
            message: None,
        }
    }
}

/// The first line of a suite.
#[derive(Debug, Serialize)]
pub(super) struct SuiteStart<'a> {
    #[serde(rename = "type")]
    subject: &'static str,
    event: &'static str,
    test_count: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    nextest: Option<NextestObject<'a>>,
}

impl<'a> SuiteStart<'a> {
    pub(super) fn new(test_count: u32, nextest: Option<NextestObject<'a>>) -> SuiteStart<'a> {
        SuiteStart {
            subject: "suite",
            event: "started",
            test_count,
            nextest,
        }
    }
}

/// The last line of a suite.
#[derive(Debug, Serialize)]
pub(super) struct SuiteEnd<'a> {
    #[serde(rename = "type")]
    subject: &'static str,
    event: &'static str,
    passed: u32,
    failed: u32,
    ignored: u32,
    measured: u32,
    filtered_out: u32,
    /// The sum of the tests' durations.
    exec_time: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    nextest: Option<NextestObject<'a>>,
}

impl<'a> SuiteEnd<'a> {
    pub(super) fn new(
        [passed, failed, ignored, filtered_out]: [u32; 4],
        exec_time: f64,
        nextest: Option<NextestObject<'a>>,
    ) -> SuiteEnd<'a> {
        SuiteEnd {
            subject: "suite",
            event: if failed > 0 { "failed" } else { "ok" },
            passed,
            failed,
            ignored,
            measured: 0,
            filtered_out,
            exec_time,
            nextest,
        }
    }
}

/// What nextest adds to the lines of a suite.
#[derive(Clone, Copy, Debug, Serialize)]
pub(super) struct NextestObject<'a> {
    #[serde(rename = "crate")]
    pub package: &'a str,
    pub test_binary: &'a str,
    pub kind: &'a str,
}
