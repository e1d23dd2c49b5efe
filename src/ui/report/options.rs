//! Options of a report.

use crate::style::OutputColor;

/// The options of a report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RunReportOptions {
    pub verbosity: ReportVerbosity,
    pub color: OutputColor,
    /// Whether the output of passed tests is shown.
    pub passing_output: PassingOutputDisplay,
}

/// How much a report shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReportVerbosity {
    /// One line per test, plus build output, notices and watch, round and worker events.
    Plain,
    /// Only failed tests, the output of a failed build, warnings, watch events and the summary.
    Quiet,
}

/// Whether the output of passed tests is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PassingOutputDisplay {
    Hidden,
    /// The output follows the line of the test.
    Shown,
}
